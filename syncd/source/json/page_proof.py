"""The pages of one reading, and what they prove: whether all records came, and none moved while they were read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec

from syncd.lang.saying import say, say_count
from syncd.source.json.paging import LINK_HEADER, PRINT_BYTES, PageFacts, Paging, SoFar

DIGEST_BYTES = 16


class JsonPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page as it was fetched: what the server calls this state, a digest of its bytes, and its records, packed."""

    etag: str
    modified: str
    digest: bytes
    facts: PageFacts
    packed: bytes

    @property
    def conditions(self) -> dict[str, str]:
        """The headers that allow the server to answer 304."""
        pairs = (("If-None-Match", self.etag), ("If-Modified-Since", self.modified))
        return {name: value for name, value in pairs if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class PagesRead:
    """All pages of one reading by their addresses, those that begin with a record of the page before in `overlapping`.

    `digest` is that of the records in their order. `doubt` is why it has to be read again, and `short` why something
    is certainly missing; "" for none. `is_settled_by_another` says whether a second reading that is alike ends a doubt.
    """

    pages: Mapping[str, JsonPage] = field(repr=False)
    overlapping: frozenset[str] = field(repr=False)
    digest: bytes
    doubt: str = ""
    short: str = ""
    is_settled_by_another: bool = True


class Pages:
    """Pages as they come in, asked for as `paging` says.

    `total` is how many records the server counts, None if it does not, and `proved` the digest of the records that were
    proved to be all.
    """

    def __init__(self, paging: Paging, *, total: int | None, proved: bytes) -> None:
        self._pages: dict[str, JsonPage] = {}
        self._overlapping: set[str] = set()
        self._totals: set[int] = {total} if total is not None else set()
        self._counts_itself = total is not None
        self._paging = paging
        self._proved = proved
        self._records = 0
        self._prints: set[bytes] = set()
        self._last_print = b""
        self._digest = blake2b(digest_size=DIGEST_BYTES)
        self._doubt = ""

    def __len__(self) -> int:
        return len(self._pages)

    def __contains__(self, address: str) -> bool:
        return address in self._pages

    def repeats_the_first(self, page: JsonPage) -> bool:
        """Return True if a second page has the records of the first, all over again."""
        first = next(iter(self._pages.values())) if len(self._pages) == 1 else None
        return first is not None and page.facts.count > 0 and page.facts.prints == first.facts.prints

    def repeats_all(self, page: JsonPage) -> bool:
        """Return True if a second page has the records of the first, and these are as many as the server counts."""
        return self._totals == {self._records} and self.repeats_the_first(page)

    def add(self, address: str, page: JsonPage, *, overlaps: bool) -> SoFar:
        """Take the next page, which should begin with the last record if it `overlaps`."""
        facts = page.facts
        prints = [facts.prints[at : at + PRINT_BYTES] for at in range(0, len(facts.prints), PRINT_BYTES)]
        if overlaps and prints[:1] == [self._last_print]:
            self._overlapping.add(address)
            del prints[0]
        elif overlaps:
            self._doubt = self._doubt or say("a page does not begin where the one before ended")
        elif self._paging.shifts and (self._pages or (self._paging.is_numbered and prints)):
            self._doubt = self._doubt or say("nothing shows whether its pages shifted")
        self._pages[address] = page
        self._take(prints)
        if facts.total is not None and not self._counts_itself:
            self._totals.add(facts.total)
        total = min(self._totals, default=None)
        return SoFar(
            pages=len(self._pages),
            records=self._records,
            last=facts,
            new=len(prints),
            total=total,
            unchanged=self._digest.digest() == self._proved,
        )

    def read(self, *, count: int | None, name: str) -> PagesRead:
        """Return the reading; `count` is how many records the server counts now that all have come."""
        totals = self._totals | ({count} if count is not None else set())
        doubt, short = self._doubt, ""
        if len(totals) > 1:
            doubt = say("its total changed")
        elif totals and totals != {self._records}:
            doubt = short = say_count(
                "{name} gave {count:,} record, and says that there are {total}",
                "{name} gave {count:,} records, and says that there are {total}",
                self._records,
                name=name,
                total=totals.pop(),
            )
        more = next((page.facts.more for page in self._pages.values() if page.facts.more), "")
        if more:
            short = say(
                "{name} says that there is another page ({more}), and next does not say how to ask for it",
                name=name,
                more=LINK_HEADER if more == LINK_HEADER else more,
            )
        return PagesRead(
            pages=self._pages,
            overlapping=frozenset(self._overlapping),
            digest=self._digest.digest(),
            doubt=doubt,
            short=short,
            # Its records may be the same twice, each time without one that came or went.
            is_settled_by_another=len(totals) < 2,
        )

    def _take(self, prints: list[bytes]) -> None:
        here = set(prints)
        if here & self._prints:
            self._doubt = self._doubt or say("a record came on two pages")
        self._prints |= here
        self._records += len(prints)
        self._digest.update(b"".join(prints))
        self._last_print = prints[-1] if prints else self._last_print
