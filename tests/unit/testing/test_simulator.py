"""The simulator, seen through a plain socket and through the vendors' own SDKs."""

import http.client
import json
import socket
import time
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from franca.testing import Answer, Simulator, error, exchange, rate_limited, text_reply

ASK = {"model": "m", "messages": [{"role": "user", "content": "two words"}]}
TOOL = {"name": "look", "parameters": {"properties": {"city": {"type": "string"}}}}
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


@pytest.fixture
def sim():
    with Simulator() as simulator:
        yield simulator


def post(sim, path=CHAT, headers=None, **body):
    with closing(http.client.HTTPConnection(urlsplit(sim.url).netloc, timeout=60)) as connection:
        connection.request("POST", path, json.dumps({**ASK, **body}), headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()


def said(sim, path=CHAT, **body):
    return json.loads(post(sim, path, **body)[2])


def raw(sim, **body):
    """The connection's own packets, as they are received; a reset is the last of them."""
    content = json.dumps({**ASK, **body}).encode()
    with socket.create_connection(("127.0.0.1", urlsplit(sim.url).port), timeout=60) as sock:
        sock.sendall(b"POST %b HTTP/1.1\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
                     % (CHAT.encode(), len(content), content))  # fmt: skip
        packets = []
        try:
            while packet := sock.recv(65536):
                packets.append(packet)
        except ConnectionResetError:
            packets.append(b"<reset>")
        return packets


def test_echo_counts_words(sim):
    answer = said(sim)
    assert answer["choices"][0]["message"]["content"] == "You said: two words"
    assert answer["usage"]["prompt_tokens"] == 2
    assert answer["usage"]["total_tokens"] == 6
    anthropic = said(sim, MESSAGES, max_tokens=9)
    assert anthropic["content"] == [{"type": "text", "text": "You said: two words"}]
    assert anthropic["usage"]["output_tokens"] == 4


def test_several_answers_and_a_short_one(sim):
    assert [c["index"] for c in said(sim, n=2)["choices"]] == [0, 1]
    short = said(sim, max_tokens=1)["choices"][0]
    assert (short["message"]["content"], short["finish_reason"]) == ("You", "length")


def test_a_forced_tool_is_called(sim):
    choice = {"type": "function", "function": {"name": "look"}}
    tools = [{"type": "function", "function": TOOL}]
    call = said(sim, tools=tools, tool_choice=choice)["choices"][0]["message"]["tool_calls"][0]
    assert json.loads(call["function"]["arguments"]) == {"city": "text"}
    own = [{"name": "look", "input_schema": TOOL["parameters"]}]
    block = said(sim, MESSAGES, tools=own, tool_choice={"type": "any"})["content"][0]
    assert (block["type"], block["input"]) == ("tool_use", {"city": "text"})


@pytest.mark.parametrize(
    "path",
    [
        "/v1/projects/p/models/claude:rawPredict",
        "/v1/projects/p/models/claude:streamRawPredict",
        "/model/anthropic.claude/invoke",
    ],
)
def test_deployments_speak_anthropic(sim, path):
    assert said(sim, path)["type"] == "message"


def test_other_paths(sim):
    assert said(sim, "/v1/messages/count_tokens") == {"input_tokens": 2}
    assert post(sim, "/model/x/invoke-with-response-stream")[0] == 501
    assert post(sim, "/v1/elsewhere")[0] == 404


def test_scripted_answers_come_in_order(sim):
    sim.script(rate_limited("1.5"), error(529, "busy"), "Hello")
    sim.default = text_reply("else")
    status, headers, body = post(sim)
    assert (status, headers["retry-after"]) == (429, "1.5")
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert json.loads(body)["error"]["code"] == "rate_limit_exceeded"
    assert said(sim, MESSAGES)["error"] == {"type": "overloaded_error", "message": "busy"}
    assert said(sim)["choices"][0]["message"]["content"] == "Hello"
    assert said(sim)["choices"][0]["message"]["content"] == "else"


def test_a_recorded_exchange_comes_as_it_was(sim):
    headers = {"content-type": "text/event-stream", "content-encoding": "gzip"}
    sim.script(exchange({"status": 200, "headers": headers, "sse": "data: {}\n\n"}))
    status, headers, body = post(sim)
    assert (status, body) == (200, b"data: {}\n\n")
    assert "content-encoding" not in headers


def test_the_key_is_asked_for():
    with Simulator(api_key="good") as sim:
        assert post(sim)[0] == 401
        assert said(sim, MESSAGES)["error"]["type"] == "authentication_error"
        assert post(sim, headers={"authorization": "Bearer good"})[0] == 200
        assert post(sim, MESSAGES, headers={"x-api-key": "good"})[0] == 200


def test_requests_are_recorded(sim):
    post(sim, CHAT + "?api-version=1", headers={"X-Mine": "yes"})
    (received,) = sim.requests
    assert (received.method, received.path, received.query) == ("POST", CHAT, "api-version=1")
    assert (received.headers["x-mine"], received.body) == ("yes", ASK)


def test_a_connection_is_kept_and_counted(sim):
    with closing(http.client.HTTPConnection(urlsplit(sim.url).netloc, timeout=60)) as connection:
        for _ in range(2):
            connection.request("POST", CHAT, json.dumps(ASK))
            connection.getresponse().read()
        assert sim.connections == 1
    deadline = time.monotonic() + 60
    while sim.connections and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sim.connections == 0


def test_one_event_a_packet(sim):
    sim.script(Answer(text="a b c", gap=0.02))
    packets = raw(sim, stream=True)
    assert [packet.count(b"data: ") for packet in packets] == [0, 1, 1, 1, 1, 1, 1, 0]
    assert packets[-1] == b"0\r\n\r\n"


def test_packets_of_any_size(sim):
    sim.script(Answer(sse="data: {}\n\n", chunk=1, gap=0.01), Answer(text="a b", chunk="whole"))
    assert len(raw(sim)) == 12
    assert len(raw(sim, stream=True)) == 1


def test_items_of_a_list_are_packets(sim):
    sim.script(Answer(sse=[b"da", b'ta: "\xc3', b'\xa9"\n\n', {"a": 1}], gap=0.01))
    assert b"".join(raw(sim)).count(b"data: {") == 1


def test_latency_and_gap_take_time(sim):
    sim.script(Answer(text="a b", latency=0.1, gap=0.02))
    started = time.monotonic()
    post(sim, stream=True)
    assert time.monotonic() - started > 0.2


def test_a_cut_ends_the_connection(sim):
    sim.script(Answer(text="Hello", cut_after=40), Answer(text="Hello", cut_after=40))
    with pytest.raises(http.client.IncompleteRead):
        post(sim)
    assert b"0\r\n\r\n" not in b"".join(raw(sim, stream=True))


def events(packets):
    return b"".join(packets).count(b"data: ")


@pytest.mark.parametrize("many", range(7))
def test_a_stream_is_cut_at_each_event(sim, many):
    sim.script(Answer(text="a b c", cut_events=many))
    packets = raw(sim, stream=True)  # the role, three words, the finish, the end mark
    assert events(packets) == min(many, 6)
    assert b"0\r\n\r\n" not in b"".join(packets)


@pytest.mark.parametrize("many", range(3))
def test_a_stream_is_reset_at_each_event(sim, many):
    sim.script(Answer(text="a b", cut_events=many, reset="after_headers"))
    packets = raw(sim, stream=True)
    assert packets[-1] == b"<reset>"
    assert events(packets) == many


@pytest.mark.parametrize("many", range(4))
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_an_error_in_mid_stream(sim, path, many):
    sim.script(Answer(text="a b", cut_events=many, fault="too hot"))
    status, _, body = post(sim, path, stream=True)
    found = [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: ")]
    assert (status, len(found)) == (200, many + 1)
    assert found[-1]["error"]["message"] == "too hot"
    assert b"event: error\n" in body or path == CHAT
    sim.script(Answer(cut_events=0, fault={"type": "error", "error": {"type": "overloaded_error"}}))
    assert post(sim, path, stream=True)[2].count(b"overloaded_error") == 1


def test_what_is_whole_has_no_events_to_cut(sim):
    sim.script(Answer(text="Hello", cut_events=1, fault="no"))
    assert said(sim)["choices"][0]["message"]["content"] == "Hello"


def test_resets(sim):
    sim.script(Answer(reset="before_headers"), Answer(text="Hi", reset="after_headers"))
    with pytest.raises(ConnectionResetError):
        post(sim)
    with pytest.raises(ConnectionResetError):
        post(sim)


def test_a_hang_lasts_until_the_caller_leaves(sim):
    sim.script(Answer(hang=True))
    with closing(http.client.HTTPConnection(urlsplit(sim.url).netloc, timeout=0.2)) as connection:
        connection.request("POST", CHAT, json.dumps(ASK))
        with pytest.raises(TimeoutError):
            connection.getresponse()
    deadline = time.monotonic() + 60
    while sim.connections and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sim.connections == 0


def test_a_script_may_look_at_the_request(sim):
    sim.default = lambda received: Answer(text=received.body["model"])
    assert said(sim)["choices"][0]["message"]["content"] == "m"


def test_the_port_is_free_again():
    with Simulator() as first:
        pass
    port = urlsplit(first.url).port or 0
    with Simulator(port=port) as second:
        assert second.url == first.url
        with pytest.raises(OSError, match="in use"), Simulator(port=port):
            pass


def test_it_comes_back_where_it_was():
    sim = Simulator(record=False)
    urls = []
    for _ in range(2):
        with sim, closing(http.client.HTTPConnection(urlsplit(sim.url).netloc, timeout=60)) as one:
            urls.append(sim.url)
            one.request("POST", CHAT, json.dumps(ASK))
            assert one.getresponse().read()
            sim.stop()  # with a connection open
            with pytest.raises(ConnectionRefusedError):
                post(sim)
    assert urls[0] == urls[1]
    assert (sim.count, sim.requests, sim.connections) == (2, [], 0)


def test_openai_sdk(sim):
    import openai

    client = openai.OpenAI(base_url=f"{sim.url}/v1", api_key="x", max_retries=0)
    sim.script(Answer(text="Hello there", reasoning="Hm.", tool_calls=[("look", {"a": 1})]))
    with client.chat.completions.stream(
        model="m",
        messages=[{"role": "user", "content": "hi"}],
        stream_options={"include_usage": True},
    ) as stream:
        message = stream.get_final_completion()
    whole = message.model_dump()
    choice = whole["choices"][0]
    assert choice["message"]["content"] == "Hello there"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'
    assert (choice["finish_reason"], whole["usage"]["completion_tokens"]) == ("tool_calls", 5)
    assert client.models.list().data[0].id == "simulated"


def test_anthropic_sdk(sim):
    import anthropic

    client = anthropic.Anthropic(base_url=sim.url, api_key="x", max_retries=0)
    sim.script(Answer(text="Hello there", reasoning="Hm.", tool_calls=[("look", {"a": 1})]))
    with client.messages.stream(
        model="m", max_tokens=99, messages=[{"role": "user", "content": "hi"}]
    ) as stream:
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[2].model_dump()["input"] == {"a": 1}
    assert message.stop_reason == "tool_use"
    sim.script(error(429, "slow"))
    with pytest.raises(anthropic.RateLimitError, match="slow"):
        client.messages.create(
            model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
        )
