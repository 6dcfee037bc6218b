"""`syncd init`: a first config, guessed from a schedule and a portal."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from rich.console import Console
from rich.text import Text

from syncd.app.init import Start, make_start
from syncd.cli import show
from syncd.cli.outlet import reveal
from syncd.clock import SystemClock
from syncd.errors import ConfigError
from syncd.model.entry import AllDay, Entry, Snapshot
from syncd.model.names import counted

_SHOWN = 5


async def init(arguments: argparse.Namespace, _stop: asyncio.Event) -> int:
    """Write a config to the file of -o, or to stdout; print what syncd makes of the schedule.

    With the config on stdout that goes to stderr, so that `syncd init > syncd.toml` works.
    """
    out: Path | None = arguments.out
    if arguments.webhook:
        arguments.scrubber.add(arguments.webhook)
    folder = _folder(out)
    start = await make_start(arguments.source, arguments.webhook, folder=folder, clock=SystemClock())
    if out is None:
        reveal(start.text.rstrip("\n"))  # with the webhook, which the config is nothing without
        _show(show.console(stderr=True), start)
        return 0
    _write(out, start.text)
    console = show.console()
    _show(console, start)
    console.print(f"{out} is written; next: syncd --config {out} check", markup=False)
    return 0


def _folder(out: Path | None) -> Path:
    """Return the directory of the config; raises ConfigError if it cannot be written there."""
    if out is None:
        return Path.cwd()
    if out.exists():
        raise ConfigError(f"{out} exists already", "name another file with -o, or remove it")
    folder = out.absolute().parent
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no directory", "create it first")
    return folder


def _write(out: Path, text: str) -> None:
    """Write the config so that only its owner can read it, because it may hold the webhook."""
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"{out}: {error.strerror}", "name another file with -o") from None


def _show(console: Console, start: Start) -> None:
    if start.snapshot is not None:
        _entries(console, start.snapshot)
    for doubt in start.doubts:
        console.print(Text("please check: ", style="yellow").append(doubt, style=""))


def _entries(console: Console, snapshot: Snapshot) -> None:
    entries = snapshot.entries
    first = "as syncd understands it" if len(entries) == 1 else "the first of them as syncd understands them"
    said = f"{counted(len(entries), 'entry', 'entries')}, {first}:" if entries else "no entries"
    console.print(said, markup=False)
    lines = [(_when(entry), entry.details.title, entry.details.owner, entry.where) for entry in entries[:_SHOWN]]
    if lines:
        show.rows(console, ("when", "title", "owner", "where"), lines)
    if not snapshot.complete:
        console.print(Text("incomplete: ", style="red").append(snapshot.incomplete_because, style=""))
    show.problems(console, snapshot.problems)


def _when(entry: Entry) -> str:
    span = entry.span
    repeats = " (repeats)" if entry.recurrence is not None else ""
    if isinstance(span, AllDay):
        return f"{span.first} all day" + (f", {span.days} days" if span.days > 1 else "") + repeats
    same_day = span.start.date() == span.end.date()
    return f"{span.start:%Y-%m-%d %H:%M}–{span.end:{'%H:%M' if same_day else '%Y-%m-%d %H:%M'}} {span.zone}{repeats}"
