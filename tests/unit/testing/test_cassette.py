"""Record and replay: what is in the file, what is not, and what a replay takes for the same."""

import asyncio
import itertools
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from franca import create_async_chat_client, create_chat_client
from franca.errors import APIError, InvalidRequestError, RateLimitError, StreamInterrupted
from franca.testing import Answer, Cassette, Simulator, error, exchanges, use_simulator
from franca.testing.masking import mask_of, masked, masked_sse
from franca.testing.recorded import read

KEY = "k3y.with-odd/characters+0123456789"
ORGANISATION = "org-AbCdEf123456"
SECRETS = (KEY, ORGANISATION, "per-call-token-1234", "cookie-of-the-vendor", "of-the-user-99")
PLACES = {
    "openai": ("openai", {"api_key": KEY, "organization": ORGANISATION}),
    "callable": ("openai", {"api_key": lambda: KEY}),
    "anthropic": ("anthropic", {"api_key": KEY}),
    "azure": ("openai", {"endpoint_type": "openai_azure", "api_key": KEY}),
    "vertex": (
        "anthropic",
        {"endpoint_type": "anthropic_vertex", "api_key": KEY,
         "credentials": {"project_id": "p", "location": "us-east5"}},
    ),
    "bedrock": (
        "anthropic",
        {"endpoint_type": "anthropic_bedrock",
         "credentials": {"aws_access_key": "AKIAEXAMPLE123456", "aws_secret_key": KEY,
                         "aws_region": "us-west-2"}},
    ),
}  # fmt: skip


@pytest.fixture
def sim():
    with Simulator() as running:
        yield running


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "cassette.jsonl"


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def ask(place, question="two words", *, url="https://gone.invalid", is_async=False, **params):
    """One call's result, at a place; `stream` is a parameter like any other."""
    backend, fields = PLACES[place]
    v1 = "/v1" if backend == "openai" and "endpoint_type" not in fields else ""
    endpoints = [{"api_base": url + v1, **fields}]
    stream = params.pop("stream", False)

    async def go():
        async with create_async_chat_client(backend, "m", endpoints=endpoints) as client:
            if stream:
                return await client.create_stream(question, **params).result()
            return await client.create_completion(question, **params)

    if is_async:
        return asyncio.run(go())
    with create_chat_client(backend, "m", endpoints=endpoints) as client:
        if stream:
            return client.create_stream(question, **params).result()
        return client.create_completion(question, **params)


def replayed(path, *questions):
    with Cassette(path, "replay"):
        for question in questions:
            ask("openai", question)


WAYS = [
    (place, is_async, stream)
    for place, is_async, stream in itertools.product(PLACES, (False, True), (False, True))
    if not (place == "bedrock" and stream)  # the simulator has no AWS event streams
]


@pytest.mark.parametrize(("place", "is_async", "stream"), WAYS)
def test_what_was_recorded_comes_again(place, is_async, stream, sim, path):
    sim.default = Answer(text="Hello there", reasoning="Hm.", tool_calls=[("look", {"a": 1})])
    with Cassette(path, "record"):
        real = ask(place, url=sim.url, is_async=is_async, stream=stream)
    (record,) = lines(path)
    assert (record["stream"], record["status"]) == (stream, 200)
    assert ("sse" in record, "reply" in record) == (stream, not stream)
    for again in (False, True):  # what was recorded one way is replayed the other, too
        with Cassette(path, "replay") as cassette:
            replayed = ask(place, is_async=again, stream=stream)
        cassette.assert_done()
        assert replayed.model_dump() == real.model_dump()
        assert replayed.raw == real.raw
    assert sim.count == 1


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("status", [400, 429])
def test_errors_are_recorded_too(place, status, sim, path):
    sim.default = error(status, "no way", headers={"retry-after": "0"})
    kind = {400: InvalidRequestError, 429: RateLimitError}[status]
    stream = place != "bedrock"
    with Cassette(path, "record"), pytest.raises(kind, match="no way"):
        ask(place, url=sim.url, stream=stream, max_retries=0)
    sent = sim.count
    with Cassette(path, "replay") as cassette, pytest.raises(kind, match="no way") as caught:
        ask(place, stream=stream, max_retries=0)
    cassette.assert_done()
    assert caught.value.status_code == status
    assert sim.count == sent


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("place", ["openai", "callable", "anthropic", "azure"])
def test_no_secret_is_written(place, stream, sim, path):
    spelt = f"your key is {KEY} of {ORGANISATION} and of-the-user-99, sk-ant-api03-0123456789abc"
    sim.script(
        Answer(
            text=spelt,
            headers={
                "set-cookie": "cookie-of-the-vendor",
                "openai-organization": ORGANISATION,
                "anthropic-organization-id": ORGANISATION,
                "x-ratelimit-remaining-tokens": "7",
            },
        )
    )
    headers = {"Authorization": "Bearer per-call-token-1234"} if place == "openai" else {}
    question = [
        {"role": "user", "content": f"my key is {KEY}, my token per-call-token-1234"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function",
         "function": {"name": "f", "arguments": json.dumps({"key": KEY})}}]},
        {"role": "tool", "tool_call_id": "c", "content": ORGANISATION},
    ]  # fmt: skip
    with Cassette(path, "record", hide=["of-the-user-99"]):
        ask(place, question, url=sim.url, stream=stream, extra_headers=headers, user=KEY)
    written = path.read_text("utf-8")
    hidden = [*SECRETS, "sk-ant-api03"]
    if place != "openai":
        hidden.remove("per-call-token-1234")
    assert [secret for secret in hidden if secret in written] == []
    (record,) = lines(path)
    told = place == "azure" and not stream  # an SDK's `post` keeps a whole reply's headers
    assert ("x-ratelimit-remaining-tokens" in record["headers"]) != told
    assert {"set-cookie", "authorization"}.isdisjoint(record["headers"])
    with Cassette(path, "replay", hide=["of-the-user-99"]):
        found = ask(place, question, stream=stream, extra_headers=headers, user=KEY)
    assert found.content.startswith("your key is ***")


