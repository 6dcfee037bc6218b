"""Values as JSON knows them, and fields of items kept as JSON, because a pass looks at few of very many.

orjson 3.13 does not look everywhere whether it got the memory that it asked for: without it the process dies of
SIGSEGV, mostly while it writes. So it is given room before: for each long text, and once in a while for short ones, of
which a pass reads and writes 100,000.
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from functools import lru_cache
from itertools import cycle
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Any

import msgspec
import orjson

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Fields = Mapping[str, Json]

_SHORT_BYTES = 4 << 10
_CALLS = 32
_FOR_CALLS_BYTES = 4 << 20
"""What there has to be for so many short texts, and for the code between them: they leave 3 MB at most."""
_PER_READ_BYTE = 24
"""What reading takes for each byte: 12 for orjson's buffer, and 2 to 7 for what is made of answers and rows."""
_PER_WRITTEN_BYTE = 4
"""What writing takes for each byte: a buffer that doubles, and may be copied for that."""
_due = cycle((True, *[False] * (_CALLS - 1))).__next__


def require_room(long_bytes: int = 0, times: int = 0) -> None:
    """Raise MemoryError if there is no memory to read or write a text that long, `times` as much as it has bytes."""
    if long_bytes > _SHORT_BYTES or _due():
        _ask_for(long_bytes * times)


def _ask_for(more_bytes: int) -> None:
    """Raise MemoryError if there are no `more_bytes`, and what short texts take; nothing is kept of them.

    Others may take them in between, so it is plenty.
    """
    try:
        # Private, for RLIMIT_DATA counts nothing else; never touched, so that it costs two calls of the system.
        mmap(-1, _FOR_CALLS_BYTES + more_bytes, flags=MAP_PRIVATE | MAP_ANONYMOUS).close()
    except OSError:
        raise MemoryError("no memory for JSON") from None


def loads(text: bytes | str) -> Any:  # noqa: ANN401 - as orjson's own
    """Return the value of a JSON text; raises orjson.JSONDecodeError, a ValueError, or MemoryError."""
    if len(text) > _SHORT_BYTES or _due():  # as `require_room`, which would take twice as long
        _ask_for(len(text) * _PER_READ_BYTE)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if error.msg.startswith("Not enough memory"):  # nothing else tells it from a text that is no JSON
            raise MemoryError("no memory for JSON") from None
        raise


def dumps(
    value: object, default: Callable[[Any], Any] | None = None, option: int | None = None, about_bytes: int = 0
) -> bytes:
    """Return the JSON of a value; raises TypeError for what is no JSON, or MemoryError.

    Of what may be longer than a few kilobytes, `about_bytes` tells how long it will be.
    """
    if about_bytes > _SHORT_BYTES or _due():
        _ask_for(about_bytes * _PER_WRITTEN_BYTE)
    return orjson.dumps(value, default, option)


def plain(value: object) -> object:
    """Return a mapping or a sequence of any kind as the dict or list that JSON's encoders take; else TypeError."""
    match value:
        case PackedFields():
            return _unpacked(value.text)
        case Mapping():
            return dict(value)
        case Sequence():
            return list(value)
        case _:
            raise TypeError(f"not a JSON value: {type(value).__name__}")


@lru_cache(maxsize=16)
def _unpacked(text: bytes) -> dict[str, Json]:
    """Return the object in `text`; whoever compares two asks for many of their values in turn."""
    found: dict[str, Json] = loads(text)
    return found


class _MappingStruct(msgspec.StructMeta, ABCMeta):
    """The metaclass of a struct that is a Mapping."""


class PackedFields(msgspec.Struct, Mapping[str, Json], metaclass=_MappingStruct, frozen=True, eq=False, gc=False):
    """Canonical JSON values by name, unpacked when one is asked for.

    A pass looks into the few of its 100,000 links and events that change; unpacked, they take three times the memory.
    So what is unpacked is not kept here either. Two that were packed from the same JSON are equal without being
    unpacked. The garbage collector does not look at them: a text leads nowhere, so no circle leads through one.

    `text` is the JSON of a single object. msgspec writes a struct by its attributes: give it `dict(fields)` instead.
    """

    text: bytes

    def __getitem__(self, name: str) -> Json:
        return _unpacked(self.text)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_unpacked(self.text))

    def __len__(self) -> int:
        return len(_unpacked(self.text))

    def keys(self) -> KeysView[str]:
        """Return the names, as a dict does; Mapping's own view asks for the values one by one."""
        return _unpacked(self.text).keys()

    def values(self) -> ValuesView[Json]:
        """Return the values, as a dict does."""
        return _unpacked(self.text).values()

    def items(self) -> ItemsView[str, Json]:
        """Return names and values, as a dict does."""
        return _unpacked(self.text).items()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PackedFields) and self.text == other.text:
            return True
        return Mapping.__eq__(self, other)

    __hash__ = None  # type: ignore[assignment]  # like any mapping that compares by its values

    def __repr__(self) -> str:
        return repr(_unpacked(self.text))


def unpacked(fields: Fields) -> Fields:
    """Return `fields` as a dict, for whoever looks at many of them."""
    return _unpacked(fields.text) if isinstance(fields, PackedFields) else fields


def packed_fields(fields: Fields) -> Fields:
    """Return `fields` packed, in their order; unchanged if they are no JSON."""
    if type(fields) is PackedFields:
        return fields
    try:
        return PackedFields(trimmed(dumps(fields, default=plain)))
    except TypeError:  # half of a surrogate pair
        return fields


def kept_json(value: Json) -> bytes:
    """Return `value` as JSON that is to be kept; raises TypeError for what is no JSON."""
    return trimmed(dumps(value, default=plain))


def trimmed(text: bytes) -> bytes:
    """Return a copy of orjson's `text` that is to be kept: its own has a buffer of four kilobytes and more."""
    return bytes(bytearray(text))
