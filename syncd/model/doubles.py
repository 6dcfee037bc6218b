"""Events that stand twice because the portal carried out a request long after it was given up. Pure.

another event bears the mark of an item, or looks like it, and ...             so
-----------------------------------------------------------------------------  --------
a create of it was given up, it is what that create sent, untouched, made by
the webhook's user within an hour of the item's own event, and bears our mark  removed
anything less: it may be a person's copy                                       reported
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from syncd.lang.saying import say
from syncd.model.entry import Problem
from syncd.model.evidence import Stamp
from syncd.model.item import Change, Item, Link, Observed
from syncd.model.observation import Comparison, Observation, mark_of

MOST_GIVEN_UP = 200
_CLOSE_S = 3600


class GivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """A create that nobody answered and that was not found: its fields, with the item's mark and signature."""

    mark: str
    signature: str
    fields: Mapping[str, Any]  # canonical JSON values, as an item has them


@dataclass(frozen=True, slots=True, kw_only=True)
class Double:
    """An event beside the event of `link`. `ours` is True if a request of ours certainly made it."""

    link: Link
    seen: Observed
    ours: bool

    @property
    def problem(self) -> Problem:
        """What people are told about the event."""
        where, first, second = self.link.where, self.link.remote_id, self.seen.remote_id
        if self.ours:
            reason = say(
                "stands twice: event {second} came late, when {first} had been made in its place; it is removed",
                second=second,
                first=first,
            )
        else:
            reason = say(
                "event {second} looks like a copy of {first}; unless somebody meant it, delete it in the portal",
                second=second,
                first=first,
            )
        return Problem(where=where, kind="warning", key=str(self.link.key), reason=reason, title=self.link.title)


def given_up(item: Item, comparison: Comparison) -> GivenUp:
    """Return what has to be remembered of the create of `item`, which the portal may still carry out."""
    return GivenUp(mark=comparison.mark(item), signature=comparison.signature(item), fields=dict(item.fields))


def doubles(
    links: Iterable[Link], observation: Observation, creates: Iterable[GivenUp], caller: int, ledger: str = ""
) -> tuple[Double, ...]:
    """Return the events that stand beside an event of `links`, in the order of their ids.

    `creates` are the creates that were given up, and `caller` is the webhook's user. `ledger` is the name of our
    ledger; an event with the name of another one is not ours.
    """
    by_mark = {one.mark: one for one in creates}
    known = {link.remote_id: link for link in links}
    signatures = {one.signature for one in by_mark.values()} - {""}
    signature = observation.comparison.signature
    free = [
        seen
        for remote_id, seen in sorted(observation.events.items())
        if remote_id not in known and (seen.mark or (signatures and signature(seen) in signatures))
    ]
    if not free:
        return ()
    marked = {mark_of(link, observation.comparison): link for link in known.values()}
    found: list[Double] = []
    for seen in free:
        alike = (one.mark for one in by_mark.values() if not seen.mark and one.signature == signature(seen))
        mark = seen.mark or next((one for one in alike if one in marked), "")
        link = marked.get(mark)
        if link is not None and link.key.place == seen.place:
            ours = seen.ledger in ("", ledger) and _is_ours(link, seen, by_mark.get(mark), observation, caller)
            found.append(Double(link=link, seen=seen, ours=ours))
    return tuple(found)


def doubles_left(
    links: Iterable[Link],
    changes: Iterable[Change],
    observation: Observation,
    creates: Iterable[GivenUp],
    caller: int,
    ledger: str,
) -> tuple[Double, ...]:
    """Return the events that stand beside linked ones, except those that `changes` take over. See `doubles`."""
    taken = {change.link.remote_id for change in changes if change.op == "adopt" and change.link is not None}
    found = doubles(links, observation, creates, caller, ledger)
    return tuple(one for one in found if one.seen.remote_id not in taken)


def _is_ours(link: Link, seen: Observed, create: GivenUp | None, observation: Observation, caller: int) -> bool:
    """Return True only if nothing but a late request of ours can have made the event.

    There are so many conditions because people copy events together with their marks, and the webhook's user is a
    person too.
    """
    comparison, first = observation.comparison, observation.events.get(link.remote_id)
    if create is None or first is None or not seen.mark or seen.damage or seen.masked or create.fields.get("meeting"):
        return False
    if comparison.differing(create.fields, seen.fields):
        return False
    if comparison.mark_field:  # an origin, which only REST can set (PORTAL.md 6.1)
        return True
    return seen.version == 1 and seen.creator == caller > 0 and _made_together(first, seen)


def _made_together(first: Observed, second: Observed) -> bool:
    one, other = Stamp.parse(first.stamp), Stamp.parse(second.stamp)
    return one is not None and other is not None and abs(one.at - other.at) <= _CLOSE_S


def remembered(
    creates: Iterable[GivenUp], *, more: Iterable[GivenUp] = (), come: Iterable[str] = ()
) -> tuple[GivenUp, ...]:
    """Return what is to be remembered: `creates` and `more`, except those whose marks are in `come`."""
    left: Mapping[str, GivenUp] = {one.mark: one for one in (*creates, *more)}
    gone = set(come)
    return tuple(one for mark, one in left.items() if mark not in gone)[-MOST_GIVEN_UP:]
