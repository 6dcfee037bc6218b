"""iCalendar texts for tests, and what a text becomes."""

from datetime import date, datetime

from syncd.model.entry import AllDay, Entry, Timed
from syncd.source.files import Part
from syncd.source.ical.ics import parse_ics

FIXED = "TZID:{}\nBEGIN:STANDARD\nDTSTART:16010101T000000\nTZOFFSETFROM:{}\nTZOFFSETTO:{}\nEND:STANDARD"
SUMMER = (
    "TZID:{}\nBEGIN:STANDARD\nDTSTART:16010101T030000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nTZOFFSETFROM:+0200\n"
    "TZOFFSETTO:+0100\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:16010101T020000\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\n"
    "TZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:DAYLIGHT"
)
NIGHT = "DTSTART;TZID=Europe/Berlin:20261201T220000\nDTEND;TZID=Europe/Berlin:20261202T060000"


def event(*lines: str, uid: str | None = "u") -> str:
    return "\n".join(["BEGIN:VEVENT", *([f"UID:{uid}"] if uid else []), *lines, "END:VEVENT"])


def calendar(*parts: str, head: str = "VERSION:2.0", zones: tuple[str, ...] = ()) -> bytes:
    definitions = [f"BEGIN:VTIMEZONE\n{zone}\nEND:VTIMEZONE" for zone in zones]
    return (
        "\n".join(["BEGIN:VCALENDAR", head, *definitions, *parts, "END:VCALENDAR", ""]).replace("\n", "\r\n").encode()
    )


def parse(content: bytes, zone: str | None = "Europe/Moscow", encoding: str = "auto") -> Part:
    return parse_ics("t.ics", content, encoding=encoding, zone=zone, year=2026)


def one(*lines: str, zone: str | None = "Europe/Moscow", head: str = "VERSION:2.0") -> Entry:
    part = parse(calendar(event(*lines), head=head), zone)
    assert part.problems == []
    return part.entries[0]


def refusal(*lines: str, zone: str | None = "Europe/Moscow", zones: tuple[str, ...] = ()) -> str:
    part = parse(calendar(event(*lines), zones=zones), zone)
    assert part.entries == []
    assert part.rejected == {"u"}
    return part.problems[0].reason


def timed(start: str, end: str, zone: str = "Europe/Moscow", end_zone: str | None = None) -> Timed:
    return Timed(
        start=datetime.fromisoformat(start), end=datetime.fromisoformat(end), zone=zone, end_zone=end_zone or zone
    )


def days(first: str, end: str) -> AllDay:
    return AllDay(first=date.fromisoformat(first), end=date.fromisoformat(end))
