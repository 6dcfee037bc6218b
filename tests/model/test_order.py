"""In which order an entry's changes go, and which must wait for which."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from syncd.model.instants import instants
from syncd.model.item import Change, Item, Key, Link, Op, Place
from syncd.model.order import in_order, predecessors, rank

HERE, THERE = Place(kind="user", owner=5), Place(kind="user", owner=6)
Days = tuple[str, str | None]


def change(
    op: Op, *, now: Days | None = None, before: Days | None = None, uid: str = "a", calendar: Place = HERE
) -> Change:
    key = Key(uid=uid, place=calendar)
    shared = {"key": key, "title": "", "where": "", "start": ""}
    item = link = None
    if now is not None:
        item = Item(section="s", section_id=1, fields={}, starts_on=now[0], ends_on=now[1], **shared)  # type: ignore[arg-type]
    if before is not None:
        link = Link(
            remote_id=1, section="s", section_id=1, fingerprint="", sent={}, version=1,
            starts_on=before[0], ends_on=before[1], **shared,  # type: ignore[arg-type]
        )  # fmt: skip
    return Change(op=op, key=key, reason="", item=item, link=link)


CUT = change("update", now=("2026-01-01", "2026-03-01"), before=("2026-01-01", None))
GROWN = change("update", now=("2026-01-01", None), before=("2026-01-01", "2026-03-01"))
SHIFTED = change("update", now=("2026-01-05", "2026-03-05"), before=("2026-01-01", "2026-03-01"))
RENAMED = change("update", now=("2026-01-01", None), before=("2026-01-01", None))
LATER = change("create", now=("2026-03-08", None))
GONE = change("delete", before=("2026-03-08", None))


def test_what_only_shortens_goes_first_and_deletes_go_last() -> None:
    assert sorted([GONE, LATER, GROWN, CUT], key=rank) == [CUT, GROWN, LATER, GONE]
    assert rank(SHIFTED) == rank(RENAMED) == rank(GROWN)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([CUT, LATER], {1: (0,)}),
        ([CUT, LATER, LATER], {1: (0,), 2: (0,)}),
        ([GROWN, GONE], {1: (0,)}),
        ([GROWN, LATER, GONE], {2: (0, 1)}),
        ([CUT, LATER, GONE], {1: (0,), 2: (1,)}),
        ([SHIFTED, GONE], {}),
        ([RENAMED, LATER], {}),
        ([CUT, change("create", now=("2025-12-01", "2025-12-01"))], {}),
        ([CUT, change("create", now=("2026-03-08", None), uid="b")], {}),
        ([CUT, change("create", now=("2026-03-08", None), calendar=THERE)], {}),
        ([change("create", now=("2026-03-08", None), calendar=THERE), GONE], {1: (0,)}),
        ([change("delete", before=("2026-03-08", None))] * 3, {}),
    ],
)
def test_additions_follow_the_shortening_and_deletes_the_addition_in_the_same_days(
    changes: list[Change], expected: dict[int, tuple[int, ...]]
) -> None:
    assert predecessors(changes) == expected


def test_a_plan_is_in_the_order_of_moments_whatever_zones_its_entries_are_told_in() -> None:
    starts = [
        "2026-12-01T09:00:00+09:00",
        "2026-12-01",
        "2026-12-01T00:30:00+03:00",
        "2026-12-01T02:00:00+00:00",
        "2026-12-01T07:00:00+03:00",
    ]
    changes = []
    for number, start in enumerate(starts):
        one = change("create", now=("2026-12-01", "2026-12-01"), uid=f"{9 - number}")
        assert one.item is not None
        changes.append(replace(one, item=replace(one.item, start=start)))
    by_time = ["2026-12-01", "2026-12-01T00:30:00+03:00", "2026-12-01T09:00:00+09:00", "2026-12-01T02:00:00+00:00",
               "2026-12-01T07:00:00+03:00"]  # fmt: skip
    for given in (changes, changes[::-1]):
        assert [one.item.start for one in in_order(given) if one.item is not None] == by_time


def test_the_texts_of_one_zone_are_in_the_order_of_their_moments() -> None:
    starts = ["2026-12-01T00:30:00+03:00", "", "2026-12-01", "2026-11-30T23:00:00+03:00", "2026-12-01T07:00:00+03:00"]
    mixed = [*starts, "2027-01-01T00:00:00+00:00"]
    assert min(instants([*mixed, "2026-12-01T09:00:00 no time"]).values()) == -inf
    one, many = instants(starts), instants(mixed)
    assert sorted(starts, key=lambda start: one[start]) == sorted(starts, key=lambda start: many[start])
