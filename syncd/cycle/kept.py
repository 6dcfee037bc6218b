"""The entries that a pass keeps: what the filter lets through, and what a directory lacks for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from syncd.errors import EntryError
from syncd.lang.saying import say_count
from syncd.model.entry import Entry, Problem
from syncd.model.filter import NO_FILTER, Filter
from syncd.model.item import Place
from syncd.portal.people.directory import Directory
from syncd.target.base import Target, crashed

_AT_ONCE = 500
"""How many entries of a stream are in memory at once."""
UNRESOLVED_AGE_S = 900.0
"""How old the directory may be when somebody is missing in it, or a section that may not be written to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The entries that pass the sync's filter; `doubtful` are uids it could not be applied to, with a problem each.

    `left_out` are the uids of the others. `lacking` are, where it is known, the entries among which all are that need
    somebody who is not in the directory, or a section that is not or cannot be written to.
    """

    entries: Sequence[Entry]
    problems: tuple[Problem, ...] = ()
    doubtful: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    lacking: Sequence[Entry] | None = None

    def only(self, uids: Collection[str]) -> Kept:
        """Return these with no entries but those of `uids`."""
        return replace(self, entries=tuple(one for one in self.entries if one.uid in uids))


@dataclass(slots=True)
class Sieve:
    """The filter of the sync of that name at work: what it lets through, and what there is to tell of the rest.

    `passed` counts what it let through, and `has_series` tells whether any of that happens more than once.
    """

    chosen: Filter
    sync: str
    has_series: bool = False
    passed: int = 0
    _problems: list[Problem] = field(default_factory=list)
    _left_out: set[str] = field(default_factory=set)

    def passing(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield those of `entries` that pass."""
        all_pass = self.chosen == NO_FILTER
        for entry in entries:
            if all_pass or self._passes(entry):
                self.passed += 1
                if entry.recurrence is not None or entry.overrides:
                    self.has_series = True
                yield entry

    def _passes(self, entry: Entry) -> bool:
        try:
            if self.chosen.passes(entry):
                return True
            self._left_out.add(entry.uid)
        except EntryError as error:
            title = entry.details.title
            problem = Problem(where=entry.where, kind="rejected", key=entry.uid, reason=str(error), title=title)
            self._problems.append(problem)
        except Exception as error:  # noqa: BLE001 - what one entry meets must not stop the others
            self._problems.append(crashed(entry, error))
        return False

    def kept(self, entries: Sequence[Entry], number: int) -> Kept:
        """Return `entries`, which are those that passed, with all else that is known; `number` were there in all."""
        problems = self._problems
        doubtful = frozenset(problem.key for problem in problems if problem.key is not None)
        if number and not self.passed and not problems:  # as good as always a slip of the pen
            reason = say_count(
                "[sync.filter] leaves out all {count:,} entry of the source",
                "[sync.filter] leaves out all {count:,} entries of the source",
                number,
            )
            problems.append(Problem(where=self.sync, kind="warning", reason=reason))
        left_out = frozenset(self._left_out)
        return Kept(entries=entries, problems=tuple(problems), doubtful=doubtful, left_out=left_out)


def is_lacking(target: Target, entries: Sequence[Entry], directory: Directory) -> bool:
    """Return True if somebody of `entries` is missing in `directory`, or has a section that may not be written to.

    Rights that were taken away and given back are noticed in no other way: what may not be written to is never tried.
    """
    if any(not target.places((entry,), directory) for entry in entries):
        return True
    return any(is_refused(directory, place, target.section_name) for place in target.places(entries, directory))


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


@dataclass(slots=True)
class Lacking:
    """Finds the entries for which the portal may have to be asked: `directory` lacks somebody, or a section.

    It lacks a section if those of the calendar are not known, or nothing can be written into that one.
    """

    target: Target
    directory: Directory
    found: list[Entry] = field(default_factory=list)
    _known: set[Place] = field(default_factory=set)

    def watching(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """Yield `entries`, having looked at them: at some hundreds at once, as nearly always nothing is missing."""
        while some := tuple(islice(entries, _AT_ONCE)):
            if self._lacks(some):
                self.found += (one for one in some if self._lacks((one,)))
            yield from some

    def look_at(self, entry: Entry) -> None:
        """Look at an entry without items, which may be one that has no place."""
        if not self.target.places((entry,), self.directory):
            self.found.append(entry)

    def _lacks(self, entries: Sequence[Entry]) -> bool:
        target, directory = self.target, self.directory
        new = target.places(entries, directory) - self._known
        bad = {
            place
            for place in new
            if (not place.on_card and is_missing(directory, place)) or is_refused(directory, place, target.section_name)
        }
        self._known |= new - bad
        sought = target.sought(entries, directory)
        return bool(bad) or not all(map(directory.clients.has_one, sought))
