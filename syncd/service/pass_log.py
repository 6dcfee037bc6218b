"""What the daemon logs about the rows of a pass: its changes at debug level, its problems as warnings."""

from __future__ import annotations

from collections.abc import Set

import structlog

from syncd import events
from syncd.cycle.plan import Prepared
from syncd.model.entry import Problem
from syncd.model.record import RunRecord

MOST_NAMED = 50
"""The most new problems of one pass that are logged one by one; a broken column may affect every row of a table."""
_log = structlog.get_logger()


def log_changes(prepared: Prepared) -> None:
    """Log every change of a plan (debug)."""
    if not _log.is_enabled_for(10):  # many rows, and nearly always nobody reads them
        return
    for change in prepared.plan.changes:
        holder = change.item or change.link
        assert holder is not None
        _log.debug(
            events.CHANGE_PLANNED, sync=prepared.sync, op=change.op, where=holder.where, title=holder.title,
            start=holder.start, reason=change.reason,
        )  # fmt: skip


def log_problems(record: RunRecord, before: Set[Problem]) -> frozenset[Problem]:
    """Log the problems of a pass that are not among those `before`, and return all problems of this one.

    So a row that stays broken is logged once, not every quarter of an hour.
    """
    new = [problem for problem in record.problems if problem not in before]
    for problem in new[:MOST_NAMED]:
        _log.warning(
            events.PROBLEM_FOUND, sync=record.sync, run=record.id, where=problem.where, kind=problem.kind,
            reason=problem.reason,
        )  # fmt: skip
    if len(new) > MOST_NAMED:
        _log.warning(events.PROBLEMS_MORE, sync=record.sync, run=record.id, more=len(new) - MOST_NAMED)
    return frozenset(record.problems)
