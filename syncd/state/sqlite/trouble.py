"""What SQLite and the system say against the ledger, in words: which of it passes, and what to do about the rest."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from syncd.errors import StateError, StateUnavailableError, message_of
from syncd.lang.saying import say
from syncd.state.rows import DamagedRowError

_ROOM: Final = say("make room on that disk; nothing is lost, syncd goes on where it was")
_RIGHTS: Final = say(
    "let syncd's user read and write it and its directory, or set `state` in the config to another path"
)
_DISK: Final = say("check the disk it lies on")
_LET_GO: Final = say("close whatever has the file open for writing")


def _closed(path: str, error: str) -> str:
    return say("{path} cannot be opened for this: {error}", path=path, error=error)


def _held(path: str, error: str) -> str:
    return say("{path} is held by another program: {error}", path=path, error=error)


def _cut_off(path: str, error: str) -> str:
    return say("{path} cannot be read or written: {error}", path=path, error=error)


_PASSING: Final[Mapping[str, tuple[Callable[[str, str], str], str]]] = {
    "FULL": (lambda path, _error: say("no room left to write {path}", path=path), _ROOM),
    "READONLY": (_closed, _RIGHTS),
    "CANTOPEN": (_closed, _RIGHTS),
    "BUSY": (_held, _LET_GO),
    "LOCKED": (_held, _LET_GO),
    "IOERR": (_cut_off, _DISK),
    "NOMEM": (_cut_off, say("let syncd have more memory")),
}
"""By the name of SQLite's error: what is over one day, without anybody touching the ledger."""
_PASSING_IN_SYSTEM: Final = (
    errno.EROFS,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EBUSY,
    errno.ESTALE,
)

_OF_DAMAGE: Final = ("decode", "user-defined function", "no such table", "no such column", "no such index")
"""What errors without a telling name say of a file whose schema is known: text that is none, and what is missing."""


class DamagedError(sqlite3.DatabaseError):
    """The file is not what was written; for SQLite it may still be sound."""

    sqlite_errorname = "SQLITE_CORRUPT"


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise the errors of SQLite and of the system about `path` as StateError with a remedy."""
    try:
        yield
    except sqlite3.Error as error:
        raise _told(path, error) from error
    except DamagedRowError as error:
        raise damaged(path, message_of(error)) from error
    except OSError as error:
        raise unusable(path, error) from error


@contextmanager
def decoded(path: Path) -> Iterator[None]:
    """Raise what decoding a row of the ledger at `path` says against it as StateError: it is not what was written."""
    try:
        yield
    except (ValueError, TypeError, KeyError, msgspec.MsgspecError) as error:
        raise damaged(path, say("a row of it cannot be read: {error}", error=str(error))) from error


def damaged(path: Path, detail: str) -> StateError:
    """Return the error for a ledger whose content is not what was written, with every way out."""
    return StateError(
        say("{path} is damaged: {detail}", path=str(path), detail=detail),
        say(
            "restore a backup of it, as `syncd state backup` makes them, or move {path} and {path}-wal away and start"
            " again: with `adopt = true` syncd takes over the events it made before",
            path=str(path),
        ),
    )


def moved_away(path: Path) -> StateError:
    """Return the error for a ledger that was deleted, moved or replaced while syncd worked with it."""
    return StateError(
        say("{path} is gone: it was deleted, moved or replaced while syncd works with it", path=str(path)),
        say(
            "put it back if you have moved it, and syncd goes on; else start syncd again: it then reads the portal"
            " before it creates anything, and takes over the events it made before (`adopt` in the config)"
        ),
    )


def unusable(path: Path, error: OSError) -> StateError:
    """Return the error for a file or directory that the system does not give."""
    said = say("{path} cannot be used: {error}", path=str(path), error=error.strerror or str(error))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StateUnavailableError(said, _ROOM)
    return StateUnavailableError(said, _RIGHTS) if error.errno in _PASSING_IN_SYSTEM else StateError(said, _RIGHTS)


def _told(path: Path, error: sqlite3.Error) -> StateError:
    name: str = getattr(error, "sqlite_errorname", "") or ""  # absent when the module itself complains
    kind = name.removeprefix("SQLITE_").partition("_")[0]
    if kind in _PASSING:
        said, remedy = _PASSING[kind]
        return StateUnavailableError(said(str(path), str(error)), remedy)
    if kind in ("PERM", "AUTH"):
        return StateError(_closed(str(path), str(error)), _RIGHTS)
    if kind in ("CORRUPT", "NOTADB", "FORMAT", "MISMATCH") or any(sign in str(error) for sign in _OF_DAMAGE):
        return damaged(path, message_of(error))
    return StateError(
        say("{path} cannot be used: {error}", path=str(path), error=str(error)),
        say("`syncd state check` tells whether it is damaged"),
    )
