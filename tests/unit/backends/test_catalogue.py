"""The model catalogue: its data hold together, and a name finds its row or none."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

import pytest

from franca.backends import BACKENDS, Quirks, ThinkingForm, catalogue
from franca.backends.catalogue import Model, StructuredOutput, find, models
from franca.settings import Settings
from franca.types import BackendType

FILES = Path(catalogue.__file__).parent / "models"
ROOT = Path(__file__).parents[3]
NAMES = [b.value for b in BackendType]
KINDS = {"text", "image", "audio", "video", "pdf"}
EFFORTS = {"none", "minimal", "low", "medium", "high", "xhigh", "max"}


def test_every_backend_has_its_file() -> None:
    without = {b.value for b in BackendType if not models(b)}
    assert without == {"local"}  # what is served there is its owner's
    assert {f.stem for f in FILES.glob("*")} == {b.value for b in BackendType} - without


def dated(row: Model) -> bool:
    sources = ("https://", "litellm ", "models.dev ", "genai-prices ")
    days = [date.fromisoformat(day) for day in (row.date, row.deprecated or row.date)]
    return row.source.startswith(sources) and days[0] >= date(2026, 1, 1)


def sane(row: Model) -> bool:
    context, most = row.context_length or 0, row.max_output_tokens or 1000
    return 4_000 <= context <= 10_000_000 and 1_000 <= most <= context


def worded(row: Model) -> bool:
    kinds = {*(row.input_modalities or ()), *(row.output_modalities or ())}
    return (
        row.thinking in (None, *get_args(ThinkingForm))
        and row.structured_output in (None, *get_args(StructuredOutput))
        and kinds <= KINDS
        and EFFORTS.issuperset(row.reasoning_efforts or ())
        and (row.reasoning is not False or row.thinking == "never")
        and isinstance(Quirks().merge(**row.changes()), Quirks)
    )


@pytest.mark.parametrize("rule", [dated, sane, worded])
@pytest.mark.parametrize("backend", NAMES)
def test_each_row(backend: str, rule: Callable[[Model], bool]) -> None:
    assert [row for row in models(backend) if not rule(row)] == []


@pytest.mark.parametrize("backend", NAMES)
def test_no_name_is_two_rows(backend: str) -> None:
    names = [n.lower() for row in models(backend) for n in (row.name, *row.aliases)]
    assert sorted(names) == sorted(set(names))
    assert all(find(backend, row.name) is row for row in models(backend))
    assert all(find(backend, alias) is row for row in models(backend) for alias in row.aliases)


def lasting(row: Model) -> bool:
    """Whether it is served for ninety days from the catalogue's own day on."""
    made = max(date.fromisoformat(one.date) for backend in NAMES for one in models(backend))
    return row.deprecated is None or date.fromisoformat(row.deprecated) > made + timedelta(90)


@pytest.mark.parametrize("backend", NAMES)
def test_what_a_first_try_takes_lasts(backend: str) -> None:
    name = BACKENDS[BackendType(backend)].default_model
    row = find(backend, name) if name else None
    assert (row is None) is (name is None)
    assert row is None or lasting(row)


def test_the_models_of_the_example_last() -> None:
    settings = Settings(ROOT / "settings.example.json")
    rows = {t.model: find(t.backend, t.model) for t in settings.targets() if t.backend != "local"}
    assert len(rows) >= 10
    assert [name for name, row in rows.items() if row is None or not lasting(row)] == []


@pytest.mark.parametrize(
    ("backend", "form", "name"),
    [
        ("openai", "gpt-5-mini-2025-08-07", "gpt-5-mini"),
        ("openai", "GPT-5-Mini", "gpt-5-mini"),
        ("openai", "gpt-4o-2024-08-06", "gpt-4o"),
        ("openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),  # a snapshot with a row of its own
        ("openai", "ft:gpt-4o-mini-2024-07-18:org::abc", "gpt-4o-mini"),
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("anthropic", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("anthropic", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("anthropic", "anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        (
            "anthropic",
            "arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-opus-4-7",
            "claude-opus-4-7",
        ),
        (
            "anthropic",
            "publishers/anthropic/models/claude-haiku-4-5@20251001",
            "claude-haiku-4-5",
        ),
        ("gemini", "models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("gemini", "google/gemini-2.5-pro", "gemini-2.5-pro"),
        ("doubao", "doubao-seed-1-6-250615", "doubao-seed-1-6"),
        ("doubao", "doubao-seed-2.0-pro", "doubao-seed-2-0-pro"),
        ("qwen", "qwen-plus-latest", "qwen-plus"),
        ("openrouter", "openai/gpt-5-mini:nitro", "openai/gpt-5-mini"),
        ("siliconflow", "Pro/deepseek-ai/DeepSeek-V3.2", "deepseek-ai/DeepSeek-V3.2"),
    ],
)
def test_a_form_of_a_name(backend: str, form: str, name: str) -> None:
    found = find(backend, form)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        ("openai", "gpt-5-minimal"),
        ("openai", "gpt-5-mini-2"),
        ("openai", "my-deployment"),
        ("openai", "gpt-5-mini-2025-13-07"),  # no date
        ("anthropic", "claude-sonnet-4"),
        ("anthropic", "claude-sonnet-4-5-thinking"),
        ("mistral", "mistral-large-9912"),
        ("openrouter", "openai/gpt-5-mini:free"),  # may have other limits
        ("local", "gpt-5-mini"),
        ("openai", ""),
    ],
)
def test_nothing_is_guessed(backend: str, name: str) -> None:
    assert find(backend, name) is None


def test_a_backend_that_is_none() -> None:
    with pytest.raises(ValueError, match="opnai"):
        find("opnai", "gpt-5-mini")


def test_what_differs_from_the_backend() -> None:
    assert Model("m", "2026-01-01", "s").changes() == {}
    row = Model("m", "2026-01-01", "s", thinking="never", structured_output="json_object",
                quirks=(("inline_system", False),))  # fmt: skip
    assert row.changes() == {"thinking": "never", "json_schema": False, "inline_system": False}


def test_only_the_file_that_is_asked_for_is_read(tmp_path: Path) -> None:
    code = (
        "import builtins, json; real, seen = open, []\n"
        "def spy(path, *a, **k):\n    seen.append(str(path)); return real(path, *a, **k)\n"
        "builtins.open = spy\n"
        "from franca.backends.catalogue import find\n"
        "find('groq', 'x'), find('groq', 'y')\n"
        "print(json.dumps([p for p in seen if p.endswith('.json')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [Path(p).name for p in json.loads(done.stdout)] == ["groq.json"]
