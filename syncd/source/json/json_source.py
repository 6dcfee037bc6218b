"""The JSON source: its keys, and 1C's OData as a preset of them.

1C answers by OData 3.0 under /odata/standard.odata: `value` holds the records, $skip and $top are by place and need an
$orderby, NAME/$count with the same $filter answers with the number of records ($inlinecount would switch $skip and $top
off). Times have no zone, an empty date is 0001-01-01T00:00:00, and names are Cyrillic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from syncd.clock import Clock
from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.model.encoding import encoded_sorted
from syncd.source.base import Source
from syncd.source.encodings import known_encoding
from syncd.source.files import Assembly
from syncd.source.json.address_query import Query
from syncd.source.json.document import Records
from syncd.source.json.json_format import JsonFormat
from syncd.source.json.paged_source import PagedSource
from syncd.source.json.paging import NextOptions, Paging, check_next, compiled_key
from syncd.source.opening import TextOptions, open_files
from syncd.source.options import default_length, read_options, unit_length
from syncd.source.reasons import reason_of
from syncd.source.table.columns import TableOptions, check_mapping
from syncd.source.table.when import DateOrder
from syncd.source.web.access import WEB_KEYS, is_given, read_access

_OF_PAGES = ("next", "count", "params", "preset")
_NOT_READ_BY = frozenset({*WEB_KEYS, "path", "follow_links"})


class JsonOptions(TextOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of `[sync.source]` with type = "json".

    `records` is the JSONPath of the list of records. `columns` maps fields to members, by name ("room", "who.email") or
    by a JSONPath in the record ("$.guests[*].email"). `next` says how the next page is asked for, `total` is the path
    of the number of all records, or `count` the address that answers with it. `params` go into the query of the
    address, with {first} and {last} for the days of the window. `preset` "1c" fills all of these in for 1C's OData.
    """

    type: Literal["json"]
    records: str | None = None
    columns: dict[str, str] = msgspec.field(default_factory=dict)
    next: NextOptions | None = None
    total: str | None = None
    count: str | None = None
    params: dict[str, str] = msgspec.field(default_factory=dict)
    preset: Literal["1c"] | None = None
    dates: DateOrder = "auto"
    default_duration: str = "0m"
    duration_unit: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How records are asked for and found, after a preset has filled in what is not given."""

    records: str
    next: NextOptions | None
    query: Query
    nothing: frozenset[str] = frozenset()


def open_json(options: Mapping[str, object], base: Path, *, where: str, clock: Clock) -> Source:
    """Return a source of JSON files or of an address; raises ConfigError beginning with `where`."""
    chosen = read_options(JsonOptions, options, where=where)
    _check(chosen, where)
    way = _way(chosen)
    if is_given(chosen):
        return _open_address(chosen, way, base, where=where, clock=clock)
    for key in _OF_PAGES:
        if getattr(chosen, key):
            raise ConfigError(
                say("{where}: {key} goes with url", where=where, key=key),
                say("remove {key}, or give url in place of path", key=key),
            )
    file_format = _format(chosen, way.records, way, alone=True)
    return open_files(chosen, base, where=where, file_format=file_format, clock=clock)


def _open_address(options: JsonOptions, way: _Way, base: Path, *, where: str, clock: Clock) -> Source:
    if options.path is not None:
        raise ConfigError(say("{where}: path and url exclude each other", where=where), say("keep one of them"))
    if options.follow_links:
        raise ConfigError(
            say("{where}: follow_links goes with path, and here is a url", where=where), say("remove follow_links")
        )
    if not known_encoding(options.encoding):
        raise ConfigError(
            say("{where}: unknown encoding {encoding!r}", where=where, encoding=options.encoding),
            say('e.g. "auto", "utf-8" or "cp1251"'),
        )
    access = read_access(options, base, where=where)
    # Pages are kept as their records alone, so that what else they say, such as the time, is no change.
    assembly = Assembly(_format(options, "$[*]", way, alone=False), settings=_settings(options))
    paging = Paging(way.next, records=way.records, total=options.total, encoding=options.encoding)
    return PagedSource(access=access, query=way.query, paging=paging, assembly=assembly, clock=clock)


def _check(options: JsonOptions, where: str) -> None:
    if not options.columns:
        raise ConfigError(
            say("{where}: missing key 'columns'", where=where),
            say('e.g. columns = {{ title = "name", start = "begins" }}'),
        )
    check_mapping(options.columns, where=where)
    for field, path in options.columns.items():
        if path.startswith("$"):
            compiled_key(path, f"columns: {field}", where=where)
    try:
        Records(options.records or "$")
    except ValueError as error:
        raise ConfigError(
            say(
                "{where}: {key} {path!r} {reason}",
                where=where,
                key="records",
                path=options.records or "$",
                reason=reason_of(error),
            )
        ) from None
    if options.total is not None:
        compiled_key(options.total, "total", where=where)
        if options.count is not None:
            raise ConfigError(say("{where}: total and count exclude each other", where=where), say("keep one of them"))
    if options.next is not None:
        check_next(options.next, where=where)
    default_length(options.default_duration, where=where)
    unit_length(options.duration_unit, where=where)


def _way(options: JsonOptions) -> _Way:
    if options.preset != "1c":
        query = Query(params=options.params, count=options.count)
        return _Way(records=options.records or "$[*]", next=options.next, query=query)
    # Without an order 1C may give a record on two pages and another on none.
    params = {"$format": "json", "$orderby": "Ref_Key", **options.params}
    counted = "$count" if options.total is None and options.count is None else options.count
    return _Way(
        records=options.records or "$.value[*]",
        next=options.next or NextOptions(skip="$skip", limit="$top", size=1000),
        query=Query(params=params, count=counted, odata=True),
        nothing=frozenset({"0001-01-01T00:00:00", "00000000-0000-0000-0000-000000000000"}),
    )


def _format(options: JsonOptions, records: str, way: _Way, *, alone: bool) -> JsonFormat:
    table = TableOptions(
        columns={},
        dates=options.dates,
        zone=None,
        no_end=default_length(options.default_duration, where="default_duration"),
        unit=unit_length(options.duration_unit, where="duration_unit"),
    )
    return JsonFormat(
        records=records,
        columns=options.columns,
        table=table,
        encoding=options.encoding,
        nothing=way.nothing,
        alone=alone,
        total=options.total if alone else None,
    )


def _settings(options: JsonOptions) -> str:
    """Return all options that change what the same bytes are read as."""
    given = {key: value for key, value in msgspec.to_builtins(options).items() if key not in _NOT_READ_BY}
    return encoded_sorted(given).decode()
