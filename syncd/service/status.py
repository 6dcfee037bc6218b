"""What `syncd status` shows. Read from the ledger alone, so it works beside a running daemon and without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from syncd.app.documents import iso, kept_document, operating_document, problem_document, run_document
from syncd.clock import Clock
from syncd.config import Config, PortalConfig, SyncConfig
from syncd.model.entry import Problem
from syncd.model.item import Hold, Link
from syncd.model.json_values import Json
from syncd.model.lease import Board
from syncd.model.plan import Policy
from syncd.model.record import RunRecord, Tally
from syncd.model.removal import why_it_stays
from syncd.service.schedule import SyncState, noted_due
from syncd.state.ledger import Ledger
from syncd.state.outlook import Outlook
from syncd.state.standing import Standing

if TYPE_CHECKING:
    from syncd.portal.limits.forecast import MethodBudget


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncStatus:
    """How one sync stands; times are unix seconds.

    `paused` is since when it is to be left alone, `running` since when the daemon makes a pass of it; None if not.
    """

    name: str
    last_run: RunRecord | None
    last_success: float | None
    next_run: float
    tally: Tally
    holds: tuple[Hold, ...]
    kept: tuple[Link, ...] = ()
    policy: Policy = field(default_factory=Policy)
    portal: str = ""
    paused: float | None = None
    running: float | None = None

    def why_kept(self, link: Link) -> str:
        """Return why the event of a `kept` link is still there."""
        return why_it_stays(link, self.policy, self.last_run.error if self.last_run is not None else "")

    @property
    def unplaced(self) -> tuple[Problem, ...]:
        """The entries that the last pass could not place, such as those of an unknown owner.

        They have no item yet, so the ledger holds nothing for them; every pass tries them again.
        """
        held = {str(hold.key) for hold in self.holds}
        return tuple(problem for problem in self._problems if problem.kind == "held" and problem.key not in held)

    @property
    def passed_over(self) -> tuple[Problem, ...]:
        """The entries that the last pass rejected, and those that the config leaves out (`on_unresolved = "skip"`)."""
        return tuple(problem for problem in self._problems if problem.kind in ("rejected", "skipped"))

    @property
    def _problems(self) -> tuple[Problem, ...]:
        return self.last_run.problems if self.last_run is not None else ()

    @property
    def rejected(self) -> tuple[Problem, ...]:
        """The entries that the last pass could not use; every pass reads them again."""
        return tuple(problem for problem in self._problems if problem.kind == "rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How everything stands: syncs in the config's order, and the operating time per portal and method.

    `daemon` is True if a daemon runs, None if that cannot be known. `board` tells which machine holds which portal,
    None if one machine has the state for itself.
    """

    syncs: tuple[SyncStatus, ...]
    operating: Mapping[str, Mapping[str, MethodBudget]]
    daemon: bool | None = None
    board: Board | None = None


async def read_status(
    config: Config,
    ledger: Ledger,
    clock: Clock,
    *,
    names: Sequence[str] | None = None,
    states: Mapping[str, SyncState] | None = None,
    daemon: bool | None = None,
) -> Status:
    """Read how the syncs `names` of `config` stand, or all of them; raises StateError.

    `states` are what the daemon itself knows; without them its notes in the ledger have to do.
    """
    chosen = [sync for sync in config.syncs if names is None or sync.name in names]
    # What can be had for all in one go is not asked for one by one: there may be hundreds.
    known = [sync.name for sync in chosen]
    standings, outlooks, now = await ledger.standings(known), await ledger.outlooks(known), clock.now()
    syncs = []
    for sync in chosen:
        state = states.get(sync.name) if states is not None else None
        syncs.append(await _status(sync, ledger, standings[sync.name], outlooks[sync.name], state, now))
    operating = {}  # as the last pass left it, less what has aged out of the portal's ten minutes since
    for portal in config.portals:
        if names is not None and portal.name not in {one.portal for one in syncs}:
            continue
        budget = await ledger.of_portal(portal.name).budget()
        operating[portal.name] = _operating(portal, budget, clock) if budget is not None else {}
    board = await ledger.board()
    if daemon is None and board is not None:
        daemon = any(one.left_s > 0 for one in board.members)
    return Status(syncs=tuple(syncs), operating=operating, daemon=daemon, board=board)


