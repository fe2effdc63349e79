"""The service of ten lines, tested with `franca.testing` alone."""

import asyncio

import pytest
from service import story, summary

from franca import RateLimitError, StreamInterrupted
from franca.testing import Answer, Cassette, error, rate_limited

pytest_plugins = ["franca.testing.pytest_plugin"]


async def told(about):
    return "".join([piece async for piece in story(about)])


def test_the_summary_is_what_the_model_says(franca_simulator):
    franca_simulator.script("A fox jumps.")
    assert summary("The quick brown fox jumps over the lazy dog.") == "A fox jumps."
    (asked,) = franca_simulator.requests
    assert (asked.path, asked.body["max_tokens"]) == ("/v1/messages", 200)
    assert "lazy dog" in asked.body["messages"][0]["content"]


def test_a_busy_vendor_is_asked_again(franca_simulator):
    franca_simulator.script(rate_limited("30"), error(503), "A fox jumps.")
    assert summary("The quick brown fox") == "A fox jumps."  # and nobody has waited
    franca_simulator.assert_done()


def test_a_story_that_breaks_off_says_so(franca_simulator):
    franca_simulator.script(Answer(text="Once upon a time", cut_events=3))
    with pytest.raises(StreamInterrupted) as caught:
        asyncio.run(told("a fox"))
    assert caught.value.partial.content == "Once upon"


def test_the_same_without_a_network(franca_script):
    script = franca_script("A fox jumps.", ["Once ", "upon"], RateLimitError("slow"))
    assert summary("The quick brown fox") == "A fox jumps."
    assert asyncio.run(told("a fox")) == "Once upon"
    with pytest.raises(RateLimitError):
        summary("Again")
    assert [call.backend for call in script.calls] == ["anthropic", "openai", "anthropic"]


def test_what_was_recorded_comes_again(franca_simulator, tmp_path):
    franca_simulator.script("A fox jumps.")  # in the place of the vendor
    with Cassette(tmp_path / "fox.jsonl", "record"):
        assert summary("The quick brown fox") == "A fox jumps."
    with Cassette(tmp_path / "fox.jsonl", "replay") as cassette:
        assert summary("The quick brown fox") == "A fox jumps."
    cassette.assert_done()
    assert franca_simulator.count == 1
