"""What a moment of a call is in the conventions' words. Data and pure functions.

The names are those of the GenAI conventions as the core conventions last carried them, which is
what today's dashboards read. Their new home, open-telemetry/semantic-conventions-genai, renames
some of them and has not released that; see docs/telemetry.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from franca.errors import CallError
from franca.flow import CallEvent
from franca.types import BackendType, ChatCompletion, ChatRequest, EndpointType, Usage

Attributes = dict[str, Any]

OPERATION = "chat"
_CLOUDS: dict[str, str] = {
    EndpointType.OpenAIAzure: "azure.ai.openai",
    EndpointType.OpenAIVertex: "gcp.vertex_ai",
    EndpointType.AnthropicVertex: "gcp.vertex_ai",
    EndpointType.AnthropicBedrock: "aws.bedrock",
}
_PROVIDERS: dict[str, str] = {  # those that the conventions call otherwise than we do
    BackendType.Gemini: "gcp.gemini",
    BackendType.Mistral: "mistral_ai",
    BackendType.Moonshot: "moonshot_ai",
    BackendType.XAI: "x_ai",
}
_PORTS = {"https": 443, "http": 80}
_PARAMS = ("temperature", "top_p", "top_k", "max_tokens", "frequency_penalty", "presence_penalty",
           "seed")  # fmt: skip
_FORMATS = {"json_object": "json", "json_schema": "json", "text": "text"}
_USAGE = {
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}


def place(event: CallEvent) -> Attributes:
    """Who is asked, for what, and where: of spans and metrics alike."""
    cloud = _CLOUDS.get(event.endpoint_type)
    return {
        "gen_ai.operation.name": OPERATION,
        "gen_ai.provider.name": cloud or _PROVIDERS.get(event.backend, event.backend),
        "gen_ai.request.model": event.model_id,
        **_server(event.url),
    }


@lru_cache(maxsize=1024)
def _server(url: str) -> Attributes:
    parts = urlsplit(url)
    if not parts.hostname:  # the SDK's own address
        return {}
    port = parts.port or _PORTS.get(parts.scheme)
    return {"server.address": parts.hostname, **({"server.port": port} if port else {})}


def asked(request: ChatRequest) -> Attributes:
    """A request's parameters; nothing of what it says."""
    params = request.params
    found: Attributes = {f"gen_ai.request.{n}": params[n] for n in _PARAMS if n in params}
    if stop := params.get("stop"):
        found["gen_ai.request.stop_sequences"] = [stop] if isinstance(stop, str) else list(stop)
    if (choices := params.get("n", 1)) != 1:
        found["gen_ai.request.choice.count"] = choices
    form = params.get("response_format")
    if isinstance(form, Mapping) and form.get("type") in _FORMATS:
        found["gen_ai.output.type"] = _FORMATS[form["type"]]
    if request.stream:
        found["gen_ai.request.stream"] = True
    if (name := request.affinity_key) and name != params.get("prompt_cache_key"):
        found["gen_ai.conversation.id"] = name
    return found


def answered(result: ChatCompletion | None, first_token: float | None) -> Attributes:
    """An answer, or what there is of it; nothing of what it says."""
    found: Attributes = {"gen_ai.response.time_to_first_chunk": first_token}
    if result is not None:
        reasons = [c.finish_reason for c in result.choices or [result] if c.finish_reason]
        found["gen_ai.response.id"] = result.id
        found["gen_ai.response.model"] = result.model
        found["gen_ai.response.finish_reasons"] = reasons or None
        found |= used(result.usage)
    return {name: value for name, value in found.items() if value is not None}


def used(usage: Usage | None) -> Attributes:
    """Tokens, as far as the vendor has told them."""
    if usage is None:
        return {}
    counts = {name: getattr(usage, field) for field, name in _USAGE.items()}
    return {name: count for name, count in counts.items() if count is not None}


def failed(error: BaseException | None) -> Attributes:
    """An error by its class and status; none of its words, which may quote the prompt."""
    if error is None:
        return {}
    status = error.status_code if isinstance(error, CallError) else None
    kind: Attributes = {"error.type": type(error).__name__}
    return kind | ({"http.response.status_code": status} if status else {})
