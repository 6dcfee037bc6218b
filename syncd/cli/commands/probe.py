"""`syncd portal probe`: finds out how a portal behaves, compares that with PORTAL.md, and keeps the answers."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from secrets import token_hex
from typing import TypeVar

from rich.console import Console

from syncd import __version__
from syncd.cli import show
from syncd.cli.desk import Desk
from syncd.errors import StoppedError
from syncd.lang.saying import say, say_as, say_count
from syncd.model.json_values import Json
from syncd.portal.client import Portal
from syncd.portal.probe.bench import SHARE
from syncd.portal.probe.facts import Fact
from syncd.portal.probe.found_words import answer_told, answers_told
from syncd.portal.probe.run import EXPERIMENTS, Probed, limit_s
from syncd.portal.probe.run import probe as ask_portal
from syncd.state.portal_ledger import PortalLedger

R = TypeVar("R")
_REQUESTS = 60
_UNITS: Mapping[str, Callable[[int], str]] = {
    "character": lambda number: say_count("{count:,} character", "{count:,} characters", number),
    "row": lambda number: say_count("{count:,} row", "{count:,} rows", number),
}
"""The units of facts that are numbers."""
_TITLES = (say("fact"), "PORTAL.md", say("this portal"), say("what syncd makes of it"))


async def probe(arguments: argparse.Namespace, desk: Desk) -> int:
    """Print what will be done, ask, probe the portal, print the facts and keep them."""
    portal = desk.app.portal(arguments.portal)
    for text in announced(portal, keep=arguments.keep):
        desk.note(text)
    if not arguments.yes and not await desk.agreed(say("ask {origin}?", origin=portal.origin)):
        return StoppedError.exit_code
    names = [sync.name for sync in desk.app.config.syncs if sync.portal == portal.name]
    probed = await _alone(desk, names, lambda: _probed(desk, portal, keep=arguments.keep))
    if arguments.json:
        desk.document(probe_document(probed))
    else:
        _show(desk.console(), probed)
    for text in probed.cleaned.left:
        desk.note(say("left behind: {text}; the next probe tries again, and so does `syncd purge`", text=text))
    if desk.stop.is_set():
        return StoppedError.exit_code
    return 1 if probed.cleaned.left else 0


def announced(portal: Portal, *, keep: bool) -> tuple[str, ...]:
    """Return what a probe of this portal will do, line by line."""
    events = sum(experiment.events for experiment in EXPERIMENTS)
    where = {"origin": portal.origin, "caller": portal.caller}
    asks = (
        say(
            "This asks {origin} how it behaves: in a scratch section of the {caller}'s own user, which stays, because"
            " of --keep.",
            **where,
        )
        if keep
        else say(
            "This asks {origin} how it behaves: in a scratch section of the {caller}'s own user, which is removed"
            " again.",
            **where,
        )
    )
    return (
        asks,
        say_count(
            "It makes {count} private event there, years away, invites nobody, and touches nothing else:",
            "It makes some {count} private events there, years away, invites nobody, and touches nothing else:",
            events,
        ),
        *(say("  - {sends}", sends=experiment.sends) for experiment in EXPERIMENTS),
        say(
            "Up to {requests} requests in less than two minutes, and {seconds:.1f} s of the operating time of each"
            " method at most.",
            requests=_REQUESTS,
            seconds=limit_s(portal) * SHARE,
        ),
    )


async def _alone(desk: Desk, names: Sequence[str], work: Callable[[], Awaitable[R]]) -> R:
    """Do `work` while no pass of these syncs runs: a pass would change the counters that the probe looks at."""
    if not names:
        return await work()
    first, *others = names
    return await desk.alone(first, lambda: _alone(desk, others, work))


async def _probed(desk: Desk, portal: Portal, *, keep: bool) -> Probed:
    """Probe the portal and keep what was found. What may be left behind is noted before anything is made."""
    app = desk.app
    ledger = app.ledger.of_portal(portal.name)
    await ledger.note_probe(True, app.clock.now())
    probed = await ask_portal(portal, clock=app.clock, stop=desk.stop, token=token_hex(4), keep=keep)
    await ledger.note_facts(portal.origin, probed.facts.kept(), app.clock.now())
    portal.learn(probed.facts)
    await _tell_directory(ledger, portal.origin, probed.facts.text("server_zone"), app.clock.now())
    if not keep and not probed.cleaned.left:
        await ledger.note_probe(False, app.clock.now())
    return probed


async def _tell_directory(ledger: PortalLedger, origin: str, zone: str, now: float) -> None:
    """Write the server's zone into the kept directory.

    A pass that finds everything unchanged reads no more than that.
    """
    directory = await ledger.directory(origin)
    if zone and isinstance(directory, dict) and directory.get("server_zone") != zone:
        await ledger.note_directory(origin, {**directory, "server_zone": zone}, now)


def probe_document(probed: Probed) -> dict[str, Json]:
    """Return the JSON document of `syncd portal probe --json`, which is fit to be given to anybody."""
    facts = probed.facts
    costs: dict[str, Json] = dict(probed.operating_s)
    return {
        **facts.document(),
        "syncd": __version__,
        "known": facts.known,
        "contradictions": len(facts.contradictions),
        "requests": probed.requests,
        "seconds": round(probed.seconds, 1),
        "operating_s": costs,
        "removed": probed.cleaned.removed,
        "left": len(probed.cleaned.left),
        "kept_section": probed.kept or None,
    }


def _show(out: Console, probed: Probed) -> None:
    facts = probed.facts
    lines = [(fact.name, fact.statement.says, found_text(fact), fact.statement.use) for fact in facts.facts]
    show.rows(out, _TITLES, lines)
    for fact in facts.contradictions:
        show.line(out, contradiction_text(fact), "red")
    cost_s = sum(probed.operating_s.values())
    show.line(
        out,
        say(
            "{known} of {number} facts, {contradictions}; {requests}, {seconds:.0f} s,"
            " {cost_s:.1f} s of operating time",
            known=facts.known,
            number=len(facts.facts),
            contradictions=say_count("{count:,} contradiction", "{count:,} contradictions", len(facts.contradictions)),
            requests=say_count("{count:,} request", "{count:,} requests", probed.requests),
            seconds=probed.seconds,
            cost_s=cost_s,
        ),
        "bold",
    )
    if probed.kept:
        out.print(
            say("the scratch section is number {kept}; the next probe removes it", kept=probed.kept), markup=False
        )


def contradiction_text(fact: Fact) -> str:
    """Return the line about a fact that contradicts PORTAL.md; if it has several values, only those that do."""
    expected, found = fact.expected, fact.value
    if isinstance(expected, dict) and isinstance(found, dict):
        odd = [name for name in found if found[name] != expected.get(name)]
        expected, found = {name: expected.get(name) for name in odd}, {name: found[name] for name in odd}
    said = fact.statement.says if expected is None else found_text(Fact(name=fact.name, value=expected))
    told = found_text(Fact(name=fact.name, value=found))
    return say(
        "PORTAL.md {section}: {name}: {said}; found: {found}",
        section=fact.statement.section,
        name=fact.name,
        said=said,
        found=told,
    )


def found_text(fact: Fact) -> str:
    """Return what was found, for a table: the value, or why there is none."""
    value = fact.value
    match value:
        case None:
            return say("not known: {why}", why=fact.why)
        case bool():
            return say_as("cell", "yes") if value else say_as("cell", "no")
        case int():
            return _number(value, fact.statement.unit)
        case dict():
            return answers_told(value)
        case list():
            return ", ".join(str(one) for one in value) or say("none")
        case _:
            return answer_told(str(value))


def _number(value: int, unit: str) -> str:
    """Return a number with its unit, as `Statement.unit` says."""
    if unit != "shift":
        return _UNITS[unit](value) if unit in _UNITS else f"{value} {unit}".strip()
    if not value:
        return say("stays on its day")
    sign = "+" if value > 0 else "-"
    return say_count("moved by {sign}{count} day", "moved by {sign}{count} days", abs(value), sign=sign)
