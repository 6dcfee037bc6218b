"""Keeps what series became beside the ledger, so that a new process need not compile them again.

The file may be deleted at any time. One that is damaged, or was written by another program or with other zone data, is
passed over with a line in the log. It holds no titles and no places, and only syncd's own user may read it.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Protocol, runtime_checkable

import msgspec
import structlog

from syncd import events
from syncd.cycle.sync import Pass, Sync
from syncd.lang.saying import say
from syncd.model.recurrence import CompilerMemory
from syncd.model.recurrence.records import SeriesRecord

_log = structlog.get_logger()
MOST_BYTES = 200_000_000
_SHARE = 50
"""The file is written again once more than one of so many series is new: a change each hour need not write all."""


@runtime_checkable
class CompilesSeries(Protocol):
    """A target whose items of a series take long to work out, and so are worth keeping for the next process."""

    @property
    def series(self) -> CompilerMemory:
        """What is remembered of series."""
        ...


class IndexFile(msgspec.Struct, frozen=True, array_like=True):
    """The file: the mark of config and program, a sum over the packed records, and these."""

    settings: str
    sum: bytes
    packed: bytes


async def recall_series(run: Pass) -> None:
    """Let the target know what series became in an earlier process, unless it has compiled any in this one."""
    target, sync = run.sync.target, run.sync
    if isinstance(target, CompilesSeries) and not target.series.begun and sync.index is not None:
        await run.worked_out(_recall, sync, target)


async def keep_series(run: Pass) -> None:
    """Keep what series became in this pass if enough of it is new; a full disk keeps nothing."""
    target, sync = run.sync.target, run.sync
    if isinstance(target, CompilesSeries) and target.series.unkept and sync.index is not None:
        await run.worked_out(_keep, sync, target)


def _recall(sync: Sync, target: CompilesSeries) -> None:
    assert sync.index is not None
    content = sync.index.load(index_name(sync.name))
    if content is None:
        return
    try:
        file = msgspec.msgpack.decode(content, type=IndexFile)
        if file.settings == _settings(sync):
            target.series.learn(_records(file))
        else:
            _log.info(events.INDEX_DISCARDED, sync=sync.name, reason=say("another program or config has written it"))
    except (msgspec.MsgspecError, ValueError) as error:
        _log.warning(events.INDEX_DISCARDED, sync=sync.name, reason=say("it is damaged: {error}", error=str(error)))


def _records(file: IndexFile) -> tuple[SeriesRecord, ...]:
    """Return the records in `file`; raises ValueError or a MsgspecError if it is damaged."""
    if file.sum != _sum(file.packed):
        raise ValueError("it is not what was written")
    return msgspec.msgpack.decode(file.packed, type=tuple[SeriesRecord, ...])


def _keep(sync: Sync, target: CompilesSeries) -> None:
    series = target.series
    if series.unkept * _SHARE < series.known:
        return
    packed = msgspec.msgpack.encode(series.records())
    if sync.index is not None and len(packed) <= MOST_BYTES:
        file = IndexFile(_settings(sync), _sum(packed), packed)
        sync.index.save(index_name(sync.name), msgspec.msgpack.encode(file))
    series.unkept = 0


def _settings(sync: Sync) -> str:
    return sync.settings() if sync.settings is not None else ""


def _sum(packed: bytes) -> bytes:
    return blake2b(packed, digest_size=16).digest()


def index_name(sync: str) -> str:
    """Return under which name the series of the sync of that name are kept."""
    return f"series{blake2b(sync.encode(), digest_size=16).hexdigest()}"
