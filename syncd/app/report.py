"""The report file: CSV, one row for each source entry or removed entry.

A row is `ok` only if the portal confirmed it or, after everything was read back, if the reading did; `verified` only if
it was read.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from syncd.cycle.prepared import Prepared
from syncd.cycle.run import PassResult
from syncd.errors import ConfigError
from syncd.lang.catalog import told
from syncd.lang.saying import joined, say, say_count
from syncd.model.entry import Problem
from syncd.model.item import KIND_PATTERN, Change, Key
from syncd.model.removal import KEPT
from syncd.scrub import Clean, printable

HEADER = ("where", "key", "title", "action", "status", "remote_id", "verified", "error")
_ITEM_PART = re.compile(rf"\|{KIND_PATTERN}/\d+(?:\|.*)?\Z", re.DOTALL)
"""The part of an item's key after the uid of the entry."""
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
"""The beginning of a formula. Spaces before it do not help, nor do the wide forms of the signs."""
_LATER_FORMULA = re.compile(r"(;\s*)(?=[=+\-@＝＋－＠])")
"""Within a text: if the comma is the decimal sign, spreadsheets split the lines of any CSV file at semicolons."""
_ACTIONS = ("create", "update", "delete", "adopt")
_UNCONFIRMED, _NOT_READ = say("not confirmed by the portal"), say("not read back")
_STATUSES = {"skipped": "unchanged"}
"""The status of entries that the config leaves out: they do not wait for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a reading back says about entries: how many should stand there, do, do not, and were never reached.

    `items` are the events or activities that should stand there for them.
    """

    total: int
    confirmed: int
    differ: int
    rejected: int
    held: int
    items: int = 0
    on_cards: bool = False

    def __str__(self) -> str:
        said = [
            say("{confirmed:,} of {total:,} confirmed", confirmed=self.confirmed, total=self.total),
            say("{number:,} differ", number=self.differ),
            say("{number:,} rejected", number=self.rejected),
        ]
        return joined([*said, *([say("{number:,} held", number=self.held)] if self.held else [])])

    def told(self, *, to_report: bool) -> str:
        """Return the verdict in words, with what is counted: a pass counts events, and a series may be several.

        With `to_report` it says where to read more.
        """
        said = say("entries read back: {verdict}", verdict=str(self))
        if to_report:
            said = say("{verdict}, see report", verdict=said)
        if self.items == self.total:
            return said
        if self.on_cards:
            return say_count(
                "{verdict} (in {count:,} activity)", "{verdict} (in {count:,} activities)", self.items, verdict=said
            )
        return say_count("{verdict} (in {count:,} event)", "{verdict} (in {count:,} events)", self.items, verdict=said)


def verdict(result: PassResult) -> Verdict:
    """Return the verdict of the reading back of `result` about its entries."""
    facts = _Facts.of(result)
    read = result.read_back
    due = {uid: keys for uid, keys in facts.keys.items() if uid not in facts.troubles and uid not in facts.conflicts}
    confirmed = sum(1 for keys in due.values() if read is not None and keys <= read.confirmed)
    counts = result.record.counts
    return Verdict(
        total=len(due),
        confirmed=confirmed,
        differ=len(due) - confirmed,
        items=sum(map(len, due.values())),
        on_cards=any(key.place.on_card for keys in due.values() for key in keys),
        rejected=counts.get("rejected", 0),
        held=counts.get("held", 0) + counts.get("conflict", 0),
    )


def to_read_back(result: PassResult) -> frozenset[Key]:
    """Return the items that should stand in the portal now: those wanted, without the held and conflicting ones."""
    facts = _Facts.of(result)
    apart = set(facts.troubles) | set(facts.conflicts)
    return frozenset(key for uid, keys in facts.keys.items() if uid not in apart for key in keys)


def check(path: Path) -> None:
    """Raise ConfigError if no report can be written to `path`: better before the work than after it."""
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise ConfigError(
            say("cannot write the report to {path}: {reason}", path=str(path), reason=error.strerror or "")
        ) from error


def write(file: TextIO, results: Iterable[PassResult], *, clean: Clean = str, raw: bool = False) -> None:
    """Write the report of `results` to `file`, a text stream that leaves line ends as they are.

    `clean` takes secrets out of the texts. Unless `raw`, cells that a spreadsheet would take for a formula begin with
    an apostrophe, and characters that act on a terminal are escaped.
    """
    writer = csv.writer(file)
    writer.writerow(HEADER)
    for result in results:
        writer.writerows([cell(clean(told(one)), raw=raw) for one in row] for row in rows(result))


def cell(text: str, *, raw: bool) -> str:
    """Return `text` so that a spreadsheet shows it as text: a title such as "=HYPERLINK(...)" comes from the feed."""
    if raw:
        return text
    text = _LATER_FORMULA.sub(r"\1'", printable(text))
    return f"'{text}" if _FORMULA.match(text) else text


