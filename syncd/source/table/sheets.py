"""Several sheets of one workbook, such as one for each month: which are meant, and their rows as one part."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from syncd.errors import ConfigError
from syncd.lang.saying import joined, say
from syncd.model.entry import Entry
from syncd.source.files import Part
from syncd.source.versions import repeated

SheetChoice = str | int | list[str | int] | None
"""The key `sheet`: a name, a number from 1, a pattern such as "*" or "* 2026", a list; or None, the first visible."""


def check_choice(sheet: SheetChoice, *, where: str) -> None:
    """Raise ConfigError, beginning with `where`, for a choice that means no sheet."""
    if sheet == []:
        raise ConfigError(
            say("{where}: sheet = [] names no sheet", where=where), say('a name, a number from 1, or "*" for all')
        )
    for one in sheet if isinstance(sheet, list) else [sheet]:
        if isinstance(one, int) and one < 1:
            raise ConfigError(
                say("{where}: sheet = {one} is no sheet", where=where, one=one), say("a name, or a number from 1")
            )


def is_several(sheet: SheetChoice) -> bool:
    """Return True if the choice may mean more than one sheet; no sheet has a "*" in its name."""
    return isinstance(sheet, list) or (isinstance(sheet, str) and "*" in sheet)


def matching(names: Sequence[str], pattern: str) -> tuple[str, ...]:
    """Return the names that a pattern with "*" means, in any case."""
    return tuple(name for name in names if fnmatchcase(name.strip().casefold(), pattern.strip().casefold()))


def merged(parts: Sequence[Part]) -> Part:
    """Return what several sheets hold as one part; of two rows with one uid the first counts, as in several files."""
    whole = Part()
    first: dict[str, Entry] = {}
    for part in parts:
        for entry in part.entries:
            seen = first.setdefault(entry.uid, entry)
            if seen is not entry:
                whole.problems.append(repeated(entry, seen))
        whole.problems.extend(part.problems)
        whole.rejected |= part.rejected
        whole.unnamed.extend(part.unnamed)
        whole.without_row = whole.without_row or part.without_row
    whole.entries = list(first.values())
    # A reason that is not a row without a uid says that more may be missing, and goes before those that are.
    reasons = [part.incomplete for part in parts if part.incomplete]
    graver = [part.incomplete for part in parts if part.incomplete != part.without_row]
    whole.incomplete = joined(graver) or next(iter(reasons), "")
    return whole
