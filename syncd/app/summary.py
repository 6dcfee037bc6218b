"""The report over all syncs: what was done since a given time, and how each stands now; as CSV, JSON or HTML."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from syncd.app.documents import iso
from syncd.app.report import cell
from syncd.app.words import STATES
from syncd.html import tag
from syncd.lang.catalog import reader, told
from syncd.lang.saying import say, say_as
from syncd.model.json_values import Json
from syncd.model.record import RunRecord

_COUNTED = ("created", "updated", "deleted", "adopted")
_TITLES: Mapping[str, str] = {
    "sync": say_as("column", "sync"),
    "portal": say_as("column", "portal"),
    "passes": say_as("column", "passes"),
    "failed": say_as("column", "failed"),
    "created": say_as("column", "created"),
    "updated": say_as("column", "updated"),
    "deleted": say_as("column", "deleted"),
    "adopted": say_as("column", "adopted"),
    "state": say_as("column", "state"),
    "last_pass": say_as("column", "last pass"),
    "last_success": say_as("column", "last success"),
    "rejected": say_as("column", "rejected"),
    "held": say_as("column", "held"),
    "paused": say_as("column", "paused"),
    "error": say_as("column", "error"),
}
"""The titles of the page. CSV and JSON keep the names that programs read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSummary:
    """One sync: its passes in the time of the report, what was changed (also by an undo), and how the last one left it.

    Times are ISO 8601 in UTC, None if there was none. `rejected` and `held` are from the last pass that ended.
    """

    sync: str
    portal: str
    passes: int
    failed: int
    created: int
    updated: int
    deleted: int
    adopted: int
    state: str
    last_pass: str | None
    last_success: str | None
    rejected: int
    held: int
    paused: str | None
    error: str


HEADER = tuple(one.name for one in fields(SyncSummary))
_MOMENTS = ("last_pass", "last_success", "paused")


def summary_of(
    name: str, portal: str, runs: Sequence[RunRecord], *, since: float, success: float | None, paused: float | None
) -> SyncSummary:
    """Return the summary of one sync. Of its `runs`, newest first, those since unix time `since` count."""
    counted = [run for run in runs if run.started >= since]
    changes = Counter[str]()
    for run in counted:
        changes.update({kind: run.counts.get(kind, 0) for kind in _COUNTED})
    passes = [run for run in counted if run.kind == "pass"]
    last = next((run for run in runs if run.kind == "pass" and run.finished is not None), None)
    return SyncSummary(
        sync=name,
        portal=portal,
        passes=len(passes),
        failed=sum(run.state == "failed" for run in passes),
        **{kind: changes[kind] for kind in _COUNTED},
        state=last.state if last is not None else "never",
        last_pass=iso(last.started) if last is not None else None,
        last_success=iso(success),
        rejected=last.counts.get("rejected", 0) if last is not None else 0,
        held=last.counts.get("held", 0) if last is not None else 0,
        paused=iso(paused),
        error=last.error if last is not None else "",
    )


def summary_document(summaries: Sequence[SyncSummary], *, since: float, until: float) -> dict[str, Json]:
    """Return the JSON document of `syncd report --format json` (app/JSON.md)."""
    return {"since": iso(since), "until": iso(until), "syncs": [_values(one) for one in summaries]}


def summary_csv(summaries: Sequence[SyncSummary]) -> str:
    """Return the report as CSV (RFC 4180), one row for each sync."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows([_text(value) for value in _values(one).values()] for one in summaries)
    return text.getvalue()


def summary_page(summaries: Sequence[SyncSummary], *, since: float, until: float) -> str:
    """Return the report as one HTML page that needs nothing else, fit to be mailed."""
    title = told(say("syncd: {since} to {until}", since=_moment(since), until=_moment(until)))
    rows = (tag("tr", *(tag("td", _told(name, value)) for name, value in _values(one).items())) for one in summaries)
    head = tag("head", tag("meta", charset="utf-8"), tag("title", title))
    table = tag(
        "table",
        tag("thead", tag("tr", *(tag("th", told(_TITLES[name])) for name in HEADER))),
        tag("tbody", *rows),
        border="1",
        cellpadding="4",
    )
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', tag('h1', title), table), lang=reader())}\n"


def _values(one: SyncSummary) -> dict[str, Json]:
    return {name: getattr(one, name) for name in HEADER}


def _told(name: str, value: Json) -> str:
    """Return a cell of the page, which only people read."""
    if name == "state":
        return told(STATES.get(str(value), str(value)))
    if name in _MOMENTS and isinstance(value, str):
        return told(say("{moment}", moment=datetime.fromisoformat(value).astimezone()))
    return _text(value)


def _moment(unix: float) -> datetime:
    return datetime.fromtimestamp(unix).astimezone()


def _text(value: Json) -> str:
    return "" if value is None else cell(told(value) if isinstance(value, str) else str(value), raw=False)
