"""`python -m franca.testing`: the simulator on its own, until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from functools import cache

from franca.testing.answers import Answer, Received, Scripted
from franca.testing.replies import Reply, events, whole
from franca.testing.simulator import Simulator


def canned(tokens: int, streamed: int, packets: str, gap: float = 0.0) -> Scripted:
    """The same reply to everybody, made once: for benchmarks.

    It has `tokens` words, and where it is streamed `streamed` events of one word.
    """
    asked = {"stream_options": {"include_usage": True}}

    @cache
    def made(wire: str, stream: bool) -> Answer:
        if not stream:
            return Answer(body=json.dumps(whole(wire, _reply(tokens))).encode())
        text = events(wire, _reply(streamed), asked)
        return Answer(sse=text, chunk="whole" if packets == "whole" else "event", gap=gap)

    def answer(received: Received) -> Answer:
        return made(received.wire, bool(received.body.get("stream")))

    return answer


def _reply(tokens: int) -> Reply:
    return Reply("simulated", " ".join(f"word{i}" for i in range(tokens)), prompt_tokens=10)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m franca.testing",
        description="Serves OpenAI's and Anthropic's wire formats on loopback until Ctrl-C.",
    )
    parser.add_argument("--port", type=int, default=0, help="a free one, when not given")
    parser.add_argument("--events", type=int, help="text events in each streamed reply")
    parser.add_argument("--reply-tokens", type=int, help="words in each reply; else it echoes")
    parser.add_argument("--packets", choices=["event", "whole"], default="event")
    parser.add_argument("--gap", type=float, default=0.0, help="seconds between two packets")
    parser.add_argument("--api-key", help="the key that requests must carry")
    return parser.parse_args()


def main() -> None:
    """Runs it."""
    options = _arguments()
    tokens = options.reply_tokens or options.events
    default: Scripted = Answer(chunk=options.packets, gap=options.gap)
    if tokens:
        default = canned(tokens, options.events or tokens, options.packets, options.gap)
    stop = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)  # before the server's thread inherits it
    with Simulator(
        port=options.port, api_key=options.api_key, default=default, record=False
    ) as simulator:
        sys.stdout.write(simulator.url + "\n")
        sys.stdout.flush()
        signal.sigwait(stop)


if __name__ == "__main__":
    main()
