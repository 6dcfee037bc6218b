"""Records of JSON to rows of a table: a member is a column, by its name or by a path.

{"id": 7, "who": {"email": "a@example.com"}, "tags": ["x", "y"]}      id | who.email     | tags
                                                                      7  | a@example.com | x, y
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from syncd.errors import SourceError
from syncd.lang.saying import say, say_count
from syncd.source.base import ReadContext
from syncd.source.field_values import clean, sync_zone
from syncd.source.files import Part
from syncd.source.json.document import Records, compiled, read_document, says_more, value_at
from syncd.source.options import nearest
from syncd.source.table.columns import TableOptions
from syncd.source.table.row_reader import Row, read_table
from syncd.source.table.typed_values import text_of

if TYPE_CHECKING:
    from jsonpath import JSONPath

_DEEPEST = 8
_MOST_COLUMNS = 300
_NEEDED = frozenset({"uid", "title", "start", "date"})
_MOMENTS = frozenset({"start", "date", "end"})
_SECONDS, _MILLISECONDS = range(10**8, 10**11), range(10**11, 4 * 10**12)
"""Numbers that are times as Unix counts them; 20261201 and 20261201090000 are none of them."""
_OF_PROTOCOL = ("odata.", "@navigationLinkUrl", "@mediaReadLink", "@mediaContentType")


class JsonFormat:
    """Parses documents; the part of one depends on its bytes and the context only.

    `nothing` are texts that mean no value. With `alone` a document that says that there is more is incomplete; `total`
    is the path of the number of records that it should have.
    """

    suffix = ".json"
    by_file = True

    def __init__(
        self,
        *,
        records: str,
        columns: Mapping[str, str],
        table: TableOptions,
        encoding: str = "auto",
        nothing: frozenset[str] = frozenset(),
        alone: bool = True,
        total: str | None = None,
    ) -> None:
        self._records = Records(records)
        self._cells = RecordColumns(columns, nothing)
        self._table = table
        self._encoding = encoding
        self._alone = alone
        self._total = compiled(total) if total is not None else None

    def begin(self) -> None:
        """Do nothing: nothing is remembered."""

    def end(self) -> None:
        """Do nothing: a reading needs nothing that must be given up."""

    def parse(self, name: str, content: bytes, context: ReadContext) -> Part:
        """Return what the records hold; raises SourceError for a document that is no JSON or has no such list."""
        if not content.strip():
            return Part(incomplete=say("{name} is empty, without even a list", name=name))
        document = read_document(content, name=name, encoding=self._encoding)
        records = self._records.of(document, name=name)
        titles, rows, strange = self._cells.rows(records)
        missing = self._cells.missing(titles, records, name=name)
        part = read_table(name, ("members", titles), rows, self._options(context))
        for at in strange:
            part.reject(f"{name}:{at}", "", say("the record is no object, so it has no members"))
        for reason in missing:
            part.warn(name, reason)
        if self._alone:
            part.incomplete = part.incomplete or self._short(document, len(records), name)
            part.unnamed += [("", "")] if part.incomplete and not part.without_row else []
        return part

    def _options(self, context: ReadContext) -> TableOptions:
        table = self._table
        return TableOptions(
            columns=self._cells.by_title,
            dates=table.dates,
            zone=sync_zone(context.zone),
            no_end=table.no_end,
            unit=table.unit,
            filter=context.filter,
        )

    def _short(self, document: object, count: int, name: str) -> str:
        """Return why the document may not have all records, "" if nothing says so."""
        if self._total is not None:
            said = text_of(value_at(self._total, document))
            if said != str(count):
                return say_count(
                    "{name} has {count:,} record, and total says {total}",
                    "{name} has {count:,} records, and total says {total}",
                    count,
                    name=name,
                    total=said or say("nothing"),
                )
        elif more := says_more(document):
            return say(
                "{name} says that there is another page ({more}), and next in [sync.source] does not say how to ask",
                name=name,
                more=more,
            )
        return ""


class RecordColumns:
    """The columns of records: those that are mapped, by name or path, and all other members for templates."""

    def __init__(self, columns: Mapping[str, str], nothing: frozenset[str]) -> None:
        self._titles = tuple(dict.fromkeys(columns.values()))
        self._paths: dict[int, JSONPath] = {
            at: compiled(title) for at, title in enumerate(self._titles) if title.startswith("$")
        }
        self._moments = frozenset(self._titles.index(columns[one]) for one in _MOMENTS & columns.keys())
        self._clocks = tuple(self._titles.index(columns[one]) for one in ("start_time", "end_time") if one in columns)
        self._fields = {title: field for field, title in columns.items()}
        self._needed = tuple(self._titles.index(columns[one]) for one in _NEEDED & columns.keys())
        self._nothing = nothing
        self.by_title: Mapping[str, str | int] = {field: self._titles.index(one) + 1 for field, one in columns.items()}

    def rows(self, records: Sequence[object]) -> tuple[list[str], list[Row], list[int]]:
        """Return the titles, a row for each record with its number, and the numbers of those that are no objects."""
        known = {title: at for at, title in enumerate(self._titles)}
        rows: list[Row] = []
        strange: list[int] = []
        for number, record in enumerate(records, 1):
            if isinstance(record, dict):
                rows.append((number, self._row(record, known)))
            else:
                strange.append(number)
        return list(known), rows, strange

    def missing(self, titles: Sequence[str], records: Sequence[object], *, name: str) -> list[str]:
        """Return a warning for each column that no record has; raises SourceError for one that makes an entry."""
        objects = [record for record in records if isinstance(record, dict)]
        warnings: list[str] = []
        for at, title in enumerate(self._titles if objects else ()):
            if at in self._paths or any(_has(record, title) for record in objects):
                continue
            field = self._fields[title]
            said = say("no record has {title!r}, which columns gives for {field}", title=title, field=field)
            remedy = nearest(title, [one for one in titles if one not in self._titles])
            if at in self._needed:
                raise SourceError(say("{name}: {reason}", name=name, reason=said), remedy)
            warnings.append(say("{message} ({remedy})", message=said, remedy=remedy) if remedy else said)
        return warnings

    def _row(self, record: Mapping[str, object], known: dict[str, int]) -> list[str]:
        row = [""] * len(known)
        _flatten(record, "", known, row, 0)
        for at, path in self._paths.items():
            found = path.findall(record)
            row[at] = text_of(found[0] if len(found) == 1 else found)
        for at in self._moments:
            row[at] = _moment(row[at], record, self._titles[at])
        if self._nothing:
            self._clear(row)
        return row

    def _clear(self, row: list[str]) -> None:
        """Empty the cells that mean no value; but midnight is a time of day where the other time is given."""
        times = [row[at] for at in self._clocks]
        for at, text in enumerate(row):
            if text in self._nothing:
                row[at] = ""
        if len(times) == 2:
            for at, text, other in zip(self._clocks, times, reversed(times), strict=True):
                if text and not row[at] and other not in self._nothing and other:
                    row[at] = "00:00"


def _flatten(value: Mapping[str, object], prefix: str, known: dict[str, int], row: list[str], depth: int) -> None:
    """Write the members into their columns, and make columns of those that have none yet."""
    for key, inner in value.items():
        name = prefix + key if prefix else key
        at = known.get(name)
        if at is None:
            if isinstance(inner, dict):
                if depth < _DEEPEST:
                    _flatten(inner, f"{name}.", known, row, depth + 1)
                continue
            is_list = isinstance(inner, list) and any(isinstance(one, dict | list) for one in inner)
            if is_list or len(known) >= _MOST_COLUMNS or _is_protocol(name):
                continue
            at = known[name] = len(known)
            row.append("")
        row[at] = inner if type(inner) is str else text_of(inner)


def _is_protocol(name: str) -> bool:
    return name.startswith(_OF_PROTOCOL[0]) or "@odata." in name or name.endswith(_OF_PROTOCOL[1:])


def _has(record: Mapping[str, object], title: str) -> bool:
    """Return True if a record has the member, be it null."""
    value: object = record
    if title in record:
        return True
    for key in title.split("."):
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True


def _moment(text: str, record: Mapping[str, object], title: str) -> str:
    """Return a time that is a number, as Unix counts seconds or milliseconds, as its moment in UTC."""
    if not text.isdecimal() or len(text) > 13 or not _is_number(record, title):
        return clean(text)
    number = int(text)
    if number in _MILLISECONDS:
        number //= 1000
    elif number not in _SECONDS:
        return text
    return datetime.fromtimestamp(number, UTC).isoformat()


def _is_number(record: Mapping[str, object], title: str) -> bool:
    value: object = record.get(title)
    if value is None:
        value = record
        for key in title.split("."):
            value = value.get(key) if isinstance(value, dict) else None
    return title.startswith("$") or (isinstance(value, int | Decimal) and not isinstance(value, bool))
