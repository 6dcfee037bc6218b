"""Refuses a plan that looks like an accident. The error says how many entries, which ones, and how to allow it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from syncd.errors import GuardError
from syncd.lang.saying import Saying, say, say_count
from syncd.model.entry import Snapshot, Window
from syncd.model.item import Item, Link
from syncd.model.plan import Plan

_PERCENTAGE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s*%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """At most `limit` things, or with `percent` at most `limit` percent of all there are.

    Raises ValueError if `limit` is negative, or a percentage above 100.
    """

    limit: Decimal
    percent: bool = False

    def __post_init__(self) -> None:
        if self.limit < 0 or (self.percent and self.limit > 100):
            raise ValueError(say('must be a number from 0, or a percentage from "0%" to "100%"'))

    @classmethod
    def parse(cls, value: str | int) -> Threshold:
        """Return the threshold for a value of the config, 5 or "20%". Raises ValueError for anything else."""
        if isinstance(value, int) and not isinstance(value, bool):
            return cls(limit=Decimal(value))
        found = _PERCENTAGE.fullmatch(str(value).strip())
        if found is None:
            raise ValueError(say('must be a number like 5 or a percentage like "20%", not "{value}"', value=value))
        return cls(limit=Decimal(found[1]), percent=True)

    def allows(self, number: int, of: int) -> bool:
        """Return True if `number` things out of `of` are not more than the limit."""
        return number * 100 <= self.limit * of if self.percent else number <= self.limit

    def __str__(self) -> str:
        return f'"{self.limit}%"' if self.percent else str(self.limit)


CHANGES_COUNT_FROM = 20
"""With fewer known entries an ordinary edit already changes half of them, so max_changed does not apply."""

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The limits of one sync: how many of the known entries one pass may delete, and how many it may change."""

    max_removed: Threshold
    max_changed: Threshold

    def check(self, plan: Plan, sync: str) -> None:
        """Raise GuardError if `plan` deletes, changes or re-creates more than allowed.

        `max_removed` limits the entries that are gone from the source. `max_changed` limits those that are updated and,
        counted separately, those whose events are gone from the portal; it applies from 20 known entries on.
        """
        removed, known = len(plan.removed_uids), plan.known_uids
        if removed and not self.max_removed.allows(removed, known):
            raise self._removing(plan, sync)
        if known < CHANGES_COUNT_FROM:
            return
        if not self.max_changed.allows(len(plan.vanished_uids), known):
            # A caller that has lost its rights gets the same answer as for deleted events (PORTAL.md 4.5). Created
            # again, they would stand there twice as soon as the rights come back.
            raise self._making_again(plan, sync)
        if not self.max_changed.allows(len(plan.changed_uids), known):
            raise self._changing(plan, sync)

    def _removing(self, plan: Plan, sync: str) -> GuardError:
        return GuardError(
            say_count(
                "{sync}: {count} of {known} known entries is gone from the source and would be deleted, more"
                " than max_removed = {max_removed} allows ({examples}); nothing was sent",
                "{sync}: {count} of {known} known entries are gone from the source and would be deleted, more"
                " than max_removed = {max_removed} allows ({examples}); nothing was sent",
                len(plan.removed_uids),
                sync=sync,
                known=plan.known_uids,
                max_removed=str(self.max_removed),
                examples=_examples(plan, plan.removed_uids),
            ),
            say(
                "check the source; if this is right, run once with --force or raise max_removed in [[sync]] {sync}",
                sync=sync,
            ),
        )

    def _making_again(self, plan: Plan, sync: str) -> GuardError:
        return GuardError(
            say_count(
                "{sync}: the events of {count} of {known} known entries no longer exist in the portal and would"
                " be created again, more than max_changed = {max_changed} allows"
                " ({examples}); nothing was sent",
                "{sync}: the events of {count} of {known} known entries no longer exist in the portal and would"
                " be created again, more than max_changed = {max_changed} allows"
                " ({examples}); nothing was sent",
                len(plan.vanished_uids),
                sync=sync,
                known=plan.known_uids,
                max_changed=str(self.max_changed),
                examples=_examples(plan, plan.vanished_uids),
            ),
            say(
                "check that syncd's user can still see these calendars; if people have deleted the events, run"
                " once with --force or raise max_changed in [[sync]] {sync}",
                sync=sync,
            ),
        )

    def _changing(self, plan: Plan, sync: str) -> GuardError:
        return GuardError(
            say_count(
                "{sync}: {count} of {known} known entries would change, more than max_changed ="
                " {max_changed} allows ({examples}); nothing was sent",
                "{sync}: {count} of {known} known entries would change, more than max_changed ="
                " {max_changed} allows ({examples}); nothing was sent",
                len(plan.changed_uids),
                sync=sync,
                known=plan.known_uids,
                max_changed=str(self.max_changed),
                examples=_examples(plan, plan.changed_uids),
            ),
            say(
                "look at `syncd plan {sync}`; if this is right, run once with --force or raise max_changed in"
                " [[sync]] {sync}",
                sync=sync,
            ),
        )


