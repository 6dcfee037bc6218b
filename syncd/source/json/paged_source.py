"""Pages of JSON behind an address, read into one snapshot: complete only if nothing moved while they were read.

what was read                                         the snapshot
a link or cursor after the other, to the last         complete
by offset, each page beginning where one ended        complete
by number                                             read again after a change; complete if both readings are alike
the total disagrees, or records moved or came twice   read again; complete if that reading is sound, or both are alike
a page that fails, leads in a circle, or is no JSON   an error, so nothing is known
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from urllib.parse import urlsplit, urlunsplit

import msgspec

from syncd.clock import Clock
from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.model.encoding import packed
from syncd.model.entry import Snapshot
from syncd.source.base import FeedCache, Fetched, ReadContext
from syncd.source.files import Assembly, FileBytes
from syncd.source.json.address_query import Query
from syncd.source.json.document import number_in, read_document, words_in
from syncd.source.json.page_proof import DIGEST_BYTES, JsonPage, Pages, PagesRead
from syncd.source.json.paging import MOST_PAGES, Following, Paging
from syncd.source.table.typed_values import encoded
from syncd.source.web.access import Access
from syncd.source.web.error import WebError
from syncd.source.web.web_client import Digests, WebAnswer, WebClient, came_from, in_time, refusal
from syncd.source.web.web_source import plain_body, refuse_page

_READINGS = 3
"""How often everything is read in one pass: if it changes during the first, the others may still be alike."""


class KnownPages(msgspec.Struct, frozen=True, kw_only=True):
    """The pages of the last reading by their addresses, and the digest of the records that were last proved whole."""

    pages: dict[str, JsonPage] = {}
    proved: bytes = b""


class PagedSource:
    """Reads the pages of an address; one that has not changed costs a request, and is not read into entries again."""

    def __init__(self, *, access: Access, query: Query, paging: Paging, assembly: Assembly, clock: Clock) -> None:
        self._access = access
        self._query = query
        self._paging = paging
        self._assembly = assembly
        self._clock = clock
        self._digests: Digests = {}
        self._known: KnownPages | None = None
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
        now = KnownPages(pages=dict(read.pages), proved=proved)
        if now != known and context.cache is not None:
            await asyncio.to_thread(context.cache.save, self._cache_name, packed(now))
        self._known = now
        found = await asyncio.to_thread(self._files, read)
        files = await asyncio.to_thread(self._assembly.weighed, found, [], context)
        return Fetched(marker=files.marker, parsed=partial(asyncio.to_thread, self._assembly.parsed, files, context))

    async def _proved(self, client: WebClient, url: str, known: KnownPages) -> PagesRead:
        """Return a reading that leaves no doubt, or the second of two that are alike.

        One that is like what was proved before needs no other. Where nothing stands still, it is short.
        """
        pages: Mapping[str, JsonPage] = known.pages
        before = known.proved
        for _ in range(_READINGS):
            read = await self._all(client, url, KnownPages(pages=dict(pages), proved=known.proved))
            is_alike = read.is_settled_by_another and read.digest == before
            if not read.doubt or (is_alike and not (read.short and before == known.proved)):
                return read
            pages, before = read.pages, read.digest
        reason = say("{name} changed while it was read ({doubt})", name=self._access.shown, doubt=read.doubt)
        return replace(read, short=reason)

    async def _all(self, client: WebClient, url: str, known: KnownPages) -> PagesRead:
        counting = self._query.count_address(url)
        total = await self._count(client, counting) if counting is not None else None
        pages = Pages(self._paging, total=total, proved=known.proved)
        following: Following | None = Following(url=self._paging.first(url))
        while following is not None:
            asked = self._at_home(client, following.url)
            page = await self._page(client, asked, known.pages.get(asked), len(pages) + 1)
            if pages.repeats_all(page):
                break  # the server gives everything at once, whatever is asked for
            self._refuse_circle(asked, page, pages)
            so_far = pages.add(asked, page, overlaps=following.overlaps)
            following = self._paging.following(url, asked, so_far)
        again = counting is not None and len(pages) > 1
        count = await self._count(client, counting) if again and counting is not None else total
        return pages.read(count=count, name=self._access.shown)

    async def _page(self, client: WebClient, url: str, known: JsonPage | None, number: int) -> JsonPage:
        """Return a page, the one that is known if it has not changed; raises SourceError."""
        answer = await _asked(client, url, known.conditions if known is not None else {})
        if answer.status == 304 and known is not None:
            return known
        body = await self._body(answer)
        digest = blake2b(body + answer.headers.get("link", "").encode(), digest_size=DIGEST_BYTES).digest()
        etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
        if known is not None and known.digest == digest:
            return msgspec.structs.replace(known, etag=etag, modified=modified)
        name = self._access.shown if number == 1 else f"{self._access.shown} page {number}"
        facts, records = await asyncio.to_thread(self._paging.facts, body, answer.headers, name=name)
        packed = await asyncio.to_thread(zlib.compress, records, 1)
        return JsonPage(etag=etag, modified=modified, digest=digest, facts=facts, packed=packed)

    async def _body(self, answer: WebAnswer) -> bytes:
        """Return the body of a whole answer; raises SourceError, with the server's own words, for any other."""
        name = came_from(answer, self._access)
        if answer.status != 200:
            raise await _in_its_words(refusal(answer, name))
        refuse_page(answer, name, "json")
        return await asyncio.to_thread(plain_body, answer.body, self._access)

    async def _count(self, client: WebClient, url: str) -> int:
        """Return the number of records that the server counts; raises SourceError."""
        body = await self._body(await _asked(client, url, {}))
        number = number_in(body, name=self._access.shown)
        if number is None:
            raise SourceError(
                say("{name}: what count asks for is no number", name=self._access.shown), say("correct count")
            )
        return number

    def _refuse_circle(self, asked: str, page: JsonPage, pages: Pages) -> None:
        """Raise SourceError if the pages never end: an address comes again, or asking by place changes nothing."""
        name = self._access.shown
        if asked in pages:
            raise SourceError(
                say("{name}: page {number} leads back to an earlier page", name=name, number=len(pages)),
                say("correct next"),
            )
        if pages.repeats_the_first(page):
            text = say("{name}: page 2 has the same records as page 1", name=name)
            raise SourceError(text, say("correct next in [sync.source]: the server does not heed it"))
        if len(pages) >= MOST_PAGES:
            raise SourceError(
                say("{name} has more than {most} pages", name=name, most=MOST_PAGES),
                say("ask for more records at once (size)"),
            )

    def _at_home(self, client: WebClient, url: str) -> str:
        """Return the address of a page on the same server; raises SourceError for one on another."""
        own, parts = urlsplit(self._access.url), urlsplit(url)
        # A server behind a proxy often does not know that it is reached by https.
        if parts.hostname == own.hostname and (own.scheme, parts.scheme) == ("https", "http"):
            return urlunsplit(parts._replace(scheme=own.scheme, netloc=own.netloc))
        if not client.trusts(url):
            name, host = self._access.shown, parts.hostname
            text = (
                say("{name}: the next page is on another server, {host}", name=name, host=host)
                if host
                else say("{name}: the next page is on another server, or nowhere", name=name)
            )
            raise SourceError(text, say("correct next, or give the address of that server as url"))
        return url

    def _files(self, read: PagesRead) -> list[FileBytes]:
        """Return the records as files; a page without new ones is none, as it only shows that there are no more."""
        contents = [
            content
            for address, page in read.pages.items()
            if (content := _records(page, without_first=address in read.overlapping)) != b"[]"
        ] or [b"[]"]
        name, last = self._access.shown, len(contents)
        return [
            FileBytes(
                name=name if number == 1 else f"{name} page {number}",
                content=content,
                unsettled=read.short if number == last else "",
            )
            for number, content in enumerate(contents, 1)
        ]


