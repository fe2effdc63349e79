"""The public limiter: what it lets through, what it gives back, what it says."""

import asyncio
import functools
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from franca import RateLimiter, RateLimitError
from franca.limits.limiter import RateLease, Stats
from franca.limits.memory import MemoryStore
from franca.limits.model import SECOND, Answer, Ask, Lease, Reserve, Settle
from franca.limits.opening import open_store
from franca.testing.redis_server import RedisServer

LONG = 20  # seconds: only that a broken test ends


class Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000 * SECOND

    def __call__(self) -> int:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> Callable[..., RateLimiter]:
    """Limiters on one store of the test's own, with its clock."""
    store = MemoryStore(clock)
    return functools.partial(RateLimiter, store=store)


def figures(limiter: RateLimiter) -> tuple[int, int, int, int]:
    stats = limiter.get_stats()
    return stats.requests_used, stats.tokens_used, stats.concurrent, stats.waiting


# what counts


def test_a_block_counts_what_it_reserved_and_frees_its_slot(limiter) -> None:
    mine = limiter(10, 100, 2)
    with mine.acquire(tokens=40) as lease:
        assert isinstance(lease, RateLease)
        assert figures(mine) == (1, 40, 1, 0)
    assert figures(mine) == (1, 40, 0, 0)


async def test_the_same_for_asyncio(limiter) -> None:
    mine = limiter(10, 100, 2)
    async with mine.acquire(tokens=40) as lease:
        assert figures(mine) == (1, 40, 1, 0)
        lease.settle(tokens=25)
    assert figures(mine) == (1, 25, 0, 0)


def test_settling_counts_the_truth_even_above_the_limit(limiter) -> None:
    mine = limiter(10, 100)
    with mine.acquire(tokens=90) as lease:
        lease.settle(tokens=30)
        assert figures(mine)[1] == 90  # not before the end
    assert mine.get_stats().tokens_used == 30
    with mine.acquire(tokens=70) as lease:
        lease.settle(170)
    assert mine.get_stats().tokens_used == 200
    assert not mine.try_acquire(1)


def test_an_exception_keeps_the_count_and_frees_the_slot(limiter) -> None:
    mine = limiter(10, 100, 1)

    def use() -> None:
        with mine.acquire(tokens=40):
            raise KeyError

    with pytest.raises(KeyError):
        use()
    assert figures(mine) == (1, 40, 0, 0)


def test_a_cancelled_lease_gives_back_all(limiter) -> None:
    mine = limiter(10, 100, 1)

    def use() -> None:
        with mine.acquire(tokens=40) as lease:
            lease.cancel()
            raise KeyError

    with pytest.raises(KeyError):
        use()
    assert figures(mine) == (0, 0, 0, 0)


def test_a_hold_is_for_all(limiter, clock: Clock) -> None:
    mine, other = limiter(10, 100), limiter(10, 100)
    with mine.acquire(tokens=40) as lease:
        lease.settle(0)
        lease.hold(7.5)
        assert other.try_acquire()  # not before the end
    assert mine.get_stats().held_for == 7.5
    with pytest.raises(RateLimitError) as caught:
        other.acquire(timeout=5).wait()
    assert caught.value.retry_after == 7.5
    clock.move(7.5)
    assert other.try_acquire()
    with mine.acquire() as lease, pytest.raises(ValueError, match="inf"):
        lease.hold(float("inf"))


def test_input_and_output_apart(limiter) -> None:
    mine = limiter(input_tokens_per_minute=100, output_tokens_per_minute=50, tokens_per_minute=140)
    with mine.acquire(input_tokens=80, output_tokens=20) as lease:
        lease.settle(input_tokens=79, output_tokens=31)
    stats = mine.get_stats()
    assert (stats.input_tokens_used, stats.output_tokens_used, stats.tokens_used) == (79, 31, 110)
    assert mine.try_acquire(input_tokens=21)
    assert not mine.try_acquire(input_tokens=1)
    assert mine.try_acquire(output_tokens=9)
    assert not mine.try_acquire(output_tokens=1)  # the total is used up, the output's 50 are not


def test_a_minute_later_it_is_free_again(limiter, clock: Clock) -> None:
    mine = limiter(3)
    assert [mine.try_acquire() for _ in range(4)] == [True, True, True, False]
    clock.move(59)
    assert not mine.try_acquire()
    clock.move(1.5)
    assert [mine.try_acquire() for _ in range(4)] == [True, True, True, False]


