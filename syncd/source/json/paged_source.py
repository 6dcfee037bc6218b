"""Pages of JSON behind an address, read into one snapshot: complete only if nothing moved while they were read.

what was read                                         the snapshot
a link or cursor after the other, to the last         complete
by place, and the server's total or count agrees      complete
by place, and no number says how many there are       read again after a change; complete if both readings are alike
the numbers disagree, or a record came twice          read again; complete if that reading agrees, or both are alike
a page that fails, leads in a circle, or is no JSON   an error, so nothing is known
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from urllib.parse import urlsplit, urlunsplit

import msgspec

from syncd.clock import Clock
from syncd.errors import SourceError
from syncd.model.entry import Snapshot
from syncd.model.names import counted
from syncd.source.base import FeedCache, Fetched, ReadContext
from syncd.source.files import Assembly, FileBytes
from syncd.source.json.document import read_document, words_in
from syncd.source.json.paging import MOST_PAGES, PRINT_BYTES, Facts, Paging, So
from syncd.source.json.query import Query
from syncd.source.web.access import Access
from syncd.source.web.web_client import Digests, WebAnswer, WebClient, came_from, in_time, refusal
from syncd.source.web.web_source import plain_body, refuse_page

_DIGEST_BYTES = 16
_READINGS = 3
"""How often everything is read in one pass: if it changes during the first, the others may still be alike."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page as it was fetched: what the server calls this state, a digest of its bytes, and its records, packed."""

    etag: str
    modified: str
    digest: bytes
    facts: Facts
    packed: bytes

    @property
    def conditions(self) -> dict[str, str]:
        """The headers that allow the server to answer 304."""
        pairs = (("If-None-Match", self.etag), ("If-Modified-Since", self.modified))
        return {name: value for name, value in pairs if value}


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The pages of the last reading by their addresses, and the digest of the records that were last proved whole."""

    pages: dict[str, Page] = {}
    proved: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PagesRead:
    """All pages of one reading.

    `doubt` is why it has to be read again, and `short` why the numbers say that something is missing; "" for none.
    """

    pages: Mapping[str, Page] = field(repr=False)
    digest: bytes
    doubt: str = ""
    short: str = ""


class PagedSource:
    """Reads the pages of an address; one that has not changed costs a request, and is not read into entries again."""

    def __init__(self, *, access: Access, query: Query, paging: Paging, assembly: Assembly, clock: Clock) -> None:
        self._access = access
        self._query = query
        self._paging = paging
        self._assembly = assembly
        self._clock = clock
        self._digests: Digests = {}
        self._known: Known | None = None
        named = repr((access.url, access.user, query)).encode()
        self._cache_name = f"json{blake2b(named, digest_size=16).hexdigest()}"

    def describe(self) -> str:
        """Return the kind of source and its server."""
        return f"json {self._access.shown}"

    async def read(self, context: ReadContext) -> Snapshot:
        """Return the entries of all pages; raises SourceError unless every page has come."""
        return await (await self.fetch(context)).parsed()

    async def fetch(self, context: ReadContext) -> Fetched:
        """Return the pages unparsed; raises SourceError unless every one has come."""
        known = self._known
        if known is None:
            known = await asyncio.to_thread(_load, context.cache, self._cache_name)
        url = self._query.address(self._access.url, context.window)
        async with in_time(self._access), WebClient(self._access, self._clock, self._digests) as client:
            read = await self._proved(client, url, known)
        proved = known.proved if read.short else read.digest
        now = Known(pages=dict(read.pages), proved=proved)
        if now != known and context.cache is not None:
            await asyncio.to_thread(context.cache.save, self._cache_name, msgspec.msgpack.encode(now))
        self._known = now
        found = await asyncio.to_thread(self._files, read)
        files = await asyncio.to_thread(self._assembly.weighed, found, [], context)
        return Fetched(marker=files.marker, parsed=partial(asyncio.to_thread, self._assembly.parsed, files, context))

    async def _proved(self, client: WebClient, url: str, known: Known) -> PagesRead:
        """Return a reading that leaves no doubt, or the second of two that are alike.

        One that is like what was proved before needs no other. Where nothing stands still, it is short.
        """
        pages: Mapping[str, Page] = known.pages
        before = known.proved
        for _ in range(_READINGS):
            read = await self._all(client, url, pages)
            if not read.doubt or (read.digest == before and not (read.short and before == known.proved)):
                return PagesRead(pages=read.pages, digest=read.digest, short=read.short)
            pages, before = read.pages, read.digest
        reason = f"{self._access.shown} changed while it was read ({read.doubt})"
        return PagesRead(pages=read.pages, digest=read.digest, short=reason)

    async def _all(self, client: WebClient, url: str, known: Mapping[str, Page]) -> PagesRead:
        counting = self._query.count_address(url)
        count = await self._count(client, counting) if counting is not None else None
        pages: dict[str, Page] = {}
        asked: str | None = self._paging.first(url)
        so: So | None = None
        while asked is not None:
            page = await self._page(client, asked, known.get(asked), len(pages) + 1)
            self._refuse_circle(asked, page, pages)
            pages[asked] = page
            records = page.facts.count + (so.records if so is not None else 0)
            total = count if count is not None else (page.facts.total if so is None else so.total)
            so = So(pages=len(pages), records=records, last=page.facts, total=total)
            following = self._paging.following(url, asked, so)
            asked = self._at_home(client, following) if following is not None else None
        assert so is not None
        if counting is not None and len(pages) > 1:
            count = await self._count(client, counting)
        return self._weighed(pages, so, count)

    def _weighed(self, pages: Mapping[str, Page], so: So, count: int | None) -> PagesRead:
        """Return the reading with what the numbers say of it; `count` is the server's when all pages had come."""
        name = self._access.shown
        totals = {so.total, *(page.facts.total for page in pages.values() if so.total is not None and count is None)}
        totals |= {count} if count is not None else set()
        all_prints = [page.facts.prints for page in pages.values()]
        with_records = sum(page.facts.count > 0 for page in pages.values())
        doubt = short = ""
        if len(totals) > 1:
            doubt = "its total changed"
        elif so.total is not None and so.total != so.records:
            doubt = short = f"{name} gave {counted(so.records, 'record')}, and says that there are {so.total}"
        elif with_records > 1 and _came_twice(all_prints):
            doubt = "a record came on two pages"
        elif with_records > 1 and so.total is None and self._paging.is_positional:
            doubt = "nothing says how many records there are"
        more = next((page.facts.more for page in pages.values() if page.facts.more), "")
        if more:
            short = f"{name} says that there is another page ({more}), and next does not say how to ask for it"
        digest = blake2b(b"".join(all_prints), digest_size=_DIGEST_BYTES).digest()
        return PagesRead(pages=pages, digest=digest, doubt=doubt, short=short)

    async def _page(self, client: WebClient, url: str, known: Page | None, number: int) -> Page:
        """Return a page, the one that is known if it has not changed; raises SourceError."""
        answer = await client.ask("GET", url, headers=known.conditions if known is not None else {})
        if answer.status == 304 and known is not None:
            return known
        body = await self._body(answer)
        digest = blake2b(body + answer.headers.get("link", "").encode(), digest_size=_DIGEST_BYTES).digest()
        etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
        if known is not None and known.digest == digest:
            return msgspec.structs.replace(known, etag=etag, modified=modified)
        name = self._access.shown if number == 1 else f"{self._access.shown} page {number}"
        facts, records = await asyncio.to_thread(self._paging.facts, body, answer.headers, name=name)
        packed = await asyncio.to_thread(zlib.compress, records, 1)
        return Page(etag=etag, modified=modified, digest=digest, facts=facts, packed=packed)

    async def _body(self, answer: WebAnswer) -> bytes:
        """Return the body of a whole answer; raises SourceError, with the server's own words, for any other."""
        name = came_from(answer, self._access)
        if answer.status != 200:
            error = refusal(answer, name)
            words = await asyncio.to_thread(_words, answer.body)
            raise SourceError(error.message + (f"; it says: {words}" if words else ""), error.remedy)
        refuse_page(answer, name, "json")
        return await asyncio.to_thread(plain_body, answer.body, self._access)

    async def _count(self, client: WebClient, url: str) -> int:
        """Return the number of records that the server counts; raises SourceError."""
        body = await self._body(await client.ask("GET", url))
        text = body.decode("utf-8-sig", "replace").strip()
        if not text.isdecimal() or len(text) > len(str(2**63)):
            raise SourceError(f"{self._access.shown}: what count asks for is no number", "correct count")
        return int(text)

    def _refuse_circle(self, asked: str, page: Page, pages: dict[str, Page]) -> None:
        """Raise SourceError if the pages never end: an address comes again, or asking by place changes nothing."""
        name = self._access.shown
        if asked in pages:
            raise SourceError(f"{name}: page {len(pages)} leads back to an earlier page", "correct next")
        first = next(iter(pages.values())) if len(pages) == 1 else None
        if first is not None and page.facts.count and page.facts.prints == first.facts.prints:
            text = f"{name}: page 2 has the same records as page 1"
            raise SourceError(text, "correct next in [sync.source]: the server does not heed it")
        if len(pages) >= MOST_PAGES:
            raise SourceError(f"{name} has more than {MOST_PAGES} pages", "ask for more records at once (size)")

    def _at_home(self, client: WebClient, url: str) -> str:
        """Return the address of a page on the same server; raises SourceError for one on another."""
        own, parts = urlsplit(self._access.url), urlsplit(url)
        # A server behind a proxy often does not know that it is reached by https.
        if parts.hostname == own.hostname and (own.scheme, parts.scheme) == ("https", "http"):
            return urlunsplit(parts._replace(scheme=own.scheme, netloc=own.netloc))
        if not client.trusts(url):
            text = f"{self._access.shown}: the next page is on another server, {parts.hostname or 'or nowhere'}"
            raise SourceError(text, "correct next, or give the address of that server as url")
        return url

    def _files(self, read: PagesRead) -> list[FileBytes]:
        name, last = self._access.shown, len(read.pages)
        return [
            FileBytes(
                name=name if number == 1 else f"{name} page {number}",
                content=zlib.decompress(page.packed),
                unsettled=read.short if number == last else "",
            )
            for number, page in enumerate(read.pages.values(), 1)
        ]


def _came_twice(prints: list[bytes]) -> bool:
    """Return True if a record stands on two pages."""
    seen: set[bytes] = set()
    for page in prints:
        here = {page[at : at + PRINT_BYTES] for at in range(0, len(page), PRINT_BYTES)}
        if seen & here:
            return True
        seen |= here
    return False


def _words(body: bytes) -> str:
    """Return what an answer says is wrong, "" if it says nothing that can be read."""
    try:
        return words_in(read_document(body[:100_000], name="answer"))
    except SourceError:
        return ""


def _load(cache: FeedCache | None, name: str) -> Known:
    content = cache.load(name) if cache is not None else None
    try:
        return msgspec.msgpack.decode(content, type=Known) if content is not None else Known()
    except msgspec.DecodeError:
        return Known()
