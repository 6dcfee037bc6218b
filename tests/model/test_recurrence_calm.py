"""Days on which a clock is not set: what happens then needs no second look, and nearly all days are such."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from syncd.model.entry import Timed
from syncd.model.recurrence.compile import in_safe_zones
from syncd.model.recurrence.wall import clock_of, seconds
from tests.model.generated import SERVERS, ZONES

EXTREME = ("Pacific/Apia", "Pacific/Kwajalein", "Australia/Lord_Howe", "Africa/Casablanca", "America/Scoresbysund")
NAMES = st.sampled_from(sorted({*ZONES, *SERVERS, *EXTREME}))
WALLS = st.datetimes(datetime(1965, 1, 1), datetime(2037, 12, 31))


@st.composite
def near_a_switch(draw: st.DrawFn) -> tuple[str, datetime]:
    """Return a zone, and a time within four days of a moment at which its clock is set, where there is one."""
    name = draw(NAMES)
    switches = clock_of(name).switches(0, seconds(datetime(2037, 1, 1)))
    at = draw(st.sampled_from(switches)) if switches else seconds(draw(WALLS))
    return name, datetime(1970, 1, 1) + timedelta(seconds=at + draw(st.integers(-345_600, 345_600)))


@given(near_a_switch())
def test_on_a_calm_day_a_clock_shows_every_time_once(found: tuple[str, datetime]) -> None:
    name, wall = found
    clock = clock_of(name)
    if clock.is_calm(wall.toordinal()):
        assert clock.is_plain(seconds(wall))
        assert clock.wall(clock.unix(seconds(wall))) == seconds(wall)


@given(near_a_switch(), NAMES, st.integers(0, 100_000))
def test_what_stands_on_calm_days_is_settled_as_it_is_whatever_the_server(
    found: tuple[str, datetime], server: str, minutes: int
) -> None:
    name, wall = found
    end = wall + timedelta(minutes=minutes)
    span = Timed(start=wall, end=end, zone=name, end_zone=name)
    clocks = (clock_of(name), clock_of(server))
    if all(clock.is_calm(day) for clock in clocks for day in (wall.toordinal(), end.toordinal())):
        assert all(clock_of(server).is_plain(seconds(one)) for one in (wall, end))
        assert in_safe_zones(span, clock_of(server)) is span


def test_the_first_hours_of_the_switch_are_never_calm_and_most_of_the_year_is() -> None:
    berlin = clock_of("Europe/Berlin")
    assert not berlin.is_calm(date(2026, 3, 29).toordinal())
    assert not berlin.is_calm(date(2026, 10, 25).toordinal())
    year = range(date(2026, 1, 1).toordinal(), date(2027, 1, 1).toordinal())
    assert sum(not berlin.is_calm(day) for day in year) == 10
