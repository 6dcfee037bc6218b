"""What became of the events that share a UID (grouping.py)."""

from __future__ import annotations

from dataclasses import dataclass

from syncd.model.bulk import bulk_dataclass
from syncd.model.entry import Entry, Override, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusual:
    """What only some groups have: further entries, overrides whose series is not in the file, doubt about names."""

    entries: tuple[Entry, ...] = ()
    loose: tuple[Override, ...] = ()
    incomplete: str = ""


@bulk_dataclass(frozen=True, slots=True, kw_only=True)
class GroupResult:
    """What became of a group: an entry or None, problems, and rejected uids; `lines` are those of its components.

    `sequence` orders versions as `VEvent.rank` does: it is the highest of the group.
    """

    lines: tuple[int, ...]
    entry: Entry | None
    problems: tuple[Problem, ...] = ()
    rejected: tuple[str, ...] = ()
    sequence: int = 0
    unusual: Unusual | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries of the group."""
        further = self.unusual.entries if self.unusual is not None else ()
        return (self.entry, *further) if self.entry is not None else further
