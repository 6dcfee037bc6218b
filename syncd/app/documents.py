"""The JSON documents of the command line, described in JSON.md beside this file.

Field names are fixed, because users' scripts read them: add fields, never rename or remove one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING

from syncd.errors import SyncdError
from syncd.model.entry import Problem
from syncd.model.item import Change, Link, responsible_of
from syncd.model.json_values import Json
from syncd.model.record import ChangeRecord, RunRecord

if TYPE_CHECKING:  # `status --json` must be quick, and loads neither
    from syncd.cycle.prepared import Prepared
    from syncd.portal.client import MethodBudget


def plan_document(plans: Iterable[Prepared], failures: Mapping[str, SyncdError]) -> dict[str, Json]:
    """Return the document of `plan --json`; `failures` say why a sync could not be planned, by its name."""
    document: dict[str, Json] = {"plans": [_plan(one) for one in plans]}
    if failures:
        document["errors"] = _errors(failures)
    return document


def _errors(failures: Mapping[str, SyncdError]) -> Json:
    return [{"sync": name, "error": error.message, "remedy": error.remedy} for name, error in failures.items()]


def _plan(prepared: Prepared) -> dict[str, Json]:
    forecast = prepared.forecast
    return {
        "sync": prepared.sync,
        "run": None,
        "complete": prepared.snapshot.complete,
        "verified": prepared.verified,
        "counts": prepared.counts,
        "estimate": {
            "requests": forecast.requests,
            "commands": forecast.commands,
            "seconds": round(forecast.seconds, 1),
            "operating_s": {method: round(used, 2) for method, used in sorted(forecast.operating_s.items())},
            "guessed": forecast.guessed,
            "notices": prepared.notices,
            "notified": [
                {"user": user, "name": prepared.directory.name_of(user), "notices": number}
                for user, number in sorted(prepared.notified.items())
            ],
            "new_sections": prepared.new_sections,
        },
        "changes": [change_document(change) for change in prepared.plan.changes],
        "problems": [problem_document(problem) for problem in prepared.problems],
        "kept": [kept_document(link) for link in prepared.plan.kept],
    }


def kept_document(link: Link) -> dict[str, Json]:
    """Return an entry that is gone from the source while its event stays."""
    return {
        "key": str(link.key),
        "title": link.title,
        "where": link.where,
        "start": link.start,
        "remote_id": link.remote_id,
    }


def change_document(change: Change) -> dict[str, Json]:
    """Return one change with its reason and, for each field, [before, after]; before is null for a create."""
    holder = change.item or change.link
    assert holder is not None
    remote_id = change.link.remote_id if change.link is not None and change.op != "create" else None
    return {
        "op": change.op,
        "key": str(change.key),
        "title": holder.title,
        "where": holder.where,
        "calendar": change.key.place.kind,
        "owner": change.key.place.owner,
        "responsible": responsible_of(change) or None,
        "section": holder.section,
        "start": holder.start,
        "remote_id": remote_id,
        "fields": {name: [before, after] for name, (before, after) in sorted(_fields(change).items())},
        "reason": change.reason,
        "series": _series(change),
    }


def _series(change: Change) -> str:
    if change.item is None or change.item.summary is None:
        return ""
    from syncd.model.recurrence.summary import told_of  # noqa: PLC0415 - `status` reads no rules

    return told_of(change.item.summary)


def _fields(change: Change) -> Mapping[str, tuple[Json, Json]]:
    if change.op != "create" or change.item is None:
        return change.fields
    # The diff of a create has no fields: the item's own are shown, without the empty ones that say nothing.
    return {name: (None, value) for name, value in change.item.fields.items() if value not in (None, "", [], ())}


def problem_document(problem: Problem) -> dict[str, Json]:
    """Return one problem."""
    return {"where": problem.where, "key": problem.key, "kind": problem.kind, "reason": problem.reason}


def runs_document(
    results: Iterable[tuple[RunRecord, Iterable[Link]]], failures: Mapping[str, SyncdError]
) -> dict[str, Json]:
    """Return the document of `sync --json`: the record of each run, and the entries it kept that the source lacks.

    `failures` say why a sync has no run, by its name.
    """
    document: dict[str, Json] = {"runs": [run_document(record, kept) for record, kept in results]}
    return document | ({"errors": _errors(failures)} if failures else {})


def run_document(record: RunRecord, kept: Iterable[Link]) -> dict[str, Json]:
    """Return what one run did, and which entries it kept although the source no longer has them."""
    return {
        "sync": record.sync,
        "run": record.id,
        "kind": record.kind,
        "started": iso(record.started),
        "finished": iso(record.finished),
        "state": record.state,
        "counts": dict(record.counts),
        "seconds": round(record.seconds, 3),
        "requests": record.requests,
        "commands": record.commands,
        "waited_s": round(record.waited_s, 3),
        "problems": [problem_document(problem) for problem in record.problems],
        "problem_count": record.problem_count,
        "error": record.error or None,
        "kept": [*map(kept_document, kept)],
    }


def history_document(runs: Iterable[RunRecord]) -> dict[str, Json]:
    """Return the document of `history --json`: the records of runs, newest first."""
    return {"runs": [run_document(record, ()) for record in runs]}


def record_change_document(change: ChangeRecord) -> dict[str, Json]:
    """Return one change of a run: what was known of the event before and after it, null if it did not exist."""
    link = change.after or change.before
    before, after = (one.sent if one is not None else {} for one in (change.before, change.after))
    names = sorted(before if change.after is None else change.changed_fields)
    return {
        "op": change.op,
        "key": str(change.key),
        "title": link.title if link is not None else None,
        "where": link.where if link is not None else None,
        "start": link.start if link is not None else None,
        "remote_id": change.remote_id,
        "at": iso(change.at),
        "fields": {name: [before.get(name), after.get(name)] for name in names},
    }


def iso(unix: float | None) -> str | None:
    """Return unix time as ISO 8601 in UTC, None for None."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="seconds") if unix is not None else None


def operating_document(methods: Mapping[str, MethodBudget]) -> dict[str, Json]:
    """Return the operating time by method, as in `status` and `portal limits`; the limit is null if there is none."""
    return {
        method: {
            "used_s": round(budget.used_s, 2),
            "limit_s": budget.limit_s if isfinite(budget.limit_s) else None,
            "resets_at": iso(budget.resets_at),
        }
        for method, budget in sorted(methods.items())
    }
