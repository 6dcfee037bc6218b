"""The client's end of the daemon's control socket: asks, and prints what comes back."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import Progress as Bar

from syncd.cli import progress
from syncd.cli.files import content, writing
from syncd.cli.question import agreed, asked
from syncd.cli.reach import Daemon
from syncd.errors import ConfigError, StoppedError, SyncdError
from syncd.lang.catalog import reader, told
from syncd.lang.saying import restored, say
from syncd.model.encoding import decoded
from syncd.portal.client import Progress
from syncd.service.protocol import (
    VERSION,
    Answer,
    Ask,
    AskLine,
    Ended,
    Failed,
    FromDaemon,
    Message,
    Moved,
    Part,
    Pinned,
    Request,
    Screen,
    Stop,
    Text,
    line,
)


def request_of(arguments: argparse.Namespace, languages: Collection[str] = ()) -> Request:
    """Return what a command line asks of a daemon that knows these `languages`.

    Every option that the daemon has to know is a field here, and goes back into the arguments of the command in
    `cli/served.py: _arguments`. Raises ConfigError for a plan that cannot be read.
    """

    def given(name: str) -> bool:
        return bool(getattr(arguments, name, False))

    # The commands without these options leave them out, so that their usual values stand in `Request` alone.
    having = {name: getattr(arguments, name) for name in ("last", "since", "format") if hasattr(arguments, name)}
    names = getattr(arguments, "names", None)
    plan: Path | None = getattr(arguments, "plan", None)
    return Request(
        version=VERSION,
        do=arguments.command,
        names=tuple(names if names is not None else [arguments.name] if given("name") else []),
        portal=getattr(arguments, "portal", None),
        run=getattr(arguments, "run_id", None),
        verify=given("verify"),
        keep=given("keep"),
        fresh=given("fresh"),
        force=given("force"),
        yes=given("yes"),
        json=given("json"),
        report=given("report"),
        plan=Pinned(name=str(plan), content=content(plan).decode("utf-8", "replace")) if plan is not None else None,
        screen=_screen(),
        language=reader() if reader() in languages else None,
        **having,
    )


def _screen() -> Screen:
    console = Console(highlight=False)
    terminal = sys.stdout.isatty()
    colours = console.color_system or "" if terminal and not console.no_color else ""
    return Screen(columns=console.width, terminal=terminal, colours=colours, live=sys.stderr.isatty())


async def carried(daemon: Daemon, arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Have the daemon carry out a command, and return its exit code; raises the command's error.

    `stop` is passed on, so that the command ends as it would without a daemon.
    """
    request = request_of(arguments, daemon.hello.languages)
    stopping = asyncio.ensure_future(_stop_when(stop, daemon.writer))
    with ExitStack() as closing:
        closing.callback(daemon.close)
        closing.callback(stopping.cancel)
        daemon.writer.write(line(request))
        client = _Client(daemon, getattr(arguments, "report", None), stop, closing)
        while text := await _next(daemon.reader):
            code = await client.heard(decoded(text, type=FromDaemon))
            if code is not None:
                return code
    raise StoppedError(
        say("the daemon has ended before the command was done; what was sent is recorded"),
        say("`syncd status` tells how it stands"),
    )


async def _next(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except (OSError, ValueError):
        return b""


async def _stop_when(stop: asyncio.Event, writer: asyncio.StreamWriter) -> None:
    await stop.wait()
    writer.write(line(Stop()))


class _Client:
    """Does what the daemon's lines say."""

    def __init__(self, daemon: Daemon, report: Path | None, stop: asyncio.Event, closing: ExitStack) -> None:
        self._daemon = daemon
        self._stop = stop
        self._closing = closing
        self._report = report
        self._file: TextIO | None = None
        self._bar = _RemoteBar()
        closing.callback(self._bar.end)

    async def heard(self, message: Message) -> int | None:
        """Act on one line; return the exit code with the last one. Raises the error that ended the command."""
        match message:
            case Text(to=to, text=text):
                self._bar.end()
                stream = sys.stdout if to == "out" else sys.stderr
                stream.write(text)
                stream.flush()
            case Moved():
                self._bar.move(message)
            case AskLine(question=question):
                self._bar.end()
                typed = await asked(question, self._stop)
                self._daemon.writer.write(line(Answer(yes=typed is not None, text=typed or "")))
            case Ask(question=question):
                self._bar.end()
                yes = await agreed(question, self._stop)
                self._daemon.writer.write(line(Answer(yes=yes)))
            case Part(text=text):
                self._write(text)
            case Ended(code=code):
                return code
            case Failed():
                raise _RemoteError(message)
            case _:
                raise ConfigError(say("the daemon says {kind}, which has no meaning here", kind=type(message).__name__))
        return None

    def _write(self, text: str) -> None:
        if self._file is None:
            assert self._report is not None
            self._file = self._closing.enter_context(writing(self._report))
        self._file.write(text)


class _RemoteError(SyncdError):
    """The error that ended a command in the daemon, with its exit code."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(
            restored(failed.error_message) if failed.error_message else failed.error,
            restored(failed.remedy_message) if failed.remedy_message else failed.remedy,
        )
        self.exit_code = failed.code


class _RemoteBar:
    """The bar of work that the daemon does. It is taken off the terminal before anything is printed."""

    def __init__(self) -> None:
        self._bar: Bar | None = None

    def move(self, now: Moved) -> None:
        """Show how far the work is."""
        if not now.title:
            self.end()
            return
        if self._bar is None:
            self._bar = progress.make_bar()
            self._bar.add_task(now.title, total=None, note=told(progress.READING))
            self._bar.start()
        if now.total:
            note = progress.note(
                Progress(
                    done=now.done, total=now.total, requests=0, refused_rate=0, waiting_for=now.waiting_for,
                    waiting_until=now.waiting_until, eta_s=now.eta_s,
                )
            )  # fmt: skip
            self._bar.update(self._bar.task_ids[0], total=now.total, completed=now.done, note=note)

    def end(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