def rows(result: PassResult) -> Iterator[tuple[str, ...]]:
    """Yield the report's rows of one pass, in the order of the source, removed entries last."""
    prepared = result.prepared
    if prepared is None:
        return
    facts = _Facts.of(result)
    seen: set[str] = set()
    for where, uid, title in facts.entries:
        seen.add(uid)
        yield facts.row(where, uid, title)
    for problem in prepared.problems:
        if problem.kind == "rejected" and (problem.key not in seen or _is_elsewhere(problem, facts.places)):
            yield (problem.where, problem.key or "", problem.title, "", "rejected", "", "no", problem.reason)
    for uid, changes in facts.changes.items():
        link = changes[0].link
        if uid not in seen and link is not None:
            yield facts.row(link.where, uid, link.title)
    for link in prepared.plan.kept:
        verified = "yes" if link.key in facts.confirmed else "no"
        yield (link.where, link.key.uid, link.title, "", "unchanged", str(link.remote_id), verified, KEPT)


@dataclass(slots=True, kw_only=True)
class _Facts:
    """A pass's result by uid; `entries` are place, uid and title of what the source holds, in its order."""

    result: PassResult
    changes: Mapping[str, list[Change]]
    keys: Mapping[str, set[Key]]
    troubles: Mapping[str, tuple[str, str]]
    conflicts: Mapping[str, str]
    confirmed: frozenset[Key]
    entries: Sequence[tuple[str, str, str]] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    ids: Mapping[Key, int] = field(default_factory=dict)
    settled: frozenset[Key] = frozenset()

    @classmethod
    def of(cls, result: PassResult) -> _Facts:
        prepared = result.prepared
        changes: dict[str, list[Change]] = defaultdict(list)
        keys: dict[str, set[Key]] = defaultdict(set)
        for change in prepared.plan.changes if prepared else ():
            changes[change.key.uid].append(change)
        for item in prepared.wanted.items if prepared else ():
            keys[item.key.uid].add(item.key)
        linked = {link.key: link.remote_id for link in prepared.links} if prepared else {}
        confirmed = prepared.confirmed if prepared else frozenset()
        # Once: after an ordinary pass, going through the entries means to parse the file anew.
        kept = prepared.kept.entries if prepared else ()
        entries = [(entry.where, entry.uid, entry.details.title) for entry in kept]
        places = {uid: where for where, uid, _ in entries}
        return cls(
            result=result,
            changes=dict(changes),
            keys=dict(keys),
            troubles=_troubles(result, places),
            conflicts=_conflicts(prepared),
            confirmed=result.read_back.confirmed if result.read_back is not None else confirmed,
            entries=entries,
            places=places,
            ids={**linked, **result.fates.remote_ids},
            settled=result.fates.settled,
        )

    def row(self, where: str, uid: str, title: str) -> tuple[str, ...]:
        """Return the row of one entry."""
        changes = self.changes.get(uid, [])
        keys = self.keys.get(uid, set()) | {change.key for change in changes}
        status, error = self._status(uid, changes, keys)
        verified = status in ("ok", "unchanged") and bool(keys) and keys <= self.confirmed
        ids = [self.ids[key] for key in sorted(keys) if key in self.ids]
        return (
            where,
            uid,
            title,
            _action(changes),
            status,
            " ".join(map(str, ids)),
            "yes" if verified else "no",
            error,
        )

    def _status(self, uid: str, changes: list[Change], keys: set[Key]) -> tuple[str, str]:
        result = self.result
        if uid in self.troubles:
            return self.troubles[uid]
        if uid in self.conflicts:
            return "conflict", self.conflicts[uid]
        if not all(change.op == "adopt" or change.key in self.settled for change in changes):
            return "unknown", result.record.error or _UNCONFIRMED
        if result.read_back is not None:
            if wrong := [result.read_back.wrong[key] for key in sorted(keys) if key in result.read_back.wrong]:
                return "conflict", wrong[0]
            if changes and not keys <= result.read_back.confirmed:
                return "unknown", _NOT_READ
        return ("ok" if changes else "unchanged"), ""


def _conflicts(prepared: Prepared | None) -> dict[str, str]:
    return {change.key.uid: change.reason for change in prepared.plan.conflicts} if prepared is not None else {}


def _is_elsewhere(problem: Problem, places: Mapping[str, str]) -> bool:
    """Return True if the entry of that uid was not itself rejected, but a second row with its uid was."""
    return problem.kind == "rejected" and problem.where != places.get(problem.key or "", problem.where)


def _troubles(result: PassResult, places: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return why entries were rejected or are held, by uid; `places` are where they stand."""
    found: dict[str, tuple[str, str]] = {}
    for problem in result.prepared.problems if result.prepared else ():
        if (
            problem.kind in ("rejected", "held", "skipped")
            and problem.key is not None
            and not _is_elsewhere(problem, places)
        ):
            found.setdefault(
                _ITEM_PART.sub("", problem.key), (_STATUSES.get(problem.kind, problem.kind), problem.reason)
            )
    for key, fate in result.fates.refused.items():
        found[key.uid] = ("held", fate.reason)
    return found


def _action(changes: list[Change]) -> str:
    ops = {change.op for change in changes}
    return "+".join(op for op in _ACTIONS if op in ops)
