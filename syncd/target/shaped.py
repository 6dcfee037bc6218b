"""What entries became in the last pass of a sync, so that those that are the same need not be shaped again."""

from __future__ import annotations

from collections.abc import Iterable

from syncd.model.entry import Entry
from syncd.target.base import ShapeContext, Shaped, Target


class ShapingMemory:
    """Shapes entries and remembers the outcomes until the next pass; lives exactly as long as the sync's target.

    What an entry becomes depends on the entry, the context and the target, and on nothing else: an outcome is used
    again for an equal entry in an equal context only. Series are not remembered here. Their compiler has a memory of
    its own, which outlives a change of the day and forgets what it is not asked for.
    """

    def __init__(self) -> None:
        self._context: ShapeContext | None = None
        self._single: dict[str, tuple[Entry, Shaped]] = {}

    def shape(self, target: Target, entries: Iterable[Entry], context: ShapeContext) -> list[tuple[Entry, Shaped]]:
        """Return what each of `entries` becomes in `context`, beside it."""
        before = self._single if context == self._context else {}
        found: list[tuple[Entry, Shaped]] = []
        for entry in entries:
            known = before.get(entry.uid)
            if known is None or (known[0] is not entry and known[0] != entry):
                known = (entry, target.shape(entry, context))
            elif known[0] is not entry:
                known = (entry, known[1])  # or the entries of the former snapshot would stay in memory beside these
            found.append(known)
        self._context = context
        self._single = {pair[0].uid: pair for pair in found if _happens_once(pair[0])}
        return found


def _happens_once(entry: Entry) -> bool:
    return entry.recurrence is None and not entry.overrides
