"""A vendor that fails some of the time, in every way; it echoes the question otherwise.

python benchmarks/soak_server.py [--port N] [--faults SHARE] [--seed N]
"""

from __future__ import annotations

import argparse
import random
import signal
from collections.abc import Callable

from franca.testing import Answer, Received, Simulator, error, rate_limited

Fault = Callable[[random.Random], Answer]
PAGE = b"<html><h1>Bad gateway</h1></html>"
FAULTS: tuple[tuple[float, Fault], ...] = (
    (20, lambda r: error(500)),
    (10, lambda r: error(503)),
    (5, lambda r: error(529)),
    (5, lambda r: Answer(502, body=PAGE, headers={"content-type": "text/html"})),
    (5, lambda r: Answer(body=PAGE, headers={"content-type": "text/html"})),
    (15, lambda r: rate_limited(r.choice(["0.01", "0", "soon", None]))),
    (10, lambda r: Answer(reset="before_headers")),
    (10, lambda r: Answer(reset="after_headers")),
    (5, lambda r: Answer(cut_events=r.randint(0, 8))),
    (5, lambda r: Answer(cut_after=r.randint(0, 60))),
    (9, lambda r: Answer(cut_events=r.randint(0, 8), fault="boom")),
    (1, lambda r: Answer(hang=True)),
)


def vendor(share: float, seed: int) -> Callable[[Received], Answer]:
    """Fails in that share of its answers."""
    chance = random.Random(seed)
    weights, faults = zip(*FAULTS, strict=True)

    def answer(received: Received) -> Answer:
        if chance.random() >= share:
            return Answer()
        return chance.choices(faults, weights)[0](chance)

    return answer


def main() -> None:
    """Runs it until it is ended."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--faults", type=float, default=0.3)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    default = vendor(given.faults, given.seed)
    with Simulator(port=given.port, default=default, record=False) as simulator:
        print(simulator.url, flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
