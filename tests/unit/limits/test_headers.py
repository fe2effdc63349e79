"""Vendors' words about their limits, in the forms that are on record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franca.limits.headers import hold, observed, read
from franca.limits.model import MINUTE, SECOND, Rules, Seen, Window

BOTH = Rules((Window("requests", 500), Window("tokens", 100_000)))
APART = Rules((Window("input_tokens", 50_000), Window("output_tokens", 9_000)))
SHORT = Rules((Window("requests/1", 10, SECOND), Window("requests", 500)))
DATE = "Sat, 25 Oct 2025 11:59:59 GMT"


def openai(of="requests", **said):
    return {f"X-RateLimit-{what}-{of}": str(value) for what, value in said.items()}


def anthropic(of="requests", **said):
    return {f"anthropic-ratelimit-{of}-{what}": str(value) for what, value in said.items()}


class Raw(dict):
    """Headers as an HTTP client keeps them."""

    @property
    def raw(self):
        return [(name.encode(), value.encode()) for name, value in self.items()]


def test_openai_as_on_record():
    headers = {
        "date": "Mon, 26 May 2025 05:00:04 GMT",
        "x-ratelimit-limit-requests": "5000",
        "x-ratelimit-limit-tokens": "160000",
        "x-ratelimit-limit-tokens_usage_based": "160000",
        "x-ratelimit-remaining-requests": "4999",
        "x-ratelimit-remaining-tokens": "159976",
        "x-ratelimit-remaining-tokens_usage_based": "159976",
        "x-ratelimit-reset-requests": "12ms",
        "x-ratelimit-reset-tokens": "9ms",
        "x-ratelimit-reset-tokens_usage_based": "9ms",
    }
    expected = (Seen(0, 5000, 4999), Seen(1, 160_000, 159_976)), 0
    assert read(headers, BOTH) == read(Raw(headers), BOTH) == expected


def test_requests_by_the_day_say_nothing_of_a_minute():
    groq = openai(limit=14400, remaining=14370, reset="2m59.56s") | openai(
        "tokens", limit=18000, remaining=17997, reset="7.66ms"
    )
    assert read(groq, BOTH) == ((Seen(1, 18000, 17997),), 0)
    for left, reset in ((199, "7m12s"), (100, "12h0m0s"), (0, "24h0m0s")):
        assert observed(openai(limit=200, remaining=left, reset=reset), BOTH) == ()


def test_nothing_left_of_a_day_holds_until_one_is_back():
    spent = openai(limit=200, remaining=0, reset="24h0m0s")
    assert hold(spent, BOTH) == 86_400 * SECOND // 200
    assert hold(openai(limit=200, remaining=1, reset="24h"), BOTH) == 0
    assert hold(openai(limit=60, remaining=0, reset="60s"), APART) == SECOND


def test_nothing_left_of_a_minute_is_for_the_window():
    spent = openai(limit=60, remaining=0, reset="1m0s")
    assert read(spent, BOTH) == ((Seen(0, 60, 0),), 0)


def test_anthropic_is_told_against_its_own_date():
    headers = {
        "date": DATE,
        **anthropic(limit=50, remaining=49, reset="2025-10-25T12:00:00Z"),
        **anthropic("tokens", limit=50000, remaining=25000, reset="2025-10-25T14:00:29+02:00"),
        **anthropic("input-tokens", limit=40000, remaining=39000, reset="2025-10-25T12:00:00Z"),
        **anthropic("output-tokens", limit=8000, remaining=0, reset="2025-10-25T12:00:59Z"),
    }
    assert observed(headers, BOTH) == (Seen(0, 50, 49), Seen(1, 50000, 25000))
    assert hold(headers, BOTH) == 7500  # of 8,000 answers' tokens in a minute, the next one
    assert read(headers, APART) == ((Seen(0, 40000, 39000), Seen(1, 8000, 0)), 0)
    daily = {"date": DATE} | anthropic(limit=50, remaining=0, reset="2025-10-26T11:59:59Z")
    assert read(daily, BOTH) == ((), 86_400 * SECOND // 50)


def test_a_span_in_the_name_needs_no_reset():
    mistral = openai("req-minute", limit=720, remaining=717) | openai(
        "tokens-minute", limit=5_000_000, remaining=4_999_911
    )
    assert observed(mistral, BOTH) == (Seen(0, 720, 717), Seen(1, 5_000_000, 4_999_911))
    cerebras = openai("requests-day", limit=14400, remaining=0, reset="33011.382867") | openai(
        "tokens-minute", limit=60000, remaining=59950, reset="26.5"
    )
    assert read(cerebras, BOTH) == ((Seen(1, 60000, 59950),), -(-33_011_382_867 // 14400))


def test_a_short_window_has_its_own_words():
    assert observed(openai("requests-second", limit=5, remaining=2), SHORT) == (Seen(0, 5, 2),)
    assert observed(openai(limit=60, remaining=30, reset="30s"), SHORT) == (Seen(1, 60, 30),)
    assert observed(openai(limit=20, remaining=10, reset="500ms"), SHORT) == (Seen(0, 20, 10),)
    # a second's limit taken for a minute's would be a sixtieth
    assert observed(openai(limit=20, remaining=10, reset="500ms"), BOTH) == ()


def test_a_project_and_its_organisation_are_one_word_the_tighter():
    headers = openai("tokens", limit=90000, remaining=80000, reset="6.667s") | openai(
        "project-tokens", limit=50000, remaining=49000, reset="1.2s"
    )
    assert observed(headers, BOTH) == (Seen(1, 50000, 49000),)


@pytest.mark.parametrize(
    "said",
    [
        {"limit": -1, "remaining": -1, "reset": 0},
        {"limit": 0, "remaining": 0, "reset": "1s"},
        {"limit": "many", "remaining": 3, "reset": "1s"},
        {"limit": 5, "remaining": "", "reset": "1s"},
        {"limit": 5, "remaining": 6, "reset": "1s"},
        {"limit": "9" * 5000, "remaining": 6, "reset": "1s"},
        {"limit": "5_0", "remaining": 6, "reset": "1s"},
        {"limit": "٥", "remaining": 1},
        {"remaining": 79},
        {"limit": 79},
        {"limit": 5, "reset": "1s"},
    ],
)
def test_nonsense_and_halves_are_no_word(said):
    for headers in (openai(**said), anthropic(**said), openai("tokens", **said)):
        assert read(headers, BOTH) == read(Raw(headers), BOTH) == ((), 0)


@pytest.mark.parametrize(
    "reset", ["soon", "", "-1", "1x", "99999999999", "2025-13-45T00:00:00Z", "2025-10-25T12:00:00"]
)
def test_a_reset_of_nonsense_leaves_a_minute(reset):
    said = openai(limit=60, remaining=0, reset=reset) | {"date": DATE}
    assert read(said, BOTH) == ((Seen(0, 60, 0),), 0)


def test_without_a_date_a_time_tells_nothing():
    said = anthropic(limit=50, remaining=0, reset="2025-10-26T11:59:59Z")
    for date in ({}, {"date": "yesterday"}, {"date": "Sat, 25 Foo 2025 11:59:59 GMT"}):
        assert read({**said, **date}, BOTH) == ((Seen(0, 50, 0),), 0)


def test_headers_of_other_things_are_nothing():
    assert read({}, BOTH) == read(Raw(), BOTH) == ((), 0)
    assert read({"date": DATE, "retry-after": "3", "x-ratelimit": "5"}, BOTH) == ((), 0)
    assert read(openai(limit=60, remaining=30, reset="30s"), Rules()) == ((), 0)


@given(
    limit=st.integers(10, 10**7),
    share=st.floats(0, 1),
    span=st.sampled_from([MINUTE, 1440 * MINUTE]),
)
def test_an_evenly_refilling_bucket_is_told_by_its_figures(limit, share, span):
    left = round(limit * share)
    back = span * (limit - left) // limit  # in milliseconds, as OpenAI writes it
    said = openai(limit=limit, remaining=left, reset=f"{back // 1000}ms")
    told = back > 20_000  # 20 ms or more: the rounding to 1 ms does not matter
    if told:
        assert bool(observed(said, BOTH)) == (span == MINUTE)


_names = st.sampled_from([*openai(limit=1, remaining=1, reset=1), *anthropic(limit=1), "date"])


@given(st.dictionaries(_names, st.text(max_size=30)))
def test_no_text_raises(headers):
    read(headers, BOTH)
    read(Raw(headers), BOTH)
