"""Files to one snapshot: which files a path means, their bytes, their text, and the entries of all of them together.

A file source finds and reads its files, a `FileFormat` turns each into a `Part`, and an `Assembly` joins the parts.
Nothing is repaired or guessed: a file that changes while it is read is read once more and then called incomplete.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from glob import glob, has_magic
from hashlib import blake2b
from pathlib import Path
from typing import IO, Protocol

from syncd import collector
from syncd.errors import ConfigError, SourceError, TransientSourceError, without_frames
from syncd.lang.saying import joined, say
from syncd.log import entry_crashed
from syncd.model.entry import Entry, Override, Problem, Snapshot
from syncd.model.stowed import MANY, Stowed
from syncd.source.base import Fetched, ReadContext
from syncd.source.field_values import damaged, shown
from syncd.source.versions import Versions, repeated

_REASONS_SHOWN = 3
CHECK_PATH = say("check path in [sync.source]")
MAX_BYTES = 100_000_000
_FILES_IN_ALL = 10
"""How many times `max_bytes` all files of a source may have together."""


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


class FileSource:
    """A source of the files that a path means; links that lead out of their folder are followed with `follow_links`.

    A file of more than `max_bytes` is not read.
    """

    def __init__(
        self,
        *,
        path: str,
        base: Path,
        suffix: str,
        assembly: Assembly,
        follow_links: bool = False,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._follow_links = follow_links
        self._base = base
        self._suffix = suffix
        self._assembly = assembly

    def describe(self) -> str:
        """Return the kind of source and its path."""
        return f"{self._suffix.lstrip('.')} {self._path}"

    def files(self) -> tuple[Path, ...]:
        """Return the files that a reading would take now, () if there are none. Blocking."""
        try:
            return tuple(self._base / name for name in locate(self._path, self._base, self._suffix))
        except SourceError:
            return ()

    def folder(self) -> tuple[Path, bool]:
        """Return the directory in which the files are or would appear, and whether they may be in subdirectories."""
        place = self._base / self._path
        if _is_directory(place):
            return place, False
        # a/*.csv is watched in a, a*/*.csv from the directory above and deeper.
        below = 0
        while has_magic(str(place)):
            place, below = place.parent, below + 1
        return (place, below > 1) if below else (place.parent, False)

    def _home(self, name: str) -> Path:
        """Return the directory that the file `name`, as `locate` found it, must not leave."""
        place = self._base / self._path
        if name == self._path:
            return place.parent
        if Path(name).parent == Path(self._path):
            return place
        while has_magic(str(place)):
            place = place.parent
        return place

    async def read(self, context: ReadContext) -> Snapshot:
        """Read all files now; the same bytes as last time give the same snapshot without parsing.

        Raises SourceError if there is no file or none of them can be used.
        """
        return await (await self.fetch(context)).parsed()

    async def fetch(self, context: ReadContext) -> Fetched:
        """Read the bytes of all files; raises SourceError if there is no file."""
        files = await asyncio.to_thread(self._weighed, context)
        return Fetched(marker=files.marker, parsed=partial(asyncio.to_thread, self._assembly.parsed, files, context))

    def _weighed(self, context: ReadContext) -> Weighed:
        found: list[FileBytes] = []
        unread: list[tuple[str, SourceError]] = []
        left = self._max_bytes * _FILES_IN_ALL
        for name in locate(self._path, self._base, self._suffix):
            home = None if self._follow_links else self._home(name)
            try:
                found.append(read_file(name, self._base, home, max_bytes=min(self._max_bytes, left)))
                left -= len(found[-1].content)
            except SourceError as error:
                unread.append((written(name), error))
        return self._assembly.weighed(found, unread, context)


_OPEN_IN_OFFICE = "~$"


def locate(path: str, base: Path, suffix: str) -> tuple[str, ...]:
    """Return the files that `path` means, sorted, as written in the config (relative ones stay relative to `base`).

    A directory means all its files ending in `suffix`, in any case. Neither it nor a pattern means what programs put
    beside an open file: Office's ~$plan.xlsx, or a name that begins with a dot. Raises SourceError if there is none.
    """
    place = base / path
    if _is_directory(place):
        try:
            names = sorted(
                found.name
                for found in place.iterdir()
                if found.suffix.lower() == suffix and not found.name.startswith((".", _OPEN_IN_OFFICE))
            )
        except OSError as error:
            raise SourceError(said_of_file(path, error), say("let syncd read the directory")) from error
        found = [str(Path(path) / name) for name in names]
        missing = say("{path}: there is not a file ending in {suffix}", path=path, suffix=suffix)
    elif has_magic(path) and not os.path.exists(place):  # noqa: PTH110 - as below; a file may be named plan[1].csv
        matching = glob(path, root_dir=base, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
        apart = (name for name in matching if not Path(name).name.startswith(_OPEN_IN_OFFICE))
        found = sorted(name for name in apart if not _is_directory(base / name))
        missing = say("{path}: there is not a file that matches", path=path)
    else:
        return (path,)
    if not found:
        raise SourceError(missing, CHECK_PATH)
    return tuple(found)


def _is_directory(place: Path) -> bool:
    return os.path.isdir(place)  # noqa: PTH112 - Path.is_dir raises for a path that the system refuses


def read_file(name: str, base: Path, folder: Path | None = None, *, max_bytes: int = MAX_BYTES) -> FileBytes:
    """Return the file's bytes; raises SourceError naming the file and the remedy if it cannot be read.

    What is no file is refused, because a pipe or a device may never end; so is one of more than `max_bytes`.

    It must really stand in `folder` or below, None for anywhere: whoever may put files there could otherwise have any
    file of this machine read, and messages quote what is read.
    """
    path = base / name
    content, settled = b"", False
    try:
        for _ in range(2):  # a program that saves a file is usually done by the second try
            with _opened(path, name) as file:
                before = os.fstat(file.fileno())
                if folder is not None and not _stands_in(folder, path, before, name):
                    continue
                content = file.read(before.st_size + 1) if before.st_size <= max_bytes else b""
                if len(content) > before.st_size:  # it grows; or the system, whose file it is, does not say its size
                    content += file.read(max_bytes + 1 - len(content))
                if before.st_size > max_bytes or len(content) > max_bytes:
                    remedy = say("raise max_bytes in [sync.source] if that is right")
                    raise SourceError(
                        say(
                            "{name} has more than {max_bytes} bytes, or the files before it had",
                            name=name,
                            max_bytes=max_bytes,
                        ),
                        remedy,
                    )
            after = path.stat()
            # The inode too: a file that is replaced by rename may have the same size and time.
            same = [getattr(before, one) == getattr(after, one) for one in ("st_ino", "st_size", "st_mtime_ns")]
            settled = all(same) and len(content) == after.st_size
            if settled:
                break
    except OSError as error:
        is_wrong = error.errno in (errno.ENOENT, errno.ENAMETOOLONG)
        remedy = CHECK_PATH if is_wrong else say("let syncd read the file")
        raise SourceError(said_of_file(name, error), remedy) from error
    except ValueError as error:  # a NUL in the path
        raise SourceError(say("{name!r} is no path: {error}", name=name, error=str(error)), CHECK_PATH) from error
    unsettled = "" if settled else say("{name} was being written while it was read", name=name)
    return FileBytes(name=written(name), content=content, unsettled=unsettled)


def written(name: str) -> str:
    r"""Return a file's name as text: bytes of it that are no UTF-8 are written as ``\udce9``, for it is stored."""
    return name.encode("utf-8", "backslashreplace").decode()


