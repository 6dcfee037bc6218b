"""What `syncd status` tells: read from the ledger alone, so it works beside a running daemon and without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncd.app.documents import iso, operating_document, run_document
from syncd.app.wiring import limits_of
from syncd.clock import Clock
from syncd.config import Config
from syncd.model.entry import Problem
from syncd.model.item import Hold, Json
from syncd.model.record import RunRecord, Tally
from syncd.portal.client import MethodBudget, remembered_operating
from syncd.service.schedule import next_due_of
from syncd.state.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStatus:
    """How one sync stands; times are unix seconds."""

    name: str
    last_run: RunRecord | None
    last_success: float | None
    next_run: float
    tally: Tally
    holds: tuple[Hold, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How everything stands: syncs in the config's order, and the operating time per portal and method."""

    syncs: tuple[SyncStatus, ...]
    operating: Mapping[str, Mapping[str, MethodBudget]]


async def read_status(config: Config, ledger: Ledger, clock: Clock) -> Status:
    """Read how every sync of `config` stands."""
    now = clock.now()
    syncs = []
    for sync in config.syncs:
        last = await ledger.last_run(sync.name)
        syncs.append(
            SyncStatus(
                name=sync.name,
                last_run=last,
                last_success=await ledger.last_success(sync.name),
                next_run=await next_due_of(sync, ledger, now),
                tally=await ledger.tally(sync.name),
                holds=await ledger.holds(sync.name),
            )
        )
    operating = {}
    for portal in config.portals:
        note = await ledger.read_note(f"portal/{portal.name}", "budget")
        operating[portal.name] = remembered_operating(note[0], limits_of(portal), clock) if note is not None else {}
    return Status(syncs=tuple(syncs), operating=operating)


def status_document(status: Status) -> dict[str, Json]:
    """Return the JSON document of `syncd status --json`."""
    return {
        "syncs": [_sync(one) for one in status.syncs],
        "portals": [
            {"name": name, "operating": operating_document(methods)} for name, methods in status.operating.items()
        ],
    }


def _sync(one: SyncStatus) -> dict[str, Json]:
    return {
        "name": one.name,
        "last_run": run_document(one.last_run) if one.last_run is not None else None,
        "last_success": iso(one.last_success),
        "next_run": iso(one.next_run) if one.next_run < float("inf") else None,
        "entries": one.tally.entries,
        "items": one.tally.items,
        "held": [*_held(one.holds), *_waiting(one)],
        "open_intents": one.tally.open_intents,
    }


def waiting(one: SyncStatus) -> tuple[Problem, ...]:
    """Return the entries that the last pass could not place (an unknown owner, say): they are tried in every pass."""
    known = {str(hold.key) for hold in one.holds}
    problems = one.last_run.problems if one.last_run is not None else ()
    return tuple(problem for problem in problems if problem.kind == "held" and problem.key not in known)


def _waiting(one: SyncStatus) -> list[Json]:
    return [
        {
            "key": problem.key,
            "title": "",
            "where": problem.where,
            "reason": problem.reason,
            "attempts": None,
            "since": None,
            "retry_at": iso(one.next_run),
        }
        for problem in waiting(one)
    ]


def _held(holds: Sequence[Hold]) -> list[Json]:
    return [
        {
            "key": str(hold.key),
            "title": hold.title,
            "where": hold.where,
            "reason": hold.reason,
            "attempts": hold.attempts,
            "since": iso(hold.since),
            "retry_at": iso(hold.retry_at) if hold.retry_at < float("inf") else None,
        }
        for hold in holds
    ]