def test_a_second_has_its_own_limit(limiter, clock: Clock) -> None:
    mine = limiter(10, requests_per_second=2)
    assert [mine.try_acquire() for _ in range(3)] == [True, True, False]
    clock.move(1.1)
    assert mine.try_acquire()
    stats = mine.get_stats()
    assert (stats.requests_used, stats.requests_per_second_used) == (3, 1)
    assert stats.requests_per_second_limit == 2


def test_no_limits_let_all_through(limiter) -> None:
    mine = limiter()
    assert all(mine.try_acquire(10**9) for _ in range(100))
    assert mine.get_stats().requests_limit is None


# waiting and being refused


def test_a_timeout_says_how_long_it_would_have_been(limiter, clock: Clock) -> None:
    mine = limiter(1, name="mine")
    assert mine.try_acquire()
    clock.move(20)
    with pytest.raises(RateLimitError, match="mine") as caught:
        mine.acquire(timeout=10).wait()
    assert caught.value.retry_after == pytest.approx(40.2, abs=0.3)
    assert caught.value.retryable
    assert figures(mine) == (1, 0, 0, 0)


async def test_the_same_timeout_for_asyncio(limiter) -> None:
    mine = limiter(1)
    async with mine.acquire():
        pass
    with pytest.raises(RateLimitError) as caught:
        await mine.acquire(timeout=0)
    assert caught.value.retry_after == pytest.approx(60.2, abs=0.3)
    assert figures(mine) == (1, 0, 0, 0)


def test_a_slot_that_comes_too_late(limiter) -> None:
    mine = limiter(max_concurrent=1)
    with mine.acquire():
        with pytest.raises(RateLimitError):
            mine.acquire(timeout=0).wait()
        assert figures(mine) == (0, 0, 1, 0)


def test_a_free_slot_goes_to_who_waits() -> None:
    mine = RateLimiter(max_concurrent=1, store=MemoryStore())
    lease = mine.acquire().wait()
    got = threading.Event()

    def other() -> None:
        with mine.acquire():
            got.set()

    thread = threading.Thread(target=other)
    thread.start()
    while not mine.get_stats().waiting:
        pass
    assert not got.is_set()
    lease.release()
    assert got.wait(LONG)
    thread.join()
    lease.release()  # a second time changes nothing
    assert figures(mine) == (0, 0, 0, 0)


