"""Limits on the way of a call: reserved before it is sent, settled with what was billed."""

import asyncio
import gc
import threading
from typing import Any

import pytest

from franca import RateLimitError, create_async_chat_client, create_chat_client
from franca.errors import CallError, ConnectionError
from franca.limits.model import Look, Standing
from franca.limits.scopes import scope
from franca.settings import Settings
from franca.testing import Answer, Simulator, error, rate_limited, text_reply

USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
REPLY = {
    "id": "c1",
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}],
    "usage": USAGE,
}
NOWHERE = "http://127.0.0.1:9/v1"  # the discard port: nobody listens


@pytest.fixture
def sim():
    with Simulator(default=Answer(body=REPLY)) as simulator:
        yield simulator


def settings_of(sim: Simulator, *urls: str, **figures: Any) -> Settings:
    """One model at the simulator, or at these addresses; the figures are of the first endpoint."""
    urls = urls or (f"{sim.url}/v1",)
    endpoints = [{"id": f"e{i}", "api_base": url, "api_key": "k"} for i, url in enumerate(urls)]
    section = {"rate_limit": figures.pop("rate_limit")} if "rate_limit" in figures else {}
    second = figures.pop("second", {})
    endpoints[0] |= figures
    endpoints[-1] |= second
    ids = [endpoint["id"] for endpoint in endpoints]
    models = {"m": {"endpoints": ids}}
    return Settings(endpoints=endpoints, backends={"openai": {"models": models}}, **section)


def standing(settings: Settings, place: int = 0) -> Standing:
    found = scope(settings.resolve("openai", "m")[place])
    assert found is not None
    answer = found.store.perform(Look(found.store, found.key, found.rules))
    assert isinstance(answer, Standing)
    return answer


def client_of(settings: Settings, **options: Any) -> Any:
    return create_chat_client("openai", model="m", settings=settings, **options)


def aclient_of(settings: Settings, **options: Any) -> Any:
    return create_async_chat_client("openai", model="m", settings=settings, **options)


def test_requests_are_refused_beyond_the_limit_and_the_wait_is_told(sim):
    client = client_of(settings_of(sim, rpm=2), max_wait=0)
    for _ in range(2):
        client.create_completion("x")
    with pytest.raises(RateLimitError) as caught:
        client.create_completion("x")
    assert 50 < (caught.value.retry_after or 0) <= 60.5
    assert (caught.value.backend, caught.value.endpoint_id) == ("openai", "e0")
    assert len(sim.requests) == 2


def test_a_call_may_name_its_own_patience(sim):
    settings = settings_of(sim, rpm=1, rate_limit={"enabled": True, "max_wait": 100})
    client = client_of(settings)
    client.create_completion("x")
    with pytest.raises(RateLimitError):
        client.create_completion("x", max_wait=0.5)


def test_tokens_are_settled_with_what_was_billed(sim):
    settings = settings_of(sim, tpm=100_000)
    client_of(settings).create_completion("x", max_tokens=5000)
    assert standing(settings).used == (12,)


def test_input_and_output_are_counted_apart(sim):
    settings = settings_of(sim, itpm=100_000, otpm=50_000)
    client_of(settings).create_completion("x")
    assert standing(settings).used == (7, 5)


def test_cached_tokens_do_not_count_where_the_vendor_does_not_count_them(sim):
    cached = {**USAGE, "prompt_tokens_details": {"cached_tokens": 4}}
    sim.default = Answer(body={**REPLY, "usage": cached})
    counted = settings_of(sim, itpm=1000)
    client_of(counted).create_completion("x")
    assert standing(counted).used == (7,)
    free = settings_of(sim, f"{sim.url}/two/v1", itpm=1000, capabilities={"cached_limited": False})
    client_of(free).create_completion("x")
    assert standing(free).used == (3,)


async def test_async_calls_and_streams_settle_too(sim):
    settings = settings_of(sim, tpm=100_000, rpm=10)
    client = aclient_of(settings)
    await client.create_completion("x")
    sim.default = text_reply("a b c")
    async with client.create_stream("x") as stream:
        whole = await stream.result()
    used = 12 + whole.usage.prompt_tokens + whole.usage.completion_tokens
    assert standing(settings).used == (2, used)
    assert standing(settings).busy == 0


def test_a_stream_holds_its_slot_until_it_is_closed(sim):
    sim.default = text_reply("a b c")
    settings = settings_of(sim, concurrent_requests=1)
    client = client_of(settings, max_wait=0)
    stream = client.create_stream("x")
    next(stream)
    assert standing(settings).busy == 1
    with pytest.raises(RateLimitError):
        client.create_completion("x")
    stream.close()
    assert standing(settings).busy == 0
    assert client.create_stream("x").result().content


@pytest.mark.parametrize("begun", [False, True])
def test_a_collected_stream_gives_its_slot_back(sim, begun):
    sim.default = text_reply("a b c")
    settings = settings_of(sim, concurrent_requests=1)
    stream = client_of(settings).create_stream("x")
    if begun:
        next(stream)
    del stream
    gc.collect()
    assert standing(settings).busy == 0


async def test_a_collected_async_stream_gives_its_slot_back(sim):
    sim.default = text_reply("a b c")
    settings = settings_of(sim, concurrent_requests=1)
    stream = await aclient_of(settings).create_stream("x")
    del stream
    gc.collect()
    while standing(settings).busy:
        await asyncio.sleep(0.01)


def test_what_was_never_sent_is_given_back(sim):
    settings = settings_of(sim, NOWHERE, rpm=5, tpm=1000, concurrent_requests=1)
    with pytest.raises(ConnectionError):
        client_of(settings, retry_delay=0).create_completion("x")
    stands = standing(settings)
    assert (stands.used, stands.busy) == ((0, 0), 0)


