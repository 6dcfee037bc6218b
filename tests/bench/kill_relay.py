"""Between syncd and the simulated portals of `kill_load`: passes requests on, and kills the process at one of them."""

from __future__ import annotations

import asyncio
import re
import time
from asyncio.subprocess import Process
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from aiohttp import web

from tests.bench.relay import Relay, cut

Moment = Literal["at a time", "lost", "late", "sent", "answered", "delivered"]
"""Where a process dies: after so many seconds; with a request that never arrives, arrives after its death, is being
carried out, was carried out without the answer having come, or whose answer it has just got."""

_METHOD = re.compile(rb"(?:calendar|crm)\.[a-z.]+")
_DEEDS: Mapping[str, str] = MappingProxyType(
    {"section.add": "section", "event.add": "create", "activity.add": "create", "update": "update", "delete": "delete"}
)


@dataclass(frozen=True, slots=True)
class Shot:
    """One kill to come: at the n-th request (`writes`: the n-th that writes), or after some seconds."""

    moment: Moment
    number: int = 1
    writes: bool = True
    delay_s: float = 0.0


@dataclass(slots=True)
class Gun:
    """Counts the requests of one process to all portals, and kills it when its moment has come."""

    shot: Shot | None = None
    process: Process | None = None
    fired: str = ""
    met: int = 0
    last: str = "before its first request"
    died: float = 0.0

    def load(self, shot: Shot | None) -> None:
        """Get ready for the next process."""
        self.shot, self.process, self.fired, self.met, self.died = shot, None, "", 0, 0.0
        self.last = "before its first request"

    def meets(self, deeds: str) -> bool:
        """Count a request; return True if the process dies of this one."""
        shot = self.shot
        if shot is None or self.fired or shot.moment == "at a time" or (shot.writes and deeds == "read"):
            return False
        self.met += 1
        return self.met == shot.number

    def fire(self, where: str) -> None:
        """Kill the process, if it still lives."""
        if self.process is not None and self.process.returncode is None and not self.fired:
            self.fired = where
            self.process.kill()
            self.died = time.monotonic()


@dataclass(slots=True)
class Shooting(Relay):
    """The address of one portal that syncd knows; kills its process when the moment has come."""

    gun: Gun
    longest_s: float = 0.0
    """The longest time from the death of a process to the end of a request that it had sent."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass it on, unless the process that sent it dies of it."""
        body, path = await request.read(), request.rel_url.raw_path_qs
        deeds = deeds_of(request.path, body)
        gun = self.gun
        shot = gun.shot
        if shot is None or not gun.meets(deeds):
            gun.last = f"during a request to {deeds}"
            answer = await self.forward(request, path, body)
            gun.last = f"after a request to {deeds}"
            return answer
        where = f"{shot.moment}: {deeds}"
        match shot.moment:
            case "lost":
                gun.fire(where)
            case "late":
                gun.fire(where)
                self._keep(asyncio.create_task(self.forward(request, path, body, shot.delay_s)), gun)
            case "sent":
                self._keep(task := asyncio.create_task(self.forward(request, path, body)), gun)
                await asyncio.wait({task}, timeout=shot.delay_s)
                gun.fire(where)
            case "answered":
                await self.forward(request, path, body)
                gun.fire(where)
            case _:
                answer = await self.forward(request, path, body)
                asyncio.get_running_loop().call_later(shot.delay_s, gun.fire, where)
                return answer
        return cut(request)

    def _keep(self, task: asyncio.Task[web.Response], gun: Gun) -> None:
        def ended(one: asyncio.Task[web.Response]) -> None:
            self.late.discard(one)
            if died := at_once or gun.died:  # it may have ended before the process died
                self.longest_s = max(self.longest_s, time.monotonic() - died)

        at_once = gun.died  # another process may die before this request has ended
        self.late.add(task)
        task.add_done_callback(ended)


def deeds_of(path: str, body: bytes) -> str:
    """Return what a request does, such as "create+delete"; "read" where it changes nothing."""
    methods = {found.decode() for found in _METHOD.findall(path.encode() + b" " + body)}
    deeds = {deed for method in methods for end, deed in _DEEDS.items() if method.endswith(end)}
    return "+".join(sorted(deeds)) or "read"
