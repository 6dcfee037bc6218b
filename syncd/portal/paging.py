"""All rows of a list method, page by page; each id once, because rows move to another page while pages are read.

A page past the end is never asked for, because the portal answers it with the first page (PORTAL.md 6.9).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from syncd.errors import PortalUnreachableError
from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.portal.line.remedies import must_be_done
from syncd.portal.line.shapes import rows_of
from syncd.portal.line.wire import Command, Done, Reply

_PAGE = 50
_MOST_PAGES = 4000
_TRIES = 3


class Paged(Protocol):
    """The part of the portal's client that reading pages needs."""

    @property
    def origin(self) -> str:
        """Scheme and host of the portal, fit for messages."""
        ...

    async def read_many(self, commands: Sequence[Command], *, single: bool = False) -> tuple[Reply, ...]:
        """Return the replies to methods that are safe to repeat, in the same order."""
        ...


async def read_pages(portal: Paged, method: str, params: Mapping[str, Json]) -> tuple[Json, ...]:
    """Read all rows; return them in the portal's order. Raises like `Portal.read`.

    Pages after the first are read in batches if the portal gives the total.
    """
    for _ in range(_TRIES):
        rows, total = await _pages(portal, method, params)
        if rows.seen >= total:
            return rows.all()
    raise PortalUnreachableError(
        say("{method} gave {seen} of {total} rows", method=method, seen=rows.seen, total=total),
        say("the next pass tries again"),
    )


async def _pages(portal: Paged, method: str, params: Mapping[str, Json]) -> tuple[_Rows, int]:
    """Read page after page; return the rows and how many the portal says there are, 0 if it does not."""
    (reply,) = await portal.read_many([Command(method=method, params=params)], single=True)
    last = must_be_done(method, reply)
    rows = _Rows()
    rows.add(last.result)
    first, asked = _int(params.get("start")), 0
    start = _following(last, first)
    page = max(1, last.next - first) if last.next is not None else _PAGE
    while start is not None:
        starts = range(start, max(last.total or 0, start + 1), page)
        asked += len(starts)
        if asked > _MOST_PAGES:
            raise PortalUnreachableError(
                say("{origin}: {method} has no last page", origin=portal.origin, method=method)
            )
        commands = [Command(method=method, params={**params, "start": at}) for at in starts]
        new = 0
        for reply in await portal.read_many(commands):
            last = must_be_done(method, reply)
            new = rows.add(last.result)
        start = _following(last, starts[-1])
        if new == 0 and (last.next is None or last.next <= starts[-1]):
            # Rows were deleted meanwhile, or nobody said which page is the last: this one lay past the end.
            break
        if start is not None and start <= starts[-1]:
            raise PortalUnreachableError(
                say("{origin}: the pages of {method} go in circles", origin=portal.origin, method=method)
            )
    return rows, last.total or 0


class _Rows:
    """Rows of several pages, each id once: rows move to another page while pages are read."""

    def __init__(self) -> None:
        self.seen = 0
        """Number of rows received, including repeated ones."""
        self._rows: list[Json] = []
        self._seen: set[str] = set()

    def add(self, result: Json) -> int:
        """Add the rows of one page; return how many are new."""
        before, page = len(self._rows), rows_of(result)
        self.seen += len(page)
        for row in page:
            mark = row.get("ID", row.get("id")) if isinstance(row, Mapping) else None
            if isinstance(mark, (str, int)):
                if str(mark) in self._seen:
                    continue
                self._seen.add(str(mark))
            self._rows.append(row)
        return len(self._rows) - before

    def all(self) -> tuple[Json, ...]:
        """Return the rows in the order in which they were received."""
        return tuple(self._rows)


def _int(value: Json) -> int:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else 0


def _following(page: Done, start: int) -> int | None:
    """Return where the page after this one begins, None for the last.

    A full page whose answer names neither the next page nor the total is not taken for the last one: only reading on
    tells.
    """
    if page.next is not None or len(rows_of(page.result)) < _PAGE:
        return page.next
    if page.total is not None and page.total <= start + _PAGE:
        return None
    return start + _PAGE
