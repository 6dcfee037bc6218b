"""The entries of several calendars by uid: which one counts where two files have the same uid.

in the other file                              what becomes of it
changed occurrences of a series here           they are put into the series
a higher or lower SEQUENCE                     the highest counts
a cancellation (METHOD:CANCEL)                 it takes away what has no higher SEQUENCE, with a line
the same SEQUENCE and start                    rejected, with a line that names both places
the same SEQUENCE and another start            an entry of its own, with a line
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from syncd.lang.saying import say
from syncd.model.entry import Entry, Override, Problem, Timed


def repeated(entry: Entry, seen: Entry) -> Problem:
    """Return the problem of an entry whose uid another one has, which is used."""
    reason = say("the uid {uid!r} stands at {where} already, so this one is not used", uid=entry.uid, where=seen.where)
    return Problem(where=entry.where, kind="rejected", reason=reason, key=entry.uid, title=entry.details.title)


@dataclass(slots=True, kw_only=True)
class Versions:
    """Adds entries to `entries`, those that count by uid, and what there is to tell to `problems`."""

    entries: dict[str, Entry]
    problems: list[Problem]
    _sequences: dict[str, int] = field(default_factory=dict)
    _loose: dict[str, tuple[Override, ...]] = field(default_factory=dict)
    _waiting: dict[str, dict[str, Problem]] = field(default_factory=dict)

    def add(self, entry: Entry, sequence: int, loose: tuple[Override, ...] = ()) -> None:
        """Add an entry; with `loose` it consists of changed occurrences of a series elsewhere.

        `sequence` is twice its SEQUENCE, and one more in a cancellation.
        """
        seen = self.entries.get(entry.uid)
        if seen is None:
            self._take(entry, sequence, loose)
            return
        here = self._loose.get(entry.uid, ())
        known = self._sequences.get(entry.uid, 0)
        if loose and not here:
            self.entries[entry.uid] = _changed(seen, loose, newer=sequence >= known)
        elif here and not loose:
            self._take(self._joined(_changed(entry, here, newer=known >= sequence), sequence), sequence, ())
        elif here and _name(loose[0]) != _name(here[0]):
            self._apart(entry, seen, sequence, loose, f"{loose[0].at.wall:%Y%m%dT%H%M%S}")
        elif sequence != known:
            newer, older = (entry, seen) if sequence > known else (seen, entry)
            if max(sequence, known) % 2 and older.details.status != "CANCELLED":
                reason = say(
                    "it cancels «{title}» at {where}, which is taken off the calendar",
                    title=older.details.title,
                    where=older.where,
                )
                self.problems.append(Problem(where=newer.where, kind="warning", reason=reason, key=entry.uid))
            if newer is entry:
                self._take(entry, sequence, loose)
        elif _start(entry) != _start(seen):
            self._apart(entry, seen, sequence, loose, _start(entry))
        else:
            self.problems.append(repeated(entry, seen))

    def _take(self, entry: Entry, sequence: int, loose: tuple[Override, ...]) -> None:
        self.entries[entry.uid] = entry
        # Most entries have neither, and 100,000 of them must fit in little memory.
        self._sequences.pop(entry.uid, None)
        self._loose.pop(entry.uid, None)
        if sequence:
            self._sequences[entry.uid] = sequence
        if loose:
            self._loose[entry.uid] = loose

    def _apart(self, entry: Entry, seen: Entry, sequence: int, loose: tuple[Override, ...], start: str) -> None:
        reason = say(
            "the uid {uid!r} stands at {where} with another start; each is an entry of its own",
            uid=entry.uid,
            where=seen.where,
        )
        problem = Problem(where=entry.where, kind="warning", reason=reason, key=entry.uid)
        self.problems.append(problem)
        named = f"{entry.uid}#{start}"
        if loose:
            self._waiting.setdefault(entry.uid, {}).setdefault(named, problem)
        self.add(replace(entry, uid=named), sequence, loose)

    def _joined(self, series: Entry, sequence: int) -> Entry:
        """Return a series with the changed occurrences that came before it and were taken for entries of their own."""
        for named, problem in self._waiting.pop(series.uid, {}).items():
            loose = self._loose.pop(named, ())
            series = _changed(series, loose, newer=self._sequences.pop(named, 0) >= sequence)
            if loose:
                del self.entries[named]
                self.problems.remove(problem)
        return series


def _changed(entry: Entry, overrides: tuple[Override, ...], *, newer: bool) -> Entry:
    """Return the series with changed occurrences of another file; of two for one occurrence the newer counts."""
    named = {_name(one): one for one in entry.overrides}
    for one in overrides:
        title = one.details.title or entry.details.title
        if newer or _name(one) not in named:
            named[_name(one)] = replace(one, details=replace(one.details, title=title))
    return replace(entry, overrides=tuple(named.values()))


def _name(override: Override) -> tuple[object, bool]:
    return override.at, override.this_and_future


def _start(entry: Entry) -> str:
    span = entry.span
    return f"{span.start if isinstance(span, Timed) else span.first:%Y%m%dT%H%M%S}"
