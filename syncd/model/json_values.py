"""Values as JSON knows them, and fields of items kept as JSON, because a pass looks at few of very many."""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from functools import lru_cache

import msgspec
import orjson

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Fields = Mapping[str, Json]


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
    found: dict[str, Json] = orjson.loads(text)
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
        return PackedFields(trimmed(orjson.dumps(fields, default=plain)))
    except TypeError:  # half of a surrogate pair
        return fields


def kept_json(value: Json) -> bytes:
    """Return `value` as JSON that is to be kept; raises TypeError for what is no JSON."""
    return trimmed(orjson.dumps(value, default=plain))


def trimmed(text: bytes) -> bytes:
    """Return a copy of orjson's `text` that is to be kept: its own has a buffer of four kilobytes and more."""
    return bytes(bytearray(text))
