"""A JSON document: its bytes to values, the records in it, and what it says besides.

Paths are JSONPath (RFC 9535, by python-jsonpath: it has no dependencies, keeps to the standard, and is looked after).
A list that is not where `records` says is an error: it is never taken for an empty one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING

import msgspec

from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.model.encoding import decoded_by
from syncd.source.encodings import decode
from syncd.source.field_values import clean, damaged

if TYPE_CHECKING:
    from jsonpath import JSONPath

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_BOM = b"\xef\xbb\xbf"
_MANY = frozenset({"WildcardSelector", "WildSelector", "Filter", "SliceSelector"})
"""Names of the library's selectors that find any number of values."""
_SHOWN, _DEEPEST_LIST, _LONGEST_WORDS = 5, 4, 200
_WORDS = ("message", "error_description", "detail", "title", "value", "error", "odata.error", "errors")
"""Members under which servers say what is wrong, the plainest first."""
_MORE = ("@odata.nextLink", "odata.nextLink", "nextLink", "next", "next_page_url", "nextPageToken", "next_cursor")
_COUNTS = ("count", "total", "@odata.count", "odata.count", "value")
_HAS_MORE = ("has_more", "hasMore", "has_next", "hasNext", "moreItems")
"""Members by which servers say that there is another page."""


def read_document(content: bytes, *, name: str, encoding: str = "auto") -> object:
    """Return the values of a document; raises SourceError if the bytes are no whole JSON."""
    try:
        return decoded_by(_DECODER, content.removeprefix(_BOM))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        ends = "truncated" in str(error)  # or there is half of a surrogate pair, which is read below
    text, _, _ = decode(content, encoding, name=name, kind="JSON")
    try:
        return json.loads(text.lstrip("\ufeff"), parse_float=Decimal)
    except RecursionError:
        raise SourceError(
            say("{name} is nested too deep to be a schedule", name=name), say("check what it is")
        ) from None
    except ValueError as error:
        message = (
            say("{name} is cut off", name=name)
            if ends
            else say("{name} is no JSON: {error}", name=name, error=str(error))
        )
        raise SourceError(message, say("see whether all of it was sent")) from None


def compiled(path: str) -> JSONPath:
    """Return a JSONPath; raises ValueError, which begins with "is", for a text that is none."""
    from jsonpath import CompoundJSONPath, JSONPathError, compile  # noqa: PLC0415 - sources without JSON need none

    try:
        found = compile(path)
    except JSONPathError as error:
        raise ValueError(say("is no JSONPath: {error}", error=str(error).splitlines()[0])) from None
    if isinstance(found, CompoundJSONPath) or not path.startswith("$"):
        raise ValueError(say("is no JSONPath: it begins with $, as $.value[*]"))
    return found


class Records:
    """The list of records in a document; raises ValueError for a path that is no JSONPath."""

    def __init__(self, path: str) -> None:
        self._text = path
        self._path = compiled(path)
        last = self._path.segments[-1] if self._path.segments else None
        self._plain = _names(self._path)
        # The name of a list means its items; a wildcard or a filter means what it finds.
        self._names_list = last is None or not any(kind in _MANY for kind in _selectors(last))

    def of(self, document: object, *, name: str) -> list[object]:
        """Return the records; raises SourceError if there is no list where the path leads."""
        found = self._found(document)
        if not found:
            self._prove(document, name)
        if not self._names_list:
            self._refuse_members(document, name)
            return found
        records: list[object] = []
        for one in found:
            if not isinstance(one, list | dict):
                said = say("{path} is {kind}, no list", path=self._text, kind=_kind(one))
                raise self._missing(document, name, said)
            records += one if isinstance(one, list) else [one]
        return records

    def _found(self, document: object) -> list[object]:
        # The items of a list by its name, as nearly all are written: the library makes an object for each of them.
        if self._plain is not None:
            above = document
            for key in self._plain:
                above = above.get(key) if isinstance(above, dict) else None
            if isinstance(above, list):
                return above
        return self._path.findall(document)  # type: ignore[arg-type]

    def _refuse_members(self, document: object, name: str) -> None:
        """Raise SourceError if a wildcard goes through the members of an object that are no records themselves."""
        from jsonpath import JSONPath  # noqa: PLC0415 - see compiled

        above = JSONPath(env=self._path.env, segments=self._path.segments[:-1]).findall(document)  # type: ignore[arg-type]
        for one in above:
            # Some have an object of records by their ids, and there every member is one.
            if isinstance(one, dict) and not all(isinstance(member, dict) for member in one.values()):
                raise self._missing(document, name, say("there is no list at {path}", path=self._text))

    def _prove(self, document: object, name: str) -> None:
        """Raise SourceError unless a list on the way is there and empty, so that there are no records."""
        from jsonpath import JSONPath  # noqa: PLC0415 - see compiled

        segments = self._path.segments
        for end in range(len(segments) - 1, -1, -1):
            above = JSONPath(env=self._path.env, segments=segments[:end]).findall(document)  # type: ignore[arg-type]
            if above:
                kinds = _selectors(segments[end])
                # What a name leads to has to be there; only a list may have nothing in it.
                if all(_is_none_of(one, kinds) for one in above):
                    return
                break
        raise self._missing(document, name, say("there is no list at {path}", path=self._text))

    def _missing(self, document: object, name: str, said: str) -> SourceError:
        words = words_in(document)
        there = [path for path, _ in lists_in(document)][:_SHOWN]
        remedy = say("check url, and records in [sync.source]")
        if there:
            places = reduce(lambda one, other: say("{one} or {other}", one=one, other=other), there)
            remedy = say("records may be {places}", places=places)
        message = say("{name}: {reason}", name=name, reason=said)
        return SourceError(
            say("{message}; it says: {words}", message=message, words=words) if words else message, remedy
        )


