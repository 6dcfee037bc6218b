"""Runs the experiments on one portal: makes the scratch section, asks, cleans up, and hands back the facts.

Whatever fails costs the facts of that experiment only, and each of these tells why.
"""

from __future__ import annotations

import asyncio
from calendar import isleap
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import isfinite
from zoneinfo import ZoneInfo

import structlog

from syncd import events
from syncd.clock import Clock
from syncd.errors import PortalUnreachableError, SyncdError, message_of
from syncd.lang.saying import say
from syncd.portal.client import Portal
from syncd.portal.line.remedies import CommandRefusedError
from syncd.portal.line.shapes import rows_of
from syncd.portal.line.wire import Command, Done, Refused, Unknown
from syncd.portal.probe import scratch
from syncd.portal.probe.batches import BATCHES
from syncd.portal.probe.bench import Bench, Scene, UnaskedError
from syncd.portal.probe.counters import COUNTERS
from syncd.portal.probe.dates import DATES
from syncd.portal.probe.expansion import EXPANSION
from syncd.portal.probe.experiment import Experiment
from syncd.portal.probe.facts import Fact, Facts, ordered
from syncd.portal.probe.fields import TEXTS
from syncd.portal.probe.people import GROUPS, ITEMS, PAGES, PEOPLE, WEBHOOK
from syncd.portal.probe.saving import HOST, LIFE, LINKS

