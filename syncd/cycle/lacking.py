"""What a directory lacks for entries: somebody whom they name, or a section into which something can be written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from syncd.errors import EntryError
from syncd.model.entry import Entry
from syncd.model.item import Place
from syncd.portal.people.directory import Directory
from syncd.target.base import Target

_AT_ONCE = 500
"""How many entries of a stream are in memory at once."""


def lacks_section(directory: Directory, place: Place, label: str) -> bool:
    """Return True if the sections of a calendar are not known, or nothing can be written into the one `label`."""
    return (not place.on_card and is_missing(directory, place)) or is_refused(directory, place, label)


def is_missing(directory: Directory, place: Place) -> bool:
    """Return True if the portal has to be asked for a calendar.

    Where a section would be of no use, the right may have been granted since.
    """
    return not directory.knows(place) or str(place) in directory.barred


def is_refused(directory: Directory, place: Place, label: str) -> bool:
    """Return True if nothing can be written into the section `label` of a place."""
    try:
        directory.section(place, label)
    except EntryError:
        return True
    return False


class Lacking:
    """Finds the entries for which the portal may have to be asked: `directory` lacks somebody, or a section."""

    def __init__(self, target: Target, directory: Directory) -> None:
        self.found: list[Entry] = []
        self._target = target
        self._directory = directory
        self._known: set[Place] = set()

    def watching(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """Yield `entries`, having looked at them: at some hundreds at once, as nearly always nothing is missing."""
        while some := tuple(islice(entries, _AT_ONCE)):
            if self._lacks(some):
                self.found += (one for one in some if self._lacks((one,)))
            yield from some

    def look_at(self, entry: Entry) -> None:
        """Look at an entry without items, which may be one that has no place."""
        if not self._target.places((entry,), self._directory):
            self.found.append(entry)

    def _lacks(self, entries: Sequence[Entry]) -> bool:
        directory = self._directory
        new = self._target.places(entries, directory) - self._known
        bad = {place for place in new if lacks_section(directory, place, self._target.section_name)}
        self._known |= new - bad
        sought = self._target.sought(entries, directory)
        return bool(bad) or not all(map(directory.clients.has_one, sought))
