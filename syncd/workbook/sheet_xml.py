"""What python-calamine does not tell of a sheet of an .xlsx file: cells with an error, and how dates are shown.

It gives an empty cell for #REF! and for a formula that was never computed, and the same date for a day and for its
midnight. The file itself says it all. Other formats than .xlsx are passed over; of those the reader knows only what
calamine tells.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Mapping
from html import unescape

# The author of a file may be hostile. No pattern goes beyond the next "<", which stands in no attribute, and none tries
# the same bytes twice (*+, ?>), so that each takes a time in proportion to the sheet.
_CELL = re.compile(rb"<(?:\w+:)?c\s([^<>]*+)>")
_ERROR = re.compile(
    rb'<(?:\w+:)?c\s((?>[^<>]*?\bt="e")[^<>]*+)>'
    rb"(?:[^<]++|<(?!/?(?:\w+:)?c[\s/>]|(?:\w+:)?v[\s/>]))*+<(?:\w+:)?v(?:\s[^<>]*+)?>([^<]*+)<"
)
_FILLED = re.compile(rb'<(?:\w+:)?c\s(?>(?:[^<>]*?\s)??r=")[A-Z]{1,3}(\d{1,7})"[^<>]*+(?<!/)>')
_FAR_RIGHT = re.compile(rb'<(?:\w+:)?c\s(?>(?:[^<>]*?\s)??r=")([A-Z]{2,3})\d{1,7}"[^<>]*+(?<!/)>')
"""A cell that is not empty, beyond column Z."""
_FORMULA = re.compile(
    rb"<(?:\w+:)?c\s([^<>]*+)>\s*+<(?:\w+:)?f\b(?>[^<>]*+(?:(?<=/)>|>[^<]*+</(?:\w+:)?f>))\s*+"
    rb"(<(?:\w+:)?v\s*+(?:/>|>\s*+</(?:\w+:)?v>))?+\s*+</(?:\w+:)?c>"
)
"""A formula without a value."""
_NOT_COMPUTED = "#FORMULA!"
"""Excel knows no such error; what reads rows says what it means."""
_STEP_BYTES, _LONGEST_CELL_BYTES = 1 << 20, 1 << 10
_PLACE = re.compile(rb'\br="([A-Z]{1,3})(\d{1,7})"')
_STYLE = re.compile(rb'\bs="(\d{1,5})"')
_TAG = re.compile(r"<(?:\w+:)?(\w++)((?:\s++[\w:]++\s*+=\s*+(?:\"[^\"<]*+\"|'[^'<]*+'))*+)\s*+/?>")
_ATTRIBUTE = re.compile(r"(?<![\w:])(?:\w++:)?(\w++)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)')")
_LITERALS = re.compile(r'"[^"]*"|\\.|\[\$[^\]\[]*+\]|_.|\*.')
_FIRST_OWN_FORMAT, _MOST_DIGITS = 164, 9
_TIMED_FORMATS = frozenset({18, 19, 20, 21, 22, 45, 46, 47})
"""Built-in number formats that show a time (ECMA-376, part 1, 18.8.30)."""

Place = tuple[int, int]
"""Row and column of a cell, from 0."""


class SheetXml:
    """The XML of one sheet; nothing is read before it is asked for.

    `content` are the bytes of the workbook, `sheet` is the name of the sheet in it.
    """

    def __init__(self, content: bytes, sheet: str) -> None:
        self._sheet = b""
        self._styles = ""
        if not zipfile.is_zipfile(io.BytesIO(content)):
            return
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                book = archive.read("xl/workbook.xml").decode("utf-8", "replace")
                relations = archive.read("xl/_rels/workbook.xml.rels").decode("utf-8", "replace")
                self._sheet = archive.read(_sheet_file(book, relations, sheet))
                self._styles = archive.read("xl/styles.xml").decode("utf-8", "replace")
        except (KeyError, zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError):
            return  # another format, such as .ods; or one without styles, in which no date is marked as one

    def extent(self) -> tuple[int, int]:
        """Return the last row and column with a cell that is not empty, counted from 1; (0, 0) in other formats.

        The rows are taken to be in order, as all programs write them, and a table reaches at least to Z: both cost
        little and are enough to find a cell that stands where no table reaches.
        """
        if not self._sheet:
            return 0, 0
        rows = 0
        end = len(self._sheet)
        while end > 0 and not rows:
            start = max(0, end - _STEP_BYTES)
            # A cell that begins in this step may reach into the one behind it.
            found = _FILLED.finditer(self._sheet, start, min(len(self._sheet), end + _LONGEST_CELL_BYTES))
            rows = max((int(one[1]) for one in found), default=0)
            end = start
        letters = set(_FAR_RIGHT.findall(self._sheet))
        return rows, max((_number(one) for one in letters), default=26)

    def errors(self) -> dict[Place, str]:
        """Return the cells that hold an error, with its name (#REF!).

        Also formulas that no spreadsheet has computed yet, as programs write them: their values are not known, which is
        no empty cell. A formula that gives an empty text is of the type "str", and has an empty value.
        """
        found = {}
        for formula in _FORMULA.finditer(self._sheet) if b"f>" in self._sheet else ():
            is_empty_text = formula[2] is not None and b't="str"' in formula[1]
            if not is_empty_text and (place := _place(formula[1])):
                found[place] = _NOT_COMPUTED
        for cell in _ERROR.finditer(self._sheet):
            if place := _place(cell[1]):
                found[place] = unescape(cell[2].decode("utf-8", "replace"))
        return found

    def cells_with_a_time(self) -> frozenset[Place]:
        """Return the cells that show a time of day, whatever it is."""
        timed = _timed_styles(self._styles)
        return frozenset(
            place
            for cell in _CELL.finditer(self._sheet)
            if (style := _STYLE.search(cell[1])) is not None and int(style[1]) in timed and (place := _place(cell[1]))
        )


def _sheet_file(book: str, relations: str, sheet: str) -> str:
    """Return the path in the archive of a sheet; raises KeyError if the workbook does not say it."""
    ids = {one.get("name", ""): one.get("id", "") for tag, one in tags(book) if tag == "sheet"}
    targets = {one.get("Id", ""): one.get("Target", "") for tag, one in tags(relations) if tag == "Relationship"}
    target = targets[ids[sheet]]
    return target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join("xl", target))


def _timed_styles(styles: str) -> frozenset[int]:
    """Return the numbers of the cell styles whose format shows hours or minutes."""
    formats, numbers, within = dict[int, str](), list[int](), False
    for tag, attributes in tags(styles):
        if tag == "numFmt":
            formats[_format_number(attributes)] = attributes.get("formatCode", "")
        elif tag in ("cellStyleXfs", "cellXfs", "cellStyles", "dxfs"):
            within = tag == "cellXfs"
        elif tag == "xf" and within:
            numbers.append(_format_number(attributes))
    return frozenset(at for at, number in enumerate(numbers) if _shows_time(number, formats.get(number, "")))


def _format_number(attributes: Mapping[str, str]) -> int:
    number = attributes.get("numFmtId", "")
    return int(number) if number.isdecimal() and len(number) <= _MOST_DIGITS else 0


def _shows_time(number: int, code: str) -> bool:
    if number < _FIRST_OWN_FORMAT and not code:
        return number in _TIMED_FORMATS
    # "h" and "s" stand for nothing else once the literal texts are gone; "m" may be a month.
    return any(letter in _LITERALS.sub("", code).lower().partition(";")[0] for letter in "hs")


def tags(xml: str) -> list[tuple[str, dict[str, str]]]:
    """Return the tags of a small part of a workbook with their attributes, by local names."""
    return [
        (tag[1], {name: unescape(one or other) for name, one, other in _ATTRIBUTE.findall(tag[2])})
        for tag in _TAG.finditer(xml)
    ]


def _place(attributes: bytes) -> Place | None:
    found = _PLACE.search(attributes)
    if found is None:
        return None
    return int(found[2]) - 1, _number(found[1]) - 1


def _number(letters: bytes) -> int:
    """Return the number of a column from 1: 26 for Z, 27 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
