"""The native rules that might say a run of occurrences, the plainest first; proof.py decides which of them does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from syncd.model.recurrence.carriers import Carrier
from syncd.model.recurrence.wall import DAY, as_date
from syncd.model.rule import WEEKDAYS, NativeRule, Weekday

BEYOND_2038 = date(2099, 12, 31)
_MONTHS_PER_INTERVAL = 68
_MONTHS_LOST = 36


def chunk_size(carrier: Carrier) -> int | None:
    """Return after how many steps a monthly series has to be begun anew, None for all others.

    The portal takes a month for 30 days when it skips ahead to a window, and loses the window's first occurrence when
    that error exceeds INTERVAL - 1/2 months (PORTAL.md 4.7): from the 35th month on with INTERVAL 1, the 103rd with 2.
    """
    if carrier.freq != "MONTHLY":
        return None
    return (_MONTHS_PER_INTERVAL * carrier.interval - _MONTHS_LOST) // carrier.interval


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
        if as_date(last_end) > last:
            yield NativeRule(freq=freq, interval=interval, byday=byday, until=as_date(last_end))
        if len(byday) < 2:
            yield NativeRule(freq=freq, interval=interval, byday=byday, count=len(starts))
        yield NativeRule(freq=freq, interval=interval, byday=byday, until=last - timedelta(days=1))


def _byday(carrier: Carrier, first: int, day_shift: int) -> tuple[Weekday, ...]:
    if carrier.freq == "DAILY" and carrier.interval == 1:
        return WEEKDAYS
    if len(carrier.weekdays) < 2:
        return (WEEKDAYS[(first // DAY + 3) % 7],)
    return tuple(WEEKDAYS[number] for number in sorted((day + day_shift) % 7 for day in carrier.weekdays))
