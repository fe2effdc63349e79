"""What sync and async clients share: from a call's arguments to a flow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from franca.backends import BACKENDS
from franca.chat_clients.checked import check
from franca.errors import SettingsError
from franca.flow import Conduct, EndpointHealth, Hooks, Route, health_of
from franca.settings.build import for_model
from franca.settings.policy import STRATEGIES, Strategy
from franca.settings.problems import nearest
from franca.settings.target import Target
from franca.types import CONTROLS, ChatParams, ChatRequest, MessageLike
from franca.wire.reading import read_messages

if TYPE_CHECKING:
    from franca.settings import Settings

PARAMS = frozenset(ChatParams.__annotations__)
_MODELS = 1024  # names that callers may make up are not kept without end
_OWN = frozenset(f.name for f in fields(ChatRequest)) & PARAMS

Messages = Iterable[MessageLike] | str
Resolve = Callable[[str | None], tuple[Target, ...]]


def known(params: Mapping[str, Any], names: Iterable[str] = PARAMS) -> dict[str, Any]:
    """The parameters that were given, less those that are None.

    Args:
        names: those that an unknown one may have been meant for.

    Raises:
        TypeError: a parameter that does not exist; names the nearest.
        ValueError: no such `context_length_control`.
        InvalidRequestError: a value of another form than its parameter's.
    """
    given: dict[str, Any] = {}
    for name, value in params.items():
        if name not in PARAMS:
            hint = nearest(name, names) or "; extra_body carries a vendor's own"
            raise TypeError(f"no parameter {name!r}{hint}")
        if value is not None:
            check(name, value)
            given[name] = value
    control = params.get("context_length_control")
    if not (control is None or callable(control) or control in CONTROLS):
        raise ValueError(f"context_length_control: {control!r} is none of {', '.join(CONTROLS)}")
    return given


class Config:
    """One client's constants. Nothing of a call is kept here.

    Args:
        resolve: from a model's name to its targets, read anew at each call.
        defaults: parameters that hold unless a call overrides them.
        strategy: which endpoint goes first, None as the settings say.
        random_endpoint: False takes the endpoints in the settings' order.
        endpoint_id: the only endpoint to use.
        hooks: what is told of its calls.
        settings: where other backends' models are, and whose token server counts; None for the
            process's own.

    Raises:
        SettingsError: no such backend, model or endpoint; names the nearest.
        ValueError: no such strategy.
        TypeError: hooks that are not `Hooks`.
    """

    __slots__ = (
        "backend",
        "conduct",
        "defaults",
        "endpoint_id",
        "model",
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
        strategy: Strategy | None = None,
        random_endpoint: bool = True,
        endpoint_id: str | None = None,
        hooks: Hooks | Sequence[Hooks] = (),
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings
        self.backend, self.model, self.resolve = backend, model, resolve
        self.wire = resolve(model)[0].wire
        self.defaults = known(defaults)
        self.endpoint_id = endpoint_id
        if strategy is not None and strategy not in STRATEGIES:
            raise ValueError(f"strategy: {strategy!r} is none of {', '.join(STRATEGIES)}")
        self.conduct = Conduct(
            time.monotonic,
            strategy=strategy if random_endpoint else "first",
            hooks=_hooks(hooks),
        )
        self.route(None, self.request((), {}, stream=False))

    def request(
        self, messages: Messages, params: Mapping[str, Any], *, stream: bool
    ) -> ChatRequest:
        """The call as data."""
        merged = {**self.defaults, **known(params)}
        request = ChatRequest(read_messages(messages, self.wire), merged, stream)
        for name in _OWN & merged.keys():
            setattr(request, name, merged.pop(name))
        if request.affinity_key is None:
            request.affinity_key = merged.get("prompt_cache_key")
        return request

    def targets(self, model: str | None = None) -> Sequence[Target]:
        """The model's endpoints, as the settings have them."""
        targets = self.resolve(model or self.model)
        return targets if self.endpoint_id is None else self._pinned(targets)

    def route(self, model: str | None, request: ChatRequest) -> Route:
        """Where the call may go."""
        targets = self.targets(model)
        policy = targets[0].policy
        names = request.fallback_models
        if names is None:
            names = _said(policy.fallbacks, targets[0])
        context = request.context_fallback
        if context is None:
            context = _said(policy.context_fallbacks, targets[0])
        if not (names or context):
            return Route(targets)
        fallbacks = self._models(names)
        return Route(targets, fallbacks, fallbacks if context is True else self._models(context))

    def health(self, model: str | None = None) -> list[EndpointHealth]:
        """How the model's endpoints and those it falls back on stand in this process."""
        now = self.conduct.now()
        route = self.route(model, self.request((), {}, stream=False))
        return [health_of(target).report(target, now) for target in every(route)]

    def _models(self, names: str | Sequence[str] | bool | None) -> list[Sequence[Target]]:
        listed = [names] if isinstance(names, str) else names or ()
        return [self._model(name) for name in listed] if not isinstance(listed, bool) else []

    def _model(self, name: str) -> Sequence[Target]:
        """A model's endpoints: of this backend where it has that name, else of the named one."""
        backend, _, rest = name.partition("/")
        if not rest or backend.lower() not in BACKENDS:
            return self.resolve(name)
        if self.settings is None:
            from franca.settings import settings
        else:
            settings = self.settings
        if (self.backend, name) in settings.snapshot.targets:
            return self.resolve(name)
        if backend.lower() == self.backend:
            return self.resolve(rest)
        return settings.resolve(backend, rest)

    def _pinned(self, targets: tuple[Target, ...]) -> tuple[Target, ...]:
        pinned = tuple(t for t in targets if t.endpoint_id == self.endpoint_id)
        if not pinned:
            ids = ", ".join(t.endpoint_id for t in targets)
            raise SettingsError([f"{self.backend}: no endpoint {self.endpoint_id!r}; it has {ids}"])
        return pinned


def _hooks(given: Hooks | Sequence[Hooks]) -> tuple[Hooks, ...]:
    listed = given if isinstance(given, Sequence) else (given,)
    for hooks in listed:
        if not isinstance(hooks, Hooks):
            kind = type(hooks).__name__
            raise TypeError(f"hooks: expected franca.Hooks(on_response=…), got {kind}")
    return tuple(listed)


def _said(models: Mapping[str, tuple[str, ...]], target: Target) -> tuple[str, ...]:
    """What the settings say of a model, by its backend's name and its own, or by its own."""
    if not models:
        return ()
    full = models.get(f"{target.backend}/{target.model}")
    return models.get(target.model, ()) if full is None else full


def every(route: Route) -> list[Target]:
    """All that a call may meet, each once."""
    groups = (route.targets, *route.fallbacks, *route.context)
    return list({id(t): t for group in groups for t in group}.values())


def only_text(request: ChatRequest) -> bool:
    """Whether no message has parts that could be a picture, sound or a document."""
    return not any(isinstance(message.content, list) for message in request.messages)


def renamed(targets: tuple[Target, ...]) -> Resolve:
    """Targets given without settings: another model's name goes to the same places."""
    by_model = {targets[0].model: targets}

    def resolve(model: str | None) -> tuple[Target, ...]:
        if model is None or model in by_model:
            return by_model.get(model or "", targets)
        found = tuple(for_model(target, model) for target in targets)
        if len(by_model) < _MODELS:
            by_model[model] = found
        return found

    return resolve
