"""`syncd report`: one report over all syncs, from the ledger alone."""

from __future__ import annotations

import argparse

from syncd.app.summary import SyncSummary, summary_csv, summary_document, summary_of, summary_page
from syncd.cli.desk import Desk
from syncd.cli.outlet import certain
from syncd.config.durations import parse_duration
from syncd.errors import ConfigError, message_of
from syncd.lang.saying import say
from syncd.scrub import within


async def report(arguments: argparse.Namespace, desk: Desk) -> int:
    """Print what was done since a moment, and how each sync stands now."""
    until = desk.app.clock.now()
    since = until - _seconds(arguments.since)
    found = within(
        [await _summary(desk, name, since) for name in desk.app.config.chosen(arguments.names, arguments.portal)],
        certain,
    )
    match arguments.format:
        case "json":
            desk.document(summary_document(found, since=since, until=until))
        case "html":
            desk.print(summary_page(found, since=since, until=until).rstrip("\n"))
        case _:
            desk.print(summary_csv(found).removesuffix("\r\n") + "\r")
    return 0


async def _summary(desk: Desk, name: str, since: float) -> SyncSummary:
    ledger = desk.app.ledger.of(name)
    return summary_of(
        name,
        next(sync.portal for sync in desk.app.config.syncs if sync.name == name),
        await ledger.runs_since(since),
        since=since,
        success=await ledger.last_success(),
        paused=await ledger.paused(),
    )


def _seconds(text: str) -> float:
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise ConfigError(
            say("--since {message}", message=message_of(error)), say('as in "1d", "12h" or "30d"')
        ) from None
