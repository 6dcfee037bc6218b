"""Keeps what entries became beside the ledger, so that a new process shapes only what has changed.

The file may be deleted at any time (`source/shelf.py`). It holds no titles and no names, only owners' ids.
"""

from __future__ import annotations

import msgspec

from syncd.cycle.sync import Pass
from syncd.model.encoding import packed
from syncd.model.known_shapes import MANY, KnownShapes, PartShapes
from syncd.source.shelf import Shelf
from syncd.target.base import ShapeContext

_FILE = msgspec.msgpack.Decoder(tuple[str, dict[bytes, PartShapes]])
_SHARE = 50
"""The file is written again once more than one of so many parts is new: a change each hour need not write all."""


async def recall_shapes(run: Pass, context: ShapeContext, number: int) -> KnownShapes | None:
    """Return what is known of entries, which are so many, in the circumstances of this pass.

    None if they are few, or what they become follows from more than can be told: from people who were just asked for,
    or from files that an activity gets.
    """
    shelf = run.sync.shelf("shaped")
    if number < MANY or shelf is None or not run.directory_mark or run.sync.target.on_cards:
        return None
    days = f"{context.today} {context.window.first} {context.window.last}"
    others = f"{run.portal.origin} {run.directory_mark} {context.portal_zone} {context.zone} {days}"
    return await run.worked_out(_recalled, run.sync.shapes, shelf, others)


async def keep_shapes(run: Pass) -> None:
    """Keep what entries became if enough of it is new; a full disk keeps nothing."""
    shelf = run.sync.shelf("shaped")
    if run.sync.shapes.unsaved and shelf is not None:
        await run.worked_out(_keep, run.sync.shapes, shelf)


def _recalled(known: KnownShapes, shelf: Shelf, others: str) -> KnownShapes | None:
    mark = shelf.mark()
    if not mark:
        return None
    circumstances = f"{mark} {others}"
    if known.circumstances != circumstances:
        known.circumstances, known.parts, known.unsaved = circumstances, _loaded(shelf, circumstances), 0
    return known


def _loaded(shelf: Shelf, circumstances: str) -> dict[bytes, PartShapes]:
    content = shelf.load()
    try:
        under, parts = _FILE.decode(content) if content is not None else ("", {})
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        shelf.discard(str(error))
        return {}
    return parts if under == circumstances else {}


def _keep(known: KnownShapes, shelf: Shelf) -> None:
    if shelf.board.writable and known.unsaved * _SHARE >= len(known.parts):
        shelf.save(packed((known.circumstances, known.parts)))
        known.unsaved = 0
