"""`syncd check`."""

from __future__ import annotations

import argparse
import asyncio

from rich.console import Console
from rich.text import Text

from syncd.app.check import check_all
from syncd.app.checked import Check, check_document, summary
from syncd.cli import printed, show
from syncd.cli.execute import worst
from syncd.cli.opened import opened
from syncd.lang.catalog import told
from syncd.lang.saying import say

_OK = say("ok      ")
_PROBLEM = say("problem ")
"""The words before a problem, of one width in each language."""


async def check(arguments: argparse.Namespace, _stop: asyncio.Event) -> int:
    """Print everything that would stop a sync; the exit code is 0 only if nothing does."""
    found: list[Check] = []
    out = show.console()
    async with opened(arguments, readonly=True) as app:
        checks = check_all(app, offline=arguments.offline, names=arguments.names, portal=arguments.portal)
        async for one in checks:
            found.append(one)
            if not arguments.json:
                _show(out, one)
    if arguments.json:
        printed.document(check_document(tuple(found)))
    else:
        show.line(out, summary(found), "green" if all(one.ok for one in found) else "red")
    return worst(_code(one) for one in found if not one.ok)


def _show(out: Console, one: Check) -> None:
    sign = Text(told(_OK), style="green") if one.ok else Text(told(_PROBLEM), style="red")
    line = sign.append(f"{told(one.label)}: ", style="bold").append(told(one.detail), style="")
    if one.remedy and not one.ok:
        line.append(f" — {told(one.remedy)}", style="dim")
    show.line(out, line)


def _code(one: Check) -> int:
    """Return the exit code that a sync would end with because of what `one` found."""
    if one.exit_code is not None:
        return one.exit_code
    kind = one.name.split(" ")[0]
    codes = {"portal": 3, "source": 5, "guard": 4, "entries": 1, "owners": 1, "calendars": 3, "sections": 1}
    return codes.get(kind, 2)
