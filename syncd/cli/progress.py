"""The progress bar of long work: counts, time left, and what it waits for until when."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from syncd.cli.outlet import tell as told_line
from syncd.lang.catalog import told
from syncd.lang.saying import say, say_count
from syncd.portal.client import Portal, Progress

READING = say("reading")
"""What the bar says before anything is sent."""
_REFRESH_S = 0.2
_LINE_EVERY_S = 30.0  # a migration under systemd takes hours, and its lines go to the journal


class Shown:
    """The bar while it is shown; does nothing where there is none."""

    def __init__(self, bar: Bar | None = None) -> None:
        self._bar = bar

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar off the terminal while the body prints, so that it does not end up in the middle."""
        if self._bar is None:
            yield
            return
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()


@asynccontextmanager
async def shown(portal: Portal, title: str, *, wanted: bool = True, lines: bool = False) -> AsyncIterator[Shown]:
    """Show the portal's progress on stderr while the body runs.

    Without a terminal there is no bar; with `lines` a line is printed every half minute instead.
    """
    if wanted and lines and not sys.stderr.isatty():
        telling = asyncio.create_task(tell(portal, title, _to_stderr))
        try:
            yield Shown()
        finally:
            telling.cancel()
        return
    if not wanted or not sys.stderr.isatty():
        yield Shown()
        return
    bar = make_bar()
    with bar:
        following = asyncio.create_task(follow(bar, portal, title))
        try:
            yield Shown(bar)
        finally:
            following.cancel()


class _Bar(Bar):
    """A bar that is drawn when it is told something; rich draws it in a thread, for which there may be no memory."""

    def update(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as rich's own
        """Take in how far the work is, and show it."""
        super().update(*arguments, **{"refresh": True, **options})


def make_bar() -> Bar:
    """Return a bar on stderr that has not begun."""
    return _Bar(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        auto_refresh=False,
        transient=True,  # the result says what the last state of the bar would say
    )


async def follow(bar: Bar, portal: Portal, title: str) -> None:
    """Keep a bar up to date with the portal's progress until cancelled."""
    task = bar.add_task(told(title), total=None, note=told(READING))
    while True:
        now = portal.progress()
        if now.total:  # nothing is being pushed while the source is read
            bar.update(task, total=now.total, completed=now.done, note=note(now))
        await asyncio.sleep(_REFRESH_S)


async def tell(portal: Portal, title: str, show: Callable[[str], None]) -> None:
    """Print every half minute how far the portal's pushes are, until cancelled."""
    while True:
        await asyncio.sleep(_LINE_EVERY_S)
        now = portal.progress()
        if now.total:
            far, rest = say("{title}: {done:,} of {total:,}", title=title, done=now.done, total=now.total), note(now)
            show(say("{far}, {note}", far=far, note=rest) if rest else far)


def _to_stderr(text: str) -> None:
    told_line(text, stderr=True)


def note(now: Progress) -> str:
    """Return the text behind the bar: the time left, and what it waits for until when."""
    left = say("{time} left", time=_clock(timedelta(seconds=round(now.eta_s)))) if now.eta_s is not None else ""
    if now.waiting_for and now.waiting_until:
        until = datetime.fromtimestamp(now.waiting_until).astimezone().strftime("%H:%M:%S")
        waits = say("waiting for {what} until {time}", what=now.waiting_for, time=until)
        return told(say("{left}, {waits}", left=left, waits=waits) if left else waits)
    return told(left)


def _clock(span: timedelta) -> str:
    """Return a time that is left as hours, minutes and seconds, with the days before them."""
    time = str(span - timedelta(days=span.days))
    return say_count("{count} day, {time}", "{count} days, {time}", span.days, time=time) if span.days else time
