"""A pass that left nothing to do, and what must stay the same so that the next one has nothing to do either.

    all circumstances equal, and the time within [since, until)    what it found is what a whole pass would find
    anything else                                                  a whole pass

What a whole pass without questions to the portal finds depends on its circumstances and on the time alone, and on the
time only if something waits for it. So what is kept here is no guess: it is what was found, with all that it depended
on.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from syncd.model.entry import Problem, Snapshot
from syncd.model.item import Change, Hold, Key, Op
from syncd.model.plan import Plan, Policy

MOST_LINES = 10_000
"""How many problems, conflicts and kept entries are remembered; more of them make a note that is slow to read."""


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """Everything besides the time that a plan depends on, as marks that differ whenever the thing differs.

    `source` stands for the bytes read, `settings` for the config and the program with its zone data, `days` for today
    and the window, `directory` for the portal's people as they are kept, and `ledger` for the links, holds, intents and
    names of the sync.
    """

    source: str
    settings: str
    days: str
    directory: str
    ledger: str


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A conflict that waits for a person."""

    op: Op
    key: Key
    reason: str


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass found that left nothing to do: its counts, and everything that it has to report.

    `kept` and `absent` are keys of links, as in Plan. The counts are those of Prepared.
    """

    unchanged: int
    held: int
    rejected: int
    skipped: int
    known_uids: int
    complete: bool
    incomplete_because: str = ""
    problems: tuple[Problem, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    kept: tuple[Key, ...] = ()
    absent: tuple[Key, ...] = ()


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, what that depended on, and how long it holds: from unix time `since` until before `until`.

    `until` is None if it holds for ever. If the clock is set back behind `since`, it is not known what waits for a
    time.
    """

    circumstances: Circumstances
    since: float
    until: float | None
    findings: Findings

    def holds_under(self, circumstances: Circumstances, now: float) -> bool:
        """Return True if a whole pass at unix time `now` would find the same."""
        return self.circumstances == circumstances and self.holds_at(now)

    def holds_at(self, now: float) -> bool:
        """Return True if nothing that waits for a time has come due at `now`."""
        return self.since <= now and (self.until is None or now < self.until)


def leaves_nothing(plan: Plan, snapshot: Snapshot, policy: Policy) -> bool:
    """Return True if `plan` sends and notes nothing, and the next pass would make the same plan again.

    Absences that are counted lead to a delete some day, unless what is gone is kept. An empty source is believed only
    after some passes, so the next one may have another result, and reading the source again costs nothing. A source
    that could not be read whole may be whole the next time with the same bytes, unless entries without a uid are the
    only reason.
    """
    readable = snapshot.complete or snapshot.unnamed is not None
    noted = plan.changes or plan.lookalikes or plan.settled_holds or plan.versions or plan.forgotten or plan.waiting
    counting = plan.absent and policy.on_removed != "keep"
    # A conflict with a link was found by looking, and is about to be held.
    found = any(conflict.link is not None for conflict in plan.conflicts)
    lines = len(plan.problems) + len(plan.conflicts) + len(plan.kept) + len(plan.absent)
    return readable and bool(snapshot.entries) and not (noted or counting or found) and lines <= MOST_LINES


def lasts_until(holds: Iterable[Hold], now: float, *others: float) -> float | None:
    """Return when one of `holds` begins or ends, or the first of `others` comes, None for never."""
    # A hold from the future was made before the clock was set back: it does not count yet.
    turns = [hold.since if now < hold.since else hold.retry_at for hold in holds]
    return min((turn for turn in (*turns, *others) if now < turn < float("inf")), default=None)


def conflicts_of(plan: Plan) -> tuple[Conflict, ...]:
    """Return the conflicts of `plan` as they are remembered."""
    return tuple(Conflict(op=one.op, key=one.key, reason=one.reason) for one in plan.conflicts)


def change_of(conflict: Conflict) -> Change:
    """Return a remembered conflict in the form of a plan, without item and link."""
    return Change(op=conflict.op, key=conflict.key, reason=conflict.reason)