def test_a_secret_spelt_over_the_events_of_a_stream():
    events = [{"choices": [{"delta": {"content": c}}]} for c in f"It is {KEY}!"]
    text = (
        "".join(f"data: {json.dumps(event)}\r\n\r\n" for event in events) + "data: [DONE]\r\n\r\n"
    )
    clean = masked_sse(text, mask_of([KEY]))
    said = [json.loads(line[5:]) for line in clean.splitlines() if line.startswith("data: {")]
    assert len(said) == len(events)
    assert "".join(e["choices"][0]["delta"]["content"] for e in said) == "It is ***!"
    assert clean.endswith("data: [DONE]\r\n\r\n")
    assert masked_sse(text, mask_of(["another-secret"])) == text


NEWS = "https://news.invalid/gsk-boosts-lung-portfolio-ce7f5dd3df8ff525/sk-hynix-2026-international"


def test_masks_take_no_more_than_keys():
    mask = mask_of(["short", "", KEY])
    for text in (
        "a short keyboard-interrupt",
        "sk-learn-something-new",
        "skateboarding tricks",
        NEWS,
    ):
        assert mask(text) == text
    keys = (
        "sk-proj-Ab-0123456789abcdef_x gsk_0123456789abcdef org-AbCdEf123456 AKIA0123456789ABCDEF"
    )
    assert mask(keys) == "*** *** *** ***"
    assert mask("Authorization: Bearer abc.def-ghi") == "Authorization: Bearer ***"
    value = {
        "authorization_token": "x",
        "token": "y",
        "a": [{"api_key": "z", "b": {KEY: 1}}],
        "n": 1,
    }
    assert masked(value, mask) == {
        "authorization_token": "***",
        "token": "y",
        "a": [{"api_key": "***", "b": {"***": 1}}],
        "n": 1,
    }


def test_the_order_of_names_does_not_matter(sim, path):
    def tool(*names):
        schema = {"type": "object", "properties": {n: {"type": "string"} for n in names}}
        return [{"type": "function", "function": {"name": "f", "parameters": schema}}]

    with Cassette(path, "record"):
        ask("openai", url=sim.url, tools=tool("a", "b"), temperature=1)
    with Cassette(path, "replay"):
        ask("openai", temperature=1.0, tools=tool("b", "a"))
    with pytest.raises(AssertionError, match="temperature"), Cassette(path, "replay"):
        ask("openai", temperature=0.5, tools=tool("a", "b"))


def test_what_differs_from_run_to_run_is_ignored(sim, path):
    def asked(cassette, when, user):
        turns = [{"role": "system", "content": f"Now: {when}"}, {"role": "user", "content": "hi"}]
        with cassette:
            ask("openai", turns, url=sim.url, metadata={"user_id": user, "kind": "a"}, seed=when)

    ignore = ["messages.0.content", "metadata.user_id", "seed", "no.such.thing"]
    asked(Cassette(path, "record", ignore=ignore), 1, "x")
    asked(Cassette(path, "replay", ignore=ignore), 2, "y")
    asked(Cassette(path, "replay", ignore=["messages.*.content", "metadata", "seed"]), 3, "z")
    asked(Cassette(path, "auto", ignore=ignore[:2]), 2, "y")
    assert sim.count == 2
    assert lines(path)[0]["request"]["metadata"] == {"user_id": "x", "kind": "a"}


