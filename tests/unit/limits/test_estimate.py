"""What is reserved for calls: learned, cheap, and together neither too little nor much too much."""

import heapq
import json
import math
import random
import threading
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franca.limits.estimate import OUTPUT, RATIO, Estimate, size
from franca.limits.ledger import Ledger
from franca.limits.rules import MINUTE, SECOND, Rules, Window
from franca.types import ChatRequest, Message
from franca.types.messages import (
    AudioPart,
    DocumentPart,
    ImagePart,
    NativePart,
    ReasoningPart,
    TextPart,
    ToolCall,
    ToolResult,
)

CAP = 4096


class Plant:
    """Workers that call without a pause, under a limit of tokens; the clock is the heap's."""

    def __init__(self, seed, workers, tpm, speed, sigma, processes):
        self.random, self.tpm, self.speed, self.sigma = random.Random(seed), tpm, speed, sigma
        self.rules = Rules((Window("tokens", tpm),))
        self.ledger = Ledger(self.rules)
        self.estimates = [Estimate() for _ in range(processes)]
        self.events = [(self.random.randrange(SECOND), w, "call", w) for w in range(workers)]
        heapq.heapify(self.events)
        self.jobs, self.bills, self.serial = {}, [], workers

    def push(self, at, what, about):
        self.serial += 1
        heapq.heappush(self.events, (at, self.serial, what, about))

    def run(self, minutes):
        while self.events:
            now, _, what, about = heapq.heappop(self.events)
            if what == "call" and now < minutes * MINUTE:
                self.call(now, about)
            elif what == "ask":
                self.ask(now, about)
            elif what == "end":
                self.end(now, about)

    def call(self, now, worker):
        draw, estimate = self.random, self.estimates[worker % len(self.estimates)]
        prompt = max(20, int(draw.lognormvariate(math.log(500), 0.4)))
        output = min(CAP, max(1, int(draw.lognormvariate(math.log(300), self.sigma))))
        measure = int(prompt / (0.25 * math.exp(draw.gauss(0, 0.08))))
        guess, expected, margin = estimate.reserve(measure, CAP, len(self.ledger.granted) + 1)
        job = str(len(self.jobs))
        lease = (guess + expected,), (margin,)
        self.jobs[job] = [worker, estimate, measure, prompt, output, lease, False]
        self.ask(now, job)

    def ask(self, now, job):
        if self.jobs[job][-1]:
            return
        verdict = self.ledger.reserve(now, self.rules, job, *self.jobs[job][5])
        if verdict.granted:
            self.granted(now, job)
        else:
            self.push(now + verdict.wait, "ask", job)
        self.ring(now)

    def granted(self, now, job):
        _, _, _, prompt, output, _, _ = self.jobs[job]
        self.jobs[job][-1] = True
        self.bills.append((now, prompt + output))
        self.push(now + int((0.3 + output / self.speed) * SECOND), "end", job)

    def ring(self, now):
        while self.ledger.rung:
            self.granted(now, self.ledger.rung.pop(0)[0])

    def end(self, now, job):
        worker, estimate, measure, prompt, output, _, _ = self.jobs[job]
        self.ledger.settle(now, self.rules, job, (prompt + output,))
        estimate.learn(measure, prompt, output)
        self.ring(now)
        self.push(now, "call", worker)

    def most(self):
        """The largest share of the limit billed in any minute, wherever it begins."""
        most, total, open_ = 0, 0, deque()
        for at, billed in sorted(self.bills):
            open_.append((at, billed))
            total += billed
            while open_[0][0] <= at - MINUTE:
                total -= open_.popleft()[1]
            most = max(most, total)
        return most / self.tpm

    def use(self, minutes):
        """The share of the limit that was billed, after the first minute."""
        billed = sum(n for at, n in self.bills if MINUTE <= at < minutes * MINUTE)
        return billed / self.tpm / (minutes - 1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("tpm", "speed"), [(1_000_000, 400), (500_000, 150)])
