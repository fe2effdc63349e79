"""What a schema cannot say: duplicate ids, references that lead nowhere, models without endpoint.

Works on the plain document and passes over whatever is of a wrong type, so that these problems
are told together with those of the types.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from franca.backends import BACKENDS, QUIRK_NAMES
from franca.settings.problems import Step, nearest, place
from franca.settings.upgrade import BACKEND_NAMES
from franca.settings.wires import is_http, is_plain, kind_of, wire_of
from franca.types import BackendType

_SECTIONS = ("backends", "embedding_backends", "rerank_backends", "decision_backends")
_TEMPLATE = re.compile(r"\$\{(\w+)\}")
_REDIS = "expected redis://host:port/db; or rediss, redis+sentinel, redis+cluster, or unix:///path"
_CAPABILITIES = frozenset(QUIRK_NAMES) | {
    "tools", "structured_output", "input_modalities", "output_modalities"
}  # fmt: skip
_TEMPLATES = ("model_id", "model", "backend", "endpoint_id", "api_base", "user")


@dataclass(slots=True)
class Findings:
    """Lines for an error, and lines for a warning."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def _items(value: Any, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    inner = value.get(name) if isinstance(value, Mapping) else None
    for key, item in inner.items() if isinstance(inner, Mapping) else ():
        if isinstance(item, Mapping):
            yield str(key), item


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    inner = value.get(name)
    return list(inner) if isinstance(inner, list | tuple) else []


def _endpoints(document: Mapping[str, Any], found: Findings) -> dict[str, Mapping[str, Any]]:
    """The endpoints by id; an id given twice is a problem."""
    first: dict[str, int] = {}
    endpoints: dict[str, Mapping[str, Any]] = {}
    for i, endpoint in enumerate(_list(document, "endpoints")):
        name = endpoint.get("id") if isinstance(endpoint, Mapping) else None
        if not isinstance(name, str):
            continue
        if name in first:
            line = (
                f"expected an id of its own; {name!r} is already that of endpoints[{first[name]}]"
            )
            found.problems.append(f"endpoints[{i}].id: {line}")
            continue
        first[name], endpoints[name] = i, endpoint
    return endpoints


def _endpoint_of(binding: Any) -> str | None:
    name = binding.get("endpoint_id") if isinstance(binding, Mapping) else binding
    return name if isinstance(name, str) else None


