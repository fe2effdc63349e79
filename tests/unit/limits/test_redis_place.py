"""What the URL of a Redis says."""

import pytest

from franca.errors import SettingsError
from franca.limits.redis.place import place_of

SECRET = "p%40ss:w0rd"


@pytest.mark.parametrize(
    ("url", "kind", "nodes", "plain"),
    [
        ("redis://h:1/2", "redis", [("h", 1)], "redis://h:1/2"),
        ("redis://h", "redis", [("h", 6379)], "redis://h:6379/"),
        ("rediss://u:p@h:1/0?ssl_ca_certs=x", "redis", [("h", 1)], None),
        ("redis://[::1]:7/0", "redis", [("::1", 7)], "redis://[::1]:7/0"),
        ("redis+cluster://a:1,b:2", "cluster", [("a", 1), ("b", 2)], "redis://a:1/"),
        ("rediss+cluster://a,b:2", "cluster", [("a", 6379), ("b", 2)], "rediss://a:6379/"),
        ("redis+sentinel://a:1,b/main/3", "sentinel", [("a", 1), ("b", 26379)], "redis://a:1/3"),
        ("redis+sentinel://a:1/main", "sentinel", [("a", 1)], "redis://a:1/0"),
    ],
)
def test_the_forms(url: str, kind: str, nodes: list[tuple[str, int]], plain: str | None) -> None:
    place = place_of(url)
    assert (place.kind, list(place.nodes)) == (kind, nodes)
    assert place.url == (plain or url)
    assert place.service == ("main" if kind == "sentinel" else "")


def test_a_socket() -> None:
    place = place_of(f"unix://u:{SECRET}@/run/redis.sock?db=1")
    assert str(place) == "unix:///run/redis.sock"
    assert place.url.endswith("@/run/redis.sock?db=1")


def test_the_sentinels_have_credentials_of_their_own() -> None:
    place = place_of("redis+sentinel://u:p@a:1/main/0?sentinel_password=s&ssl_ca_certs=x")
    assert place.sentinel == {"password": "s"}
    assert place.url == "redis://u:p@a:1/0?ssl_ca_certs=x"


@pytest.mark.parametrize(
    "url",
    [
        f"redis://u:{SECRET}@h:1/2?password={SECRET}",
        f"unix://u:{SECRET}@/run/redis.sock?password={SECRET}",
        f"rediss+cluster://u:{SECRET}@a:1,b:2",
        f"redis+sentinel://u:{SECRET}@a:1,b:2/main/0?sentinel_password={SECRET}",
    ],
)
def test_no_secret_is_shown(url: str) -> None:
    place = place_of(url)
    assert SECRET in place.url
    for shown in (str(place), repr(place)):
        assert SECRET not in shown
        assert "w0rd" not in shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        f"http://u:{SECRET}@h",
        f"redis+what://u:{SECRET}@h",
        f"redis://u:{SECRET}@a,b/0",
        f"redis://u:{SECRET}@h:port/0",
        f"redis+sentinel://u:{SECRET}@a:1",
        "unix://",
    ],
)
def test_what_is_no_such_url(url: str) -> None:
    with pytest.raises(SettingsError, match="the URL of a Redis is") as caught:
        place_of(url)
    assert "w0rd" not in str(caught.value)
