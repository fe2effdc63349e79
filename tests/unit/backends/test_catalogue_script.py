"""scripts/catalogue.py: how it reads its sources, and makes one row of them."""

import importlib.util
import json
import sys
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("catalogue", ROOT / "scripts" / "catalogue.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


script = loaded()
DEV, LITE, GENAI = "models.dev", "litellm", "genai-prices"


def test_litellm_says_only_what_it_says() -> None:
    assert script.litellm_facts({"mode": "chat"}) == {}
    facts = script.litellm_facts(
        {
            "max_input_tokens": 10,
            "supports_function_calling": False,
            "supports_response_schema": False,
            "supports_vision": True,
            "supports_audio_input": True,
            "supports_pdf_input": None,
            "deprecation_date": "2026-12-11",
        }
    )
    assert facts == {
        "context_length": 10,
        "tools": False,
        "input_modalities": ["text", "image", "audio"],
        "deprecated": "2026-12-11",
    }
    assert script.litellm_facts({"supports_vision": False})["input_modalities"] == ["text"]


def test_what_litellm_says_of_claude() -> None:
    entry = {"litellm_provider": "anthropic", "supports_adaptive_thinking": True}
    assert script.litellm_facts(entry) == {"thinking": "anthropic_adaptive"}
    entry |= {"thinking_always_on": True, "supports_sampling_params": False}
    assert script.litellm_facts(entry) == {
        "thinking": "anthropic_always",
        "quirks": {"unsupported": ["temperature", "top_p", "top_k"]},
    }
    assert "quirks" not in script.litellm_facts(entry | {"litellm_provider": "openai"})


@pytest.mark.parametrize(
    ("entry", "efforts"),
    [
        ({}, None),
        ({"supports_max_reasoning_effort": True}, None),  # of a model that does not think
        ({"supports_reasoning": True}, None),
        (
            {"supports_reasoning": True, "supports_minimal_reasoning_effort": False},
            "low medium high",
        ),
        (
            {
                "supports_reasoning": True,
                "supports_none_reasoning_effort": True,
                "supports_xhigh_reasoning_effort": True,
            },
            "none low medium high xhigh",
        ),
        (
            {
                "supports_reasoning": True,
                "supports_low_reasoning_effort": False,
                "supports_max_reasoning_effort": True,
            },
            "medium high max",
        ),
        ({"reasoning_effort_levels": ["none", "high"]}, "none high"),
    ],
)
def test_litellms_efforts(entry: dict[str, Any], efforts: str | None) -> None:
    found = script.litellm_facts(entry).get("reasoning_efforts")
    assert found == (efforts.split() if efforts else None)


def test_models_dev() -> None:
    row = {"limit_context": 8, "limit_output": 0, "tool_call": 1, "structured_output": 0,
           "reasoning": 0}  # fmt: skip
    kinds = [("input", "text"), ("output", "text"), ("input", "image")]
    assert script.models_dev_facts(row, kinds) == {
        "context_length": 8,
        "tools": True,
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "reasoning": False,
    }


def numbers(*found: tuple[str, int]) -> int:
    return script.merge([(s, {"context_length": n}) for s, n in found], {})["context_length"]


def test_most_say_a_number_and_in_doubt_the_first() -> None:
    assert numbers((DEV, 1_000_000), (LITE, 200_000), (GENAI, 200_000)) == 200_000
    assert numbers((DEV, 400_000), (LITE, 272_000)) == 400_000
    assert numbers((LITE, 922_000), (GENAI, 1_050_000)) == 1_050_000


def test_a_yes_stands_against_a_no() -> None:
    found = [(DEV, {"reasoning": False, "input_modalities": ["text"]}),
             (LITE, {"reasoning": True, "input_modalities": ["text", "image"]})]  # fmt: skip
    row = script.merge(found, {})
    assert row == {"input_modalities": ["text", "image"], "reasoning": True}
    assert script.merge(found[:1], {})["thinking"] == "never"
    assert script.merge(found[:1], {}, trust_no=False) == {}


def test_a_vendor_without_schemas() -> None:
    found = [(DEV, {"structured_output": "json_schema"})]
    assert script.merge(found, {}, json_schema=False) == {"structured_output": "json_object"}


def test_ours_stand_above() -> None:
    found = [(DEV, {"context_length": 5, "max_output_tokens": 4, "tools": True})]
    hand = {"name": "m", "source": "s", "context_length": 9, "unknown": ["max_output_tokens"]}
    assert script.merge(found, hand) == {"context_length": 9, "tools": True}


def sources() -> list[Any]:
    return [
        script.Source(DEV, "1", "2026-08-18", {"v": {"a": {"context_length": 5}}}),
        script.Source(LITE, "2", "2026-11-21", {"v": {"a": {"tools": True}}}),
    ]


def test_a_row_names_its_sources_and_the_oldest_date() -> None:
    spec = {
        "backend": "b",
        DEV: ["v"],
        LITE: ["other", "v"],
        "names": ["A"],
        "source": "https://x",
        "seen": "2026-10-01",
        "rows": [{"name": "ours", "tools": False}],
        "aliases": {"z": "A"},
    }
    first, second = script.rows(spec, sources())
    assert first == {
        "name": "A",
        "date": "2026-08-18",
        "source": "models.dev 1, litellm 2",
        "context_length": 5,
        "tools": True,
        "aliases": ["z"],
    }
    assert second == {"name": "ours", "date": "2026-10-01", "source": "https://x", "tools": False}
    with pytest.raises(SystemExit, match="b: no source has gone"):
        list(script.rows({"backend": "b", "names": ["gone"]}, sources()))


def test_a_file_has_a_row_a_line() -> None:
    text = script.written([{"name": "中"}, {"name": "b"}])
    assert text == '[\n{"name":"中"},\n{"name":"b"}\n]\n'
    assert json.loads(text) == [{"name": "中"}, {"name": "b"}]


def test_the_check_tells_what_changed() -> None:
    ours = {"name": "a", "date": "2026-01-01", "context_length": 4, "tools": True}
    theirs = {"name": "a", "date": "2026-09-09", "context_length": 5, "tools": True}
    assert script.differences(ours, theirs) == ["context_length 4 → 5"]
    assert script.differences(ours, ours) == []


def test_the_check_tells_who_agrees() -> None:
    row = {"context_length": 5, "max_output_tokens": 2}
    dev, lite = sources()
    found = [(dev, {"context_length": 5}), (lite, {"context_length": 4000, "tools": True})]
    assert script.dissent(row, found) == "models.dev; litellm has context_length 4,000"
    assert script.dissent(row, []) == "by hand"


def test_the_checks_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "OUTPUTS", tmp_path)
    rows = [{"name": "a", "date": "2026-08-18", "source": "s", "context_length": 5000}]
    (tmp_path / "b.json").write_text(json.dumps(rows))
    spec = {"backend": "b", DEV: ["v"], "names": ["a"], "most_used": ["a", "lost"]}
    changed, lost = script.compared("b", spec, sources()[:1])
    assert changed.startswith("| `b` | `a` | 5,000 | – | 2026-08-18 | **differs**")
    assert "**missing**" in lost


