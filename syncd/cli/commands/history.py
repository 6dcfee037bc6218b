"""`syncd history`: the last runs of every sync, and what one of them changed, from the ledger alone."""

from __future__ import annotations

import argparse

from rich.console import Console

from syncd.app import words
from syncd.app.documents import history_document, record_change_document, run_document
from syncd.cli import show, times
from syncd.cli.desk import Desk
from syncd.errors import ConfigError
from syncd.lang.saying import say, say_as
from syncd.model.record import ChangeRecord, RunRecord

_COUNTED = ("created", "updated", "deleted", "adopted", "unchanged", "held", "rejected", "conflict")
_TITLES = (
    say_as("column", "run"),
    say_as("column", "sync"),
    say_as("column", "started"),
    say_as("column", "took"),
    say_as("column", "state"),
    *(words.COUNTS[name] for name in _COUNTED),
)
_CHANGE_TITLES = (
    "",
    say_as("column", "when"),
    say_as("column", "what"),
    say_as("column", "where"),
    say_as("column", "fields"),
)
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
            say("there is no run {run} of {names}", run=arguments.run_id, names=tuple(arguments.names))
            if arguments.names
            else say("there is no run {run}", run=arguments.run_id),
            say("`syncd history` names the runs; those older than keep_runs are forgotten"),
        )
    changes = await desk.app.ledger.of(run.sync).changes(run.id)
    if arguments.json:
        desk.document({**run_document(run, ()), "changes": [*map(record_change_document, changes)]})
        return 0
    out = desk.console()
    show.outcome(out, run, None)
    if run.error:
        show.line(out, show.inset(run.error), "red")
    show.problems(out, run.problems)
    _changes(out, changes, next((sync.timezone for sync in desk.app.config.syncs if sync.name == run.sync), None))
    return 0


def _show(out: Console, runs: list[RunRecord]) -> None:
    if not runs:
        show.line(out, say("no run yet"))
        return
    show.rows(out, _TITLES, (_row(run) for run in runs))
    show.line(out, say("times are in {zone}", zone=times.local_zone()), "dim")
    show.line(out, say("`syncd history --run N` tells what a run changed, `syncd undo N` takes it back"), "dim")


def _row(run: RunRecord) -> tuple[str, ...]:
    counts = (str(run.counts.get(name, 0) or "") for name in _COUNTED)
    return (
        str(run.id),
        run.sync,
        times.local_time(run.started),
        times.seconds(run.seconds),
        words.ending(run),
        *counts,
    )


def _changes(out: Console, changes: tuple[ChangeRecord, ...], zone: str | None) -> None:
    if not changes:
        show.line(out, say("  it changed nothing"), "dim")
        return
    rows = []
    for change in changes[:_SHOWN_CHANGES]:
        link = change.after or change.before
        where, title, start = (link.where, link.title, link.start) if link is not None else ("", str(change.key), "")
        rows.append(
            (
                words.OPS.get(change.op, change.op),
                times.when(start, zone),
                title,
                where,
                words.fields(change.changed_fields),
            )
        )
    show.rows(out, _CHANGE_TITLES, rows)
    if zone is not None:
        show.line(out, say("  times of events are in {zone}", zone=zone), "dim")
    if len(changes) > _SHOWN_CHANGES:
        show.line(
            out, say("  … and {number:,} more (`--json` has all of them)", number=len(changes) - _SHOWN_CHANGES), "dim"
        )
