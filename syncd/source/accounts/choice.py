"""Which of the events of a calendar are read, and how much of them: declined meetings, copies, busy-only. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from syncd.source.accounts.told import Told


class ChoiceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of every source of accounts.

    `calendars` is a list, a CSV file or a domain (people.py). With `busy_only` an event is only its time, called
    `busy_title`, and what blocks no time is left out; without it, that is the title of events whose details the account
    may not see. `declined`, `tentative` and `unanswered` say whether meetings are read to which the calendar's owner
    has answered so, and `copies` whether those are whose organizer's calendar is read too.
    """

    calendars: str | tuple[str, ...] = ()
    busy_only: bool = False
    busy_title: str = "Busy"
    declined: bool = False
    tentative: bool = True
    unanswered: bool = True
    copies: bool = True
    zones: Mapping[str, str] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What `ChoiceOptions` and the calendars read say of one event after the other.

    `owners` are the e-mail addresses of all calendars that are read, in lower case, for `copies`. `kinds` are the kinds
    of events that are read, in the vendor's terms, None for all.
    """

    options: ChoiceOptions
    owners: Collection[str] = frozenset()
    kinds: Collection[str] | None = None

    def against(self, told: Told) -> str:
        """Return why an event is left out, as a word to count by, "" if it is read."""
        if told.status == "CANCELLED":
            return ""  # what it takes away is decided where the whole series is seen
        options = self.options
        is_tentative = told.answer == "tentative" or told.status == "TENTATIVE"
        reasons = (
            (self.kinds is not None and told.kind not in self.kinds, told.kind),
            (told.answer == "declined" and not options.declined, "declined"),
            (is_tentative and not options.tentative, "tentative"),
            (told.answer == "unanswered" and not options.unanswered, "unanswered"),
            (not options.copies and not told.is_organizer and told.organizer.lower() in self.owners, "copy"),
            (options.busy_only and told.free is True, "free"),
        )
        return next((reason for holds, reason in reasons if holds), "")

    def shown(self, told: Told) -> Told:
        """Return what of an event is shown: all of it, or only its time."""
        if not self.options.busy_only and not told.hidden:
            return told
        if told.status == "CANCELLED" and told.start is None:
            return Told(id=told.id, at=told.at, status="CANCELLED")
        return Told(
            id=told.id,
            start=told.start,
            end=told.end,
            at=told.at,
            recurrence=told.recurrence,
            title=self.options.busy_title,
            # A tentative meeting blocks its time tentatively, which the portal can show without a word.
            status=told.status,
            free=told.free,
            private=told.private and not self.options.busy_only,
            alarms=() if self.options.busy_only else told.alarms,
            extras=() if self.options.busy_only else told.extras,
        )


def choose(group: Iterable[Told], choice: Choice, left_out: Counter[str]) -> tuple[Told, ...]:
    """Return what is read of a master and its changed occurrences; adds to `left_out` what is not, by reason.

    A changed occurrence that is left out is taken away from its series. Without its master, a changed occurrence stands
    for itself and one that is taken away says nothing.
    """
    told = tuple(group)
    kept: list[Told] = []
    for one in told:
        reason = choice.against(one)
        if reason:
            left_out[reason] += 1
        if not reason:
            kept.append(choice.shown(one))
        elif one.at is not None:
            kept.append(Told(id=one.id, at=one.at, status="CANCELLED"))
    has_master = any(one.at is None for one in kept)
    return tuple(one for one in kept if has_master or one.status != "CANCELLED")
