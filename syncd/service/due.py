"""The schedule of a sync as its config says it, for the daemon and for whoever tells when the next pass is due."""

from __future__ import annotations

from syncd.config import SyncConfig
from syncd.service.schedule import Cron, Every, LastRun, Schedule, first_due
from syncd.state.ledger import Ledger

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
