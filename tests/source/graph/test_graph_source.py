"""Calendars in Microsoft 365: what is asked for, what changes become, and which traps do not matter."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from syncd.model.entry import AllDay, Entry, Snapshot, Timed, Window
from syncd.source import Source, open_source
from syncd.source.base import Fetching, ReadContext
from syncd.source.conformance import CONTEXT
from syncd.source.web.cache import DirectoryCache
from tests.source.graph.graph_site import GraphSite, microsoft
from tests.source.graph.graph_world import DAY, Json, series, single
from tests.source.web.serving import QuickClock

ANN = "ann@example.com"
BOB = "bob@example.com"
FIRST, LAST = date(2026, 10, 22), date(2027, 11, 21)
READ = replace(CONTEXT, window=Window(first=FIRST, last=LAST))
MONDAYS = {"type": "weekly", "daysOfWeek": ["monday"]}
FOREVER = {"type": "noEnd"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[GraphSite]:
    async with microsoft(tmp_path) as served:
        yield served


def opened(site: GraphSite, folder: Path, clock: QuickClock | None = None, **more: Any) -> Source:
    return open_source(site.options(**more), folder, where="test", clock=clock or QuickClock())


async def read(site: GraphSite, folder: Path, context: ReadContext = READ, **more: Any) -> Snapshot:
    return await opened(site, folder, **more).read(context)


def only(snapshot: Snapshot) -> Entry:
    (entry,) = snapshot.entries
    return entry


def weekly(identity: str = "s", first: str = "2026-11-02", **more: Any) -> Json:
    return series(identity, f"{first}T09:00:00", f"{first}T10:00:00", MONDAYS, FOREVER, **more)


def skipped(entry: Entry) -> list[str]:
    assert entry.recurrence is not None
    return [f"{moment.wall:%m-%d}" for moment in entry.recurrence.exdates]


async def test_an_unchanged_calendar_costs_one_request_and_gives_the_same_snapshot(
    site: GraphSite, tmp_path: Path
) -> None:
    site.tenant.put(ANN, weekly(), single("a", "2026-12-01T09:00:00", "2026-12-01T10:00:00"))
    source = opened(site, tmp_path)
    first = await source.read(READ)
    site.asked.clear()
    assert await source.read(READ) is first
    assert await source.read(READ) is first
    assert site.listed == ["delta", "delta"]
    assert len(site.asked) == 2


async def test_another_process_goes_on_where_the_last_one_was(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.put(ANN, weekly())
    context = replace(READ, cache=DirectoryCache(tmp_path / "feeds", writable=True))
    first = await read(site, tmp_path, context)
    for _ in range(3):  # each reading makes another link, and the newest has to be kept
        site.asked.clear()
        assert await read(site, tmp_path, context) == first
        assert site.listed == ["delta"]
        assert len(site.asked) == 1


async def test_every_request_asks_for_lasting_ids_and_for_utc(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.put(ANN, weekly())
    await read(site, tmp_path)
    assert all('IdType="ImmutableId"' in one and 'outlook.timezone="UTC"' in one for one in site.prefers)


async def test_a_window_that_moves_on_is_listed_anew_only_after_weeks(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.put(ANN, weekly())
    source = opened(site, tmp_path)
    for day in range(60):
        window = Window(first=FIRST + DAY * day, last=LAST + DAY * day)
        assert (await source.read(replace(READ, window=window))).complete
    assert 2 < site.listed.count("full") <= 60 // 7 + 1


async def test_calendars_are_not_all_listed_anew_in_the_same_pass(site: GraphSite, tmp_path: Path) -> None:
    people = [f"p{n}@example.com" for n in range(20)]
    for one in people:
        site.tenant.box(one)
    source = opened(site, tmp_path, calendars=people)
    most = 0
    for day in range(25):
        site.asked.clear()
        window = Window(first=FIRST + DAY * day, last=LAST + DAY * day)
        await source.read(replace(READ, window=window))
        most = max(most, site.listed.count("full") if day else 0)
    assert most < 10


async def test_changes_arrive_by_the_link(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.put(ANN, weekly(), single("a", "2026-12-01T09:00:00", "2026-12-01T10:00:00"))
    source = opened(site, tmp_path)
    await source.read(READ)
    site.asked.clear()
    site.tenant.put(ANN, single("b", "2026-12-02T09:00:00", "2026-12-02T10:00:00"))
    site.tenant.delete(ANN, "a")
    site.tenant.cancel(ANN, "s", date(2026, 11, 9))
    site.tenant.change(ANN, "s", date(2026, 11, 16), start="2026-11-17T12:00:00", end="2026-11-17T13:00:00")
    found = {entry.uid: entry for entry in (await source.read(READ)).entries}
    assert set(found) == {"s", "b"}
    assert skipped(found["s"]) == ["11-09"]
    (override,) = found["s"].overrides
    assert isinstance(override.span, Timed)
    assert f"{override.at.wall} {override.span.start}" == "2026-11-16 09:00:00 2026-11-17 12:00:00"
    assert site.listed == ["delta"]


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("knows_cancelled", [True, False])
async def test_occurrences_that_are_cancelled_go_however_they_are_told(
    site: GraphSite, tmp_path: Path, named: bool, knows_cancelled: bool
) -> None:
    site.tenant.traps.names_removed, site.tenant.traps.no_cancelled = named, not knows_cancelled
    site.tenant.put(ANN, weekly())
    source = opened(site, tmp_path)
    await source.read(READ)
    site.tenant.cancel(ANN, "s", date(2026, 11, 9))
    assert skipped(only(await source.read(READ))) == ["11-09"]
    site.tenant.cancel(ANN, "s", date(2026, 11, 30), date(2026, 12, 28))
    assert skipped(only(await source.read(READ))) == ["11-09", "11-30", "12-28"]


async def test_an_event_moved_out_of_the_window_is_gone_and_comes_back(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.put(ANN, single("a", "2026-12-01T09:00:00", "2026-12-01T10:00:00"))
    source = opened(site, tmp_path)
    assert len((await source.read(READ)).entries) == 1
    site.tenant.put(ANN, single("a", "2031-12-01T09:00:00", "2031-12-01T10:00:00"))
    assert (await source.read(READ)).entries == ()
    site.tenant.put(ANN, single("a", "2026-12-03T09:00:00", "2026-12-03T10:00:00"))
    assert len((await source.read(READ)).entries) == 1


async def test_an_event_that_moves_from_one_view_to_another_stays(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.put(ANN, single("a", "2026-12-01T09:00:00", "2026-12-01T10:00:00"), weekly())
    source = opened(site, tmp_path)
    assert len((await source.read(CONTEXT)).entries) == 2
    site.tenant.put(ANN, single("a", "2011-12-01T09:00:00", "2011-12-01T10:00:00"))
    snapshot = await source.read(CONTEXT)
    assert {entry.uid for entry in snapshot.entries} == {"a", "s"}
    assert snapshot.complete


@pytest.mark.parametrize("trap", ["no_cancelled", "refuses_select", "no_batch", "no_masters", "repeats"])
async def test_what_a_server_does_not_do_is_found_another_way(site: GraphSite, tmp_path: Path, trap: str) -> None:
    setattr(site.tenant.traps, trap, True)
    site.tenant.put(ANN, weekly(), weekly("t", "2026-11-09"))
    site.tenant.cancel(ANN, "s", date(2026, 11, 9), date(2027, 1, 4))
    site.tenant.change(ANN, "s", date(2026, 11, 16), subject="Other")
    snapshot = await read(site, tmp_path)
    found = {entry.uid: entry for entry in snapshot.entries}
    assert snapshot.problems == ()
    assert skipped(found["s"]) == ["11-09", "01-04"]
    assert skipped(found["t"]) == []
    assert [override.details.title for override in found["s"].overrides] == ["Other"]


async def test_pages_of_any_size_make_the_same_entries(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.put(ANN, weekly(), *(single(f"e{n}", f"2026-12-0{n}", f"2026-12-0{n + 1}") for n in range(1, 8)))
    whole = await read(site, tmp_path)
    site.tenant.traps.page_size = 3
    assert (await read(site, tmp_path)).entries == whole.entries


async def test_an_occurrence_that_the_listing_left_out_is_asked_for_and_stays(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.put(ANN, weekly())
    site.tenant.cancel(ANN, "s", date(2026, 11, 23))
    site.tenant.traps.skipped = {("s", date(2026, 11, 9)), ("s", date(2027, 3, 1))}
    for site.tenant.traps.no_cancelled in (False, True):
        assert skipped(only(await read(site, tmp_path))) == ["11-23"]
    assert any("/instances" in one for one in site.asked)


async def test_exceptions_outside_the_window_count_as_far_as_the_series_names_them(
    site: GraphSite, tmp_path: Path
) -> None:
    site.tenant.put(ANN, weekly(first="2025-01-06"))
    site.tenant.cancel(ANN, "s", date(2025, 3, 3))
    site.tenant.change(ANN, "s", date(2025, 3, 10), subject="Long ago")
    entry = only(await read(site, tmp_path))
    assert skipped(entry) == ["03-03"]
    assert [override.details.title for override in entry.overrides] == ["Long ago"]


async def test_exceptions_that_a_series_names_on_several_pages_are_all_read(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.put(ANN, weekly(first="2025-01-06"), weekly("t"))
    for day in (3, 10, 17):
        site.tenant.change(ANN, "s", date(2025, 3, day), subject=f"March {day}")
    site.tenant.traps.exceptions_by_one = True
    long_ago = next(entry for entry in (await read(site, tmp_path)).entries if entry.uid == "s")
    assert [override.details.title for override in long_ago.overrides] == ["March 3", "March 10", "March 17"]
    assert sum("exceptionOccurrences?" in one for one in site.asked) == 2


async def test_an_exception_of_which_nobody_says_whose_it_is_stands_where_it_is(
    site: GraphSite, tmp_path: Path
) -> None:
    site.tenant.traps.no_original_start = True
    site.tenant.put(ANN, weekly())
    site.tenant.change(ANN, "s", date(2026, 11, 16), start="2026-11-18T12:00:00", end="2026-11-18T13:00:00")
    entry = only(await read(site, tmp_path))
    assert skipped(entry) == ["11-16"]
    assert entry.recurrence is not None
    (added,) = entry.recurrence.rdates
    (override,) = entry.overrides
    assert isinstance(added, Timed)
    assert isinstance(override.span, Timed)
    assert f"{added.start} {override.at.wall} {override.span.start}" == " ".join(["2026-11-18 12:00:00"] * 3)


async def test_the_midnight_of_any_zone_names_a_whole_day(site: GraphSite, tmp_path: Path) -> None:
    made = series("s", "2026-11-02", "2026-11-03", MONDAYS, FOREVER, zone="AUS Eastern Standard Time")
    site.tenant.put(ANN, made)
    site.tenant.change(ANN, "s", date(2026, 11, 16), subject="Other")
    for site.tenant.traps.no_cancelled in (False, True):
        for site.tenant.traps.original_midnight_of_zone in (False, True):
            entry = only(await read(site, tmp_path))
            assert entry.span == AllDay(first=date(2026, 11, 2), end=date(2026, 11, 3))
            assert [override.at.wall.date() for override in entry.overrides] == [date(2026, 11, 16)]
            assert skipped(entry) == []


@pytest.mark.parametrize("skips", [True, False])
async def test_what_short_months_do_is_what_is_listed(site: GraphSite, tmp_path: Path, skips: bool) -> None:
    site.tenant.traps.short_months_skip = skips
    made = series(
        "s", "2026-10-31T09:00:00", "2026-10-31T10:00:00", {"type": "absoluteMonthly", "dayOfMonth": 31}, FOREVER
    )
    site.tenant.put(ANN, made)
    entry = only(await read(site, tmp_path))
    assert entry.recurrence is not None
    assert entry.recurrence.rules == ("FREQ=MONTHLY;BYMONTHDAY=" + ("31" if skips else "-1"),)
    assert skipped(entry) == []


async def test_a_repetition_that_nobody_knows_is_shown_on_the_days_listed_with_a_warning(
    site: GraphSite, tmp_path: Path
) -> None:
    site.tenant.put(ANN, series("s", "2026-11-02T09:00:00", "2026-11-02T10:00:00", {"type": "lunar"}, FOREVER))
    snapshot = await read(site, tmp_path)
    entry = only(snapshot)
    assert snapshot.complete
    assert entry.recurrence is not None
    days = [span.start.date() for span in entry.recurrence.rdates if isinstance(span, Timed)]
    assert days[:2] == [date(2026, 11, 12), date(2026, 11, 22)]
    (problem,) = snapshot.problems
    assert problem.kind == "warning"
    assert "'lunar'" in problem.reason


async def test_a_repetition_that_nobody_knows_and_that_is_not_listed_is_rejected_alone(
    site: GraphSite, tmp_path: Path
) -> None:
    lunar = series("s", "2026-11-02T09:00:00", "2026-11-02T10:00:00", {"type": "lunar"}, FOREVER)
    site.tenant.put(ANN, lunar, weekly("t"))
    source = opened(site, tmp_path)
    await source.read(READ)
    site.tenant.box(ANN).events["s"].cancelled |= {date(2026, 11, 2) + DAY * n for n in range(2000)}
    found = await open_source(site.options(), tmp_path, where="test", clock=QuickClock()).read(READ)
    assert {entry.uid for entry in found.entries} == {"t"}
    assert found.complete


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Russian Standard Time", "Europe/Moscow"),
        ("Europe/Moscow", "Europe/Moscow"),
        ("tzone://Microsoft/Utc", "UTC"),
        ("W. Europe Standard Time", "Europe/Berlin"),
    ],
)
async def test_zones_of_both_worlds_are_known(site: GraphSite, tmp_path: Path, name: str, zone: str) -> None:
    made = single("a", "2026-12-01T06:00:00", "2026-12-01T07:00:00", zone="UTC")
    site.tenant.put(ANN, made | {"originalStartTimeZone": name, "originalEndTimeZone": name})
    span = only(await read(site, tmp_path)).span
    assert isinstance(span, Timed)
    assert span.zone == zone


@pytest.mark.parametrize("name", ["tzone://Microsoft/Custom", "Sector 7 Time"])
async def test_a_zone_that_nobody_knows_costs_a_single_event_nothing(
    site: GraphSite, tmp_path: Path, name: str
) -> None:
    made = single("a", "2026-12-01T06:00:00", "2026-12-01T07:00:00", zone="UTC")
    site.tenant.put(ANN, made | {"originalStartTimeZone": name, "originalEndTimeZone": name})
    span = only(await read(site, tmp_path)).span
    assert isinstance(span, Timed)
    assert f"{span.start} {span.zone}" == "2026-12-01 09:00:00 Europe/Moscow"
    span = only(await read(site, tmp_path, zones={name: "Asia/Omsk"})).span
    assert isinstance(span, Timed)
    assert f"{span.start} {span.zone}" == "2026-12-01 12:00:00 Asia/Omsk"


async def test_a_series_in_a_zone_that_nobody_knows_follows_the_days_listed(site: GraphSite, tmp_path: Path) -> None:
    berlin = weekly(zone="W. Europe Standard Time")
    berlin["originalStartTimeZone"] = berlin["recurrence"]["range"]["recurrenceTimeZone"] = "Sector 7 Time"
    site.tenant.put(ANN, berlin)
    snapshot = await read(site, tmp_path)
    assert snapshot.complete
    assert only(snapshot).recurrence is not None


async def test_details_arrive_as_they_are_meant(site: GraphSite, tmp_path: Path) -> None:
    html = (
        '<html><head><style>p {}</style></head><body><p style="color:red">Bring <b>pens</b>, '
        '<a href="https://x.example/" target="_blank">here</a></p></body></html>'
    )
    people = [
        {"type": kind, "emailAddress": {"address": f"{name}@example.com", "name": name}}
        for kind, name in (("required", "Bob"), ("optional", "cy"), ("resource", "room1"))
    ]
    site.tenant.put(ANN, single(
        "a", "2026-12-01T09:00:00", "2026-12-01T10:00:00", subject="Тема", showAs="oof", sensitivity="private",
        importance="high", categories=["Red"], attendees=people, isReminderOn=True, reminderMinutesBeforeStart=30,
        location={"displayName": "Room 1"}, body={"contentType": "html", "content": html},
        onlineMeeting={"joinUrl": "https://teams.example/1"},
        responseStatus={"response": "tentativelyAccepted"},
    ))  # fmt: skip
    details = only(await read(site, tmp_path)).details
    assert (details.title, details.location, details.owner, details.url) == (
        "Тема", "Room 1", ANN, "https://teams.example/1",
    )  # fmt: skip
    assert (
        details.description
        == '<html><body><p>Bring <b>pens</b>, <a href="https://x.example/">here</a></p></body></html>'
    )
    assert (details.classification, details.priority, details.transparent) == ("PRIVATE", 1, False)
    assert (details.attendees, details.organizer) == (("bob@example.com", "cy@example.com"), ANN)
    assert details.reminders is not None
    assert [one.before.total_seconds() for one in details.reminders] == [1800]
    assert dict(details.columns)["X-ACCESSIBILITY"] == "absent"
    assert dict(details.columns)["X-RESPONSE"] == "tentativelyAccepted"


async def test_busy_only_tells_the_time_and_nothing_else(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.put(
        ANN,
        single("a", "2026-12-01T09:00:00", "2026-12-01T10:00:00", subject="Secret", location={"displayName": "Bank"}),
        single("b", "2026-12-02T09:00:00", "2026-12-02T10:00:00", showAs="free"),
        single("c", "2026-12-03", "2026-12-04", responseStatus={"response": "declined"}),
    )
    entry = only(await read(site, tmp_path, busy_only=True, busy_title="Занято"))
    assert (entry.uid, entry.details.title, entry.details.location, entry.details.description) == (
        "a", "Занято", "", "",
    )  # fmt: skip
    assert "Secret" not in repr(entry)


async def test_what_nobody_is_to_see_is_not_kept_either(site: GraphSite, tmp_path: Path) -> None:
    who = [{"type": "required", "emailAddress": {"address": "secret.guest@example.com"}}]
    body = {"contentType": "html", "content": "<p>Secret</p>"}
    site.tenant.put(ANN, weekly(subject="Secret", location={"displayName": "Secret"}, attendees=who, body=body))
    site.tenant.change(ANN, "s", date(2026, 11, 16), subject="Secret change")
    context = replace(READ, cache=DirectoryCache(tmp_path / "feeds", writable=True))
    snapshot = await read(site, tmp_path, context, busy_only=True)
    assert "ecret" not in repr(snapshot.entries)
    kept = [file.read_bytes() for file in (tmp_path / "feeds").iterdir()]
    assert kept
    assert not any(b"ecret" in zlib.decompress(one) for one in kept)
    (whole,) = (await read(site, tmp_path, context)).entries
    assert (whole.details.title, whole.overrides[0].details.title) == ("Secret", "Secret change")


async def test_what_is_no_event_is_rejected_alone_until_it_is_mended(site: GraphSite, tmp_path: Path) -> None:
    good = single("a", "2026-12-01T09:00:00", "2026-12-01T10:00:00")
    site.tenant.put(ANN, good, good | {"id": "b", "attendees": "everybody"}, weekly())
    site.tenant.change(ANN, "s", date(2026, 11, 16), categories=7)
    source = opened(site, tmp_path)
    snapshot = await source.read(READ)
    assert {entry.uid for entry in snapshot.entries} == {"a", "s"}
    assert snapshot.complete
    assert snapshot.rejected_uids == {"b"}
    reasons = " ".join(problem.reason for problem in snapshot.problems)
    assert "no event as Graph gives them" in reasons
    assert "the occurrence of 2026-11-16 was changed to what cannot be read" in reasons
    site.tenant.put(ANN, good | {"id": "b"})
    site.tenant.change(ANN, "s", date(2026, 11, 16), subject="Good")
    mended = await source.read(READ)
    assert mended.problems == ()
    assert {entry.uid for entry in mended.entries} == {"a", "b", "s"}


async def test_a_change_that_cannot_be_read_and_of_nobody_knows_which_day_is_told(
    site: GraphSite, tmp_path: Path
) -> None:
    site.tenant.traps.no_original_start = True
    site.tenant.put(ANN, weekly())
    site.tenant.change(ANN, "s", date(2026, 11, 16), categories=7)
    snapshot = await read(site, tmp_path)
    assert skipped(only(snapshot)) == ["11-16"]
    (problem,) = snapshot.problems
    assert "nothing says which it is" in problem.reason


async def test_a_new_pass_settles_without_reading_any_event(site: GraphSite, tmp_path: Path) -> None:
    site.tenant.put(ANN, weekly())
    context = replace(READ, cache=DirectoryCache(tmp_path / "feeds", writable=True))
    first = await read(site, tmp_path, context)
    source = opened(site, tmp_path)
    assert isinstance(source, Fetching)
    assert (await source.fetch(context)).marker == first.changed_marker
