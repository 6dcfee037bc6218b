"""The desk of a command that the daemon carries out for a client; texts and files travel over the control socket."""

from __future__ import annotations

import argparse
import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO, TypeVar, cast

from rich.console import Console

from syncd.app import report
from syncd.app.application import App
from syncd.cli import printed, progress, show
from syncd.cli.desk import work_of
from syncd.cli.outlet import Outlet
from syncd.cycle.run import PassResult
from syncd.errors import ConfigError
from syncd.lang.catalog import told
from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.portal.client import Portal
from syncd.scrub import Scrubber
from syncd.service.control import Caller
from syncd.service.protocol import Moved, Part, Request, Text
from syncd.service.schedule import SyncState

if TYPE_CHECKING:  # only for annotations: at run time the service imports this module
    from syncd.service.host import Service

R = TypeVar("R")
_MOVES_EVERY_S = 0.2
_PART = 65_536


async def carry(app: App, service: Service, request: Request, caller: Caller, scrubber: Scrubber) -> int:
    """Carry out `request` in the daemon and return its exit code; raises SyncdError as the command does."""
    desk = ServedDesk(app, service, request, caller, scrubber)
    try:
        return await work_of(request.do)(_arguments(request, scrubber), desk)
    finally:
        desk.flush()


def _arguments(request: Request, scrubber: Scrubber) -> argparse.Namespace:
    """Return the arguments that the parser would have made; raises ConfigError for what it would refuse.

    The counterpart of `cli/client.py: request_of`: each field of a request goes back under the name of its option.
    """
    if request.do == "undo" and request.run is None:
        raise ConfigError(say("undo needs the number of a run"))
    if request.do == "purge" and len(request.names) != 1:
        raise ConfigError(say("purge needs the name of one sync"))
    if request.do in ("poke", "pause", "resume") and not request.names:
        raise ConfigError(say("{command} needs the name of a sync", command=request.do))
    return argparse.Namespace(
        command=request.do,
        names=list(request.names),
        name=next(iter(request.names), ""),
        portal=request.portal,
        run_id=request.run,
        last=request.last,
        since=request.since,
        format=request.format,
        verify=request.verify,
        keep=request.keep,
        fresh=request.fresh,
        force=request.force,
        yes=request.yes,
        json=request.json,
        plan=Path(request.plan.name) if request.plan is not None else None,
        report=Path() if request.report else None,
        scrubber=scrubber,
    )


class ServedDesk:
    """The `Desk` of a client: `caller` is its end of the socket."""

    def __init__(self, app: App, service: Service, request: Request, caller: Caller, scrubber: Scrubber) -> None:
        self.app = app
        self.stop = caller.stop
        self._service = service
        self._caller = caller
        self._request = request
        self._out = Outlet(cast(TextIO, _Spoken(caller, "out")), scrubber)
        self._err = Outlet(cast(TextIO, _Spoken(caller, "err")), scrubber)

    def console(self) -> Console:
        """Return a console that prints on the client's stdout, as wide and colourful as that is."""
        screen = self._request.screen
        return show.console_to(
            cast(TextIO, self._out), columns=screen.columns, terminal=screen.terminal, colours=screen.colours
        )

    def document(self, value: Json) -> None:
        """Print the JSON document of a command."""
        self.print(printed.document_text(value))

    def print(self, text: str) -> None:
        """Print a line on the client's stdout."""
        self._out.write(f"{told(text)}\n")

    def note(self, text: str) -> None:
        """Print a line on the client's stderr."""
        self._err.write(f"{told(text)}\n")

    @asynccontextmanager
    async def bar(
        self, portal: Portal, title: str, *, wanted: bool = True, lines: bool = False
    ) -> AsyncIterator[progress.Shown]:
        """Send the client how far the portal's pushes are while the body runs.

        It takes the bar away for texts itself.
        """
        live = self._request.screen.live
        if not wanted or not (live or lines):
            yield progress.Shown()
            return
        telling = asyncio.create_task(self._move(portal, title) if live else progress.tell(portal, title, self.note))
        try:
            yield progress.Shown()
        finally:
            telling.cancel()
            if live:
                self._caller.send(Moved(title=""))

    async def _move(self, portal: Portal, title: str) -> None:
        while True:
            now = portal.progress()
            self._caller.send(
                Moved(
                    title=told(title), done=now.done, total=now.total, eta_s=now.eta_s,
                    waiting_for=told(now.waiting_for) if now.waiting_for else None,
                    waiting_until=now.waiting_until,
                )
            )  # fmt: skip
            await asyncio.sleep(_MOVES_EVERY_S)

    async def agreed(self, question: str) -> bool:
        """Have the client ask. The person has five minutes to answer."""
        self.flush()
        return await self._caller.ask(told(question), self.app.clock)

    async def asked(self, question: str) -> str | None:
        """Have the client ask for a line. The person has five minutes to answer."""
        self.flush()
        return await self._caller.ask_text(told(question), self.app.clock)

    def content(self, path: Path) -> bytes:
        """Return the content of the pinned plan that came with the request."""
        assert self._request.plan is not None
        return self._request.plan.content.encode()

    async def report(self, path: Path, results: Sequence[PassResult]) -> None:
        """Send the report. The client knows which file it goes to."""
        file = io.StringIO()
        report.write(file, results, clean=self._out.scrubber.certain, raw=self.app.config.raw_reports)
        file.seek(0)
        while part := file.read(_PART):
            self._caller.send(Part(text=part))
            await self._caller.flowed()

    async def alone(self, name: str, work: Callable[[], Awaitable[R]], *, at_once: bool = False) -> R:
        """Do `work` in the place of a pass of the sync `name`."""
        said = (
            say("{name}: something is under way with it, which is ended first", name=name)
            if at_once
            else say("{name}: something is under way with it, which has to end first", name=name)
        )
        waits = partial(self.note, said)
        return await self._service.daemon.alone(name, work, self.stop, waits=waits, at_once=at_once)

    async def pausing(self, name: str) -> None:
        """Pause the sync, or the daemon's next pass would do again what is about to be taken back."""
        await self._service.pause(name)
        self.note(
            say(
                "{name} is paused, or its next pass would do it all again; `syncd resume {name}` lets it go on",
                name=name,
            )
        )

    def states(self) -> Mapping[str, SyncState]:
        """Return how the daemon has every sync."""
        return self._service.states()

    def poke(self, name: str) -> None:
        """Have the daemon make a pass now."""
        self._service.poke(name, by="command")

    async def pause(self, name: str) -> None:
        """Pause a sync in the daemon."""
        await self._service.pause(name)

    async def resume(self, name: str) -> None:
        """Resume a sync in the daemon."""
        await self._service.resume(name)

    def flush(self) -> None:
        """Send what is left of an incomplete line."""
        for one in (self._out, self._err):
            with suppress(ValueError):
                one.flush()


class _Spoken(io.TextIOBase):
    """Sends what is written to the client."""

    def __init__(self, caller: Caller, to: Literal["out", "err"]) -> None:
        self._caller = caller
        self._to: Literal["out", "err"] = to

    def write(self, text: str) -> int:
        if text:
            self._caller.send(Text(to=self._to, text=text))
        return len(text)
