from datetime import date, datetime
from pathlib import Path

import pytest

from syncd.clock import SystemClock
from syncd.errors import ConfigError
from syncd.model.entry import Moment, Span, Window
from syncd.source.base import ReadContext
from syncd.source.ical.feed_reader import FeedReader
from syncd.source.ical.ics import open_ics, parse_ics
from tests.source.calendars import FIXED, NIGHT, SUMMER, calendar, days, event, one, parse, refusal, timed

ALWAYS = Window(first=None, last=None)


@pytest.mark.parametrize(
    ("lines", "span"),
    [
        (NIGHT, timed("2026-12-01 22:00", "2026-12-02 06:00", "Europe/Berlin")),
        ("DTSTART:20261201T090000\nDURATION:PT90M", timed("2026-12-01 09:00", "2026-12-01 10:30")),
        ("DTSTART:20261201T090000", timed("2026-12-01 09:00", "2026-12-01 09:00")),
        ("DTSTART:20261201T090000Z\nDTEND:20261201T100000Z", timed("2026-12-01 09:00", "2026-12-01 10:00", "UTC")),
        ("DTSTART;TZID=Europe/Berlin:20260329T013000\nDURATION:PT1H",
         timed("2026-03-29 01:30", "2026-03-29 03:30", "Europe/Berlin")),
        ("DTSTART;TZID=Europe/Berlin:20260328T120000\nDURATION:P1D",
         timed("2026-03-28 12:00", "2026-03-29 12:00", "Europe/Berlin")),
        ("DTSTART;TZID=Europe/Berlin:20261201T090000\nDTEND;TZID=Europe/London:20261201T083000",
         timed("2026-12-01 09:00", "2026-12-01 08:30", "Europe/Berlin", "Europe/London")),
        ("DTSTART;VALUE=DATE:20261201", days("2026-12-01", "2026-12-02")),
        ("DTSTART;VALUE=DATE:20261201\nDTEND;VALUE=DATE:20261203", days("2026-12-01", "2026-12-03")),
        ("DTSTART;VALUE=DATE:20261201\nDTEND;VALUE=DATE:20261201", days("2026-12-01", "2026-12-02")),
        ("DTSTART;VALUE=DATE:20261201\nDURATION:P2D", days("2026-12-01", "2026-12-03")),
        ("DTSTART;VALUE=DATE:20261201T000000", days("2026-12-01", "2026-12-02")),
        ("DTSTART:20261130T210000Z\nDTEND:20261201T210000Z\nX-MICROSOFT-CDO-ALLDAYEVENT:TRUE",
         days("2026-12-01", "2026-12-02")),
    ],
)  # fmt: skip
def test_an_event_becomes_the_span_it_says(lines: str, span: Span) -> None:
    assert one(lines).span == span


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("SUMMARY:x", "there is no DTSTART"),
        ("DTSTART:20260231T090000", "there is no day 2026-02-31"),
        ("DTSTART:20261201T250000", "there is no time 25:00"),
        ("DTSTART:01.12.2026", "is not a date or time"),
        ("DTSTART:20261201T090000\nDTEND:20261201T080000", "end is before start"),
        ("DTSTART;VALUE=DATE:20261202\nDTEND;VALUE=DATE:20261201", "end is before start"),
        ("DTSTART:20261201T090000\nDTEND;VALUE=DATE:20261202", "DTSTART has a time and DTEND has none"),
        ("DTSTART;VALUE=DATE:20261201\nDTEND:20261201T100000", "DTSTART is a date and DTEND has a time"),
        ("DTSTART:20261201T090000\nDURATION:-PT1H", "negative"),
        ("DTSTART:20261201T090000\nDURATION:P", "is not a duration"),
        ("DTSTART:16010101T000000", "the year 1601 is outside"),
        ("DTSTART:99991231T000000", "the year 9999 is outside"),
        ("DTSTART:20261201T090000\nRRULE:FREQ=SOMETIMES", "is not a recurrence rule"),
        ("DTSTART:20261201T090000\nRRULE:FREQ=DAILY;INTERVAL=0", "INTERVAL is not between"),
        ("DTSTART:20261201T090000\nEXDATE:tomorrow", "'tomorrow' is not a date"),
        ("DTSTART:20261201T090000\nEXRULE:FREQ=DAILY", "EXRULE cannot be read"),
        ("DTSTART;TZID=Moon/Base:20261201T090000", "the time zone 'Moon/Base' is not known, and it has no VTIMEZONE"),
        ("DTSTART:20261201T090000Z\nEXDATE;TZID=Moon/Base:20261202T090000", "'Moon/Base' is not known"),
    ],
)
def test_an_event_that_cannot_be_meant_is_rejected_with_its_reason(lines: str, says: str) -> None:
    assert says in refusal(lines)


