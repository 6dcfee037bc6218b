"""How texts are kept in PostgreSQL, which stores every character but NUL.

A source may hold one, in a uid as well as in a title. So NUL becomes \\1\\1 and \\1 becomes \\1\\2: texts stay in
the same order as in SQLite, and nearly none of them is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from psycopg import pq
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.types.string import StrDumper, StrDumperUnknown

from syncd.state.rows import Row

_MARK: Final = "\x01"


def kept(text: str) -> str:
    """Return `text` as it is kept."""
    if "\x00" in text or _MARK in text:
        return text.replace(_MARK, "\x01\x02").replace("\x00", "\x01\x01")
    return text


def as_it_was(text: str) -> str:
    """Return the text that is kept as `text`."""
    if _MARK in text:
        return text.replace("\x01\x01", "\x00").replace("\x01\x02", _MARK)
    return text


class _Loader(Loader):
    def load(self, data: Buffer) -> str:
        return as_it_was(bytes(data).decode())


class _BinaryLoader(_Loader):
    format = pq.Format.BINARY


def learn_texts(context: AdaptContext, changed: Callable[[], None]) -> None:
    """Have a connection keep texts as this module says; it calls `changed` for each that is kept as another one."""

    def dumped(text: str) -> str:
        if (as_kept := kept(text)) != text:
            changed()
        return as_kept

    class Dumper(StrDumperUnknown):
        def dump(self, obj: str) -> Buffer | None:
            return super().dump(dumped(obj))

    class TypedDumper(StrDumper):
        def dump(self, obj: str) -> Buffer | None:
            return super().dump(dumped(obj))

    adapters = context.adapters
    assert adapters is not None
    # The last one is what a text is sent as if nothing else is asked for: without a type, which the server finds out.
    for dumper in (TypedDumper, Dumper):
        adapters.register_dumper(str, dumper)
    for loader in (_Loader, _BinaryLoader):
        adapters.register_loader("text", loader)


def rows_as_they_were(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows whose texts were read as they are kept, as they were."""
    for row in rows:
        yield tuple(as_it_was(cell) if isinstance(cell, str) else cell for cell in row)
