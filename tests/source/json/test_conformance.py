"""JSON keeps what every source has to keep: in files, on one page, on many by every way, and from 1C."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import pytest

from syncd.errors import SourceError
from syncd.source import Source, open_source
from syncd.source.conformance import CONTEXT, PAGE, FileSourceConformance, SourceConformance
from tests.source.json.records_server import ONE_C, RecordsServer, Traps, serving, shift, smena
from tests.source.web.serving import quick

COLUMNS = {"uid": "id", "title": "name", "start": "begins", "end": "ends"}
SMENA = {"uid": "Ref_Key", "title": "Description", "start": "Дата", "end": "ДатаОкончания"}


class TestFiles(FileSourceConformance):
    suffix = ".json"

    def opened(self, path: str, base: Path) -> Source:
        return open_source({"type": "json", "path": path, "columns": COLUMNS}, base, where="test")

    def schedule(self, *uids: str) -> bytes:
        return json.dumps([shift(uid) for uid in uids]).encode()

    def with_broken(self, good: str, bad: str) -> tuple[bytes, int]:
        return json.dumps([shift(good), shift(bad, "2026-02-31")]).encode(), 2

    def truncated(self) -> bytes:
        return self.schedule("one", "two")[:-30]

    def foreign(self) -> tuple[tuple[bytes, str], ...]:
        return (PAGE, "HTML"), (b"PK\x03\x04\x00\x00binary\x00", "binary"), (b"ID;Shift", "no JSON"), (b"{}", "no list")

    async def test_a_truncated_file_is_incomplete_and_keeps_what_was_read(self, tmp_path: Path) -> None:
        """A part of a document is no document, so it is an error, which deletes nothing either."""
        (tmp_path / "a.json").write_bytes(self.truncated())
        with pytest.raises(SourceError, match=r"a\.json is cut off"):
            await self.opened("a.json", tmp_path).read(CONTEXT)


class Served(SourceConformance):
    """A source behind an address; `way` is the path of the server, `options` are those of the source."""

    secret = "s3cret"
    way: str
    options: ClassVar[dict[str, object]]
    server: RecordsServer

    @pytest.fixture(autouse=True)
    async def served(self) -> AsyncIterator[None]:
        async with serving(login=("me", "s3cret"), most=1) as self.server:
            yield

    def source(self, folder: Path) -> Source:
        address = {"url": self.server.url + self.way, "username": "me", "password": "s3cret"}
        options = {"type": "json", **address, "records": "$.data.items", "columns": COLUMNS, **self.options}
        opened = open_source(options, folder, where="test")
        quick(opened)
        return opened

    def put(self, folder: Path, *uids: str) -> None:
        self.server.records = [shift(uid) for uid in uids]

    def put_broken(self, folder: Path, good: str, bad: str) -> None:
        self.server.records = [shift(good), shift(bad, "2026-02-31")]

    def cut_short(self, folder: Path) -> None:
        self.server.traps.broken_off = 2

    def remove(self, folder: Path) -> None:
        self.server.traps.login = ("somebody", "else")


class TestOnePage(Served):
    way = "/link"
    options: ClassVar[dict[str, object]] = {}

    @pytest.fixture(autouse=True)
    async def served(self) -> AsyncIterator[None]:
        async with serving(login=("me", "s3cret")) as self.server:
            yield

    def cut_short(self, folder: Path) -> None:
        self.server.traps.cut = 1


class TestLinks(Served):
    way = "/link"
    options: ClassVar[dict[str, object]] = {"next": {"link": "$.next"}}


class TestLinkHeaders(Served):
    way = "/header"
    options: ClassVar[dict[str, object]] = {"next": {"link": "header"}}


class TestCursors(Served):
    way = "/cursor"
    options: ClassVar[dict[str, object]] = {"next": {"cursor": "$.after", "parameter": "cursor"}}


class TestOffsets(Served):
    way = "/skip"
    options: ClassVar[dict[str, object]] = {"next": {"skip": "skip", "limit": "limit", "size": 500}}


class TestPageNumbersWithATotal(Served):
    way = "/page"
    options: ClassVar[dict[str, object]] = {"next": {"page": "page"}, "total": "$.meta.total"}


class TestOneC(Served):
    options: ClassVar[dict[str, object]] = {"preset": "1c", "records": "$.value[*]", "columns": SMENA}
    way = quote(ONE_C)

    def put(self, folder: Path, *uids: str) -> None:
        self.server.records = [smena(uid) for uid in uids]

    def put_broken(self, folder: Path, good: str, bad: str) -> None:
        self.server.records = [smena(good), smena(bad, "2026-02-31")]


def test_the_traps_are_off_unless_a_test_sets_them() -> None:
    assert not any((Traps().cut, Traps().fails, Traps().circle, Traps().grows, Traps().ignores_paging))
