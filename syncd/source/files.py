"""Bytes of files to one snapshot: a `FileFormat` turns each file into a `Part`, and an `Assembly` joins the parts."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from typing import Protocol, runtime_checkable

from syncd import collector
from syncd.errors import ConfigError, SourceError, TransientSourceError, without_frames
from syncd.lang.saying import joined, say
from syncd.log import entry_crashed
from syncd.model.entry import Again, Entry, Override, Problem, Snapshot, telling
from syncd.model.stowed import MANY, Stowed
from syncd.source.base import EntryStream, ReadContext
from syncd.source.field_values import damaged, shown
from syncd.source.versions import Versions, repeated

_REASONS_SHOWN = 3


@dataclass(slots=True, kw_only=True)
class Part:
    """What one file holds, while it is being put together.

    `rejected` are uids that are in the file and cannot be used; `incomplete` says why absence cannot be trusted;
    `assumed` is what was taken for granted, because the file does not say it. `sequences` are the versions of the
    entries, in their order, if the format has any, and `loose` changed occurrences by the uid of a series that is not
    in the file. `unnamed` are title and owner of what was rejected without a uid, "" where they cannot be read, and
    `without_row` is the reason why that makes the part incomplete.
    """

    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    rejected: set[str] = field(default_factory=set)
    incomplete: str = ""
    assumed: str = ""
    sequences: list[int] = field(default_factory=list)
    loose: dict[str, tuple[Override, ...]] = field(default_factory=dict)
    unnamed: list[tuple[str, str]] = field(default_factory=list)
    without_row: str = ""

    def add(self, entry: Entry, sequence: int) -> None:
        """Add an entry of a format with versions."""
        self.entries.append(entry)
        self.sequences.append(sequence)

    def reject(self, where: str, uid: str, reason: str, title: str = "", owner: str = "") -> None:
        """Note that the thing at `where` cannot be used. Without a uid the part becomes incomplete.

        Any entry that is missing from the part might be the one rejected, so none of them may be deleted. A uid or
        title with bytes that are no text counts as none.
        """
        uid, title, reason = "" if damaged(uid) else uid, "" if damaged(title) else title, shown(reason)
        self.problems.append(Problem(where=where, kind="rejected", reason=reason, key=uid or None, title=title))
        if uid:
            self.rejected.add(uid)
        else:
            self.unnamed.append((title, "" if damaged(owner) else owner))
            self.without_row = self.without_row or say(
                "{where} could not be read, so it is not known which entry it is", where=where
            )
            self.incomplete = self.incomplete or self.without_row

    def warn(self, where: str, reason: str, uid: str = "") -> None:
        """Note something that was ignored and does not keep the entry from being used."""
        self.problems.append(Problem(where=where, kind="warning", reason=shown(reason), key=uid or None))


@dataclass(slots=True, eq=False, repr=False)
class FirstLines:
    """The line of a table on which each uid stood first.

    Of a million rows the numbers take eight bytes each, until a uid comes twice: then somebody asks for them.
    """

    _uids: dict[str, None] = field(default_factory=dict)
    _numbers: array[int] = field(default_factory=partial(array, "q"))
    _lines: dict[str, int | str] | None = None

    def first(self, uid: str, line: int | str) -> int | str:
        """Return the line on which `uid` stood first, which is `line` if it has not been there before."""
        if self._lines is None and isinstance(line, int):
            before = len(self._uids)
            self._uids[uid] = None
            if len(self._uids) > before:
                self._numbers.append(line)
                return line
        if self._lines is None:
            self._lines = dict(zip(self._uids, self._numbers, strict=True))
        return self._lines.setdefault(uid, line)

    def __contains__(self, uid: str) -> bool:
        return uid in (self._uids if self._lines is None else self._lines)


class FileFormat(Protocol):
    """Turns the bytes of files of one kind into parts.

    With `by_file` the part of a file depends on its bytes and the context only, so an unchanged file need not be parsed
    again when another one has changed. A format without it may remember smaller pieces than files itself.
    """

    @property
    def suffix(self) -> str:
        """How names of such files end, in lower case (".csv")."""
        ...

    @property
    def by_file(self) -> bool:
        """Whether parts of unchanged files may be kept."""
        ...

    def begin(self) -> None:
        """Start a reading of all files; what was remembered before the last one is forgotten."""
        ...

    def end(self) -> None:
        """End that reading, and give up what was needed only for it."""
        ...

    def parse(self, name: str, content: bytes, context: ReadContext) -> Part:
        """Return what a file holds; raises SourceError if the file as a whole cannot be used."""
        ...


@runtime_checkable
class StreamingFormat(Protocol):
    """A format that can also give entries one after the other, no two with the same uid and without versions."""

    def stream(self, name: str, content: bytes, context: ReadContext) -> Generator[Entry, None, Part]:
        """Yield the entries of a file, and return its part without them; raises SourceError like `FileFormat.parse`."""
        ...

    @property
    def streams(self) -> bool:
        """Whether it can do so with its options."""
        ...


def collected(entries: Generator[Entry, None, Part]) -> Part:
    """Return the part that `StreamingFormat.stream` returns, with its entries."""
    parts: list[Part] = []
    found = list(telling(entries, parts.append))
    parts[0].entries = found
    return parts[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBytes:
    """One file as it was read; `unsettled` says why its bytes may be only a part of it, or is empty."""

    name: str
    content: bytes
    unsettled: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """Files before they are parsed: their bytes with a digest each, those that could not be read, and the marker."""

    found: Sequence[FileBytes]
    digests: Sequence[bytes]
    unread: Sequence[tuple[str, SourceError]]
    marker: str


class Assembly:
    """Makes one snapshot of the bytes of several files; the same bytes give the same snapshot object.

    Unless what reads them failed: then they are tried again. `settings` holds all options that change what is read.
    `last` is the snapshot returned last.
    """

    def __init__(self, file_format: FileFormat, *, settings: str) -> None:
        self._format = file_format
        self._settings = settings
        self._parts: dict[bytes, Part] = {}
        self.last: Snapshot | None = None
        self._try_again = False

    def circumstances(self, context: ReadContext) -> str:
        """Return everything apart from the bytes that the entries depend on."""
        return repr((self._settings, context.zone, context.filter, context.today.year))

    def snapshot(
        self, found: Sequence[FileBytes], unread: Sequence[tuple[str, SourceError]], context: ReadContext
    ) -> Snapshot:
        """Return what the files hold; `unread` are those that could not be read, with the reason. Blocking.

        Raises SourceError if none of them can be used.
        """
        return self.parsed(self.weighed(found, unread, context), context)

    def weighed(
        self, found: Sequence[FileBytes], unread: Sequence[tuple[str, SourceError]], context: ReadContext
    ) -> Weighed:
        """Return the files with the marker that their snapshot will have; nothing is parsed. Blocking."""
        under = self.circumstances(context).encode()
        digests: list[bytes] = []
        for file in found:
            seen = blake2b(under, digest_size=16)
            seen.update(repr((file.name, file.unsettled)).encode())
            seen.update(file.content)
            digests.append(seen.digest())
        marker = blake2b(under + b"".join(digests), digest_size=16)
        for name, error in unread:
            marker.update(repr((name, str(error))).encode())
        return Weighed(found=found, digests=digests, unread=unread, marker=marker.hexdigest())

    def parsed(self, files: Weighed, context: ReadContext) -> Snapshot:
        """Return what `files` hold. Blocking. Raises SourceError if none of them can be used."""
        if self.last is None or self._try_again or self.last.changed_marker != files.marker:
            # A large file makes millions of objects that live on; looking for garbage among them doubles the time.
            with collector.resting():
                self.last = None  # of large sources there is no room for two
                errors = dict(files.unread)
                parts = self._parse(files.found, files.digests, errors, context)
                self.last = join(parts, errors, files.marker)
                if len(self.last.entries) >= MANY:
                    self.last = replace(self.last, entries=Stowed(self.last.entries))
                self._try_again = any(isinstance(error, TransientSourceError) for error in errors.values())
        return self.last

    def streamed(self, files: Weighed, context: ReadContext) -> Callable[[], EntryStream] | None:
        """Return what parses `files` without keeping their entries; None if that cannot be, or they are parsed already.

        Of several files the entries have to be compared.
        """
        is_known = self.last is not None and self.last.changed_marker == files.marker
        can = isinstance(self._format, StreamingFormat) and self._format.streams
        if is_known or not can or len(files.found) != 1 or files.unread:
            return None
        return partial(self._stream, files, context)

    def _stream(self, files: Weighed, context: ReadContext) -> EntryStream:
        assert isinstance(self._format, StreamingFormat)
        self.last, self._parts = None, {}
        (file,) = files.found
        count = 0
        try:
            entries = self._format.stream(file.name, file.content, context)
            parts: list[Part] = []
            for entry in telling(entries, parts.append):
                count += 1
                yield entry
        except (ConfigError, SourceError):
            raise
        except Exception as error:  # noqa: BLE001 - as in _part
            raise _crashed(file, error) from None
        snapshot = join([_as_settled(parts[0], file)], {}, files.marker)
        return replace(snapshot, entries=Again(count, partial(self._stream, files, context)))

    def _parse(
        self,
        found: Sequence[FileBytes],
        digests: Sequence[bytes],
        errors: dict[str, SourceError],
        context: ReadContext,
    ) -> list[Part]:
        """Return the parts of the files that can be used; adds the other ones to `errors`."""
        parts: list[Part] = []
        before, self._parts = self._parts, {}
        self._format.begin()
        try:
            for file, digest in zip(found, digests, strict=True):
                part = before.get(digest)
                if part is None and (part := self._part(file, errors, context)) is None:
                    continue
                if self._format.by_file and len(digests) > 1:  # the only file is as before, or parsed again
                    self._parts[digest] = part
                parts.append(part)
        finally:
            self._format.end()
        # With one usable file the others are only missing; with none there is no schedule.
        if errors and not parts:
            raise next(iter(errors.values()))
        return parts

    def _part(self, file: FileBytes, errors: dict[str, SourceError], context: ReadContext) -> Part | None:
        try:
            part = self._format.parse(file.name, file.content, context)
        except SourceError as error:
            errors[file.name] = without_frames(error)
            return None
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001 - what one file meets must not stop the others
            errors[file.name] = _crashed(file, error)
            return None
        return _as_settled(part, file)


def _crashed(file: FileBytes, error: Exception) -> SourceError:
    """Return the error of a file for an `error` that nobody foresaw while it was parsed."""
    reason = entry_crashed(file.name, error)
    return TransientSourceError(say("{name} cannot be read: {reason}", name=file.name, reason=reason))


def _as_settled(part: Part, file: FileBytes) -> Part:
    """Return the part of a file, incomplete if the file was being written.

    That says nothing about what its bytes mean.
    """
    if file.unsettled:
        part.incomplete = part.incomplete or file.unsettled
        part.unnamed.append(("", ""))  # whatever may be missing
    return part


def join(parts: Sequence[Part], errors: Mapping[str, SourceError], marker: str) -> Snapshot:
    """Return the snapshot of several files, entries in their order.

    `errors` are files that could not be used, by name. Rows of a table have no versions: a second entry with
    a uid is rejected with a reason that names both places. Where two calendars have the same uid, `Versions` decides.
    """
    first: dict[str, Entry] = {}
    problems: list[Problem] = []
    versions = Versions(entries=first, problems=problems)
    rejected: set[str] = set()
    because = [str(error) for error in errors.values()]
    assumed = tuple(part.assumed for part in parts if part.assumed)
    for part in parts:
        if part.sequences:
            for entry, sequence in zip(part.entries, part.sequences, strict=True):
                versions.add(entry, sequence, part.loose.get(entry.uid, ()))
        else:
            for entry in part.entries:
                seen = first.setdefault(entry.uid, entry)
                if seen is not entry:
                    problems.append(repeated(entry, seen))
        problems.extend(part.problems)
        rejected |= part.rejected
        if part.incomplete:
            because.append(part.incomplete)
    problems.extend(Problem(where=name, kind="incomplete", reason=str(error)) for name, error in errors.items())
    told, more = joined(because[:_REASONS_SHOWN]), len(because) - _REASONS_SHOWN
    return Snapshot(
        entries=tuple(first.values()),
        problems=tuple(problems),
        complete=not because,
        incomplete_because=say("{reasons}; and {more} more", reasons=told, more=more) if more > 0 else told,
        # A uid that is rejected in one file and good in another is there.
        rejected_uids=frozenset(rejected - first.keys()),
        changed_marker=marker,
        assumed=assumed,
        unnamed=None if errors else _unnamed(parts) if because else frozenset(),
    )


def _unnamed(parts: Sequence[Part]) -> frozenset[tuple[str, str]] | None:
    """Return title and owner of what was rejected without a uid, None if more is missing than what has these titles."""
    unnamed = frozenset(one for part in parts for one in part.unnamed)
    more = any(part.incomplete != part.without_row for part in parts)
    return None if more or any(not title for title, _ in unnamed) else unnamed
