"""Events of one UID in several files: versions, changes apart from their series, and events of their own."""

from __future__ import annotations

import pytest

from syncd.model.entry import Snapshot
from syncd.source.files import join
from syncd.source.ical.feed_reader import FeedReader
from syncd.source.ical.ics import parse_ics
from tests.source.calendars import calendar, event, parse

DAILY = event("DTSTART:20261201T090000", "RRULE:FREQ=DAILY;COUNT=5", "SUMMARY:daily")


def read(*contents: bytes) -> Snapshot:
    reader = FeedReader(known={})
    parts = [
        parse_ics(f"{name}.ics", content, encoding="auto", zone="Europe/Moscow", year=2026, reader=reader)
        for name, content in zip("abc", contents, strict=False)
    ]
    return join(parts, {}, "")


def old(*lines: str) -> bytes:
    return calendar(event("DTSTART:20261201T090000", "SUMMARY:old", *lines))


def new(*lines: str) -> bytes:
    return calendar(event("DTSTART:20261201T120000", "SUMMARY:new", *lines))


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_highest_sequence_counts_whichever_file_has_it(newest_first: bool) -> None:
    files = [old("SEQUENCE:0"), new("SEQUENCE:2"), old("SEQUENCE:1")]
    snapshot = read(*(reversed(files) if newest_first else files))
    assert [(entry.uid, entry.details.title) for entry in snapshot.entries] == [("u", "new")]
    assert snapshot.problems == ()


def test_a_cancellation_in_another_file_cancels() -> None:
    cancel = calendar(event("DTSTART:20261201T090000", "SEQUENCE:1"), head="METHOD:CANCEL")
    assert [entry.details.status for entry in read(old("SEQUENCE:0"), cancel).entries] == ["CANCELLED"]


@pytest.mark.parametrize("sequence", ["", "SEQUENCE:1"])
@pytest.mark.parametrize("start", ["", "DTSTART:20261201T090000", "DTSTART:20261201T120000"])
@pytest.mark.parametrize("first", ["cancellation", "event"])
def test_a_cancellation_takes_away_what_has_no_higher_sequence_with_a_line(
    first: str, start: str, sequence: str
) -> None:
    cancel = calendar(event(*filter(None, (start, sequence))), head="METHOD:CANCEL")
    files = (cancel, old(), cancel)[first == "event" :][:2]
    snapshot = read(*files)
    assert [(entry.uid, entry.details.status) for entry in snapshot.entries] == [("u", "CANCELLED")]
    where = ["a.ics:3", "b.ics:3"]
    told = f"it cancels «old» at {where[files[1] is not cancel]}, which is taken off the calendar"
    assert [(one.kind, one.where, one.reason) for one in snapshot.problems] == [
        ("warning", where[files[0] is not cancel], told)
    ]
    glued = parse(b"".join(files))
    assert [(entry.uid, entry.details.status) for entry in glued.entries] == [("u", "CANCELLED")]
    assert "it cancels «old»" in glued.problems[0].reason


@pytest.mark.parametrize("newest_first", [False, True])
def test_an_event_with_a_higher_sequence_than_its_cancellation_stays(newest_first: bool) -> None:
    files = [calendar(event(), head="METHOD:CANCEL"), old("SEQUENCE:1")]
    snapshot = read(*(reversed(files) if newest_first else files))
    assert [(entry.uid, entry.details.status) for entry in snapshot.entries] == [("u", "")]
    assert snapshot.problems == ()
    assert [entry.details.status for entry in parse(b"".join(files)).entries] == [""]


def test_a_cancelled_event_without_a_start_cancels_without_a_method_too() -> None:
    snapshot = read(old(), calendar(event("STATUS:CANCELLED")))
    assert [(entry.uid, entry.details.status) for entry in snapshot.entries] == [("u", "CANCELLED")]
    assert [one.kind for one in snapshot.problems] == ["warning"]


@pytest.mark.parametrize("method", ["REPLY", "COUNTER", "DECLINECOUNTER", "REFRESH", "reply"])
def test_answers_to_invitations_are_no_schedule_and_told(method: str) -> None:
    answer = calendar(event("DTSTART:20261201T150000", "SUMMARY:answer", "SEQUENCE:5"), head=f"METHOD:{method}")
    snapshot = read(old(), answer)
    assert [entry.details.title for entry in snapshot.entries] == ["old"]
    assert [(one.kind, one.where) for one in snapshot.problems] == [("warning", "b.ics")]
    assert "is an answer to an invitation and no schedule: 1 event in it is not used" in snapshot.problems[0].reason
    assert snapshot.complete


def test_events_of_one_sequence_and_different_starts_are_events_of_their_own_and_told() -> None:
    snapshot = read(old(), new())
    assert [(entry.uid, entry.details.title) for entry in snapshot.entries] == [
        ("u", "old"),
        ("u#20261201T120000", "new"),
    ]
    assert [(one.kind, one.where) for one in snapshot.problems] == [("warning", "b.ics:3")]


def test_events_of_one_sequence_and_start_contradict_each_other() -> None:
    snapshot = read(old("SEQUENCE:1"), calendar(event("DTSTART:20261201T090000", "SUMMARY:other", "SEQUENCE:1")))
    assert [entry.details.title for entry in snapshot.entries] == ["old"]
    assert [(one.kind, one.where) for one in snapshot.problems] == [("rejected", "b.ics:3")]


