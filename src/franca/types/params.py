"""What a call may say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from franca.types.messages import Message
from franca.types.results import ChatCompletion, Choice

MessageLike = Message | ChatCompletion | Choice | Mapping[str, Any]
"""A turn: franca's own, a result as it came, or a dict in OpenAI's or Anthropic's form."""

ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Thinking = bool | ReasoningEffort | Mapping[str, Any]
"""False: off; True: on; an effort; or the vendor's own object."""

CapabilityPolicy = Literal["strict", "warn", "passthrough"]
"""What happens to a parameter that a wire cannot carry: refused, left out with a warning, or sent
under its own name all the same."""


ContextLengthControl = (
    Literal["latest", "first+latest", "none"]
    | Callable[[list[Message], int, Callable[[Message], int]], Iterable[MessageLike]]
)
"""What stays of a conversation that is too long for the model.

`latest`: the newest turns. `first+latest`: the user's first turns too, with the end of the answer
to them where there is room for it. `none`: everything, for the vendor to refuse. A function gets a
list of the messages, the tokens there are for them and the count of one message, and returns the
messages that stay, or others in their place.
"""
CONTROLS = ("latest", "first+latest", "none")


class ChatParams(TypedDict, total=False):
    """The parameters of a call. None is the same as not given.

    Keys:
        temperature, top_p, top_k, frequency_penalty, presence_penalty, logit_bias, seed: sampling.
        max_tokens: the most the answer may have, thinking included where the vendor counts so.
        stop: text or texts that end the answer.
        n: how many answers.
        tools: functions in OpenAI's or Anthropic's form; what the vendor runs itself, the same for
            all (`{"type": "web_search"}`, `web_fetch`, `code_execution`, `file_search`, `mcp`); a
            vendor's own tools pass as they are.
        tool_choice: "auto", "none", "required", a tool's name, or a wire's own object.
        parallel_tool_calls: whether several calls may come at once.
        response_format: OpenAI's form: `{"type": "json_object"}` or `{"type": "json_schema", …}`.
        reasoning_effort, thinking: how long to think.
        logprobs, top_logprobs: whether, and how many alternatives, to report.
        user: the end user's id. metadata: the vendor's own pairs.
        stream_options: OpenAI's; usage is asked for in any case.
        context_length_control: what stays of a conversation that is too long for a model whose
            context the settings name; `latest` where nothing is said.
        timeout: seconds for each try, of a stream until its first visible event. deadline: seconds
            for the whole call, its waits and retries included. idle_timeout: seconds that an open
            stream may be silent.
        max_wait: seconds to wait at most until the limits allow the call, 0 for not at all.
        max_retries: tries after the first. retry_delay: seconds, of the first wait between tries;
            each further one is twice as long, all are drawn at random up to that.
        fallback_models: where the call goes when the model's own endpoints fail: names of models
            of the same backend, or `backend/model`; () is nowhere. context_fallback: the same for a
            prompt that is too long for the model; True takes the fallback models.
        affinity_key: a conversation's name: its calls go to the same endpoint while that is well,
            whose prompt cache knows them. `prompt_cache_key` is taken where this is not given.
        extra_body, extra_headers, extra_query: added last, as they are.
    """

    temperature: float | None
    top_p: float | None
    top_k: int | None
    frequency_penalty: float | None
    presence_penalty: float | None
    logit_bias: Mapping[str, float] | None
    seed: int | None
    max_tokens: int | None
    stop: str | Sequence[str] | None
    n: int | None
    tools: Sequence[Mapping[str, Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    response_format: Mapping[str, Any] | None
    reasoning_effort: ReasoningEffort | None
    thinking: Thinking | None
    logprobs: bool | None
    top_logprobs: int | None
    user: str | None
    metadata: Mapping[str, Any] | None
    service_tier: str | None
    modalities: Sequence[str] | None
    audio: Mapping[str, Any] | None
    prediction: Mapping[str, Any] | None
    store: bool | None
    verbosity: str | None
    prompt_cache_key: str | None
    safety_identifier: str | None
    web_search_options: Mapping[str, Any] | None
    stream_options: Mapping[str, Any] | None
    capability_policy: CapabilityPolicy | None
    context_length_control: ContextLengthControl | None
    timeout: float | None
    deadline: float | None
    idle_timeout: float | None
    max_wait: float | None
    max_retries: int | None
    retry_delay: float | None
    fallback_models: str | Sequence[str] | None
    context_fallback: bool | str | Sequence[str] | None
    affinity_key: str | None
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None
    extra_query: Mapping[str, Any] | None


@dataclass(slots=True)
class ChatRequest:
    """One call as data.

    Args:
        messages: the conversation, in franca's own form.
        params: those of `ChatParams` that were given (no None), less those that are fields here.
        stream: whether the answer is to come in pieces.
        capability_policy: see `CapabilityPolicy`.
    """

    messages: list[Message]
    params: dict[str, Any] = field(default_factory=dict, repr=False)
    stream: bool = False
    capability_policy: CapabilityPolicy = "strict"
    context_length_control: ContextLengthControl = "latest"
    timeout: float | None = None
    deadline: float | None = None
    idle_timeout: float | None = None
    max_wait: float | None = None
    max_retries: int | None = None
    retry_delay: float | None = None
    fallback_models: str | Sequence[str] | None = None
    context_fallback: bool | str | Sequence[str] | None = None
    affinity_key: str | None = None
    extra_headers: Mapping[str, str] | None = None
    extra_query: Mapping[str, Any] | None = None
