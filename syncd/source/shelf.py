"""Where a source keeps what it has parsed, for the next process under the same config.

It is a cache: what is damaged, or was put there by another program, is passed over with a line in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

import msgspec
import structlog

from syncd import events
from syncd.lang.saying import say

_log = structlog.get_logger()
MOST_BYTES = 200_000_000


class Board(Protocol):
    """What a shelf stands on. The methods block, and what is saved may be lost at any time."""

    @property
    def writable(self) -> bool:
        """Whether anything is kept."""
        ...

    def load(self, name: str) -> bytes | None:
        """Return what was kept under `name`, or None."""
        ...

    def save(self, name: str, content: bytes) -> None:
        """Keep `content` under `name`, if the disk accepts it."""
        ...


class _File(msgspec.Struct, frozen=True, array_like=True):
    """The file: the mark of config and program, a sum over the content, and this."""

    mark: str
    sum: bytes
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The place of one sync on a board.

    `mark` returns a mark of everything but the bytes of the source that the parsed follows from: config, program, zone
    data. It blocks, and raises OSError where the program has just been replaced.
    """

    sync: str
    board: Board
    mark: Callable[[], str]

    def load(self) -> bytes | None:
        """Return what was kept, None if there is nothing that this program under this config has kept. Blocking."""
        kept = self.board.load(shelf_name(self.sync))
        if kept is None:
            return None
        try:
            file = msgspec.msgpack.decode(kept, type=_File)
        except msgspec.MsgspecError as error:
            self.discard(str(error))
            return None
        if file.sum != _sum(file.content):
            self.discard("it is not what was written")
            return None
        if file.mark != self._marked():
            _log.info(events.INDEX_DISCARDED, sync=self.sync, reason=say("another program or config has written it"))
            return None
        return file.content

    def discard(self, error: str) -> None:
        """Tell that what was kept is damaged."""
        _log.warning(events.INDEX_DISCARDED, sync=self.sync, reason=say("it is damaged: {error}", error=error))

    def save(self, content: bytes) -> None:
        """Keep `content`, unless it is too large or the disk does not accept it. Blocking."""
        mark = self._marked()
        if mark and len(content) <= MOST_BYTES:
            file = msgspec.msgpack.encode(_File(mark, _sum(content), content))
            self.board.save(shelf_name(self.sync), file)

    def _marked(self) -> str:
        """Return the mark, "" if there is none at this moment."""
        try:
            return self.mark()
        except OSError:  # an upgrade is under way; a cache must not fail the pass for it
            return ""


def shelf_name(sync: str) -> str:
    """Return under which name the sync of that name keeps what it has parsed."""
    return f"parsed{blake2b(sync.encode(), digest_size=16).hexdigest()}"


def _sum(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()