def test_threads_and_loops_share_the_slots() -> None:
    mine = RateLimiter(max_concurrent=3, store=MemoryStore())
    lock, inside, most = threading.Lock(), [0], [0]

    def enter(change: int) -> None:
        with lock:
            inside[0] += change
            most[0] = max(most[0], inside[0])

    def blocking() -> None:
        for _ in range(20):
            with mine.acquire():
                enter(1)
                enter(-1)

    async def one() -> None:
        async with mine.acquire():
            enter(1)
            await asyncio.sleep(0)
            enter(-1)

    async def many() -> None:
        async with asyncio.timeout(LONG):
            await asyncio.gather(*(one() for _ in range(60)))

    threads = [threading.Thread(target=blocking) for _ in range(6)]
    threads += [threading.Thread(target=asyncio.run, args=(many(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert inside == [0]
    assert 1 <= most[0] <= 3
    assert figures(mine) == (0, 0, 0, 0)


async def test_a_cancelled_wait_leaves_nothing(limiter) -> None:
    mine = limiter(10, 100, 1)
    lease = await mine.acquire(tokens=10)

    async def wait() -> None:
        async with mine.acquire(tokens=50):
            pytest.fail("there was no slot")

    task = asyncio.create_task(wait())
    while not mine.get_stats().waiting:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert figures(mine) == (1, 10, 1, 0)
    await lease.arelease()
    assert figures(mine) == (1, 10, 0, 0)


def test_an_interrupted_wait_leaves_nothing(limiter, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = limiter(10, 100, 1)

    def interrupt(*_: object) -> None:
        assert mine.get_stats().waiting == 1
        raise KeyboardInterrupt

    with mine.acquire(tokens=10):
        monkeypatch.setattr(Lease, "sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            mine.acquire(tokens=50).wait()
        assert figures(mine) == (1, 10, 1, 0)


class Slow:
    """A store that answers asyncio late, as one over a network does."""

    local = False

    def __init__(self) -> None:
        self.inner, self.asked = MemoryStore(), asyncio.Event()

    def perform(self, ask: Ask) -> Answer:
        return self.inner.perform(ask)

    async def aperform(self, ask: Ask) -> Answer:
        answer = self.inner.perform(ask)
        if isinstance(ask, Reserve | Settle):
            self.asked.set()
            await asyncio.sleep(0.01 if isinstance(ask, Settle) else 3600)
        return answer


async def test_a_cancelled_question_leaves_nothing() -> None:
    store = Slow()
    mine = RateLimiter(10, 100, 1, store=store)

    async def ask() -> None:
        await mine.acquire(tokens=50)

    task = asyncio.create_task(ask())
    await store.asked.wait()  # granted there, and not yet known here
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert figures(mine) == (0, 0, 0, 0)


async def test_a_cancelled_release_is_finished() -> None:
    store = Slow()
    mine = RateLimiter(10, 100, 1, store=store)
    lease = RateLease(store, "limiter:default", mine._rules, Lease((1, 50)))
    store.perform(Reserve(store, "limiter:default", mine._rules, lease._lease))
    task = asyncio.create_task(lease.arelease())
    await store.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert figures(mine) == (1, 50, 0, 0)


def test_a_forgotten_lease_expires(limiter, clock: Clock) -> None:
    mine = limiter(10, max_concurrent=1, lease_time=5)
    held = mine.acquire().wait()
    clock.move(100)
    assert not mine.try_acquire()  # its owner lives: it does not expire
    del held
    gc.collect()
    clock.move(5.1)
    assert mine.try_acquire()


# how it may be used


def test_a_lease_that_was_waited_for_is_a_block_too(limiter) -> None:
    mine = limiter(max_concurrent=1)
    lease = mine.acquire().wait()
    with lease as same:
        assert same is lease
        assert not mine.try_acquire()
    assert mine.try_acquire()
    assert mine.get_stats().concurrent == 0  # which holds none


async def test_an_awaited_lease_is_a_block_too(limiter) -> None:
    mine = limiter(max_concurrent=1)
    async with await mine.acquire():
        assert mine.get_stats().concurrent == 1
    assert mine.get_stats().concurrent == 0


def test_one_that_is_not_used_warns(limiter) -> None:
    mine = limiter(5)
    with pytest.warns(RuntimeWarning, match="nothing was limited"):
        mine.acquire()  # collected at once
    assert mine.get_stats().requests_used == 0


def test_it_is_not_yes_or_no_and_not_used_twice(limiter) -> None:
    asked = limiter(5).acquire()
    with pytest.raises(TypeError, match="try_acquire"):
        bool(asked)
    with asked:
        pass
    with pytest.raises(RuntimeError, match="before"), asked:
        pass


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"tokens": 101}, "101 tokens at once: the limit is 100 tokens a minute"),
        ({"tokens": -1}, "below 0"),
        ({"tokens": 5, "output_tokens": 5}, "either"),
        ({"timeout": -1}, "-1"),
        ({"timeout": float("nan")}, "nan"),
    ],
)
def test_what_is_asked_wrongly(limiter, asked: dict[str, Any], said: str) -> None:
    mine = limiter(10, 100)
    with pytest.raises(ValueError, match=said):
        mine.acquire(**asked)
    assert figures(mine) == (0, 0, 0, 0)


def test_tokens_are_whole(limiter) -> None:
    with pytest.raises(TypeError):
        limiter(10, 100).acquire(tokens=2.5)


def test_sides_that_are_limited_must_be_told(limiter) -> None:
    mine = limiter(input_tokens_per_minute=10)
    with pytest.raises(ValueError, match="apart"):
        mine.try_acquire(5)
    with mine.acquire(input_tokens=5) as lease, pytest.raises(ValueError, match="both"):
        lease.settle(input_tokens=4)
    with pytest.raises(ValueError, match="11 input tokens at once: the limit is 10"):
        mine.try_acquire(input_tokens=11)


@pytest.mark.parametrize(
    "wrong",
    [
        {"requests_per_minute": 0},
        {"tokens_per_minute": -1},
        {"max_concurrent": 0},
        {"requests_per_second": 1.5},
        {"name": ""},
        {"lease_time": 0},
        {"lease_time": float("inf")},
    ],
)
def test_limits_that_are_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"name|whole number|lease_time"):
        RateLimiter(**wrong)


# names, stores and figures


def test_one_name_is_one_limit(limiter) -> None:
    assert limiter(1, name="a").try_acquire()
    assert not limiter(1, name="a").try_acquire()
    assert limiter(1, name="b").try_acquire()


def test_the_memory_of_a_process_outlives_its_limiters() -> None:
    name = "outlives"
    assert RateLimiter(1, name=name).try_acquire()
    gc.collect()
    assert not RateLimiter(1, name=name).try_acquire()


async def test_the_figures(limiter) -> None:
    mine = limiter(10, 100, 2)
    with mine.acquire(tokens=40):
        stats = await mine.aget_stats()
    assert stats == Stats(1, 10, tokens_used=40, tokens_limit=100, concurrent=1, max_concurrent=2)
    shown = stats.as_dict()
    assert (shown["tokens_used"], shown["held_for"], shown["input_tokens_limit"]) == (40, 0.0, None)


def test_its_repr_tells_the_limits(limiter) -> None:
    text = repr(limiter(10, max_concurrent=2, requests_per_second=3, name="n"))
    assert text == "<RateLimiter 'n': 10 requests a minute, 3 requests a second, 2 at a time>"


def test_stores_are_opened_once() -> None:
    assert open_store() is open_store("memory")
    mine = MemoryStore()
    assert open_store(mine) is mine


@pytest.mark.parametrize(
    "spec", ["", "redis", "Memory", "http://u:secret@h/0", "redis:secret@h/0", "u:secret@h", "disk"]
)
def test_a_store_that_is_none(spec: str) -> None:
    with pytest.raises(ValueError, match="diskcache:limits") as caught:
        RateLimiter(1, store=spec)
    assert "secret" not in str(caught.value)


def test_memory_takes_no_options() -> None:
    with pytest.raises(ValueError, match="on_unavailable"):
        open_store("memory", on_unavailable="open")


def test_a_directory_is_one_store_however_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("diskcache")
    monkeypatch.chdir(tmp_path)
    one = open_store(tmp_path / "limits")
    assert one is open_store("./limits")
    assert one is open_store("diskcache:limits")
    assert one is not open_store("./other")


def test_a_directory_is_opened_again_where_nobody_holds_it(tmp_path: Path) -> None:
    pytest.importorskip("diskcache")
    assert RateLimiter(1, store=tmp_path / "limits").try_acquire()
    gc.collect()
    assert not RateLimiter(1, store=tmp_path / "limits").try_acquire()


_USE = """
import sys
from franca import RateLimiter
from franca.limits.redis import link
link.PATIENCE = 3.0  # a busy machine's slow answer is an answer
limiter = RateLimiter(5, 100, store=sys.argv[1], name="shared")
print(sum(limiter.try_acquire(10) for _ in range(4)))
"""


def test_processes_share_a_directory(tmp_path: Path) -> None:
    pytest.importorskip("diskcache")
    command = [sys.executable, "-c", _USE, str(tmp_path / "limits")]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(run.communicate(timeout=60)[0]) for run in runs) == 5
    mine = RateLimiter(5, 100, store=tmp_path / "limits", name="shared")
    assert figures(mine) == (5, 50, 0, 0)


