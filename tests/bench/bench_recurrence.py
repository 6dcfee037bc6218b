"""Measures how long it takes to compile and prove series; run with `python -m tests.bench.bench_recurrence`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta

from syncd.model.entry import Entry, Moment
from syncd.model.recurrence import compile_entry
from syncd.model.window import Window
from tests.model.referee import days, override, series, timed

WINDOW = Window(first=date(2026, 1, 1), last=date(2027, 12, 31))
TODAY = date(2026, 2, 1)
NUMBER = 1000


def weekly(rng: random.Random) -> Entry:
    """Return a lesson every week for two years with three cancelled and two moved dates."""
    start = datetime(2026, 1, 5, rng.randrange(8, 18)) + timedelta(days=rng.randrange(7))
    weeks = rng.sample(range(104), 5)
    moments = [Moment(wall=start + timedelta(weeks=week), zone="Europe/Berlin") for week in weeks]
    moved = [override(moment, timed(moment.wall + timedelta(days=1))) for moment in moments[3:]]
    return series(timed(start), "FREQ=WEEKLY;COUNT=104", exdates=moments[:3], overrides=moved)


def endless_workdays(rng: random.Random) -> Entry:
    """Return a stand-up on workdays without end."""
    return series(timed(datetime(2025, 1, 6, rng.randrange(8, 18))), "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR")


def monthly(rng: random.Random) -> Entry:
    """Return an appointment on the same day of each month without end."""
    return series(timed(datetime(2025, 1, rng.randrange(1, 29), 10)), "FREQ=MONTHLY")


def last_friday(_: random.Random) -> Entry:
    """Return what the portal cannot repeat."""
    return series(timed(datetime(2025, 1, 31, 15)), "FREQ=MONTHLY;BYDAY=-1FR")


def birthday(rng: random.Random) -> Entry:
    """Return an all-day yearly event begun decades ago."""
    return series(days(date(1980, 1, 1) + timedelta(days=rng.randrange(3650))), "FREQ=YEARLY")


def main() -> None:
    """Print a table: kind of series, portal zone, milliseconds for each, and pieces for each."""
    kinds: tuple[Callable[[random.Random], Entry], ...] = (weekly, endless_workdays, monthly, last_friday, birthday)
    print(f"{'series':<18}{'portal zone':<16}{'ms each':>9}{'pieces each':>13}{f'{NUMBER} in s':>12}")
    for zone in ("Europe/Moscow", "Europe/Berlin"):
        for kind in kinds:
            rng = random.Random(7)
            entries = [kind(rng) for _ in range(NUMBER if kind is weekly else NUMBER // 10)]
            began = time.perf_counter()
            pieces = sum(
                len(compile_entry(entry, window=WINDOW, portal_zone=zone, today=TODAY).pieces) for entry in entries
            )
            each = (time.perf_counter() - began) / len(entries)
            numbers = f"{each * 1000:>9.2f}{pieces / len(entries):>13.1f}{each * NUMBER:>12.1f}"
            print(f"{kind.__name__:<18}{zone:<16}{numbers}")


if __name__ == "__main__":
    main()
