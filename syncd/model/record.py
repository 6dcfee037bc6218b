"""What the ledger writes down besides links and holds: intents, their outcomes, changes and runs.

reserve_ids -> intend -> (sent) -> settle:  Written, Deleted -> link and change record; the intent is gone
                                            SetAside         -> hold;                   the intent is gone
                                            Dropped          -> it was not done;        the intent is gone
                                            Unsettled        -> the intent stays open until a later settle
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from syncd.lang.saying import Saying, restored, say
from syncd.model.bulk import bulk_dataclass
from syncd.model.entry import Problem
from syncd.model.item import Hold, Item, Key, Link, Op
from syncd.model.json_values import Fields, Json

MAX_PROBLEMS = 1_000
"""How many problems of one run are kept in full; the others are only counted."""

RunState = Literal["running", "done", "partial", "stopped", "failed"]
RunKind = Literal["pass", "undo", "purge"]
"""Only a pass goes over the schedule, so only a pass tells how the schedule stands and when it was last synced."""

FIRST_RETRY_S = 900.0
LONGEST_RETRY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldTrouble:
    """A trouble that people were told of. `portal` is "" for all portals, None if it was not written down."""

    text: str
    portal: str | None = None

    @classmethod
    def parse(cls, value: Json) -> ToldTrouble:
        """Return what was kept as JSON. Version 0.1 kept only the text."""
        if not isinstance(value, Mapping):
            return cls(text=restored(str(value)))
        portal = value.get("portal")
        return cls(text=restored(str(value.get("text", ""))), portal=portal if isinstance(portal, str) else None)


@bulk_dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A change that is written down before it is sent.

    `id` comes from `SyncLedger.reserve_ids` and is never used twice. `remote_id` is None for a create. `fields` is what
    will be sent, or for a delete what stands there. `before` is what was sent last, None if the key had no link.
    `state` is "unknown" once a `Settlement` has said that the outcome is not known, and "ended" if it also said that
    the portal no longer works on it. `note` is the reason in that settlement.
    """

    id: int
    sync: str
    run_id: int
    op: Op
    key: Key
    remote_id: int | None
    section: str
    section_id: int
    fingerprint: str
    fields: Fields
    title: str
    where: str
    starts_on: str
    ends_on: str | None
    start: str
    created_at: float
    before: Fields | None = None
    state: Literal["open", "unknown", "ended"] = "open"
    note: str = ""

    @property
    def item(self) -> Item:
        """The item that the intent is to write."""
        return Item(
            key=self.key,
            section=self.section,
            section_id=self.section_id,
            fields=self.fields,
            title=self.title,
            where=self.where,
            starts_on=self.starts_on,
            ends_on=self.ends_on,
            start=self.start,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The portal has the fields of the intent, as the event `remote_id`.

    `version` is the VERSION of the event if it is known (PORTAL.md 4.3). `stamp` tells when and by whom it was made, ""
    if that is no news.
    """

    remote_id: int
    version: int | None
    stamp: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """The portal no longer holds the event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """The portal refused and said why, so the item is set aside."""

    hold: Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """It is not known whether it was done: there was no answer, a cut one, or a fault of the server.

    `ended` is True if the portal has answered, so that whatever it did is done by now.
    """

    reason: str
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """It was not done and will not be. The next plan treats the item as if nothing had been intended."""


Outcome = Written | Deleted | SetAside | Unsettled | Dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What happened to one intent. `at` is unix time."""

    intent_id: int
    outcome: Outcome
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRecord:
    """One thing that a run did, with the link before and after it, so that it can be taken back.

    `before` is None if nothing was linked (create, adopt), and `after` is None for a delete. Of what was sent, `after`
    keeps the fingerprint and, for an update, the fields that it changed. `run_id` is the run that sent it, even if a
    later run found out what had happened to it.
    """

    id: int
    run_id: int
    sync: str
    op: Op
    key: Key
    remote_id: int
    before: Link | None
    after: Link | None
    at: float

    @property
    def changed_fields(self) -> tuple[str, ...]:
        """The names of the fields that an update changed; none for other changes."""
        if self.before is None or self.after is None:
            return ()
        before, after = self.before.sent, self.after.sent
        return tuple(sorted(name for name, value in after.items() if before.get(name) != value))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What one run did. `state` is "running" and `finished` is None until `SyncLedger.end_run`.

    `problems` has at most `MAX_PROBLEMS` when it is read back. `problem_count` is how many there were; the number of
    `problems` counts if that is larger. `seconds` and `waited_s` are durations, `started` and `finished` unix time.
    """

    id: int
    sync: str
    started: float
    finished: float | None = None
    state: RunState = "running"
    counts: Mapping[str, int] = field(default_factory=dict)
    requests: int = 0
    commands: int = 0
    waited_s: float = 0.0
    seconds: float = 0.0
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0
    error: str = ""
    kind: RunKind = "pass"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How much the ledger holds for one sync: `entries` of the source, and the `items` that they became."""

    entries: int
    items: int
    held: int
    open_intents: int


def refusal(reason: str) -> Saying:
    """Return the note of an intent that was refused for `reason`. The event may be gone, so it has to be looked at."""
    return say("refused: {reason}", reason=reason)


def refused_for(note: str) -> str | None:
    """Return the reason in a note that `refusal` made, None for any other note."""
    match note:
        case Saying(form="refused: {reason}", values={"reason": str() as reason}):
            return reason
        case Saying():
            return None
    before, refused, reason = note.partition("refused: ")  # as older versions kept it
    return reason if refused and not before else None


def next_hold(
    key: Key, reason: str, fingerprint: str, before: Hold | None, now: float, *, title: str, where: str
) -> Hold:
    """Return the hold for one more refusal at unix time `now`: 15 minutes, doubled each time, at most a day.

    Attempts are counted for the fingerprint that was refused. Another fingerprint is another request, which starts
    again with 15 minutes.
    """
    attempts = before.attempts + 1 if before is not None and before.fingerprint == fingerprint else 1
    # The exponent is bounded too: after a month of daily attempts the power would no longer fit a float.
    delay = min(FIRST_RETRY_S * 2 ** min(attempts - 1, 10), LONGEST_RETRY_S)
    since = min(before.since, now) if before is not None and attempts > 1 else now
    return Hold(
        key=key,
        reason=reason,
        fingerprint=fingerprint,
        attempts=attempts,
        since=since,
        retry_at=now + delay,
        title=title,
        where=where,
    )
