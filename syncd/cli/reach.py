"""Finds the daemon that holds the state of a config. It imports little, because every command begins with it."""

from __future__ import annotations

import asyncio
import grp
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from syncd import __version__
from syncd.config import Outline
from syncd.errors import StateLockedError
from syncd.lang.saying import say
from syncd.model.encoding import decoded
from syncd.service.protocol import LONGEST_LINE, VERSION, Hello, socket_places

_HELLO_WITHIN_S = 5.0


@dataclass(slots=True)
class Daemon:
    """A daemon that has answered; `place` is its socket."""

    place: Path
    hello: Hello
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


async def reach(outline: Outline, environ: Mapping[str, str]) -> Daemon | None:
    """Return the daemon that holds the state of a config, None if there is none.

    Raises StateLockedError if there is one that cannot be asked: it belongs to another group or config, does not
    answer, or is of another version.
    """
    for place in socket_places(outline, environ):
        try:
            reader, writer = await asyncio.open_unix_connection(str(place), limit=LONGEST_LINE)
        except PermissionError:
            if _is_there(place):
                raise _refused(place) from None
        except OSError:  # none, or left behind by a daemon that was killed
            continue
        else:
            return await _greeted(outline, place, reader, writer)
    return None


async def _greeted(outline: Outline, place: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Daemon:
    try:
        hello = decoded(await asyncio.wait_for(reader.readline(), _HELLO_WITHIN_S), type=Hello)
    except (OSError, TimeoutError, ValueError, msgspec.MsgspecError):
        writer.close()
        raise StateLockedError(
            say("the daemon at {place} does not answer", place=str(place)),
            say("`systemctl status syncd` says more; if it hangs, restart it"),
        ) from None
    if hello.version != VERSION:
        writer.close()
        raise StateLockedError(
            say(
                "the daemon is syncd {syncd}, this is {version}, and they do not understand each other",
                syncd=hello.syncd,
                version=__version__,
            ),
            say("restart the daemon after an upgrade"),
        )
    if not _same(hello.config, outline.path):
        writer.close()
        raise StateLockedError(
            say(
                "{state} is in use by the daemon of {config} (pid {pid})",
                state=str(outline.state),
                config=hello.config,
                pid=hello.pid,
            ),
            say("give {path} a `state` of its own, or name the other config with --config", path=str(outline.path)),
        )
    return Daemon(place, hello, reader, writer)


def _same(one: str, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _is_there(place: Path) -> bool:
    try:
        return place.is_socket()
    except OSError:
        return False


def _refused(place: Path) -> StateLockedError:
    group = place.stat().st_gid
    with suppress(KeyError):
        return StateLockedError(
            say(
                "you may not use {place}, the socket of the daemon: that is for the group {name}",
                place=str(place),
                name=grp.getgrgid(group).gr_name,
            ),
            say("`sudo usermod -aG {name} $USER` and log in again, or use sudo", name=grp.getgrgid(group).gr_name),
        )
    return StateLockedError(
        say("you may not use {place}, the socket of the daemon", place=str(place)),
        say("it belongs to the group {group}", group=group),
    )
