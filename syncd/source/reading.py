"""Several files read as one snapshot: the source behind csv and ics, whatever the files hold.

A uid belongs to the file that has it first (files are taken in the order of their names); a file that cannot be used
makes the snapshot incomplete, and only when none can be used is there an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from glob import has_magic
from hashlib import blake2b
from pathlib import Path

from syncd import collector
from syncd.errors import SourceError
from syncd.model.entry import Entry, Problem, Snapshot
from syncd.source import files
from syncd.source.base import ReadContext


@dataclass(slots=True, kw_only=True)
class Part:
    """What one file holds, while it is being put together.

    `rejected` are uids that stand in the file and could not be used; `incomplete` says why absence may not be trusted.
    """

    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    rejected: set[str] = field(default_factory=set)
    incomplete: str = ""

    def reject(self, where: str, uid: str, reason: str, title: str = "") -> None:
        """Note that the thing at `where` cannot be used; without a uid nobody can say which entry is missing."""
        self.problems.append(Problem(where=where, kind="rejected", reason=reason, key=uid or None, title=title))
        if uid:
            self.rejected.add(uid)
        else:
            self.incomplete = self.incomplete or f"{where} could not be read, so it is not known which entry it is"

    def warn(self, where: str, reason: str, uid: str = "") -> None:
        """Note something that was passed over and does not keep the entry from being used."""
        self.problems.append(Problem(where=where, kind="warning", reason=reason, key=uid or None))


Parse = Callable[[str, bytes, ReadContext], Part]
"""Turns a file's name and bytes into its part; raises SourceError when the file as a whole is of no use."""

Begin = Callable[[], Parse]
"""Starts a reading of all files and gives what parses each of them."""


class Assembly:
    """Makes one snapshot of the bytes of several files, by what `begin` gives; the same bytes give the same snapshot.

    `settings` names all options that change what is read. With `by_file` a file that has not changed is not parsed
    again when another one has; what `begin` gives may have a finer memory of its own.
    """

    def __init__(self, *, begin: Begin, settings: str, by_file: bool = False) -> None:
        self._begin = begin
        self._settings = settings
        self._by_file = by_file
        self._parts: dict[bytes, Part] = {}
        self.last: Snapshot | None = None

    def snapshot(
        self, found: Sequence[files.FileBytes], unread: Sequence[tuple[str, SourceError]], context: ReadContext
    ) -> Snapshot:
        """Return what the files hold; `unread` are those that could not be read, with the reason.

        Raises SourceError when none of them can be used. Blocking; `last` is the snapshot returned last.
        """
        digests = self._digests(found, context)
        marker = self._marker(digests, unread, context)
        if self.last is None or self.last.changed_marker != marker:
            with collector.resting():
                self.last = self._combine(found, digests, unread, context, marker)
        return self.last

    def circumstances(self, context: ReadContext) -> str:
        """Return all that the same bytes are read by."""
        return repr((self._settings, context.zone, context.moments, context.today.year))

    def _combine(
        self,
        found: Sequence[files.FileBytes],
        digests: Sequence[bytes],
        unread: Iterable[tuple[str, SourceError]],
        context: ReadContext,
        marker: str,
    ) -> Snapshot:
        parts: list[Part] = []
        parse = self._begin()
        errors = dict(unread)
        before, self._parts = self._parts, {}
        for file, digest in zip(found, digests, strict=True):
            part = before.get(digest)
            if part is None:
                try:
                    part = parse(file.name, file.content, context)
                except SourceError as error:
                    errors[file.name] = error
                    continue
                part.incomplete = part.incomplete or file.unsettled
            if self._by_file:
                self._parts[digest] = part
            parts.append(part)
        if errors and not parts:
            raise next(iter(errors.values()))
        return join(parts, errors, marker)

    def _digests(self, found: Sequence[files.FileBytes], context: ReadContext) -> list[bytes]:
        """Return a name for what each file holds and how it is read."""
        under = self.circumstances(context).encode()
        digests = []
        for file in found:
            seen = blake2b(under, digest_size=16)
            seen.update(repr((file.name, file.unsettled)).encode())
            seen.update(file.content)
            digests.append(seen.digest())
        return digests

    def _marker(self, digests: Iterable[bytes], unread: Iterable[tuple[str, SourceError]], context: ReadContext) -> str:
        seen = blake2b(self.circumstances(context).encode(), digest_size=16)
        for digest in digests:
            seen.update(digest)
        for name, error in unread:
            seen.update(repr((name, str(error))).encode())
        return seen.hexdigest()


class FileSource:
    """A source of the files that a path means."""

    def __init__(self, *, path: str, base: Path, suffix: str, assembly: Assembly) -> None:
        self._path = path
        self._base = base
        self._suffix = suffix
        self._assembly = assembly

    def describe(self) -> str:
        """Name the kind of source and its path."""
        return f"{self._suffix.lstrip('.')} {self._path}"

    def files(self) -> tuple[Path, ...]:
        """Return the files a reading would take now, () when there are none; blocking."""
        try:
            return tuple(self._base / name for name in files.locate(self._path, self._base, self._suffix))
        except SourceError:
            return ()

    def folder(self) -> tuple[Path, bool]:
        """Return the directory in which the files are, or appear, and whether they may lie deeper in it."""
        place = self._base / self._path
        if place.is_dir():
            return place, False
        below = 0
        while has_magic(str(place)):
            place, below = place.parent, below + 1
        return (place, below > 1) if below else (place.parent, False)

    async def read(self, context: ReadContext) -> Snapshot:
        """Read all files now; the same bytes as last time give the same snapshot without parsing.

        Raises SourceError when there is no file or none of them can be used.
        """
        return await asyncio.to_thread(self._read, context)

    def _read(self, context: ReadContext) -> Snapshot:
        found: list[files.FileBytes] = []
        unread: list[tuple[str, SourceError]] = []
        for name in files.locate(self._path, self._base, self._suffix):
            try:
                found.append(files.read(name, self._base))
            except SourceError as error:
                unread.append((name, error))
        return self._assembly.snapshot(found, unread, context)


def _second(entry: Entry, reason: str) -> Problem:
    return Problem(where=entry.where, kind="rejected", reason=reason, key=entry.uid, title=entry.details.title)


def join(parts: Iterable[Part], errors: dict[str, SourceError], marker: str) -> Snapshot:
    """Return the snapshot of several files, entries in their order; a uid met again is rejected, naming both places."""
    first: dict[str, Entry] = {}
    problems: list[Problem] = []
    rejected: set[str] = set()
    because = [str(error) for error in errors.values()]
    for part in parts:
        for entry in part.entries:
            seen = first.setdefault(entry.uid, entry)
            if seen is not entry:
                reason = f"the uid {entry.uid!r} stands at {seen.where} already, so this one is not used"
                problems.append(_second(entry, reason))
        problems.extend(part.problems)
        rejected |= part.rejected
        if part.incomplete:
            because.append(part.incomplete)
    problems.extend(Problem(where=name, kind="incomplete", reason=str(error)) for name, error in errors.items())
    return Snapshot(
        entries=tuple(first.values()),
        problems=tuple(problems),
        complete=not because,
        incomplete_because="; ".join(because[:3]) + (f"; and {len(because) - 3} more" if len(because) > 3 else ""),
        rejected_uids=frozenset(rejected - first.keys()),
        changed_marker=marker,
    )
