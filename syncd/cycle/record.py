"""The record of a run, whatever kind it was: begun before anything is done, ended whatever happens, one log line."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from syncd.cycle.push import Done
from syncd.cycle.setup import SyncSetup, World
from syncd.errors import SourceError, SyncdError
from syncd.model.entry import Problem
from syncd.model.record import RunRecord, RunState
from syncd.portal.client import Usage

_log = structlog.get_logger()
_COUNTS = ("created", "updated", "deleted", "adopted", "unchanged", "held", "rejected", "conflict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A run that has begun: unix time, the monotonic time beside it, and what the portal's client had done before."""

    run_id: int
    started: float
    monotonic: float
    before: Usage


async def begin(setup: SyncSetup, world: World) -> Begun:
    """Write down that a run of the sync begins, after forgetting runs older than the config wants kept."""
    now = world.clock.now()
    await world.ledger.prune(now - world.keep_runs.total_seconds())
    return Begun(
        run_id=await world.ledger.begin_run(setup.name, now),
        started=now,
        monotonic=world.clock.monotonic(),
        before=world.portal.usage(),
    )


async def close(
    setup: SyncSetup, world: World, begun: Begun, done: Done, state: RunState, error: SyncdError | None
) -> RunRecord:
    """Write the run's record and its one canonical log line."""
    used = world.portal.usage().since(begun.before)
    done.counts["held"] += len(done.refused)
    for key, reason in sorted(done.refused.items()):
        done.problems.append(Problem(where=done.places.get(key, ""), kind="held", key=str(key), reason=reason))
    record = RunRecord(
        id=begun.run_id,
        sync=setup.name,
        started=begun.started,
        finished=world.clock.now(),
        state=state,
        counts={name: done.counts[name] for name in _COUNTS},
        requests=used.requests,
        commands=used.commands,
        waited_s=used.waited_s,
        seconds=world.clock.monotonic() - begun.monotonic,
        problems=tuple(done.problems),
        problem_count=len(done.problems),
        error=str(error) if error is not None else "",
    )
    await world.ledger.end_run(begun.run_id, record)
    log = _log.error if error is not None else _log.info
    log("pass.done", sync=setup.name, run=begun.run_id, state=state, **record.counts, problems=record.problem_count,
        requests=record.requests, commands=record.commands, waited_s=round(record.waited_s, 1),
        seconds=round(record.seconds, 1), error=record.error or None)  # fmt: skip
    if isinstance(error, SourceError):
        _log.warning("source.unreadable", sync=setup.name, reason=error.message)
    return record
