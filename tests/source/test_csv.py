import csv
import gc
import io
import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.errors import ConfigError, SourceError
from syncd.lang import catalog
from syncd.model.entry import AllDay, Recurrence, Reminder, Timed
from syncd.model.filter import Filter, compile_condition
from syncd.source import open_source
from syncd.source.conformance import CONTEXT
from syncd.source.files import Part
from syncd.source.table.csv import CsvFormat, CsvOptions, Records, find_delimiter

HEADER = "ID,Title,Start,End"
COLUMNS: dict[str, str | int] = {"uid": "ID", "title": "Title", "start": "Start", "end": "End"}


def parse(text: str | bytes, zone: str | None = "Europe/Moscow", **options: object) -> Part:
    columns = options.pop("columns", COLUMNS)
    chosen = CsvOptions(type="csv", path="t.csv", columns=columns, **options)  # type: ignore[arg-type]
    content = text if isinstance(text, bytes) else text.encode()
    return CsvFormat(chosen).parse("t.csv", content, replace(CONTEXT, zone=zone))


def one(header: str, row: str, zone: str | None = "Europe/Moscow") -> Timed | AllDay:
    """Return the span of a row under columns named as their fields."""
    part = parse(f"title,{header}\nT,{row}", columns={name: name for name in f"title,{header}".split(",")}, zone=zone)
    assert part.problems == []
    return part.entries[0].span


def refusal(header: str, row: str, zone: str | None = "Europe/Moscow") -> str:
    part = parse(f"title,{header}\nT,{row}", columns={name: name for name in f"title,{header}".split(",")}, zone=zone)
    assert part.entries == []
    (problem,) = part.problems
    assert (problem.kind, problem.where) == ("rejected", "t.csv:2")
    return problem.reason


def timed(start: str, end: str, zone: str = "Europe/Moscow") -> Timed:
    return Timed(start=datetime.fromisoformat(start), end=datetime.fromisoformat(end), zone=zone, end_zone=zone)


