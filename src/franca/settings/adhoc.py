"""Targets without any file: an address and a key given to the factory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from franca.backends import BACKENDS
from franca.errors import SettingsError
from franca.settings.build import is_native, make_target, url_of
from franca.settings.target import Endpoint, Secret, Target
from franca.settings.wires import is_http, kind_of
from franca.types import BackendType

_TEXTS = ("api_base", "endpoint_type", "region")
_OF_BINDING = ("model_id", "priority", "weight")
Key = str | Callable[[], str] | Secret


def adhoc(
    backend: str,
    model: str | None = None,
    *,
    base_url: str | None = None,
    api_key: Key | None = None,
    endpoint_type: str | None = None,
    region: str | None = None,
    endpoints: Sequence[Mapping[str, Any]] | None = None,
    **fields: Any,
) -> tuple[Target, ...]:
    """The targets of a model at addresses that no settings name; checked as a file is.

    Args:
        backend: whose wire and quirks hold.
        model: the vendor's name for it; None takes the backend's first.
        base_url: the address; without it the vendor's own, for the `region`.
        api_key: the key; without key and address, that of the backend's environment variable.
        endpoints: several, each with the fields of a settings file's endpoint and of a binding
            (`model_id`, `priority`, `weight`); each takes from the other arguments what it lacks.
        fields: further fields of an endpoint, such as `headers`, `proxy`, `timeout`.

    Raises:
        SettingsError: every problem, each with its path.
    """
    given = {
        "api_base": base_url,
        "api_key": api_key,
        "endpoint_type": endpoint_type,
        "region": region,
        **fields,
    }
    common = tuple((name, value) for name, value in given.items() if value is not None)
    if endpoints is None and _can_be_kept(common):
        return _kept(str(backend), model, common)
    return _targets(str(backend), model, dict(common), endpoints)


def _can_be_kept(common: tuple[tuple[str, Any], ...]) -> bool:
    """Whether nothing is read from the environment or a file, and everything is hashable."""
    plain = all(isinstance(v, str | float | int | Secret) or callable(v) for _, v in common)
    read = any(isinstance(v, str) and "${" in v for _, v in common)
    from_variable = not any(name in ("api_key", "api_base") for name, _ in common)
    return plain and not read and not from_variable


@lru_cache(maxsize=256)
def _kept(
    backend: str, model: str | None, common: tuple[tuple[str, Any], ...]
) -> tuple[Target, ...]:
    """The same for the same arguments: a service makes a client for every request."""
    place = dict(common)
    return _plain(backend, model, place) or _targets(backend, model, place, None)


def _plain(backend: str, model: str | None, place: Mapping[str, Any]) -> tuple[Target, ...]:
    """The target of an address and a key, for which nobody need wait for the schema to load.

    Empty where anything else is given, or is wrong: the schema says it better.
    """
    texts = all(isinstance(place.get(name, ""), str) for name in _TEXTS)
    row = BACKENDS.get(backend.lower())
    if not (row and model and texts and place.keys() <= {"api_key", *_TEXTS}):
        return ()
    kind = kind_of(place, row)
    base, key, region = (place.get(n) for n in ("api_base", "api_key", "region"))
    if kind is None or not (is_http(base) if base else is_native(kind, row)):
        return ()
    if not (key is None or isinstance(key, str | Secret)):
        return ()
    name = row.backend.value
    secret = Secret(key) if isinstance(key, str) else key
    endpoint = Endpoint(name, kind, url_of(base, kind, row, region), secret, region)
    return (make_target(name, model, model, endpoint),)


def _targets(
    backend: str,
    model: str | None,
    common: Mapping[str, Any],
    endpoints: Sequence[Mapping[str, Any]] | None,
) -> tuple[Target, ...]:
    from franca.settings.load import build

    name = backend.lower()
    row = BACKENDS[BackendType(name)] if name in BACKENDS else None
    model = model or (row.default_model if row else None)
    if row is None or model is None:
        from franca.settings.snapshot import Snapshot

        Snapshot().resolve(backend, model)  # raises, and says why
        raise SettingsError([f"backend {name}: name a model"])
    _check(endpoints)
    places, bindings = [], []
    for i, endpoint in enumerate(endpoints if endpoints is not None else [{}], 1):
        own = {_renamed(k): v for k, v in endpoint.items() if k not in _OF_BINDING}
        place = {"id": name if endpoints is None else f"{name}-{i}", **common, **own}
        places.append(place)
        of_binding = {k: endpoint[k] for k in _OF_BINDING if k in endpoint}
        bindings.append({"endpoint_id": place["id"], **of_binding})
    models = {model: {"endpoints": bindings}}
    document = {"endpoints": places, "backends": {name: {"models": models}}}
    return build(document, source="create_chat_client").resolve(name, model)


def _check(endpoints: object) -> None:
    """Raise where `endpoints` is no list of mappings."""
    plain = isinstance(endpoints, Sequence) and not isinstance(endpoints, str)
    if endpoints is None or (plain and all(isinstance(e, Mapping) for e in endpoints)):
        return
    line = 'endpoints: expected a list of mappings, as [{"base_url": "https://…"}]'
    raise SettingsError([f"{line}, got {type(endpoints).__name__}"], "create_chat_client")


def _renamed(field: str) -> str:
    return "api_base" if field == "base_url" else field
