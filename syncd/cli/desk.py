"""Where a command runs: whom it asks, where its results go, and what must not run meanwhile.

A command that needs the state for itself is written once, for any desk. At `OwnDesk` it runs in the process that was
called; at `cli/served.py: ServedDesk` it runs in the daemon, for a client at the other end of its control socket.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from rich.console import Console

from syncd.app.application import App
from syncd.cli import printed, show
from syncd.cli.files import content, writing
from syncd.cli.outlet import certain, tell
from syncd.cli.question import agreed, asked
from syncd.errors import StateError
from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.service.schedule import SyncState

if TYPE_CHECKING:  # only commands that make passes load what makes them
    from syncd.cli import progress
    from syncd.cycle.run import PassResult
    from syncd.portal.client import Portal

R = TypeVar("R")


class Desk(Protocol):
    """What a command may ask of the place where it runs. `stop` is set when the caller wants it to end."""

    stop: asyncio.Event

    @property
    def app(self) -> App:
        """What the config asks for."""
        ...

    def console(self) -> Console:
        """Return the console for results."""
        ...

    def document(self, value: Json) -> None:
        """Print the JSON document of a command, the only thing on stdout then."""
        ...

    def print(self, text: str) -> None:
        """Print a line of the result as it is."""
        ...

    def note(self, text: str) -> None:
        """Print a line to stderr, beside the results."""
        ...

    def bar(
        self, portal: Portal, title: str, *, wanted: bool = True, lines: bool = False
    ) -> AbstractAsyncContextManager[progress.Shown]:
        """Show the portal's progress while the body runs, as `progress.shown` does."""
        ...

    async def agreed(self, question: str) -> bool:
        """Ask a person yes or no. No answer counts as no."""
        ...

    async def asked(self, question: str) -> str | None:
        """Ask a person for a line of text; return None if there is no answer."""
        ...

    def content(self, path: Path) -> bytes:
        """Return the content of the caller's file; raises ConfigError if it cannot be read."""
        ...

    async def report(self, path: Path, results: Sequence[PassResult]) -> None:
        """Write the report of `results` to the caller's file; raises ConfigError."""
        ...

    async def alone(self, name: str, work: Callable[[], Awaitable[R]], *, at_once: bool = False) -> R:
        """Do `work` while no pass of the sync `name` runs; with `at_once` one that runs is ended first."""
        ...

    async def pausing(self, name: str) -> None:
        """Keep the next pass from doing again what is about to be taken back."""
        ...

    def states(self) -> Mapping[str, SyncState] | None:
        """Return how every sync stands in the daemon that this runs in, by name; None outside a daemon."""
        ...

    def poke(self, name: str) -> None:
        """Have the daemon make a pass now; raises StateError outside a daemon, ConfigError for a paused sync."""
        ...

    async def pause(self, name: str) -> None:
        """Leave a sync alone until it is resumed, also over restarts."""
        ...

    async def resume(self, name: str) -> None:
        """Let the passes of a sync start again."""
        ...


class OwnDesk:
    """The desk of the process that was called: its own terminal and files, and the state for itself alone."""

    def __init__(self, app: App, stop: asyncio.Event) -> None:
        self.app = app
        self.stop = stop

    def console(self) -> Console:
        """Return the console of stdout."""
        return show.console()

    def document(self, value: Json) -> None:
        """Print the JSON document of a command."""
        printed.document(value)

    def print(self, text: str) -> None:
        """Print a line to stdout."""
        tell(text)

    def note(self, text: str) -> None:
        """Print a line to stderr."""
        tell(text, stderr=True)

    def bar(
        self, portal: Portal, title: str, *, wanted: bool = True, lines: bool = False
    ) -> AbstractAsyncContextManager[progress.Shown]:
        """Show the portal's progress on stderr while the body runs."""
        from syncd.cli import progress

        return progress.shown(portal, title, wanted=wanted, lines=lines)

    async def agreed(self, question: str) -> bool:
        """Ask on stderr, and read the answer from stdin."""
        return await agreed(question, self.stop)

    async def asked(self, question: str) -> str | None:
        """Ask on stderr, and read a line from stdin."""
        return await asked(question, self.stop)

    def content(self, path: Path) -> bytes:
        """Return the content of a file."""
        return content(path)

    async def report(self, path: Path, results: Sequence[PassResult]) -> None:
        """Write the report."""
        from syncd.app import report

        with writing(path) as file:
            report.write(file, results, clean=certain, raw=self.app.config.raw_reports)

    async def alone(self, name: str, work: Callable[[], Awaitable[R]], *, at_once: bool = False) -> R:
        """Do `work`: nothing else runs in this process, and the lock on the state keeps others out."""
        return await work()

    async def pausing(self, name: str) -> None:
        """Do nothing: no daemon makes a next pass."""

    def states(self) -> None:
        """Return None: this is not a daemon."""

    def poke(self, name: str) -> None:
        """Raise StateError: without a daemon nobody can make the pass."""
        raise StateError(
            say("no daemon runs with {path}", path=str(self.app.config.path)),
            say("`syncd sync` makes a pass now; `syncd run` is the daemon"),
        )

    async def pause(self, name: str) -> None:
        """Write it down for the daemon that starts next."""
        await self.app.ledger.of(name).note_paused(self.app.clock.now())

    async def resume(self, name: str) -> None:
        """Write it down for the daemon that starts next."""
        await self.app.ledger.of(name).forget_paused()


async def chosen(arguments: argparse.Namespace, desk: Desk) -> tuple[str, ...]:
    """Return the names of the syncs that a command line selects. Paused ones only count if it names them."""
    found: list[str] = []
    for sync in desk.app.syncs(arguments.names, portal=arguments.portal):
        if not arguments.names and await desk.app.ledger.of(sync.name).paused() is not None:
            desk.note(say("{name} is paused and left out; `syncd resume {name}` lets it go on", name=sync.name))
        else:
            found.append(sync.name)
    return tuple(found)


Work = Callable[[argparse.Namespace, Desk], Awaitable[int]]
# Names in place of functions, because importing every command would slow down each of them.
_WORKS = {
    "authorize": ("authorize", "authorize"),
    "history": ("history", "history"),
    "migrate": ("migrate", "migrate"),
    "pause": ("steer", "pause"),
    "poke": ("steer", "poke"),
    "probe": ("probe", "probe"),
    "purge": ("takeback", "purge"),
    "report": ("summary", "report"),
    "resume": ("steer", "resume"),
    "retry": ("state", "retry"),
    "status": ("state", "status"),
    "sync": ("passes", "sync"),
    "undo": ("takeback", "undo"),
}


def work_of(command: str) -> Work:
    """Return the function of `command` for any desk, importing only its module."""
    module, function = _WORKS[command]
    work: Work = getattr(import_module(f"syncd.cli.commands.{module}"), function)
    return work