@pytest.mark.parametrize(
    ("header", "row", "span"),
    [
        ("start,end", "2026-12-01 09:00,2026-12-01 10:00", timed("2026-12-01 09:00", "2026-12-01 10:00")),
        ("start,end", "2026-12-01 09:00,10:00", timed("2026-12-01 09:00", "2026-12-01 10:00")),
        ("start,end", "2026-12-01 09:00,2026-12-01 09:00", timed("2026-12-01 09:00", "2026-12-01 09:00")),
        ("start,end", "2026-12-01 09:00,", timed("2026-12-01 09:00", "2026-12-01 09:00")),
        ("start,end", "2026-12-01 09:00,NULL", timed("2026-12-01 09:00", "2026-12-01 09:00")),
        ("start,end", "2026-12-01,NaT", AllDay(first=date(2026, 12, 1), end=date(2026, 12, 2))),
        ("start,end", "2026-12-01 09:00,—", timed("2026-12-01 09:00", "2026-12-01 09:00")),
        ("start,end,all_day,timezone", "2026-12-01 09:00,-,нет,NULL", timed("2026-12-01 09:00", "2026-12-01 09:00")),
        ("start", "2026-12-01 09:00", timed("2026-12-01 09:00", "2026-12-01 09:00")),
        ("date,start_time,end,end_time", "2026-12-01,9:00,2026-12-01,", timed("2026-12-01 09:00", "2026-12-01 09:00")),
        ("start,duration", "2026-12-01 23:00,90", timed("2026-12-01 23:00", "2026-12-02 00:30")),
        ("date,start_time,end_time", "2026-12-01,22:00,6:00", timed("2026-12-01 22:00", "2026-12-02 06:00")),
        ("date,start_time,end_time", "2026-12-31,22:00,6:00", timed("2026-12-31 22:00", "2027-01-01 06:00")),
        ("date,start_time,end_time", "2026-12-01,9:00,9:00", timed("2026-12-01 09:00", "2026-12-02 09:00")),
        ("date,start_time,end_time", "2026-12-01,00:00,00:00", timed("2026-12-01 00:00", "2026-12-02 00:00")),
        ("date,start_time", "2026-12-01,08:00-08:00", timed("2026-12-01 08:00", "2026-12-02 08:00")),
        ("start", "01.12.2026 8:00-8:00", timed("2026-12-01 08:00", "2026-12-02 08:00")),
        ("date,start_time", "2026-12-01,сутки", timed("2026-12-01 00:00", "2026-12-02 00:00")),
        ("date,start_time,duration", "2026-12-01,8:00,сутки", timed("2026-12-01 08:00", "2026-12-02 08:00")),
        ("date,start_time,end_time", "2026-12-01,8:00,сутки", timed("2026-12-01 08:00", "2026-12-02 08:00")),
        ("date,start_time", "2026-12-01,с 8 до 20 МСК", timed("2026-12-01 08:00", "2026-12-01 20:00")),
        ("start", "01.12.2026 11:00-12:00 UTC+5", timed("2026-12-01 09:00", "2026-12-01 10:00")),
        ("date,start_time,end_time", "2026-12-01,2026-12-01 22:00,2026-12-01 06:00", timed("2026-12-01 22:00", "2026-12-02 06:00")),  # noqa: E501 - one case, one line
        ("date,start_time,end_time", "2026-12-01,2026-12-01 22:00,2026-12-02 06:00", timed("2026-12-01 22:00", "2026-12-02 06:00")),  # noqa: E501 - likewise
        ("date,start_time,end_time", "01.12.2026 0:00:00,01.01.0001 9:00:00,01.01.0001 10:30:00", timed("2026-12-01 09:00", "2026-12-01 10:30")),  # noqa: E501 - likewise
        ("date,start_time,end_time", "2026-12-01,1899-12-30 09:00:00,1899-12-30 10:00:00", timed("2026-12-01 09:00", "2026-12-01 10:00")),  # noqa: E501 - likewise
        ("date,start_time", "01.12.2026 0:00:00,", AllDay(first=date(2026, 12, 1), end=date(2026, 12, 2))),
        ("date,start_time,end_time", "2026-12-01,9:00,24:00", timed("2026-12-01 09:00", "2026-12-02 00:00")),
        ("date,start_time", "01.12.2026,08:30-09:15", timed("2026-12-01 08:30", "2026-12-01 09:15")),
        ("date,start_time", "01.12.2026,22:00-6:00", timed("2026-12-01 22:00", "2026-12-02 06:00")),
        ("start", "01.12.2026 8.30 - 9.15", timed("2026-12-01 08:30", "2026-12-01 09:15")),
        ("date,start_time,end,end_time,all_day", "24.12.2026,12:00 AM,26.12.2026,12:00 AM,True", AllDay(first=date(2026, 12, 24), end=date(2026, 12, 26))),  # noqa: E501 - Outlook's export
        ("date,start_time,end,end_time,all_day", "24.12.2026,12:00 AM,24.12.2026,12:00 AM,True", AllDay(first=date(2026, 12, 24), end=date(2026, 12, 25))),  # noqa: E501 - likewise
        ("date,end,all_day", "24.12.2026,26.12.2026,True", AllDay(first=date(2026, 12, 24), end=date(2026, 12, 27))),
        ("date,start_time,end,end_time", "2026-12-01,9:00,2026-12-03,8:00", timed("2026-12-01 09:00", "2026-12-03 08:00")),  # noqa: E501 - one case, one line
        ("start,end,timezone", "2026-12-01 09:00,9:30,Russian Standard Time", timed("2026-12-01 09:00", "2026-12-01 09:30")),  # noqa: E501 - likewise
        ("start,end", "2026-12-01T06:00Z,2026-12-01T10:00+03:00", timed("2026-12-01 09:00", "2026-12-01 10:00")),
        ("start", "2026-12-01", AllDay(first=date(2026, 12, 1), end=date(2026, 12, 2))),
        ("start,end", "2026-12-01,2026-12-03", AllDay(first=date(2026, 12, 1), end=date(2026, 12, 4))),
        ("start,duration", "2026-12-01,2d", AllDay(first=date(2026, 12, 1), end=date(2026, 12, 3))),
        ("date,start_time,end_time", "2026-12-01,,", AllDay(first=date(2026, 12, 1), end=date(2026, 12, 2))),
        ("start,end,all_day", "2026-12-01 00:00,2026-12-01 23:59,x", AllDay(first=date(2026, 12, 1), end=date(2026, 12, 2))),  # noqa: E501 - likewise
        ("start,all_day", "2026-12-01 09:00,no", timed("2026-12-01 09:00", "2026-12-01 09:00")),
        ("date,start_time", "05.12.2026,весь день", AllDay(first=date(2026, 12, 5), end=date(2026, 12, 6))),
        ("date,start_time,end_time", "05.12.2026,весь день,весь день", AllDay(first=date(2026, 12, 5), end=date(2026, 12, 6))),  # noqa: E501 - likewise
        ("start,all_day", "05.12.2026 9:00,весь день", AllDay(first=date(2026, 12, 5), end=date(2026, 12, 6))),
        ("start", "05.12.2026 all day", AllDay(first=date(2026, 12, 5), end=date(2026, 12, 6))),
        ("date,start_time", "05.12.2026,20-8", timed("2026-12-05 20:00", "2026-12-06 08:00")),
        ("date,start_time,end_time", "05.12.2026,8-20,9-05", timed("2026-12-05 08:20", "2026-12-05 09:05")),
        ("start", "05.12.26г. 11-00", timed("2026-12-05 11:00", "2026-12-05 11:00")),
        ("date,start_time,end_time", "05.12.2026,20,8", timed("2026-12-05 20:00", "2026-12-06 08:00")),
        ("date,start_time,end_time", "05.12.2026,9.30,11", timed("2026-12-05 09:30", "2026-12-05 11:00")),
        ("date", "05.12.2026 - 07.12.2026", AllDay(first=date(2026, 12, 5), end=date(2026, 12, 8))),
        ("date,start_time", "с 08.12.2026 по 09.12.2026,", AllDay(first=date(2026, 12, 8), end=date(2026, 12, 10))),
        ("start", "05.12.2026 22:00 - 06.12.2026 6:00", timed("2026-12-05 22:00", "2026-12-06 06:00")),
        ("start,end", "05.12.2026 9:00,2 часа", timed("2026-12-05 09:00", "2026-12-05 11:00")),
        ("date,start_time,end_time", "05.12.2026,9:00,45 мин.", timed("2026-12-05 09:00", "2026-12-05 09:45")),
        ("date,start_time,end_time", "05.12.2026,9:00,1 ч 30 мин", timed("2026-12-05 09:00", "2026-12-05 10:30")),
        ("date,start_time,end_time", "05.12.2026,9:00,до 18:00", timed("2026-12-05 09:00", "2026-12-05 18:00")),
        ("start", "2037-12-31", AllDay(first=date(2037, 12, 31), end=date(2038, 1, 1))),
    ],
)  # fmt: skip
def test_a_row_becomes_the_span_it_says(header: str, row: str, span: Timed | AllDay) -> None:
    assert one(header, row) == span


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (("8-20,",), "could be 8:20 or from 8 to 20"),
        (("8-20,-",), "could be 8:20 or from 8 to 20"),
        (("8-20,9-05", "8-20,"), "could be 8:20 or from 8 to 20"),
        (("8-20,", "9-00,9-45"), ""),
        (("8-20,", "9-00,"), ""),
        (("8-20,", "9-00,", "20-8,"), "could be 8:20 or from 8 to 20"),
    ],
)
def test_a_start_that_could_be_two_hours_is_told_where_its_own_row_has_no_end(rows: tuple[str, ...], says: str) -> None:
    table = "".join(f"{at},T,05.12.2026,{row}\n" for at, row in enumerate(rows))
    columns: dict[str, str | int] = {name: name for name in ("uid", "title", "date", "start_time", "end_time")}
    part = parse(f"{','.join(columns)}\n{table}", columns=columns)
    assert len(part.entries) == len(rows) - bool(says)
    assert [says in problem.reason for problem in part.problems] == [True] * bool(says)


def test_what_starts_without_an_end_show_is_not_read_into_those_beside_an_end() -> None:
    table = "1,T,05.12.2026,8-20,9-05\n2,T,05.12.2026,9-18,\n"
    columns: dict[str, str | int] = {name: name for name in ("uid", "title", "date", "start_time", "end_time")}
    part = parse(f"{','.join(columns)}\n{table}", columns=columns)
    assert [entry.span for entry in part.entries] == [
        timed("2026-12-05 08:20", "2026-12-05 09:05"),
        timed("2026-12-05 09:00", "2026-12-05 18:00"),
    ]


