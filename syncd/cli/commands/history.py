"""`syncd history`: the last runs of every sync, and what one of them changed, from the ledger alone."""

from __future__ import annotations

import argparse

from rich.console import Console

from syncd.app.documents import history_document, record_change_document, run_document
from syncd.cli import show
from syncd.cli.desk import Desk
from syncd.errors import ConfigError
from syncd.model.record import ChangeRecord, RunRecord
from syncd.model.zones import as_read

_COUNTED = ("created", "updated", "deleted", "adopted", "unchanged", "held", "rejected", "conflict")
_SHOWN_CHANGES = 200


async def history(arguments: argparse.Namespace, desk: Desk) -> int:
    """Print the last runs, newest first, or one run with everything it changed."""
    if arguments.run_id is not None:
        return await _one(arguments, desk)
    runs: list[RunRecord] = []
    for name in desk.app.config.chosen(arguments.names, arguments.portal):
        runs += await desk.app.ledger.of(name).runs(arguments.last)
    runs.sort(key=lambda run: -run.id)
    if arguments.json:
        desk.document(history_document(runs))
    else:
        _show(desk.console(), runs)
    return 0


async def _one(arguments: argparse.Namespace, desk: Desk) -> int:
    run = await desk.app.ledger.run(arguments.run_id)
    names = desk.app.config.chosen(arguments.names, arguments.portal) if arguments.names or arguments.portal else None
    if run is None or (names is not None and run.sync not in names):
        raise ConfigError(
            f"there is no run {arguments.run_id}{' of ' + ', '.join(arguments.names) if arguments.names else ''}",
            "`syncd history` names the runs; those older than keep_runs are forgotten",
        )
    changes = await desk.app.ledger.of(run.sync).changes(run.id)
    if arguments.json:
        desk.document({**run_document(run, ()), "changes": [*map(record_change_document, changes)]})
        return 0
    out = desk.console()
    show.outcome(out, run, None)
    if run.error:
        show.line(out, f"  {run.error}", "red")
    show.problems(out, run.problems)
    _changes(out, changes, next((sync.timezone for sync in desk.app.config.syncs if sync.name == run.sync), None))
    return 0


def _show(out: Console, runs: list[RunRecord]) -> None:
    if not runs:
        show.line(out, "no run yet")
        return
    titles = ("run", "sync", "started", "took", "state", *_COUNTED)
    show.rows(out, titles, (_row(run) for run in runs))
    show.line(out, f"times are in {show.local_zone()}", "dim")
    show.line(out, "`syncd history --run N` tells what a run changed, `syncd undo N` takes it back", "dim")


def _row(run: RunRecord) -> tuple[str, ...]:
    counts = (str(run.counts.get(name, 0) or "") for name in _COUNTED)
    return (str(run.id), run.sync, show.local_time(run.started), f"{run.seconds:.1f} s", run.state, *counts)


def _changes(out: Console, changes: tuple[ChangeRecord, ...], zone: str | None) -> None:
    if not changes:
        show.line(out, "  it changed nothing", "dim")
        return
    rows = []
    for change in changes[:_SHOWN_CHANGES]:
        link = change.after or change.before
        where, title, start = (link.where, link.title, link.start) if link is not None else ("", str(change.key), "")
        rows.append((change.op, as_read(start, zone), title, where, ", ".join(change.changed_fields)))
    show.rows(out, ("", "when", "what", "where", "fields"), rows)
    if zone is not None:
        show.line(out, f"  times of events are in {zone}", "dim")
    if len(changes) > _SHOWN_CHANGES:
        show.line(out, f"  … and {len(changes) - _SHOWN_CHANGES:,} more (`--json` has all of them)", "dim")
