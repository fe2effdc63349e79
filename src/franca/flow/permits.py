"""What one try holds of its target's limits, from before it is sent to what it was billed."""

from __future__ import annotations

from collections.abc import Mapping

from franca.errors import CallError, RateLimitError
from franca.limits.estimate import size
from franca.limits.headers import hold, observed
from franca.limits.model import SECOND, Lease, Settle
from franca.limits.scopes import Scope
from franca.types import ChatRequest, Usage


class Permit:
    """A lease under a scope's limits, and what was expected of its call."""

    __slots__ = ("_output", "_prompt", "_size", "lease", "scope")

    def __init__(self, scope: Scope, request: ChatRequest) -> None:
        self.scope = scope
        self._size = size(request)
        limit = request.params.get("max_tokens") or scope.output
        self._prompt, output, margin = scope.learned.estimate.reserve(self._size, limit)
        self._output = output * (request.params.get("n") or 1)
        self.lease: Lease = scope.lease(self._prompt, self._output, margin)

    def back(self) -> Settle:
        """Never sent: all of it is given back."""
        return self._settle(None)

    def kept(self) -> Settle:
        """Nobody knows what it took: it keeps what it reserved."""
        return self._settle(self.lease.amounts)

    def refused(self, error: CallError, headers: Mapping[str, str]) -> Settle:
        """The vendor answered with an error: a request that used no tokens."""
        held = hold(headers, self.scope.rules)
        if isinstance(error, RateLimitError) and error.retry_after:
            held = max(held, int(error.retry_after * SECOND))
        billed = self.scope.amounts(0, 0)
        return self._settle(billed, headers, held)

    def answered(self, usage: Usage | None, headers: Mapping[str, str] | None = None) -> Settle:
        """The vendor answered and billed so much; what it does not say stays as reserved."""
        if usage is None or (usage.prompt_tokens is None and usage.completion_tokens is None):
            return self._settle(self.lease.amounts, headers)
        prompt, output = usage.prompt_tokens, usage.completion_tokens
        self.scope.learned.estimate.learn(self._size, prompt, output)
        prompt = self._prompt if prompt is None else prompt
        if not self.scope.cached:
            prompt -= usage.cached_tokens or 0
        billed = self.scope.amounts(prompt, self._output if output is None else output)
        return self._settle(billed, headers)

    def told(self, headers: Mapping[str, str]) -> Settle | None:
        """What a stream's headers say, now: at its end they would be old. None where they would
        change nothing."""
        seen = observed(headers, self.scope.rules)
        windows = self.scope.rules.windows
        if all(word.limit >= windows[word.window].limit < word.remaining * 2 for word in seen):
            return None
        scope = self.scope
        return Settle(scope.store, scope.key, scope.rules, Lease(()), None, seen)

    def _settle(
        self,
        billed: tuple[int, ...] | None,
        headers: Mapping[str, str] | None = None,
        held: int = 0,
    ) -> Settle:
        scope = self.scope
        seen = observed(headers, scope.rules) if headers else ()
        return Settle(scope.store, scope.key, scope.rules, self.lease, billed, seen, held)