def test_a_duration_is_exact_over_a_change_of_clocks() -> None:
    assert one("start,duration", "2026-03-29 01:30,1h", zone="Europe/Berlin") == timed(
        "2026-03-29 01:30", "2026-03-29 03:30", "Europe/Berlin"
    )


@pytest.mark.parametrize(
    ("heading", "cell", "hours"),
    [("Часов", "2", 2), ("Длительность (ч)", "1,5", 1.5), ("Кол-во часов", "8", 8), ("Мин.", "90", 1.5),
     ("Количество календарных дней", "2", 48), ("Duration (h)", "3", 3), ("Duration", "30", 0.5),
     ("Часов", "90 мин", 1.5)],
)  # fmt: skip
def test_a_bare_number_in_a_column_of_durations_is_what_its_title_says(heading: str, cell: str, hours: float) -> None:
    text = f'Title,Start,{heading}\nX,2026-12-01 09:00,"{cell}"\n'
    (entry,) = parse(text, columns={"title": "Title", "start": "Start", "duration": heading}).entries
    assert isinstance(entry.span, Timed)
    assert entry.span.end - entry.span.start == timedelta(hours=hours)


@pytest.mark.parametrize("heading", ["Ак. часов", "Рабочих дней", "Часы (мин)", "Кол-во уч. часов"])
def test_a_heading_that_names_no_unit_of_time_needs_one_of_the_config(heading: str) -> None:
    text = f"Title,Start,{heading}\nX,2026-12-01 09:00,2\n"
    columns: dict[str, str | int] = {"title": "Title", "start": "Start", "duration": heading}
    assert "set duration_unit" in parse(text, columns=columns).problems[0].reason
    (entry,) = parse(text, columns=columns, duration_unit="45m").entries
    assert isinstance(entry.span, Timed)
    assert entry.span.end == datetime(2026, 12, 1, 10, 30)


def test_a_time_with_an_offset_needs_no_timezone() -> None:
    row = "2026-12-01T09:00+03:00,2026-12-01T09:00+03:00"
    assert one("start,end", row, zone=None) == timed("2026-12-01 09:00", "2026-12-01 09:00", "Etc/GMT-3")
    row = "2026-12-01T09:00Z,2026-12-01T09:00Z"
    assert one("start,end", row, zone=None) == timed("2026-12-01 09:00", "2026-12-01 09:00", "UTC")


@pytest.mark.parametrize(
    ("header", "row", "says"),
    [
        ("start,end", "2026-12-01 09:00,2026-12-01 08:00", "end is before start"),
        ("start,end", "2026-12-02,2026-12-01", "end is before start"),
        ("start,end", "2026-12-01 09:00,2026-12-02", "there is no end time"),
        ("start,end", "2026-12-01,10:00", "there is no start time"),
        ("date,start_time", "2026-12-01,2026-12-02 9:00", "start_time holds another date than date"),
        ("date,start_time,end_time", "2026-12-02,9:00,2026-12-01 10:00", "end_time holds another date"),
        ("start,all_day", "2026-12-01,no", "there is no start time"),
        ("start,all_day", "2026-12-01,maybe", "all_day 'maybe' is neither yes nor no"),
        ("start", "9:00", "start has a time but no date"),
        ("start", "31.02.2026 9:00", "there is no day 2026-02-31"),
        ("start", "1/2/2026 9:00", 'set dates = "dmy" or "mdy"'),
        ("start", "46387", "is not a date"),
        ("start", "1969-12-31", "the year 1969 is outside 1970 to 2037"),
        ("start", "2038-01-01 09:00", "the year 2038 is outside"),
        ("start,end", "2037-12-31,2038-01-02", "the year 2038 is outside"),
        ("start,duration", "2026-12-01,90", "not in whole days"),
        ("start,duration", "2026-12-01 09:00,soon", "duration 'soon' is not a duration"),
        ("start,end,timezone", "2026-12-01 09:00,9:30,Moon/Base", "timezone 'Moon/Base' is not known"),
        ("start,rrule", "2026-12-01 09:00,every day", "rrule|recurrence rule"),
        ("start,private", "2026-12-01 09:00,perhaps", "private 'perhaps' is neither"),
        ("start,reminders", "2026-12-01 09:00,soon", "reminders 'soon' is not a list of reminders"),
        ("date,start_time", ",9:00", "there is no date"),
        ("date,start_time", "2026-12-01 8:00,9:00", "both date and start_time"),
        (
            "date,start_time,end_time",
            "2026-12-01,9:00-9:45,10:00",
            "start holds two times, and there is an end besides",
        ),
        ("date,start_time,end_time", "2026-12-01,9:00,9:45-10:00", "end holds two times"),
        ("start", "2026-12-01 09:00-10:00", "could be two times or one with an offset"),
        ("start,end", "05.12.2026 8:00,12 часов", "could be 12:00, or 12 hours after the start .write 12:00, or 20:00"),
        ("date,start_time", "05.12.2026 - 07.12.2026,9:00", "two days beside a time.*write a row for each"),
        ("date,end", "05.12.2026 - 07.12.2026,08.12.2026", "start holds two days, and there is an end besides"),
        ("start,all_day", "05.12.2026 all day,no", "one cell says the whole day, another a time or no"),
        ("start,end", "05.12.2026 9:00,весь день", "one cell says the whole day, another a time or no"),
        ("start", "12.31.2026 9:00", 'set dates = "mdy"'),
        ("date,start_time", "05.12.2026,2", "'2' is not a date or a time"),
        ("date,start_time,end_time", "05.12.2026,9,45", "there is no time 45:00"),
    ],
)
def test_a_row_that_cannot_be_meant_is_rejected_with_its_reason(header: str, row: str, says: str) -> None:
    assert re.search(says, refusal(header, row))


def test_a_time_without_any_zone_is_rejected_naming_the_option() -> None:
    assert 'set timezone = "Europe/Moscow"' in refusal("start,end", "2026-12-01 09:00,9:30", zone=None)
    assert isinstance(one("start", "2026-12-01", zone=None), AllDay)


def test_rows_at_the_same_time_share_their_span_unless_anything_about_it_differs() -> None:
    rows = (
        "A,2026-12-01 09:00,60,\nB,2026-12-01 09:00,60,\nC,2026-12-01 09:00,60,Asia/Tokyo\nD,2026-12-01 09:00,1:01,\n"
    )
    names = ("title", "start", "duration", "timezone")
    part = parse(f"{','.join(names)}\n{rows}", columns={name: name for name in names})
    one, same, elsewhere, longer = (entry.span for entry in part.entries)
    assert one is same
    assert elsewhere == timed("2026-12-01 09:00", "2026-12-01 10:00", "Asia/Tokyo")
    assert longer == timed("2026-12-01 09:00", "2026-12-01 10:01")


