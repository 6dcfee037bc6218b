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
from syncd.lang.catalog import told
from syncd.lang.saying import say, say_as, say_count
from syncd.model.entry import AllDay, Entry, Snapshot, Timed

_TITLES = (
    say_as("column", "when"),
    say_as("column", "title"),
    say_as("column", "owner"),
    say_as("column", "where"),
)
_SHOWN = 5


async def init(arguments: argparse.Namespace, _stop: asyncio.Event) -> int:
    """Write a config to the file of -o, or to stdout; print how syncd reads the schedule.

    If the config goes to stdout, that is printed to stderr, so that `syncd init > syncd.toml` works.
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
    console.print(say("{out} is written; next: syncd --config {out} check", out=str(out)), markup=False)
    return 0


def _folder(out: Path | None) -> Path:
    """Return the directory of the config; raises ConfigError if it cannot be written there."""
    if out is None:
        return Path.cwd()
    if out.exists():
        raise ConfigError(say("{out} exists already", out=str(out)), say("name another file with -o, or remove it"))
    folder = out.absolute().parent
    if not folder.is_dir():
        raise ConfigError(say("{folder} is no directory", folder=str(folder)), say("create it first"))
    return folder


def _write(out: Path, text: str) -> None:
    """Write the config so that only its owner can read it, because it may hold the webhook."""
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(
            say("{out}: {reason}", out=str(out), reason=error.strerror or ""), say("name another file with -o")
        ) from None


def _show(console: Console, start: Start) -> None:
    if start.snapshot is not None:
        _entries(console, start.snapshot)
    for doubt in start.doubts:
        console.print(Text(told(say("please check: ")), style="yellow").append(told(doubt), style=""))


def _entries(console: Console, snapshot: Snapshot) -> None:
    entries = snapshot.entries
    said = (
        say_count(
            "{count:,} entry, as syncd understands it:",
            "{count:,} entries, the first of them as syncd understands them:",
            len(entries),
        )
        if entries
        else say("no entries")
    )
    console.print(said, markup=False)
    lines = [(_when(entry), entry.details.title, entry.details.owner, entry.where) for entry in entries[:_SHOWN]]
    if lines:
        show.rows(console, _TITLES, lines)
    if not snapshot.complete:
        console.print(Text(told(say("incomplete: ")), style="red").append(told(snapshot.incomplete_because), style=""))
    show.problems(console, snapshot.problems)


def _when(entry: Entry) -> str:
    span = entry.span
    when = _days(span) if isinstance(span, AllDay) else _hours(span)
    return say("{when} (repeats)", when=when) if entry.recurrence is not None else when


def _days(span: AllDay) -> str:
    if span.days == 1:
        return say("{day} all day", day=span.first)
    return say_count("{day} all day, {count} day", "{day} all day, {count} days", span.days, day=span.first)


def _hours(span: Timed) -> str:
    ends = f"{span.end:%H:%M}" if span.start.date() == span.end.date() else say("{moment}", moment=span.end)
    return say("{start}–{end} {zone}", start=span.start, end=ends, zone=span.zone)