def _operating(portal: PortalConfig, budget: Json, clock: Clock) -> Mapping[str, MethodBudget]:
    # Loaded only where a portal was ever asked, for it is much of what this command loads.
    from syncd.portal.limits.forecast import remembered_operating  # noqa: PLC0415
    from syncd.portal.limits.tariff import limits_of  # noqa: PLC0415

    return remembered_operating(budget, limits_of(portal), clock)


async def _status(
    sync: SyncConfig, ledger: Ledger, standing: Standing, outlook: Outlook, state: SyncState | None, now: float
) -> SyncStatus:
    own, last, paused = ledger.of(sync.name), outlook.newest, outlook.paused
    due = state.due if state is not None else noted_due(sync, outlook.due, last, now)
    return SyncStatus(
        name=sync.name,
        last_run=last,
        last_success=standing.last_success,
        next_run=due if paused is None else float("inf"),
        policy=Policy(on_removed=sync.on_removed, removed_after=sync.removed_after),
        portal=sync.portal,
        paused=paused,
        running=state.running_since if state is not None else None,
        tally=standing.tally,
        holds=await own.holds() if standing.tally.held else (),
        kept=await own.absent() if outlook.absent else (),
    )


def status_document(status: Status) -> dict[str, Json]:
    """Return the JSON document of `syncd status --json` (app/JSON.md)."""
    document = _status_document(status)
    return document if status.board is None else document | board_document(status.board)


def board_document(board: Board) -> dict[str, Json]:
    """Return the JSON document of `syncd lease list --json`, which `status --json` has too (app/JSON.md)."""
    return {
        "leases": [
            {
                "portal": one.portal,
                "host": one.host if one.held else None,
                "pid": one.pid if one.held else None,
                "since": iso(one.since) if one.held else None,
                "epoch": one.epoch,
                "left_s": round(one.left_s, 1),
            }
            for one in board.leases
        ],
        "members": [
            {
                "host": one.host,
                "pid": one.pid,
                "version": one.version,
                "alive": one.left_s > 0,
                "leaving": one.leaving,
                "portals": sum(lease.held and lease.holder == one.holder for lease in board.leases),
            }
            for one in board.members
        ],
    }


def _status_document(status: Status) -> dict[str, Json]:
    return {
        "daemon": status.daemon,
        "syncs": [_sync(one) for one in status.syncs],
        "portals": [
            {"name": name, "operating": operating_document(methods)} for name, methods in status.operating.items()
        ],
    }


def _sync(one: SyncStatus) -> dict[str, Json]:
    return {
        "name": one.name,
        "portal": one.portal,
        "paused": iso(one.paused),
        "running_since": iso(one.running),
        "last_run": run_document(one.last_run, one.kept) if one.last_run is not None else None,
        "last_success": iso(one.last_success),
        "next_run": _finite(one.next_run),
        "entries": one.tally.entries,
        "items": one.tally.items,
        "held": [*map(_held, one.holds), *(_unplaced(problem, one.next_run) for problem in one.unplaced)],
        "rejected": [*map(problem_document, one.rejected)],
        "kept": [kept_document(link) | {"reason": one.why_kept(link)} for link in one.kept],
        "open_intents": one.tally.open_intents,
    }


def _held(hold: Hold) -> dict[str, Json]:
    return {
        "key": str(hold.key),
        "title": hold.title,
        "where": hold.where,
        "reason": hold.reason,
        "attempts": hold.attempts,
        "since": iso(hold.since),
        "retry_at": _finite(hold.retry_at),
    }


def _unplaced(problem: Problem, next_run: float) -> dict[str, Json]:
    """Return the same fields as `_held`; what only the ledger knows is empty."""
    return {
        "key": problem.key,
        "title": "",
        "where": problem.where,
        "reason": problem.reason,
        "attempts": None,
        "since": None,
        "retry_at": _finite(next_run),
    }


def _finite(unix: float) -> str | None:
    return iso(unix) if unix < float("inf") else None
