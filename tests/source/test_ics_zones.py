"""Zones that only their feed knows: named in the config, agreeing with a known zone on the event's days, or neither."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from syncd.errors import ConfigError
from syncd.model.entry import Entry, Timed, Window
from syncd.model.recurrence import compile_entry
from syncd.source import ReadContext, open_source
from syncd.source.ical.lines import read_component
from syncd.source.ical.vtimezone import read_meanings
from syncd.source.ical.zone_definition import ZoneDefinition
from tests.source.calendars import FIXED, SUMMER, calendar, event, one, parse, timed

SUMMER_OF_FOUR = SUMMER.format("Ours").replace("+0200", "+0400").replace("+0100", "+0300")
"""Three hours east, an hour more in summer, for ever: Moscow until 2010, and no zone today."""
BRASILIA = (
    "TZID:Hora oficial do Brasil\nBEGIN:STANDARD\nDTSTART:16010101T000000\nRRULE:FREQ=YEARLY;BYDAY=3SU;BYMONTH=2\n"
    "TZOFFSETFROM:-0200\nTZOFFSETTO:-0300\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010101T000000\n"
    "RRULE:FREQ=YEARLY;BYDAY=3SU;BYMONTH=10\nTZOFFSETFROM:-0300\nTZOFFSETTO:-0200\nEND:DAYLIGHT"
)
RAMADAN = (
    "TZID:Maroc\nBEGIN:DAYLIGHT\nDTSTART:20250406T020000\nTZOFFSETFROM:+0000\nTZOFFSETTO:+0100\nRDATE:20250406T020000\n"
    "RDATE:20260322T020000,20270314T020000\nEND:DAYLIGHT\nBEGIN:STANDARD\nDTSTART:20260215T030000\n"
    "TZOFFSETFROM:+0100\nTZOFFSETTO:+0000\nRDATE:20260215T030000\nRDATE:20270207T030000\nEND:STANDARD"
)


def read(definition: str, *lines: str, zone: str = "Europe/Moscow") -> Entry:
    name = definition.partition("\n")[0].removeprefix("TZID:")
    body = [line.replace(";TZID:", f";TZID={name}:") for line in lines]
    part = parse(calendar(event(*body), zones=(definition,)), zone)
    assert [problem for problem in part.problems if problem.kind != "warning"] == []
    return part.entries[0]


def begins(entry: Entry) -> str:
    assert isinstance(entry.span, Timed)
    start = entry.span.start.replace(tzinfo=ZoneInfo(entry.span.zone))
    return f"{start.astimezone(UTC):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("definition", "start", "utc"),
    [
        (FIXED.format("Customized Time Zone", "+0300", "+0300"), "20140701T090000", "2014-07-01 06:00"),
        (FIXED.format("Customized Time Zone", "+0300", "+0300"), "20261201T090000", "2026-12-01 06:00"),
        (BRASILIA, "20171201T090000", "2017-12-01 11:00"),
        (BRASILIA, "20170701T090000", "2017-07-01 12:00"),
        (SUMMER_OF_FOUR, "20080701T090000", "2008-07-01 05:00"),
        (RAMADAN, "20260301T090000", "2026-03-01 09:00"),
        (RAMADAN, "20261201T090000", "2026-12-01 08:00"),
        (RAMADAN, "20300601T090000", "2030-06-01 08:00"),  # the last offset holds for ever
        (FIXED.format("Ours", "+0117", "+0117"), "20261201T090000", "2026-12-01 07:43"),
    ],
)
def test_a_single_event_is_where_its_own_definition_says(definition: str, start: str, utc: str) -> None:
    entry = read(definition, f"DTSTART;TZID:{start}", "DURATION:PT1H")
    assert begins(entry) == utc
    assert isinstance(entry.span, Timed)
    assert entry.span.end - entry.span.start == datetime(2026, 1, 1, 1) - datetime(2026, 1, 1)


def test_an_event_keeps_a_zone_that_fits_its_days_and_the_syncs_own_first() -> None:
    fixed = FIXED.format("Ours", "+0300", "+0300")
    assert read(fixed, "DTSTART;TZID:20261201T090000").span == timed("2026-12-01 09:00", "2026-12-01 09:00")
    old = read(fixed, "DTSTART;TZID:20140701T090000").span
    assert isinstance(old, Timed)
    assert (old.start.hour, old.zone == "Europe/Moscow") == (9, False)


@pytest.mark.parametrize(
    ("definition", "lines", "zone"),
    [
        (SUMMER.format("Ours"), ("DTSTART;TZID:20260601T090000", "RRULE:FREQ=WEEKLY"), "Europe/Amsterdam"),
        (BRASILIA, ("DTSTART;TZID:20170601T090000", "RRULE:FREQ=WEEKLY;COUNT=40"), "America/Sao_Paulo"),
        (RAMADAN, ("DTSTART;TZID:20260101T090000", "RRULE:FREQ=WEEKLY;UNTIL=20261231"), "Africa/Casablanca"),
        (SUMMER_OF_FOUR, ("DTSTART;TZID:20080101T090000", "RDATE;TZID:20081201T090000"), "Europe/Moscow"),
    ],
)
def test_a_series_has_a_zone_that_agrees_from_its_first_to_its_last_day(
    definition: str, lines: tuple[str, ...], zone: str
) -> None:
    span = read(definition, *lines).span
    assert isinstance(span, Timed)
    assert span.zone == zone


def test_a_series_in_no_known_zone_is_worked_out_by_its_definition() -> None:
    entry = read(
        SUMMER_OF_FOUR,
        "DTSTART;TZID:20260301T090000",
        "DTEND;TZID:20260301T100000",
        "RRULE:FREQ=MONTHLY;COUNT=4",
        "EXDATE;TZID:20260501T090000",
    )
    assert entry.span == timed("2026-03-01 06:00", "2026-03-01 07:00", "UTC")
    window = Window(first=date(2026, 1, 1), last=date(2026, 12, 31))
    compiled = compile_entry(entry, window=window, portal_zone="Europe/Moscow", today=date(2026, 1, 1))
    starts = [piece.span.start for piece in compiled.pieces if isinstance(piece.span, Timed)]
    assert starts == [datetime(2026, 3, 1, 6), datetime(2026, 4, 1, 5), datetime(2026, 6, 1, 5)]
    assert compiled.problems == ()


def test_an_endless_one_is_shown_for_some_years_with_a_line() -> None:
    name = "DTSTART;TZID=Ours:20260301T090000"
    part = parse(calendar(event(name, "RRULE:FREQ=WEEKLY;UNTIL=20260419T050000Z"), zones=(SUMMER_OF_FOUR,)))
    assert part.entries[0].recurrence is not None
    assert len(part.entries[0].recurrence.rdates) == 8
    part = parse(calendar(event(name, "RRULE:FREQ=WEEKLY"), zones=(SUMMER_OF_FOUR,)))
    (entry,) = part.entries
    assert entry.recurrence is not None
    assert entry.recurrence.rdates[-1].start.year == 2029  # type: ignore[union-attr]
    assert [problem.kind for problem in part.problems] == ["warning"]
    assert "no known zone has the local times of 'Ours'" in part.problems[0].reason


def test_exceptions_in_such_a_zone_name_the_moments_that_its_definition_gives() -> None:
    lines = ("DTSTART;TZID=Ours:20260301T090000", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260302T090000")
    (entry,) = parse(calendar(event(*lines), zones=(SUMMER_OF_FOUR,))).entries
    assert entry.recurrence is not None
    (moment,) = entry.recurrence.exdates
    assert moment.zone is not None
    assert moment.wall.replace(tzinfo=ZoneInfo(moment.zone)).astimezone(UTC).hour == 6


def test_a_definition_reads_repeated_hours_as_the_first_and_skipped_ones_as_before_them() -> None:
    zone = ZoneDefinition(read_component(f"BEGIN:VTIMEZONE\n{SUMMER.format('Ours')}\nEND:VTIMEZONE"))
    known = ZoneInfo("Europe/Berlin")
    for wall in (
        datetime(2026, 3, 29, 2, 30),
        datetime(2026, 10, 25, 2, 30),
        datetime(2026, 7, 1),
        datetime(1999, 1, 1),
    ):
        assert zone.utc(wall) == wall.replace(tzinfo=known).astimezone(UTC).replace(tzinfo=None), wall


@pytest.mark.parametrize(
    "definition",
    [
        "",
        "BEGIN:STANDARD\nTZOFFSETFROM:+0300\nTZOFFSETTO:+0300\nEND:STANDARD",
        "BEGIN:STANDARD\nDTSTART:20260101T000000\nTZOFFSETFROM:+99\nTZOFFSETTO:+3\nEND:STANDARD",
    ],
)
def test_what_defines_nothing_is_no_definition(definition: str) -> None:
    with pytest.raises(ValueError, match=r"definition|date|offset"):
        ZoneDefinition(read_component(f"BEGIN:VTIMEZONE\n{definition}\nEND:VTIMEZONE"))


@pytest.mark.parametrize("tzid", ['"Customized  time zone"', "Customized Time Zone"])
async def test_the_config_gives_a_name_a_meaning_that_goes_before_everything_else(tzid: str, tmp_path: Path) -> None:
    definition = FIXED.format("Customized Time Zone", "+0300", "+0300")
    for zones in ((), (definition,)):
        tmp_path.joinpath("a.ics").write_bytes(calendar(event(f"DTSTART;TZID={tzid}:20260701T090000"), zones=zones))
        options = {"type": "ics", "path": "a.ics", "zones": {"customized time zone": "Europe/Berlin"}}
        source = open_source(options, tmp_path, where="t")
        context = ReadContext(zone=None, window=Window(first=None, last=None), today=date(2026, 11, 26))
        (entry,) = (await source.read(context)).entries
        assert entry.span == timed("2026-07-01 09:00", "2026-07-01 09:00", "Europe/Berlin")


@pytest.mark.parametrize("kind", [{"type": "ics", "path": "a.ics"}, {"type": "caldav", "url": "https://example.com/"}])
def test_a_meaning_that_is_no_zone_is_refused_with_its_name(kind: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="here: zones: 'Ours' = 'Moon/Base' is not a time zone"):
        open_source({**kind, "zones": {"Ours": "Moon/Base"}}, tmp_path, where="here")
    assert read_meanings({" OURS ": "Russian Standard Time"}, where="") == {"ours": "Europe/Moscow"}


def test_an_unknown_name_without_definition_says_where_to_give_it_a_meaning() -> None:
    (problem,) = parse(calendar(event("DTSTART;TZID=Customized Time Zone:20261201T090000"))).problems
    assert "'Customized Time Zone' is not known" in problem.reason
    assert "[sync.source.zones]" in problem.reason


@pytest.mark.parametrize(
    ("start", "zone"),
    [("DTSTART;TZID=Europe/Berlin:20261201T090000", "Europe/Berlin"), ("DTSTART:20261201T090000Z", "UTC")],
)
def test_a_changed_occurrence_without_a_zone_is_on_the_clock_of_its_series(start: str, zone: str) -> None:
    series = event(start, "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3", "SUMMARY:x")
    named = start.replace("DTSTART", "RECURRENCE-ID").replace("20261201", "20261202")
    change = event(named, "DTSTART:20261202T140000", "DTEND:20261202T150000", "SUMMARY:later")
    for parts in ((series, change), (change, series)):
        (entry,) = parse(calendar(*parts)).entries
        assert [one.span for one in entry.overrides] == [timed("2026-12-02 14:00", "2026-12-02 15:00", zone)]


def test_a_changed_occurrence_of_a_series_that_is_elsewhere_is_on_the_clock_that_names_it() -> None:
    change = event("RECURRENCE-ID;TZID=Asia/Omsk:20261202T090000", "DTSTART:20261202T140000", "DURATION:PT1H")
    assert parse(calendar(change)).entries[0].span == timed("2026-12-02 14:00", "2026-12-02 15:00", "Asia/Omsk")


def test_a_start_without_a_zone_is_on_the_clock_of_its_end() -> None:
    lines = "DTSTART:20261201T090000\nDTEND;TZID=Asia/Omsk:20261201T100000"
    assert one(lines).span == timed("2026-12-01 09:00", "2026-12-01 10:00", "Asia/Omsk")
    in_utc = one("DTSTART:20261201T090000\nDTEND:20261201T070000Z").span
    assert in_utc == timed("2026-12-01 09:00", "2026-12-01 07:00", "Europe/Moscow", "UTC")
