"""A clean environment, and the smallest document that has a model."""

import os
from typing import Any

import pytest

from franca.backends import BACKENDS


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {row.key for row in BACKENDS.values() if row.key}
    for name in [n for n in os.environ if n.startswith("FRANCA_") or n in keys]:
        monkeypatch.delenv(name)


@pytest.fixture
def document() -> dict[str, Any]:
    return {
        "VERSION": "2",
        "endpoints": [
            {"id": "a", "api_base": "http://a.test/v1/", "api_key": "key-of-a"},
            {"id": "b", "api_base": "http://b.test/v1", "rpm": 7, "tpm": 70},
            {"id": "off", "enabled": False, "api_base": "http://off.test/v1"},
        ],
        "backends": {
            "openai": {
                "models": {
                    "gpt-4o": {
                        "id": "gpt-4o-2024",
                        "endpoints": [
                            {"endpoint_id": "b", "priority": 2, "model_id": "deployed"},
                            "a",
                            {"endpoint_id": "a", "enabled": False},
                            "off",
                        ],
                        "context_length": 1000,
                    },
                    "old": {"enabled": False, "endpoints": ["a"]},
                }
            }
        },
    }
