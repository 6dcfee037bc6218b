"""How the pages of an answer are asked for, one after the other, and when all of them have come.

next has         the following page                                 that was the last page if it
link             is at the address that the answer gives            gives none
cursor           is asked for by what the answer gives              gives none, or has no records and gives the same
skip             begins with the last record of the one before, so  has nothing new: it may be short for other reasons;
                 that it shows whether anything moved meanwhile     or completes the total and has not changed
page             is asked for by its number                         completes the total; without one, if it has none
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import quote, urlencode, urljoin, urlsplit, urlunsplit

import msgspec

from syncd.errors import ConfigError, SourceError
from syncd.lang.saying import say
from syncd.source.json.document import Records, compiled, read_document, says_more, value_at
from syncd.source.reasons import reason_of, with_and
from syncd.source.table.typed_values import encoded, text_of

MOST_PAGES = 10_000
_LINK = re.compile(r'<([^>]*)>\s*((?:;[^,;"]*(?:"[^"]*")?)*)')
_REL_NEXT = re.compile(r';\s*rel\s*=\s*"?(?:[^"]*\s)?next(?:\s[^"]*)?"?\s*(?:;|$)', re.IGNORECASE)
"""One link of RFC 8288, and its relation."""
PRINT_BYTES = 8


class NextOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of `next`: one of link, cursor, skip and page says how.

    `link` is the path of the address, or "header" for that of the Link header. `cursor` is the path of what goes into
    `parameter`. `skip` and `page` name the parameter with the number of records before the page, or with its number,
    which begins with `first` (by default 1); `limit` names the one that asks for `size` records at once.
    """

    link: str | None = None
    cursor: str | None = None
    parameter: str | None = None
    skip: str | None = None
    page: str | None = None
    first: int | None = None
    limit: str | None = None
    size: int | None = None


class PageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a page says: how many records, a short digest of each, what it points to, the total, a page that follows."""

    count: int
    prints: bytes
    pointer: str = ""
    total: int | None = None
    more: str = ""


LINK_HEADER = say("its Link header")
"""What a page says of another one, where it says so in its headers alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """How far a reading is: how many pages and records have come, the last page with what of it is new, the total.

    `unchanged` says that the records are, so far, all those that were proved before.
    """

    pages: int
    records: int
    last: PageFacts
    new: int
    total: int | None
    unchanged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """The address of the next page; one that `overlaps` should begin with the last record of the page before."""

    url: str
    overlaps: bool = False


def check_next(options: NextOptions, *, where: str) -> None:
    """Raise ConfigError, beginning with `where`, for keys of `next` that do not say how to ask for a page."""
    ways = [name for name in ("link", "cursor", "skip", "page") if getattr(options, name) is not None]
    if len(ways) != 1:
        raise ConfigError(
            say("{where}: next: {ways} exclude each other", where=where, ways=with_and(ways))
            if ways
            else say("{where}: next: does not say how", where=where),
            say("give one of link, cursor, skip and page"),
        )
    if (options.parameter is None) == (options.cursor is not None):
        raise ConfigError(
            say("{where}: next: cursor and parameter go together", where=where), say('e.g. parameter = "cursor"')
        )
    if (options.limit is None) != (options.size is None):
        raise ConfigError(
            say("{where}: next: limit and size go together", where=where), say('e.g. limit = "limit", size = 500')
        )
    if options.first is not None and options.page is None:
        raise ConfigError(say("{where}: next: first goes with page", where=where), say("remove first"))
    if options.size is not None and options.size < 1:
        raise ConfigError(
            say("{where}: next: size = {size} asks for nothing", where=where, size=options.size), say("e.g. 500")
        )
    for name, path in (("link", options.link), ("cursor", options.cursor)):
        if path is not None and path != "header":
            compiled_key(path, f"next: {name}", where=where)


def compiled_key(path: str, key: str, *, where: str) -> None:
    """Raise ConfigError, beginning with `where`, if the path of a key is no JSONPath."""
    try:
        compiled(path)
    except ValueError as error:
        raise ConfigError(
            say("{where}: {key} {path!r} {reason}", where=where, key=key, path=path, reason=reason_of(error))
        ) from None


def with_query(url: str, parameters: Mapping[str, object]) -> str:
    """Return an address with parameters added to its query, percent-encoded; those of the same names are replaced."""
    parts = urlsplit(url)
    names = {quote(name, safe="") for name in parameters} | set(parameters)
    kept = [one for one in parts.query.split("&") if one and one.partition("=")[0] not in names]
    added = urlencode({name: str(value) for name, value in parameters.items()}, quote_via=quote)
    return urlunsplit(parts._replace(query="&".join([*kept, *filter(None, [added])])))


