"""From a validated document to targets: all that a call needs, merged and rendered once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from franca.backends import BACKENDS, QUIRK_NAMES, Quirks, Row
from franca.settings.counting import LIMITS, counting
from franca.settings.known import fields_for, known
from franca.settings.policy import policy_of
from franca.settings.target import Endpoint, Secret, Target
from franca.settings.wires import at_address, is_plain, kind_of, of_cloud, wire_of
from franca.types import BackendType, EndpointType

if TYPE_CHECKING:
    from franca.settings.price_form import Prices
    from franca.settings.schema import (
        Binding,
        ClientCertificate,
        Document,
        EndpointSettings,
        ModelSettings,
    )

_TEMPLATE = re.compile(r"\$\{(\w+)\}")


def _frozen(value: Any) -> Any:
    """The value as tuples, so that it can be hashed."""
    if isinstance(value, Mapping):
        return tuple(sorted((str(k), _frozen(v)) for k, v in value.items()))
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _verify(verify: bool | str | ClientCertificate) -> bool | str | tuple[str, ...]:
    if isinstance(verify, bool | str):
        return verify
    parts = (verify.cert, verify.key or "", verify.ca or "")
    return parts if verify.ca else tuple(p for p in parts if p)


def url_of(api_base: str | None, kind: EndpointType, row: Row, region: str | None = None) -> str:
    """The base URL; the beginning of the vendor's own address stands for the whole of it."""
    own = row.url(region) if is_native(kind, row) else ""
    url = (api_base or own).strip().rstrip("/")
    return own if own.startswith(f"{url}/") else url


def is_native(kind: EndpointType, row: Row) -> bool:
    """Whether the vendor's own address and key are what a type speaks to."""
    return is_plain(kind) and wire_of(kind) == row.wire


def environment_key(row: Row) -> Secret | None:
    """The key in the variable that the vendor's own SDK reads."""
    key = os.environ.get(row.key) if row.key else None
    return Secret(key) if key else None


def endpoint_for(row: Row, settings: EndpointSettings) -> Endpoint:
    """An endpoint as one backend uses it.

    One without address and key is the vendor's own, with the key that its variable holds.
    """
    kind = kind_of(dict(settings), row)
    assert kind is not None  # the schema has seen to it
    key = settings.api_key
    if key is None and is_native(kind, row) and settings.api_base is None:
        key = environment_key(row)
    return Endpoint(
        id=settings.id,
        type=kind,
        url=url_of(settings.api_base, kind, row, settings.region),
        api_key=key,
        region=settings.region,
        credentials=_frozen(_credentials(settings)),
        headers=_frozen(settings.headers or {}),
        proxy=settings.proxy,
        organization=settings.organization,
        timeout=settings.timeout,
        verify=_verify(settings.verify),
    )


def _credentials(settings: EndpointSettings) -> dict[str, Any]:
    """The cloud's own, with the token that older files keep beside them."""
    token = {"access_token": settings.access_token} if settings.access_token else {}
    return {**token, **(settings.credentials or {})}


def implicit_endpoint(row: Row) -> Endpoint | None:
    """The vendor's own endpoint with the key of the environment, None where that has none."""
    key = environment_key(row)
    if row.key and not key:
        return None
    kind = kind_of({}, row)
    assert kind is not None
    return Endpoint(row.backend.value, kind, row.url(), key)


def _merged(quirks: Quirks, layers: Iterable[Any]) -> Quirks:
    for layer in layers:
        if layer is not None:
            fields = QUIRK_NAMES & layer.model_fields_set
            changes = {name: getattr(layer, name) for name in fields}
            if layer.structured_output is not None:
                changes.setdefault("json_schema", layer.structured_output == "json_schema")
            quirks = quirks.merge(**{n: v for n, v in changes.items() if v is not None})
    return quirks


def _abilities(model: ModelSettings, binding: Binding | None) -> dict[str, bool | None]:
    """What the model can do: capabilities, where given, say it over the older flags."""
    said: dict[str, Any] = {}
    for layer in (model.capabilities, binding.capabilities if binding else None):
        said.update(layer.model_dump(exclude_none=True) if layer else {})
    abilities = {
        "function_call_available": model.function_call_available,
        "response_format_available": model.response_format_available,
        "native_multimodal": model.native_multimodal,
    }
    if "tools" in said:
        abilities["function_call_available"] = said["tools"]
    if "structured_output" in said:
        abilities["response_format_available"] = said["structured_output"] != "none"
    if "input_modalities" in said:
        abilities["native_multimodal"] = "image" in said["input_modalities"]
    return abilities