def test_the_same_request_gets_its_replies_in_order(sim, path):
    sim.script("one", "two", "three")
    with Cassette(path, "record"):
        for question in ("a", "b", "a"):
            ask("openai", question, url=sim.url)
    with Cassette(path, "replay") as cassette:
        assert [ask("openai", q).content for q in ("b", "a")] == ["two", "one"]
        assert cassette.left == 1
        with pytest.raises(AssertionError, match="1 exchanges were not asked for"):
            cassette.assert_done()
        assert ask("openai", "a").content == "three"
        cassette.assert_done()
    with pytest.raises(AssertionError, match=r"once more than the 1 time\(s\)"):
        replayed(path, "b", "b")


def test_nothing_recorded_is_said_at_once(sim, path):
    with pytest.raises(AssertionError, match="FRANCA_RECORD"), Cassette(path, "replay"):
        ask("openai", url=sim.url)
    with Cassette(path, "record"):
        ask("openai", "the same\nquestion about foxes", url=sim.url, temperature=0.5)
        ask("openai", "something else", url=sim.url)
    with pytest.raises(AssertionError) as caught, Cassette(path, "replay"):
        ask("openai", "the same\nquestion about hens", temperature=0.5)
    said = str(caught.value)
    assert "openai-chat, /chat/completions" in said
    assert '-   "content": "the same\\nquestion about foxes",' in said
    assert '+   "content": "the same\\nquestion about hens",' in said
    assert "something else" not in said
    assert sim.count == 2


def test_a_miss_that_the_service_has_swallowed_fails_all_the_same(path):
    def service():
        with Cassette(path, "replay"):
            try:
                return ask("openai")
            except BaseException:
                return None

    with pytest.raises(AssertionError, match="not recorded"):
        service()


def test_auto_sends_what_is_not_there(sim, path, monkeypatch):
    monkeypatch.setenv("FRANCA_RECORD", "auto")
    for questions in (("a",), ("a", "b"), ("b", "a")):
        with Cassette(path):
            for question in questions:
                ask("anthropic", question, url=sim.url)
    assert [record["request"]["messages"][0]["content"] for record in lines(path)] == ["a", "b"]
    assert sim.count == 2
    monkeypatch.setenv("FRANCA_RECORD", "sometimes")
    with pytest.raises(ValueError, match="sometimes"):
        Cassette(path)