def test_a_series_may_begin_before_what_a_single_event_may() -> None:
    assert one("DTSTART;VALUE=DATE:19500101\nRRULE:FREQ=YEARLY").span == days("1950-01-01", "1950-01-02")
    assert "1950" in refusal("DTSTART;VALUE=DATE:19500101")


def test_a_floating_time_takes_the_feeds_zone_then_the_syncs_and_is_never_guessed() -> None:
    start = "DTSTART:20261201T090000"
    assert one(start, head="X-WR-TIMEZONE:Asia/Omsk").span == timed("2026-12-01 09:00", "2026-12-01 09:00", "Asia/Omsk")
    assert one(start).span == timed("2026-12-01 09:00", "2026-12-01 09:00")
    assert 'set timezone = "Europe/Moscow"' in refusal(start, zone=None)
    part = parse(calendar(event(start), head="X-WR-TIMEZONE:Moon/Base"))
    assert "X-WR-TIMEZONE 'Moon/Base' is not known" in part.problems[0].reason
    with pytest.raises(ConfigError, match="Moon/Base"):
        parse(calendar(event(start)), zone="Moon/Base")


@pytest.mark.parametrize(
    ("tzid", "definition", "zone"),
    [
        ("Russian Standard Time", None, "Europe/Moscow"),
        ('"(UTC+03:00) Moscow, St. Petersburg"', None, "Europe/Moscow"),
        ("(UTC+03:00) Moscow, St. Petersburg", None, "Europe/Moscow"),  # quotes forgotten
        ("GMT+0300", None, "Etc/GMT-3"),
        ("/mozilla.org/20050126_1/Europe/Berlin", None, "Europe/Berlin"),
        ("Ours", FIXED.format("Ours", "+0300", "+0300"), "Europe/Moscow"),  # the sync's own zone comes first
        ("Ours", FIXED.format("Ours", "+0530", "+0530"), "Asia/Colombo"),
        ("Ours", SUMMER.format("Ours"), "Europe/Amsterdam"),
        ("Ours", SUMMER.format("Ours\nX-LIC-LOCATION:Europe/Rome"), "Europe/Rome"),
        ("EST", FIXED.format("EST", "-0500", "-0500"), "EST"),
        ("MST", SUMMER.format("MST"), "Europe/Amsterdam"),  # a label: the definition decides
        ("Europe/Kyiv", FIXED.format("Europe/Kyiv", "+0300", "+0300"), "Europe/Kyiv"),  # a place: the name decides
    ],
)
def test_a_tzid_is_found_by_its_name_or_by_its_definition(tzid: str, definition: str | None, zone: str) -> None:
    zones = (definition,) if definition else ()
    part = parse(calendar(event(f"DTSTART;TZID={tzid}:20261201T090000"), zones=zones))
    assert part.problems == []
    assert part.entries[0].span == timed("2026-12-01 09:00", "2026-12-01 09:00", zone)


@pytest.mark.parametrize(
    "definition",
    [
        "TZID:Ours",
        "TZID:Ours\nBEGIN:STANDARD\nDTSTART:never\nEND:STANDARD",
        SUMMER.format("Ours").replace("FREQ=YEARLY", "FREQ=SECONDLY"),
    ],
)
def test_a_definition_that_defines_nothing_is_refused_and_never_read_as_local_time(definition: str) -> None:
    reason = refusal("DTSTART;TZID=Ours:20261201T090000", zones=(definition,))
    assert "its VTIMEZONE cannot be read" in reason


def test_one_feeds_definition_means_nothing_to_the_next() -> None:
    start = event("DTSTART;TZID=Ours:20261201T090000")
    reader = FeedReader(known={})
    zones = [FIXED.format("Ours", "+0300", "+0300"), FIXED.format("Ours", "+0500", "+0500")]
    found = [
        parse_ics(f"{at}.ics", calendar(start, zones=(zone,)), encoding="auto", zone=None, year=2026, reader=reader)
        for at, zone in enumerate(zones)
    ]
    assert [part.entries[0].span for part in found] == [
        timed("2026-12-01 09:00", "2026-12-01 09:00", "Europe/Istanbul"),
        timed("2026-12-01 09:00", "2026-12-01 09:00", "Asia/Almaty"),
    ]


