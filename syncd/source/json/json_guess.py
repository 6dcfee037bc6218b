"""The list of records that a document seems to be for, as a table, for `syncd init`; a person checks the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.source.field_values import clean
from syncd.source.json.document import lists_in, read_document, says_more
from syncd.source.json.json_format import RecordColumns

_SAMPLE = 500
ONE_C = "/odata/standard.odata/"
"""What addresses of 1C's OData have in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsGuess:
    """The path of the list, its records as a table, and the member by which the document says that there is more."""

    path: str
    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    more: str


def looks_like_json(content: bytes) -> bool:
    """Return True for bytes that begin as a document of objects or lists does, which no table does."""
    start = content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    return start[:1] in (b"{", b"[") and start[1:].lstrip()[:1] in (b"{", b"[", b"}", b"]", b'"')


def guess_records(name: str, content: bytes) -> RecordsGuess:
    """Return the longest list of objects as a table; raises SourceError if there is none."""
    document = read_document(content, name=name)
    found = lists_in(document)
    if not found:
        raise SourceError(
            say("{name} holds no list of records", name=name), say("give a document with at least one event")
        )
    path, records = found[0]
    titles, rows, _ = RecordColumns({}, frozenset()).rows(records[:_SAMPLE])
    table = [[clean(cell) for cell in cells] for _, cells in rows]
    return RecordsGuess(path=path, titles=titles, rows=table, more=says_more(document))
