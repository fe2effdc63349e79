"""Endpoints that die and come back: real servers, real ports."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack

import pytest
from servers import servers, settings

from franca import CallEvent, Hooks, create_chat_client
from franca.errors import ProviderError
from franca.testing import Answer, Simulator

RETRY = {"retry_delay": 0.001}
LONG = 60  # seconds, so as not to hang


def test_one_of_four_is_dead_and_comes_back() -> None:
    tries: Counter[str] = Counter()

    def count(event: CallEvent) -> None:
        tries[event.endpoint_id] += 1

    with servers(4) as four:
        policy = {"retry": RETRY, "breaker": {"recovery_time": 1.0, "failure_threshold": 5}}
        given = settings([server.url for server in four], **policy)
        client = create_chat_client("local", "m", settings=given, hooks=Hooks(on_request=count))
        with client:
            four[3].kill()
            while client.health()[3].state == "closed":
                client.create_completion("hi")
            assert tries["e3"] == 5
            before = tries["e3"]
            for _ in range(2000):
                assert client.create_completion("hi").content
            assert tries["e3"] - before < 20  # under 1 %
            four[3].start()
            began, out_for = time.monotonic(), client.health()[3].out_for
            while client.create_completion("hi").endpoint_id != "e3":
                assert time.monotonic() - began < LONG
            back = time.monotonic() - began
            assert back >= out_for
            assert client.health()[3].state == "closed"
            answered = [client.create_completion("hi").endpoint_id for _ in range(200)]
            assert answered.count("e3") > 20


@pytest.mark.parametrize(("good", "offered"), [(0, 1000), (1000, 1000)],
                         ids=["from the start", "after good times"])  # fmt: skip
def test_four_dead_are_asked_little_more_than_the_callers_ask(good: int, offered: int) -> None:
    with ExitStack() as stack:
        four = [stack.enter_context(Simulator(record=False)) for _ in range(4)]
        given = settings([server.url for server in four], retry=RETRY)
        client = stack.enter_context(create_chat_client("local", "m", settings=given))
        for _ in range(good):
            client.create_completion("hi")
        for server in four:
            server.default = Answer(500)
        for _ in range(offered):
            with pytest.raises(ProviderError):
                client.create_completion("hi")
        assert offered <= sum(s.count for s in four) - good <= 1.1 * offered