def test_an_unknown_timezone_of_the_sync_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="timezone = 'Moon/Base'"):
        parse(HEADER + "\n1,T,2026-12-01,", zone="Moon/Base")


def test_all_the_fields_reach_the_entry() -> None:
    header = (
        "title,start,description,location,attendees,categories,status,priority,color,url,rrule,reminders,private,"
        "contact_phone,contact_email,owner,Room type"
    )
    row = (
        'T,2026-12-01,"a\r\nb",L,a@x.ru; b@x.ru,"c, d",отменено,high,#fff,https://x,RRULE:FREQ=DAILY;COUNT=2,'
        '"15m, 1d",да,+7 999,c@x.ru,o@x.ru,big'
    )
    columns = {name: name for name in header.split(",")[:-1]}
    (entry,) = parse(f"{header}\n{row}", columns=columns).entries
    details = entry.details
    assert (details.title, details.description, details.location, details.owner) == ("T", "a\nb", "L", "o@x.ru")
    assert (details.attendees, details.categories) == (("a@x.ru", "b@x.ru"), ("c", "d"))
    assert (details.status, details.priority, details.classification) == ("CANCELLED", 1, "PRIVATE")
    assert (details.color, details.url) == ("#fff", "https://x")
    assert details.reminders == (Reminder(before=timedelta(minutes=15)), Reminder(before=timedelta(days=1)))
    assert entry.recurrence == Recurrence(rules=("FREQ=DAILY;COUNT=2",))
    assert dict(details.columns)["Room type"] == "big"
    assert dict(details.columns)["contact_phone"] == "+7 999"
    assert [title for title, _ in details.columns][: len(header.split(","))] == header.split(",")


def test_an_empty_cell_says_nothing() -> None:
    columns = {name: name for name in ("title", "start", "private", "reminders", "status", "priority")}
    (entry,) = parse(",".join(columns) + "\nT,2026-12-01,,,,", columns=columns).entries
    details = entry.details
    assert (details.classification, details.reminders, details.status, details.priority) == ("", None, "", None)


def test_an_unknown_status_is_warned_of_once_and_taken_as_empty() -> None:
    columns = {name: name for name in ("title", "start", "status")}
    part = parse("title,start,status\nA,2026-12-01,new\nB,2026-12-01,new\n", columns=columns)
    assert [entry.details.status for entry in part.entries] == ["", ""]
    assert [(problem.kind, problem.where) for problem in part.problems] == [("warning", "t.csv:2")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1251"])
def test_the_encoding_is_found(encoding: str) -> None:
    (entry,) = parse((HEADER + "\n1,Урок № 3 — ё,2026-12-01,\n").encode(encoding)).entries
    assert entry.details.title == "Урок № 3 — ё"


def test_a_configured_encoding_is_used_and_one_that_does_not_fit_is_an_error() -> None:
    content = (HEADER + "\n1,Урок,2026-12-01,\n").encode("koi8-r")
    assert parse(content, encoding="koi8-r").entries[0].details.title == "Урок"
    with pytest.raises(SourceError, match=r"t\.csv:2: byte .* is not utf-8"):
        parse(content, encoding="utf-8")


def test_damaged_utf8_rejects_only_its_row() -> None:
    rows = [HEADER.encode()] + [f"{at},Урок математики,2026-12-01,".encode() for at in range(3)]
    rows[2] = rows[2].replace("м".encode(), b"\xff")
    part = parse(b"\n".join(rows))
    assert [entry.uid for entry in part.entries] == ["0", "2"]
    assert [(problem.where, problem.key) for problem in part.problems] == [("t.csv:3", "1")]
    assert "not text in this encoding" in part.problems[0].reason


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_though_texts_hold_others(delimiter: str) -> None:
    rows = [
        ["ID", "Title", "Start", "End"],
        ["1", "a, b; c | d\te", "2026-12-01", ""],
        ["2", 'say "hi", all', "2026-12-02", ""],
    ]
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL).writerows(rows)
    assert find_delimiter(out.getvalue(), "auto", COLUMNS) == (delimiter, False)
    assert [entry.details.title for entry in parse(out.getvalue()).entries] == [rows[1][1].strip(), rows[2][1]]
    numbers: dict[str, str | int] = {"uid": 1, "title": 2, "start": 3}
    assert len(parse(out.getvalue(), columns=numbers).entries) == 2


def test_a_sep_line_names_the_delimiter_and_is_no_header() -> None:
    part = parse("sep=;\r\nID;Title;Start;End\r\n1;a,b,c,d,e;2026-12-01;\r\n")
    assert [(entry.where, entry.details.title) for entry in part.entries] == [("t.csv:3", "a,b,c,d,e")]


