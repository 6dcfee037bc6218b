"""Measures series: what compiling costs, and what they become; `python -m tests.bench.bench_recurrence`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta

from syncd.model.entry import Entry, Moment, Window
from syncd.model.recurrence import CompilerMemory, compile_entry
from tests.model.referee import days, override, series, timed
from tests.model.test_recurrence_fewest import FAMILIES, generated, items_and_bound

WINDOW_FIRST, WINDOW_LAST = date(2026, 1, 1), date(2027, 12, 31)
WINDOW = Window(first=WINDOW_FIRST, last=WINDOW_LAST)
TODAY = date(2026, 2, 1)
NUMBER = 1000
FEW = 20


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


def shift(rng: random.Random) -> Entry:
    """Return what most rows are: something that happens once."""
    start = datetime(2026, 2, 1, rng.randrange(24)) + timedelta(days=rng.randrange(300))
    return replace(series(timed(start, minutes=480)), recurrence=None)


def again() -> None:
    """Print what it costs to ask for the same weekly series in the next pass, and on the next day."""
    rng = random.Random(7)
    entries = [replace(weekly(rng), uid=f"lesson-{number}") for number in range(NUMBER)]
    memory = CompilerMemory()
    print(f"\n{f'{NUMBER} weekly series, Moscow':<34}{'s':>9}{'compiled':>11}")
    for name, days_later in (("first pass", 0), ("next pass", 0), ("next day", 1), ("a week later", 8)):
        window = Window(
            first=WINDOW_FIRST + timedelta(days=days_later), last=WINDOW_LAST - timedelta(days=20 - days_later)
        )
        turn, before, began = object(), memory.compiled, time.process_time()
        for entry in entries:
            memory.compile(entry, window=window, portal_zone="Europe/Moscow", today=TODAY, turn=turn)
        print(f"{name:<34}{time.process_time() - began:>9.3f}{memory.compiled - before:>11}")


def fewest() -> None:
    """Print the items that series become beside the runs of equal gaps that their occurrences fall into."""
    print(f"\n{f'{FEW} series each, Moscow':<34}{'items':>9}{'runs':>11}{'ratio':>9}")
    for family in FAMILIES:
        items, bound = items_and_bound(generated(family, FEW, random.Random(7)), "Europe/Moscow")
        print(f"{family:<34}{items:>9}{bound:>11}{items / bound:>9.2f}")


def main() -> None:
    """Print a table: kind of series, portal zone, milliseconds for each, and pieces for each."""
    kinds: tuple[Callable[[random.Random], Entry], ...] = (
        weekly,
        endless_workdays,
        monthly,
        last_friday,
        birthday,
        shift,
    )
    print(f"{'series':<18}{'portal zone':<16}{'ms each':>9}{'pieces each':>13}{f'{NUMBER} in s':>12}")
    for zone in ("Europe/Moscow", "Europe/Berlin"):
        for kind in kinds:
            rng = random.Random(7)
            number = {"weekly": NUMBER, "shift": 10 * NUMBER}.get(kind.__name__, NUMBER // 10)
            entries = [kind(rng) for _ in range(number)]
            began = time.process_time()
            pieces = sum(
                len(compile_entry(entry, window=WINDOW, portal_zone=zone, today=TODAY).pieces) for entry in entries
            )
            each = (time.process_time() - began) / len(entries)
            numbers = f"{each * 1000:>9.3f}{pieces / len(entries):>13.1f}{each * NUMBER:>12.1f}"
            print(f"{kind.__name__:<18}{zone:<16}{numbers}")
    again()
    fewest()


if __name__ == "__main__":
    main()
