"""The alias table of owners as a file: a CSV with two columns, other name and owner, and no surprises."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

_MOST_BYTES = 5_000_000


def read_aliases(path: Path) -> Mapping[str, int | str]:
    """Return the aliases in the CSV file `path`: other name -> owner (id, e-mail, XML_ID or full name).

    UTF-8 or cp1251, comma, semicolon or tab; lines that are empty or begin with # are passed over. Raises ValueError
    with the line for anything else than two filled cells, and for a name given twice.
    """
    text = _text(path)
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    delimiter = max(",;\t", key=first.count)
    aliases: dict[str, int | str] = {}
    reader = csv.reader(StringIO(text), delimiter=delimiter)
    for cells in reader:
        filled = [cell.strip() for cell in cells]
        if not any(filled) or filled[0].startswith("#"):
            continue
        if len(filled) != 2 or not all(filled):
            raise ValueError(f"names {path}, whose line {reader.line_num} has not two filled cells: other name, owner")
        if filled[0] in aliases:
            raise ValueError(f"names {path}, whose line {reader.line_num} gives {filled[0]!r} a second time")
        aliases[filled[0]] = filled[1]
    return aliases


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"names {path}, which is too large for a table of names")
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"names {path}, which cannot be read: {error.strerror}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1251", "replace")
