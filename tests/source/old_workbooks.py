"""Writes small .xls files, so that tests can hold cells with errors."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_SECTOR, _MINI, _CUTOFF, _END, _FAT, _FREE = 512, 64, 4096, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF


class Broken:
    """A cell with an error by its code, typed or from a formula."""

    def __init__(self, code: int, *, formula: bool = False) -> None:
        self.code = code
        self.formula = formula


def old_workbook(sheets: Sequence[Sequence[Sequence[str | Broken]]], *, small: bool = False) -> bytes:
    """Return a workbook of sheets named 1, 2 and so on; a `small` one has its stream among the small streams."""
    bodies = [_part(0x0010, b"".join(_row(at, row) for at, row in enumerate(rows))) for rows in sheets]
    length = len(_globals([0] * len(sheets)))
    starts = [length + sum(map(len, bodies[:at])) for at in range(len(sheets))]
    stream = _globals(starts) + b"".join(bodies)
    return _compound(stream if small else stream.ljust(_CUTOFF + 1, b"\0"))


def _globals(starts: Sequence[int]) -> bytes:
    names = (struct.pack("<IBBBB", start, 0, 0, 1, 0) + str(at).encode() for at, start in enumerate(starts, 1))
    return _part(0x0005, b"".join(_record(0x0085, name) for name in names))


def _part(kind: int, records: bytes) -> bytes:
    return _record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0, 0, 0, 0)) + records + _record(0x000A, b"")


def _row(number: int, cells: Sequence[str | Broken]) -> bytes:
    return b"".join(_cell(struct.pack("<HHH", number, at, 0), cell) for at, cell in enumerate(cells) if cell)


def _cell(place: bytes, cell: str | Broken) -> bytes:
    if isinstance(cell, str):
        return _record(0x0204, place + struct.pack("<HB", len(cell), 1) + cell.encode("utf-16-le"))
    if cell.formula:
        result = struct.pack("<BBBBHH", 2, 0, cell.code, 0, 0, 0xFFFF)
        return _record(0x0006, place + result + struct.pack("<HIH", 0, 0, 2) + bytes([0x1C, cell.code]))
    return _record(0x0205, place + bytes([cell.code, 1]))


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _compound(stream: bytes) -> bytes:
    """Return a compound file: the table of sectors, the directory, the table of small sectors, and the stream."""
    is_small = len(stream) < _CUTOFF
    data = stream.ljust(-(-len(stream) // _SECTOR) * _SECTOR, b"\0")
    count = len(data) // _SECTOR
    chain = [*range(4, 3 + count), _END]
    table = [_FAT, _END, _END, *chain]
    minis = -(-len(stream) // _MINI)
    small = [*range(1, minis), _END] if is_small else []
    root = _entry("Root Entry", 5, 3 if is_small else _END, minis * _MINI if is_small else 0)
    found = _entry("Workbook", 2, 0 if is_small else 3, len(stream))
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<IIIIIIIII", 0, 1, 1, 0, _CUTOFF, 2, 1, _END, 0) + struct.pack("<I", 0)
    return head.ljust(_SECTOR, b"\xff") + _sector(table) + (root + found).ljust(_SECTOR, b"\0") + _sector(small) + data


def _entry(name: str, kind: int, start: int, size: int) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    links = struct.pack("<III", _FREE, _FREE, 1 if kind == 5 else _FREE)
    return (
        text.ljust(64, b"\0")
        + struct.pack("<HBB", len(text), kind, 1)
        + links
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )


def _sector(numbers: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers).ljust(_SECTOR, b"\xff")