def test_rdates_keep_their_own_length_and_dates_of_a_timed_series_take_its_time() -> None:
    entry = one(
        "DTSTART:20261201T090000\nDTEND:20261201T100000\nRDATE:20261202T110000\nRDATE;VALUE=DATE:20261203\n"
        "RDATE;VALUE=PERIOD:20261204T080000Z/PT3H,20261205T080000Z/20261205T083000Z"
    )
    assert entry.recurrence is not None
    assert entry.recurrence.rdates == (
        timed("2026-12-02 11:00", "2026-12-02 12:00"),
        timed("2026-12-03 09:00", "2026-12-03 10:00"),
        timed("2026-12-04 08:00", "2026-12-04 11:00", "UTC"),
        timed("2026-12-05 08:00", "2026-12-05 08:30", "UTC"),
    )


WEEKLY = "DTSTART;TZID=Europe/Moscow:20261201T090000\nRRULE:FREQ=WEEKLY;COUNT=3\n"


@pytest.mark.parametrize(
    "excluded",
    ["EXDATE;TZID=Europe/Moscow:20261208T000000", "EXDATE:20261208T000000", "EXDATE:20261208T000000Z",
     "EXDATE;VALUE=DATE:20261208"],
)  # fmt: skip
def test_a_midnight_names_its_day_where_a_series_never_begins_at_midnight(excluded: str) -> None:
    recurrence = one(WEEKLY + excluded).recurrence
    assert recurrence is not None
    assert recurrence.exdates == (Moment(wall=datetime(2026, 12, 8), zone=None),)


@pytest.mark.parametrize("broken", ["20261208T990000", "20261208T", "2026-12-08 at nine", "20261208T0900+9999"])
def test_an_exception_that_cannot_be_read_costs_its_day_only_and_is_told(broken: str) -> None:
    part = parse(calendar(event(*WEEKLY.split(), f"EXDATE;TZID=Europe/Moscow:{broken}")))
    assert part.entries[0].recurrence is not None
    assert part.entries[0].recurrence.exdates == (Moment(wall=datetime(2026, 12, 8), zone=None),)
    assert [(one.kind, "what begins on 2026-12-08 is taken to be meant" in one.reason) for one in part.problems] == [
        ("warning", True)
    ]


def test_an_exception_on_a_day_that_is_none_takes_nothing_away() -> None:
    part = parse(calendar(event(*WEEKLY.split(), "EXDATE:20260230T090000,20261215T090000")))
    assert part.entries[0].recurrence is not None
    assert [moment.wall.day for moment in part.entries[0].recurrence.exdates] == [15]
    assert [one.kind for one in part.problems] == ["warning"]


@pytest.mark.parametrize("rule", ["FREQ=HOURLY;COUNT=9", "FREQ=DAILY;BYHOUR=9,12;COUNT=4"])
def test_an_exception_without_a_time_is_refused_where_a_day_has_several_occurrences(rule: str) -> None:
    assert "20261208T99" in refusal(f"DTSTART:20261201T090000\nRRULE:{rule}\nEXDATE:20261208T99")


def test_a_midnight_is_a_time_where_a_series_may_begin_at_midnight() -> None:
    excluded = "\nEXDATE;TZID=Europe/Moscow:20261208T000000"
    for lines in (WEEKLY.replace("T09", "T00"), WEEKLY.replace("COUNT=3", "COUNT=3;BYHOUR=0,9"),
                  WEEKLY.replace("WEEKLY", "HOURLY"), WEEKLY + "RDATE;TZID=Europe/Moscow:20261203T000000"):  # fmt: skip
        recurrence = one(lines.strip() + excluded).recurrence
        assert recurrence is not None
        assert recurrence.exdates == (Moment(wall=datetime(2026, 12, 8), zone="Europe/Moscow"),)


def test_lists_of_dates_may_be_separated_as_in_vcalendar() -> None:
    recurrence = one(WEEKLY + "EXDATE;TZID=Europe/Moscow:20261208T090000;20261215T090000").recurrence
    assert recurrence is not None
    assert [moment.wall.day for moment in recurrence.exdates] == [8, 15]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("DTSTART:20261201T090000\nDTSTART:20261202T090000", "DTSTART stands there 2 times; the first is used"),
        ("DTSTART:20261201T090000\nSUMMARY:a\nSUMMARY:b", "SUMMARY stands there 2 times"),
        ("DTSTART:20261201T090000\nDTEND:20261201T100000\nDURATION:PT3H", "exclude each other; DTEND is used"),
        ("DTSTART;TZID=Europe/Moscow:20261201T090000Z", "it is read as UTC (keep one of the two)"),
    ],
)
def test_an_event_that_contradicts_itself_is_read_with_a_line(lines: str, says: str) -> None:
    part = parse(calendar(event(lines)))
    assert len(part.entries) == 1
    assert [(one.kind, one.where) for one in part.problems] == [("warning", "t.ics:3")]
    assert says in part.problems[0].reason


