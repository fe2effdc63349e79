"""What sync and async clients share: from a call's arguments to a flow."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from franca.errors import SettingsError
from franca.flow import order
from franca.settings.target import Target
from franca.types import CONTROLS, ChatParams, ChatRequest, MessageLike
from franca.wire.reading import read_messages

if TYPE_CHECKING:
    from franca.settings import Settings

PARAMS = frozenset(ChatParams.__annotations__)
_TRANSPORT = ("context_length_control", "timeout", "max_wait", "extra_headers", "extra_query")

Messages = Iterable[MessageLike] | str
Resolve = Callable[[str | None], tuple[Target, ...]]


def known(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that were given, less those that are None.

    Raises:
        TypeError: a parameter that does not exist; names the nearest.
        ValueError: no such `context_length_control`.
    """
    for name in params:
        if name not in PARAMS:
            from difflib import get_close_matches

            near = get_close_matches(name, PARAMS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "; extra_body carries a vendor's own"
            raise TypeError(f"no parameter {name!r}{hint}")
    control = params.get("context_length_control")
    if not (control is None or callable(control) or control in CONTROLS):
        raise ValueError(f"context_length_control: {control!r} is none of {', '.join(CONTROLS)}")
    return {name: value for name, value in params.items() if value is not None}


class Config:
    """One client's constants. Nothing of a call is kept here.

    Args:
        resolve: from a model's name to its targets, read anew at each call.
        defaults: parameters that hold unless a call overrides them.
        random_endpoint: False takes the endpoints in the settings' order.
        endpoint_id: the only endpoint to use.
        settings: whose token server counts, None for the process's own.

    Raises:
        SettingsError: no such backend, model or endpoint; names the nearest.
    """

    __slots__ = (
        "backend",
        "defaults",
        "endpoint_id",
        "model",
        "random_endpoint",
        "resolve",
        "settings",
        "wire",
    )

    def __init__(
        self,
        backend: str,
        model: str | None,
        resolve: Resolve,
        defaults: Mapping[str, Any],
        *,
        random_endpoint: bool = True,
        endpoint_id: str | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings
        self.backend, self.model, self.resolve = backend, model, resolve
        self.wire = resolve(model)[0].wire
        self.defaults = known(defaults)
        self.random_endpoint, self.endpoint_id = random_endpoint, endpoint_id
        self.targets()

    def request(
        self, messages: Messages, params: Mapping[str, Any], *, stream: bool
    ) -> ChatRequest:
        """The call as data."""
        merged = {**self.defaults, **known(params)}
        request = ChatRequest(read_messages(messages, self.wire), merged, stream)
        request.capability_policy = merged.pop("capability_policy", "strict")
        for name in _TRANSPORT:
            if name in merged:
                setattr(request, name, merged.pop(name))
        return request

    def targets(self, model: str | None = None) -> Sequence[Target]:
        """Where the call may go, in the order in which to try."""
        targets = self.resolve(model or self.model)
        if self.endpoint_id is not None:
            targets = self._pinned(targets)
        if len(targets) == 1:
            return targets
        return order(targets, random.random if self.random_endpoint else None)

    def _pinned(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        pinned = tuple(t for t in targets if t.endpoint_id == self.endpoint_id)
        if not pinned:
            ids = ", ".join(t.endpoint_id for t in targets)
            raise SettingsError([f"{self.backend}: no endpoint {self.endpoint_id!r}; it has {ids}"])
        return pinned


def only_text(request: ChatRequest) -> bool:
    """Whether no message has parts that could be a picture, sound or a document."""
    return not any(isinstance(message.content, list) for message in request.messages)


def renamed(targets: tuple[Target, ...]) -> Resolve:
    """Targets given without settings: another model's name goes to the same places."""
    by_model = {targets[0].model: targets}

    def resolve(model: str | None) -> tuple[Target, ...]:
        if model is None or model in by_model:
            return by_model.get(model or "", targets)
        return tuple(replace(t, model=model, model_id=model) for t in targets)

    return resolve
