"""Recognises rows without an id that moved: owner, title and start name them, so one that moved has a new name.

What disappeared and what appeared are one row when calendar, title, piece and file are the same and

same day     as many came as disappeared: in the order of their starts; otherwise each is the nearest to the other by
             its start, and no third is as near
another day  all that disappeared were on one day, and as many came on one other day, less than a week apart, and the
             old day is still to come: in the order of their starts

A file counts as renamed if it is gone and its rows that are known by their names all stand in one other file. Over
files that were not, a row is the same one only where one alone disappeared and one alone came, of all files together.

A row whose day is over and one that comes in at the far end are no move: so schedules roll on. What is not certain
stays two rows, and what is gone from the source is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from syncd.model.entry import file_of, is_nameless
from syncd.model.item import Item, Link

_FAR = timedelta(days=7)
Holder = TypeVar("Holder", Item, Link)


def moved_rows(
    items: Iterable[Item],
    links: Iterable[Link],
    *,
    present: Collection[str],
    files: Collection[str],
    today: date,
) -> dict[str, tuple[Item, Link]]:
    """Return each row that moved, by its uid in the source, with the link by which it is known.

    `present` are all uids of the snapshot. `files` are all files with items, including items that are not among
    `items`. If rows without a uid could not be read, `items` must be those that none of these rows can be (`is_apart`).
    A row that became several items is left out.
    """
    links = tuple(links)
    orphans = [link for link in links if link.key.uid not in present and is_nameless(link.key.uid)]
    if not orphans:
        return {}
    items = tuple(items)
    linked = {link.key.uid for link in links}
    newcomers = [item for item in items if item.key.uid not in linked and is_nameless(item.key.uid)]
    became = _renamed_files(items, links, files)
    moved: dict[str, tuple[Item, Link]] = {}
    gone = _grouped(orphans, lambda link: became.get(_file(link), _file(link)))
    for group, new in _grouped(newcomers, _file).items():
        for item, link in _pairs(new, gone.get(group, ()), today):
            moved[item.key.uid] = (item, link)
    known = {link.key.uid for _, link in moved.values()}
    gone = _grouped(one for one in orphans if one.key.uid not in known)
    for group, new in _grouped(one for one in newcomers if one.key.uid not in moved).items():
        if len(new) == len(gone.get(group, ())) == 1:
            for item, link in _pairs(new, gone[group], today):
                moved[item.key.uid] = (item, link)
    return moved


def is_apart(item: Item, title: str, unread: Collection[str]) -> bool:
    """Return True if no row called one of `unread` can be the row of `item`, which its source calls `title`.

    The portal may show other columns in the item's title too. So it has to contain its own title and none of the
    others.
    """
    return bool(title) and title in item.title and not any(one in item.title for one in unread)


def _grouped(
    holders: Iterable[Holder], file_of: Callable[[Holder], str] = lambda _one: ""
) -> Mapping[Hashable, Sequence[Holder]]:
    """Return by place, piece, title and file those that are the only ones of their uid.

    By default all files count as one.
    """
    by_uid: dict[str, list[Holder]] = defaultdict(list)
    for one in holders:
        by_uid[one.key.uid].append(one)
    found: dict[Hashable, list[Holder]] = defaultdict(list)
    for own in by_uid.values():
        if len(own) == 1:
            one = own[0]
            found[one.key.place, one.key.piece, _plain(one.title), file_of(one)].append(one)
    return found


def _file(one: Item | Link) -> str:
    return file_of(one.where)


def _renamed_files(items: Sequence[Item], links: Sequence[Link], there: Collection[str]) -> Mapping[str, str]:
    """Return the new name of each file that was renamed, which is none of those that are `there`.

    A link keeps the old name until its event is written again.
    """
    stands_in = {item.key.uid: _file(item) for item in items}
    became: dict[str, set[str]] = defaultdict(set)
    for link in links:
        if link.key.uid in stands_in and (before := _file(link)) not in there:
            became[before].add(stands_in[link.key.uid])
    return {before: next(iter(names)) for before, names in became.items() if len(names) == 1}


def _plain(title: str) -> str:
    """Return a title in the form in which people compare it: a corrected capital or blank makes no other row."""
    return " ".join(title.split()).casefold().replace("ё", "е")


def _pairs(new: Sequence[Item], old: Sequence[Link], today: date) -> Iterable[tuple[Item, Link]]:
    """Yield the rows of one group that are the same row before and after."""
    days: dict[str, tuple[list[Item], list[Link]]] = defaultdict(lambda: ([], []))
    for item in new:
        days[item.starts_on][0].append(item)
    for lost in old:
        days[lost.starts_on][1].append(lost)
    taken: set[str] = set()
    for come, gone in days.values():
        for item, link in _on_one_day(come, gone):
            taken |= {item.key.uid, link.key.uid}
            yield item, link
    left = [item for item in new if item.key.uid not in taken]
    away = [one for one in old if one.key.uid not in taken and not one.absent_passes]
    come_on, gone_from = {item.starts_on for item in left}, {one.starts_on for one in away}
    if len(come_on) == len(gone_from) == 1 and len(left) == len(away):
        day, before = date.fromisoformat(*come_on), date.fromisoformat(*gone_from)
        if before > today and abs(day - before) < _FAR:
            yield from _in_order(left, away)


def _on_one_day(come: Sequence[Item], gone: Sequence[Link]) -> Iterable[tuple[Item, Link]]:
    """Yield the rows that came and disappeared on one day and are the same row."""
    if len(come) == len(gone):
        # Which one became which cannot be seen afterwards: each event gets all that its row says.
        yield from _in_order(come, gone)
        return
    for item in come:
        link = _nearest(item, gone)
        if link is not None and _nearest(link, come) is item:
            yield item, link


def _in_order(come: Sequence[Item], gone: Sequence[Link]) -> Iterable[tuple[Item, Link]]:
    return zip(sorted(come, key=_moment), sorted(gone, key=_moment), strict=True)


def _nearest(one: Item | Link, others: Sequence[Holder]) -> Holder | None:
    """Return the one of `others` whose start is nearest to that of `one`, None if two are equally near."""
    at = _moment(one)
    near = sorted((abs((_moment(other) - at).total_seconds()), number) for number, other in enumerate(others))
    if not near or (len(near) > 1 and near[0][0] == near[1][0]):
        return None
    return others[near[0][1]]


def _moment(one: Item | Link) -> datetime:
    moment = datetime.fromisoformat(one.start)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
