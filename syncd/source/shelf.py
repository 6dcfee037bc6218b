"""Where a sync keeps what took long to work out, for the next process under the same config.

It is a cache: what is damaged, or was put there by another program, is passed over with a line in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, Protocol, get_args

import msgspec
import structlog

from syncd import events
from syncd.lang.saying import say
from syncd.model.encoding import packed

_log = structlog.get_logger()
MOST_BYTES = 200_000_000
Kind = Literal["parsed", "series", "shaped"]
"""What is kept: what a source parsed, what series became, or what other entries became."""
KINDS: tuple[Kind, ...] = get_args(Kind)


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
    """The place of one sync on a board for one kind of thing.

    `mark` returns a mark of everything that what is kept follows from, but for the source: config, program, zone data.
    It blocks, and returns "" while it cannot be told: then nothing is found, and nothing is kept.
    """

    kind: Kind
    sync: str
    board: Board
    mark: Callable[[], str]

    def load(self) -> bytes | None:
        """Return what was kept, None if there is nothing that this program under this config has kept. Blocking."""
        kept = self.board.load(shelf_name(self.kind, self.sync))
        if kept is None:
            return None
        try:
            file = msgspec.msgpack.decode(kept, type=_File)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self.discard(str(error))
            return None
        if file.sum != _sum(file.content):
            self.discard("it is not what was written")
            return None
        if not file.mark or file.mark != self.mark():
            _log.info(events.INDEX_DISCARDED, sync=self.sync, reason=say("another program or config has written it"))
            return None
        return file.content

    def discard(self, error: str) -> None:
        """Tell that what was kept is damaged."""
        _log.warning(events.INDEX_DISCARDED, sync=self.sync, reason=say("it is damaged: {error}", error=error))

    def save(self, content: bytes) -> None:
        """Keep `content`, unless it is too large or the disk does not accept it. Blocking."""
        mark = self.mark()
        if mark and len(content) <= MOST_BYTES:
            file = packed(_File(mark, _sum(content), content))
            self.board.save(shelf_name(self.kind, self.sync), file)


def shelf_name(kind: Kind, sync: str) -> str:
    """Return under which name the sync of that name keeps things of a kind."""
    return f"{kind}{blake2b(sync.encode(), digest_size=16).hexdigest()}"


def _sum(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()
