"""In which order the changes of one entry go, so that no occurrence is shown twice for longer than one batch takes.

  1 adopt   2 updates that only shorten   3 other updates   4 creates   5 deletes

What adds waits for what shortens: a series that cannot be cut must not get a successor. What deletes waits for what
adds, and follows at once: a piece goes when its successor stands. Knows days only, never what an item's fields mean.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from syncd.model.item import Calendar, Change, Item, Link

_WITHOUT_END = "9999-12-31"
_ADOPT, _SHORTEN, _UPDATE, _CREATE, _DELETE = range(5)
_Days = tuple[int, str, str]
"""Index of a change, and the first and last of the days it is about."""


def rank(change: Change) -> int:
    """Return the place of `change` among those of its entry."""
    match change.op:
        case "adopt":
            return _ADOPT
        case "update":
            return _SHORTEN if _only_shortens(change) else _UPDATE
        case "create":
            return _CREATE
        case "delete":
            return _DELETE


def predecessors(changes: Sequence[Change]) -> Mapping[int, int]:
    """Return which change (by index) each of some others must follow; `changes` are in the order of a plan.

    An update or create that adds occurrences follows the last shortening of its entry in days they share, in the same
    calendar; a delete follows the last addition in such days, in any calendar.
    """
    shortened: dict[tuple[str, Calendar], list[_Days]] = defaultdict(list)
    added: dict[str, list[_Days]] = defaultdict(list)
    found: dict[int, int] = {}
    for index, change in enumerate(changes):
        uid, calendar, kind = change.key.uid, change.key.calendar, rank(change)
        others: Sequence[_Days] = ()
        holder: Item | Link | None = change.item
        if kind == _SHORTEN and change.link is not None:
            shortened[uid, calendar].append((index, *_days(change.link)))
        elif kind in (_UPDATE, _CREATE) and change.item is not None:
            others = shortened.get((uid, calendar), ())
            added[uid].append((index, *_days(change.item)))
        elif kind == _DELETE:
            others, holder = added.get(uid, ()), change.link
        if others and holder is not None:
            first, last = _days(holder)
            near = (other for other, begins, ends in reversed(others) if first <= ends and last >= begins)
            if (other := next(near, None)) is not None:
                found[index] = other
    return found


def _only_shortens(change: Change) -> bool:
    if change.item is None or change.link is None:
        return False
    (first, last), (first_before, last_before) = _days(change.item), _days(change.link)
    return (first, last) != (first_before, last_before) and first >= first_before and last <= last_before


def _days(one: Item | Link) -> tuple[str, str]:
    return one.starts_on, one.ends_on or _WITHOUT_END
