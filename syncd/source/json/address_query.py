"""What is added to the address: parameters with the days of the window in them, and the address of the count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from urllib.parse import urljoin, urlsplit, urlunsplit

from syncd.model.entry import Window
from syncd.source.json.paging import with_query
from syncd.source.stamps import LAST_YEAR

_UNBOUNDED = (date(1970, 1, 1), date(LAST_YEAR, 12, 31))
_COUNTED = frozenset({"$filter", "allowedOnly"})
"""The parameters that a count of OData takes; it refuses or ignores those for pages, order and form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """`params` go into the query of every address, `{first}` and `{last}` in them are the days of the window.

    `count` is the address that answers with the number of records, relative to the source's; with `odata` it gets the
    parameters only that a count takes.
    """

    params: Mapping[str, str] = field(default_factory=dict)
    count: str | None = None
    odata: bool = False

    def address(self, url: str, window: Window) -> str:
        """Return the address with its parameters."""
        first, last = window.first or _UNBOUNDED[0], window.last or _UNBOUNDED[1]
        filled = {
            name: text.replace("{first}", first.isoformat()).replace("{last}", last.isoformat())
            for name, text in self.params.items()
        }
        return with_query(url, filled)

    def count_address(self, url: str) -> str | None:
        """Return the address of the count for one that `address` returned, None without one."""
        if self.count is None:
            return None
        parts = urlsplit(url)
        if self.count.startswith(("/", "http://", "https://")):
            counting = urlsplit(urljoin(url, self.count))
        else:
            counting = parts._replace(path=f"{parts.path.rstrip('/')}/{self.count}", query="")
        kept = [one for one in parts.query.split("&") if not self.odata or _is_counted(one)]
        return urlunsplit(counting._replace(query="&".join(filter(None, [counting.query, *kept]))))


def _is_counted(parameter: str) -> bool:
    return parameter.partition("=")[0].replace("%24", "$") in _COUNTED
