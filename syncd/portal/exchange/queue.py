"""Jobs that wait for their turn, and what the exchange may decide about them.

Pure bookkeeping: jobs are kept in order within each method, set back after a lost request, held behind another job.
Which job goes next, and what becomes of it, is decided by the exchange.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from syncd.model.bulk import bulk_dataclass
from syncd.portal.exchange.packed_texts import TOGETHER, TextGroup, Unpacking, grouped
from syncd.portal.line.wire import Command, Refused, Unknown

_MANY = 2_000
"""The texts of so many jobs of a push stay as they are: packing them would save little."""


@bulk_dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One command to be executed once.

    `repeatable` means that executing it twice does no harm (update, delete, read). `after` holds the ids of jobs that
    must be done first. The outcome of a `careful` job was unknown in an earlier push, so it travels alone.
    """

    id: int
    command: Command
    repeatable: bool
    after: tuple[int, ...] = ()
    careful: bool = False


# Of a large push a hundred thousand wait. None can be part of a cycle, so the garbage collector need not look at them.
# They are ordered by their first field, which no two of a queue share; a heap compares very often.
class Waiting(Struct, kw_only=True, order=True, gc=False):
    """A job that waits, ordered by age.

    `text` is its batch form, or the group in which that is packed (`Queue.text_of`); without one it is `single`, a call
    of its own.

    `method` is the lower-case name under which the portal counts it (`Command.budget_key`). A `suspect` is kept out of
    ordinary batches. `sent` is True once the job has gone out, `losses` counts the times its fate was unknown then, and
    `doubt` is the reason of the last one. `ended` is False while one of those requests may still be at work.
    """

    seq: int
    job: Job
    text: str | TextGroup | None
    single: bool
    method: str
    suspect: bool
    sent: bool = False
    losses: int = 0
    doubt: str | None = None
    ended: bool = True

    @property
    def lonely(self) -> bool:
        """Whether the job goes in a batch of one, because it may be what spoils a batch."""
        return self.job.careful or self.losses > 1


@dataclass(slots=True, kw_only=True)
class Send:
    """Send these jobs in one request. `methods` are their budget keys, `waiting` what the queue gave.

    `keys` and `texts` are those of a batch; a single call has none. `costs` are the expected seconds by method,
    `expected_s` their sum. With `reading` the shape of each result counts. `sent_at` is when the request left, or
    before that, when it was decided on; `alone` is True while no other request shares the portal with it.
    """

    ticket: int
    jobs: tuple[Job, ...]
    methods: tuple[str, ...]
    waiting: tuple[Waiting, ...] = field(default=(), compare=False)
    single: bool
    keys: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    costs: Mapping[str, float]
    expected_s: float
    reading: bool = False
    sent_at: float
    alone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Send nothing before monotonic time `until`, or before the next answer if it is None.

    `method` is the one whose operating time is used up, None when the reason is another.
    """

    until: float | None
    why: str
    method: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Send nothing any more: no job is left, or `stopped` is the reason why the others are not sent."""

    stopped: Refused | Unknown | None = None


