"""The native rules that might say a run of occurrences, the plainest first; proof.py decides which of them does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from syncd.model.recurrence.carriers import Carrier
from syncd.model.recurrence.wall import DAY, as_date
from syncd.model.rule import WEEKDAYS, NativeRule, Weekday

BEYOND_2038 = date(2099, 12, 31)
_MONTHS_PER_INTERVAL = 68
_MONTHS_LOST = 39
_MONTHS_PER_DAY = 3


def chunk_size(carrier: Carrier, further_days: int) -> int | None:
    """Return how many occurrences of a monthly series may go into one piece, None for all other progressions.

    `further_days` is the number of days an occurrence goes on after its first.

    The portal takes a month for 30 days when it skips ahead to a window, and misses the window's first occurrence once
    that error reaches INTERVAL - 1/2 months (PORTAL.md 4.7): with INTERVAL 1 in the 31st month at the earliest, with
    2 after eight years; earlier for a window that opens on a later day of an occurrence.
    """
    if carrier.freq != "MONTHLY":
        return None
    months = _MONTHS_PER_INTERVAL * carrier.interval - _MONTHS_LOST - _MONTHS_PER_DAY * further_days
    return max(1, months // carrier.interval + 1)


def native_rules(
    carrier: Carrier, starts: Sequence[int], last_end: int, *, day_shift: int, endless: bool
) -> Iterator[NativeRule]:
    """Yield the rules worth trying for occurrences at the wall clocks `starts`, the last one ending at `last_end`.

    `day_shift` is the number of days between the carrier's own days and those of `starts`.
    """
    for freq, interval, needs_byday in carrier.forms:
        byday = _byday(carrier, starts[0], day_shift) if needs_byday else ()
        if endless:
            yield NativeRule(freq=freq, interval=interval, byday=byday)
            yield NativeRule(freq=freq, interval=interval, byday=byday, until=BEYOND_2038)
            continue
        last = as_date(starts[-1])
        yield NativeRule(freq=freq, interval=interval, byday=byday, until=last)
        for later in (as_date(last_end), as_date(last_end) - timedelta(days=1)):
            if later > last:  # keeps the last days of a long last occurrence in view
                yield NativeRule(freq=freq, interval=interval, byday=byday, until=later)
        if len(byday) < 2:
            yield NativeRule(freq=freq, interval=interval, byday=byday, count=len(starts))
        yield NativeRule(freq=freq, interval=interval, byday=byday, until=last - timedelta(days=1))


def _byday(carrier: Carrier, first: int, day_shift: int) -> tuple[Weekday, ...]:
    if carrier.freq == "DAILY" and carrier.interval == 1:
        return WEEKDAYS
    if len(carrier.weekdays) < 2:
        return (WEEKDAYS[(first // DAY + 3) % 7],)
    return tuple(WEEKDAYS[number] for number in sorted((day + day_shift) % 7 for day in carrier.weekdays))
