"""Values as JSON knows them, and fields of items kept as JSON, because a pass looks at few of very many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import orjson

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Fields = Mapping[str, Json]


def plain(value: object) -> object:
    """Return a mapping or a sequence of any kind as the dict or list that JSON's encoders take; else TypeError."""
    match value:
        case Mapping():
            return dict(value)
        case Sequence():
            return list(value)
        case _:
            raise TypeError(f"not a JSON value: {type(value).__name__}")


class PackedFields(Mapping[str, Json]):
    """Canonical JSON values by name, unpacked when one is asked for.

    A pass looks into the few of its 100,000 links and events that change; unpacked, they take three times the memory.
    Two that were packed from the same JSON are equal without being unpacked.
    """

    __slots__ = ("_fields", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        """The JSON of a single object."""
        self._fields: dict[str, Json] | None = None

    def _unpacked(self) -> dict[str, Json]:
        if self._fields is None:
            self._fields = orjson.loads(self.text)
        return self._fields

    def __getitem__(self, name: str) -> Json:
        return self._unpacked()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._unpacked())

    def __len__(self) -> int:
        return len(self._unpacked())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PackedFields) and self.text == other.text:
            return True
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # like any mapping that compares by its values

    def __repr__(self) -> str:
        return repr(self._unpacked())


def packed_fields(fields: Fields) -> Fields:
    """Return `fields` packed, in their order; unchanged if they are no JSON."""
    try:
        return PackedFields(kept_json(fields))
    except TypeError:  # half of a surrogate pair
        return fields


def kept_json(value: Json) -> bytes:
    """Return `value` as JSON that is to be kept; raises TypeError for what is no JSON."""
    return trimmed(orjson.dumps(value, default=plain))


def trimmed(text: bytes) -> bytes:
    """Return a copy of orjson's `text` that is to be kept: its own has a buffer of four kilobytes and more."""
    return bytes(bytearray(text))