EXPERIMENTS: tuple[Experiment, ...] = (
    LIFE, HOST, LINKS, DATES, TEXTS, COUNTERS, BATCHES, EXPANSION, WEBHOOK, PEOPLE, GROUPS, PAGES, ITEMS,
)  # fmt: skip
"""In the order in which they are made: what matters most comes first, should the budget end."""
READS_ONLY = frozenset({COUNTERS, WEBHOOK, PEOPLE, GROUPS, PAGES, ITEMS})
_USUAL_LIMIT_S = 420.0
"""The operating limit that is reckoned with where the portal has none: what may be spent is bounded all the same."""
_UNTRIED = say("it cannot be tried without touching other people's calendars")
_MEASURED = (
    "calendar.event.add",
    "calendar.event.update",
    "calendar.event.delete",
    "calendar.event.get",
    "calendar.event.getbyid",
    "calendar.section.get",
    "calendar.section.add",
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What a probe found and what it cost: requests, seconds, and operating seconds by method.

    `cleaned` says what became of scratch sections; `kept` is the id of one that was to stay, 0 without.
    """

    facts: Facts
    requests: int
    seconds: float
    operating_s: Mapping[str, float]
    cleaned: scratch.Cleaned
    kept: int = 0


async def probe(portal: Portal, *, clock: Clock, stop: asyncio.Event, token: str, keep: bool = False) -> Probed:
    """Ask `portal` how it behaves. `token` are eight hexadecimal digits for the name of the scratch section.

    With `keep` the section stays. Raises PortalRefusedError and PortalUnreachableError if the portal cannot be asked at
    all; then nothing was made.
    """
    bench = Bench(portal=portal, clock=clock, scene=await read_scene(portal, clock), stop=stop, limit_s=limit_s(portal))
    bench.began = clock.monotonic()
    found: list[Fact] = []
    async with _cleaning(bench, keep=keep) as cleaned:
        trouble = await _section(bench, scratch.section_name(token))
        for experiment in EXPERIMENTS:
            found += await _made(bench, experiment, "" if experiment in READS_ONLY else trouble)
    found += [Fact(name="sections_for", why=_UNTRIED), _costs(bench)]
    return Probed(
        facts=Facts(probed_at=clock.now(), facts=ordered(found, say("no experiment told it"))),
        requests=bench.requests,
        seconds=clock.monotonic() - bench.began,
        operating_s={method: round(spent_s, 3) for method, spent_s in sorted(bench.spent_s.items())},
        cleaned=cleaned(),
        kept=bench.scene.section if keep else 0,
    )


async def sweep(portal: Portal, *, clock: Clock, stop: asyncio.Event) -> scratch.Cleaned:
    """Remove what probes that were cut off have left. Raises SyncdError if the portal cannot be asked."""
    bench = Bench(portal=portal, clock=clock, scene=await read_scene(portal, clock), stop=stop, limit_s=limit_s(portal))
    bench.free = True
    try:
        return await scratch.clean(bench)
    except UnaskedError as error:
        raise PortalUnreachableError(
            say("what a probe left cannot be looked for: {error}", error=message_of(error)), say("try again later")
        ) from error


async def read_scene(portal: Portal, clock: Clock) -> Scene:
    """Return who asks and what he may; raises SyncdError if the portal refuses him or does not answer."""
    replies = await portal.read_many([Command(method="profile"), Command(method="scope")])
    for method, reply in zip(("profile", "scope"), replies, strict=True):
        if isinstance(reply, Unknown) or (isinstance(reply, Refused) and reply.reach == "portal"):
            raise portal.refused(reply)
        if isinstance(reply, Refused):
            raise CommandRefusedError(method, reply)
    profile, scope = (reply.result for reply in replies if isinstance(reply, Done))
    own = profile if isinstance(profile, Mapping) else {}
    if not str(own.get("ID", "")).isdecimal():
        raise PortalUnreachableError(
            say("{origin}: profile does not tell syncd's user", origin=portal.origin), say("try again later")
        )
    server = portal.server_offset_s
    here = _offset_s(str(own.get("TIME_ZONE") or ""), clock.now())
    return Scene(
        caller=int(str(own["ID"])),
        admin=own.get("ADMIN") is True,
        scopes=frozenset(str(one) for one in rows_of(scope)),
        year=next(year for year in range(_year(clock) + 1, _year(clock) + 10) if isleap(year)),
        server_offset_s=server,
        now_offset_s=None if server is None or here is None else here - server,
    )


def _year(clock: Clock) -> int:
    return datetime.fromtimestamp(clock.now(), UTC).year


def _offset_s(zone: str, at: float) -> int | None:
    """Return the UTC offset of a profile's zone, None if it has none or an unknown one."""
    try:
        offset = datetime.fromtimestamp(at, ZoneInfo(zone)).utcoffset() if zone else None
    except (LookupError, ValueError, OSError):
        return None
    return None if offset is None else int(offset.total_seconds())


def limit_s(portal: Portal) -> float:
    """Return the operating limit that the budget of a probe is reckoned from, in seconds."""
    limit = portal.limits.operating_limit
    return limit if isfinite(limit) else _USUAL_LIMIT_S


async def _section(bench: Bench, name: str) -> str:
    """Make the scratch section; return why there is none, "" if there is."""
    try:
        bench.scene.require("calendar")
        await scratch.clean(bench)
        number = await scratch.make(bench, name)
    except UnaskedError as error:
        return say("there is no scratch section: {error}", error=message_of(error))
    bench.scene = replace(bench.scene, section=number)
    return ""


async def _made(bench: Bench, experiment: Experiment, trouble: str) -> list[Fact]:
    """Make one experiment and return its facts; with `trouble` it is not made."""
    if trouble:
        return [Fact(name=name, why=trouble) for name in experiment.facts]
    try:
        found = list(await experiment.run(bench))
    except (UnaskedError, SyncdError) as error:
        return [Fact(name=name, why=message_of(error)) for name in experiment.facts]
    bench.zone = next((str(one.value) for one in found if one.name == "server_zone" and one.value), bench.zone)
    log.debug(events.PROBE_ASKED, portal=bench.portal.name, facts=len(found), requests=bench.requests)
    return found


@asynccontextmanager
async def _cleaning(bench: Bench, *, keep: bool) -> AsyncIterator[Callable[[], scratch.Cleaned]]:
    """Remove the scratch section at the end, also after a stop; where that fails, the next probe does it."""
    outcome = scratch.Cleaned(removed=0)
    try:
        yield lambda: outcome
    finally:
        bench.free = True
        if not keep and "calendar" in bench.scene.scopes:
            try:
                outcome = await scratch.clean(bench, bench.scene.section)
            except (UnaskedError, SyncdError) as error:
                outcome = scratch.Cleaned(removed=0, left=(message_of(error),))


def _costs(bench: Bench) -> Fact:
    known = {method: bench.portal.cost_s(method) for method in _MEASURED if method in bench.spent_s}
    costs = {method: round(cost, 3) for method, cost in known.items() if cost is not None}
    return Fact(name="costs_s", value=costs or None, why="" if costs else say("nothing could be measured"))
