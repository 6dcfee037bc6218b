"""When the next pass of a sync is due: pure arithmetic on unix times."""

from __future__ import annotations

SHORTEST_BACKOFF_S = 60.0
LONGEST_BACKOFF_S = 3600.0


def first_due(last_started: float | None, every_s: float, now: float) -> float:
    """Return when the first pass after a start is due: as if the daemon had never been away, but never in the past.

    A clock that was set back does not postpone it beyond one interval.
    """
    if last_started is None or last_started > now:
        return now
    return max(now, last_started + every_s)


def next_due(started: float, every_s: float, failures: int, now: float) -> float:
    """Return when the pass after one that began at `started` is due.

    After `failures` failed passes in a row the interval doubles with each, up to an hour (or to `every_s`, if that is
    longer). Passes missed meanwhile run once.
    """
    if not failures:
        return max(now, started + every_s)
    base = max(every_s, SHORTEST_BACKOFF_S)
    return now + min(base * float(1 << min(failures - 1, 16)), max(every_s, LONGEST_BACKOFF_S))
