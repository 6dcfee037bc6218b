"""The progress bar of long work: counts, time left, and what a wait is for and until when."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from syncd.portal.client import Portal

_REFRESH_S = 0.2
_LINE_EVERY_S = 30.0


@asynccontextmanager
async def shown(portal: Portal, title: str, *, wanted: bool = True, lines: bool = False) -> AsyncIterator[None]:
    """Show the portal's progress on stderr while the body runs.

    Where stderr is no terminal there is no bar; with `lines` a line comes every half minute instead.
    """
    if wanted and lines and not sys.stderr.isatty():
        telling = asyncio.create_task(_tell(portal, title))
        try:
            yield
        finally:
            telling.cancel()
        return
    if not wanted or not sys.stderr.isatty():
        yield
        return
    bar = Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        following = asyncio.create_task(_follow(bar, portal, title))
        try:
            yield
        finally:
            following.cancel()


async def _follow(bar: Progress, portal: Portal, title: str) -> None:
    task = bar.add_task(title, total=None, note="reading")
    while True:
        now = portal.progress()
        if now.total:
            bar.update(
                task, total=now.total, completed=now.done, note=_note(now.eta_s, now.waiting_for, now.waiting_until)
            )
        await asyncio.sleep(_REFRESH_S)


async def _tell(portal: Portal, title: str) -> None:
    while True:
        await asyncio.sleep(_LINE_EVERY_S)
        now = portal.progress()
        if now.total:
            note = _note(now.eta_s, now.waiting_for, now.waiting_until)
            print(f"{title}: {now.done:,} of {now.total:,}, {note}".rstrip(", "), file=sys.stderr, flush=True)


def _note(eta_s: float | None, waiting_for: str | None, waiting_until: float | None) -> str:
    left = f"{timedelta(seconds=round(eta_s))} left" if eta_s is not None else ""
    if waiting_for and waiting_until:
        until = datetime.fromtimestamp(waiting_until).astimezone().strftime("%H:%M:%S")
        return f"{left}, waiting for {waiting_for} until {until}".lstrip(", ")
    return left
