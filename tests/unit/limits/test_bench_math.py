"""What benchmarks/limits.py says of a run, against its definition."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

PATH = Path(__file__).parents[3] / "benchmarks" / "limits_math.py"
_spec = importlib.util.spec_from_file_location("limits_math", PATH)
assert _spec
assert _spec.loader
maths = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(maths)

moments, weights = st.integers(0, 60), st.integers(1, 9)


@given(st.lists(st.tuples(moments, weights)), st.integers(1, 20))
def test_the_fullest_window_is_that_of_all_windows(grants, span):
    sums = [sum(w for at, w in grants if start <= at < start + span) for start in range(-20, 61)]
    assert maths.fullest(grants, span) == max(sums)


@given(st.lists(st.tuples(moments, st.integers(0, 15), weights)), st.integers(1, 20))
def test_surely_in_a_window_is_what_was_asked_and_answered_in_it(tries, span):
    tries = [(asked, asked + took, weight) for asked, took, weight in tries]
    sums = [
        sum(w for asked, answered, w in tries if start <= asked and answered < start + span)
        for start in range(-20, 61)
    ]
    assert maths.surely(tries, span) == max(sums)


def test_no_delay_of_an_answer_counts_against_a_limiter():
    # two are decided in each of two windows, but the first two are told as late as the others
    tries = [(0, 100, 1), (1, 100, 1), (100, 101, 1), (101, 102, 1)]
    assert maths.surely(tries, 100) == 2
    assert maths.fullest([(answered, weight) for _, answered, weight in tries], 100) == 4


def test_bunches_a_span_apart_are_all_of_the_limit():
    bunches = [(start + k, 1) for start in range(0, 5000, 1004) for k in range(100)]
    assert maths.settled_use(bunches, 1000, 5000) == pytest.approx(100, rel=0.01)


def test_half_of_the_limit_is_half_of_it():
    evenly = [(at, 1) for at in range(0, 5000, 20)]
    assert maths.settled_use(evenly, 1000, 5000) == 50


def test_luck_knows_who_was_never_admitted():
    assert maths.luck(["a", "a", "b"], 2) == 2
    assert maths.luck(["a", "a"], 2) == math.inf


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1, 100)])
def test_a_quantile_is_a_value_that_so_many_do_not_exceed(share, value):
    assert maths.quantile(list(range(1, 101)), share) == value


def test_who_ends_makes_room_for_who_begins_then():
    assert maths.peak([(0, 10), (10, 20), (5, 6)]) == 2
    assert maths.peak([(0, 10), (1, 9), (2, 8), (11, 12)]) == 3
    assert maths.peak([]) == 0