def test_what_cannot_be_built_is_given_back(sim):
    settings = settings_of(sim, rpm=5, concurrent_requests=1)
    with pytest.raises(CallError):
        client_of(settings).create_completion("x", top_k=3)
    assert (standing(settings).used, standing(settings).busy) == ((0,), 0)


def test_a_refused_request_counts_and_its_tokens_do_not(sim):
    settings = settings_of(sim, rpm=5, tpm=1000, concurrent_requests=1)
    sim.script(error(500), error(400))
    for _ in range(2):
        with pytest.raises(CallError):
            client_of(settings).create_completion("x", max_retries=0)
    assert (standing(settings).used, standing(settings).busy) == ((2, 0), 0)


def test_a_lost_answer_keeps_what_it_reserved(sim):
    settings = settings_of(sim, tpm=100_000, concurrent_requests=1)
    sim.script(Answer(body=REPLY, reset="before_headers"))
    with pytest.raises(ConnectionError):
        client_of(settings).create_completion("x", max_tokens=50, max_retries=0)
    stands = standing(settings)
    assert stands.used[0] > 0
    assert stands.busy == 0


async def test_a_cancelled_call_frees_its_slot_and_keeps_its_tokens(sim):
    settings = settings_of(sim, tpm=100_000, concurrent_requests=1)
    sim.script(Answer(hang=True))
    task = asyncio.create_task(aclient_of(settings).create_completion("x", max_tokens=50))
    while not sim.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    stands = standing(settings)
    assert stands.busy == 0
    assert stands.used[0] > 0


async def test_a_cancelled_waiter_leaves_the_queue(sim):
    settings = settings_of(sim, rpm=1)
    client = aclient_of(settings)
    await client.create_completion("x")
    task = asyncio.create_task(client.create_completion("x"))
    while not standing(settings).waiting:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert standing(settings).waiting == 0


def test_who_waits_for_a_slot_is_woken(sim):
    settings = settings_of(sim, concurrent_requests=1)
    client, over = client_of(settings), threading.Event()
    sim.default = text_reply("a b c")
    stream = client.create_stream("x")

    def ask() -> None:
        client.create_completion("x")
        over.set()

    threading.Thread(target=ask, daemon=True).start()
    while not standing(settings).waiting:
        assert not over.wait(0.01)
    stream.close()
    assert over.wait(10)


def test_a_429_holds_the_endpoint_for_all(sim):
    settings = settings_of(sim, rpm=100)
    sim.script(rate_limited("30"))
    with pytest.raises(RateLimitError):
        client_of(settings).create_completion("x", max_retries=0)
    with pytest.raises(RateLimitError) as caught:
        client_of(settings).create_completion("x", max_wait=0, max_retries=0)
    assert 25 < (caught.value.retry_after or 0) <= 30
    assert len(sim.requests) == 1


@pytest.mark.parametrize("streamed", [False, True])
def test_the_vendors_headers_lower_a_limit(sim, streamed):
    settings = settings_of(sim, rpm=100)
    told = {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "1",
        "x-ratelimit-reset-requests": "59s",
    }
    sim.default = text_reply("a", headers=told)
    client = client_of(settings, max_wait=0)
    client.create_stream("x").result() if streamed else client.create_completion("x")
    stands = standing(settings)
    assert (stands.limits, stands.used) == ((60,), (59,))


def test_a_full_endpoint_is_passed_over(sim):
    settings = settings_of(sim, f"{sim.url}/v1", f"{sim.url}/two/v1", rpm=1)
    client = client_of(settings, random_endpoint=False)
    seen = [client.create_completion("x").endpoint_id for _ in range(3)]
    assert seen == ["e0", "e1", "e1"]


def test_the_one_that_waits_least_is_waited_for(sim):
    settings = settings_of(sim, f"{sim.url}/v1", f"{sim.url}/two/v1", rpm=1, second={"rps": 1})
    client = client_of(settings, random_endpoint=False, max_wait=5)
    seen = [client.create_completion("x").endpoint_id for _ in range(3)]
    assert seen == ["e0", "e1", "e1"]


def test_clients_of_one_process_share_the_limits(sim):
    settings = settings_of(sim, rpm=3)
    for _ in range(3):
        client_of(settings).create_completion("x")
    with pytest.raises(RateLimitError):
        client_of(settings).create_completion("x", max_wait=0)


def test_limits_are_off_where_the_settings_say_so(sim):
    settings = settings_of(sim, rpm=1, rate_limit={"enabled": False})
    client = client_of(settings, max_wait=0)
    for _ in range(3):
        client.create_completion("x")


def test_the_defaults_are_for_endpoints_that_name_none(sim):
    section = {"enabled": True, "default_rpm": 7, "default_tpm": 900}
    named = settings_of(sim, rpm=3, itpm=50, rate_limit=section)
    assert standing(named).limits == (3, 50)
    bare = settings_of(sim, rate_limit=section)
    assert standing(bare).limits == (7, 900)


def test_endpoints_without_settings_are_limited_each_for_itself(sim):
    def make(path: str) -> Any:
        place = [{"base_url": f"{sim.url}{path}", "api_key": "k", "rpm": 1}]
        return create_chat_client("openai", model="m", endpoints=place, max_wait=0)

    make("/v1").create_completion("x")
    make("/two/v1").create_completion("x")
    with pytest.raises(RateLimitError):
        make("/v1").create_completion("x")


def test_a_prompt_beyond_the_limit_goes_when_nothing_else_does(sim):
    settings = settings_of(sim, tpm=10)
    client = client_of(settings, max_wait=0)
    assert client.create_completion("word " * 100).content == "hi"
    with pytest.raises(RateLimitError):
        client.create_completion("x")
