"""Whatever syncd writes it reads back as unchanged: through a batch and alone, new and over something else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from syncd.model.item import Change, Item, Key, Link, Observed, Place
from syncd.model.rule import WEEKDAYS, NativeRule
from syncd.portal.client import Portal
from syncd.portal.limits.pace import Limits
from syncd.portal.line.transport import Webhook
from syncd.portal.line.wire import Command, Done
from syncd.portal.people.directory import Caller, Directory
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.settings import Settings
from syncd.sandbox.world import World
from syncd.target.calendar import observe, portal_event
from syncd.target.calendar.portal_event import EventFields, Meeting, to_fields
from tests.support.sandbox import WEBHOOK, SimClock, WorldTransport, run_inline

OWNER = 3
CALENDAR = Place(kind="user", owner=OWNER)
SECTION = 3
DIRECTORY = Directory(
    read_at=1_795_000_000.0,
    caller=Caller(id=1, zone="Europe/Moscow", admin=True),
    server_offset_s=10_800,
    users=(),
    sections={},
)
FAR_ENDS = (date(2037, 12, 31), date(2038, 1, 1), date(2038, 1, 2), date(2067, 5, 1), date(2099, 12, 31))
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=40),
    st.sampled_from(
        ("Create event for marketing", "$result[a] $total[b]", "100% & more; a=b#c?d", "union, select delegates",
         "<b>bold</b> <script>x</script>", "Игорь 🎂", "calendar", "see ../docs/../a", "online = 3")
    ),
)  # fmt: skip


@st.composite
def events(draw: st.DrawFn) -> EventFields:
    name = " ".join(draw(TEXTS).split()) or "Lesson"
    day = draw(st.dates(date(2026, 11, 25), date(2027, 6, 1)))
    all_day = draw(st.booleans())
    if all_day:
        start, end = day.isoformat(), (day + timedelta(days=draw(st.integers(0, 3)))).isoformat()
        zones = ("", "")
    else:
        opens = datetime(day.year, day.month, day.day, draw(st.integers(4, 20)), draw(st.integers(0, 59)))
        start, end = opens.isoformat(), (opens + timedelta(minutes=draw(st.integers(0, 180)))).isoformat()
        zone = draw(st.sampled_from(("Europe/Moscow", "Europe/Berlin", "UTC", "America/New_York", "Asia/Kolkata")))
        zones = (zone, zone)
    rule = draw(st.sampled_from((None, None, "daily", "weekly", "monthly", "far")))
    native = None
    if rule == "daily":
        native = NativeRule(freq="DAILY", interval=5, count=4)
    elif rule == "weekly":
        native = NativeRule(freq="WEEKLY", byday=(WEEKDAYS[day.weekday()],), until=day + timedelta(days=70))
    elif rule == "far":
        native = NativeRule(freq="DAILY", until=draw(st.sampled_from(FAR_ENDS)))
    elif rule == "monthly" and day.day <= 28:
        native = NativeRule(freq="MONTHLY", interval=2)
    guests = draw(st.sampled_from((None, None, (3, 5), (3, 5, 7))))
    return EventFields(
        name=name if name != "0" else "Zero",
        start=start,
        end=end,
        all_day=all_day,
        zone_from=zones[0],
        zone_to=zones[1],
        rule=native,
        description=draw(TEXTS).strip(),
        location=" ".join(draw(TEXTS).split()),
        color=draw(st.sampled_from(("", "#9cbe1c", "#ff0000"))),
        accessibility=draw(st.sampled_from(("busy", "quest", "free", "absent"))),
        importance=draw(st.sampled_from(("high", "normal", "low"))),
        private=draw(st.booleans()),
        remind=draw(st.sampled_from(((), (15,), (10, 1440)))),
        meeting=Meeting(attendees=guests, host=OWNER) if guests else None,
        mark=draw(st.sampled_from(("", "0123456789abcdef"))),
    )


def change(op: Any, event: EventFields, remote_id: int = 0, before: EventFields | None = None) -> Change:
    key = Key(uid="u", place=CALENDAR)
    item = Item(key=key, section="S", section_id=SECTION, fields=to_fields(event), title=event.name, where="w",
                starts_on=event.start[:10], ends_on=None, start=event.start)  # fmt: skip
    link = None
    if before is not None:
        link = Link(key=key, remote_id=remote_id, section="S", section_id=SECTION, fingerprint="", title="", where="",
                    sent=to_fields(before), version=1, starts_on=event.start[:10], ends_on=None, start="")  # fmt: skip
    return Change(op=op, key=key, reason="", item=item, link=link)


async def written(portal: Portal, command: Command, *, alone: bool) -> int:
    if alone:
        return int(str(await portal.read(command.method, command.params)))
    (outcome,) = await portal.read_many([command])
    assert isinstance(outcome, Done), outcome
    return int(str(outcome.result))


async def read_back(portal: Portal, remote_id: int) -> Observed:
    row = await portal.read("calendar.event.getbyid", {"id": remote_id})
    seen = observe.read_event(CALENDAR, row)
    assert seen is not None
    return seen


COMPARISON = portal_event.comparison_of("s")


async def write_twice(waf: bool, event: EventFields, other: EventFields, *, alone: bool) -> None:
    clock = SimClock()
    world = World(Settings(waf=waf, integer_stamps=False, tariff="self-hosted"), default_world())
    portal = Portal(name="main", credential=Webhook(address=WEBHOOK), limits=Limits.tariff("self-hosted"), clock=clock,
                    random=Random(7).random, transport=WorldTransport(world, clock))  # fmt: skip
    create = portal_event.command(change("create", event), SECTION, DIRECTORY)
    created = await written(portal, create, alone=alone)
    seen = await read_back(portal, created)
    assert COMPARISON.edits(to_fields(event), seen) == ()
    assert seen.masked <= (event.private and event.meeting is not None)  # its creator is the owner (PORTAL.md 4.2, 4.5)
    assert (seen.version, seen.section_id, seen.mark) == (1, SECTION, "" if seen.masked else event.mark)

    update = portal_event.command(change("update", other, created, event), SECTION, DIRECTORY)
    assert await written(portal, update, alone=alone) == created
    seen = await read_back(portal, created)
    assert COMPARISON.edits(to_fields(other), seen) == ()
    assert seen.version == 2


@pytest.mark.parametrize("waf", [False, True])
@settings(max_examples=30, deadline=None)
@given(event=events(), other=events(), alone=st.booleans())
def test_what_is_written_reads_back_as_unchanged(
    waf: bool, event: EventFields, other: EventFields, alone: bool
) -> None:
    if event.color and not other.color:
        other = structs.replace(other, color=event.color)  # a colour cannot be taken away (PORTAL.md 4.3)
    run_inline(write_twice(waf, event, other, alone=alone))


def test_an_update_carries_the_full_set_every_time() -> None:
    plain = EventFields(name="A", start="2026-12-01T09:00:00", end="2026-12-01T10:00:00", all_day=False,
                        zone_from="Europe/Moscow", zone_to="Europe/Moscow")  # fmt: skip
    params = portal_event.command(change("update", plain, 7, plain), SECTION, DIRECTORY).params
    full = "id type ownerId section name description location from to skip_time timezone_from timezone_to"
    assert {*full.split(), "accessibility", "importance", "private_event", "rrule"} <= set(params)
    assert "remind" not in params  # an empty list cannot go in a batch, and there is none to take away
    meeting = structs.replace(plain, meeting=Meeting(attendees=(3, 5), host=3), remind=(15,))
    params = portal_event.command(change("update", plain, 7, meeting), SECTION, DIRECTORY).params
    assert (params["is_meeting"], params["remind"]) == ("N", [])
    params = portal_event.command(change("update", meeting, 7, plain), SECTION, DIRECTORY).params
    assert {"is_meeting", "attendees", "host", "meeting"} <= set(params)


@pytest.mark.parametrize(
    ("caller", "server_offset_h"),
    [("Europe/Moscow", 3), ("Pacific/Auckland", -8), ("Pacific/Honolulu", 12), ("Asia/Tokyo", -5), ("", 3)],
)
def test_whole_days_survive_any_distance_between_caller_and_server(caller: str, server_offset_h: int) -> None:
    day = EventFields(name="Off", start="2026-12-01", end="2026-12-02", all_day=True)
    directory = replace(DIRECTORY, caller=Caller(id=1, zone=caller, admin=True), server_offset_s=server_offset_h * 3600)
    params = portal_event.command(change("create", day), SECTION, directory).params
    sent = datetime.fromisoformat(str(params["from"]))
    if caller:
        offset = datetime.fromtimestamp(directory.read_at, ZoneInfo(caller)).utcoffset() or timedelta()
        sent += offset - timedelta(hours=server_offset_h)
    assert sent.date() == date(2026, 12, 1)


@pytest.mark.parametrize(("caller", "server_offset_h"), [("America/New_York", 12), ("Pacific/Auckland", -5)])
def test_whole_days_keep_an_hour_free_for_the_day_on_which_the_servers_clock_is_set(
    caller: str, server_offset_h: int
) -> None:
    day = EventFields(name="Off", start="2026-09-27", end="2026-09-27", all_day=True)
    directory = replace(DIRECTORY, caller=Caller(id=1, zone=caller, admin=True), server_offset_s=server_offset_h * 3600)
    sent = datetime.fromisoformat(str(portal_event.command(change("create", day), SECTION, directory).params["from"]))
    offset = datetime.fromtimestamp(directory.read_at, ZoneInfo(caller)).utcoffset() or timedelta()
    for hours in (-1, 0, 1):
        assert (sent + offset - timedelta(hours=server_offset_h + hours)).date() == date(2026, 9, 27)
