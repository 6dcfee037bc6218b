"""A memory of what entries were compiled into: the same results, without compiling again what has not changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

import msgspec

from syncd.model.entry import Entry, Window
from syncd.model.recurrence.compile import compile_in, compile_once
from syncd.model.recurrence.conditions import Conditions
from syncd.model.recurrence.piece import Compiled
from syncd.model.recurrence.records import SeriesRecord, record_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    entry: Entry
    portal_zone: str
    compiled: Compiled
    conditions: Conditions


class CompilerMemory:
    """`compile_entry` with a memory; `compiled` counts the series that it could not answer from memory,
    and `begun` is True after the first question.

    `records` are what it knows, for a memory in another process, which takes them up by `learn`. `unkept` counts what
    was compiled since the keeper of the records set it to 0.
    """

    def __init__(self) -> None:
        self.begun = False
        self._turn: object = None
        self._before: dict[str, _Kept] = {}
        self._now: dict[str, _Kept] = {}
        self._learned: dict[str, SeriesRecord] = {}
        self.compiled = self.unkept = 0

    @property
    def known(self) -> int:
        """How many series this pass has asked for."""
        return len(self._now)

    def learn(self, records: Iterable[SeriesRecord]) -> None:
        """Use these `records` too, each until its series is asked for; what they do not fit is compiled."""
        self._learned = {record.uid: record for record in records}

    def records(self) -> tuple[SeriesRecord, ...]:
        """Return what the last pass asked for, as far as it can be kept."""
        kept = self._now.values()
        found = (record_of(one.entry, one.portal_zone, one.compiled, one.conditions) for one in kept)
        return tuple(record for record in found if record is not None)

    def _recalled(self, entry: Entry, portal_zone: str) -> _Kept | None:
        record = self._learned.pop(entry.uid, None)
        found = record.compiled(entry, portal_zone) if record is not None else None
        if found is None:
            return None
        compiled, conditions = found
        return _Kept(entry=entry, portal_zone=portal_zone, compiled=compiled, conditions=conditions)

    def compile(self, entry: Entry, *, window: Window, portal_zone: str, today: date, turn: object) -> Compiled:
        """Return what `compile_entry` returns.

        `turn` is any object that stands for the pass. With a new one, what only the pass before the last asked for is
        forgotten.
        """
        if turn is not self._turn:
            self._turn, self._before, self._now, self.begun = turn, self._now, {}, True
        if entry.recurrence is None and not entry.overrides:
            return compile_once(entry, window, portal_zone)
        kept = self._now.get(entry.uid) or self._before.get(entry.uid) or self._recalled(entry, portal_zone)
        compiled = None
        if kept is not None and kept.portal_zone == portal_zone and kept.conditions.hold(window, today):
            compiled = _same_elsewhere(kept, entry)
        if kept is None or compiled is None:
            self.compiled += 1
            self.unkept += 1
            conditions = Conditions(window, today)
            compiled = compile_in(entry, conditions, portal_zone)
            kept = _Kept(entry=entry, portal_zone=portal_zone, compiled=compiled, conditions=conditions)
        elif compiled is not kept.compiled:
            kept = replace(kept, entry=entry, compiled=compiled)
        self._now[entry.uid] = kept
        return compiled


def _same_elsewhere(kept: _Kept, entry: Entry) -> Compiled | None:
    """Return what was kept if `entry` is the same, wherever it is in its file by now; None if it is not."""
    old = kept.entry
    if old is entry or old == entry:
        return kept.compiled
    if kept.compiled.problems or len(old.overrides) != len(entry.overrides):
        return None
    pairs = tuple(zip(old.overrides, entry.overrides, strict=True))
    here = tuple(replace(now, where=before.where) for before, now in pairs)
    if replace(entry, where=old.where, overrides=here) != old:
        return None
    places = {before.where: now.where for before, now in pairs} | {old.where: entry.where}
    pieces = tuple(msgspec.structs.replace(piece, where=places[piece.where]) for piece in kept.compiled.pieces)
    return msgspec.structs.replace(kept.compiled, pieces=pieces)