def value_at(path: JSONPath, document: object) -> object:
    """Return the first value at a path, None without one."""
    found = path.findall(document)  # type: ignore[arg-type]
    return found[0] if found else None


def lists_in(document: object) -> list[tuple[str, list[object]]]:
    """Return the lists of objects in a document with their paths, the longest first."""
    found = list(_lists("$", document, 0))
    return sorted(found, key=lambda one: -len(one[1]))


def _lists(path: str, value: object, depth: int) -> Iterator[tuple[str, list[object]]]:
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value[:_SHOWN]):
        yield f"{path}[*]", value
    elif isinstance(value, dict) and depth < _DEEPEST_LIST:
        for key, inner in value.items():
            yield from _lists(path + (f".{key}" if key.isidentifier() else f"[{key!r}]"), inner, depth + 1)


def number_in(content: bytes, *, name: str) -> int | None:
    """Return the number that a body is, or says as `count` or the like; None for any other; raises SourceError."""
    document = read_document(content, name=name)
    if isinstance(document, dict):
        document = next((document[key] for key in _COUNTS if key in document), None)
    return document if isinstance(document, int) and not isinstance(document, bool) and document >= 0 else None


def words_in(document: object) -> str:
    """Return what a server says in a document about what is wrong, "" if nothing."""
    for _ in range(_DEEPEST_LIST):
        if isinstance(document, list):
            document = document[0] if document else ""
        if not isinstance(document, dict):
            break
        document = next((document[key] for key in _WORDS if document.get(key)), "")
    said = " ".join(clean(document).split()) if isinstance(document, str) and not damaged(document) else ""
    return said[:_LONGEST_WORDS]


def says_more(document: object) -> str:
    """Return the member by which a document says that there is another page, "" if it does not."""
    if not isinstance(document, dict):
        return ""
    for outer, inside in [
        ("", document),
        *((f"{key}.", one) for key, one in document.items() if isinstance(one, dict)),
    ]:
        for key in _MORE:
            if isinstance(inside.get(key), str) and inside[key]:
                return outer + key
        for key in _HAS_MORE:
            if inside.get(key) is True:
                return outer + key
    return ""


def _selectors(segment: object) -> Sequence[str]:
    return [type(one).__name__ for one in getattr(segment, "selectors", ())]


def _names(path: JSONPath) -> tuple[str, ...] | None:
    """Return the names that lead to a list whose items a path means, None for a path of another form."""
    from jsonpath.segments import JSONPathChildSegment  # noqa: PLC0415 - see compiled
    from jsonpath.selectors import NameSelector, WildcardSelector  # noqa: PLC0415

    names: list[str] = []
    for at, segment in enumerate(path.segments, 1):
        one = segment.selectors[0] if len(segment.selectors) == 1 else None
        if not isinstance(segment, JSONPathChildSegment):
            return None
        if at == len(path.segments):
            return tuple(names) if isinstance(one, WildcardSelector) else None
        if not isinstance(one, NameSelector):
            return None
        names.append(one.name)
    return None


def _is_none_of(value: object, kinds: Sequence[str]) -> bool:
    """Return True if selectors of these kinds find nothing in a value because it holds nothing, or they filter it."""
    if not isinstance(value, list) or not all(kind in _MANY for kind in kinds):
        return False
    return not value or "Filter" in kinds


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return say("text")
    return say("a yes or no") if isinstance(value, bool) else say("a number")
