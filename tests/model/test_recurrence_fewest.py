"""Series become few portal items: hardly more than the runs of equal gaps that their occurrences fall into."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

import pytest

from syncd.model.entry import Entry, Timed, Window
from syncd.model.recurrence import compile_entry, rfc
from syncd.model.recurrence.rrule import parse
from syncd.model.recurrence.singles import single_pieces
from syncd.model.recurrence.wall import as_datetime, seconds
from tests.model.referee import differences, series, timed

TODAY = date(2026, 2, 1)
WINDOW_FIRST, WINDOW_LAST = date(2026, 1, 1), date(2028, 12, 31)
WINDOW = Window(first=WINDOW_FIRST, last=WINDOW_LAST)
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
WORKDAYS = "MO,TU,WE,TH,FR"
ENDS = ("", ";COUNT=24", ";UNTIL=20271231T000000Z")
BOUND = 1.2

Make = Callable[[random.Random], str]
FAMILIES: dict[str, Make] = {
    "one weekday by its position": lambda rng: (
        f"FREQ=WEEKLY;BYDAY={','.join(rng.sample(DAYS, 3))};BYSETPOS={rng.choice([1, 2, 3, -1])}"
    ),
    "the 29th to 31st": lambda rng: f"FREQ=MONTHLY;BYMONTHDAY={rng.choice([29, 30, 31])}",
    "an ordinal": lambda rng: f"FREQ=MONTHLY;BYDAY={rng.randint(1, 4)}{rng.choice(DAYS)}",
    "two ordinals of a weekday": lambda rng: "FREQ=MONTHLY;BYDAY=1{0},3{0}".format(rng.choice(DAYS)),
    "two ordinals": lambda rng: (
        f"FREQ=MONTHLY;BYDAY={rng.randint(1, 4)}{rng.choice(DAYS)},{rng.randint(1, 4)}{rng.choice(DAYS)}"
    ),
    "a workday by its position": lambda rng: f"FREQ=MONTHLY;BYDAY={WORKDAYS};BYSETPOS={rng.choice([1, 2, -1])}",
    "a weekday from the end": lambda rng: f"FREQ=MONTHLY;BYDAY=-{rng.randint(1, 3)}{rng.choice(DAYS)}",
    "a day from the end": lambda rng: f"FREQ=MONTHLY;BYMONTHDAY=-{rng.randint(1, 4)}",
    "a day and a day from the end": lambda rng: f"FREQ=MONTHLY;BYMONTHDAY={rng.randint(1, 28)},-1",
    "a weekday of a month": lambda rng: (
        f"FREQ=YEARLY;BYMONTH={rng.randint(1, 12)};BYDAY={rng.choice([1, 2, -1])}{rng.choice(DAYS)}"
    ),
    "weekdays of a week": lambda rng: (
        f"FREQ=YEARLY;BYWEEKNO={rng.randint(1, 52)};BYDAY={','.join(rng.sample(DAYS, rng.choice([1, 2, 5])))}"
    ),
    "a day of the year": lambda rng: f"FREQ=YEARLY;BYYEARDAY={rng.randint(1, 365)}",
    "Friday the 13th": lambda rng: "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
    "every few days": lambda rng: f"FREQ=DAILY;INTERVAL={rng.randint(1, 9)}",
    "weekdays every few weeks": lambda rng: (
        f"FREQ=WEEKLY;INTERVAL={rng.randint(1, 4)};BYDAY={','.join(rng.sample(DAYS, rng.randint(1, 4)))}"
    ),
    "days of chosen months": lambda rng: (
        f"FREQ=DAILY;BYMONTH={','.join(map(str, sorted(rng.sample(range(1, 13), 3))))}"
    ),
}


def generated(family: str, number: int, rng: random.Random) -> list[Entry]:
    """Return `number` series of a family, begun in the first weeks of 2026 with what their rule gives first."""
    return [_begun(FAMILIES[family](rng) + rng.choice(ENDS), rng) for _ in range(number)]


def _begun(rule: str, rng: random.Random) -> Entry:
    start = datetime(2026, 1, 5, rng.randrange(8, 18)) + timedelta(weeks=rng.randrange(8))
    # The referee counts positions in the first week from DTSTART on, so that such a rule begins on a Monday.
    if "BYSETPOS" not in rule:
        start = as_datetime(next(iter(rfc.starts(parse(rule), seconds(start), seconds(start.replace(year=2032))))))
    return series(timed(start), rule)


def runs_of_equal_gaps(starts: Sequence[datetime]) -> int:
    """Return into how many runs of equal gaps the starts fall, each taken as long as it can be."""
    runs, begin = 0, 0
    while begin < len(starts):
        runs, end = runs + 1, begin + 2
        while end < len(starts) and starts[end] - starts[end - 1] == starts[begin + 1] - starts[begin]:
            end += 1
        begin = end
    return runs


def items_and_bound(entries: Sequence[Entry], portal_zone: str) -> tuple[int, int]:
    """Return how many portal items the series become, and how many runs of equal gaps there are."""
    items = bound = 0
    for entry in entries:
        pieces = compile_entry(entry, window=WINDOW, portal_zone=portal_zone, today=TODAY).pieces
        assert differences(entry, pieces, portal_zone, WINDOW_FIRST, WINDOW_LAST) == ""
        singles = single_pieces(entry, window=WINDOW, today=TODAY).pieces
        items += len(pieces)
        bound += runs_of_equal_gaps([one.span.start for one in singles if isinstance(one.span, Timed)])
    return items, bound


@pytest.mark.parametrize("portal_zone", ["Europe/Moscow", "Europe/Berlin"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_series_becomes_hardly_more_items_than_it_has_runs_of_equal_gaps(family: str, portal_zone: str) -> None:
    items, bound = items_and_bound(generated(family, 12, random.Random(11)), portal_zone)
    assert 0 < items <= BOUND * bound
