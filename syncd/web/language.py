"""The words of the status page, and how it writes times, durations and numbers, in the language of its reader."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from syncd.lang.catalog import NAMES, Language, formatter, house, told
from syncd.lang.choice import accepted_language
from syncd.lang.saying import Saying, in_units, say, say_as
from syncd.model.zones import as_read

if TYPE_CHECKING:
    from aiohttp import web

_REMEMBERED: Final = 4096
"""The page is loaded every few seconds, with the same moments and numbers."""

WORDS: Final[Mapping[str, Saying]] = {
    "title": say("syncd status"),
    "all_well": say("Everything is up to date"),
    "some_stale": say("Needs attention"),
    "failing_some": say("A pass has failed and is tried again"),
    "left_some": say("Entries are held back, rejected or unsettled"),
    "waiting_some": say("Waiting for a first pass"),
    "paused_some": say("Up to date, apart from what is paused"),
    "find": say("Find a sync or portal"),
    "which": say("Which syncs"),
    "every_sync": say_as("which syncs", "all"),
    "none_found": say("No sync is like that."),
    "back": say("All syncs"),
    "run": say_as("heading", "Pass"),
    "started": say_as("heading", "Started"),
    "took": say_as("heading", "Took"),
    "runs": say("Last passes"),
    "took_of_runs": say("How long the last passes took"),
    "changed": say("What it changed"),
    "and_more": say("… and more"),
    "no_runs": say("No pass yet."),
    "no_changes": say("It changed nothing."),
    "language": say_as("heading", "Language"),
    "when": say_as("heading", "When"),
    "what": say_as("heading", "What"),
    "where": say_as("heading", "Where"),
    "fields": say_as("heading", "Fields"),
    "op": say_as("heading", "Change"),
    "syncs": say_as("heading", "Syncs"),
    "sync": say_as("heading", "Sync"),
    "state": say_as("heading", "State"),
    "portals": say_as("heading", "Portals"),
    "fresh": say_as("state of a sync", "up to date"),
    "stale": say_as("state of a sync", "stale"),
    "new": say_as("state of a sync", "first pass pending"),
    "running": say_as("state of a sync", "running"),
    "failing": say_as("state of a sync", "backing off"),
    "paused": say_as("state of a sync", "paused"),
    "last_pass": say_as("heading", "Last pass"),
    "next_pass": say_as("heading", "Next pass"),
    "last_success": say_as("heading", "Last success"),
    "entries": say_as("how many", "Entries"),
    "items": say_as("how many", "Events"),
    "held_items": say_as("how many", "Held"),
    "rejected_entries": say_as("how many", "Rejected"),
    "open": say_as("how many", "Unsettled"),
    "never": say_as("when", "never"),
    "now": say_as("when", "now"),
    "until_looked_at": say("waits until somebody decides"),
    "plan": say("Plan under way"),
    "plan_stopped": say("Plan waiting for a decision"),
    "budget": say("Operating time per method"),
    "no_budget": say("Nothing used yet"),
    "held_by_none": say("written to by no machine yet"),
    "refuses": say("refuses syncd"),
    "create": say_as("planned change", "create"),
    "update": say_as("planned change", "update"),
    "delete": say_as("planned change", "delete"),
    "adopt": say_as("planned change", "take over"),
    "unchanged": say_as("how many", "unchanged"),
    "held": say_as("how many", "held"),
    "rejected": say_as("how many", "rejected"),
    "conflict": say_as("how many", "conflict"),
    "created": say_as("how many", "created"),
    "updated": say_as("how many", "updated"),
    "deleted": say_as("how many", "deleted"),
    "adopted": say_as("how many", "taken over"),
    "kept": say_as("how many", "gone, kept"),
    "done": say_as("how a pass ended", "done"),
    "partial": say_as("how a pass ended", "in part"),
    "stopped": say_as("how a pass ended", "stopped"),
    "failed": say_as("how a pass ended", "failed"),
    "skipped": say_as("how many", "left out"),
    "warning": say_as("kind of a problem", "note"),
    "incomplete": say_as("kind of a problem", "incomplete"),
    "no_syncs": say("No sync is configured."),
    "nothing_changed": say("nothing to change"),
}
"""The fixed words of the page. Names that a pass or a plan gives, such as "created", are keys here as well."""


@cache
def words(language: Language) -> Mapping[str, str]:
    """Return `WORDS` in `language`."""
    return {name: told(word, language) for name, word in WORDS.items()}


def reader_of(request: web.Request) -> tuple[Language, bool]:
    """Return the language of the sender of `request`, and whether the sender has chosen it by the page's own links.

    A program that asks for none gets the house's.
    """
    wanted = request.query.get("lang")
    for name in NAMES:
        if name == wanted:
            return name, True
    accepted = request.headers.get("Accept-Language", "")
    return accepted_language(accepted) if accepted else house(), False


def moment(unix: float, now: float, language: Language) -> str:
    """Return a time relative to `now`: "3 min ago", "in 2 h"."""
    if abs(unix - now) < 1:
        return words(language)["now"]
    return _moment(duration(abs(unix - now), language), language, ahead=unix > now)


@lru_cache(maxsize=_REMEMBERED)
def _moment(span: str, language: Language, *, ahead: bool) -> str:
    return told(say("in {span}", span=span) if ahead else say("{span} ago", span=span), language)


def duration(seconds: float, language: Language) -> str:
    """Return a duration in the largest unit that still gives at least one and a half: 89 s, 89 min, 35 h."""
    return _measure(*in_units(timedelta(seconds=seconds)), language)


@lru_cache(maxsize=_REMEMBERED)
def _measure(number: float, unit: str, language: Language) -> str:
    return formatter(language).measure(number, unit)


@lru_cache(maxsize=_REMEMBERED)
def number(value: int, language: Language) -> str:
    """Return a count with its thousands separated."""
    return formatter(language).number(value, ",")


@lru_cache(maxsize=_REMEMBERED)
def stamp(unix: float, language: Language) -> str:
    """Return a time in the machine's zone, to the second, with the zone."""
    time = datetime.fromtimestamp(unix, UTC).astimezone()
    return f"{formatter(language).day(time.date())} {time:%H:%M:%S %Z}"


def start_of(start: str, language: Language) -> str:
    """Return the start of an item, an ISO date or time, as people write it."""
    if language == "en":
        return as_read(start, None)
    try:
        value = datetime.fromisoformat(start) if "T" in start else date.fromisoformat(start)
    except ValueError:  # none at all, as of a change that another version wrote down
        return start
    write = formatter(language)
    return write.moment(value) if isinstance(value, datetime) else write.day(value)


def machine_stamp(unix: float) -> str:
    """Return a time as ISO 8601 in UTC, as the <time> element and JSON want it."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="seconds")
