"""The ledger's echo: a small file beside it, which tells at each start whether the ledger is as syncd left it.

A ledger that was put back to an earlier state (a restored backup, a machine rolled back) looks sound; it even says that
the portal was read a moment ago. If it were believed, everything that was made since would be made again. So each
orderly end writes down what the file was, and each start compares:

    generation   counts starts and checkpoints, in the file and here: one behind the echo is older than its own past
    inode, changed_ns, size   as the kernel keeps them; no program can set `changed_ns` back to what it was
    clean        False while syncd works with the file, and so after a crash
    booted_at    when the machine started: a machine that was put back has to start, or to set its clock

A needless doubt costs one reading of the portal; a wrong belief would cost doubles. The echo is never synced to the
disk: after a power cut the machine has started again, so the ledger is doubted anyway.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from syncd.lang.saying import say
from syncd.model.encoding import decoded, encoded
from syncd.state.base import Doubt

CLOCK_TOLERANCE_S: Final = 30.0
"""How far the moment of the machine's start may seem to move while it is the same one."""


class Echo(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger was when it was last left, or opened (`clean` is False then)."""

    generation: int
    clean: bool
    inode: int
    changed_ns: int
    size: int
    booted_at: float


def echo_of(path: Path, generation: int, booted_at: float, *, clean: bool) -> Echo:
    """Return the echo of the ledger at `path` as it is now; raises OSError."""
    found = path.stat()
    return Echo(
        generation=generation,
        clean=clean,
        inode=found.st_ino,
        changed_ns=found.st_ctime_ns,
        size=found.st_size,
        booted_at=booted_at,
    )


def read_echo(path: Path) -> Echo | None:
    """Return the echo of the ledger at `path`, None if there is none that can be read."""
    try:
        return decoded(_beside(path).read_bytes(), type=Echo)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None


def write_echo(path: Path, echo: Echo) -> None:
    """Leave `echo` beside the ledger at `path`, in place of an earlier one; raises OSError."""
    descriptor = os.open(_beside(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        text = encoded(echo) + b"\n"
        os.pwrite(descriptor, text, 0)
        os.ftruncate(descriptor, len(text))
    finally:
        os.close(descriptor)


def doubt_of(echo: Echo | None, found: Echo) -> Doubt | None:
    """Return why the ledger that is `found` now may be older than its own past, None if it is what `echo` tells."""
    if echo is None:
        return Doubt(reason=say("nothing tells how syncd left it: it was moved here, or restored"), replaced=True)
    if found.generation < echo.generation:
        return Doubt(
            reason=say("it is older than its own past: a backup was restored, or the disk put back"), replaced=True
        )
    same_file = found.inode == echo.inode
    if not same_file or (echo.clean and (found.changed_ns, found.size) != (echo.changed_ns, echo.size)):
        return Doubt(
            reason=say("the file was replaced or written by another program since syncd left it"), replaced=True
        )
    if not echo.clean:
        return Doubt(reason=say("syncd did not end in order when it last used it"), replaced=False)
    if abs(found.booted_at - echo.booted_at) > CLOCK_TOLERANCE_S:
        return Doubt(reason=say("the machine has started again since, or its clock was set"), replaced=False)
    return None


def wal_is_foreign(echo: Echo | None, generation: int | None) -> bool:
    """Return True if a -wal beside the ledger cannot belong to it: `generation` is what the file alone says.

    The file alone is as old as the last checkpoint, which the echo knows. An older one was put there since, and the log
    would write pages of another time into it.
    """
    return echo is not None and generation is not None and generation < echo.generation


def _beside(path: Path) -> Path:
    return Path(f"{path}.echo")
