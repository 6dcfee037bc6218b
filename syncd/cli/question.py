"""Asks a person yes or no, or for a line; a signal ends the wait for the answer."""

from __future__ import annotations

import asyncio
import sys

from syncd.cli.outlet import tell
from syncd.lang.catalog import reader, told
from syncd.lang.saying import say

_YES = {"en": ("y", "yes"), "ru": ("y", "yes", "д", "да")}
"""What counts as yes, by the language of the question."""


async def agreed(question: str, stop: asyncio.Event) -> bool:
    """Ask `question` on stderr; return True if the answer, one line on stdin, is yes. No answer counts as no."""
    # On stderr, because stdout may be a file.
    print(told(say("{question} [y/N] ", question=question)), end="", file=sys.stderr, flush=True)
    answer = await typed(stop)
    if answer is None:
        print(file=sys.stderr)
        tell(say("no answer, so nothing was sent (--yes goes on without asking)"), stderr=True)
        return False
    if answer.strip().casefold() in _YES[reader()]:
        return True
    tell(say("nothing was sent"), stderr=True)
    return False


async def asked(question: str, stop: asyncio.Event) -> str | None:
    """Ask `question` on stderr and return the answer, one line on stdin; None if there is none."""
    print(told(say("{question}: ", question=question)), end="", file=sys.stderr, flush=True)
    return await typed(stop)


async def typed(stop: asyncio.Event) -> str | None:
    """Return the next line of stdin, None at its end or if `stop` is set first."""
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    try:
        loop.add_reader(sys.stdin.fileno(), came.set)
    except (OSError, ValueError):  # a file, or closed: epoll refuses these, and reading them never waits
        return _read()
    waits = [asyncio.ensure_future(came.wait()), asyncio.ensure_future(stop.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(sys.stdin.fileno())
        for one in waits:
            one.cancel()
    return None if stop.is_set() else _read()


def _read() -> str | None:
    try:
        return sys.stdin.readline() or None
    except (OSError, ValueError):
        return None
