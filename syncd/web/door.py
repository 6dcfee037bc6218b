"""Who comes in to the status page: so many at once, with a whole request in good time, and for a name that is ours.

A connection costs next to nothing until its request's head is there; only then does the HTTP server see it. So whoever
opens a thousand connections and says nothing takes neither descriptors nor memory from the syncs.

    accepted -> head comes in -> handed over -> answered -> closed
       |             |                |
       |             |                +- older than LONGEST_VISIT_S: cut off
       |             +- not whole after HEAD_S, or too long: cut off
       +- no room: the oldest without a head is cut off, else the oldest
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import structlog
from aiohttp.web_protocol import RequestHandler

from syncd import events

MOST_VISITS = 64
"""The most connections at once. It is far below the usual limit of 1,024 descriptors, which the syncs need too."""
BACKLOG = 32
"""How many connections asyncio accepts in one go before the door hears of them; they take descriptors as well."""
HEAD_S = 10.0
LONGEST_VISIT_S = 120.0
LONGEST_HEAD = 16_384
_END_OF_HEAD = b"\r\n\r\n"
_TOLD_EVERY_S = 60.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a door; tests make them smaller."""

    visits: int = MOST_VISITS
    head_s: float = HEAD_S
    visit_s: float = LONGEST_VISIT_S


class Door:
    """Makes the protocol of each new connection, for asyncio's `create_server`; `serve` makes the HTTP server's."""

    def __init__(self, serve: Callable[[], RequestHandler], limits: Limits) -> None:
        self._serve = serve
        self._limits = limits
        self._waiting: dict[_Visit, None] = {}
        self._served: dict[_Visit, None] = {}
        self._turned_away = 0
        self._telling: asyncio.TimerHandle | None = None

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a connection that has been accepted."""
        return _Visit(self, self._limits)

    @property
    def visits(self) -> int:
        """How many connections there are now."""
        return len(self._waiting) + len(self._served)

    def enter(self, visit: _Visit) -> None:
        """Let `visit` in, if necessary in place of another one."""
        if self.visits >= self._limits.visits:
            # The oldest without a head has had the most time to send one.
            oldest = next(iter(self._waiting or self._served))
            self.leave(oldest)
            oldest.cut_off()
            self._tell()
        self._waiting[visit] = None

    def hand_over(self, visit: _Visit) -> RequestHandler:
        """Return the server's protocol for a connection whose head has arrived."""
        self._waiting.pop(visit, None)
        self._served[visit] = None
        handler = self._serve()
        handler.debug = False  # or asyncio's debug mode would put tracebacks into answers
        return handler

    def leave(self, visit: _Visit) -> None:
        """Forget a connection that has ended."""
        self._waiting.pop(visit, None)
        self._served.pop(visit, None)

    def close(self) -> None:
        """Cut off all connections."""
        for visit in [*self._waiting, *self._served]:
            visit.cut_off()
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None

    def _tell(self) -> None:
        """Log that the door is crowded: at once, and then once a minute with the number, however many come."""
        self._turned_away += 1
        if self._telling is None:
            self._say()

    def _say(self) -> None:
        self._telling = None
        if self._turned_away:
            _log.warning(events.PAGE_CROWDED, most=self._limits.visits, cut_off=self._turned_away)
            self._turned_away = 0
            self._telling = asyncio.get_running_loop().call_later(_TOLD_EVERY_S, self._say)


class _Visit(asyncio.Protocol):
    """One connection. It waits for the head of its first request, then passes everything on."""

    def __init__(self, door: Door, limits: Limits) -> None:
        self._door = door
        self._limits = limits
        self._head = bytearray()
        self._transport: asyncio.Transport | None = None
        self._inner: RequestHandler | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._deadline = asyncio.get_running_loop().call_later(self._limits.head_s, self.cut_off)
        self._door.enter(self)

    def data_received(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.data_received(data)
            return
        self._head += data
        if _END_OF_HEAD in self._head:
            self._begin()
        elif len(self._head) > LONGEST_HEAD:
            self.cut_off()

    def eof_received(self) -> bool | None:
        if self._inner is not None:
            self._inner.eof_received()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.leave(self)
        if self._deadline is not None:
            self._deadline.cancel()
        self._transport = None
        if self._inner is not None:
            self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()

    def cut_off(self) -> None:
        """End the connection now, whatever it is doing."""
        if self._transport is not None:
            self._transport.abort()  # `close` would wait for a reader who never reads

    def _begin(self) -> None:
        assert self._transport is not None
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = asyncio.get_running_loop().call_later(self._limits.visit_s, self.cut_off)
        head, self._head = bytes(self._head), bytearray()
        self._inner = self._door.hand_over(self)
        self._inner.connection_made(self._transport)
        self._inner.data_received(head)


def is_ours(host: str | None, names: Collection[str]) -> bool:
    """Return True if a request for `host`, as its Host header says, is meant for this page.

    A page elsewhere can make its own name point to this machine (DNS rebinding), and would then read our page. It
    cannot do so with an address, with `localhost`, or with the `names` that this machine really has. `host` is None if
    the request has no such header: then no browser sent it.
    """
    if host is None:
        return True
    try:
        name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost") or _is_address(name):
        return True
    return name in {one.lower().removesuffix(".") for one in (*names, socket.gethostname())}


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True
