"""What one try holds of its target's limits, from before it is sent to what it was billed."""

from __future__ import annotations

from collections.abc import Mapping

from franca.errors import CallError, RateLimitError
from franca.limits.acquire import acquire, attempt
from franca.limits.estimate import size
from franca.limits.headers import read
from franca.limits.model import SECOND, Lease, Seen, Settle
from franca.limits.scopes import Scope
from franca.types import ChatRequest, Usage

__all__ = ["Permit", "acquire", "attempt"]

_NOTHING: tuple[tuple[Seen, ...], int] = ((), 0)


class Permit(Lease):
    """A lease under a scope's limits, and what was expected of its call."""

    __slots__ = ("_output", "_prompt", "_size", "scope")

    def __init__(self, scope: Scope, request: ChatRequest) -> None:
        self.scope = scope
        params = request.params
        self._size = size(request)
        limit = params.get("max_tokens") or scope.output
        learned = scope.learned
        self._prompt, output, margin = learned.estimate.reserve(self._size, limit, learned.busy + 1)
        self._output = output * (params.get("n") or 1)
        super().__init__(*scope.reserve(self._prompt, self._output, margin))

    def back(self) -> Settle:
        """Never sent: all of it is given back."""
        return self._settle(None)

    def kept(self) -> Settle:
        """Nobody knows what it took: it keeps what it reserved."""
        return self._settle(self.amounts)

    def refused(self, error: CallError, headers: Mapping[str, str]) -> Settle:
        """The vendor answered with an error: a request that used no tokens."""
        seen, held = read(headers, self.scope.rules)
        if error.retry_after and (error.retryable or isinstance(error, RateLimitError)):
            held = max(held, int(error.retry_after * SECOND))
        return self._settle(self.scope.amounts(0, 0), seen, held)

    def answered(self, usage: Usage | None, headers: Mapping[str, str] | None = None) -> Settle:
        """The vendor answered and billed so much; what it does not say stays as reserved."""
        return self._settle(*self._billed(usage, headers))

    def done(self, usage: Usage | None, headers: Mapping[str, str]) -> Settle | None:
        """As `answered`; None where that is settled on the spot."""
        scope, (billed, seen, held) = self.scope, self._billed(usage, headers)
        if scope.book is None:
            return self._settle(billed, seen, held)
        return scope.book.settle(scope.rules, self, billed, seen, held)

    def _billed(
        self, usage: Usage | None, headers: Mapping[str, str] | None
    ) -> tuple[tuple[int, ...], tuple[Seen, ...], int]:
        prompt, output = (
            (None, None) if usage is None else (usage.prompt_tokens, usage.completion_tokens)
        )
        scope, learned = self.scope, self.scope.learned
        learned.busy = self.busy
        learned.estimate.learn(self._size, prompt, output)
        learned.silent = silent = learned.silent + 1
        # while the vendor says nothing that matters, one reply of sixteen is read
        listen = headers is not None and (silent < 17 or not silent & 15)
        seen, held = self._heard(headers) if listen else _NOTHING
        if prompt is output is None:
            return self.amounts, seen, held
        if prompt is None:
            prompt = self._prompt
        elif not scope.cached and usage is not None:
            prompt -= usage.cached_tokens or 0
        return scope.amounts(prompt, self._output if output is None else output), seen, held

    def told(self, headers: Mapping[str, str]) -> Settle | None:
        """What a stream's headers say, now: at its end they would be old. None where they would
        change nothing."""
        seen, held = self._heard(headers)
        if not (seen or held):
            return None
        scope = self.scope
        return Settle(scope.store, scope.key, scope.rules, Lease(()), None, seen, held)

    def _heard(self, headers: Mapping[str, str]) -> tuple[tuple[Seen, ...], int]:
        """What the vendor says of its limits, where it can lower ours."""
        learned, windows = self.scope.learned, self.scope.rules.windows
        seen, held = read(headers, self.scope.rules)
        if seen and all(w.limit >= windows[w.window].limit <= w.remaining * 2 for w in seen):
            seen = ()
        if seen or held:
            learned.silent = 0
        return seen, held

    def _settle(
        self, billed: tuple[int, ...] | None, seen: tuple[Seen, ...] = (), held: int = 0
    ) -> Settle:
        scope = self.scope
        return Settle(scope.store, scope.key, scope.rules, self, billed, seen, held)
