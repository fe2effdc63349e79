"""One loaded state, whole and unchanging: what every reader sees until the next load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from franca.backends import BACKENDS
from franca.errors import SettingsError
from franca.settings.build import Builder, for_model, implicit_endpoint, make_target
from franca.settings.policy import DEFAULT, Policy, policy_of
from franca.settings.problems import nearest, place
from franca.settings.target import Target
from franca.types import BackendType

if TYPE_CHECKING:
    from franca.settings.schema import BackendSettings, Document

Table = Mapping[tuple[str, str | None], tuple[Target, ...]]
_MADE = 1024  # names that callers may make up are not kept without end
_ANY = "${model}"  # the model of a default endpoint's pattern, until a name takes its place


@dataclass(slots=True, frozen=True)
class Snapshot:
    """A document with all its targets resolved.

    Args:
        targets: by (backend, model); (backend, None) is the backend's first model.
        patterns: by backend, the default endpoint's targets for models that no one listed.
        models: by backend, the names in the document; a backend that is not here is not in it.
        document: the validated document, None where nothing was loaded.
        raw: the document as it was given, references unresolved.
        source: the file, or what else it came from.
        policy: how calls are tried again and spread.
    """

    targets: Table = field(default_factory=dict)
    patterns: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    document: Document | None = field(default=None, repr=False)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    source: str | None = None
    policy: Policy = DEFAULT
    _made: dict[tuple[str, str], tuple[Target, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __repr__(self) -> str:
        return f"<Snapshot of {self.source or 'a dict'}: {len(self.targets)} entries>"

    def resolve(self, backend: str, model: str | None = None) -> tuple[Target, ...]:
        """See `Settings.resolve`."""
        found = self.targets.get((backend, model))
        return found if found is not None else self._unlisted(backend, model)

    def _unlisted(self, backend: str, model: str | None) -> tuple[Target, ...]:
        """What the document does not list: a default endpoint's model, or the vendor's own."""
        try:
            row = BACKENDS[BackendType(str(backend).lower())]
        except ValueError:
            hint = nearest(str(backend).lower(), [b.value for b in BackendType])
            raise SettingsError([f"backend {str(backend)!r}: no such backend{hint}"]) from None
        name = row.backend.value
        if (name, model) in self.targets:
            return self.targets[name, model]
        wanted = model or row.default_model
        if wanted is None or wanted in self.models.get(name, ()):
            raise SettingsError([self._unusable(name, model)], self.source)
        if name in self.patterns:
            return self._patterned(name, wanted)
        endpoint = None if name in self.models else implicit_endpoint(row)
        if endpoint is None:
            raise SettingsError([self._missing(name, wanted, row.key)], self.source)
        return (make_target(name, wanted, wanted, endpoint, policy=self.policy),)

    def _patterned(self, backend: str, model: str) -> tuple[Target, ...]:
        """The default endpoint's targets for a model, made once: a call asks for them anew."""
        found = self._made.get((backend, model))
        if found is None:
            found = tuple(for_model(target, model) for target in self.patterns[backend])
            if len(self._made) < _MADE:
                self._made[backend, model] = found
        return found

    def _unusable(self, backend: str, model: str | None) -> str:
        if model is None:
            where = f"backends.{backend}"
            return f"{where}: no model named, and none enabled in the settings; give model="
        return f"{place(('backends', backend, 'models', model))}: switched off"

    def _missing(self, backend: str, model: str, key: str | None) -> str:
        if backend not in self.models:
            ways = f"write backends.{backend} and an endpoint for it, or give base_url and api_key"
            ways += f", or set {key}" if key else ""
            return f"backends.{backend}: not in the settings; {ways}"
        names = self.models[backend]
        hint = nearest(model, names)
        known = f"; known: {', '.join(names[:8])}" if names and not hint else ""
        where = place(("backends", backend, "models", model))
        return f"{where}: not in the settings{hint}{known}; add it, or a default_endpoint"


def _pattern(builder: Builder, name: str, backend: BackendSettings) -> tuple[Target, ...]:
    from franca.settings.schema import ModelSettings

    if backend.default_endpoint is None:
        return ()
    return builder.targets(name, _ANY, ModelSettings(), backend.default_endpoint)


def snapshot_of(document: Document, raw: Mapping[str, Any], source: str | None) -> Snapshot:
    """Everything of a document resolved."""
    builder = Builder(document)
    targets: dict[tuple[str, str | None], tuple[Target, ...]] = {}
    patterns: dict[str, tuple[Target, ...]] = {}
    known = {n: b for n, b in document.backends.items() if n in BACKENDS}
    for name, backend in known.items():
        for model, settings in backend.models.items():
            if settings.enabled:
                found = builder.targets(name, model, settings, backend.default_endpoint)
                targets[name, model] = found
                targets.setdefault((name, None), found)
        if pattern := _pattern(builder, name, backend):
            patterns[name] = pattern
    models = {name: tuple(backend.models) for name, backend in known.items()}
    return Snapshot(
        MappingProxyType(targets),
        MappingProxyType(patterns),
        MappingProxyType(models),
        document,
        raw,
        source,
        policy_of(document.franca),
    )
