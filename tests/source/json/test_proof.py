"""Whatever happens while pages are read, no record that was there all the time is missing from a complete reading.

SYNCD_PROOF_EXAMPLES=15000 plays that many, in some four minutes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from syncd.errors import SourceError
from syncd.source.files import Assembly
from syncd.source.json.address_query import Query
from syncd.source.json.json_format import JsonFormat
from syncd.source.json.page_proof import PagesRead
from syncd.source.json.paged_source import KnownPages, PagedSource, _records
from syncd.source.json.paging import NextOptions, Paging
from syncd.source.table.columns import TableOptions
from syncd.source.web.access import Access
from syncd.source.web.web_client import WebAnswer
from tests.source.web.serving import QuickClock

URL = "https://api.example.com/records"
WAYS = {
    "skip": NextOptions(skip="skip", limit="limit", size=5),
    "page": NextOptions(page="page", limit="limit", size=5),
}
EDITS = st.lists(
    st.tuples(st.integers(0, 25), st.sampled_from(["add", "remove", "move"]), st.integers(0, 40), st.integers(0, 40)),
    max_size=6,
)


@dataclass
class World:
    """A server in memory; `edits` come before its requests of that number: what, where, and where to."""

    records: list[int]
    edits: list[tuple[int, str, int, int]]
    most: int
    asked: int = 0
    gone: set[int] = field(default_factory=set)
    added: int = 1000

    async def ask(self, method: str, url: str, *, headers: Mapping[str, str] | None = None) -> WebAnswer:
        del method, headers
        for _, what, at, to in [edit for edit in self.edits if edit[0] == self.asked]:
            self.edit(what, at, to)
        self.asked += 1
        query = {name: int(values[0]) for name, values in parse_qs(urlsplit(url).query).items()}
        if urlsplit(url).path.endswith("count"):
            return self.answer(len(self.records), url)
        size = min(query.get("limit", self.most), self.most)
        at = query["skip"] if "skip" in query else (query.get("page", 1) - 1) * size
        found = [{"id": one} for one in self.records[at : at + size]]
        return self.answer({"items": found, "total": len(self.records)}, url)

    def edit(self, what: str, at: int, to: int) -> None:
        if what == "add" or not self.records:
            self.added += 1
            self.records.insert(at % (len(self.records) + 1), self.added)
            return
        taken = self.records.pop(at % len(self.records))
        if what == "remove":
            self.gone.add(taken)
        else:
            self.records.insert(to % (len(self.records) + 1), taken)

    def answer(self, document: object, url: str) -> WebAnswer:
        return WebAnswer(status=200, headers={}, body=json.dumps(document).encode(), url=url)

    def trusts(self, url: str) -> bool:
        return url.startswith(URL)


def source(way: str, *, total: bool, count: bool) -> PagedSource:
    table = TableOptions(columns={}, dates="auto", zone=None)
    columns = {"uid": "id", "title": "id", "start": "id"}
    assembly = Assembly(JsonFormat(records="$[*]", columns=columns, table=table, alone=False), settings="")
    return PagedSource(
        access=Access(url=URL, shown="api"),
        query=Query(count="count" if count else None),
        paging=Paging(WAYS[way], records="$.items", total="$.total" if total and not count else None),
        assembly=assembly,
        clock=QuickClock(),
    )


def ids(read: PagesRead) -> list[int]:
    return [
        record["id"]
        for address, page in read.pages.items()
        for record in json.loads(_records(page, without_first=address in read.overlapping))
    ]


@settings(max_examples=int(os.environ.get("SYNCD_PROOF_EXAMPLES", "400")), deadline=None)
@given(
    st.integers(0, 30), EDITS, st.integers(1, 6), st.sampled_from(sorted(WAYS)), st.booleans(), st.booleans(),
)  # fmt: skip
@example(1, [(1, "add", 0, 0)], 1, "page", False, True)
@example(10, [(1, "add", 0, 0), (7, "remove", 0, 0)], 5, "page", False, True)
@example(2, [(1, "remove", 0, 0)], 1, "page", False, False)
async def test_nothing_that_stayed_is_missing_from_a_complete_reading(
    size: int, edits: list[tuple[int, str, int, int]], most: int, way: str, total: bool, count: bool
) -> None:
    # A record that moves both ways may be passed by in two readings that are alike: one edit that moves is enough.
    edits = [edit for at, edit in enumerate(edits) if edit[1] != "move" or not any(e[1] == "move" for e in edits[:at])]
    world = World(records=list(range(size)), edits=edits, most=most)
    opened = source(way, total=total, count=count)
    try:
        read = await opened._proved(world, URL, KnownPages())  # type: ignore[arg-type]
    except SourceError as error:
        event(f"error: {error.message[:40]}")
        return
    event("complete" if not read.short else "incomplete")
    if not read.short:
        assert set(range(size)) - world.gone <= set(ids(read))
        if not edits:
            assert sorted(ids(read)) == list(range(size))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 30), st.integers(1, 6), st.sampled_from(sorted(WAYS)), st.booleans(), st.booleans())
async def test_what_stands_still_is_complete(size: int, most: int, way: str, total: bool, count: bool) -> None:
    world = World(records=list(range(size)), edits=[], most=most)
    read = await source(way, total=total, count=count)._proved(world, URL, KnownPages())  # type: ignore[arg-type]
    assert (read.short, ids(read)) == ("", list(range(size)))
