"""A server of records in JSON, with the traps of real ones as switches; run as a module it serves on a port.

It knows the ways of paging that APIs have, and 1C's OData as its documentation and the texts of its users describe it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from hashlib import blake2b
from typing import Any
from urllib.parse import unquote

from aiohttp import web

Record = dict[str, Any]
ONE_C = "/base/odata/standard.odata/Document_Смена"


@dataclass(slots=True)
class Traps:
    """What goes wrong; each is off by default."""

    login: tuple[str, str] | None = None
    etags: bool = False
    most: int = 1000  # records on a page, whatever is asked for
    short_pages: bool = False  # half as many as asked for, and more behind them
    ignores_paging: bool = False
    circle: bool = False
    cut: int = 0  # the page that ends in the middle, with a fitting Content-Length
    broken_off: int = 0  # the page whose connection breaks
    fails: int = 0  # the page that is an error
    fails_with: int = 403
    grows: list[Record] = field(default_factory=list)  # put first, one before each further page
    restless: bool = False  # one more before the second page of every reading
    shrinks: int = 0  # records that go from the front before the second page
    wrong_total: int = 0
    error_in_200: bool = False
    clock: bool = False  # every answer has the time in it
    always_cursor: bool = False
    http_links: bool = False
    links_to: str = ""
    unordered: bool = False  # without an order, 1C gives them in another one each time


@dataclass(slots=True)
class RecordsServer:
    """What it holds, what it was asked, and its traps; `asked` are path and query, decoded."""

    records: list[Record] = field(default_factory=list)
    traps: Traps = field(default_factory=Traps)
    url: str = ""
    asked: list[str] = field(default_factory=list)
    not_modified: int = 0
    turn: int = 0
    page: int = -1  # of those that were asked for by place or link

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        self.asked.append(unquote(request.raw_path))
        if self.traps.login is not None:
            wanted = "Basic " + b64encode(":".join(self.traps.login).encode()).decode()
            if request.headers.get("Authorization") != wanted:
                return web.json_response({"error": "login first"}, status=401)
        if self.traps.error_in_200:
            return web.json_response({"error": {"code": 17, "message": "the licence has run out"}})
        if request.path == ONE_C + "/$count":
            return self.count(request)
        if request.path == ONE_C:
            return await self.one_c(request)
        if request.path == "/bare":
            return await self.answer(request, self.records)
        return await self.paged(request)

    async def paged(self, request: web.Request) -> web.StreamResponse:
        """Answer with one page; the path is the way of paging: /link, /header, /cursor, /skip, /page."""
        query, traps = request.query, self.traps
        self.begin_page(
            first=(query.get("skip", "0"), query.get("cursor", "0"), query.get("page", "1")) == ("0", "0", "1")
        )
        size = min(int(query.get("limit", traps.most)), traps.most)
        size = max(size // 2, 1) if traps.short_pages else size
        at = int(query.get("cursor") or query.get("skip") or 0) if "page" not in query else 0
        at = (int(query["page"]) - 1) * size if "page" in query else at
        at = 0 if traps.ignores_paging else at
        found = self.records[at : at + size]
        following = at + size if at + size < len(self.records) or traps.always_cursor else None
        if traps.always_cursor:
            following = min(at + size, len(self.records))
        if traps.circle and following is not None and following > size:
            following = 0
        document: Record = {"data": {"items": found}, "meta": {"total": len(self.records) + traps.wrong_total}}
        headers = {}
        if request.path in ("/link", "/header") and following is not None:
            link = f"{traps.links_to or self.url}{request.path}?cursor={following}"
            document["next"] = link if request.path == "/link" else None
            headers = {"Link": f'<{link}>; rel="next"'} if request.path == "/header" else {}
        if request.path == "/cursor":
            document["after"] = str(following) if following is not None else None
        if traps.clock:
            document["served"] = len(self.asked)
        return await self.answer(request, document, headers)

    async def one_c(self, request: web.Request) -> web.StreamResponse:
        """Answer as 1C: `value` and the address of the metadata, pages by $skip and $top."""
        query = request.query
        self.begin_page(first=query.get("$skip", "0") == "0")
        found = self.filtered(request)
        order = query.get("$orderby")
        if order is not None:
            found = sorted(found, key=lambda record: str(record[order]))
        elif self.traps.unordered:
            self.turn += 1
            found = found[self.turn :] + found[: self.turn]
        if query.get("$inlinecount") != "allpages":  # which switches paging off
            at = int(query.get("$skip", 0))
            found = found[at : at + min(int(query.get("$top", self.traps.most)), self.traps.most)]
        return await self.answer(request, {"odata.metadata": f"{self.url}/base/odata/$metadata", "value": found})

    def count(self, request: web.Request) -> web.Response:
        """Answer with the number of records that the filter lets through, as plain text."""
        if set(request.query) - {"$filter", "allowedOnly"}:
            error = {"code": "6", "message": {"lang": "ru", "value": "Недопустимый параметр запроса"}}
            return web.json_response({"odata.error": error}, status=400)
        return web.Response(text=str(len(self.filtered(request)) + self.traps.wrong_total))

    def filtered(self, request: web.Request) -> list[Record]:
        """Return the records of the filter's one form: Дата ge datetime'...' and Дата le datetime'...'."""
        words = request.query.get("$filter", "").split("'")
        if len(words) < 4:
            return list(self.records)
        return [record for record in self.records if words[1] <= record["Дата"] <= words[3]]

    def begin_page(self, *, first: bool) -> None:
        """Let what changes between pages change; a request that is sent again is for the same page."""
        if self.page > 0 and not first and self.asked[-1] == self.asked[-2]:
            return
        self.page = 1 if first else self.page + 1
        if not first and self.traps.grows:
            self.records.insert(0, self.traps.grows.pop())
        if self.page == 2 and self.traps.restless:
            self.records.insert(0, shift(f"N{len(self.records)}"))
        if not first and self.traps.shrinks:
            del self.records[: self.traps.shrinks]
            self.traps.shrinks = 0

    async def answer(
        self, request: web.Request, document: object, headers: dict[str, str] | None = None
    ) -> web.StreamResponse:
        """Send a document, or what a trap makes of it."""
        traps = self.traps
        body = json.dumps(document, ensure_ascii=False).encode()
        if traps.fails and self.page >= traps.fails:
            return web.json_response({"message": "the database is away"}, status=traps.fails_with)
        if self.page == traps.cut:
            body = body[: len(body) // 2]
        if self.page == traps.broken_off:
            response = web.StreamResponse(headers={"Content-Length": str(len(body))})
            await response.prepare(request)
            await response.write(body[: len(body) // 2])
            assert request.transport is not None
            request.transport.close()
            return response
        etag = f'"{blake2b(body, digest_size=8).hexdigest()}"'
        if traps.etags and request.headers.get("If-None-Match") == etag:
            self.not_modified += 1
            return web.Response(status=304)
        tagged = {"ETag": etag} if traps.etags else {}
        return web.Response(body=body, content_type="application/json", headers={**(headers or {}), **tagged})


@asynccontextmanager
async def serving(*records: Record, port: int = 0, **traps: Any) -> AsyncIterator[RecordsServer]:
    """Serve records on loopback."""
    server = RecordsServer(records=list(records), traps=Traps(**traps))
    app = web.Application()
    app.router.add_get("/{tail:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    host, bound = runner.addresses[0][:2]
    server.url = f"http://{host}:{bound}"
    try:
        yield server
    finally:
        await runner.cleanup()


def shift(uid: str, day: str = "2026-12-01", **more: Any) -> Record:
    """Return a record of an API: a shift from nine to ten."""
    return {"id": uid, "name": f"Shift {uid}", "begins": f"{day}T09:00:00", "ends": f"{day}T10:00:00", **more}


def smena(uid: str, day: str = "2026-12-01", **more: Any) -> Record:
    """Return a document of 1C: a shift from nine to ten."""
    return {
        "Ref_Key": uid, "DataVersion": "AAAAAQAAAAA=", "DeletionMark": False, "Number": "000000001",
        "Дата": f"{day}T09:00:00", "ДатаОкончания": f"{day}T10:00:00", "Description": f"Смена {uid}",
        "Сотрудник_Key": "00000000-0000-0000-0000-000000000000",
        "Сотрудник@navigationLinkUrl": "Document_Смена(guid'x')/Сотрудник",
        **more,
    }  # fmt: skip


async def _serve(port: int) -> None:
    days = [date(2026, 12, 1 + n % 28).isoformat() for n in range(60)]
    both = [{**shift(f"E{n}", day), **smena(f"E{n}", day)} for n, day in enumerate(days)]
    async with serving(*both, port=port, login=("reader", "s3cret"), most=25) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8790))