def test_many_workers_use_the_limit_and_never_more(seed, tpm, speed):
    plant = Plant(seed, 64, tpm, speed, 1.0, processes=1)
    plant.run(6)
    assert plant.most() <= 1
    assert plant.use(6) >= 0.95
    # all have settled: what the ledger counts is what was billed
    now = max(at for at, *_ in plant.bills) + SECOND
    width, ring = plant.rules.windows[0].width, plant.ledger.rings[0]
    plant.ledger.look(now, plant.rules)
    assert ring.used == sum(n for at, n in plant.bills if ring.last - at // width <= 256)


@pytest.mark.parametrize("seed", range(3))
def test_few_workers_with_long_tails_stay_within_the_limit(seed):
    plant = Plant(seed, 8, 200_000, 250, 1.5, processes=1)
    plant.run(8)
    assert plant.most() <= 1
    assert plant.use(8) >= 0.85  # one answer may be 4,096: as much is kept free
    plant = Plant(seed, 4, 60_000, 120, 1.0, processes=1)
    plant.run(8)
    assert plant.most() <= 1


@pytest.mark.parametrize("seed", range(3))
def test_processes_that_learn_apart_share_the_limit(seed):
    plant = Plant(seed, 64, 1_000_000, 400, 1.0, processes=8)
    plant.run(6)
    assert plant.most() <= 1
    assert plant.use(6) >= 0.95


def test_before_anything_is_learned():
    assert Estimate().reserve(1000, None)[:2] == (int(1000 * RATIO) + 1, OUTPUT)
    assert Estimate().reserve(0, 100) == (1, 100, 0)
    assert Estimate().reserve(0, 10**6)[1] == OUTPUT


def test_a_steady_answer_is_known_exactly():
    estimate = Estimate()
    for _ in range(1000):
        estimate.reserve(2000, None)
        estimate.learn(2000, 500, 200)
    prompt, output, margin = estimate.reserve(2000, None)
    assert 495 <= prompt <= 530
    assert output == 200
    assert margin == 0
    assert estimate.reserve(2000, 50)[1:] == (50, 0)


def test_output_and_margin_never_exceed_what_one_and_all_can_have():
    estimate = Estimate()
    for n in range(2000):
        prompt, output, margin = estimate.reserve(100, 300)
        assert prompt > 0
        assert 0 <= output <= 300
        assert margin <= 300
        estimate.learn(100, 25, n % 301)


def test_a_prompt_is_guessed_a_little_high():
    draw, estimate, low = random.Random(1), Estimate(), 0
    for n in range(3000):
        prompt = draw.randrange(50, 5000)
        measure = int(prompt / (0.9 * math.exp(draw.gauss(0, 0.1))))  # another tongue
        guess, _, _ = estimate.reserve(measure, 10)
        estimate.learn(measure, prompt, 5)
        low += n >= 1000 and guess < prompt
    assert 0.02 < low / 2000 < 0.2


def test_calls_that_end_without_a_word_teach_nothing():
    estimate = Estimate()
    for _ in range(50):
        estimate.learn(10, None, None)
    assert estimate.reserve(1000, None) == Estimate().reserve(1000, None)


@given(st.lists(st.tuples(*[st.integers(0, 10**7)] * 3, st.none() | st.integers(0, 10**6))))
def test_no_figures_raise(calls):
    estimate = Estimate()
    for measure, prompt, output, most in calls:
        assert min(estimate.reserve(measure, most)) >= 0
        estimate.learn(measure, prompt, output)


def test_threads_may_share_it():
    estimate = Estimate()

    def work():
        for n in range(2000):
            estimate.reserve(100, 500)
            estimate.learn(100, 30, n % 400)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 200 < estimate.reserve(100, 500)[1] < 400


def test_size_is_the_text_in_bytes():
    def of(*parts):
        return size(ChatRequest([Message("user", list(parts))]))

    empty = of()
    text = "naïve 你好 \ud800"
    assert of(TextPart("hello")) - empty == 5
    assert of(TextPart(text)) - empty == len(text.encode("utf-8", "surrogatepass"))
    assert size(ChatRequest([Message("user", "hello")])) - empty == 5
    assert of(ToolResult("1", "done"), ToolResult("2", [TextPart("done")])) - empty == 8
    assert of(ReasoningPart("why", encrypted="xx"), DocumentPart(text="a page")) - empty == 11
    assert of(ToolCall("1", "f", "{}")) > empty
    assert of(NativePart("anthropic-messages", {"type": "x"})) > empty
    picture = of(ImagePart(data="A" * 10**6))
    assert empty < picture == of(ImagePart(url="https://a.test/b.png"))
    assert empty < of(AudioPart(data="A" * 100)) < of(DocumentPart(data="A" * 10**6))
    assert size(ChatRequest([Message("assistant", None)])) == empty


def test_tools_and_schemas_count():
    tools = [{"type": "function", "function": {"name": "f", "description": "d" * 500}}]
    bare = size(ChatRequest([]))
    assert abs(size(ChatRequest([], {"tools": tools})) - bare - len(json.dumps(tools))) < 10
    assert size(ChatRequest([], {"response_format": {"type": "json_object"}})) > bare
