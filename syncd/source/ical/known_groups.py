"""The packed groups of large files, from one reading to the next, and on disk to the next process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from syncd.model.encoding import packed
from syncd.source.base import ReadContext
from syncd.source.ical.packed import Block
from syncd.source.shelf import Shelf

_SHARE = 50
"""The file is written again once more than one of so many groups is new: a change each hour need not write all."""
_FILES = msgspec.msgpack.Decoder(dict[str, tuple[Block, ...]])


class KnownGroups:
    """What is known of the groups of large files by the name of the file; `unsaved` groups are not on disk yet."""

    def __init__(self) -> None:
        self._files: Mapping[str, Sequence[Block]] | None = None
        self._shelf: Shelf | None = None
        self._unsaved = 0

    def of(self, name: str, context: ReadContext) -> Sequence[Block]:
        """Return what is known of a file. Blocking: the first time it is read from disk."""
        self._shelf = context.shelf
        if context.whole:
            return ()
        if self._files is None:
            self._files = _loaded(context.shelf) if context.shelf is not None else {}
        return self._files.get(name, ())

    @staticmethod
    def keeps(context: ReadContext) -> bool:
        """Return True if what is read is of use to anybody later: not if the command only looks."""
        return context.shelf is None or context.shelf.board.writable

    def learn(self, files: Mapping[str, Sequence[Block]], new: int) -> None:
        """Know what a reading packed, `new` groups of it for the first time, instead of what was known. Blocking."""
        shelf, self._files = self._shelf, files
        self._unsaved += new
        known = sum(len(block) for blocks in files.values() for block in blocks)
        if shelf is not None and shelf.board.writable and self._unsaved and self._unsaved * _SHARE >= known:
            shelf.save(packed(files))
            self._unsaved = 0


def _loaded(shelf: Shelf) -> Mapping[str, Sequence[Block]]:
    content = shelf.load()
    try:
        return _FILES.decode(content) if content is not None else {}
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        shelf.discard(str(error))
        return {}
