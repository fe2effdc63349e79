"""A prompt counted by its vendor: the same request, sent to where the vendor counts."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence

from franca.errors import CallError, ConnectionError, InvalidRequestError, TimeoutError
from franca.flow.built import built
from franca.flow.effects import Effect, Outcome, Reply, Send
from franca.settings.target import Target
from franca.tokens.exact import Asked, ask
from franca.types import ChatRequest
from franca.wire.failures import failure


def count(request: ChatRequest, targets: Sequence[Target]) -> Generator[Effect, Outcome, int]:
    """The prompt's tokens by the vendor's own count. Nothing is generated, and none of franca's
    limits is charged: vendors count these requests apart.

    Targets whose vendor does not count are left out; of the others the first that can be reached
    answers.

    Raises:
        InvalidRequestError: no target's vendor has such an endpoint.
        CallError: the vendor's refusal, or that no target could be reached.
    """
    unreached: CallError | None = None
    for target in targets:
        if ask(target.backend, target.wire, {}) is None:
            continue
        asked, counted = _asked(request, target)
        reply = yield Send(target, asked.path, asked.body, counted)
        if isinstance(reply, Reply):
            return _read(reply, asked, target)
        assert isinstance(reply, CallError)
        if not isinstance(reply, ConnectionError | TimeoutError) or reply.sent:
            raise reply
        unreached = unreached or reply
    raise unreached or _nobody(targets[0])


def _asked(request: ChatRequest, target: Target) -> tuple[Asked, ChatRequest]:
    _, body, request = built(request, target)
    asked = ask(target.backend, target.wire, body)
    assert asked is not None
    return asked, request


def _read(reply: Reply, asked: Asked, target: Target) -> int:
    if reply.status >= 300:
        raise failure(reply.status, reply.headers, reply.body, target)
    try:
        return asked.read(_decoded(reply.body))
    except CallError as error:
        error.backend, error.endpoint_id = target.backend, target.endpoint_id
        error.status_code, error.body = reply.status, reply.body
        raise


def _decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _nobody(target: Target) -> CallError:
    return InvalidRequestError(
        f"{target.backend} has no endpoint that counts tokens; without exact=True franca counts",
        backend=target.backend,
        endpoint_id=target.endpoint_id,
    )