def is_of_guard(error: str) -> bool:
    """Return True if `error`, as the record of a run tells it, is that of a guard that stopped the pass."""
    match error:
        case Saying(values={"message": Saying(values=values)}):
            return "max_removed" in values or "max_changed" in values
        case _:
            return False


def believed(snapshot: Snapshot, links: Iterable[Link], *, window: Window, removed_after: int) -> Snapshot:
    """Return `snapshot`, marked incomplete if it is suddenly empty.

    It is suddenly empty if items within `window` are known that were still there in one of the last `removed_after`
    passes.
    """
    # What could only be rejected is no empty source: somebody wrote those entries.
    if not snapshot.complete or snapshot.entries or snapshot.rejected_uids:
        return snapshot
    known = [link for link in links if window.touches(date.fromisoformat(link.starts_on), _end(link))]
    # A source in the middle of a refresh is empty for a moment. Absences are counted meanwhile, so one that stays
    # empty is believed. Links outside the window are never counted as absent and prove nothing.
    if not known or any(link.absent_passes + 1 >= removed_after for link in known):
        return snapshot
    because = say_count(
        "no entries, where {count:,} item was known (removed_after = {removed_after} passes in a row)",
        "no entries, where {count:,} items were known (removed_after = {removed_after} passes in a row)",
        len(known),
        removed_after=removed_after,
    )
    return replace(snapshot, complete=False, unnamed=None, incomplete_because=because)


def _end(link: Link) -> date | None:
    return date.fromisoformat(link.ends_on) if link.ends_on else None


def _example(holder: Item | Link, *, with_day: bool) -> str:
    if not with_day or not holder.start:
        return f"«{holder.title}»"
    return say("«{title}» {day}", title=holder.title, day=date.fromisoformat(holder.start[:10]))


def _examples(plan: Plan, uids: frozenset[str]) -> Saying:
    """Return a few of these entries that differ, as many titles as there are, and how many more there are."""
    first: dict[str, Item | Link] = {}
    for change in plan.changes:
        holder = change.item or change.link
        if change.key.uid in uids and holder is not None:
            first.setdefault(change.key.uid, holder)
    # A plan of shifts has three titles in all: then the days tell the entries apart.
    titles, days = dict[str, Item | Link](), dict[tuple[str, str], Item | Link]()
    for holder in first.values():
        titles.setdefault(holder.title, holder)
        days.setdefault((holder.title, holder.start[:10]), holder)
    others = [holder for holder in days.values() if titles[holder.title] is not holder]
    chosen = [*titles.values(), *others][:_SHOWN]
    often = Counter(holder.title for holder in chosen)
    shown = tuple(_example(holder, with_day=often[holder.title] > 1) for holder in chosen)
    more = len(uids) - len(shown)
    return say("{titles} and {more} more", titles=shown, more=more) if more > 0 else say("{titles}", titles=shown)
