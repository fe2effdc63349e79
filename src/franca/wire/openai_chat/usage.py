"""What vendors call the tokens they bill."""

from __future__ import annotations

from typing import Any

from franca.types import Usage

_PROMPT = ("prompt_tokens", "input_tokens")
_COMPLETION = ("completion_tokens", "output_tokens")
_TOTAL = ("total_tokens",)
_CACHED = (
    "prompt_tokens_details.cached_tokens",
    "cached_tokens",
    "prompt_cache_hit_tokens",
    "num_cached_tokens",
    "cache_read_input_tokens",
)
_WRITTEN = (
    "prompt_tokens_details.cache_write_tokens",
    "prompt_tokens_details.cache_creation_tokens",
    "prompt_tokens_details.cache_creation_input_tokens",
    "cache_creation_input_tokens",
)
_REASONING = ("completion_tokens_details.reasoning_tokens", "reasoning_tokens")
_AUDIO_IN = ("prompt_tokens_details.audio_tokens",)
_AUDIO_OUT = ("completion_tokens_details.audio_tokens",)


def read_usage(block: dict[str, Any]) -> Usage:
    """The counts under franca's names; what has none stays in `extra` under its dotted name."""
    flat: dict[str, Any] = {}
    _flatten("", block, flat)
    usage = Usage(
        _take(flat, _PROMPT),
        _take(flat, _COMPLETION),
        _take(flat, _TOTAL),
        _take(flat, _CACHED),
        _take(flat, _WRITTEN),
        _take(flat, _REASONING),
        _take(flat, _AUDIO_IN),
        _take(flat, _AUDIO_OUT),
    )
    usage.extra = flat or None
    return usage


def _flatten(prefix: str, block: dict[str, Any], flat: dict[str, Any]) -> None:
    for key, value in block.items():
        if isinstance(value, dict):
            _flatten(f"{prefix}{key}.", value, flat)
        elif value is not None:
            flat[prefix + key] = value


def _take(flat: dict[str, Any], names: tuple[str, ...]) -> int | None:
    """The first of these counts that is there; the others stay."""
    for name in names:
        if name in flat:
            count = flat[name] if type(flat[name]) is int else number(flat[name])
            if count is not None:
                del flat[name]
                return count
    return None


def number(value: Any) -> int | None:
    """A whole number, whichever way the vendor wrote it."""
    if type(value) is int:
        return value
    if isinstance(value, float) and value == value and abs(value) < 1e18:
        return int(value)
    if isinstance(value, str):
        try:
            return int(float(value))
        except (ValueError, OverflowError):
            return None
    return None


def added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two bills as one: counts are summed, within objects too; of anything else the later stays."""
    out = dict(one)
    for key, value in other.items():
        old = out.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            out[key] = added(old, value)
        elif type(old) in (int, float) and type(value) in (int, float):
            out[key] = old + value
        elif value is not None or key not in out:
            out[key] = value
    return out
