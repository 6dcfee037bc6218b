"""Compiles entries and remembers the outcomes from one pass to the next, so that an unchanged series costs nothing.

Bounded to what the last pass asked for. It never answers for another entry, portal zone, window or day than those that
give the same pieces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import msgspec

from syncd.model.entry import Entry
from syncd.model.recurrence.circumstances import Circumstances
from syncd.model.recurrence.compile import Compiled, compile_in, compile_once
from syncd.model.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    entry: Entry
    portal_zone: str
    compiled: Compiled
    circumstances: Circumstances


class CompilerMemory:
    """`compile_entry` with a memory; `compiled` counts the series it could not answer from memory."""

    def __init__(self) -> None:
        self._turn: object = None
        self._before: dict[str, _Kept] = {}
        self._now: dict[str, _Kept] = {}
        self.compiled = 0

    def compile(self, entry: Entry, *, window: Window, portal_zone: str, today: date, turn: object) -> Compiled:
        """Return what `compile_entry` returns.

        `turn` is any object that stands for the pass: with a new one, what the pass before the last left is forgotten.
        """
        if turn is not self._turn:
            self._turn, self._before, self._now = turn, self._now, {}
        if entry.recurrence is None and not entry.overrides:
            return compile_once(entry, window, portal_zone)
        kept = self._now.get(entry.uid) or self._before.get(entry.uid)
        compiled = None
        if kept is not None and kept.portal_zone == portal_zone and kept.circumstances.hold(window, today):
            compiled = _same_elsewhere(kept, entry)
        if kept is None or compiled is None:
            self.compiled += 1
            circumstances = Circumstances(window, today)
            compiled = compile_in(entry, circumstances, portal_zone)
            kept = _Kept(entry=entry, portal_zone=portal_zone, compiled=compiled, circumstances=circumstances)
        elif compiled is not kept.compiled:
            kept = replace(kept, entry=entry, compiled=compiled)
        self._now[entry.uid] = kept
        return compiled


def _same_elsewhere(kept: _Kept, entry: Entry) -> Compiled | None:
    """Return what was kept when `entry` is the same, wherever it stands in its file by now; None when it is not."""
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
