"""What may happen to a file that a shelf keeps."""

from __future__ import annotations

from pathlib import Path

import msgspec

from syncd.source import shelf


def cut(file: Path) -> None:
    """Leave out the end of it."""
    file.write_bytes(file.read_bytes()[:-7])


def turn_a_bit(file: Path) -> None:
    """Turn one bit of what is kept."""
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)


def empty(file: Path) -> None:
    """Leave nothing in it."""
    file.write_bytes(b"")


def put_something_else(file: Path) -> None:
    """Put a file of another kind in its place."""
    file.write_bytes(msgspec.msgpack.encode({"a": [1, 2]}))


def packed_again(file: Path, content: bytes) -> None:
    """Keep `content` in it as syncd itself would, with the sum that belongs to it."""
    known = msgspec.msgpack.decode(file.read_bytes(), type=shelf._File)
    file.write_bytes(msgspec.msgpack.encode(shelf._File(known.mark, shelf._sum(content), content)))


def turn_a_bit_of_the_mark(file: Path) -> None:
    """Make bytes that are no text of the mark, which stands first."""
    content = bytearray(file.read_bytes())
    content[5] ^= 0x80
    file.write_bytes(content)


DAMAGES = (cut, turn_a_bit, turn_a_bit_of_the_mark, empty, put_something_else)