def _opened(path: Path, name: str) -> IO[bytes]:
    """Open a file; raises SourceError for anything else, OSError if it cannot be opened."""
    # Without waiting, or a pipe that nobody writes to would hold the reading for ever.
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        raise SourceError(_no_file(name, mode), CHECK_PATH)
    return os.fdopen(number, "rb")


def _no_file(name: str, mode: int) -> str:
    if stat.S_ISDIR(mode):
        return say("{name} is a directory, not a file", name=name)
    if stat.S_ISFIFO(mode):
        return say("{name} is a pipe, not a file", name=name)
    if stat.S_ISSOCK(mode):
        return say("{name} is a socket, not a file", name=name)
    return say("{name} is a device, not a file", name=name)


def said_of_file(name: str, error: OSError) -> str:
    """Return what the system says of a file, as a message where it is one that people meet."""
    match error.errno:
        case errno.ENOENT:
            return say("{name}: No such file or directory", name=name)
        case errno.EACCES:
            return say("{name}: Permission denied", name=name)
        case errno.ENAMETOOLONG:
            return say("{name}: File name too long", name=name)
        case errno.EIO:
            return say("{name}: Input/output error", name=name)
    return say("{name}: {error}", name=name, error=error.strerror or str(error))


def _stands_in(folder: Path, path: Path, opened: os.stat_result, name: str) -> bool:
    """Return True if the file that was `opened` is the one that stands at `path`, in `folder` or below.

    False: it was replaced in between. Raises SourceError for a link that leads out of the folder.
    """
    real = path.resolve()
    if not real.is_relative_to(folder.resolve()):
        remedy = say("if only you can write there, follow_links = true in [sync.source] allows it")
        raise SourceError(say("{name} is a link that leads out of its folder", name=name), remedy)
    # What was opened is compared, not its name, which may mean another file from one moment to the next.
    here = os.stat(real)  # noqa: PTH116 - tests let somebody write whenever Path.stat looks
    return (opened.st_dev, opened.st_ino) == (here.st_dev, here.st_ino)


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
                if self._format.by_file and len(digests) > 1:  # the only file is as before, or parsed anew
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
            errors[file.name] = TransientSourceError(
                say("{name} cannot be read: {reason}", name=file.name, reason=entry_crashed(file.name, error))
            )
            return None
        # Only now: whether a file was being written says nothing about what its bytes mean.
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
    return Snapshot(
        entries=tuple(first.values()),
        problems=tuple(problems),
        complete=not because,
        incomplete_because=_because(because),
        # A uid that is rejected in one file and good in another is there.
        rejected_uids=frozenset(rejected - first.keys()),
        changed_marker=marker,
        assumed=assumed,
        unnamed=None if errors else _unnamed(parts) if because else frozenset(),
    )


def _because(reasons: Sequence[str]) -> str:
    """Return why a snapshot is incomplete: three of the reasons, and how many more there are."""
    shown = joined(reasons[:_REASONS_SHOWN])
    more = len(reasons) - _REASONS_SHOWN
    return say("{reasons}; and {more} more", reasons=shown, more=more) if more > 0 else shown


def _unnamed(parts: Sequence[Part]) -> frozenset[tuple[str, str]] | None:
    """Return title and owner of what was rejected without a uid, None if more is missing than what has these titles."""
    unnamed = frozenset(one for part in parts for one in part.unnamed)
    more = any(part.incomplete != part.without_row for part in parts)
    return None if more or any(not title for title, _ in unnamed) else unnamed
