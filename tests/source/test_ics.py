import codecs
import re
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.errors import ConfigError, SourceError
from syncd.model.entry import AllDay, Entry, Moment, Reminder, Span, Timed
from syncd.source.ical.feed import FeedReader
from syncd.source.ical.split import split
from syncd.source.ics import parse_ics
from syncd.source.reading import Part

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
        ("DTSTART:2026-12-01T09:00:00", "is not a date or time"),
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
        FIXED.format("Ours", "+0117", "+0117"),
        "TZID:Ours",
        "TZID:Ours\nBEGIN:STANDARD\nDTSTART:never\nEND:STANDARD",
        SUMMER.format("Ours").replace("FREQ=YEARLY", "FREQ=SECONDLY"),
    ],
)
def test_a_definition_that_is_no_known_zone_is_refused_and_never_read_as_local_time(definition: str) -> None:
    reason = refusal("DTSTART;TZID=Ours:20261201T090000", zones=(definition,))
    assert "its VTIMEZONE matches no known zone" in reason


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


def test_overrides_belong_to_their_series_wherever_they_stand() -> None:
    override = event("RECURRENCE-ID;RANGE=THISANDFUTURE:20261202T090000", "DTSTART:20261202T120000", "SUMMARY:moved")
    master = event("DTSTART:20261201T090000", "RRULE:FREQ=DAILY", "SUMMARY:daily")
    (entry,) = parse(calendar(override, event("DTSTART:20261201T090000", uid="other"), master)).entries[:1]
    assert (entry.uid, entry.details.title, entry.where) == ("u", "daily", "t.ics:13")
    (found,) = entry.overrides
    assert found.at == Moment(wall=datetime(2026, 12, 2, 9), zone="Europe/Moscow")
    assert (found.this_and_future, found.details.title, found.where) == (True, "moved", "t.ics:3")


def test_an_override_without_its_series_is_a_single_event() -> None:
    entry = one("RECURRENCE-ID:20261202T090000", "DTSTART:20261202T120000", "SUMMARY:moved")
    assert entry.span == timed("2026-12-02 12:00", "2026-12-02 12:00")
    assert entry.recurrence is None
    assert entry.overrides == ()


def test_several_overrides_without_their_series_are_a_series_of_just_these_days() -> None:
    part = parse(
        calendar(
            event("RECURRENCE-ID:20261209T090000", "DTSTART:20261209T120000", "DTEND:20261209T130000", "SUMMARY:b"),
            event("RECURRENCE-ID:20261202T090000", "DTSTART:20261202T110000", "DTEND:20261202T113000", "SUMMARY:a"),
        )
    )
    (entry,) = part.entries
    assert entry.span == timed("2026-12-02 09:00", "2026-12-02 09:30")
    assert entry.recurrence is not None
    assert entry.recurrence.rdates == (timed("2026-12-09 09:00", "2026-12-09 10:00"),)
    assert [(found.at.wall.day, found.details.title) for found in entry.overrides] == [(2, "a"), (9, "b")]


def test_a_broken_override_rejects_its_whole_series_and_nothing_else() -> None:
    part = parse(
        calendar(
            event("DTSTART:20261201T090000", "RRULE:FREQ=DAILY"),
            event("RECURRENCE-ID:20261202T090000", "DTSTART:20261232T120000"),
            event("DTSTART:20261201T090000", uid="other"),
        )
    )
    assert [entry.uid for entry in part.entries] == ["other"]
    assert [(problem.where, problem.key) for problem in part.problems] == [("t.ics:8", "u")]
    assert part.rejected == {"u"}


@pytest.mark.parametrize(
    ("first", "second", "title"),
    [
        ("SEQUENCE:2\nDTSTAMP:20260101T000000Z", "SEQUENCE:1\nDTSTAMP:20260201T000000Z", "first"),
        ("SEQUENCE:1\nDTSTAMP:20260201T000000Z", "SEQUENCE:2\nDTSTAMP:20260101T000000Z", "second"),
        ("DTSTAMP:20260101T000000Z", "DTSTAMP:20260201T000000Z", "second"),
        ("DTSTAMP:20260101T000000Z\nLAST-MODIFIED:20260102T000000Z", "DTSTAMP:20260101T000000Z", "first"),
    ],
)
def test_the_latest_version_of_an_event_is_used(first: str, second: str, title: str) -> None:
    start = "DTSTART:20261201T090000"
    part = parse(calendar(event(start, first, "SUMMARY:first"), event(start, second, "SUMMARY:second")))
    assert [entry.details.title for entry in part.entries] == [title]
    assert part.problems == []


