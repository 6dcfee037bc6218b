"""When something is, in the portal's terms, and that asking again gives the same."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from syncd.errors import EntryError
from syncd.model.entry import AllDay, Timed
from syncd.portal.people.directory import Caller, Directory
from syncd.target.calendar.portal_event import times_of
from syncd.target.fields import Remembered


def timed(start: datetime, end: datetime, zone: str = "Europe/Berlin", end_zone: str = "") -> Timed:
    return Timed(start=start, end=end, zone=zone, end_zone=end_zone or zone)


def test_times_lose_their_seconds_and_old_names_of_zones() -> None:
    found = times_of(timed(datetime(2026, 7, 1, 9, 5, 59), datetime(2026, 7, 2, 10, 0, 1), "US/Eastern"))
    assert (found.start, found.end) == ("2026-07-01T09:05:00", "2026-07-02T10:00:00")
    assert (found.zone_from, found.zone_to, found.all_day) == ("America/New_York", "America/New_York", False)
    assert (found.first, found.last, found.starts_on, found.ends_on) == (
        date(2026, 7, 1), date(2026, 7, 2), "2026-07-01", "2026-07-02",
    )  # fmt: skip
    assert found.shown == "2026-07-01T09:05:00-04:00"


def test_the_last_whole_day_is_inclusive() -> None:
    found = times_of(AllDay(first=date(2026, 12, 31), end=date(2027, 1, 2)))
    assert (found.start, found.end, found.all_day, found.zone_from) == ("2026-12-31", "2027-01-01", True, "")
    assert (found.starts_on, found.ends_on, found.shown) == ("2026-12-31", "2027-01-01", "2026-12-31")


def test_both_readings_of_a_repeated_hour_are_said_alike_whichever_comes_first() -> None:
    first, second = (
        timed(datetime(2026, 10, 25, 2, minute, fold=1), datetime(2026, 10, 25, 2, minute, fold=0)) for minute in (1, 2)
    )
    assert times_of(first).shown == "2026-10-25T02:01:00+02:00"
    plain = timed(datetime(2026, 10, 25, 2, 2), datetime(2026, 10, 25, 2, 2))
    assert times_of(plain) == times_of(second)


def test_what_cannot_be_said_is_refused_every_time_it_is_asked_for() -> None:
    for _ in range(2):
        with pytest.raises(EntryError, match="the end is before the start"):
            times_of(timed(datetime(2026, 7, 1, 9), datetime(2026, 7, 1, 9), "America/New_York", "Europe/Berlin"))
        with pytest.raises(EntryError, match="no time zone like"):
            times_of(timed(datetime(2026, 7, 1, 9), datetime(2026, 7, 1, 9), "Factory"))


def test_a_name_is_searched_once_in_each_directory_also_when_it_is_nobodys() -> None:
    asked: list[str] = []

    def find(name: str, _directory: Directory) -> int:
        asked.append(name)
        if name == "nobody":
            raise EntryError("no such user", "see owners")
        return len(asked)

    remembered = Remembered(find)
    one, other = (
        Directory(read_at=at, caller=Caller(id=1, zone="", admin=True), server_offset_s=0, users=(), sections={})
        for at in (1.0, 1.0)
    )
    errors = []
    for _ in range(3):
        assert remembered.get("anna", one) == 1
        with pytest.raises(EntryError, match=r"no such user \(see owners\)") as caught:
            remembered.get("nobody", one)
        errors.append(caught.value)
    assert asked == ["anna", "nobody"]
    assert errors[0] is not errors[1], "an error that is raised again and again drags all its tracebacks along"
    assert remembered.get("anna", other) == 3
