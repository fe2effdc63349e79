"""The settings document, version "2", as pydantic models: the only place that knows its form."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    create_model,
)

from franca.backends import Quirks, ThinkingForm
from franca.settings.policy import Strategy
from franca.settings.target import Secret
from franca.types import BackendType, EndpointType


def _secret(value: Any) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str) or callable(value):
        return Secret(value)
    raise ValueError("expected text or a callable that gives it")


def _binding(value: Any) -> Any:
    return {"endpoint_id": value} if isinstance(value, str) else value


def _pairs(value: Any) -> Any:
    return tuple(value.items()) if isinstance(value, Mapping) else value


def _lower(value: Any) -> Any:
    return (value.strip().lower() or None) if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _currency(value: str) -> str:
    if not (len(value) == 3 and value.isascii() and value.isupper()) or value == "USD":
        raise ValueError("expected a code of three capitals other than USD")
    return value


def _blank_is_none(value: Any) -> Any:
    return (value.strip() or None) if isinstance(value, str) else value


Key = Annotated[
    Secret,
    PlainValidator(_secret, json_schema_input_type=str),
    PlainSerializer(lambda _: "***", return_type=str),
]
Text = Annotated[str, Field(min_length=1)]
Optional = Annotated[str | None, BeforeValidator(_blank_is_none)]
Pairs = Annotated[
    tuple[tuple[str, str], ...],
    BeforeValidator(_pairs, json_schema_input_type=dict[str, str] | list[tuple[str, str]]),
]
# older files say here whether a model thinks; a form of the switch is a quirk
_WHETHER = ("unknown", "unsupported", "configurable", "always_enabled")
Thinking = Annotated[
    ThinkingForm | None,
    BeforeValidator(
        lambda value: None if value in _WHETHER else value,
        json_schema_input_type=ThinkingForm
        | Literal["unknown", "unsupported", "configurable", "always_enabled"]
        | None,
    ),
]
Count = Annotated[int, Field(ge=0)]
Currency = Annotated[str, AfterValidator(_currency)]
Rate = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        defer_build=True,  # `Document` is built once, with all its parts, when it is first used
    )


class _Capabilities(_Part):
    """What a model can do, and how its wire differs; names not listed here are kept.

    The fields of `franca.backends.Quirks` join these and change the backend's own, in the order
    backend, endpoint, model, binding.
    """

    model_config = ConfigDict(extra="allow")

    tools: bool | None = None
    structured_output: Literal["none", "json_object", "json_schema"] | None = None
    input_modalities: list[str] | None = None
    output_modalities: list[str] | None = None


def _quirk_fields() -> dict[str, Any]:
    hints: dict[str, Any] = {**get_type_hints(Quirks), "renamed": Pairs, "thinking": Thinking}
    return {name: (hint | None, None) for name, hint in hints.items()}


if TYPE_CHECKING:
    Capabilities = _Capabilities
else:  # whoever adds a quirk adds it here too
    Capabilities = create_model(
        "Capabilities", __base__=_Capabilities, __doc__=_Capabilities.__doc__, **_quirk_fields()
    )


class ClientCertificate(_Part):
    """The client's own certificate, its key where it is apart, and the CA that signs the server."""

    cert: Text
    key: Text | None = None
    ca: Text | None = None


class EndpointSettings(_Part):
    """An address and the key for it."""

    id: Text
    enabled: bool = True
    region: str | None = None
    api_base: Optional = None
    api_key: Key | None = None
    endpoint_type: Annotated[EndpointType | None, BeforeValidator(_lower)] = None
    response_api: bool = False
    credentials: dict[str, Any] | None = Field(default=None, repr=False)
    rpm: Count | None = None
    tpm: Count | None = None
    itpm: Count | None = None
    otpm: Count | None = None
    rps: Count | None = None
    concurrent_requests: Count | None = None
    proxy: Optional = Field(default=None, repr=False)
    headers: dict[str, str] | None = Field(default=None, repr=False)
    organization: str | None = None
    timeout: Annotated[float, Field(gt=0)] | None = None
    verify: bool | Text | ClientCertificate = True
    capabilities: Capabilities | None = None
    is_azure: bool = False
    is_vertex: bool = False
    is_bedrock: bool = False
    access_token: Key | None = None
    access_token_expires_at: float | None = None


class Binding(_Part):
    """One endpoint of a model, with what is particular to the two."""

    endpoint_id: Text
    model_id: str | None = None
    enabled: bool | None = None
    priority: Annotated[int, Field(ge=1, strict=True)] = 1
    weight: Annotated[float, Field(ge=0)] = 1.0
    rpm: Count | None = None
    tpm: Count | None = None
    itpm: Count | None = None
    otpm: Count | None = None
    rps: Count | None = None
    concurrent_requests: Count | None = None
    capabilities: Capabilities | None = None


BindingOrId = Annotated[Binding, BeforeValidator(_binding, json_schema_input_type=str | Binding)]


