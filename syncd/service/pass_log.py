"""What the daemon keeps of its passes for the page and the alerts, and what it logs about their rows.

Changes are logged at debug level, problems as warnings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set

import structlog

from syncd import events
from syncd.cycle.prepared import Prepared
from syncd.errors import GuardError
from syncd.model.entry import Problem
from syncd.model.record import RunRecord
from syncd.service.overview import plan_view, stopped_view
from syncd.service.tracked import Ended
from syncd.web.views import PlanView

MOST_NAMED = 50
"""The most new problems of one pass that are logged one by one; a broken column may affect every row of a table."""
_log = structlog.get_logger()


class PassLog:
    """What is known of the passes of this process.

    `passes` counts them by sync and state, `changes` counts confirmed changes by sync and kind; `errors` says why the
    last pass of a sync failed. `plans` holds the plans of running passes, and of those that a guard stopped. `passed`
    are the syncs of which a pass has ended.
    """

    def __init__(self) -> None:
        self.passes: Counter[tuple[str, str]] = Counter()
        self.changes: Counter[tuple[str, str]] = Counter()
        self.plans: dict[str, PlanView] = {}
        self.errors: dict[str, str] = {}
        self.passed: set[str] = set()
        self._problems: dict[str, frozenset[Problem]] = {}

    def planned(self, prepared: Prepared) -> None:
        """Show the plan of a pass that runs; the guard comes afterwards, so the page has the plan it stops."""
        self.plans[prepared.sync] = plan_view(prepared)
        log_changes(prepared)

    def ended(self, ended: Ended) -> None:
        """Count a pass, and drop its plan unless a guard stopped it."""
        self.passed.add(ended.sync)
        plan = self.plans.pop(ended.sync, None)
        self.errors.pop(ended.sync, None)
        if ended.error:
            self.errors[ended.sync] = ended.error
        if ended.result is None:
            self.passes[ended.sync, "failed"] += 1
            return
        record = ended.result.record
        self._problems[ended.sync] = log_problems(record, self._problems.get(ended.sync, frozenset()))
        self.passes[ended.sync, record.state] += 1
        for name in ("created", "updated", "deleted", "adopted"):
            self.changes[ended.sync, name] += record.counts.get(name, 0)
        if plan is not None and isinstance(ended.result.error, GuardError):
            # A person has to decide about this plan, so it stays on the page until a pass gets by.
            self.plans[ended.sync] = stopped_view(plan, str(ended.result.error))

    def forget(self, names: Iterable[str]) -> None:
        """Forget how the last passes of these syncs ended: another machine has made passes since."""
        for name in names:
            self.passed.discard(name)
            self.plans.pop(name, None)
            self.errors.pop(name, None)


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
