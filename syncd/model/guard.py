"""Refuses a plan that looks like an accident, in words that name the numbers, the entries and the option to set."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from syncd.errors import GuardError
from syncd.model.entry import Snapshot, Window
from syncd.model.item import Link
from syncd.model.plan import Plan

_PERCENTAGE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s*%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """At most `limit` things, or at most `limit` percent of all there are when `percent` is set.

    Raises ValueError when `limit` is negative, or a percentage beyond 100.
    """

    limit: Decimal
    percent: bool = False

    def __post_init__(self) -> None:
        if self.limit < 0 or (self.percent and self.limit > 100):
            raise ValueError('must be a number from 0, or a percentage from "0%" to "100%"')

    @classmethod
    def parse(cls, value: str | int) -> Threshold:
        """Return the threshold a config means by 5 or "20%"; raises ValueError for anything else."""
        if isinstance(value, int) and not isinstance(value, bool):
            return cls(limit=Decimal(value))
        found = _PERCENTAGE.fullmatch(str(value).strip())
        if found is None:
            raise ValueError(f'must be a number like 5 or a percentage like "20%", not "{value}"')
        return cls(limit=Decimal(found[1]), percent=True)

    def allows(self, number: int, of: int) -> bool:
        """Say whether `number` things out of `of` are few enough; exactly the limit is."""
        return number * 100 <= self.limit * of if self.percent else number <= self.limit

    def __str__(self) -> str:
        return f'"{self.limit}%"' if self.percent else str(self.limit)


CHANGES_COUNT_FROM = 20
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The limits of one sync: how much of what is known may go, and how much may change, in one pass."""

    max_removed: Threshold
    max_changed: Threshold

    def check(self, plan: Plan, sync: str) -> None:
        """Raise GuardError when `plan` removes, changes or makes anew more than allowed.

        Removals count entries that are gone from the source; changes count entries that are updated, and apart from
        them those whose events are gone from the portal, both only once 20 are known. Both sides empty is fine.
        """
        removed, known = len(plan.removed_uids), plan.known_uids
        if removed and not self.max_removed.allows(removed, known):
            raise GuardError(
                f"{sync}: {removed} of {known} known entries are gone from the source and would be deleted, more than"
                f" max_removed = {self.max_removed} allows ({_examples(plan, plan.removed_uids)}); nothing was sent",
                f"check the source; if this is right, run once with --force or raise max_removed in [[sync]] {sync}",
            )
        if known < CHANGES_COUNT_FROM:
            return
        vanished = len(plan.vanished_uids)
        if vanished and not self.max_changed.allows(vanished, known):
            # An event that may not be seen any more looks like a deleted one (PORTAL.md 4.5); made anew it stood twice.
            raise GuardError(
                f"{sync}: the events of {vanished} of {known} known entries are not to be seen in the portal any more"
                f" and would be made anew, more than max_changed = {self.max_changed} allows"
                f" ({_examples(plan, plan.vanished_uids)}); nothing was sent",
                "may the webhook's user still see these calendars? If people have deleted the events, run once with"
                f" --force or raise max_changed in [[sync]] {sync}",
            )
        changed = len(plan.changed_uids)
        if changed and not self.max_changed.allows(changed, known):
            raise GuardError(
                f"{sync}: {changed} of {known} known entries would change, more than max_changed ="
                f" {self.max_changed} allows ({_examples(plan, plan.changed_uids)}); nothing was sent",
                f"look at `syncd plan {sync}`; if this is right, run once with --force or raise max_changed in"
                f" [[sync]] {sync}",
            )


def believed(snapshot: Snapshot, links: Iterable[Link], *, window: Window, removed_after: int) -> Snapshot:
    """Return `snapshot`, called incomplete when it is empty, something was known, and it is not empty for long enough.

    A source in the middle of a refresh looks like that. Absence is counted all the same, so that an emptiness which
    lasts for `removed_after` passes is believed. Links outside `window` say nothing: they are never absent.
    """
    if not snapshot.complete or snapshot.entries or snapshot.rejected_uids:
        return snapshot
    known = [link for link in links if window.touches(date.fromisoformat(link.starts_on), _end(link))]
    if not known or any(link.absent_passes + 1 >= removed_after for link in known):
        return snapshot
    because = f"no entries, where {len(known)} items were known (removed_after = {removed_after} passes in a row)"
    return replace(snapshot, complete=False, incomplete_because=because)


def _end(link: Link) -> date | None:
    return date.fromisoformat(link.ends_on) if link.ends_on else None


def _examples(plan: Plan, uids: frozenset[str]) -> str:
    titles: dict[str, str] = {}
    for change in plan.changes:
        holder = change.item or change.link
        if change.key.uid in uids and holder is not None:
            titles.setdefault(change.key.uid, holder.title)
    shown = [f"«{title}»" for title in list(titles.values())[:_SHOWN]]
    more = len(uids) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