def test_titles_match_exactly_first_then_without_case_and_blanks() -> None:
    part = parse(
        "title,Title,START ,id\nno,yes,2026-12-01,7\n", columns={"uid": "ID", "title": "Title", "start": "start"}
    )
    assert [(entry.uid, entry.details.title) for entry in part.entries] == [("7", "yes")]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("ID,Titel,Start,End", r"t\.csv:1: no column 'Title' for title.*did you mean 'Titel'"),
        ("ID,Title,Start", "no column 'End' for end"),
        ("ID,Title,Title,Start,End", "columns 2 and 3 are both called 'Title'"),
    ],
)
def test_a_mapped_column_that_is_not_there_once_is_an_error(header: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        parse(header + "\n1,T,2026-12-01,\n")
    with pytest.raises(SourceError, match="no column 9 for title"):
        parse(HEADER, columns={"title": 9, "start": "Start"})


def test_lines_are_those_of_the_file_whatever_stands_in_quotes_or_between() -> None:
    part = parse(HEADER + '\r\n1,"a\r\nb\r\nc",2026-12-01,\r\n\r\n,,,\r\n2,T,2026-12-02,\r\n3,T,never,\r\n')
    assert [entry.where for entry in part.entries] == ["t.csv:2", "t.csv:7"]
    assert [problem.where for problem in part.problems] == ["t.csv:8"]


def test_a_last_line_without_newline_is_whole() -> None:
    part = parse(HEADER + "\n1,T,2026-12-01,2026-12-01")
    assert len(part.entries) == 1
    assert not part.incomplete


def test_a_quote_left_open_makes_the_file_incomplete_from_its_line_on() -> None:
    part = parse(HEADER + '\n1,T,2026-12-01,\n2,"T,2026-12-01,\n3,T,2026-12-01,\n')
    assert [entry.uid for entry in part.entries] == ["1"]
    assert "t.csv:3: a quote is opened and never closed" in part.incomplete


def test_a_quote_out_of_place_rejects_its_row_and_nobody_knows_which_it_was() -> None:
    part = parse(HEADER + '\n1,"T" x,2026-12-01,\n2,T,2026-12-01,\n')
    assert [entry.uid for entry in part.entries] == ["2"]
    assert [problem.where for problem in part.problems] == ["t.csv:2"]
    assert "t.csv:2" in part.incomplete


def test_rows_of_the_wrong_length_are_rejected() -> None:
    part = parse(HEADER + "\n1,T,2026-12-01\n2,T,2026-12-01,\n3,T, x,2026-12-01,\n4,T,2026-12-01,\n")
    assert [entry.uid for entry in part.entries] == ["2", "4"]
    assert [(problem.where, problem.key) for problem in part.problems] == [("t.csv:2", "1"), ("t.csv:4", "3")]
    assert "only 3 of 4 cells" in part.problems[0].reason
    assert "has to stand in quotes" in part.problems[1].reason
    assert part.rejected == {"1", "3"}
    assert not part.incomplete


def test_a_row_that_cannot_be_used_leaves_nothing_for_the_garbage_collector() -> None:
    # It rests while a file is read, so a cycle for each bad row would keep the frames of all of them until the end.
    rows = "".join(f"{number},T,some day {number},\n" for number in range(500))
    gc.collect()
    gc.disable()
    try:
        part = parse(HEADER + "\n" + rows)
        assert gc.collect() < len(part.problems) == 500
    finally:
        gc.enable()


def test_a_delimiter_at_the_end_of_every_row_is_no_cell() -> None:
    part = parse(HEADER + "\n1,T,2026-12-01,,\n2,T,2026-12-01,,\n")
    assert [entry.uid for entry in part.entries] == ["1", "2"]
    assert len(parse(HEADER + "\n1,T,2026-12-01,,\n2,T,2026-12-01,\n").problems) == 1


def test_of_two_rows_with_one_uid_the_first_is_used() -> None:
    part = parse(HEADER + "\n1,A,2026-12-01,\n1,B,2026-12-02,\n")
    assert [entry.details.title for entry in part.entries] == ["A"]
    assert [problem.where for problem in part.problems] == ["t.csv:3"]
    assert "t.csv:2 has the same uid" in part.problems[0].reason
    assert "give it a uid of its own" in part.problems[0].reason


def test_without_a_uid_owner_title_and_start_name_the_row_in_any_notation_and_order() -> None:
    columns: dict[str, str | int] = {"title": "t", "start": "s", "owner": "o", "location": "l"}
    first = parse("t,s,o,l\nA,2026-12-01 09:00,x,1\nB,2026-12-01 09:00,x,1\n", columns=columns)
    again = parse("o;l;s;t\nx;2;01.12.2026 9:00;B\nx;2;01.12.2026 9:00;A\n", columns=columns)
    assert [entry.uid for entry in first.entries] == [entry.uid for entry in reversed(again.entries)]
    assert all(entry.uid.startswith("row-") for entry in first.entries)
    assert len({entry.uid for entry in first.entries}) == 2
    twice = parse("t,s,o,l\nA,2026-12-01,x,1\nA,2026-12-01,x,2\n", columns=columns)
    assert len(twice.entries) == 1
    assert "t.csv:2 has the same owner, title and start" in twice.problems[0].reason


@pytest.mark.parametrize(
    ("table", "columns", "remedy"),
    [
        ("t,s\nA,2026-12-01\nA,2026-12-01\n", {}, "add a column with a number for each row and name it as uid"),
        ("t,s,Room,Nr\nA,2026-12-01,1,7\nA,2026-12-01,2,8\n", {}, "[sync.source.columns], one of 'Room', 'Nr'"),
        ("t,s,u\nA,2026-12-01,\nA,2026-12-01,\n", {"uid": "u"}, "same owner, title and start, so this one is not"
         " used (delete it; if both are meant, fill in 'u' in both)"),
    ],
)  # fmt: skip
def test_rows_that_are_the_same_entry_are_told_with_what_would_tell_them_apart(
    table: str, columns: dict[str, str | int], remedy: str
) -> None:
    part = parse(table, columns={"title": "t", "start": "s"} | columns)
    assert len(part.entries) == 1
    assert remedy in part.problems[0].reason


def test_a_row_with_an_empty_uid_is_named_like_one_without_and_an_unnameable_row_makes_it_incomplete() -> None:
    part = parse(HEADER + "\n,A,2026-12-01,\n,B,never,\n")
    assert [entry.uid[:4] for entry in part.entries] == ["row-"]
    assert "t.csv:3 could not be read, so it is not known which entry it is" in part.incomplete


def test_control_characters_are_dropped_with_a_line_that_names_row_and_column() -> None:
    part = parse(HEADER + "\n1,\x07A\x1bB\x7f\tC\x0b,2026-12-01,\n2,Plain\tline,2026-12-02,\n")
    assert [entry.details.title for entry in part.entries] == ["AB\tC", "Plain\tline"]
    (problem,) = part.problems
    assert (problem.where, problem.kind, problem.key) == ("t.csv:2", "warning", "1")
    assert problem.reason == "column 'Title' holds control characters (BEL, VT, ESC, DEL); they are left out"
    assert not part.incomplete


@pytest.mark.parametrize(
    ("row", "title"), [("1,A,never,", "A"), ("1,A,2026-12-01,,,more", ""), (b"1,\xff\xfeA,never,", "")]
)
def test_a_rejected_row_keeps_its_title_for_the_report_where_it_can_be_told(row: str | bytes, title: str) -> None:
    content = (HEADER + "\n").encode() + (row if isinstance(row, bytes) else row.encode())
    good = "\n2,Ёлка и ещё немного текста,2026-12-01,\n".encode()
    (problem,) = (one for one in parse(content + good).problems if one.kind == "rejected")
    assert problem.title == title


def test_a_nul_byte_costs_no_row_and_is_told_of() -> None:
    part = parse(HEADER + "\n1,Sh\x00ift,2026-12-01 09:00,2026-12-01 10:00\n2,Other,2026-12-02 09:00,\n")
    assert [entry.details.title for entry in part.entries] == ["Shift", "Other"]
    assert [(one.where, one.reason) for one in part.problems] == [
        ("t.csv:2", "column 'Title' holds control characters (NUL); they are left out")
    ]


def test_a_line_break_of_windows_within_a_cell_is_no_control_character() -> None:
    assert parse(HEADER + '\r\n1,"A\r\nB",2026-12-01,\r\n').problems == []


ROWS = HEADER + "\n" + "".join(f"{n},Смена,2026-12-01,\n" for n in range(2000))


@pytest.mark.parametrize(
    "content",
    [ROWS.encode("utf-16-le")[:-1], ROWS.encode() + b"\x00" * 512, bytes(range(256)) * 40],
    ids=["half a character", "a tail of zeros", "binary"],
)
def test_a_file_that_is_no_text_or_half_written_is_refused_whole(content: bytes) -> None:
    with pytest.raises(SourceError, match=r"binary file, not CSV, or was only half written .*export it as CSV"):
        parse(content)


def test_a_header_alone_is_complete_and_blank_lines_are_not() -> None:
    assert not parse(HEADER + "\n").incomplete
    assert "empty" in parse("\n\n").incomplete
    assert "no header" in parse(",,,\n").incomplete


TITLES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))
    | st.sampled_from(['"', "\n", ",", ";", "|", "\t", "'"]),
    min_size=1,
    max_size=30,
).filter(lambda text: bool(text.strip()))


