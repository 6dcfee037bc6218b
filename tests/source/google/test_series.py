"""A series that Google tells and the same series in an iCalendar file become the same items of the portal.

SYNCD_SERIES_EXAMPLES=10000 tries that many.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.model.entry import Entry, Problem, Window
from syncd.model.item import Item
from syncd.model.template import compile_template
from syncd.portal.people.directory import Caller, Directory, Section, User
from syncd.source.accounts.choice import Choice, ChoiceOptions
from syncd.source.accounts.groups import Composer, ReadCalendar
from syncd.source.conformance import CONTEXT as READ
from syncd.source.google.event_item import Surroundings
from syncd.source.google.google_api import Page
from syncd.source.google.listing import Known, merged, series_of
from syncd.source.ical.ics import parse_ics
from syncd.target.base import ShapeContext
from syncd.target.calendar.calendar_target import CalendarSettings, CalendarTarget
from tests.source.google.series import Series, as_google, as_ics, random_series
from tests.source.google.world import CalendarWorld, as_json

EXAMPLES = int(os.environ.get("SYNCD_SERIES_EXAMPLES", "150"))
ANNA = "anna@example.com"
SHAPE = ShapeContext(
    directory=Directory(
        read_at=1.0,
        caller=Caller(id=1, zone="Europe/Moscow", admin=True),
        server_offset_s=10_800,
        users=(User(id=1, name="A", last_name="B", email=ANNA, xml_id="", zone="", active=True),),
        sections={"user/1": (Section(id=11, name="Work", writable=True, external=""),)},
    ),
    window=Window(first=date(2026, 8, 1), last=date(2027, 8, 1)),
    today=date(2026, 11, 21),
    portal_zone="Europe/Moscow",
)


def target() -> CalendarTarget:
    name, owner, empty = (compile_template(text, where="t") for text in ("{title}", ANNA, ""))
    chosen = CalendarSettings(
        sync="s", calendar="user", section="Work", owner=owner, name=name, description=empty, location=empty
    )
    return CalendarTarget(chosen)


def told_by_google(series: Series) -> Entry:
    calendar = CalendarWorld(ANNA, zone=series.home)
    as_google(series, calendar)
    page = msgspec.json.decode(as_json({"items": [*calendar.items.values()]}), type=Page)
    known = Known(items=merged({}, [page], ANNA, lambda item: item))
    around = Surroundings(zone=series.home, hidden=False, alarms=(), meanings={})
    read = ReadCalendar(name=ANNA, owner=ANNA, series=tuple(series_of(known, ANNA, around)))
    composer = Composer(settings="", meanings={})
    snapshot = composer.snapshot([read], {}, Choice(options=ChoiceOptions()), READ)
    assert snapshot.problems == ()
    (entry,) = snapshot.entries
    return entry


def told_by_ics(series: Series) -> Entry:
    part = parse_ics("a.ics", as_ics(series, f"s@{ANNA}"), encoding="auto", zone="Europe/Moscow", year=2026)
    assert part.problems == []
    (entry,) = part.entries
    return entry


def shown(entry: Entry) -> tuple[tuple[Item, ...], tuple[Problem, ...]]:
    shaped = target().shape(entry, SHAPE)
    items = tuple(replace(item, where="") for item in shaped.items)
    return items, tuple(replace(problem, where="") for problem in shaped.problems)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, 2**32))
def test_a_series_has_the_same_items_whoever_tells_it(seed: int) -> None:
    series = random_series(Random(seed))
    assert shown(told_by_google(series)) == shown(told_by_ics(series))