@pytest.mark.parametrize(
    "lines",
    [
        "DTSTART:20261201T090000\nDTSTART:20261201T090000",
        "DTSTART:20261201T090000\nDTEND:20261201T100000\nDURATION:PT1H",
        "DTSTART;VALUE=DATE:20261201\nDTEND;VALUE=DATE:20261203\nDURATION:P2D",
        "DTSTART;TZID=UTC:20261201T090000Z\nDTEND;TZID=Etc/UTC:20261201T100000Z",
    ],
)
def test_an_event_that_repeats_itself_is_read_without_a_line(lines: str) -> None:
    one(lines)


def test_exdates_and_rules_are_kept_as_given() -> None:
    entry = one(
        NIGHT + "\nRRULE:FREQ=DAILY;UNTIL=20261231T000000Z\nEXDATE;TZID=Europe/Berlin:20261202T220000,20261203T220000\n"
        "EXDATE;VALUE=DATE:20261204\nEXDATE:20261205T210000Z"
    )
    assert entry.recurrence is not None
    assert entry.recurrence.rules == ("FREQ=DAILY;UNTIL=20261231T000000Z",)
    assert entry.recurrence.exdates == (
        Moment(wall=datetime(2026, 12, 2, 22), zone="Europe/Berlin"),
        Moment(wall=datetime(2026, 12, 3, 22), zone="Europe/Berlin"),
        Moment(wall=datetime(2026, 12, 4), zone=None),
        Moment(wall=datetime(2026, 12, 5, 21), zone="UTC"),
    )


def test_a_rejected_event_keeps_its_title_for_the_report() -> None:
    (problem,) = parse(calendar(event("DTSTART:20260231T090000", "SUMMARY:Board\\, all"))).problems
    assert (problem.kind, problem.title) == ("rejected", "Board, all")


def test_control_characters_are_left_out_with_a_line_that_names_event_and_property() -> None:
    part = parse(calendar(event("DTSTART:20261201T090000", "SUMMARY:A\x00B\x07", "DESCRIPTION:tab\tand\\nline")))
    assert [entry.details.title for entry in part.entries] == ["AB"]
    assert [(one.where, one.kind, one.key, one.reason) for one in part.problems] == [
        ("t.ics:3", "warning", "u", "SUMMARY holds control characters (NUL, BEL); they are left out")
    ]


@pytest.mark.parametrize(("given", "ends"), [({}, "09:00"), ({"default_duration": "1h"}, "10:00")])
async def test_an_event_without_an_end_lasts_as_long_as_the_config_says(
    tmp_path: Path, given: dict[str, str], ends: str
) -> None:
    start = "DTSTART;TZID=Europe/Moscow:20261201T090000"
    parts = (
        event(start, uid="1"),
        event("DTSTART;VALUE=DATE:20261201", uid="2"),
        event(start, "DURATION:PT15M", uid="3"),
    )
    (tmp_path / "a.ics").write_bytes(calendar(*parts))
    source = open_ics({"type": "ics", "path": "a.ics", **given}, tmp_path, where="syncd.toml:1", clock=SystemClock())
    read = await source.read(ReadContext(zone="Europe/Moscow", window=ALWAYS, today=date(2026, 11, 26)))
    assert [entry.span for entry in read.entries] == [
        timed("2026-12-01 09:00", f"2026-12-01 {ends}", "Europe/Moscow"),
        days("2026-12-01", "2026-12-02"),
        timed("2026-12-01 09:00", "2026-12-01 09:15", "Europe/Moscow"),
    ]


def test_a_default_duration_that_is_none_is_refused_with_its_place(tmp_path: Path) -> None:
    options = {"type": "ics", "path": "a.ics", "default_duration": "soon"}
    with pytest.raises(ConfigError, match=r"syncd\.toml:1: default_duration"):
        open_ics(options, tmp_path, where="syncd.toml:1", clock=SystemClock())
