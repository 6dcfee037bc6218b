import codecs
import re
from datetime import datetime, timedelta

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.errors import SourceError
from syncd.model.entry import Moment, Reminder
from syncd.source.files import Part
from syncd.source.ical import split as split_room
from syncd.source.ical.calendar_reader import CalendarReader
from syncd.source.ical.feed_reader import FeedReader
from syncd.source.ical.ics import parse_ics
from syncd.source.ical.split import split
from syncd.source.ical.zone_definition import _late
from tests.source.calendars import FIXED, NIGHT, SUMMER, calendar, event, one, parse, timed


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


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("DTSTART:20261232T120000", "there is no day 2026-12-32; only the occurrence of 2026-12-02 09:00 is left out"),
        ("SUMMARY:no start", "there is no DTSTART; only the occurrence of 2026-12-02 09:00 is left out"),
        ("DTSTART:20261202T120000\nBEGIN:VALARM", "BEGIN:VALARM in it has no counterpart; only the occurrence of"),
        ("DTSTART;TZID=Moon/Base:20261202T120000", "'Moon/Base' is not known"),
        ("DTSTART:99991231T000000\nDTEND:99991231T010000", "the year 9999 is outside"),
    ],
)
def test_a_broken_override_costs_its_occurrence_and_nothing_else(broken: str, says: str) -> None:
    part = parse(
        calendar(
            event("DTSTART:20261201T090000", "RRULE:FREQ=DAILY"),
            event("RECURRENCE-ID:20261202T090000", broken),
            event("DTSTART:20261201T090000", uid="other"),
        )
    )
    assert [entry.uid for entry in part.entries] == ["u", "other"]
    (lost,) = part.entries[0].overrides
    assert (lost.at.wall, lost.details.status) == (datetime(2026, 12, 2, 9), "CANCELLED")
    assert [(problem.where, problem.key, problem.kind) for problem in part.problems] == [("t.ics:8", "u", "rejected")]
    assert says in part.problems[0].reason
    assert (part.rejected, part.incomplete) == (set(), "")


def test_an_override_that_names_no_occurrence_that_can_be_read_leaves_its_series_as_it_is() -> None:
    broken = event("RECURRENCE-ID:tomorrow", "DTSTART:20261202T120000")
    part = parse(calendar(event("DTSTART:20261201T090000", "RRULE:FREQ=DAILY"), broken))
    assert [(entry.uid, entry.overrides) for entry in part.entries] == [("u", ())]
    assert "which occurrence it changes is not known" in part.problems[0].reason


def test_a_series_that_cannot_be_read_is_rejected_with_its_overrides() -> None:
    override = event("RECURRENCE-ID:20261202T090000", "DTSTART:20261202T120000")
    part = parse(calendar(override, event("DTSTART:20261301T090000", "RRULE:FREQ=DAILY")))
    assert part.entries == []
    assert [(one.where, one.kind, one.key) for one in part.problems] == [
        ("t.ics:8", "rejected", "u"),
        ("t.ics:3", "warning", "u"),
    ]
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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1251"])
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


def test_calendars_with_the_same_zones_find_them_once_and_others_not() -> None:
    def read(*zones: str, known: FeedReader | None = None, floating: str = "Europe/Moscow") -> FeedReader:
        calendars = CalendarReader(known=known.calendars.zones if known else None)
        reader = FeedReader(known={}, calendars=calendars)
        for number, zone in enumerate(zones):
            content = calendar(event("DTSTART;TZID=Ours:20261201T090000"), zones=(zone,))
            parse_ics(f"{number}.ics", content, encoding="auto", zone=floating, year=2026, reader=reader)
        return reader

    summer = SUMMER.format("Ours")
    first = read(summer, summer, FIXED.format("Ours", "+0300", "+0300"))
    assert len(first.calendars.zones) == 2
    again = read(summer, known=first)
    assert set(again.calendars.zones.values()) < set(first.calendars.zones.values())
    elsewhere = read(summer, known=first, floating="Asia/Omsk")
    assert set(elsewhere.calendars.zones.values()).isdisjoint(first.calendars.zones.values())


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
        "FREQ=YEARLY;INTERVAL=1;BYDAY=2SU;BYMONTH=3",
        "FREQ=YEARLY;INTERVAL=2;BYDAY=-1SU;BYMONTH=3",
        "FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=31;COUNT=500",
        "FREQ=YEARLY;UNTIL=20240101T000000",
        "FREQ=YEARLY",
    ],
)
@pytest.mark.parametrize("start", [datetime(1601, 1, 1, 2), datetime(1970, 3, 29, 2), datetime(2026, 3, 29, 2)])
def test_a_zones_rule_that_is_read_from_a_later_start_has_the_same_days(rule: str, start: datetime) -> None:
    since = datetime(2022, 1, 1), datetime(2031, 1, 1)
    whole = rrulestr(rule, dtstart=start).between(*since)
    assert rrulestr(rule, dtstart=_late(start, rule, 2021)).between(*since) == whole
    assert _late(datetime(1601, 1, 1, 2), "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", 2021) == datetime(2021, 1, 1, 2)


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
             "RECURRENCE-ID:x", "DTSTART:20261202T090000", "DTSTART:99991231T235959", "SEQUENCE:2", "STATUS:CANCELLED",
             "DTSTART;TZID=x:20261201T090000", "BEGIN:STANDARD", "END:STANDARD", "TZOFFSETFROM:+0300",
             "TZOFFSETTO:+0200", "METHOD:REQUEST",
             "RRULE:FREQ=YEARLY;BYMONTH=2;BYDAY=53MO", "DTEND:20261202", "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE",
             ":", ";=:"]
        ),
        max_size=60,
    )
)  # fmt: skip
def test_any_order_of_lines_is_read_without_a_crash_and_every_start_is_accounted_for(lines: list[str]) -> None:
    part = parse("\n".join(["BEGIN:VCALENDAR", *lines]).encode())
    inside = "BEGIN:VEVENT" in lines
    assert inside or (not part.entries and not part.rejected)
    assert {entry.uid for entry in part.entries}.isdisjoint(part.rejected)


def test_tasks_and_notes_are_left_out_with_one_line() -> None:
    task, note = (f"BEGIN:{kind}\nUID:t\nSUMMARY:x\nEND:{kind}" for kind in ("VTODO", "VJOURNAL"))
    part = parse(calendar(task, event("DTSTART:20261201T090000"), task, note))
    assert len(part.entries) == 1
    assert [(one.kind, one.where, one.reason) for one in part.problems] == [
        ("warning", "t.ics", "2 tasks (VTODO) and 1 note (VJOURNAL) left out: only events are read")
    ]


@given(
    st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b" ", b"\t", b"a", b"\r\n ", b"\n\t"]), max_size=30),
    st.integers(1, 9),
)
def test_a_file_that_is_unfolded_in_slices_is_the_same_and_its_lines_keep_their_numbers(
    pieces: list[bytes], size: int
) -> None:
    content = b"".join(pieces)
    whole, (stream, lines) = split_room.unfold(content), split_room._unfold(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split_room, "_SLICE", size)
        assert b"".join(split_room._slices(content)) == content
        assert split_room.unfold(content) == whole
        again, sliced = split_room._unfold(content)
    assert (again, list(sliced._folds)) == (stream, list(lines._folds))
