"""When the next pass of a sync is due, and when it has gone without a success for too long.

Arithmetic on unix times; random numbers are arguments. Passes that were missed while the machine slept, or while the
daemon was not running, run once. Only `read_last_run` reads the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from syncd.config import SyncConfig
from syncd.model.record import RunRecord
from syncd.state.ledger import Ledger
from syncd.state.notes import Due

SHORTEST_BACKOFF_S = 60.0
LONGEST_BACKOFF_S = 3600.0
_MOST_DOUBLINGS = 16
_STALE_INTERVALS = 4
_SHORTEST_STALE_S = 3600.0
_JITTER_SHARE = 0.1
_LONGEST_JITTER_S = 30.0
_NEVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """A pass every `seconds`, each up to `jitter_s` later, so that many syncs do not start at once."""

    seconds: float
    jitter_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A pass at the times that the five fields of `expression` name in the IANA zone `zone`.

    Changes of the clock count as in Debian's cron: a fixed time that is skipped runs right after the change, one that
    occurs twice runs once; "*" and steps of hours or minutes follow elapsed time.
    """

    expression: str
    zone: str = "UTC"
    jitter_s: float = 0.0


Schedule = Every | Cron


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """When a sync's last pass started, and whether it ended: it did not if it failed, was stopped or was killed."""

    started: float
    ended: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncState:
    """How one sync stands: when its next pass is due, since when one runs, and how many failed in a row.

    Times are unix seconds. `refused` is why its portal refuses syncd, empty when it does not. `paused` is since when
    somebody wants it left alone, None if nobody does; it is never due then.
    """

    due: float
    running_since: float | None
    failures: int
    refused: str
    paused: float | None = None


def schedule_of(sync: SyncConfig) -> Schedule:
    """Return when the passes of `sync` are due. A cron without a timezone follows UTC."""
    when = sync.when
    if when.cron is not None:
        # The times of a cron are chosen by a person, so they move only if the config says so.
        jitter_s = when.jitter.total_seconds() if when.jitter is not None else 0.0
        return Cron(expression=when.cron, zone=sync.timezone or "UTC", jitter_s=jitter_s)
    seconds = when.every.total_seconds()
    usual_s = min(seconds * _JITTER_SHARE, _LONGEST_JITTER_S)
    return Every(seconds=seconds, jitter_s=usual_s if when.jitter is None else when.jitter.total_seconds())


def describe_schedule(sync: SyncConfig) -> float | str:
    """Return the interval in seconds, or the cron expression with its zone as text."""
    if sync.when.cron is not None:
        return f"cron {sync.when.cron} ({sync.timezone or 'UTC'})"
    return sync.when.every.total_seconds()


def following(schedule: Schedule, moment: float) -> float:
    """Return the first time of `schedule` after `moment`, without jitter; infinity when a cron has none left."""
    match schedule:
        case Every(seconds=seconds):
            return moment + seconds
        case Cron(expression=expression, zone=zone):
            from cronsim import CronSim  # noqa: PLC0415 - most configs name no cron

            found = next(CronSim(expression, datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(zone))), None)
            return _NEVER if found is None else found.timestamp()


def first_due(schedule: Schedule, last: LastRun | None, now: float) -> float:
    """Return when the first pass after a start is due: as if the daemon had been running, but never in the past.

    After a pass that did not end it is due within a minute. A cron that never ran waits for its next time.
    """
    if last is None or last.started > now:  # a start in the future: the clock was set back since
        return now if isinstance(schedule, Every) else following(schedule, now)
    ordinary = max(now, following(schedule, last.started))
    return ordinary if last.ended else min(ordinary, now + SHORTEST_BACKOFF_S)


def next_due(schedule: Schedule, *, started: float, failures: int, now: float, random: float) -> float:
    """Return when the pass after one that began at `started` is due; `random` in [0, 1) sets the jitter.

    After `failures` failed passes in a row (an unreadable source, for one) it is retried after a minute, then after
    pauses that double up to an hour, each with no more jitter than the pause is long. A schedule with intervals below
    an hour skips its own times meanwhile; one with longer intervals keeps them as well.
    """
    started = min(started, now)  # a start in the future: the clock was set back during the pass
    ordinary = following(schedule, started)
    if not failures:
        return max(now, ordinary + random * schedule.jitter_s)
    pause_s = min(SHORTEST_BACKOFF_S * (1 << min(failures - 1, _MOST_DOUBLINGS)), LONGEST_BACKOFF_S)
    retry = now + pause_s + random * min(schedule.jitter_s, pause_s)
    if ordinary == _NEVER or following(schedule, ordinary) - ordinary < LONGEST_BACKOFF_S:
        return retry
    return min(retry, max(now, ordinary + random * schedule.jitter_s))


def stale_at(schedule: Schedule, stale_after_s: float | None, last_success: float) -> float:
    """Return when a sync whose last success was at `last_success` becomes stale.

    That is `stale_after_s` later if it is given. Otherwise it is after four intervals, but at least an hour, or an hour
    after a missed time of a cron. Four intervals, because one failed pass with its retries is no reason to alarm
    people.
    """
    if stale_after_s is not None:
        return last_success + stale_after_s
    match schedule:
        case Every(seconds=seconds, jitter_s=jitter_s):
            return last_success + max(_STALE_INTERVALS * (seconds + jitter_s), _SHORTEST_STALE_S)
        case Cron():
            return following(schedule, last_success) + schedule.jitter_s + _SHORTEST_STALE_S


def sync_stale_at(sync: SyncConfig, last_success: float) -> float:
    """Return `stale_at` for the schedule of `sync` and its `stale_after`."""
    stale_after = sync.when.stale_after
    return stale_at(schedule_of(sync), None if stale_after is None else stale_after.total_seconds(), last_success)


async def read_last_run(name: str, ledger: Ledger) -> LastRun | None:
    """Return the last pass of a sync, None if there was none."""
    return _last_run(await ledger.of(name).last_pass())


def _last_run(last: RunRecord | None) -> LastRun | None:
    return None if last is None else LastRun(started=last.started, ended=last.state in ("done", "partial"))


def noted_due(sync: SyncConfig, due: Due | None, last: RunRecord | None, now: float) -> float:
    """Return when the pass after `last` is due: as the daemon noted it in `due`, otherwise by the schedule of `sync`.

    It is infinity for a cron that has no time left. A note that is older than the last pass is out of date: a command
    made that pass, without the daemon.
    """
    if due is not None and due.at is not None and (last is None or due.noted >= last.started):
        return max(now, due.at)
    return first_due(schedule_of(sync), _last_run(last), now)