@pytest.fixture
def redis(needs_redis: None) -> Iterator[RedisServer]:
    with RedisServer(password="never-shown") as server:
        yield server


async def test_processes_share_a_redis(redis: RedisServer) -> None:
    mine = RateLimiter(5, 100, store=redis.url, name="shared")
    async with asyncio.timeout(LONG), mine.acquire(30) as lease:
        lease.settle(20)
    command = [sys.executable, "-c", _USE, redis.url]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sum(int(run.communicate(timeout=60)[0]) for run in runs) == 4
    stats = await mine.aget_stats()
    assert (stats.requests_used, stats.tokens_used, stats.concurrent) == (5, 60, 0)
    with pytest.raises(RateLimitError) as caught:
        mine.acquire(timeout=1).wait()
    assert "never-shown" not in repr(mine) + str(caught.value)


def test_a_redis_is_one_store_under_each_of_its_modes(redis: RedisServer) -> None:
    one, other = open_store(redis.url), open_store(redis.url, on_unavailable="open")
    assert one is open_store(redis.url)
    assert one is not other
    assert other is open_store(redis.url, on_unavailable="open")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_child_opens_stores_while_its_parent_did(limiter) -> None:
    from franca.limits import opening

    with opening._lock:  # as another thread of the parent would
        child = os.fork()
        if child == 0:
            os._exit(0 if opening._lock.acquire(timeout=5) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
