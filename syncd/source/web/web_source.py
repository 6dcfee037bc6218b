"""A file behind an address: fetched only if it has changed, and never taken for empty because fetching failed.

the server answers                 the snapshot
200 and a whole schedule           that schedule
304                                the last one; this costs one request
anything else, or a broken body    the last one's entries, incomplete, with the reason; without a last one an error
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import replace
from email.message import Message
from functools import partial
from hashlib import blake2b

import msgspec

from syncd.clock import Clock
from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.model.encoding import packed
from syncd.model.entry import Problem, Snapshot
from syncd.source.base import FeedCache, Fetched, ReadContext
from syncd.source.encodings import find_encoding, is_told_apart, is_wide, says_itself
from syncd.source.files import Assembly, FileBytes, Weighed
from syncd.source.web.access import Access
from syncd.source.web.web_client import Digests, WebAnswer, WebClient, came_from, in_time, refusal

_GZIP = b"\x1f\x8b"
_STEP_BYTES = 1 << 20


class KeptFeed(msgspec.Struct, frozen=True, kw_only=True):
    """A fetched feed: the headers for the next conditional request, and the packed body."""

    etag: str = ""
    modified: str = ""
    packed: bytes = b""

    @property
    def conditions(self) -> dict[str, str]:
        """The headers that allow the server to answer 304."""
        pairs = (("If-None-Match", self.etag), ("If-Modified-Since", self.modified))
        return {name: value for name, value in pairs if value}


class WebSource:
    """A source of one file behind an address.

    `kind` is what it should hold ("csv"). With `charset_counts` the encoding in the answer's headers is used for bodies
    that are not UTF-8.
    """

    def __init__(
        self, *, kind: str, access: Access, assembly: Assembly, clock: Clock, charset_counts: bool = True
    ) -> None:
        self._kind = kind
        self._charset_counts = charset_counts
        self._access = access
        self._assembly = assembly
        self._clock = clock
        self._digests: Digests = {}
        self._cache_name = f"{kind}{blake2b(repr((access.url, access.user)).encode(), digest_size=16).hexdigest()}"
        self._good: Snapshot | None = None
        self._good_under = ""
        self._kept: KeptFeed | None = None

    def describe(self) -> str:
        """Return the kind of source and its server."""
        return f"{self._kind} {self._access.shown}"

    async def read(self, context: ReadContext) -> Snapshot:
        """Fetch the feed if it has changed, and return its entries.

        If it cannot be fetched or used, the last good entries are returned as an incomplete snapshot with the reason.
        Raises SourceError if there are none.
        """
        return await (await self.fetch(context)).parsed()

    async def fetch(self, context: ReadContext) -> Fetched:
        """Fetch the feed if it has changed. If that fails there is no marker, and parsing tells why."""
        under = self._assembly.circumstances(context)
        if self._kept is None and context.cache is not None:
            self._kept = await asyncio.to_thread(_load, context.cache, self._cache_name)
        try:
            body, answer = await self._body(under)
        except SourceError as error:
            return Fetched(marker="", parsed=partial(self._last_good, context, under, error))
        if body is None:
            assert self._good is not None  # the server says that it has not changed
            return Fetched(marker=self._good.changed_marker, parsed=partial(_same, self._good))
        file = FileBytes(name=self._access.shown, content=body)
        files = await asyncio.to_thread(self._assembly.weighed, [file], [], context)
        # Parsing is what keeps a feed: one that is not kept must be parsed, or it would be sent whole each time.
        known = answer is None or await self._renewed(context, answer, body)
        parsed = partial(self._read, context, under, files, answer)
        return Fetched(marker=files.marker if known else "", parsed=parsed)

    async def _renewed(self, context: ReadContext, answer: WebAnswer, body: bytes) -> bool:
        """Return True if a feed is kept. If it has the same `body`, keep it under the headers of `answer`."""
        before = self._kept
        if before is None:
            return False
        after = _conditions(answer)
        if after != (before.etag, before.modified) and await asyncio.to_thread(self._unpacked) == body:
            await self._keep(context, answer, body)
        return True

    async def _body(self, under: str) -> tuple[bytes | None, WebAnswer | None]:
        """Return the feed's bytes, None if they are those of the last good reading, and the answer that brought them.

        The answer is None if the bytes were kept from before. Raises SourceError.
        """
        conditions: Mapping[str, str] = self._kept.conditions if self._kept is not None else {}
        async with in_time(self._access), WebClient(self._access, self._clock, self._digests) as client:
            answer = await client.ask("GET", self._access.url, headers=conditions)
            if answer.status == 304 and conditions:
                if self._good is not None and self._good_under == under:
                    return None, None
                unchanged = await asyncio.to_thread(self._unpacked)
                if unchanged is not None:
                    return unchanged, None
                self._kept = None
                answer = await client.ask("GET", self._access.url)
        if answer.status != 200:
            raise refusal(answer, came_from(answer, self._access))
        refuse_page(answer, came_from(answer, self._access), self._kind)
        body = await asyncio.to_thread(plain_body, answer.body, self._access)
        if self._charset_counts:
            body = await asyncio.to_thread(_in_utf8, body, answer.headers.get("content-type", ""), self._access.shown)
        return body, answer

    async def _read(self, context: ReadContext, under: str, files: Weighed, answer: WebAnswer | None) -> Snapshot:
        """Return the entries of the feed, and keep its bytes if an `answer` brought them and they are complete."""
        try:
            snapshot = await self._parsed(context, under, files)
            if answer is not None and snapshot.complete:
                # Only a complete feed is kept; otherwise a 304 would confirm a broken one.
                await self._keep(context, answer, files.found[0].content)
        except SourceError as error:
            return await self._last_good(context, under, error)
        # A broken body without any entry is a failed fetch, not a schedule that has become empty.
        if not snapshot.complete and not snapshot.entries:
            return await self._last_good(context, under, SourceError(snapshot.incomplete_because), snapshot)
        return snapshot

    async def _keep(self, context: ReadContext, answer: WebAnswer, body: bytes) -> None:
        kept = await asyncio.to_thread(_keep, answer, body)
        self._kept = kept if kept.conditions or context.cache is not None else None
        if context.cache is not None:
            await asyncio.to_thread(context.cache.save, self._cache_name, packed(kept))

    async def _parsed(self, context: ReadContext, under: str, files: Weighed) -> Snapshot:
        snapshot = await asyncio.to_thread(self._assembly.parsed, files, context)
        if snapshot.complete:
            self._good, self._good_under = snapshot, under
        return snapshot

    def _unpacked(self) -> bytes | None:
        try:
            return zlib.decompress(self._kept.packed) if self._kept is not None else None
        except zlib.error:
            return None

    async def _last_good(
        self, context: ReadContext, under: str, error: SourceError, seen: Snapshot | None = None
    ) -> Snapshot:
        """Return the last good entries as an incomplete snapshot.

        Without any, return `seen`, the incomplete snapshot just read; without that, raise `error`.
        """
        if self._good is None or self._good_under != under:
            body = await asyncio.to_thread(self._unpacked)
            if body is not None:
                file = FileBytes(name=self._access.shown, content=body)
                await self._parsed(context, under, await asyncio.to_thread(self._assembly.weighed, [file], [], context))
        if self._good is None or self._good_under != under:
            if seen is not None:
                return seen
            raise error
        reason = say("{reason}; the entries of the last good reading stay in force", reason=str(error))
        problem = Problem(where=self._access.shown, kind="incomplete", reason=reason)
        problems = (*self._good.problems, problem)
        marker = blake2b(f"{self._good.changed_marker} {error}".encode(), digest_size=16).hexdigest()
        return replace(
            self._good,
            problems=problems,
            complete=False,
            unnamed=None,
            incomplete_because=reason,
            changed_marker=marker,
        )


async def _same(snapshot: Snapshot) -> Snapshot:
    """Return `snapshot`, which needs no parsing."""
    return snapshot


async def fetch_once(access: Access, clock: Clock) -> bytes:
    """Return the unpacked body behind an address; raises WebError for anything but a whole answer."""
    async with in_time(access), WebClient(access, clock) as client:
        answer = await client.ask("GET", access.url)
    if answer.status != 200:
        raise refusal(answer, came_from(answer, access))
    return await asyncio.to_thread(plain_body, answer.body, access)


def _load(cache: FeedCache, name: str) -> KeptFeed | None:
    content = cache.load(name)
    try:
        return msgspec.msgpack.decode(content, type=KeptFeed) if content is not None else None
    except msgspec.DecodeError:
        return None


def _keep(answer: WebAnswer, body: bytes) -> KeptFeed:
    etag, modified = _conditions(answer)
    return KeptFeed(etag=etag, modified=modified, packed=zlib.compress(body, 1))


def _conditions(answer: WebAnswer) -> tuple[str, str]:
    """Return the server's names for this state of the feed: its ETag and Last-Modified."""
    return answer.headers.get("etag", ""), answer.headers.get("last-modified", "")