@settings(max_examples=60, deadline=None)
@given(st.lists(TITLES, min_size=1, max_size=6), st.sampled_from(",;\t|"))
def test_any_title_comes_back_and_keys_do_not_depend_on_order(titles: list[str], delimiter: str) -> None:
    rows = [[f"u{at}", title, "2026-12-01 09:00", "2026-12-01 10:00"] for at, title in enumerate(titles)]

    def write(rows: list[list[str]]) -> str:
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter).writerows([["ID", "Title", "Start", "End"], *rows])
        return out.getvalue()

    part = parse(write(rows))
    assert [(entry.uid, entry.details.title) for entry in part.entries] == [
        (uid, title.strip()) for uid, title, *_ in rows
    ]
    without: dict[str, str | int] = {"title": "Title", "start": "Start"}
    forward = {entry.uid for entry in parse(write(rows), columns=without).entries}
    assert forward == {entry.uid for entry in parse(write(rows[::-1]), columns=without).entries}


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet='ID,;"\n2026-1T:', max_size=120).map(str.encode))
def test_no_bytes_at_all_crash_the_parser(content: bytes) -> None:
    try:
        part = parse(HEADER.encode() + b"\n" + content)
    except SourceError:
        return
    assert all(problem.reason for problem in part.problems)


SEMICOLONS = "ID;Title;Start;End\n"


def told(part: Part) -> list[tuple[str, str]]:
    return [(problem.kind, problem.where) for problem in part.problems]


@pytest.mark.parametrize(
    ("row", "uid", "names"),
    [
        ("2;T;#N/A;", "2", "column 'Start' holds the error #N/A"),
        ("2;T;2026-12-01 09:00;#REF!", "2", "column 'End' holds the error #REF!"),
        ("2;#ИМЯ?;2026-12-01;", "2", "column 'Title' holds the error #ИМЯ?"),
        ("2;T;########;", "2", "column 'Start' holds the error ########"),
        ("2;T;2026-12-01;Err:502", "2", "column 'End' holds the error Err:502"),
        ("#Н/Д;T;2026-12-01;", None, "column 'ID' holds the error #Н/Д"),
    ],
)
def test_an_error_of_a_spreadsheet_is_one_of_its_row(row: str, uid: str | None, names: str) -> None:
    part = parse(f"{SEMICOLONS}1;T;2026-12-01;\n{row}\n")
    assert [entry.uid for entry in part.entries] == ["1"]
    (problem,) = part.problems
    assert (problem.where, problem.kind, problem.key) == ("t.csv:3", "rejected", uid)
    assert names in problem.reason
    assert bool(part.incomplete) == (uid is None)


def test_an_error_outside_the_mapped_columns_and_a_hash_in_a_text_cost_nothing() -> None:
    part = parse("ID;Title;Start;End;Pay\n1;Room #5;2026-12-01;;#DIV/0!\n")
    assert [(entry.details.title, dict(entry.details.columns)["Pay"]) for entry in part.entries] == [
        ("Room #5", "#DIV/0!")
    ]


UNTITLED: dict[str, str | int] = {"title": "Title", "start": "Start", "end": "End"}


@pytest.mark.parametrize("row", ["Итого;;", "Составил: ____;;", "Итого;;", "Перерыв;;"])
def test_a_row_with_nothing_but_a_title_is_no_entry_and_told_in_one_line(row: str) -> None:
    part = parse(f"Title;Start;End\nT;2026-12-01;\n{row}\nSigned: ___;;\n", columns=UNTITLED)
    assert len(part.entries) == 1
    assert told(part) == [("warning", "t.csv:3")]
    assert part.problems[0].reason.endswith(f"3 ({row.strip(';')}), 4 (Signed: ___)")
    assert not part.incomplete


@pytest.mark.parametrize(
    ("rows", "line"),
    [(";;с;до\n1;T;2026-12-01;\n", 2), ("1;T;2026-12-01;\n2;T;выходной;\n", 3),
     ("1;T;2026-12-01;\nСтраница 1 из 2;;;\n", 3)],
)  # fmt: skip
def test_second_titles_days_off_and_numbers_of_pages_are_no_entries(rows: str, line: int) -> None:
    part = parse(f"{SEMICOLONS}{rows}")
    assert (told(part), part.incomplete, len(part.entries)) == ([("warning", f"t.csv:{line}")], "", 1)


def test_words_below_the_first_entry_are_no_second_titles() -> None:
    part = parse(f"{SEMICOLONS}1;T;2026-12-01;\n;;с;до\n")
    assert told(part) == [("rejected", "t.csv:3")]


def test_the_numbers_of_the_columns_of_a_form_are_no_entry() -> None:
    part = parse(f"{SEMICOLONS}1;2;3;4\n1;T;2026-12-01;\n")
    assert (told(part), part.incomplete, len(part.entries)) == ([("warning", "t.csv:2")], "", 1)


