"""The cells with an error in a sheet of an old .xls file, which python-calamine takes for empty ones.

The file is a compound file ([MS-CFB]) with a stream of records ([MS-XLS]); a record is its kind, its length, its bytes.
Nothing is raised for a damaged file: calamine reads it too, and refuses it in words.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

Place = tuple[int, int]
_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LAST_SECTOR = 0xFFFFFFFA
_HEADER_BYTES, _ENTRY_BYTES, _IN_HEADER = 512, 128, 109
_BOF, _EOF, _SHEET, _FORMULA, _BOOL_OR_ERROR = 0x0809, 0x000A, 0x0085, 0x0006, 0x0205
ERROR_NAMES: Mapping[int, str] = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A",
}  # fmt: skip
"""[MS-XLS] 2.5.10, BErr."""


def errors_in_xls(content: bytes, sheet: int) -> dict[Place, str]:
    """Return the cells with an error (row and column from 0) of a sheet by its number from 0; {} in other formats."""
    if not content.startswith(_SIGNATURE):
        return {}
    try:
        stream = _workbook(content)
        starts = [struct.unpack_from("<I", body)[0] for kind, body in _records(stream, 0) if kind == _SHEET]
        return dict(_errors(stream, starts[sheet]))
    except (struct.error, IndexError, ValueError):
        return {}


def _errors(stream: bytes, start: int) -> Iterator[tuple[Place, str]]:
    for kind, body in _records(stream, start):
        if kind == _BOOL_OR_ERROR and body[7]:
            code = body[6]
        elif kind == _FORMULA and body[6] == 2 and body[12:14] == b"\xff\xff":
            code = body[8]
        else:
            continue
        row, column = struct.unpack_from("<HH", body)
        yield (row, column), ERROR_NAMES.get(code, "#UNKNOWN!")


def _records(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Yield the records of one part of the stream; charts within it are parts of their own and left out."""
    depth = 0
    while at + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, at)
        depth += (kind == _BOF) - (kind == _EOF)
        if depth == 1:
            yield kind, stream[at + 4 : at + 4 + size]
        elif depth < 1:
            return
        at += 4 + size


def _workbook(content: bytes) -> bytes:
    """Return the stream of the workbook; raises ValueError if there is none."""
    (shift,) = struct.unpack_from("<H", content, 30)
    first_directory, _, cutoff, first_mini = struct.unpack_from("<IIII", content, 48)
    size = 1 << min(shift, 16)
    sectors = [content[at : at + size] for at in range(max(size, _HEADER_BYTES), len(content), size)]
    table = _numbers(b"".join(sectors[at] for at in _table_sectors(content, sectors)))
    directory = _chain(first_directory, table, sectors)
    root, found = b"", b""
    for at in range(0, len(directory) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
        entry = directory[at : at + _ENTRY_BYTES]
        root = root or entry
        if entry[:64].decode("utf-16-le", "replace").partition("\0")[0].casefold() in ("workbook", "book"):
            found = found or entry
    if not found:
        raise ValueError("there is no workbook")
    start, length = struct.unpack_from("<II", found, 116)
    if length >= cutoff:
        return _chain(start, table, sectors)[:length]
    within = _chain(struct.unpack_from("<I", root, 116)[0], table, sectors)
    small = [within[at : at + 64] for at in range(0, len(within), 64)]
    return _chain(start, _numbers(_chain(first_mini, table, sectors)), small)[:length]


def _table_sectors(content: bytes, sectors: list[bytes]) -> Iterator[int]:
    """Yield the sectors that hold the table of sectors: from the header, and for large files from lists behind it."""
    more, count = struct.unpack_from("<II", content, 68)
    listed = _numbers(content[76 : 76 + 4 * _IN_HEADER])
    for _ in range(min(count, len(sectors))):
        *numbers, more = _numbers(sectors[more]) if more < len(sectors) else [_LAST_SECTOR]
        listed += numbers
    yield from (number for number in listed if number < len(sectors))


def _chain(start: int, table: list[int], sectors: list[bytes]) -> bytes:
    """Return the bytes of a chain of sectors; one that runs in a circle ends after as many as there are."""
    found: list[bytes] = []
    while start < len(sectors) and len(found) < len(sectors):
        found.append(sectors[start])
        start = table[start] if start < len(table) else _LAST_SECTOR
    return b"".join(found)


def _numbers(content: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(content) // 4}I", content[: len(content) // 4 * 4]))
