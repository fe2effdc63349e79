"""Vendors as data."""

from franca.backends.quirks import QUIRK_NAMES, Quirks, ThinkingForm
from franca.backends.rows import ANTHROPIC_MESSAGES, BACKENDS, OPENAI_CHAT, Row

__all__ = [
    "ANTHROPIC_MESSAGES",
    "BACKENDS",
    "OPENAI_CHAT",
    "QUIRK_NAMES",
    "Quirks",
    "Row",
    "ThinkingForm",
]
