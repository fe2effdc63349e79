"""`Settings`: loads a document, holds its snapshot, and answers where a model is."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from franca.errors import SettingsError, scrub
from franca.settings.mask import masked, secrets_in
from franca.settings.problems import SettingsWarning
from franca.settings.references import expand
from franca.settings.snapshot import Snapshot, snapshot_of
from franca.settings.sources import environment, merged, read
from franca.settings.target import Target
from franca.settings.upgrade import upgraded

Source = Mapping[str, Any] | str | Path


def _copied(value: Any) -> Any:
    """The same document in containers of our own; callables and keys stay what they are."""
    if isinstance(value, Mapping):
        return {name: _copied(inner) for name, inner in value.items()}
    return [_copied(v) for v in value] if isinstance(value, list | tuple) else value


def _scrubbed(lines: list[str], *documents: Any) -> list[str]:
    secrets = sorted(set().union(*map(secrets_in, documents)), key=len, reverse=True)
    return [scrub(line, secrets) for line in dict.fromkeys(lines)]


def _warn(lines: list[str], source: str | None) -> None:
    if lines:
        head = f"the settings{f' ({source})' if source else ''} were loaded, but:"
        warnings.warn("\n  ".join([head, *lines]), SettingsWarning, stacklevel=5)


def build(
    document: Any,
    *,
    source: str | None = None,
    base: Path | None = None,
    strict: bool = False,
    notes: list[str] | None = None,
) -> Snapshot:
    """A document's snapshot.

    Args:
        source: the document's origin, for errors.
        base: the folder of `${file:…}`; the current one where there is none.
        strict: what would only warn is an error.
        notes: further lines to warn of.

    Raises:
        SettingsError: everything that is wrong with it, at once.
    """
    from franca.settings.check import check
    from franca.settings.validate import validate

    if not isinstance(document, Mapping):
        line = f"(top level): expected a mapping of names, got {type(document).__name__}"
        raise SettingsError([line], source)
    raw, old_form = upgraded(_copied(document), source)
    problems: list[str] = []
    full = expand(raw, base or Path(), problems)
    odd = [*(notes or ()), *old_form]
    typed = validate(full, problems, odd)
    found = check(full)
    problems += found.problems
    odd += found.warnings
    if typed is None or problems or (strict and odd):
        raise SettingsError(_scrubbed(problems + odd, raw, full), source)
    _warn(_scrubbed(odd, raw, full), source)
    return snapshot_of(typed, raw, source)


def _read(source: Source | None, strict: bool) -> Snapshot:
    if source is None:
        document, origin, notes = environment()
        base = Path(origin).expanduser().parent if origin != "environment" else None
        return build(document, source=origin, base=base, strict=strict, notes=notes)
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        return build(read(path), source=str(path), base=path.parent, strict=strict)
    return build(source, strict=strict)


class Settings:
    """Settings that can be loaded anew at any time, from any thread.

    A load makes a new snapshot and puts it in place in one assignment: a reader sees the old one
    or the new one, whole, and a load that fails changes nothing.

    Args:
        source: a document or the path of a file; none makes empty settings.
        strict: unknown keys and references that lead nowhere are errors.
        sections: the document's own keys, for `Settings(**document)`.
    """

    __slots__ = ("__weakref__", "_snapshot")

    def __init__(
        self, source: Source | None = None, /, *, strict: bool = False, **sections: Any
    ) -> None:
        self._snapshot = Snapshot()
        given = sections if source is None else source
        if given:
            self._snapshot = _read(given, strict)

    @property
    def snapshot(self) -> Snapshot:
        """What is loaded now; it does not change, another load puts another in its place."""
        return self._snapshot

    def load(self, source: Source | Settings | None = None, *, strict: bool = False) -> Self:
        """Loads a document in place of the current one.

        Args:
            source: a dict, the path of a JSON, YAML or TOML file, or other settings; without it
                the environment: `FRANCA_SETTINGS` names a file, `FRANCA_*` lie over it.
            strict: unknown keys and references that lead nowhere are errors.

        Raises:
            SettingsError: every problem, each with its path; the current settings stay.
        """
        new = source.snapshot if isinstance(source, Settings) else _read(source, strict)
        self._snapshot = new
        return self

    def resolve(self, backend: str, model: str | None = None) -> tuple[Target, ...]:
        """Where a model can be called, best first.

        Args:
            backend: the backend's name or `BackendType` member.
            model: the model's name in the settings; None is the backend's first. One that is not
                listed goes to the backend's default endpoint, or to the vendor's own where the
                settings do not speak of the backend and its key is in the environment.

        Raises:
            SettingsError: there is no way to it; says what to write.
        """
        return self._snapshot.resolve(backend, model)

    def targets(self) -> Iterator[Target]:
        """Every target of every enabled model, in the order of the file."""
        table = self._snapshot.targets
        return (t for (_, model), found in table.items() if model is not None for t in found)

    @property
    def prices(self) -> Mapping[str, Any]:
        """The section `franca.prices`; empty where there is none."""
        return self._own("prices")

    @property
    def rates(self) -> Mapping[str, Decimal]:
        """How much of each currency a US dollar buys: the section `franca.rates`."""
        return self._own("rates")

    def _own(self, section: str) -> Mapping[str, Any]:
        document = self._snapshot.document
        own = document.franca if document is not None else None
        return getattr(own, section, None) or {}

    def export(self) -> dict[str, Any]:
        """The document that is loaded, every key of it `***`."""
        return masked(self._snapshot.raw)

    @contextmanager
    def override(self, changes: Source | None = None, /, **sections: Any) -> Generator[Self]:
        """Other settings for the time of a `with` block, for tests; for all threads alike.

        Args:
            changes: a path or a document with `VERSION` takes the current one's place; a dict
                without one lies over it: mappings join, lists and values are replaced.
            sections: changes as keywords.
        """
        before = self._snapshot
        self._snapshot = self._changed(changes, sections)
        try:
            yield self
        finally:
            self._snapshot = before

    def _changed(self, changes: Source | None, sections: Mapping[str, Any]) -> Snapshot:
        whole = changes if changes is not None else sections
        if isinstance(whole, str | Path) or "VERSION" in whole:
            return _read(whole, strict=False)
        before = self._snapshot
        origin = before.source
        base = Path(origin).parent if origin and origin != "environment" else None
        document = merged(merged(before.raw, whole), sections)
        return build(document, source=origin, base=base)

    def __repr__(self) -> str:
        return f"<Settings: {self._snapshot!r}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("Settings hold keys and are not pickled: load them again on the other side")


settings = Settings()
