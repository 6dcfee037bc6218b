"""What a process that parses groups is asked, and how messages travel to it and back (beside.py, worker.py)."""

from __future__ import annotations

import struct
from datetime import timedelta
from pathlib import Path
from typing import IO, Final

import msgspec

import syncd


def _program() -> str:
    changed = max((one.stat().st_mtime_ns for one in Path(__file__).parent.glob("*.py")), default=0)
    return f"{syncd.__version__} {changed}"


PROGRAM: Final = _program()
"""The version and time of what reads groups, as it was loaded: an upgrade replaces files while the daemon runs."""
_LENGTH = struct.Struct("!Q")


class Asking(msgspec.Struct, frozen=True, array_like=True):
    """What all groups are read by: FileFacts, what CalendarReader needs, and head and zones of calendars by number.

    `program` is the PROGRAM that asks. Another one might read the same bytes otherwise.
    """

    program: str
    name: str
    encoding: str
    floating: str | None
    year: int
    meanings: dict[str, str]
    no_end: timedelta
    attachments: bool
    calendars: dict[int, tuple[bytes, tuple[bytes, ...]]]


class AskedMember(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A component: the number of its calendar, its line, why it is broken (a stored message), and its bytes."""

    calendar: int
    line: int
    broken: str
    content: bytes


class AskedGroup(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A group and its UID."""

    uid: str
    members: tuple[AskedMember, ...]


def send(stream: IO[bytes], content: bytes) -> None:
    """Write one message."""
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def receive(stream: IO[bytes]) -> bytes:
    """Return one message, b"" if the stream ends before it does."""
    head = stream.read(_LENGTH.size)
    size = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
    content = stream.read(size)
    return content if len(content) == size else b""