@pytest.mark.parametrize("row", [";;Понедельник;", ";;Отделение 3;", ";;;График на 2026 год"])
def test_a_heading_alone_in_its_row_is_no_entry(row: str) -> None:
    part = parse(f"{SEMICOLONS}1;T;2026-12-01;\n{row}\n")
    assert (told(part), part.incomplete) == ([("warning", "t.csv:3")], "")


@pytest.mark.parametrize("row", ["Итого часов;;;", "Составил: Иванова", ";;____________;"])
def test_totals_and_signatures_in_other_columns_are_no_entries_either(row: str) -> None:
    part = parse(f"{SEMICOLONS}1;T;2026-12-01;\n{row}\n")
    assert (told(part), part.incomplete) == ([("warning", "t.csv:3")], "")


@pytest.mark.parametrize(
    ("row", "is_known"),
    [
        ("7;;;", True),
        ("abc;;;", True),
        (";;1 декабря 2025;", False),
        ("7;T;;", True),
        (";T;;2026-12-01", False),
        (";;2026-12-01;", False),
    ],
)
def test_a_row_that_has_lost_its_start_or_title_is_still_rejected(row: str, is_known: bool) -> None:
    part = parse(f"{SEMICOLONS}1;T;2026-12-01;\n{row}\n")
    assert told(part) == [("rejected", "t.csv:3")]
    assert bool(part.incomplete) != is_known


def filtered(text: str, *, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> Part:
    made = Filter(
        include=tuple(compile_condition(one, where="t") for one in include),
        exclude=tuple(compile_condition(one, where="t") for one in exclude),
    )
    chosen = CsvOptions(type="csv", path="t.csv", columns=UNTITLED | {"categories": "Kind"})
    return CsvFormat(chosen).parse("t.csv", text.encode(), replace(CONTEXT, filter=made))


TOTALS = "Title;Start;End;Kind;Hours\nT;2026-12-01;;a;8\nИтого за день;2026;;b, c;8\nX;soon;;a;8\n"


@pytest.mark.parametrize(
    ("include", "exclude", "lines"),
    [
        ((), (), ["t.csv:3", "t.csv:4"]),
        ((), ("title ~ (?i)^итого",), ["t.csv:4"]),
        ((), ("categories = C",), ["t.csv:4"]),
        ((), ("Hours = 8",), []),
        ((), ("hours = 8",), []),
        ((), ("start = soon",), ["t.csv:3"]),
        (("categories = a",), (), ["t.csv:4"]),
        ((), ("location ~ .",), ["t.csv:3", "t.csv:4"]),
        ((), ("No such column = x", "all_day = no"), ["t.csv:3", "t.csv:4"]),
    ],
)
def test_the_filter_works_on_rows_before_they_are_judged(
    include: tuple[str, ...], exclude: tuple[str, ...], lines: list[str]
) -> None:
    part = filtered(TOTALS, include=include, exclude=exclude)
    assert [problem.where for problem in part.problems] == lines
    assert bool(part.incomplete) == bool(lines)
    assert [entry.details.title for entry in part.entries] == ["T"]


ABOVE = "График смен на декабрь\n\nОтдел; склад\n"


def test_titles_above_the_header_are_passed_over_whatever_their_delimiters() -> None:
    for above in (ABOVE, "График смен, декабрь;;;\n", "a,b,c,d,e\n" * 3, 'Plan "A" of shifts\n'):
        part = parse(above + SEMICOLONS + "1;a,b;2026-12-01;\n")
        assert [(entry.uid, entry.where) for entry in part.entries] == [("1", f"t.csv:{above.count(chr(10)) + 2}")]
        assert (part.problems, part.incomplete) == ([], "")


def test_the_header_is_on_the_line_that_the_config_names() -> None:
    text = SEMICOLONS + "ID;Title;Start;End\n1;T;2026-12-01;\n"
    assert [problem.where for problem in parse(text).problems] == ["t.csv:2"]
    assert parse(text, header=2).problems == []
    assert "no header" in parse(text, header=9).incomplete
    numbers: dict[str, str | int] = {"uid": 1, "title": 2, "start": 3}
    assert [entry.uid for entry in parse("Plan\n\n" + text, columns=numbers, header=4).entries] == ["1"]


def test_a_start_without_an_end_lasts_as_long_as_the_config_says() -> None:
    rows = HEADER + "\n1,T,2026-12-01 09:00,\n2,T,2026-12-01,\n3,T,2026-12-01 09:00,10:00\n"
    spans = [entry.span for entry in parse(rows, default_duration="90m").entries]
    assert spans == [
        timed("2026-12-01 09:00", "2026-12-01 10:30"),
        AllDay(first=date(2026, 12, 1), end=date(2026, 12, 2)),
        timed("2026-12-01 09:00", "2026-12-01 10:00"),
    ]


def test_a_length_that_is_none_and_a_line_that_is_none_are_config_errors(tmp_path: Path) -> None:
    options: dict[str, object] = {"type": "csv", "path": "a.csv", "columns": COLUMNS}
    for key, wrong, says in (
        ("default_duration", "soon", "the sync: default_duration must be a duration"),
        ("duration_unit", "hour", "the sync: duration_unit must be a duration"),
        ("duration_unit", "0m", "the sync: duration_unit = '0m' is no length"),
        ("header", -1, "the sync: header = -1 is no line"),
        ("header", 0, "the sync: header = 0 says that the table has no titles, and uid names one"),
    ):
        with pytest.raises(ConfigError, match=says):
            open_source(options | {key: wrong}, tmp_path, where="the sync")


FORMS = ("%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M", "%d-%b-%y %H:%M", "%Y%m%dT%H%M%S", "%d/%m/%Y %H:%M", "%m-%d-%Y %H:%M")
DAYS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31))
ODD = (
    "12/31/2026 09:00", "31/12/2026 09:00", "12-31-2026", "31-12-2026 9:00", "13/31/2026", "99.99.9999", "#REF!",
    "soon", "05-Dec-26", "46357.375", "Итого", "", "2026-12-07 09:00:00+00",
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(DAYS, st.sampled_from(FORMS)), min_size=1, max_size=8),
    st.sampled_from(ODD),
    st.integers(0, 8),
)  # fmt: skip
def test_one_odd_row_never_moves_the_others(rows: list[tuple[datetime, str]], odd: str, at: int) -> None:
    lines = [f"{number};T;{moment.strftime(form)};" for number, (moment, form) in enumerate(rows)]
    before = {entry.uid: entry.span for entry in parse(SEMICOLONS + "\n".join(lines) + "\n").entries}
    with_odd = [*lines[:at], f"odd;T;{odd};", *lines[at:]]
    part = parse(SEMICOLONS + "\n".join(with_odd) + "\n")
    after = {entry.uid: entry.span for entry in part.entries}
    # What stood right stands where it was, or is rejected and so kept, with a line; nothing is moved or lost.
    for uid, span in before.items():
        assert after.get(uid, span) == span
        assert uid in after or uid in part.rejected
    assert {"odd", *map(str, range(len(rows)))} == after.keys() | part.rejected


