"""Keeps what series became beside the ledger, so that a new process need not compile them again.

The file may be deleted at any time (`source/shelf.py`). It holds no titles and no places.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec

from syncd.cycle.sync import Pass
from syncd.model.encoding import packed
from syncd.model.recurrence import CompilerMemory
from syncd.model.recurrence.records import SeriesRecord
from syncd.source.shelf import Shelf

_RECORDS = msgspec.msgpack.Decoder(tuple[SeriesRecord, ...])
_SHARE = 50
"""The file is written again once more than one of so many series is new: a change each hour need not write all."""


@runtime_checkable
class CompilesSeries(Protocol):
    """A target whose items of a series take long to work out, and so are worth keeping for the next process."""

    @property
    def series(self) -> CompilerMemory:
        """What is remembered of series."""
        ...


async def recall_series(run: Pass) -> None:
    """Let the target know what series became in an earlier process, unless it has compiled any in this one."""
    target, shelf = run.sync.target, run.sync.shelf("series")
    if isinstance(target, CompilesSeries) and not target.series.begun and shelf is not None:
        await run.worked_out(_recall, shelf, target.series)


async def keep_series(run: Pass) -> None:
    """Keep what series became in this pass if enough of it is new; a full disk keeps nothing."""
    target, shelf = run.sync.target, run.sync.shelf("series")
    if isinstance(target, CompilesSeries) and target.series.unkept and shelf is not None:
        await run.worked_out(_keep, shelf, target.series)


def _recall(shelf: Shelf, series: CompilerMemory) -> None:
    content = shelf.load()
    if content is None:
        return
    try:
        series.learn(_RECORDS.decode(content))
    except (msgspec.MsgspecError, ValueError) as error:
        shelf.discard(str(error))


def _keep(shelf: Shelf, series: CompilerMemory) -> None:
    if series.unkept * _SHARE < series.known:
        return
    shelf.save(packed(series.records()))
    series.unkept = 0
