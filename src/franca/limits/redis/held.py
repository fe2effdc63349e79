"""What one process knows of one scope in Redis, and what it does there while Redis is away."""

from __future__ import annotations

import os
import threading
import time
import weakref

from franca.limits.model import Answer, Ask, Lease, Reserve, Settle
from franca.limits.redis import scripts
from franca.limits.redis.outage import Journal, Membership, Mode, Outage, span_of
from franca.limits.redis.scripts import Command, Entry, Known, Reply, Scope
from franca.limits.rules import SECOND, Rules, Verdict

_SOON = SECOND // 50  # when to ask again, where it is being put back what was granted


def own_clock() -> int:
    """Microseconds of a clock that nobody sets."""
    return time.monotonic_ns() // 1000


class Held:
    """A scope as this process knows it, its leases there, and, where Redis is away, the outage.

    Args:
        mode: what holds while Redis is away.
    """

    __slots__ = ("_heard", "_journal", "_least", "_lock", "_membership", "_most", "_outage",
                 "_queued", "_restoring", "_unsent", "due", "known", "leases", "rules",
                 "scope")  # fmt: skip

    def __init__(self, prefix: str, key: str, rules: Rules) -> None:
        self.rules = rules
        self.scope: Scope = scripts.scope_of(prefix, key, rules)
        self.known = Known(proposal=os.urandom(8).hex())
        self.leases: weakref.WeakValueDictionary[str, Lease] = weakref.WeakValueDictionary()
        self.due = 0.0  # when it is to be renewed, on the monotonic clock
        self._lock = threading.RLock()  # a collection may settle in the middle of it
        self._journal, self._membership = Journal(rules), Membership()
        # from this process's clock to the server's, at the least and at the most; a guess until
        # it has said what time it is
        self._least = self._most = time.time_ns() // 1000 - own_clock()
        self._heard = False
        self._queued: set[str] = set()  # an answer about one of these may be about the past
        self._outage: Outage | None = None
        self._restoring = False
        self._unsent: list[Settle] = []  # what ended while it was being put back

    @property
    def away(self) -> bool:
        """Whether this process decides for itself."""
        return self._outage is not None

    def learn(self, reply: Reply) -> None:
        """The state is this one, and has granted so much."""
        known = self.known
        if reply.epoch and reply.epoch != known.epoch:
            self.known = Known(reply.epoch, reply.seq)
        elif reply.seq > known.seen:
            self.known = Known(known.epoch, reply.seq)

    def live(self) -> list[Lease]:
        """The leases that somebody still holds."""
        return [lease for each in self.leases.valuerefs() if (lease := each()) is not None]

    def renewed(self, members: list[str]) -> None:
        """This process is one of these members."""
        self._membership.told(members, own_clock(), self.rules.lease)
        self._heard = False  # clocks drift apart: what is known of the other is learnt anew

    def decided(self, lease: Lease, verdict: Verdict, sent: int) -> None:
        """Redis has decided; what it granted is remembered, for when it forgets.

        Args:
            sent: when it was asked, on this process's clock.
        """
        with self._lock:
            if not (verdict.granted and lease.id in self._queued):
                self._hear(verdict.now, sent)
            if verdict.queued:
                self._queued.add(lease.id)
            else:
                self._queued.discard(lease.id)
            if verdict.granted:
                self._journal.grant(lease.id, verdict.now, lease.amounts)

    def _hear(self, now: int, sent: int) -> None:
        """Its clock said this between the asking and now."""
        least, most = now - own_clock(), now - sent
        if self._heard:
            least, most = max(least, self._least), min(most, self._most)
        self._least, self._most = least, max(most, least)
        self._heard = True

    def settled(self, ask: Settle) -> None:
        """A lease has ended, whether or not Redis hears of it."""
        with self._lock:
            self._journal.settle(ask.lease.id, ask.billed)
            self._queued.discard(ask.lease.id)

    def go_away(self, mode: Mode) -> None:
        """Redis does not answer, or has forgotten: from here on this process decides for itself."""
        with self._lock:
            if self._outage is None:
                share = self._membership.share(own_clock(), self.rules.lease)
                self._outage = Outage(self.rules, mode, self._now(), self._journal, share)

    def decide(self, ask: Ask) -> tuple[bool, Answer]:
        """(whether this process decides for itself, what it then answers)."""
        with self._lock:
            if self._outage is None:
                return False, None
            if isinstance(ask, Reserve):
                answer: Answer = self._reserve(self._outage, ask)
            elif isinstance(ask, Settle):
                self._outage.settle(self._now(), ask.rules, ask.lease.id, ask.billed)
                self._journal.end(ask.lease.id, self._now(), len(ask.rules.windows))
                if self._restoring:
                    self._unsent.append(ask)
                answer = None
            else:
                answer = self._outage.look(self._now(), ask.rules)
            for owner in self._outage.rung():
                if (lease := owner()) is not None:
                    lease.ring()
        return True, answer

    def _reserve(self, outage: Outage, ask: Reserve) -> Verdict:
        lease, now = ask.lease, self._now()
        if self._restoring:
            return Verdict(False, now, _SOON, known=False, queued=ask.patience > 0, away=True)
        owner = weakref.ref(lease)
        verdict = outage.reserve(
            now, ask.rules, lease.id, lease.amounts, lease.margins, ask.patience, owner
        )
        if verdict.granted:  # at the latest now: it must not be forgotten too soon
            latest = own_clock() + self._most
            self._journal.grant(lease.id, latest, lease.amounts, alone=True)
        return verdict

    def restoring(self, member: str, channel: str) -> Command:
        """What to ask Redis for, to put back what this process was granted. Until `restored` or
        `failed`, nothing more is granted here. The other members are told on the channel."""
        with self._lock:
            self._restoring = True
            proposal = os.urandom(8).hex()
            entries = [
                # one that was collected has ended, as far as anybody can tell
                Entry(
                    id_,
                    note.at,
                    note.amounts,
                    note.settled or id_ not in self.leases,
                    self.rules.keep,
                    note.alone,
                )
                for id_, note in self._journal.recent(self._now())
            ]
            known = Known(self.known.epoch, self.known.seen, proposal)
            expected = self._membership.members
            return scripts.restore(
                self.scope, known, member, expected, span_of(self.rules), entries, channel
            )

    def failed(self) -> None:
        """Redis went away again."""
        with self._lock:
            self._restoring = False

    def restored(self, reply: Reply) -> list[Settle]:
        """Redis decides again; what ended meanwhile it has still to be told."""
        with self._lock:
            self.learn(reply)
            for note in self._journal.notes.values():
                note.alone = False
            self._outage, self._restoring = None, False
            unsent, self._unsent = self._unsent, []
            return unsent

    def _now(self) -> int:
        """The server's time, at the earliest: nothing is to be forgotten too soon."""
        return own_clock() + self._least