def refuse_page(answer: WebAnswer, name: str, kind: str) -> None:
    """Raise SourceError for a page made for browsers: with status 200 it is a login or an error page."""
    media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media in ("text/html", "application/xhtml+xml") and answer.body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        raise SourceError(
            say("{name} is an HTML page, not {kind}", name=name, kind=kind),
            say("a login or error page may have been sent instead"),
        )


def _in_utf8(body: bytes, content_type: str, name: str) -> bytes:
    """Return the body in UTF-8 if the server names another encoding, it fits, and the bytes do not say otherwise.

    Many servers name a wrong charset, most often a default of theirs, for files that are in another encoding.
    """
    message = Message()
    message["Content-Type"] = content_type
    charset = message.get_content_charset()
    if not charset or says_itself(body) or is_wide(body):
        return body
    try:
        if is_told_apart(charset) and find_encoding(body, name=name) != charset:
            return body
    except SourceError:
        pass  # what cannot be told from the bytes is believed
    try:
        return body.decode(charset).encode()
    except (LookupError, UnicodeError):
        return body


def plain_body(body: bytes, access: Access) -> bytes:
    """Return the body, unpacked if it is a gzip file itself; raises SourceError past max_bytes."""
    if not body.startswith(_GZIP):
        return body
    unpacker = zlib.decompressobj(wbits=31)
    parts: list[bytes] = []
    size = 0
    try:
        while body and not unpacker.eof:
            # In steps, so that a small body cannot unpack to gigabytes at once.
            part = unpacker.decompress(body, _STEP_BYTES)
            size += len(part)
            if size > access.max_bytes:
                text = say("{name} unpacks to more than {most} bytes", name=access.shown, most=access.max_bytes)
                raise SourceError(text, say("raise max_bytes in [sync.source] if that is right"))
            parts.append(part)
            body = unpacker.unconsumed_tail
    except zlib.error:
        raise SourceError(
            say("{name} is a gzip file that cannot be unpacked", name=access.shown), say("export it again")
        ) from None
    if not unpacker.eof:
        raise SourceError(say("{name} is a gzip file cut short", name=access.shown), say("export it again"))
    return b"".join(parts)
