"""Fetching, against real servers on loopback."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pngs import png

from franca.errors import CallError, ConnectionError, InvalidRequestError, TimeoutError
from franca.media import afetch, fetch
from franca.media.guard import is_public, parse

LOOPBACK = "127.0.0.1"
PNG = png(1, 1)

Handler = Callable[[bytes, socket.socket], None]


def answer(body: bytes = PNG, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def redirect(goal: str, status: int = 302) -> bytes:
    return answer(b"", f"{status} Elsewhere", f"Location: {goal}")


class Server:
    """A server of raw answers; `asked` holds the heads of the requests."""

    def __init__(self, handler: Handler | bytes, context: ssl.SSLContext | None = None) -> None:
        self.asked: list[str] = []
        self._handler, self._context = handler, context
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(sock,), daemon=True).start()

    def _one(self, sock: socket.socket) -> None:
        try:
            sock.settimeout(30)
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head and (more := sock.recv(4096)):
                head += more
            self.asked.append(head.decode())
            if callable(self._handler):
                self._handler(head, sock)
            else:
                sock.sendall(self._handler)
        except OSError:
            pass
        finally:
            sock.close()

    def close(self) -> None:
        self.over.set()
        self._listener.close()


@contextmanager
def serving(handler: Handler | bytes, context: ssl.SSLContext | None = None) -> Generator[Server]:
    server = Server(handler, context)
    try:
        yield server
    finally:
        server.close()


def private(url: str, **how: Any) -> bytes:
    return fetch(url, allow_private=True, **how)


def resolver(*answers: str | list[str]) -> Callable[..., list[Any]]:
    """Names lead to each of the answers in turn, the last one for ever."""
    left = list(answers)

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        found = left.pop(0) if len(left) > 1 else left[0]
        found = [found] if isinstance(found, str) else found
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]

    return resolve


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The addresses that are connected to; any that is not loopback leads to nowhere."""
    seen: list[tuple[str, int]] = []
    connect = socket.create_connection

    def create(address: tuple[str, int], *args: Any, **how: Any) -> socket.socket:
        seen.append(address)
        if address[0] != LOOPBACK:
            raise ConnectionRefusedError(111, "refused")
        return connect(address, *args, **how)

    monkeypatch.setattr(socket, "create_connection", create)
    return seen


def test_a_picture() -> None:
    with serving(answer()) as server:
        assert private(f"{server.url}/a%20b/ü.png?x=1&y=ä#part") == PNG
    head = server.asked[0].splitlines()
    assert head[0] == "GET /a%20b/%C3%BC.png?x=1&y=%C3%A4 HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in head
    assert "cookie" not in server.asked[0].lower()


async def test_off_the_loop() -> None:
    with serving(answer()) as server:
        assert await afetch(server.url, allow_private=True) == PNG