@settings(max_examples=200, deadline=None)
@given(DAYS, st.sampled_from([*FORMS[:4], "%d/%m/%Y %H:%M"]))
def test_what_can_be_one_moment_only_is_read_as_that_moment(moment: datetime, form: str) -> None:
    moment = moment.replace(second=0, microsecond=0)
    part = parse(f"{SEMICOLONS}1;T;{moment.strftime(form)};\n")
    if "/" in form and moment.day <= 12 and moment.day != moment.month:
        assert 'set dates = "dmy" or "mdy"' in part.problems[0].reason
        return
    (entry,) = part.entries
    assert entry.span == timed(moment.isoformat(" "), moment.isoformat(" "))


@pytest.mark.parametrize(
    ("columns", "cells"),
    [
        (COLUMNS, "2026-12-01,9999-12-31"),
        (COLUMNS, "9999-12-31,9999-12-31"),
        (COLUMNS, "31.12.9999,"),
        ({"uid": "ID", "title": "Title", "start": "Start", "duration": "End"}, "9999-12-30,48h"),
        ({"uid": "ID", "title": "Title", "start": "Start", "end_time": "End"}, "9999-12-31 22:00,06:00"),
    ],
)
def test_days_that_end_past_the_calendar_cost_their_row_alone(columns: dict[str, str | int], cells: str) -> None:
    part = parse(f"{HEADER}\n1,Open,{cells}\n2,Shift,2026-12-01 10:00,", columns=columns)
    (problem,) = part.problems
    assert (problem.where, problem.key) == ("t.csv:2", "1")
    assert "9999" in problem.reason
    assert [entry.uid for entry in part.entries] == ["2"]


@pytest.mark.parametrize("nothing", ["01.01.0001 0:00:00", "01.01.0001", "0001-01-01T00:00:00"])
def test_the_empty_date_of_1c_is_no_end(nothing: str) -> None:
    part = parse(f"{HEADER}\n1,Open,05.12.2026 09:00,{nothing}\n2,Shift,2026-12-01 10:00,2026-12-01 11:00")
    assert part.problems == []
    assert [entry.span for entry in part.entries] == [
        timed("2026-12-05 09:00", "2026-12-05 09:00"), timed("2026-12-01 10:00", "2026-12-01 11:00"),
    ]  # fmt: skip


def test_a_total_with_numbers_beside_it_is_no_entry_and_one_with_a_title_may_be() -> None:
    columns = {"date": "Day", "start_time": "Time", "title": "Title"}
    head = "Day;Time;Title\n07.12.2026;8:30-9:15;Физика\n"
    part = parse(f"{head}Итого;3;\n", columns=columns)
    assert ([entry.details.title for entry in part.entries], part.incomplete) == (["Физика"], "")
    assert "3 (Итого)" in part.problems[0].reason
    (rejected,) = parse(f"{head}Итого;3;Итоговое занятие\n", columns=columns).problems
    assert rejected.kind == "rejected"


def test_a_total_whose_word_stands_in_a_column_that_is_not_read_is_no_entry() -> None:
    columns: dict[str, str | int] = {"title": "Услуга", "start": "Начало", "contact_phone": "Телефон"}
    head = "№;Телефон;Услуга;Начало\n1;+7 495 1234567;Осмотр;01.12.2026 9:00\n"
    part = parse(f"{head}Всего;5;;\n", columns=columns)
    assert (len(part.entries), part.incomplete, [one.kind for one in part.problems]) == (1, "", ["warning"])
    for row in ("Всего;5;;02.12.2026 9:00", "2;5;;", "Всего;5;Итоги;"):  # what may be an entry is none of them
        assert [one.kind for one in parse(f"{head}{row}\n", columns=columns).problems] == ["rejected"]


@pytest.mark.parametrize("row", ["Итого;1;;", "Всего: ;12,5;;", "Total;3;;"])
def test_a_total_with_a_number_in_the_column_of_titles_is_no_entry(row: str) -> None:
    columns: dict[str, str | int] = {"owner": "ФИО", "title": "Смена", "start": "Начало", "end": "Конец"}
    part = parse(f"ФИО;Смена;Начало;Конец\nA;Утро;2026-12-01;\n{row}\n", columns=columns)
    assert (len(part.entries), part.incomplete, [one.kind for one in part.problems]) == (1, "", ["warning"])


@settings(max_examples=300)
@given(st.text(alphabet=',;"\r\n\x0b\x85\u2028ab ', max_size=40), st.booleans())
def test_records_are_cut_as_python_s_own_reader_cuts_them_however_often(text: str, skip_first: bool) -> None:
    expected: list[tuple[int, list[str]]] = []
    broken: list[int] = []
    source = io.StringIO(text, newline="")
    skipped = 1 if skip_first and source.readline() else 0
    reader = csv.reader(source, delimiter=",", strict=True)
    open_at = 0
    while True:
        line = reader.line_num + skipped + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                open_at = line
                break
            broken.append(line)
            continue
        if any(cells):
            expected.append((line, cells))
    rows = Records(text, ",", skip_first=skip_first)
    assert list(rows) == list(rows) == expected
    assert ([at for at, _ in rows.broken], rows.open_at) == (broken, open_at)
    rows.begins_at = 1
    assert list(rows) == expected[1:]


def test_a_day_that_does_not_exist_is_quoted_as_the_source_has_it_in_every_language() -> None:
    part = parse(HEADER + "\n1,A,2026-13-45,\n2,B,2026-02-30,\n")
    for problem, text in zip(part.problems, ("2026-13-45", "2026-02-30"), strict=True):
        assert f"start '{text}': there is no day {text}" in problem.reason
        assert text in catalog.told(problem.reason, "ru")