@dataclass(slots=True)
class Queue:
    """Waiting jobs by method and kind; within each, in the order they were offered."""

    _ready: dict[tuple[str, bool], list[Waiting]] = field(default_factory=dict)
    suspects: list[Waiting] = field(default_factory=list)
    """The jobs kept out of ordinary batches, in no order."""
    _resends: list[tuple[float, Waiting]] = field(default_factory=list)
    _held: dict[int, tuple[Waiting, set[int]]] = field(default_factory=dict)
    _followers: dict[int, list[int]] = field(default_factory=dict)
    _seq: int = 0
    _together: list[Waiting] = field(default_factory=list)
    _unpacking: Unpacking = field(default_factory=Unpacking)

    def add(self, job: Job, text: str | None, *, behind: Collection[int]) -> None:
        """Put a new job at the end; it is held until `release` was called for every job in `behind`."""
        self._seq += 1
        waiting = Waiting(
            seq=self._seq,
            job=job,
            text=text,
            single=text is None,
            method=job.command.budget_key,
            suspect=job.careful and text is not None,
        )
        if self._seq > _MANY:
            self._pack(waiting)
        if not behind:
            self._push(waiting)
            return
        self._held[job.id] = (waiting, set(behind))
        for one in behind:
            self._followers.setdefault(one, []).append(job.id)

    def text_of(self, waiting: Waiting) -> str | None:
        """Return the batch form of a job whose turn has come, None if it has none. It is not packed any more then."""
        if isinstance(waiting.text, TextGroup):
            waiting.text = self._unpacking.text(waiting.text, waiting.seq)
        return waiting.text

    def release(self, done: int) -> None:
        """Make ready the jobs that waited for job `done` and wait for no other now."""
        for follower in self._followers.pop(done, ()):
            if follower in self._held:
                waiting, behind = self._held[follower]
                behind.discard(done)
                if not behind:
                    del self._held[follower]
                    self._push(waiting)

    def orphans(self, failed: int) -> tuple[Job, ...]:
        """Take out the jobs that waited for job `failed`."""
        followers = self._followers.pop(failed, ())
        return tuple(self._held.pop(one)[0].job for one in followers if one in self._held)

    def put_back(self, back: Iterable[Waiting], *, sent: bool = False) -> None:
        """Put jobs that did not run back in their old places; `sent` if they went out."""
        for waiting in back:
            waiting.sent = waiting.sent or sent
            self._push(waiting)

    def resend(self, waiting: Waiting, *, at: float, doubt: Unknown) -> None:
        """Put back a job whose fate is unknown; it is not ready before `at`."""
        waiting.sent, waiting.doubt = True, doubt.reason
        waiting.ended = waiting.ended and doubt.ended
        waiting.losses += 1
        waiting.suspect = not waiting.single
        heapq.heappush(self._resends, (at, waiting))

    def wake(self, now: float) -> None:
        """Make ready the jobs whose pause is over."""
        while self._resends and self._resends[0][0] <= now:
            self._push(heapq.heappop(self._resends)[1])

    def resend_at(self) -> float | None:
        """Return when the next pause of a job is over, None if there is none."""
        return self._resends[0][0] if self._resends else None

    def first(self, *, single: bool, without: Collection[str]) -> Waiting | None:
        """Return the oldest job for a call of its own or for an ordinary batch, leaving out some methods."""
        heads = [h[0] for (method, alone), h in self._ready.items() if h and alone is single and method not in without]
        return min(heads, default=None)

    def take(self, waiting: Waiting) -> None:
        """Take out a suspect, or a job that `first` returned."""
        if waiting.suspect:
            self.suspects.remove(waiting)
        else:
            taken = heapq.heappop(self._ready[(waiting.method, waiting.single)])
            if taken is not waiting:
                raise ValueError("only the oldest job of a method can be taken")

    def methods(self) -> tuple[tuple[str, bool], ...]:
        """Return (method, single) of the jobs that are ready, sorted."""
        ready = {key for key, heap in self._ready.items() if heap}
        return tuple(sorted(ready | {(waiting.method, False) for waiting in self.suspects}))

    def counts(self) -> Counter[str]:
        """Return the number of waiting jobs by method."""
        counts = Counter({method: 0 for method, _ in self._ready})
        for (method, _), heap in self._ready.items():
            counts[method] += len(heap)
        others = [*self.suspects, *(w for _, w in self._resends), *(w for w, _ in self._held.values())]
        counts.update(waiting.method for waiting in others)
        return counts

    def take_sent(self) -> tuple[Waiting, ...]:
        """Take out all jobs that have gone out before, oldest first."""
        taken = [waiting for waiting in self.suspects if waiting.sent] + [waiting for _, waiting in self._resends]
        self.suspects = [waiting for waiting in self.suspects if not waiting.sent]
        self._resends = []
        for key, heap in self._ready.items():
            if any(waiting.sent for waiting in heap):
                taken += [waiting for waiting in heap if waiting.sent]
                # A sorted list is a heap.
                self._ready[key] = sorted(waiting for waiting in heap if not waiting.sent)
        return tuple(sorted(taken))

    def take_method(self, method: str) -> tuple[Waiting, ...]:
        """Take out every job of the method, whatever it waits for, oldest first."""
        taken = [*self._ready.pop((method, False), ()), *self._ready.pop((method, True), ())]
        taken += [waiting for waiting in self.suspects if waiting.method == method]
        taken += [waiting for _, waiting in self._resends if waiting.method == method]
        taken += [waiting for waiting, _ in self._held.values() if waiting.method == method]
        self.suspects = [waiting for waiting in self.suspects if waiting.method != method]
        # A sorted list is a heap.
        self._resends = sorted(one for one in self._resends if one[1].method != method)
        self._held = {number: one for number, one in self._held.items() if one[0].method != method}
        return tuple(sorted(taken))

    def _pack(self, waiting: Waiting) -> None:
        """Pack the text of a new job with those of the jobs just before it, once they are enough."""
        self._together.append(waiting)
        if len(self._together) < TOGETHER:
            return
        group = grouped(self._together[0].seq, [self.text_of(one) for one in self._together])
        for one in self._together:
            if one.text is not None:
                one.text = group
        self._together.clear()

    def _push(self, waiting: Waiting) -> None:
        if waiting.suspect:
            self.suspects.append(waiting)
        else:
            heapq.heappush(self._ready.setdefault((waiting.method, waiting.single), []), waiting)
