"""The report file: CSV, one row per source entry or removed entry; `ok` only where the portal confirmed it."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from syncd.cycle.result import PassResult
from syncd.errors import ConfigError
from syncd.model.item import CALENDAR_TYPES, Change

HEADER = ("where", "key", "title", "action", "status", "remote_id", "verified", "error")
_ITEM_PART = re.compile(rf"\|(?:{'|'.join(CALENDAR_TYPES)})/\d+(?:\|.*)?\Z", re.DOTALL)
"""What an item's key has after the entry's uid."""
_ACTIONS = ("create", "update", "delete", "adopt")


def write(path: Path, results: Iterable[PassResult]) -> None:
    """Write the report of `results` to `path`; raises ConfigError when that is not possible."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            for result in results:
                writer.writerows(rows(result))
    except OSError as error:
        raise ConfigError(f"cannot write the report to {path}: {error.strerror}") from error


def rows(result: PassResult) -> Iterator[tuple[str, ...]]:
    """Yield the report's rows of one pass, in the order of the source, removed entries last."""
    prepared = result.prepared
    if prepared is None:
        return
    by_uid: dict[str, list[Change]] = defaultdict(list)
    for change in prepared.plan.changes:
        by_uid[change.key.uid].append(change)
    conflicts = {change.key.uid: change.reason for change in prepared.plan.conflicts}
    troubles = _troubles(result)
    verified = "yes" if prepared.verified else "no"
    seen: set[str] = set()
    for entry in prepared.kept.entries:
        seen.add(entry.uid)
        changes = by_uid.get(entry.uid, [])
        status, error = _status(result, entry.uid, changes, troubles, conflicts)
        yield (
            entry.where,
            entry.uid,
            entry.details.title,
            _action(changes),
            status,
            _ids(result, changes),
            verified if not changes else "no",
            error,
        )
    for problem in prepared.problems:
        if problem.kind == "rejected" and problem.key not in seen:
            yield (problem.where, problem.key or "", "", "", "rejected", "", "no", problem.reason)
    for uid, changes in by_uid.items():
        if uid not in seen and changes[0].link is not None:
            status, error = _status(result, uid, changes, troubles, conflicts)
            link = changes[0].link
            yield (link.where, uid, link.title, _action(changes), status, _ids(result, changes), "no", error)


def _troubles(result: PassResult) -> dict[str, tuple[str, str]]:
    """Return why entries were rejected or are held, by uid."""
    found: dict[str, tuple[str, str]] = {}
    for problem in result.prepared.problems if result.prepared else ():
        if problem.kind in ("rejected", "held") and problem.key is not None:
            found.setdefault(_ITEM_PART.sub("", problem.key), (problem.kind, problem.reason))
    for key, reason in result.refused.items():
        found[key.uid] = ("held", reason)
    return found


def _status(
    result: PassResult,
    uid: str,
    changes: list[Change],
    troubles: dict[str, tuple[str, str]],
    conflicts: dict[str, str],
) -> tuple[str, str]:
    if uid in troubles:
        return troubles[uid]
    if uid in conflicts:
        return "conflict", conflicts[uid]
    if not changes:
        return "unchanged", ""
    settled = all(change.op == "adopt" or change.key in result.settled for change in changes)
    return ("ok", "") if settled else ("unknown", result.record.error or "not confirmed by the portal")


def _action(changes: list[Change]) -> str:
    ops = {change.op for change in changes}
    return "+".join(op for op in _ACTIONS if op in ops)


def _ids(result: PassResult, changes: list[Change]) -> str:
    ids = [
        result.remote_ids.get(change.key) or (change.link.remote_id if change.link is not None else None)
        for change in changes
    ]
    return " ".join(str(one) for one in ids if one)