def test_two_versions_that_cannot_be_told_apart_are_a_problem_unless_they_are_the_same() -> None:
    start = "DTSTART:20261201T090000"
    part = parse(calendar(event(start, "SUMMARY:a"), event(start, "SUMMARY:b")))
    assert [entry.details.title for entry in part.entries] == ["a"]
    assert [(problem.kind, problem.where) for problem in part.problems] == [("rejected", "t.ics:8")]
    assert "t.ics:3" in part.problems[0].reason
    assert parse(calendar(event(start, "SUMMARY:a"), event(start, "SUMMARY:a"))).problems == []


def test_a_cancelled_event_stays_an_entry_that_says_so() -> None:
    assert one("DTSTART:20261201T090000", "STATUS:CANCELLED").details.status == "CANCELLED"
    assert one("DTSTART:20261201T090000", head="METHOD:CANCEL").details.status == "CANCELLED"


@pytest.mark.parametrize(
    ("trigger", "minutes"),
    [
        ("TRIGGER:-PT15M", 15),
        ("TRIGGER:PT0S", 0),
        ("TRIGGER:-P1DT1H", 1500),
        ("TRIGGER;RELATED=END:-PT9H", 60),
        ("TRIGGER;VALUE=DATE-TIME:20261201T203000Z", 30),
    ],
)
def test_an_alarm_is_a_reminder_before_the_start(trigger: str, minutes: int) -> None:
    entry = one(NIGHT, "BEGIN:VALARM", "UID:not-the-events", trigger, "ACTION:DISPLAY", "END:VALARM")
    assert entry.uid == "u"
    assert entry.details.reminders == (Reminder(before=timedelta(minutes=minutes)),)


def test_no_alarm_says_nothing_and_one_of_no_action_says_none() -> None:
    assert one(NIGHT).details.reminders is None
    assert one(NIGHT, "BEGIN:VALARM", "ACTION:NONE", "TRIGGER:-PT1H", "END:VALARM").details.reminders == ()


def test_an_event_without_uid_is_named_by_its_summary_and_start() -> None:
    first = parse(calendar(event("DTSTART:20261201T090000", "SUMMARY:a", uid=None)))
    again = parse(calendar(event("LOCATION:x", "SUMMARY:a", "DTSTART:20261201T090000", "DTSTAMP:1", uid=None)))
    assert first.entries[0].uid == again.entries[0].uid
    assert first.entries[0].uid.startswith("event-")
    assert "not known which entry" in parse(calendar(event("SUMMARY:a", uid=None))).incomplete


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (calendar(event(NIGHT))[:-15], "ends without END:VCALENDAR"),
        (calendar(event(NIGHT), "BEGIN:VEVENT\nUID:cut\nDTSTART:2026"), "VEVENT begun there never ends"),  # "repaired"
        (calendar(event(NIGHT), "BEGIN:VTODO\nUID:cut"), "VTODO begun there never ends"),
        (calendar(event(NIGHT)) + event(NIGHT, uid="v").encode(), "stands outside of VCALENDAR"),
        (calendar(event(NIGHT))[:-15] + calendar(event(NIGHT, uid="v")), "before the one above has ended"),
    ],
)
def test_a_feed_that_ends_too_early_is_incomplete(content: bytes, says: str) -> None:
    part = parse(content)
    assert re.search(says, part.incomplete)
    assert [entry.uid for entry in part.entries][:1] == ["u"]


@pytest.mark.parametrize(
    "broken",
    [
        "BEGIN:VEVENT\nUID:bad\nDTSTART:20261201T090000",
        "BEGIN:VEVENT\nUID:bad\nBEGIN:VALARM\nTRIGGER:-PT1H\nEND:VEVENT",
        "BEGIN:VEVENT\nUID:bad\nDTSTART:20261201T090000\nEND:VALARM\nEND:VEVENT",
    ],
)
def test_an_event_that_is_not_closed_spoils_nothing_else(broken: str) -> None:
    part = parse(calendar(event(NIGHT, uid="a"), broken, event(NIGHT, uid="b")))
    assert [entry.uid for entry in part.entries] == ["a", "b"]
    assert [(problem.where, problem.key, problem.kind) for problem in part.problems] == [("t.ics:8", "bad", "rejected")]
    assert part.incomplete == ""


def test_a_line_that_is_not_icalendar_is_left_out_with_a_warning() -> None:
    part = parse(calendar(event(NIGHT, "DESCRIPTION:one", "two without a name")))
    assert part.entries[0].details.description == "one"
    assert "'two without a name'" in part.problems[0].reason
    assert part.problems[0].kind == "warning"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
def test_the_encoding_is_found(encoding: str) -> None:
    content = calendar(event(NIGHT, "SUMMARY:Урок № 3 — ё")).decode().encode(encoding)
    assert parse(content).entries[0].details.title == "Урок № 3 — ё"