class ModelSettings(_Part):
    """A model under the name that callers use; `id` is the vendor's name, where it is another."""

    id: Text | None = None
    enabled: bool = True
    endpoints: list[BindingOrId] = Field(default_factory=list)
    function_call_available: bool | None = None
    response_format_available: bool | None = None
    native_multimodal: bool | None = None
    max_image_dimension: Annotated[int, Field(ge=1)] | None = None
    context_length: Count | None = None
    max_output_tokens: Count | None = None
    capabilities: Capabilities | None = None


class RetrievalModelSettings(ModelSettings):
    """A model that embeds or ranks."""

    protocol: str | None = None
    dimensions: Count | None = None
    default_top_n: Count | None = None
    request_mapping: dict[str, Any] | list[Any] | str | None = None
    response_mapping: dict[str, Any] | list[Any] | str | None = None


class BackendSettings(_Part):
    """A backend's models; `default_endpoint` serves those that name none, or are not listed."""

    models: dict[str, ModelSettings] = Field(default_factory=dict)
    default_endpoint: str | None = None


class RetrievalBackendSettings(_Part):
    """The same for embeddings and ranking."""

    models: dict[str, RetrievalModelSettings] = Field(default_factory=dict)
    default_endpoint: str | None = None


class RedisSettings(_Part):
    """Where the shared limits are: a URL, or its parts."""

    url: Key | None = None
    host: str = "localhost"
    port: Annotated[int, Field(ge=0, le=65535)] = 6379
    db: Count = 0
    username: str | None = None
    password: Key | None = None
    tls: bool = False


class DiskCacheSettings(_Part):
    """Where the limits of one host are."""

    cache_dir: str = ".rate_limit_cache"


class RateLimitSettings(_Part):
    """Whether limits hold, and who counts.

    `max_wait` is in seconds, None for as long as it takes; `lease` is for how many seconds the
    place of a killed process stays taken; `on_unavailable` is what holds while Redis is away.
    """

    enabled: bool = False
    backend: Literal["memory", "redis", "diskcache"] = "memory"
    redis: RedisSettings | None = None
    diskcache: DiskCacheSettings | None = None
    default_rpm: Count = 60
    default_tpm: Count = 1_000_000
    on_unavailable: Literal["share", "open", "closed"] = "share"
    max_wait: Annotated[float, Field(ge=0)] | None = None
    lease: Annotated[float, Field(ge=1)] = 30.0


class TokenServerSettings(_Part):
    """The server that counts tokens."""

    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    url: str | None = None
    api_key: Key | None = None


Seconds = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Models = dict[str, Annotated[list[Text], BeforeValidator(_listed)]]


class RetrySettings(_Part):
    """How often and when a call is tried again; see `franca.settings.policy.Policy`."""

    max_retries: Count | None = None
    retry_delay: Annotated[float, Field(ge=0)] | None = None
    max_retry_delay: Annotated[float, Field(ge=0)] | None = None
    budget: Annotated[float, Field(ge=0)] | None = None
    timeout: Seconds | None = None
    deadline: Seconds | None = None
    idle_timeout: Seconds | None = None


class RoutingSettings(_Part):
    """Which of a tier's endpoints goes first."""

    strategy: Strategy | None = None


class BreakerSettings(_Part):
    """When an endpoint is taken out, and for how long."""

    failure_threshold: Count | None = None
    recovery_time: Seconds | None = None
    max_recovery_time: Seconds | None = None
    error_rate: Share | None = None
    window: Seconds | None = None
    min_calls: Annotated[int, Field(ge=1)] | None = None
    max_ejection: Share | None = None


class FrancaSettings(_Part):
    """What only franca has. `rates`: how much of a currency a US dollar buys."""

    retry: RetrySettings | None = None
    routing: RoutingSettings | None = None
    fallbacks: Models | None = None
    context_fallbacks: Models | None = None
    breaker: BreakerSettings | None = None
    budgets: dict[str, Any] | list[Any] | None = None
    cache: dict[str, Any] | None = None
    prices: dict[str, Any] | None = None
    rates: dict[Currency, Rate] | None = None


_BACKEND_NAMES: dict[str, Any] = {"propertyNames": {"enum": [b.value for b in BackendType]}}


class Document(_Part):
    """franca's settings, version "2"."""

    VERSION: Literal["2"] = "2"
    endpoints: list[EndpointSettings] = Field(default_factory=list)
    backends: dict[str, BackendSettings] = Field(
        default_factory=dict, json_schema_extra=_BACKEND_NAMES
    )
    embedding_backends: dict[str, RetrievalBackendSettings] | None = None
    rerank_backends: dict[str, RetrievalBackendSettings] | None = None
    decision_backends: dict[str, BackendSettings] | None = None
    rate_limit: RateLimitSettings | None = None
    token_server: TokenServerSettings | None = None
    franca: FrancaSettings | None = None


def json_schema() -> dict[str, Any]:
    """The JSON schema of a settings file, for editors."""
    schema = Document.model_json_schema(mode="validation")
    # editors name the schema in the file itself; a load takes the key as well
    schema["properties"]["$schema"] = {"type": "string"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "franca settings",
        **schema,
    }