def test_chunks_and_a_body_without_length() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (PNG[:9], PNG[9:]))
    for raw in (chunked + pieces + b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n" + PNG):
        with serving(raw) as server:
            assert private(server.url) == PNG


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",
     "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1",
     "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254",
     "fec0::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
     "::ffff:169.254.169.254", "::ffff:100.64.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
     "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2001::1", "3fff::1",
     "100::1", "::2", "5f00::1", "192.88.99.1", "no address"],
)  # fmt: skip
def test_what_is_not_public(address: str, dialled: list[tuple[str, int]]) -> None:
    assert not is_public(address)
    with pytest.raises(InvalidRequestError, match="not on the public internet") as caught:
        fetch("http://a.example/", resolve=resolver(address))
    with pytest.raises(InvalidRequestError):
        fetch("http://a.example/", resolve=resolver(["93.184.215.14", address]))
    assert dialled == []
    assert address not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["93.184.215.14", "8.8.8.8", "2606:2800:21f::1", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_what_is_public(address: str, dialled: list[tuple[str, int]]) -> None:
    assert is_public(address)
    with pytest.raises(ConnectionError):
        fetch("http://a.example/", resolve=resolver(address))
    assert dialled == [(address, 80)]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]",
     "[::ffff:7f00:1]", "0", "127.0.0.1.", "①②⑦.⓪.⓪.①"],
)  # fmt: skip
def test_loopback_by_any_name(host: str) -> None:
    with serving(answer()) as server, pytest.raises(CallError) as caught:
        fetch(f"http://{host}:{server.port}/")
    assert isinstance(caught.value, InvalidRequestError) or "no such host" in str(caught.value)
    assert server.asked == []


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/a", "file:///etc/passwd", "gopher://a.example/", "//a.example/a", "/a", "",
     "http://", "http:///a", "http://user:pw@a.example/", "http://a.example:99999/",
     "http://a.example:x/", "http://[::1", "http://[fe80::1%25eth0]/", "http://a..b/",
     "data:image/png;base64,AA==", "http://a b/", "http://a\x00b/", "http://a.example/\ud800",
     "http://a\u2100b/"],
)  # fmt: skip
def test_urls_that_are_refused(url: str, dialled: list[tuple[str, int]]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        fetch(url, allow_private=True)
    assert dialled == []
    assert "pw" not in str(caught.value)


def test_what_is_no_address_is_not_repeated() -> None:
    """The URL may be the picture itself."""
    with pytest.raises(InvalidRequestError) as caught:
        fetch("data:image/png;base64,c2VjcmV0")
    assert str(caught.value) == "data: only http and https are fetched"


def test_a_url_cannot_write_a_line_of_log() -> None:
    with pytest.raises(CallError) as caught:
        fetch("http://127.0.0.1/a\r\nb:\tc@", resolve=lambda *_, **__: [])
    assert "\n" not in str(caught.value)


def test_a_url_cannot_write_a_request() -> None:
    with serving(answer()) as server:
        private(f"{server.url}/a\r\nX-Evil: 1\r\n\r\n/ b")
    lines = server.asked[0].splitlines()
    assert len(lines[0].split()) == 3
    assert not any(line.startswith("X-Evil") for line in lines)


def test_the_address_that_was_checked_is_the_one_dialled(dialled: list[tuple[str, int]]) -> None:
    """Rebinding: the name leads to a public address once, to a private one ever after."""
    with serving(answer()) as server:
        with pytest.raises(ConnectionError):
            fetch(
                f"http://rebind.example:{server.port}/",
                resolve=resolver("93.184.215.14", LOOPBACK),
            )
        assert dialled == [("93.184.215.14", server.port)]
        assert server.asked == []


def test_the_name_goes_in_the_head() -> None:
    with serving(answer()) as server:
        private(f"http://pictures.example:{server.port}/", resolve=resolver(LOOPBACK))
    assert f"Host: pictures.example:{server.port}" in server.asked[0]


def test_the_next_address_where_one_is_dead() -> None:
    with serving(answer()) as server:
        url = f"http://pictures.example:{server.port}/"
        assert private(url, resolve=resolver(["127.0.0.2", LOOPBACK])) == PNG


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(status: int) -> None:
    with serving(answer()) as goal, serving(redirect(f"{goal.url}/there", status)) as first:
        assert private(first.url) == PNG
    assert goal.asked[0].startswith("GET /there ")


def test_a_redirect_to_a_path() -> None:
    def handler(head: bytes, sock: socket.socket) -> None:
        sock.sendall(redirect("../b.png?x") if head.startswith(b"GET /a/") else answer())

    with serving(handler) as server:
        assert private(f"{server.url}/a/c.png") == PNG
    assert server.asked[1].startswith("GET /b.png?x ")


def test_a_redirect_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first server is let through as if it were public; the second is not."""
    goals = {"public.example": "93.184.215.14", "inside.example": LOOPBACK}
    connect = socket.create_connection

    def create(address: tuple[str, int], *args: Any, **how: Any) -> socket.socket:
        assert address[0] == "93.184.215.14"
        return connect((LOOPBACK, address[1]), *args, **how)

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (goals.get(host, host), port))]

    monkeypatch.setattr(socket, "create_connection", create)
    with serving(answer()) as inside:
        for goal in ("inside.example", LOOPBACK, "169.254.169.254", "[::ffff:127.0.0.1]"):
            with serving(redirect(f"http://{goal}:{inside.port}/")) as first:
                with pytest.raises(InvalidRequestError, match="not on the public internet"):
                    fetch(f"http://public.example:{first.port}/", resolve=resolve)
                assert len(first.asked) == 1
        assert inside.asked == []


@pytest.mark.parametrize(
    "goal", ["file:///etc/passwd", "ftp://a.example/", "http://u:p@a.example", "http://[::1"]
)
def test_a_redirect_elsewhere_is_refused(goal: str) -> None:
    with serving(redirect(goal)) as server, pytest.raises(InvalidRequestError):
        private(server.url)


@pytest.mark.parametrize(("hops", "fine"), [(3, True), (4, False), (1000, False)])
def test_three_redirects_and_no_more(hops: int, fine: bool) -> None:
    def handler(head: bytes, sock: socket.socket) -> None:
        left = int(head.split()[1][1:])
        sock.sendall(redirect(f"/{left - 1}") if left else answer())

    with serving(handler) as server:
        if fine:
            assert private(f"{server.url}/{hops}") == PNG
        else:
            with pytest.raises(InvalidRequestError, match="3 redirects"):
                private(f"{server.url}/{hops}")
            assert len(server.asked) == 4


def test_too_large_as_announced() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + PNG
    with serving(raw) as server, pytest.raises(InvalidRequestError, match="more than 1000 bytes"):
        private(server.url, max_bytes=1000)


@pytest.mark.parametrize("head", [b"", b"Transfer-Encoding: chunked\r\n"])
def test_too_large_without_a_word_of_it(head: bytes) -> None:
    sent = [0]

    def handler(_: bytes, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        piece = b"10000\r\n" + bytes(65536) + b"\r\n" if head else bytes(65536)
        for _i in range(10_000):
            sock.sendall(piece)
            sent[0] += 1

    too_large = pytest.raises(InvalidRequestError, match="more than 200000 bytes")
    with serving(handler) as server, too_large:
        private(server.url, max_bytes=200_000)
    assert sent[0] < 10_000


def dripping(before: bytes, drop: bytes) -> Handler:
    def handler(_: bytes, sock: socket.socket) -> None:
        sock.sendall(before)
        for _i in range(600):
            sock.sendall(drop)
            threading.Event().wait(0.05)

    return handler


@pytest.mark.parametrize(
    ("before", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["status", "headers", "continue", "body", "chunks"],
)
def test_drops_are_bounded_by_the_whole_timeout(before: bytes, drop: bytes) -> None:
    too_late = pytest.raises(TimeoutError, match=r"not fetched in 0\.4 s")
    with serving(dripping(before, drop)) as server, too_late as caught:
        private(server.url, timeout=0.4)
    assert caught.value.retryable


def test_silence_is_bounded() -> None:
    done = threading.Event()
    with serving(lambda head, sock: (done.wait(30), None)[1]) as server:
        with pytest.raises(TimeoutError):
            private(server.url, timeout=0.3)
        done.set()


def test_a_lookup_is_bounded() -> None:
    done = threading.Event()

    def resolve(*_: Any, **__: Any) -> list[Any]:
        done.wait(30)
        return []

    with pytest.raises(TimeoutError):
        fetch("http://a.example/", timeout=0.2, resolve=resolve)
    done.set()


@pytest.mark.parametrize(
    ("raw", "error", "said"),
    [
        (answer(b"secret", "404 Not Found"), InvalidRequestError, "status 404"),
        (answer(b"secret", "206 Partial"), InvalidRequestError, "status 206"),
        (answer(b"secret", "302 Found"), InvalidRequestError, "status 302"),
        (answer(b"secret", "503 Busy"), ConnectionError, "status 503"),
        (answer(b"secret", "429 Busy"), ConnectionError, "status 429"),
        (answer(b"<html>secret"), InvalidRequestError, "neither a picture nor a PDF"),
        (answer(b""), InvalidRequestError, "neither a picture nor a PDF"),
        (answer(b"RIFF....WAVEsecret"), InvalidRequestError, "neither a picture nor a PDF"),
        (answer(PNG)[:-5], ConnectionError, "cut short"),
        (b"", ConnectionError, "without response"),
        (b"secret\r\n\r\n", ConnectionError, "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", ConnectionError, "HTTPException"),
    ],
)
def test_answers_that_are_none(raw: bytes, error: type[CallError], said: str) -> None:
    with serving(raw) as server, pytest.raises(error, match=said) as caught:
        private(f"{server.url}/a.png?token=hush")
    assert "secret" not in str(caught.value)
    assert "hush" not in str(caught.value)


def test_what_the_server_calls_it_proves_nothing() -> None:
    with serving(answer(PNG, "200 OK", "Content-Type: text/html")) as server:
        assert private(server.url) == PNG
    page = answer(b"<html>", "200 OK", "Content-Type: image/png")
    with serving(page) as server, pytest.raises(InvalidRequestError):
        private(server.url)


def test_nobody_there() -> None:
    with socket.create_server((LOOPBACK, 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConnectionError) as caught:
        private(f"http://{LOOPBACK}:{port}/")
    assert not caught.value.sent


def test_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answer(b"")) as proxy, serving(answer()) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert private(server.url) == PNG
        assert proxy.asked == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for pictures.example."""
    x509 = pytest.importorskip("cryptography.x509", reason="makes the certificate")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pictures.example")])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("pictures.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.9"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(secret + made.public_bytes(pem))
    return path


@pytest.fixture
def tls(certificate: Path) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(answer(), context) as server:
        yield server


def test_tls_is_verified_against_the_name(tls: Server, certificate: Path) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate))
    at_home = {"resolve": resolver(LOOPBACK)}
    named = f"https://pictures.example:{tls.port}/"
    assert private(named, context=trusting, **at_home) == PNG
    with pytest.raises(ConnectionError, match="certificate was refused"):
        private(f"https://other.example:{tls.port}/", context=trusting, **at_home)
    with pytest.raises(ConnectionError, match="certificate was refused"):
        private(f"https://{LOOPBACK}:{tls.port}/", context=trusting)
    with pytest.raises(ConnectionError, match="certificate was refused"):
        private(named, **at_home)
    assert len(tls.asked) == 1


def test_tls_names_the_host(certificate: Path) -> None:
    seen: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda sock, name, _: seen.append(name)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with serving(answer(), context) as server:
        url = f"https://pictures.example:{server.port}/"
        private(url, context=trusting, resolve=resolver(LOOPBACK))
    assert seen == ["pictures.example"]


def test_never_from_https_to_http(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with serving(answer()) as plain, serving(redirect(plain.url), context) as server:
        url = f"https://pictures.example:{server.port}/"
        with pytest.raises(InvalidRequestError, match="from https to http"):
            private(url, context=trusting, resolve=resolver(LOOPBACK))
        assert plain.asked == []


def test_names_in_other_scripts() -> None:
    assert parse("http://bücher.example/").host == "xn--bcher-kva.example"
    assert parse("http://[2606:2800:21f::1]:81/").header == "[2606:2800:21f::1]:81"