def test_a_configured_encoding_is_used_and_damage_rejects_only_its_event() -> None:
    content = calendar(event(NIGHT, "SUMMARY:Урок математики"), event(NIGHT, "SUMMARY:Урок", uid="v"))
    wide = codecs.encode(content.decode(), "utf-16-le")
    assert len(parse(wide, encoding="utf-16-le").entries) == 2
    part = parse(content.replace("матем".encode(), b"mat\xff"))
    assert [entry.uid for entry in part.entries] == ["v"]
    assert part.rejected == {"u"}
    with pytest.raises(SourceError, match="is not utf-8"):
        parse(content.replace("матем".encode(), b"mat\xff"), encoding="utf-8")


def test_what_does_not_begin_a_calendar_is_an_error() -> None:
    with pytest.raises(SourceError, match="there is no BEGIN:VCALENDAR"):
        parse(b"ID;Title\n1;x\n")


def test_an_unchanged_group_is_not_parsed_again_even_on_other_lines_and_a_changed_zone_is() -> None:
    series = event("DTSTART:20261201T090000", "RRULE:FREQ=DAILY", uid="s")
    override = event("RECURRENCE-ID:20261202T090000", "DTSTART:20261202T120000", uid="s")
    broken = event("DTSTART:20261301T090000", uid="bad")

    def read(known: FeedReader | None, zone: str, *parts: str) -> tuple[FeedReader, Part]:
        reader = FeedReader(known=known.kept if known else {})
        content = calendar(*parts)
        return reader, parse_ics("t.ics", content, encoding="auto", zone=zone, year=2026, reader=reader)

    first, part = read(None, "Europe/Moscow", series, broken, override)
    assert (first.parsed, len(part.entries), len(part.problems)) == (2, 1, 1)
    second, again = read(first, "Europe/Moscow", series, broken, override)
    assert (second.parsed, again.entries, again.problems) == (0, part.entries, part.problems)
    third, moved = read(second, "Europe/Moscow", event(NIGHT, uid="new"), series, override)
    assert third.parsed == 1
    assert (moved.entries[1].where, moved.entries[1].overrides[0].where) == ("t.ics:8", "t.ics:13")
    fourth, fresh = read(third, "Asia/Omsk", series, override)
    assert fourth.parsed == 1
    assert fresh.entries[0].span == timed("2026-12-01 09:00", "2026-12-01 09:00", "Asia/Omsk")
    assert len(fourth.kept) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from([b"\r\n ", b"\n\t", b"\r\r\n "])), max_size=12))
def test_folds_anywhere_change_nothing_but_line_numbers(folds: list[tuple[int, bytes]]) -> None:
    content = calendar(
        event(NIGHT, "SUMMARY:Планёрка, 2 этаж", "BEGIN:VALARM", "TRIGGER:-PT5M", "END:VALARM"), event(NIGHT, uid="v")
    )
    folded = content
    for at, fold in sorted(folds, reverse=True):
        if (
            at < len(folded)
            and folded[at - 1 : at] not in (b"\r", b"\n")
            and folded[at : at + 1] not in (b"\r", b"\n")
            and at
        ):
            folded = folded[:at] + fold + folded[at:]
    plain, cut = split(content), split(folded)
    assert [piece.content for piece in cut.calendars[0].events] == [
        piece.content for piece in plain.calendars[0].events
    ]
    assert cut.unfinished == plain.unfinished == ""
    unfolded = folded.replace(b"\r", b"").split(b"\n")
    for piece in cut.calendars[0].events:
        assert unfolded[piece.line - 1].startswith(b"B")
    assert parse(folded).entries[0].details.title == "Планёрка, 2 этаж"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["BEGIN:VCALENDAR", "END:VCALENDAR", "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VALARM", "END:VALARM", "UID:a",
             "UID:b", "BEGIN:VTODO", "END:VTODO", "DTSTART:20261201T090000", "RRULE:FREQ=DAILY", "junk", "DTSTART;X:",
             "BEGIN:VTIMEZONE", "END:VTIMEZONE", "TZID:x", "RECURRENCE-ID:20261201T090000", "TRIGGER:x", "EXDATE:,,",
             ":", ";=:"]
        ),
        max_size=40,
    )
)  # fmt: skip
def test_any_order_of_lines_is_read_without_a_crash_and_every_start_is_accounted_for(lines: list[str]) -> None:
    part = parse("\n".join(["BEGIN:VCALENDAR", *lines]).encode())
    inside = "BEGIN:VEVENT" in lines
    assert inside or (not part.entries and not part.rejected)
    assert {entry.uid for entry in part.entries}.isdisjoint(part.rejected)