def _is_off(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("enabled") is False


def _dangling(name: str, endpoints: Mapping[str, Any]) -> str:
    hint = nearest(name, endpoints) or _offer(endpoints)
    return f"expected an endpoint's id, and there is no {name!r}{hint}"


def _model(
    model: Mapping[str, Any],
    default: str | None,
    steps: tuple[Step, ...],
    endpoints: Mapping[str, Mapping[str, Any]],
    found: Findings,
) -> None:
    """A model's bindings: each must lead somewhere, and one to an endpoint that is on."""
    given_bindings = _list(model, "endpoints")
    bindings = [_endpoint_of(b) for b in given_bindings]
    dangling = [
        f"{place((*steps, 'endpoints', i))}: {_dangling(name, endpoints)}"
        for i, name in enumerate(bindings)
        if name is not None and name not in endpoints
    ]
    wrong = None in bindings or not isinstance(model.get("endpoints", []), list)
    if wrong or _is_off(model):  # the schema tells what is wrong; what is off needs no endpoint
        found.warnings += dangling
        return
    live = {name for name, endpoint in endpoints.items() if not _is_off(endpoint)}
    on = {b for b, given in zip(bindings, given_bindings, strict=True) if not _is_off(given)} & live
    if not bindings and default in live:
        on = live
    (found.warnings if on else found.problems).extend(dangling)
    if not on and not dangling:
        line = "expected at least one endpoint that exists and is enabled"
        if bindings:
            line += ", or the model itself switched off"
        found.problems.append(f"{place((*steps, 'endpoints'))}: {line}{_offer(endpoints)}")


def _offer(endpoints: Mapping[str, Any]) -> str:
    names = [name for name, endpoint in endpoints.items() if not _is_off(endpoint)][:5]
    return f"; known: {', '.join(names)}" if names else ""


def _backend(
    backend: Mapping[str, Any],
    steps: tuple[Step, ...],
    endpoints: Mapping[str, Mapping[str, Any]],
    found: Findings,
) -> None:
    default = backend.get("default_endpoint")
    default = default if isinstance(default, str) else None
    if default is not None and default not in endpoints:
        line = f"{place((*steps, 'default_endpoint'))}: {_dangling(default, endpoints)}"
        found.problems.append(line)
    for name, model in _items(backend, "models"):
        if default is None or default in endpoints or model.get("endpoints"):
            _model(model, default, (*steps, "models", name), endpoints, found)


def _used(backend: Mapping[str, Any]) -> set[str]:
    bindings = [b for _, model in _items(backend, "models") for b in _list(model, "endpoints")]
    return {n for n in (*map(_endpoint_of, bindings), backend.get("default_endpoint")) if n}


def _addresses(
    document: Mapping[str, Any], endpoints: Mapping[str, Mapping[str, Any]], found: Findings
) -> None:
    """An endpoint that speaks another wire than its backend's own must say where it is."""
    for name, backend in _items(document, "backends"):
        if name not in BACKEND_NAMES:
            continue
        row = BACKENDS[BackendType(name)]
        for used in sorted(_used(backend) & endpoints.keys()):
            kind = kind_of(endpoints[used], row)
            foreign = kind is not None and is_plain(kind) and wire_of(kind) != row.wire
            if kind and foreign and not endpoints[used].get("api_base"):
                line = f"expected an address; {kind.value} is not the wire of {name}'s own"
                found.problems.append(f"{_where(document, used)}.api_base: {line}")


def _where(document: Mapping[str, Any], name: str) -> str:
    ids = [e.get("id") if isinstance(e, Mapping) else None for e in _list(document, "endpoints")]
    return place(("endpoints", ids.index(name)))


def _headers(document: Mapping[str, Any], found: Findings) -> None:
    for i, endpoint in enumerate(_list(document, "endpoints")):
        headers = endpoint.get("headers") if isinstance(endpoint, Mapping) else None
        for header, value in headers.items() if isinstance(headers, Mapping) else ():
            for name in _TEMPLATE.findall(value) if isinstance(value, str) else ():
                if name not in _TEMPLATES:
                    where = place(("endpoints", i, "headers", header))
                    hint = nearest(name, _TEMPLATES)
                    found.warnings.append(f"{where}: unknown template ${{{name}}}{hint}")


def _endpoint_urls(document: Mapping[str, Any], found: Findings) -> None:
    """An address says how it is spoken to. One whose reference is missing is told of already."""
    for i, endpoint in enumerate(_list(document, "endpoints")):
        url = endpoint.get("api_base") if isinstance(endpoint, Mapping) else None
        plain = isinstance(url, str) and url.strip() and "${" not in url
        if plain and not _is_off(endpoint) and not is_http(url.strip()):
            line = "expected http:// or https:// and a host"
            found.problems.append(f"{place(('endpoints', i, 'api_base'))}: {line}")


def _is_on(document: Mapping[str, Any], found: Findings) -> None:
    """A section of limits is off until it says otherwise, which is easily overlooked."""
    limits = document.get("rate_limit")
    if isinstance(limits, Mapping) and limits and limits.get("enabled") is None:
        line = "not said, so no limit holds; expected true or false"
        found.warnings.append(f"rate_limit.enabled: {line}")


def _capabilities(document: Mapping[str, Any], found: Findings) -> None:
    """Capabilities may have names that franca does not know; one that it nearly knows is odd."""
    endpoints = enumerate(_list(document, "endpoints"))
    places: list[tuple[tuple[Step, ...], Any]] = [(("endpoints", i), e) for i, e in endpoints]
    for backend, section in _items(document, "backends"):
        for model, given in _items(section, "models"):
            steps = ("backends", backend, "models", model)
            places.append((steps, given))
            bindings = enumerate(_list(given, "endpoints"))
            places += [((*steps, "endpoints", i), binding) for i, binding in bindings]
    for steps, part in places:
        given = part.get("capabilities") if isinstance(part, Mapping) else None
        for name in given if isinstance(given, Mapping) else ():
            if name not in _CAPABILITIES and (hint := nearest(name, _CAPABILITIES, 0.8)):
                where = place((*steps, "capabilities", str(name)))
                found.warnings.append(f"{where}: unknown key{hint}")


def _redis(document: Mapping[str, Any], found: Findings) -> None:
    """Nothing of the URL is repeated: it may hold a password."""
    limits = document.get("rate_limit")
    redis = limits.get("redis") if isinstance(limits, Mapping) else None
    url = redis.get("url") if isinstance(redis, Mapping) else None
    if isinstance(url, str) and not _is_redis(url):
        found.problems.append(f"rate_limit.redis.url: {_REDIS}")


def _is_redis(url: str) -> bool:
    """Whether a URL is of a form that `franca.limits.redis` takes."""
    try:
        parts = urlsplit(url)
        nodes = [urlsplit(f"//{node}") for node in parts.netloc.rpartition("@")[2].split(",")]
        ports = [node.port for node in nodes]
    except ValueError:
        return False
    scheme, _, kind = parts.scheme.partition("+")
    if scheme == "unix":
        return not kind and bool(parts.path)
    service, database = "", parts.path.strip("/")
    if kind == "sentinel":
        service, _, database = database.partition("/")
    if scheme not in ("redis", "rediss") or not (database.isdecimal() or not database):
        return False
    return {"": len(ports) == 1, "cluster": True, "sentinel": bool(service)}.get(kind, False)


def _token_server(document: Mapping[str, Any], found: Findings) -> None:
    section = document.get("token_server")
    url = section.get("url") if isinstance(section, Mapping) else None
    if isinstance(url, str) and not is_http(url):
        found.problems.append("token_server.url: expected http:// or https:// and a host")


def _serves(backend: str, model: str, backends: Mapping[str, Any]) -> bool:
    """Whether a backend has the model, or takes whatever it is asked for."""
    row = BACKENDS[BackendType(backend)]
    if backend not in backends:
        return not row.key or bool(os.environ.get(row.key))
    models = backends[backend].get("models")
    if isinstance(models, Mapping) and model in models:
        return not _is_off(models[model])
    return isinstance(backends[backend].get("default_endpoint"), str)


def _named(name: str) -> tuple[str | None, str]:
    """(backend, model) of `backend/model`; (None, name) where the first part is no backend."""
    backend, _, model = name.partition("/")
    return (backend.lower(), model) if model and backend.lower() in BACKENDS else (None, name)


def _homes(name: str, backends: Mapping[str, Any]) -> list[str]:
    """The backends whose model a key of the section means; none where that cannot be told."""
    backend, model = _named(name)
    whole = [b for b in backends if name in dict(_items(backends[b], "models"))]
    if backend is None:
        return whole
    return whole + ([backend] if _serves(backend, model, backends) else [])


def _lost(name: str, homes: list[str], backends: Mapping[str, Any]) -> str | None:
    """What is wrong with a model that calls of models of `homes` are to go to."""
    backend, model = _named(name)
    away = [home for home in homes if not _serves(home, name, backends)]
    if not away and (homes or backend is None):
        return None
    where = backend or away[0]
    if backend is not None and _serves(backend, model, backends):
        return None
    if where not in backends:
        key = BACKENDS[BackendType(where)].key
        return f"expected a model, and {where} is not in the settings, nor {key} in the environment"
    full = [f"{b}/{m}" for b in backends for m in _on(b, backends)]
    same = [other for other in full if _named(other)[1] == name]
    known = full + [m for home in homes for m in _on(home, backends)] if backend else []
    hint = f"; did you mean {same[0]!r}?" if same else nearest(name, known or _on(where, backends))
    return f"expected a model, and {where} has no {model!r}{hint}"


def _on(backend: str, backends: Mapping[str, Any]) -> list[str]:
    return [name for name, model in _items(backends.get(backend), "models") if not _is_off(model)]


def _fallbacks(document: Mapping[str, Any], found: Findings) -> None:
    """Every model that the sections name is one that a call could go to."""
    backends = {n: b for n, b in _items(document, "backends") if n in BACKEND_NAMES}
    known = [name for b in backends for m in _on(b, backends) for name in (m, f"{b}/{m}")]
    # a name alone may be a model of any backend that takes what is not listed
    anything = any(b.get("default_endpoint") for b in backends.values()) or any(
        row.key and os.environ.get(row.key) for b, row in BACKENDS.items() if b not in backends
    )
    for section in ("fallbacks", "context_fallbacks"):
        models = document.get("franca")
        models = models.get(section) if isinstance(models, Mapping) else None
        for name, to in models.items() if isinstance(models, Mapping) else ():
            homes, steps = _homes(str(name), backends), ("franca", section, str(name))
            if not homes and (_named(str(name))[0] is not None or not anything):
                line = f"expected a model, and there is no {str(name)!r}{nearest(name, known)}"
                found.problems.append(f"{place(steps)}: {line}")
            for i, other in enumerate([to] if isinstance(to, str) else _list({"to": to}, "to")):
                if isinstance(other, str) and (lost := _lost(other, homes, backends)):
                    found.problems.append(f"{place((*steps, i))}: {lost}")


def check(document: Mapping[str, Any]) -> Findings:
    """The problems and the oddities of a version 2 document, each with its place."""
    found = Findings()
    endpoints = _endpoints(document, found)
    for section in _SECTIONS:
        for name, backend in _items(document, section):
            if section == "backends" and name not in BACKEND_NAMES:
                hint = nearest(name.lower(), BACKEND_NAMES)
                found.warnings.append(f"backends.{name}: unknown backend, left out{hint}")
            _backend(backend, (section, name), endpoints, found)
    _addresses(document, endpoints, found)
    _headers(document, found)
    _endpoint_urls(document, found)
    _is_on(document, found)
    _capabilities(document, found)
    _redis(document, found)
    _token_server(document, found)
    _fallbacks(document, found)
    return found
