"""The order of an entry's changes, so that no occurrence is shown twice for longer than one batch takes.

  1 adopt   2 updates that only shorten   3 other updates   4 creates   5 deletes

What adds occurrences waits for what shortens a piece: if a series cannot be cut, its successor must not be created. A
delete waits for the additions and follows at once, so that the old piece goes when its successor exists. Only days are
compared here, never the meaning of an item's fields.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from syncd.lang.saying import say
from syncd.model.instants import instants
from syncd.model.item import Change, Item, Key, Link, Place

_WITHOUT_END = "9999-12-31"
_ADOPT, _SHORTEN, _UPDATE, _CREATE, _DELETE = range(5)
_Days = tuple[int, str, str]
"""Index of a change, and the first and last of the days that it covers."""


def rank(change: Change) -> int:
    """Return the position of `change` among the changes of its entry."""
    match change.op:
        case "adopt":
            return _ADOPT
        case "update":
            return _SHORTEN if _only_shortens(change) else _UPDATE
        case "create":
            return _CREATE
        case "delete":
            return _DELETE


def in_order(changes: Sequence[Change]) -> list[Change]:
    """Return the changes of a plan, ordered by the first start of each entry, so that its changes are together."""
    starts = [change.item.start if change.item else change.link.start if change.link else "" for change in changes]
    moments = instants(starts)
    first_start: dict[str, float] = {}
    for change, start in zip(changes, starts, strict=True):
        uid, moment = change.key.uid, moments[start]
        first_start[uid] = min(first_start.get(uid, moment), moment)
    return sorted(changes, key=lambda c: (first_start[c.key.uid], c.key.uid, rank(c), c.key))


def waits_for(reason: str) -> str:
    """Return why a change waits if an earlier one cannot be made because of `reason`."""
    return say("waits for another piece of its entry: {reason}", reason=reason)


def predecessors(changes: Sequence[Change]) -> Mapping[int, tuple[int, ...]]:
    """Return by index which changes a change must follow. `changes` are in the order of a plan.

    An update or create that adds occurrences follows the changes of its entry that shorten a piece in the same place
    and share days with it. A delete follows the additions that share days with it, in any place. The changes that a
    change follows come before it.
    """
    shortened: dict[tuple[str, Place], list[_Days]] = defaultdict(list)
    added: dict[str, list[_Days]] = defaultdict(list)
    found: dict[int, tuple[int, ...]] = {}
    for index, change in enumerate(changes):
        uid, place, kind = change.key.uid, change.key.place, rank(change)
        others: Sequence[_Days] = ()
        holder: Item | Link | None = change.item
        if kind == _SHORTEN and change.link is not None:
            shortened[uid, place].append((index, *_days(change.link)))
        elif kind in (_UPDATE, _CREATE) and change.item is not None:
            others = shortened.get((uid, place), ())
            added[uid].append((index, *_days(change.item)))
        elif kind == _DELETE:
            others, holder = added.get(uid, ()), change.link
        if others and holder is not None:
            first, last = _days(holder)
            if near := tuple(other for other, begins, ends in others if first <= ends and last >= begins):
                found[index] = near
    return found


def waiting_for(blocked: Sequence[Change], changes: Iterable[Change], wanted: Iterable[Item]) -> Mapping[Key, str]:
    """Return which of `changes` must wait because those in `blocked` are not made now, and why.

    A successor waits until its predecessor is shortened, or an occurrence would be shown twice. A delete waits as long
    as none of the `wanted` items covers its days, or the entry would not be shown at all.
    """
    uids = {change.key.uid for change in blocked}
    if not uids:
        return {}
    reasons = {change.key: waits_for(change.reason) for change in blocked}
    items = [item for item in wanted if item.key.uid in uids]
    ordered = sorted(
        [*blocked, *(change for change in changes if change.key.uid in uids)],
        key=lambda change: (change.key.uid, rank(change), change.key),
    )
    waiting: dict[Key, str] = {}
    for index, before in predecessors(ordered).items():
        change = ordered[index]
        first = next((ordered[one].key for one in before if ordered[one].key in reasons), None)
        if first is None or change.key in reasons:
            continue
        if change.op == "delete" and _replaced(change, (item for item in items if item.key not in reasons)):
            continue
        reasons[change.key] = waiting[change.key] = reasons[first]
    return waiting


def _replaced(change: Change, items: Iterable[Item]) -> bool:
    """Return True if any of `items` covers days of what `change` deletes."""
    if change.link is None:
        return False
    first, last = _days(change.link)
    days = (_days(item) for item in items if item.key.uid == change.key.uid)
    return any(first <= ends and last >= begins for begins, ends in days)


def _only_shortens(change: Change) -> bool:
    if change.item is None or change.link is None:
        return False
    (first, last), (first_before, last_before) = _days(change.item), _days(change.link)
    return (first, last) != (first_before, last_before) and first >= first_before and last <= last_before


def _days(one: Item | Link) -> tuple[str, str]:
    return one.starts_on, one.ends_on or _WITHOUT_END
