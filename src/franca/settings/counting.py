"""From the settings' `rate_limit` section to who counts against the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from franca.settings.target import Counting, Secret

if TYPE_CHECKING:
    from franca.settings.schema import RateLimitSettings, RedisSettings

LIMITS = ("rpm", "tpm", "itpm", "otpm", "rps", "concurrent_requests")
"""The figures of an endpoint or a binding."""


def counting(settings: RateLimitSettings | None) -> Counting | None:
    """Who counts: in this process where the settings do not say, nobody where they say so."""
    if settings is None:
        return Counting()
    if not settings.enabled:
        return None
    place = None
    if settings.backend == "redis":
        place = _redis_url(settings.redis)
    elif settings.backend == "diskcache":
        disk = settings.diskcache
        place = Secret(disk.cache_dir if disk else ".rate_limit_cache")
    return Counting(
        settings.backend,
        place,
        True,
        settings.on_unavailable,
        settings.max_wait,
        settings.lease,
    )


def _redis_url(redis: RedisSettings | None) -> Secret:
    if redis is None:
        return Secret("redis://localhost:6379/0")
    if redis.url is not None:
        return redis.url
    user, password = redis.username or "", redis.password.reveal() if redis.password else ""
    who = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else ""
    scheme = "rediss" if redis.tls else "redis"
    return Secret(f"{scheme}://{who}{redis.host}:{redis.port}/{redis.db}")
