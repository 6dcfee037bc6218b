"""Where a command works: whom it asks, where its results go, and what else must not run meanwhile.

The five commands that change something are written once, for any desk: at `OwnDesk` they run in the process that was
called; at `cli/served.py: ServedDesk` in the daemon, for a client at the other end of its control socket.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Protocol, TextIO, TypeVar

from rich.console import Console

from syncd.app import report
from syncd.app.wiring import App
from syncd.cli import progress, show
from syncd.cli.outlet import certain
from syncd.cli.question import agreed
from syncd.cycle.run import PassResult
from syncd.errors import ConfigError
from syncd.model.json_values import Json
from syncd.portal.client import Portal

R = TypeVar("R")


class Desk(Protocol):
    """What a command may ask of the place it runs at. `stop` is set when whoever called wants it to end."""

    app: App
    stop: asyncio.Event

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
        """Print a line beside the results, to stderr."""
        ...

    def bar(
        self, portal: Portal, title: str, *, wanted: bool = True, lines: bool = False
    ) -> AbstractAsyncContextManager[progress.Shown]:
        """Show the portal's progress while the body runs, as `progress.shown` does."""
        ...

    async def agreed(self, question: str) -> bool:
        """Ask a person yes or no; no answer counts as no."""
        ...

    def content(self, path: Path) -> bytes:
        """Return the content of the caller's file; raises ConfigError if it cannot be read."""
        ...

    def report(self, path: Path, results: Sequence[PassResult]) -> None:
        """Write the report of `results` to the caller's file; raises ConfigError."""
        ...

    async def alone(self, name: str, work: Callable[[], Awaitable[R]], *, at_once: bool = False) -> R:
        """Do `work` while no pass of the sync `name` runs; with `at_once` one that runs is ended first."""
        ...

    async def pausing(self, name: str) -> None:
        """See to it that what is about to be taken back is not done again by the next pass."""
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
        show.document(value)

    def print(self, text: str) -> None:
        """Print a line to stdout."""
        print(text)

    def note(self, text: str) -> None:
        """Print a line to stderr."""
        print(text, file=sys.stderr)

    def bar(
        self, portal: Portal, title: str, *, wanted: bool = True, lines: bool = False
    ) -> AbstractAsyncContextManager[progress.Shown]:
        """Show the portal's progress on stderr while the body runs."""
        return progress.shown(portal, title, wanted=wanted, lines=lines)

    async def agreed(self, question: str) -> bool:
        """Ask on stderr, and read the answer from stdin."""
        return await agreed(question, self.stop)

    def content(self, path: Path) -> bytes:
        """Return the content of a file."""
        return content(path)

    def report(self, path: Path, results: Sequence[PassResult]) -> None:
        """Write the report."""
        with writing(path) as file:
            report.write(file, results, clean=certain, raw=self.app.config.raw_reports)

    async def alone(self, name: str, work: Callable[[], Awaitable[R]], *, at_once: bool = False) -> R:
        """Do `work`: nothing else runs in this process, and the lock on the state keeps others out."""
        return await work()

    async def pausing(self, name: str) -> None:
        """Do nothing: no daemon makes a next pass."""


def content(path: Path) -> bytes:
    """Return the content of the pinned plan at `path`; raises ConfigError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        remedy = "pin one with `syncd plan --out FILE`, or correct the path"
        raise ConfigError(f"cannot read the plan {path}: {error.strerror}", remedy) from error


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """Open the report at `path` for the body; raises ConfigError if it cannot be written."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise ConfigError(f"cannot write the report to {path}: {error.strerror}") from error
