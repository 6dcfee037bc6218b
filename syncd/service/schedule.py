"""When the next pass of a sync is due, and when it has gone without success for too long: arithmetic on unix times.

Passes that were missed while the machine slept, or the daemon was away, run once. Random numbers are arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from syncd.config import SyncConfig
from syncd.state.ledger import Ledger

SHORTEST_BACKOFF_S = 60.0
LONGEST_BACKOFF_S = 3600.0
_STALE_INTERVALS = 4
_SHORTEST_STALE_S = 3600.0
_NEVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """A pass every `seconds`, each up to `jitter_s` later so that many syncs do not start at once."""

    seconds: float
    jitter_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A pass at the times that the five fields of `expression` name in the IANA zone `zone`.

    As in Debian's cron: a fixed time that a change of the clock leaps over runs right after it, one that comes twice
    runs once; "*" and steps of hours or minutes go by real time.
    """

    expression: str
    zone: str = "UTC"
    jitter_s: float = 0.0


Schedule = Every | Cron


def following(schedule: Schedule, moment: float) -> float:
    """Return the first time of `schedule` after `moment`, without jitter; infinity when a cron has none left."""
    match schedule:
        case Every(seconds=seconds):
            return moment + seconds
        case Cron(expression=expression, zone=zone):
            from cronsim import CronSim  # noqa: PLC0415 - most configs name no cron

            found = next(CronSim(expression, datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(zone))), None)
            return _NEVER if found is None else found.timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """When a sync's last pass began, and whether it came to its end: it did not when it failed, was stopped or died."""

    started: float
    came_to_its_end: bool = True


def first_due(schedule: Schedule, last: LastRun | None, now: float) -> float:
    """Return when the first pass after a start is due: as if the daemon had never been away, but never in the past.

    One that did not come to its end is tried again after a minute. A clock that was set back does not postpone it
    beyond one interval. A cron that never ran waits for its time.
    """
    if last is None or last.started > now:
        return now if isinstance(schedule, Every) else following(schedule, now)
    ordinary = max(now, following(schedule, last.started))
    return ordinary if last.came_to_its_end else min(ordinary, now + SHORTEST_BACKOFF_S)


def next_due(schedule: Schedule, *, started: float, failures: int, now: float, random: float) -> float:
    """Return when the pass after one that began at `started` is due; `random` in [0, 1) sets the jitter.

    After `failures` failed passes in a row it is tried again: after a minute, then twice as long each time, up to an
    hour, with no more jitter than the pause is long. A schedule of shorter intervals than an hour passes its times
    over meanwhile; one of longer keeps them, too.
    """
    started = min(started, now)  # the clock was set back meanwhile
    ordinary = following(schedule, started)
    if not failures:
        return max(now, ordinary + random * schedule.jitter_s)
    pause_s = min(SHORTEST_BACKOFF_S * (1 << min(failures - 1, 16)), LONGEST_BACKOFF_S)
    again = now + pause_s + random * min(schedule.jitter_s, pause_s)
    if ordinary == _NEVER or following(schedule, ordinary) - ordinary < LONGEST_BACKOFF_S:
        return again
    return min(again, max(now, ordinary + random * schedule.jitter_s))


def stale_at(schedule: Schedule, stale_after_s: float | None, last_success: float) -> float:
    """Return from when on a sync whose last success was at `last_success` counts as stale.

    `stale_after_s` later, when the config says so; else after four intervals (an hour at least), or an hour after a
    cron's next time was missed.
    """
    if stale_after_s is not None:
        return last_success + stale_after_s
    match schedule:
        case Every(seconds=seconds, jitter_s=jitter_s):
            return last_success + max(_STALE_INTERVALS * (seconds + jitter_s), _SHORTEST_STALE_S)
        case Cron():
            return following(schedule, last_success) + schedule.jitter_s + _SHORTEST_STALE_S


DUE_NOTE = "due"
"""The ledger's note of when the next pass of a sync is due, written by the daemon for who cannot ask it."""

_JITTER_SHARE = 0.1
_LONGEST_JITTER_S = 30.0


def schedule_of(sync: SyncConfig) -> Schedule:
    """Return when the passes of `sync` are due; without a timezone a cron goes by UTC."""
    when = sync.when
    if when.cron is not None:
        jitter_s = when.jitter.total_seconds() if when.jitter is not None else 0.0
        return Cron(expression=when.cron, zone=sync.timezone or "UTC", jitter_s=jitter_s)
    seconds = when.every.total_seconds()
    usual_s = min(seconds * _JITTER_SHARE, _LONGEST_JITTER_S)
    return Every(seconds=seconds, jitter_s=usual_s if when.jitter is None else when.jitter.total_seconds())


def stale_after_s(sync: SyncConfig) -> float | None:
    """Return after how many seconds without success the sync is stale, None where its schedule tells."""
    return None if sync.when.stale_after is None else sync.when.stale_after.total_seconds()


def schedule_shown(sync: SyncConfig) -> float | str:
    """Return the interval in seconds, or the cron with its zone in words."""
    if sync.when.cron is not None:
        return f"cron {sync.when.cron} ({sync.timezone or 'UTC'})"
    return sync.when.every.total_seconds()


async def next_due_of(sync: SyncConfig, ledger: Ledger, now: float) -> float:
    """Return when the next pass of `sync` is due: as the daemon noted it, else as its schedule says.

    Infinity for a cron that never comes again.
    """
    last = await last_run_of(sync.name, ledger)
    note = await ledger.read_note(f"sync/{sync.name}", DUE_NOTE)
    if note is not None and (last is None or note[1] >= last.started) and isinstance(note[0], int | float):
        return max(now, note[0])
    return first_due(schedule_of(sync), last, now)


async def last_run_of(name: str, ledger: Ledger) -> LastRun | None:
    """Return when the last pass of a sync began and whether it came to its end, None when there was none."""
    last = await ledger.last_run(name)
    if last is None:
        return None
    return LastRun(started=last.started, came_to_its_end=last.state in ("done", "partial"))
