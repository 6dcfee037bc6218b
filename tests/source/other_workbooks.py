"""Writes small .ods and .xlsb files, so that tests can hold cells with errors."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from xml.sax.saxutils import escape

from tests.source.old_workbooks import Broken

_SPACES = "".join(
    f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "text", "table")
)
_CALC = ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
_OPEN = "application/vnd.oasis.opendocument.spreadsheet"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def open_document(sheets: Mapping[str, Sequence[Sequence[str]]]) -> bytes:
    """Return an .ods file; a cell is a text, or XML as LibreOffice writes it, a number first repeats the row."""
    tables = "".join(
        f'<table:table table:name="{name}">{"".join(map(_ods_row, rows))}</table:table>'
        for name, rows in sheets.items()
    )
    body = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    xml = f"<office:document-content{_SPACES}{_CALC}>{body}</office:document-content>"
    return _archive({"mimetype": _OPEN, "META-INF/manifest.xml": "<manifest/>", "content.xml": xml})


def ods_error(
    shown: str, *, mark: str = ' calcext:value-type="error"', value: str = 'string" office:string-value="'
) -> str:
    """Return a cell with an error as LibreOffice writes it; without `mark` as older versions did."""
    kind = f'table:formula="of:=x" office:value-type="{value}"{mark}'
    return f"<table:table-cell {kind}><text:p>{shown}</text:p></table:table-cell>"


def _ods_row(cells: Sequence[str]) -> str:
    many = f' table:number-rows-repeated="{cells[0]}"' if cells[0].isdecimal() else ""
    return f"<table:table-row{many}>{''.join(map(_ods_cell, cells[bool(many) :]))}</table:table-row>"


def _ods_cell(cell: str) -> str:
    text = f'<table:table-cell office:value-type="string"><text:p>{escape(cell)}</text:p></table:table-cell>'
    return cell if cell.startswith("<") else text


def binary_workbook(sheets: Mapping[str, Sequence[Sequence[str | Broken]]]) -> bytes:
    """Return an .xlsb file."""
    files: dict[str, str | bytes] = {}
    bundle = relations = ""
    book = b""
    for number, (name, rows) in enumerate(sheets.items(), 1):
        bundle = f"rId{number}"
        relations += f'<Relationship Id="{bundle}" Target="worksheets/sheet{number}.bin"/>'
        book += _record(156, struct.pack("<II", 0, number) + _text(bundle) + _text(name))
        body = b"".join(_record(0, struct.pack("<I", at) + bytes(21)) + _cells(row) for at, row in enumerate(rows))
        extent = struct.pack("<IIII", 0, len(rows) - 1, 0, max(map(len, rows)) - 1)
        inside = _record(145, b"") + body + _record(146, b"")
        files[f"xl/worksheets/sheet{number}.bin"] = (
            _record(129, b"") + _record(148, extent) + inside + _record(130, b"")
        )
    files["xl/workbook.bin"] = _record(131, b"") + _record(143, b"") + book + _record(144, b"") + _record(132, b"")
    files["xl/_rels/workbook.bin.rels"] = f'<Relationships xmlns="{_PACKAGE}">{relations}</Relationships>'
    return _archive(files)


def _cells(row: Sequence[str | Broken]) -> bytes:
    return b"".join(_cell(struct.pack("<II", at, 0), cell) for at, cell in enumerate(row) if cell)


def _cell(place: bytes, cell: str | Broken) -> bytes:
    if isinstance(cell, str):
        return _record(6, place + _text(cell))
    formula = struct.pack("<HII", 0, 0, 0)
    return _record(11, place + bytes([cell.code]) + formula) if cell.formula else _record(3, place + bytes([cell.code]))


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def _record(kind: int, body: bytes) -> bytes:
    return _number(kind) + _number(len(body)) + body


def _number(number: int) -> bytes:
    groups = [number & 0x7F]
    while number := number >> 7:
        groups[-1] |= 0x80
        groups.append(number & 0x7F)
    return bytes(groups)


def _archive(files: Mapping[str, str | bytes]) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()
