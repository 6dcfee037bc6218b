"""The cells with an error in a sheet of an .xlsb file, which python-calamine takes for empty ones.

A part of the workbook is a series of records ([MS-XLSB] 2.1.4): kind and length in groups of seven bits, then its
bytes. Nothing is raised for a damaged file: calamine reads it too, and refuses it in words.
"""

from __future__ import annotations

import io
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator

from syncd.workbook.sheet_biff import ERROR_NAMES
from syncd.workbook.sheet_xml import tags

Place = tuple[int, int]
_ROW, _ERROR, _FORMULA_ERROR, _SHEET = 0, 3, 11, 156
_CODE_AT = 8
"""Where a cell has its error: behind its column and its style, of four bytes each."""


def errors_in_xlsb(content: bytes, sheet: str) -> dict[Place, str]:
    """Return the cells with an error (row and column from 0) of a sheet by its name; {} in other formats."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            relations = archive.read("xl/_rels/workbook.bin.rels").decode("utf-8", "replace")
            relation = dict(_sheets(archive.read("xl/workbook.bin")))[sheet]
            targets = {
                one.get("Id", ""): one.get("Target", "") for tag, one in tags(relations) if tag == "Relationship"
            }
            path = posixpath.normpath(posixpath.join("/xl", targets[relation])).lstrip("/")
            return dict(_errors(archive.read(path)))
    except (
        KeyError,
        IndexError,
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        RuntimeError,
        ValueError,
    ):
        return {}


def _sheets(book: bytes) -> Iterator[tuple[str, str]]:
    """Yield name and relation of each sheet ([MS-XLSB] 2.4.303)."""
    for kind, body in _records(book):
        if kind == _SHEET:
            relation, at = _text(body, 8)
            yield _text(body, at)[0], relation


def _errors(sheet: bytes) -> Iterator[tuple[Place, str]]:
    row = 0
    for kind, body in _records(sheet):
        if kind == _ROW:
            (row,) = struct.unpack_from("<I", body)
        elif kind in (_ERROR, _FORMULA_ERROR):
            (column,) = struct.unpack_from("<I", body)
            yield (row, column), ERROR_NAMES.get(body[_CODE_AT], "#UNKNOWN!")


def _records(part: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(part):
        kind, at = _number(part, at, 2)
        size, at = _number(part, at, 4)
        yield kind, part[at : at + size]
        at += size


def _number(part: bytes, at: int, most: int) -> tuple[int, int]:
    """Return a number of up to `most` groups of seven bits, the lowest first, and the place behind it."""
    number = 0
    for group in range(most):
        byte = part[at]
        at += 1
        number |= (byte & 0x7F) << (7 * group)
        if byte < 0x80:
            break
    return number, at


def _text(body: bytes, at: int) -> tuple[str, int]:
    """Return a text with its length before it, and the place behind it."""
    (length,) = struct.unpack_from("<I", body, at)
    end = at + 4 + 2 * length
    return body[at + 4 : end].decode("utf-16-le", "replace"), end
