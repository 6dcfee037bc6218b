"""How the answers of the portal become a reading: what counts as there, as gone, and as another's event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, cast

import pytest

from syncd.errors import PortalUnreachableError
from syncd.model.item import Key, Link, Place
from syncd.model.json_values import Json
from syncd.portal.line.wire import Command, Done, Reply
from syncd.portal.reader import PageReader
from syncd.target.calendar.observe import GET, Reading

ANNA = Place(kind="user", owner=3)
DECEMBER = (date(2026, 12, 1), date(2026, 12, 31))


def link(remote_id: int) -> Link:
    return Link(
        key=Key(uid=str(remote_id), place=ANNA, piece=""), remote_id=remote_id, section="Shifts", section_id=7,
        fingerprint="", sent={}, version=1, title="", where="", starts_on="2026-12-01", ends_on="2026-12-01", start="",
    )  # fmt: skip


def row(remote_id: int, name: str = "Lesson", **other: Any) -> dict[str, Json]:
    days = {"DATE_FROM_FORMATTED": "Tue Dec 01 2026", "DATE_TO_FORMATTED": "Tue Dec 01 2026", "DT_SKIP_TIME": "Y"}
    return {"ID": str(remote_id), "NAME": name, "DESCRIPTION": "", "RRULE": "", "SECTION_ID": "7", **days, **other}


class Portal:
    """Answers listings by section, the last one first, and each look at an id with the next of its answers."""

    def __init__(self, listed: Mapping[int, Sequence[Json]] | None = None, by_id: Mapping[int, Any] | None = None):
        self.listed = dict(listed or {})
        self.by_id = {number: list(answers) for number, answers in (by_id or {}).items()}
        self.asked: list[int] = []

    async def read_each(self, commands: Sequence[Command], take: Callable[[int, Reply], None]) -> None:
        for number, command in reversed(list(enumerate(commands))):
            if command.method == GET:
                (section,) = cast(list[int], command.params["section"])
                take(number, Done(result=self.listed[section]))
            else:
                self.asked.append(cast(int, command.params["id"]))
                take(number, Done(result=self.by_id[self.asked[-1]].pop(0)))


def read(portal: Portal, links: Sequence[Link], *places: tuple[Place, int]) -> tuple[Reading, frozenset[int]]:
    async def reading() -> tuple[Reading, frozenset[int]]:
        one = Reading(cast(PageReader, portal), links)
        if places:
            await one.list_sections(places, DECEMBER)
        return one, await one.ask_by_id()

    return asyncio.run(reading())


def test_an_event_is_gone_only_if_the_portal_says_so_twice() -> None:
    deleted = row(3, DELETED="Y")
    portal = Portal(by_id={1: [None, row(1)], 2: [None, None], 3: [deleted, deleted]})
    reading, gone = read(portal, [link(1), link(2), link(3)])
    assert (sorted(reading.events), sorted(gone)) == ([1], [2, 3])
    assert sorted(portal.asked) == [1, 1, 2, 2, 3, 3]


def test_of_two_rows_with_one_id_the_later_listing_counts_whichever_arrives_first() -> None:
    group = Place(kind="group", owner=9)
    portal = Portal(listed={7: [row(1, "before")], 8: [row(1, "after")]})
    reading, gone = read(portal, [link(1)], (ANNA, 7), (group, 8))
    assert (reading.events[1].title, reading.events[1].place, gone) == ("after", group, frozenset())
    assert not portal.asked, "what a listing shows is not asked for again"


@pytest.mark.parametrize("other", [{"RECURRENCE_ID": "99"}, {"PARENT_ID": "99"}])
def test_a_part_of_another_event_at_a_linked_id_is_neither_ours_nor_gone(other: dict[str, Any]) -> None:
    listed = Portal(listed={7: [row(1, **other), row(2, **other)]})
    for portal, places in ((listed, [(ANNA, 7)]), (Portal(by_id={1: [row(1, **other)]}), [])):
        reading, gone = read(portal, [link(1)], *places)
        assert (reading.events, reading.parts, gone) == ({}, {1}, frozenset())


def test_a_series_is_read_by_its_master_and_must_be_there() -> None:
    rule: Json = {"FREQ": "DAILY", "INTERVAL": 1, "COUNT": 3}
    shown = [row(1, "an occurrence", RRULE=rule)]
    reading, gone = read(Portal(listed={7: shown}, by_id={1: [row(1, "the master", RRULE=rule)]}), [], (ANNA, 7))
    assert (reading.events[1].title, gone) == ("the master", frozenset())
    with pytest.raises(PortalUnreachableError, match="event 1 is listed but cannot be read"):
        read(Portal(listed={7: shown}, by_id={1: [None, None]}), [link(1)], (ANNA, 7))