def test_auto_sends_nothing_with_a_key_that_is_made_up(path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(AssertionError, match="not recorded"), Cassette(path, "auto"):
        create_chat_client("openai").create_completion("?")
    assert not path.exists()


def test_recording_anew_keeps_the_old_file_until_there_is_a_new_one(sim, path):
    with Cassette(path, "record"):
        ask("openai", "old", url=sim.url)
    sim.stop()
    with Cassette(path, "record"), pytest.raises(Exception):  # noqa: B017, PT011 - whichever it is
        ask("openai", "new", url=sim.url, timeout=2, max_retries=0)
    assert lines(path)[0]["request"]["messages"][0]["content"] == "old"
    sim.start()
    with Cassette(path, "record"):
        ask("openai", "new", url=sim.url)
        ask("openai", "newer", url=sim.url)
    assert [r["request"]["messages"][0]["content"] for r in lines(path)] == ["new", "newer"]


@pytest.mark.parametrize(
    "torn", [b'{"path": "/v1/mess', b"null", b'"\xc3', b"[]", b"{}", b'{"path": 3}']
)
def test_a_torn_line_takes_no_other_with_it(torn, sim, path):
    with Cassette(path, "record"):
        ask("openai", "a", url=sim.url)
    with path.open("ab") as file:
        file.write(torn)
    with Cassette(path, "auto"):
        ask("openai", "b", url=sim.url)
        ask("openai", "a")
    with pytest.raises(AssertionError, match=r"1 line\(s\) of the file cannot be read"):
        replayed(path, "a", "b", "c")
    assert len(exchanges(path)) == 2


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("place", ["openai", "anthropic", "azure"])
def test_a_stream_that_breaks_breaks_again(place, is_async, sim, path):
    sim.script(Answer(text="a b c", cut_events=4))
    with Cassette(path, "record"), pytest.raises(StreamInterrupted) as real:
        ask(place, url=sim.url, is_async=is_async, stream=True)
    with Cassette(path, "replay"), pytest.raises(StreamInterrupted) as again:
        ask(place, is_async=is_async, stream=True)
    assert again.value.partial.content == real.value.partial.content


def two(url):
    with (
        create_chat_client("local", "m", base_url=url) as client,
        client.create_stream("?") as stream,
    ):
        return [delta.content for delta, _ in zip(stream, range(2), strict=False)]


def atwo(url):
    async def go():
        async with create_async_chat_client("local", "m", base_url=url) as client:
            found = []
            async with client.create_stream("?") as stream:
                async for delta in stream:
                    found.append(delta.content)
                    if len(found) == 2:
                        return found

    return asyncio.run(go())


@pytest.mark.parametrize("some", [two, atwo])
def test_a_stream_that_the_caller_left(some, sim, path):
    sim.script(Answer(text="a b c d", gap=0.01))
    with Cassette(path, "record"):
        real = some(f"{sim.url}/v1")
    with Cassette(path, "replay"):
        assert some("https://gone.invalid/v1") == real == ["a", " b"]
    assert len(lines(path)) == 1


@pytest.mark.parametrize("body", ["<html>busy</html>", "", "null", '"text"', "[1]", "{"])
def test_a_reply_that_is_no_object(body, sim, path):
    sim.default = Answer(body=body)
    with Cassette(path, "record"), pytest.raises(APIError) as real:
        ask("anthropic", url=sim.url, max_retries=0)
    with Cassette(path, "replay"), pytest.raises(APIError) as again:
        ask("anthropic", max_retries=0)
    assert again.value.body == real.value.body


def test_a_cassette_is_what_the_simulator_plays(sim, path):
    sim.script("Hello", "streamed", error(400, "no way"))
    with Cassette(path, "record"):
        ask("openai", url=sim.url)
        ask("anthropic", url=sim.url, stream=True)
        with pytest.raises(InvalidRequestError):
            ask("openai", url=sim.url)
    with use_simulator() as player:
        player.script(*exchanges(path))
        assert ask("openai", "whatever").content == "Hello"
        assert ask("anthropic", "whatever", stream=True).content == "streamed"
        with pytest.raises(InvalidRequestError, match="no way"):
            ask("openai", "whatever")


def test_json_stays_as_the_vendor_wrote_it(sim, path):
    block = '{"type":"tool_use","id":"t","name":"f","input":{ "b":1,"a":2.50 }}'
    sim.script(Answer(body=f'{{"id": "1",\n "content":[{block}]}}'))
    with Cassette(path, "record"):
        real = ask("anthropic", url=sim.url)
    with Cassette(path, "replay"):
        again = ask("anthropic")
    assert real.tool_calls[0].arguments == again.tool_calls[0].arguments == '{ "b":1,"a":2.50 }'


def test_text_stays_readable(sim, path):
    sim.script(
        Answer(sse='data: {"choices":[{"delta":{"content":"你好, Zoë"}}]}\n\ndata: [DONE]\n\n')
    )
    with Cassette(path, "record"):
        ask("openai", "你好\u2028", url=sim.url, stream=True)
    assert all(text in path.read_text("utf-8") for text in ("你好, Zoë", "你好\u2028"))
    assert path.read_bytes().count(b"\n") == 1
    with Cassette(path, "replay"):
        assert ask("openai", "你好\u2028", stream=True).content == "你好, Zoë"


def test_many_at_once(sim, path):
    sim.default = lambda received: Answer(text=received.body["messages"][0]["content"])
    questions = [str(number) for number in range(40)]
    for mode in ("record", "replay"):
        with Cassette(path, mode), ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda q: ask("openai", q, url=sim.url).content, questions))
        assert found == questions
    assert sim.count == 40


def test_processes_that_write_one_file(sim, path):
    code = (
        "import sys\n"
        "from franca import create_chat_client\n"
        "from franca.testing import Cassette\n"
        "url, path, name = sys.argv[1:]\n"
        "with Cassette(path, 'auto'), create_chat_client('local', 'm', base_url=url) as client:\n"
        "    for number in range(20):\n"
        "        client.create_completion(f'{name} {number} ' + 'x' * 5000)\n"
    )
    arguments = [sys.executable, "-c", code, f"{sim.url}/v1", str(path)]
    running = [subprocess.Popen([*arguments, name]) for name in "abc"]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    found, torn = read(path)  # a line that was seen half written leaves an empty one
    assert torn == 0
    asked = {r["request"]["messages"][0]["content"].rstrip("x").strip() for r in found}
    assert asked == {f"{name} {number}" for name in "abc" for number in range(20)}
