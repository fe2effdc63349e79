"""Who may import whom: the map of docs/architecture.md, held by the source itself."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "franca"
ORDER = (
    "version",
    "lazy",
    "errors",
    "types",
    "backends",
    "settings",
    "wire",
    "tokens",
    "media",
    "limits",
    "flow",
    "transport",
    "chat_clients",
    "telemetry",
    "embeddings",
    "cache",
    "batch",
    "conversation",
    "prompts",
    "parsing",
    "server",
    "testing",
    "cli",
)
PURE = ("types", "wire", "tokens", "flow")
EFFECTS = {"aiohttp", "anthropic", "asyncio", "botocore", "boto3", "google", "http", "httpx"}
EFFECTS |= {"httpx2", "openai", "requests", "socket", "ssl", "threading", "time", "urllib3"}
FACADES = ("testing", "cli", "server")  # these stand on the public names, `from franca import …`
FILES = sorted(SOURCE.rglob("*.py"))


def part(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The dotted names of the modules that a file imports, at any depth, less those for types."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    package = ["franca", *path.relative_to(SOURCE).parent.parts]
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def test_every_part_has_its_place() -> None:
    parts = {part(path) for path in FILES} - {"__init__", "__main__"}
    assert parts <= set(ORDER)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_up(path: Path) -> None:
    own = part(path)
    if own in ("__init__", "__main__"):
        return
    above = ORDER[: ORDER.index(own) + 1]
    ours = [name.split(".") for name in imported(path) if name.split(".")[0] == "franca"]
    wrong = [".".join(name) for name in ours if len(name) > 1 and name[1] not in above]
    if own in FACADES:
        wrong = [name for name in wrong if name.split(".")[1] in ORDER]
    assert wrong == []


@pytest.mark.parametrize(
    "path", [p for p in FILES if part(p) in PURE], ids=lambda p: str(p.relative_to(SOURCE))
)
def test_the_pure_parts_stay_pure(path: Path) -> None:
    tops = {name.split(".")[0] for name in imported(path)}
    assert tops & EFFECTS == set()
    assert not any(name.startswith("urllib.request") for name in imported(path))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_the_sdks_http_library_is_theirs(path: Path) -> None:
    assert {name.split(".")[0] for name in imported(path)}.isdisjoint({"httpx", "httpx2"})


def test_importing_franca_loads_nothing_heavy() -> None:
    heavy = "openai anthropic httpx httpx2 aiohttp pydantic pydantic_settings typer rich yaml"
    code = f"import sys, franca; print(*[m for m in {heavy.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
