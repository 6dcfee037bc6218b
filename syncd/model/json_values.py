"""Values as JSON knows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