@pytest.mark.parametrize("series_first", [False, True])
def test_a_changed_occurrence_in_another_file_goes_into_its_series(series_first: bool) -> None:
    change = event("RECURRENCE-ID:20261202T090000", "DTSTART:20261202T150000", "SEQUENCE:3")
    files = [calendar(DAILY), calendar(change)]
    snapshot = read(*(files if series_first else reversed(files)))
    (entry,) = snapshot.entries
    assert entry.recurrence is not None
    assert [(one.at.wall.day, one.details.title) for one in entry.overrides] == [(2, "daily")]
    assert snapshot.problems == ()


def test_of_two_changes_of_one_occurrence_the_newer_file_counts() -> None:
    here = event("RECURRENCE-ID:20261202T090000", "DTSTART:20261202T110000", "SUMMARY:here")
    there = event("RECURRENCE-ID:20261202T090000", "DTSTART:20261202T150000", "SUMMARY:there", "SEQUENCE:1")
    assert [one.details.title for one in read(calendar(DAILY, here), calendar(there)).entries[0].overrides] == ["there"]
    early = DAILY.replace("UID:u", "UID:u\nSEQUENCE:2")
    assert [one.details.title for one in read(calendar(early, here), calendar(there)).entries[0].overrides] == ["here"]


def test_changed_occurrences_in_files_of_their_own_are_all_shown() -> None:
    files = [
        calendar(event(f"RECURRENCE-ID:202612{day}T090000", f"DTSTART:202612{day}T150000", f"SUMMARY:on {day}"))
        for day in ("02", "03")
    ]
    snapshot = read(*files)
    assert [(entry.uid, entry.details.title) for entry in snapshot.entries] == [
        ("u", "on 02"),
        ("u#20261203T090000", "on 03"),
    ]


@pytest.mark.parametrize("order", ["abc", "acb", "bac", "bca", "cab", "cba"])
def test_in_whatever_order_the_files_come_every_change_goes_into_its_series(order: str) -> None:
    files = {
        "a": calendar(event("RECURRENCE-ID:20261202T090000", "DTSTART:20261202T110000", "SUMMARY:first")),
        "b": calendar(event("RECURRENCE-ID:20261203T090000", "DTSTART:20261204T090000", "SUMMARY:second")),
        "c": calendar(event("DTSTART:20261201T090000", "RRULE:FREQ=DAILY;COUNT=3", "SUMMARY:series")),
    }
    snapshot = read(*(files[one] for one in order))
    (series,) = snapshot.entries
    assert (series.uid, series.details.title) == ("u", "series")
    assert sorted(one.details.title for one in series.overrides) == ["first", "second"]
    assert snapshot.problems == ()


def moved(start: str, *lines: str) -> str:
    return event(f"DTSTART:{start}", f"SUMMARY:{start[6:8]}", *lines)


@pytest.mark.parametrize("newest_first", [False, True])
def test_of_versions_in_one_file_that_begin_at_other_times_the_highest_sequence_counts_with_a_line(
    newest_first: bool,
) -> None:
    versions = [
        moved("20261201T090000"),
        moved("20261202T090000", "SEQUENCE:1"),
        moved("20261203T120000", "SEQUENCE:4"),
    ]
    part = parse(calendar(*(reversed(versions) if newest_first else versions)))
    assert [(entry.uid, entry.details.title) for entry in part.entries] == [("u", "03")]
    (told,) = part.problems
    assert (told.kind, told.where) == ("warning", "t.ics:3" if newest_first else f"t.ics:{part.entries[0].where[6:]}")
    assert "2 earlier versions of it, with a lower SEQUENCE, stand at t.ics:" in told.reason


def test_the_newest_of_two_series_counts_and_changed_occurrences_belong_to_it() -> None:
    later = event("DTSTART:20261201T150000", "RRULE:FREQ=DAILY;COUNT=5", "SUMMARY:later", "SEQUENCE:1")
    change = event("RECURRENCE-ID:20261202T150000", "DTSTART:20261202T170000", "SEQUENCE:1")
    part = parse(calendar(DAILY, change, later))
    (entry,) = part.entries
    assert (entry.details.title, [one.at.wall.hour for one in entry.overrides]) == ("later", [15])
    assert ["an earlier version of it" in one.reason for one in part.problems] == [True]


@pytest.mark.parametrize(
    "events",
    [
        (moved("20261201T090000"), moved("20261202T090000"), moved("20261203T090000", "SEQUENCE:1")),
        (DAILY, moved("20261210T090000", "SEQUENCE:1")),
        (moved("20261201T090000", "DTSTAMP:20261101T000001Z"), moved("20261202T090000", "DTSTAMP:20261101T000002Z")),
    ],
    ids=["one SEQUENCE twice", "a series and a single event", "none but DTSTAMP"],
)
def test_where_a_uid_does_not_name_one_event_nothing_is_taken_for_an_earlier_version(events: tuple[str, ...]) -> None:
    part = parse(calendar(*events))
    assert len(part.entries) == len(events)
    assert all("different starts share the UID" in one.reason for one in part.problems)
