"""The cells with an error in a sheet of an .ods file, which python-calamine takes for empty ones or for a 0.

LibreOffice marks them (calcext:value-type="error"), and writes the error as the text that people see. Older files have
the text alone, below a formula. Nothing is raised for a damaged file: calamine reads it too, and refuses it in words.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from xml.parsers.expat import ExpatError, ParserCreate

Place = tuple[int, int]
_ERROR = re.compile(r"#(?:REF!|N/A|VALUE!|NAME\?|DIV/0!|NULL!|NUM!)|Err:\d{3}")
_UNKNOWN = "#UNKNOWN!"
"""What an error in another language is called."""
_CELLS = frozenset({"table-cell", "covered-table-cell"})
_MOST = 10_000
"""How many cells an error that is repeated may fill: no table has more of one."""


def errors_in_ods(content: bytes, sheet: str) -> dict[Place, str]:
    """Return the cells with an error (row and column from 0) of a sheet by its name; {} in other formats."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            xml = archive.read("content.xml")
        if b'"error"' not in xml and b":formula=" not in xml:
            return {}  # most files: reading them a second time takes as long as the first
        found = _Errors(sheet)
        found.parse(xml)
    except (KeyError, zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError, ExpatError):
        return {}
    return found.found


class _Errors:
    """Follows the tags of content.xml and counts rows and cells as they are repeated."""

    def __init__(self, sheet: str) -> None:
        self.found: dict[Place, str] = {}
        self._sheet = sheet
        self._tables: list[str] = []
        self._row = self._column = 0
        self._rows = self._columns = 1
        self._kind = ""
        self._text: list[str] = []
        self._notes = 0

    def parse(self, xml: bytes) -> None:
        """Find the errors; raises ExpatError for what is no XML."""
        parser = ParserCreate(namespace_separator=None)
        parser.buffer_text = True
        parser.StartElementHandler = self._starts
        parser.EndElementHandler = self._ends
        parser.CharacterDataHandler = self._says
        parser.Parse(xml, True)

    def _starts(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "table":
            self._tables.append(attributes.get("table:name", ""))
        if self._tables != [self._sheet]:
            return
        if name == "table-row":
            self._rows, self._column = _times(attributes, "rows"), 0
        elif name in _CELLS:
            self._columns, self._text = _times(attributes, "columns"), []
            self._kind = attributes.get("calcext:value-type") or ("formula" if "table:formula" in attributes else "")
        elif name == "annotation":
            self._notes += 1

    def _ends(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if self._tables == [self._sheet]:
            if name == "table-row":
                self._row += self._rows
            elif name in _CELLS:
                self._note_cell()
                self._column += self._columns
                self._kind = ""
            elif name == "annotation":
                self._notes -= 1
        if name == "table" and self._tables:
            self._tables.pop()

    def _says(self, text: str) -> None:
        if self._kind and not self._notes:
            self._text.append(text)

    def _note_cell(self) -> None:
        said = "".join(self._text).strip()
        is_known = _ERROR.fullmatch(said) is not None
        if not self._kind or not (self._kind == "error" or is_known) or self._rows * self._columns > _MOST:
            return
        for row in range(self._row, self._row + self._rows):
            for column in range(self._column, self._column + self._columns):
                self.found[row, column] = said if is_known else _UNKNOWN


def _times(attributes: Mapping[str, str], what: str) -> int:
    """Return how often a row or cell stands there; raises ValueError for what is no number."""
    return int(attributes.get(f"table:number-{what}-repeated", "1"))
