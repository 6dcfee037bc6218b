"""The files that a path means, and their bytes.

Nothing is repaired or guessed: a file that changes while it is read is read once more and then called incomplete.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from functools import partial
from glob import glob, has_magic
from pathlib import Path
from typing import IO

from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.model.entry import Snapshot
from syncd.source.base import Fetched, ReadContext
from syncd.source.files import Assembly, FileBytes, Weighed

CHECK_PATH = say("check path in [sync.source]")
MAX_BYTES = 100_000_000
_FILES_IN_ALL = 10
"""How many times `max_bytes` all files of a source may have together."""
_OPEN_IN_OFFICE = "~$"
_is_directory = os.path.isdir
"""Path.is_dir raises for a path that the system refuses."""


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
        return Fetched(
            marker=files.marker,
            parsed=partial(asyncio.to_thread, self._assembly.parsed, files, context),
            streamed=self._assembly.streamed(files, context),
        )

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