def _records(page: JsonPage, *, without_first: bool) -> bytes:
    """Return the records of a page as JSON."""
    content = zlib.decompress(page.packed)
    if not without_first:
        return content
    records = read_document(content, name="page")
    assert isinstance(records, list)  # as they were packed
    return encoded(records[1:])


async def _asked(client: WebClient, url: str, headers: Mapping[str, str]) -> WebAnswer:
    """Return an answer of any status; raises SourceError, with the server's own words if it went on failing."""
    try:
        return await client.ask("GET", url, headers=headers)
    except WebError as error:
        raise await _in_its_words(error) from None


async def _in_its_words(error: WebError) -> SourceError:
    words = await asyncio.to_thread(_words, error.body) if error.body else ""
    return (
        SourceError(say("{message}; it says: {words}", message=error.message, words=words), error.remedy)
        if words
        else error
    )


def _words(body: bytes) -> str:
    """Return what an answer says is wrong, "" if it says nothing that can be read."""
    try:
        return words_in(read_document(body[:100_000], name="answer"))
    except SourceError:
        return ""


def _load(cache: FeedCache | None, name: str) -> KnownPages:
    content = cache.load(name) if cache is not None else None
    try:
        return msgspec.msgpack.decode(content, type=KnownPages) if content is not None else KnownPages()
    except msgspec.DecodeError:
        return KnownPages()