class Paging:
    """Decides which address is asked next; `options` is None where there is one page only."""

    def __init__(self, options: NextOptions | None, *, records: str, total: str | None, encoding: str = "auto") -> None:
        self._options = options or NextOptions()
        self._records = Records(records)
        self._total = compiled(total) if total is not None else None
        pointer = self._options.cursor or self._options.link
        self._pointer = compiled(pointer) if pointer is not None and pointer != "header" else None
        self._is_alone = options is None
        self._encoding = encoding

    @property
    def shifts(self) -> bool:
        """Whether pages are asked for by place, so that they shift when records come or go meanwhile."""
        return self._options.skip is not None or self._options.page is not None

    @property
    def is_numbered(self) -> bool:
        """Whether pages are asked for by number, so that none can overlap with the one before."""
        return self._options.page is not None

    def first(self, url: str) -> str:
        """Return the address of the first page."""
        return with_query(url, self._place(0, 0))

    def facts(self, body: bytes, headers: Mapping[str, str], *, name: str) -> tuple[PageFacts, bytes]:
        """Return what a page says and its records as JSON; raises SourceError for one that cannot be used."""
        document = read_document(body, name=name, encoding=self._encoding)
        records = self._records.of(document, name=name)
        found = PageFacts(
            count=len(records),
            prints=b"".join(_print(record) for record in records),
            pointer=self._pointed(document, headers, name),
            total=self._total_in(document, name),
            more=self._more(document, headers) if self._is_alone else "",
        )
        return found, encoded(records)

    def following(self, url: str, asked: str, so_far: SoFar) -> Following | None:
        """Return the page after the one at `asked`, None if that was the last one."""
        if self.shifts:
            return self._by_place(url, so_far)
        last, options = so_far.last, self._options
        if not last.pointer:
            return None
        if options.cursor is None:
            return Following(url=urljoin(asked, last.pointer))
        assert options.parameter is not None
        following = with_query(url, {**self._place(0, 0), options.parameter: last.pointer})
        return None if following == asked and not last.count else Following(url=following)

    def _by_place(self, url: str, so_far: SoFar) -> Following | None:
        # Servers have limits of their own, and a total may be that of other records than those that came.
        complete = so_far.total is not None and so_far.records >= so_far.total
        if not so_far.new or (complete and (so_far.unchanged or self._options.page is not None)):
            return None
        # A server that gives one record at a time would never get beyond it.
        overlaps = self._options.skip is not None and so_far.last.count > 1
        return Following(url=with_query(url, self._place(so_far.records - overlaps, so_far.pages)), overlaps=overlaps)

    def _more(self, document: object, headers: Mapping[str, str]) -> str:
        # Not the address itself, as addresses may hold keys.
        # Plain, for it is kept with the page.
        return says_more(document) or (str(LINK_HEADER) if _next_link(headers.get("link", "")) else "")

    def _place(self, records: int, pages: int) -> dict[str, object]:
        options = self._options
        place: dict[str, object] = {}
        if options.limit is not None:
            place[options.limit] = options.size
        if options.skip is not None:
            place[options.skip] = records
        if options.page is not None:
            place[options.page] = (1 if options.first is None else options.first) + pages
        return place

    def _pointed(self, document: object, headers: Mapping[str, str], name: str) -> str:
        if self._options.link == "header":
            return _next_link(headers.get("link", ""))
        if self._pointer is None:
            return ""
        found = value_at(self._pointer, document)
        if found is None or found is False or found == "":
            return ""
        if isinstance(found, dict | list | bool):
            raise SourceError(
                say("{name}: what leads to the next page is no text", name=name), say("correct next in [sync.source]")
            )
        return text_of(found)

    def _total_in(self, document: object, name: str) -> int | None:
        if self._total is None:
            return None
        found = text_of(value_at(self._total, document))
        if not found.isdecimal():
            raise SourceError(
                say("{name}: there is no number at total", name=name), say("correct total in [sync.source]")
            )
        return int(found)


def _print(record: object) -> bytes:
    return blake2b(encoded(record), digest_size=PRINT_BYTES).digest()


def _next_link(header: str) -> str:
    """Return the address of the Link header (RFC 8288) whose relation is "next", "" without one."""
    return next((found[1] for found in _LINK.finditer(header) if _REL_NEXT.search(found[2])), "")
