"""Writes small Excel workbooks the way Excel lays them out, so that tests can hold any cell they like."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from xml.sax.saxutils import escape

_EPOCH = datetime(1899, 12, 30)
_STYLES = {date: 1, datetime: 2, time: 3, timedelta: 4}
_FORMATS = ("yyyy-mm-dd", "yyyy-mm-dd hh:mm", "hh:mm", "[h]:mm", "dd.mm.yyyy hh:mm")
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


class Shown:
    """A number that Excel shows in one of the formats above."""

    def __init__(self, number: float, code: str) -> None:
        self.number = number
        self.code = code


class Failed:
    """A cell with an error, such as #REF!."""

    def __init__(self, error: str) -> None:
        self.error = error


Cell = str | int | float | bool | date | datetime | time | timedelta | Shown | Failed | None
Row = Sequence[Cell]


class Formula:
    """A formula with the value that Excel saved beside it, None if nobody has computed it yet."""

    def __init__(self, text: str, value: Cell) -> None:
        self.text = text
        self.value = value


def workbook(*rows: Sequence[Cell | Formula], merged: Iterable[str] = (), name: str = "Shifts") -> bytes:
    """Return a workbook of one sheet."""
    return workbook_of({name: rows}, merged=merged)


def workbook_of(
    sheets: Mapping[str, Sequence[Sequence[Cell | Formula]]], *, merged: Iterable[str] = (), hidden: Iterable[str] = ()
) -> bytes:
    """Return a workbook of several sheets; `merged` ranges ("A1:C1") hold in all of them."""
    numbered = list(enumerate(sheets.items(), 1))
    files = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" '
        'ContentType="application/xml"/><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {_MAIN} xmlns:r="{_RELATIONS}"><sheets>'
        + "".join(
            f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"'
            f"{' state=' + chr(34) + 'hidden' + chr(34) if name in hidden else ''}/>"
            for number, (name, _) in numbered
        )
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="rId{number}" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet{number}.xml"/>'
            for number, _ in numbered
        )
        + f'<Relationship Id="rId99" Type="{_RELATIONS}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f"<styleSheet {_MAIN}><numFmts>"
        + "".join(f'<numFmt numFmtId="{164 + at}" formatCode="{escape(text)}"/>' for at, text in enumerate(_FORMATS))
        + '</numFmts><cellXfs><xf numFmtId="0"/>'
        + "".join(f'<xf numFmtId="{164 + at}" applyNumberFormat="1"/>' for at in range(len(_FORMATS)))
        + "</cellXfs></styleSheet>",
    }
    ranges = "".join(f'<mergeCell ref="{each}"/>' for each in merged)
    for number, (_, rows) in numbered:
        body = "".join(_row(at, row) for at, row in enumerate(rows, 1))
        files[f"xl/worksheets/sheet{number}.xml"] = (
            f"<worksheet {_MAIN}><sheetData>{body}</sheetData>"
            + (f"<mergeCells>{ranges}</mergeCells>" if ranges else "")
            + "</worksheet>"
        )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(path, _HEAD + text)
    return out.getvalue()


def _row(number: int, cells: Sequence[Cell | Formula]) -> str:
    return (
        f'<row r="{number}">'
        + "".join(_cell(f"{_letters(at)}{number}", cell) for at, cell in enumerate(cells))
        + "</row>"
    )


def _cell(place: str, cell: Cell | Formula) -> str:
    formula = ""
    if isinstance(cell, Formula):
        formula, cell = f"<f>{escape(cell.text)}</f>", cell.value
    match cell:
        case None:
            return f'<c r="{place}">{formula}<v/></c>' if formula else ""
        case Shown():
            return f'<c r="{place}" s="{_FORMATS.index(cell.code) + 1}">{formula}<v>{cell.number!r}</v></c>'
        case Failed():
            return f'<c r="{place}" t="e">{formula}<v>{escape(cell.error)}</v></c>'
        case bool():
            return f'<c r="{place}" t="b">{formula}<v>{int(cell)}</v></c>'
        case str() if formula:
            return f'<c r="{place}" t="str">{formula}<v>{escape(cell)}</v></c>'
        case str():
            return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
        case int() | float():
            return f'<c r="{place}">{formula}<v>{cell!r}</v></c>'
        case _:
            return f'<c r="{place}" s="{_STYLES[type(cell)]}">{formula}<v>{_serial(cell)!r}</v></c>'


def _serial(value: date | datetime | time | timedelta) -> float:
    match value:
        case timedelta():
            return value / timedelta(days=1)
        case time():
            return (value.hour * 3600 + value.minute * 60 + value.second) / 86400
        case datetime():
            return (value - _EPOCH) / timedelta(days=1)
        case _:
            return (datetime.combine(value, time()) - _EPOCH) / timedelta(days=1)


def _letters(at: int) -> str:
    return chr(65 + at) if at < 26 else chr(64 + at // 26) + chr(65 + at % 26)
