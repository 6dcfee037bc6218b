"""The process that reads workbooks: requests on stdin, answers on stdout, until stdin ends.

A request is a line of JSON ("size", "sheet", "most_bytes", "most_cells") and then `size` bytes of a workbook. An answer
is a line with its length and then JSON: what `read` returns. The only argument is the most memory it may use, in bytes.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from python_calamine import (
    CalamineError,
    CalamineWorkbook,
    PasswordError,
    SheetMetadata,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from syncd.child import confine
from syncd.workbook.archive import unpacks_to_more_than
from syncd.workbook.sheet_biff import errors_in_xls
from syncd.workbook.sheet_ods import errors_in_ods
from syncd.workbook.sheet_xlsb import errors_in_xlsb
from syncd.workbook.sheet_xml import SheetXml

_OPEN_DOCUMENT, _HEAD_BYTES = b"application/vnd.oasis.opendocument", 200
_LONG_TIME = re.compile(r"PT(\d{1,5})H(\d{1,2})M(\d{1,2}(?:\.\d{1,9})?)S")
Cell = int | float | str | time | date | timedelta
_TABLE = SheetTypeEnum.WorkSheet
_MARKED: Mapping[type, tuple[str, Callable[[Any], str]]] = {
    datetime: ("moment", datetime.isoformat),
    date: ("day", date.isoformat),
    time: ("time", time.isoformat),
    timedelta: ("length", lambda length: repr(length.total_seconds())),
}
"""Kinds of cells that JSON has not: the mark they get, and their text."""


def main() -> None:
    """Answer requests until there are no more."""
    confine(int(sys.argv[1]))
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        content = sys.stdin.buffer.read(request["size"])
        answer = read(content, request["sheet"], most_bytes=request["most_bytes"], most_cells=request["most_cells"])
        said = json.dumps(answer).encode()
        sys.stdout.buffer.write(b"%d\n%b" % (len(said), said))
        sys.stdout.buffer.flush()


def read(content: bytes, wanted: str | int | None, *, most_bytes: int, most_cells: int) -> dict[str, Any]:
    """Return a sheet: its "sheet" name, "cells", "merged" ranges, the places that show a time of day ("timed").

    "visible" are the names of all sheets that people see.

    `wanted` is a name, a number from 1, or None for the first visible. Instead it returns "lacks" with the names there
    are, or "refused" with why: what it "unpacks_beyond" in bytes, how far its "rows" and "columns" reach, that a
    "password" protects it, or the "error" of a file that is none.
    """
    try:
        if unpacks_to_more_than(content, most_bytes):
            return {"refused": {"unpacks_beyond": most_bytes}}
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        names = book.sheet_names
        chosen = _choose(names, _first_visible(book.sheets_metadata), wanted)
        if chosen is None:
            return {"lacks": names}
        xml = SheetXml(content, chosen)
        # Before calamine makes room for them: it takes a place for each cell up to the last one.
        rows, columns = xml.extent()
        if rows * columns > most_cells:
            return {"refused": {"rows": rows, "columns": columns}}
        sheet = book.get_sheet_by_name(chosen)
        # Empty rows and columns are kept, because the lines in messages are those that Excel shows.
        cells = sheet.to_python(skip_empty_area=False)
        merged = sheet.merged_cell_ranges or []
    except PasswordError:
        return {"refused": {"password": True}}
    except (CalamineError, OSError, ValueError) as error:
        return {"refused": {"error": _brief(error)}}
    # An error is never an empty cell: what a formula could not tell might be an end or an owner.
    errors = xml.errors() | errors_in_xls(content, names.index(chosen))
    errors |= errors_in_xlsb(content, chosen) | errors_in_ods(content, chosen)
    for (row, column), said in errors.items():
        if row < len(cells) and column < len(cells[row]):
            cells[row][column] = said
    if content.find(_OPEN_DOCUMENT, 0, _HEAD_BYTES) >= 0:
        cells = [[_length(cell) for cell in row] for row in cells]
    kinds = {type(cell) for row in cells for cell in row}
    # Only where days stand beside times does it matter which of the days are midnights.
    timed = xml.cells_with_a_time() if date in kinds and kinds & {datetime, time} else frozenset()
    plain = kinds.isdisjoint(_MARKED)
    return {
        "sheet": chosen,
        "cells": cells if plain else [[_marked(cell) for cell in row] for row in cells],
        "merged": merged,
        "timed": sorted(timed),
        "visible": _visible(names, book.sheets_metadata),
    }


def _choose(names: Sequence[str], first: int, wanted: str | int | None) -> str | None:
    if wanted is None:
        return names[first] if names else None
    if isinstance(wanted, int):
        return names[wanted - 1] if wanted <= len(names) else None
    if wanted in names:
        return wanted
    return next((known for known in names if known.strip().casefold() == wanted.strip().casefold()), None)


def _first_visible(sheets: Sequence[SheetMetadata]) -> int:
    for number, sheet in enumerate(sheets):
        if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == _TABLE:
            return number
    return 0


def _visible(names: Sequence[str], sheets: Sequence[SheetMetadata]) -> list[str]:
    pairs = zip(names, sheets, strict=True)
    return [name for name, sheet in pairs if (sheet.visible, sheet.typ) == (SheetVisibleEnum.Visible, _TABLE)]


def _marked(cell: object) -> object:
    mark = _MARKED.get(type(cell))
    return cell if mark is None else [mark[0], mark[1](cell)]


def _length(cell: Cell) -> Cell:
    """Return a time from 24 hours on as what it is; calamine gives that of an .ods file as a text."""
    found = _LONG_TIME.fullmatch(cell) if isinstance(cell, str) and cell.startswith("PT") else None
    return timedelta(hours=int(found[1]), minutes=int(found[2]), seconds=float(found[3])) if found else cell


def _brief(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


if __name__ == "__main__":
    main()
