"""Events of one UID beside a series of it, without RECURRENCE-ID: occurrences, or events of their own."""

from __future__ import annotations

import pytest

from syncd.source.files import Part
from tests.source.calendars import calendar, event, parse, timed

SERIES = event(
    "SUMMARY:lesson", "DTSTART;TZID=Europe/Moscow:20261201T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=4"
)


def at(start: str, *lines: str, title: str = "lesson") -> str:
    return event(f"SUMMARY:{title}", f"DTSTART;TZID=Europe/Moscow:202612{start}", "DURATION:PT1H", *lines)


def changes(part: Part) -> list[tuple[int, str, str]]:
    """The day of each changed occurrence, its title and its place."""
    (entry,) = part.entries
    return [(one.at.wall.day, one.details.title, one.details.location) for one in entry.overrides]


@pytest.mark.parametrize("series_first", [True, False])
def test_events_that_only_repeat_occurrences_change_nothing_and_are_told(series_first: bool) -> None:
    parts = [SERIES, at("01T090000"), at("08T090000"), at("15T090000")]
    part = parse(calendar(*(parts if series_first else reversed(parts))))
    assert changes(part) == []
    assert [one.kind for one in part.problems] == ["warning"]
    assert part.problems[0].reason.startswith("3 events without RECURRENCE-ID have the UID of the series at t.ics:")


def test_an_event_at_the_start_of_an_occurrence_is_that_occurrence_changed() -> None:
    assert changes(parse(calendar(SERIES, at("08T090000", "LOCATION:room 2")))) == [(8, "lesson", "room 2")]
    in_utc = event("SUMMARY:lesson", "DTSTART:20261208T060000Z", "DURATION:PT2H")
    (entry,) = parse(calendar(SERIES, in_utc)).entries
    assert [one.span for one in entry.overrides] == [timed("2026-12-08 06:00", "2026-12-08 08:00", "UTC")]
    cancelled = parse(calendar(SERIES, at("08T090000", "STATUS:CANCELLED"))).entries[0].overrides
    assert [one.details.status for one in cancelled] == ["CANCELLED"]


def test_several_events_that_all_begin_with_occurrences_are_these_whatever_their_titles() -> None:
    part = parse(calendar(SERIES, at("08T090000", title="exam"), at("15T090000", title="party")))
    assert changes(part) == [(8, "exam", ""), (15, "party", "")]


def test_in_a_series_that_is_expanded_an_event_at_another_time_replaces_the_occurrence_of_its_day() -> None:
    part = parse(calendar(SERIES, at("01T090000"), at("08T140000"), at("15T090000"), at("22T090000")))
    assert changes(part) == [(8, "lesson", "")]
    assert part.entries[0].overrides[0].span == timed("2026-12-08 14:00", "2026-12-08 15:00")


@pytest.mark.parametrize(
    "others",
    [
        (at("08T140000"),),  # a further lesson of that day, or the lesson moved
        (at("08T090000", title="exam"),),
        (at("08T090000", title="exam"), at("10T090000", title="dentist")),
    ],
)
def test_what_may_be_an_event_of_its_own_is_shown_and_told(others: tuple[str, ...]) -> None:
    part = parse(calendar(SERIES, *others))
    assert len(part.entries) == 1 + len(others)
    assert "give it a RECURRENCE-ID if it replaces that one" in part.problems[0].reason
    assert "each is an entry of its own" in part.problems[1].reason


def test_a_change_with_a_recurrence_id_counts_more_than_one_without() -> None:
    named = at("08T150000", "LOCATION:named", "RECURRENCE-ID;TZID=Europe/Moscow:20261208T090000")
    assert changes(parse(calendar(SERIES, at("08T090000", "LOCATION:plain"), named))) == [(8, "lesson", "named")]


def test_a_later_version_of_the_series_without_a_rule_is_one_event() -> None:
    part = parse(calendar(SERIES, at("01T090000", "SEQUENCE:1")))
    assert [entry.recurrence for entry in part.entries] == [None]


def test_whole_days_that_repeat_occurrences_are_these() -> None:
    series = event("SUMMARY:duty", "DTSTART;VALUE=DATE:20261201", "RRULE:FREQ=DAILY;COUNT=5")
    repeated = event("SUMMARY:duty", "DTSTART;VALUE=DATE:20261203", "LOCATION:door")
    assert changes(parse(calendar(series, repeated))) == [(3, "duty", "door")]