def rendered(headers: Iterable[tuple[str, str]], names: Mapping[str, str]) -> Mapping[str, str]:
    """Headers with `${model_id}` and its like filled in; a name not known here stays."""

    def text(value: str) -> str:
        return _TEMPLATE.sub(lambda m: names.get(m[1], m[0]), value) if "${" in value else value

    return MappingProxyType({name: text(value) for name, value in headers})


def make_target(
    backend: str,
    model: str,
    model_id: str,
    endpoint: Endpoint,
    layers: Iterable[Any] = (),
    **more: Any,
) -> Target:
    """A target; wire and headers follow from the endpoint.

    What nobody says is the catalogue's: `layers` are capabilities that lie over its quirks, `more`
    further fields over its facts, where they are not None; a length of 0 is none.
    """
    wire = wire_of(endpoint.type)
    quirks, facts = known(backend, wire, model_id, model)
    more = {**facts, **{name: value for name, value in more.items() if value is not None}}
    for length in ("context_length", "max_output_tokens"):
        more[length] = more[length] or None
    quirks = at_address(quirks, BACKENDS[BackendType(backend)], endpoint.url)
    quirks = _merged(of_cloud(quirks, endpoint.type), layers)
    headers = _headers(backend, model, model_id, endpoint)
    return Target(backend, model, model_id, endpoint, wire, quirks, headers, **more)


def _headers(backend: str, model: str, model_id: str, endpoint: Endpoint) -> Mapping[str, str]:
    names = {
        "backend": backend,
        "model": model,
        "model_id": model_id,
        "endpoint_id": endpoint.id,
        "api_base": endpoint.url,
    }
    return rendered(endpoint.headers, names)


def for_model(target: Target, model: str) -> Target:
    """The same place for another model: what the settings say stays, the rest is that model's."""
    headers = _headers(target.backend, model, model, target.endpoint)
    return replace(target, headers=headers, **fields_for(target, model))


class Builder:
    """Builds one document's targets; an endpoint is made once a backend."""

    def __init__(self, document: Document) -> None:
        self._settings = {e.id: e for e in document.endpoints if e.enabled}
        self._limits = document.rate_limit if _enabled(document) else None
        self._counting = counting(document.rate_limit)
        section = document.franca.prices if document.franca else None
        self._prices = _prices(section) if section else None
        self._policy = policy_of(document.franca)
        self._endpoints: dict[tuple[str, str], Endpoint] = {}

    def target(
        self, backend: str, name: str, model: ModelSettings, binding: Binding
    ) -> Target | None:
        """The target of a binding, None where the endpoint is off or does not exist."""
        settings = self._settings.get(binding.endpoint_id)
        if settings is None or binding.enabled is False:
            return None
        row = BACKENDS[BackendType(backend)]
        key = (backend, settings.id)
        if key not in self._endpoints:
            self._endpoints[key] = endpoint_for(row, settings)
        endpoint = self._endpoints[key]
        layers = (settings.capabilities, model.capabilities, binding.capabilities)
        return make_target(
            backend,
            name,
            binding.model_id or model.id or name,
            endpoint,
            layers,
            priority=binding.priority,
            weight=binding.weight,
            **self._figures(binding, settings),
            prices=self._prices,
            policy=self._policy,
            context_length=model.context_length,
            max_output_tokens=model.max_output_tokens,
            max_image_dimension=model.max_image_dimension,
            **_abilities(model, binding),
        )

    def _figures(self, binding: Binding, settings: EndpointSettings) -> dict[str, Any]:
        """The limits: the binding's over the endpoint's over the defaults; 0 is none."""
        found = {name: getattr(binding, name) or getattr(settings, name) or None for name in LIMITS}
        found["rpm"] = found["rpm"] or self._default("default_rpm")
        if not (found["tpm"] or found["itpm"] or found["otpm"]):
            found["tpm"] = self._default("default_tpm")
        return {**found, "counting": self._counting}

    def _default(self, name: str) -> int | None:
        """The limit of an endpoint that names none, where limits are kept at all; 0 is none."""
        return (getattr(self._limits, name) or None) if self._limits else None

    def targets(
        self, backend: str, name: str, model: ModelSettings, default: str | None
    ) -> tuple[Target, ...]:
        """A model's targets by priority, then in the order of the file."""
        from franca.settings.schema import Binding

        bindings = model.endpoints or ([Binding(endpoint_id=default)] if default else [])
        found = [self.target(backend, name, model, binding) for binding in bindings]
        return tuple(sorted((t for t in found if t), key=lambda t: t.priority))


def _prices(section: Mapping[str, Any]) -> Mapping[str, Prices]:
    from franca.settings.price_form import read_prices

    return read_prices(section, "franca.prices")


def _enabled(document: Document) -> bool:
    return document.rate_limit is not None and document.rate_limit.enabled
