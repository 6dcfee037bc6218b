"""The encoders of msgspec for JSON and MessagePack, where memory may run out.

As orjson (`model/json_values.py`), msgspec 0.22 may end the process with SIGSEGV where it finds no memory for what it
writes, or for a text that it reads. It does look while it writes into a buffer of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, overload

import msgspec

from syncd.model.json_values import require_room

T = TypeVar("T")

_PER_BYTE = 12
"""What reading takes for each byte, with some to spare."""


class Encoder(Protocol):
    """One of msgspec's."""

    def encode_into(self, obj: Any, buffer: bytearray, /) -> None:  # noqa: ANN401 - as msgspec's own
        """Write a value into `buffer`."""


_JSON: Encoder = msgspec.json.Encoder()
_SORTED_JSON: Encoder = msgspec.json.Encoder(order="sorted")
_PACK: Encoder = msgspec.msgpack.Encoder()
_SORTED_PACK: Encoder = msgspec.msgpack.Encoder(order="sorted")


@overload
def decoded(content: bytes | str, *, type: type[T]) -> T: ...
@overload
def decoded(content: bytes | str, *, type: Any = Any) -> Any: ...  # noqa: ANN401 - as msgspec's own
def decoded(content: bytes | str, *, type: Any = Any) -> Any:
    """Return the value of a JSON text, checked; raises msgspec's errors, which are ValueErrors, or MemoryError."""
    require_room(len(content), _PER_BYTE)
    return msgspec.json.decode(content, type=type)


def decoded_by(decoder: msgspec.json.Decoder[T], content: bytes) -> T:
    """Return what a decoder of JSON makes of `content`; raises as `decoded` does."""
    require_room(len(content), _PER_BYTE)
    return decoder.decode(content)


def encoded(value: object, encoder: Encoder = _JSON) -> bytes:
    """Return the JSON of a value; raises TypeError for what is none, or MemoryError."""
    encoder.encode_into(value, buffer := bytearray())
    return bytes(buffer)


def encoded_sorted(value: object) -> bytes:
    """Return the JSON of a value, its members in order; raises as `encoded` does."""
    return encoded(value, _SORTED_JSON)


def encoded_short(value: object, encode: Callable[[object], bytes]) -> bytes:
    """Return what `encode` of an encoder of JSON makes of a value of few bytes; raises as `encoded` does.

    It takes half the time of `encoded`.
    """
    require_room()
    return encode(value)


def packed(value: object) -> bytes:
    """Return the MessagePack of a value; raises TypeError for what is none, or MemoryError."""
    return encoded(value, _PACK)


def packed_sorted(value: object) -> bytes:
    """Return the MessagePack of a value, its members in order; raises as `packed` does."""
    return encoded(value, _SORTED_PACK)
