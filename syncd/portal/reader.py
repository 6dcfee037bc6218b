"""What a reader of a portal may ask of its client (`portal.client.Portal`): calls that change nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from syncd.errors import SyncdError
from syncd.model.json_values import Json
from syncd.portal.line.wire import Command, Refused, Reply, Unknown


class Reader(Protocol):
    """The part of the portal's client that look-ups need."""

    async def read_many(self, commands: Sequence[Command]) -> tuple[Reply, ...]:
        """Call methods that are safe to repeat; return their replies in the same order."""
        ...


class PageReader(Reader, Protocol):
    """The part of the portal's client that reading people, entries and items needs."""

    @property
    def origin(self) -> str:
        """Scheme and host of the portal, fit for messages."""
        ...

    @property
    def server_offset_s(self) -> int | None:
        """UTC offset of the server zone in seconds; None before the first answer."""
        ...

    async def read(self, method: str, params: Mapping[str, Json]) -> Json:
        """Return the result of one call."""
        ...

    async def read_pages(self, method: str, params: Mapping[str, Json]) -> tuple[Json, ...]:
        """Return all rows of a list method."""
        ...

    def refused(self, why: Refused | Unknown) -> SyncdError:
        """Return the error that explains why nothing more can be sent."""
        ...

    async def read_each(self, commands: Sequence[Command], take: Callable[[int, Reply], None]) -> None:
        """Call methods like `read_many`; hand each reply, with its place in `commands`, to `take` and keep none."""
        ...