def test_when_a_model_retires_is_ours_to_say() -> None:
    source = {"source": "https://y", "seen": "2026-11-21"}
    spec = {
        "backend": "b",
        DEV: ["v"],
        "names": ["a"],
        "retires": [{**source, "2026-12-01": ["a", "ours"]}],
        "rows": [{"name": "ours", "source": "https://x", "seen": "2026-10-01", "tools": False}],
    }
    first, second = script.rows(spec, sources())
    assert (first["deprecated"], first["source"]) == ("2026-12-01", "https://y, models.dev 1")
    assert (second["date"], second["deprecated"]) == ("2026-10-01", "2026-12-01")
    assert second["source"] == "https://x, https://y"


def retiring(spec: dict[str, Any]) -> list[tuple[str, str]]:
    return [(facts["deprecated"], name) for name, facts in script.retirements(spec).items()]


@pytest.mark.parametrize("backend", sorted(script.specs()))
def test_the_inputs(backend: str) -> None:
    spec = script.specs()[backend]
    table = json.loads((script.OUTPUTS / f"{backend}.json").read_text("utf-8"))
    made = {row["name"] for row in table}
    served = {row["name"] for row in table if row.get("deprecated", "9") > row["date"]}
    assert set(spec["most_used"]) <= (made if len(served) < 10 else served)
    assert {name for _, name in retiring(spec)} <= made
    assert len(spec["most_used"]) == len(set(spec["most_used"]))
    assert len(spec["most_used"]) == 10 or len(made) < 10
    assert set(spec.get("aliases", {}).values()) <= made
    by_hand = spec.get("rows", [])
    assert all({"source", "seen"} <= (spec | row).keys() for row in by_hand)
    known = {*script.FIELDS, "name", "source", "seen", "unknown"}
    assert all(row.keys() <= known for row in by_hand)
    assert all(date.fromisoformat(day) for day, _ in retiring(spec))
