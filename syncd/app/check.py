"""Finds everything that would stop a sync before it does: one check each, with the remedy."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from syncd.app.application import App
from syncd.app.application_check import events_told, tokens_told
from syncd.app.check_database import database_findings
from syncd.app.known import consequences, facts_of, in_short, wrong_zone
from syncd.config import SyncConfig
from syncd.cycle.directories import kept_directory
from syncd.cycle.read import Shaping, context_of, kept_entries, portal_zone, shape_all
from syncd.cycle.sync import Sync, check_home
from syncd.errors import EntryError, GuardError, SyncdError
from syncd.lang.saying import joined, say, say_as, say_count
from syncd.model.alike import Group, alike
from syncd.model.entry import Problem, Snapshot
from syncd.model.item import Item, Place
from syncd.model.json_values import Json
from syncd.portal.client import Portal
from syncd.portal.line.answers import CommandRefusedError, rows_of
from syncd.portal.people.crm import read_clients
from syncd.portal.people.directory import Directory, caller_zone, offset_s, read_directory
from syncd.portal.people.section_rights import with_calendars
from syncd.portal.probe.facts import Facts

_LARGEST_SKEW_S = 60.0
_SHOWN = 3
_SHOWN_NAMES = 8
_LABELS: Mapping[str, str] = {
    "config": say_as("check", "config"),
    "secrets": say_as("check", "secrets"),
    "state": say_as("check", "state"),
    "source": say_as("check", "source"),
    "entries": say_as("check", "entries"),
    "portal": say_as("check", "portal"),
    "facts": say_as("check", "facts"),
    "guard": say_as("check", "guard"),
    "clients": say_as("check", "clients"),
    "calendars": say_as("check", "calendars"),
    "owners": say_as("check", "owners"),
    "sections": say_as("check", "sections"),
    "target": say_as("check", "target"),
    "zone": say_as("check", "zone"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was checked: `detail` says what was found, `remedy` what to do if it is not ok.

    `exit_code` is what a sync would end with because of it, None if it follows from the name.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    exit_code: int | None = None

    @property
    def label(self) -> str:
        """What people call it: the name, whose first word says what kind of thing it is."""
        kind, _, thing = self.name.partition(" ")
        label = _LABELS.get(kind, kind)
        return say("{kind} {thing}", kind=label, thing=thing) if thing else label


def check_document(checks: tuple[Check, ...]) -> dict[str, Json]:
    """Return the JSON document of `syncd check --json`."""
    return {
        "ok": all(one.ok for one in checks),
        "problems": sum(not one.ok for one in checks),
        "checks": [{"name": one.name, "ok": one.ok, "detail": one.detail, "remedy": one.remedy} for one in checks],
    }


def summary(checks: Sequence[Check]) -> str:
    """Return in one line how many checks found nothing, and the names of those that found something."""
    number = say_count("{count:,} check", "{count:,} checks", len(checks))
    problems = [one.label for one in checks if not one.ok]
    if not problems:
        return say("{checks}, no problem", checks=number)
    named = Counter(problems)
    shown = tuple(
        name if count == 1 else say("{name} ({number})", name=name, number=count)
        for name, count in named.most_common(_SHOWN_NAMES)
    )
    more = (say("and {number} more", number=len(named) - len(shown)),) if len(named) > len(shown) else ()
    return say(
        "{checks}, {problems}: {names}",
        checks=number,
        problems=say_count("{count:,} problem", "{count:,} problems", len(problems)),
        names=(*shown, *more),
    )


async def check_all(
    app: App, *, offline: bool, names: Sequence[str] = (), portal: str | None = None
) -> AsyncIterator[Check]:
    """Yield a check for everything that the syncs `names` depend on, or all, or those of one portal.

    With `offline`, portals are not asked. Raises ConfigError for an unknown name or portal.
    """
    chosen = app.syncs(names, portal=portal)
    asked = _asked(app, chosen, everything=not names and portal is None)
    size = say("{path}: {size}", path=str(app.config.path), size=_size(len(app.syncs()), len(app.portals)))
    if len(chosen) < len(app.syncs()):
        size = say("{all}; checked: {size}", all=size, size=_size(len(chosen), len(asked)))
    yield Check(name="config", ok=True, detail=size)
    for warning in app.config.warnings:
        yield Check(name="secrets", ok=False, detail=warning, remedy=say("no other user should be able to read it"))
    for one in await _state(app):
        yield one
    snapshots: dict[str, Snapshot] = {}
    for sync in chosen:
        try:
            snapshots[sync.name] = await sync.source.read(sync.reading(app.clock.now()))
        except SyncdError as error:
            yield Check(
                name=f"source {sync.name}", ok=False, detail=error.message, remedy=error.remedy,
                exit_code=error.exit_code,
            )  # fmt: skip
            continue
        for one in _source(sync, snapshots[sync.name]):
            yield one
    if offline:
        return
    wanted = {sync.name for sync in chosen}
    for name in asked:
        syncs = [sync for sync in app.config.syncs if sync.portal == name and sync.name in wanted]
        # A method whose operating time is used up is told at once: nobody waits minutes for a check.
        part = app.portals[name].part(asyncio.Event(), hasty=True)
        async for one in _portal(app, part, syncs, snapshots):
            yield one


def _size(syncs: int, portals: int) -> str:
    """Return how many syncs and portals there are."""
    return say(
        "{syncs}, {portals}",
        syncs=say_count("{count:,} sync", "{count:,} syncs", syncs),
        portals=say_count("{count:,} portal", "{count:,} portals", portals),
    )


def _asked(app: App, chosen: Sequence[Sync], *, everything: bool) -> tuple[str, ...]:
    """Return the names of the portals that the chosen syncs write to; all of them when `everything` is checked."""
    names = {sync.name for sync in chosen}
    used = {sync.portal for sync in app.config.syncs if sync.name in names}
    return tuple(portal.name for portal in app.config.portals if everything or portal.name in used)


async def _state(app: App) -> list[Check]:
    config = app.config
    if config.database is None:
        return [_state_file(config.state, kept=config.state == config.earlier_state)]
    found = await database_findings(config.database, app.clock)
    return [
        Check(name="state", ok=one.ok, detail=one.detail, remedy=one.remedy, exit_code=one.exit_code) for one in found
    ]


def _state_file(path: Path, *, kept: bool) -> Check:
    parent = next(folder for folder in path.parents if folder.exists())
    probe = path if path.exists() else parent
    # A state that exists is opened for reading only: a daemon may be writing to it just now.
    try:
        with path.open("rb") if path.exists() else probe.joinpath(".syncd-check").open("wb"):
            pass
    except OSError as error:
        return Check(
            name="state",
            ok=False,
            detail=say("{path}: {reason}", path=str(path), reason=error.strerror or ""),
            remedy=say("set state to a writable path"),
        )
    if probe is parent:
        probe.joinpath(".syncd-check").unlink()
    detail = str(path) if path.exists() else say("{path} will be created", path=str(path))
    if kept:
        detail = say(
            '{place}, where earlier versions kept it; `state = "{path}"` in the config settles that',
            place=detail,
            path=str(path),
        )
    return Check(name="state", ok=True, detail=detail)


def _source(sync: Sync, snapshot: Snapshot) -> Iterator[Check]:
    name = f"source {sync.name}"
    if not snapshot.complete:
        yield Check(
            name=name, ok=False, detail=_of_source(sync, snapshot.incomplete_because),
            remedy=say("fix the source; until then nothing is deleted"),
        )  # fmt: skip
        return
    kept = kept_entries(sync, snapshot)
    problems = (*snapshot.problems, *kept.problems)
    detail = _of_source(sync, _entries(len(kept.entries)))
    if snapshot.assumed:
        more = len(snapshot.assumed) - _SHOWN
        ending = (say("and {number} more", number=more),) if more > 0 else ()
        assumed = (*snapshot.assumed[:_SHOWN], *ending)
        detail = say("{found}; {assumed}", found=detail, assumed=assumed)
    yield Check(name=name, ok=True, detail=detail)
    if problems:
        ok = all(problem.kind == "warning" for problem in problems)  # entries with a warning are synced
        said = _first(tuple(sorted(problems, key=lambda one: one.kind == "warning")))
        remedy = "" if ok else say("correct these entries")
        yield Check(name=f"entries {sync.name}", ok=ok, detail=said, remedy=remedy)


def _of_source(sync: Sync, said: str) -> str:
    return say("{source}: {said}", source=sync.source.describe(), said=said)


def _entries(number: int) -> str:
    return say_count("{count:,} entry", "{count:,} entries", number)


def _first(problems: tuple[Problem, ...]) -> str:
    """Return the first problems, each with the number of those that are like it."""
    groups = alike(problems, lambda problem: f"{problem.kind}: {problem.reason}")
    said = [_one_of(group) for group in groups[:_SHOWN]]
    more = sum(group.size for group in groups[_SHOWN:])
    return joined([*said, *([say("and {number} more", number=more)] if more else [])])


def _one_of(group: Group[Problem]) -> str:
    first = say("{where}: {reason}", where=group.examples[0].where, reason=group.examples[0].reason)
    return say("{first} (and {number} more like it)", first=first, number=group.size - 1) if group.size > 1 else first


async def _portal(
    app: App, portal: Portal, syncs: list[SyncConfig], snapshots: Mapping[str, Snapshot]
) -> AsyncIterator[Check]:
    name = f"portal {portal.name}"
    ready = [app.sync(sync.name) for sync in syncs]
    wants_groups = any(sync.target.wants_groups for sync in ready)
    wanted = _wanted_scopes(ready)
    # Alerts need a scope that no sync needs, and its lack shows only when there is something to tell.
    if app.config.alerts is not None and app.config.alerts.portal == portal.name:
        wanted = (*wanted, ("im",))
    try:
        # Scopes first: every webhook may ask for its own, so a refusal here means the webhook itself.
        scopes = frozenset(str(one) for one in rows_of(await portal.read("scope", {})))
        yield _address(name, portal)
        yield _scopes(name, portal, scopes, wanted)
        if portal.application is not None:
            for told in (
                tokens_told(portal.application, app.clock.now()),
                await events_told(app.config, portal, portal.application),
            ):
                yield Check(name=name, ok=not told.remedy, detail=told.detail, remedy=told.remedy)
        directory = await read_directory(portal, now=app.clock.now(), groups=wants_groups)
    except CommandRefusedError as error:
        remedy = error.remedy or say("give the {caller} the missing permission", caller=portal.caller)
        yield Check(name=name, ok=False, detail=error.message, remedy=remedy)
        return
    except SyncdError as error:
        yield Check(name=name, ok=False, detail=error.message, remedy=error.remedy, exit_code=error.exit_code)
        return
    yield _clock(name, portal)
    yield _caller(name, directory)
    facts = await facts_of(app.ledger, portal)
    for one in _known(app, portal, facts, syncs):
        yield one
    directory = replace(directory, server_zone=facts.text("server_zone") if facts is not None else "")
    for sync in ready:
        if sync.name in snapshots:
            async for one in _sync(app, portal, sync, snapshots[sync.name], directory):
                yield one


def _known(app: App, portal: Portal, facts: Facts | None, syncs: list[SyncConfig]) -> Iterator[Check]:
    """Yield what is known of the portal from a probe, and what it means for the syncs."""
    name, configured = f"facts {portal.name}", app.config.portal(portal.name).server_timezone
    yield Check(name=name, ok=True, detail=in_short(facts))
    for said in consequences(facts, syncs):
        yield Check(name=name, ok=True, detail=said)
    if zone := wrong_zone(facts, configured):
        yield Check(name=name, ok=False, detail=say("its own zone is {zone}, the config says {configured}", zone=zone, configured=configured or ""),
                    remedy=say("correct server_timezone of [portals.{name}] or leave it out", name=portal.name))  # fmt: skip


def _wanted_scopes(ready: list[Sync]) -> tuple[tuple[str, ...], ...]:
    """Return the permissions that the syncs need, each with those that include it."""
    wanted: list[tuple[str, ...]] = [("user_basic", "user")]
    if any(not sync.target.on_cards for sync in ready):
        wanted.insert(0, ("calendar",))
    if any(sync.target.wants_groups for sync in ready):
        wanted.append(("sonet_group", "sonet"))
    if any(sync.target.wants_crm for sync in ready):
        wanted.append(("crm",))
    return tuple(wanted)


def _address(name: str, portal: Portal) -> Check:
    """Return where the portal answers; one that was renamed is found while the vendor redirects: no fault yet."""
    if portal.moved_to is None:
        return Check(name=name, ok=True, detail=say("{origin} answers", origin=portal.origin))
    key = "webhook" if portal.application is None else "address"
    detail = say(
        "{origin} was renamed and answers at {moved_to}: write the new address into {key}",
        origin=portal.origin,
        moved_to=portal.moved_to,
        key=key,
    )
    return Check(name=name, ok=True, detail=detail)


def _scopes(name: str, portal: Portal, scopes: frozenset[str], wanted: tuple[tuple[str, ...], ...]) -> Check:
    missing = [one[0] for one in wanted if not scopes & set(one)]
    detail = say("the {caller} may: {scopes}", caller=portal.caller, scopes=tuple(sorted(scopes)) or say("nothing"))
    if missing:
        remedy = say("add the permissions to the inbound webhook")
        if portal.application is not None:
            remedy = say(
                "tick them in the application's settings, then run `syncd portal authorize {name}`", name=portal.name
            )
        return Check(
            name=name,
            ok=False,
            detail=say("{detail}; missing: {missing}", detail=detail, missing=tuple(missing)),
            remedy=remedy,
        )
    return Check(name=name, ok=True, detail=detail)


def _clock(name: str, portal: Portal) -> Check:
    skew_s = portal.skew_s
    ok = abs(skew_s) <= _LARGEST_SKEW_S
    return Check(
        name=name,
        ok=ok,
        detail=say("the clocks differ by {seconds:.0f} s", seconds=abs(skew_s)),
        remedy="" if ok else say("set this machine's clock (NTP)"),
    )


def _caller(name: str, directory: Directory) -> Check:
    caller = directory.caller
    zone = caller.zone or say("the server's zone")
    detail = (
        say("acts as user {id}, an administrator, {zone}", id=caller.id, zone=zone)
        if caller.admin
        else say(
            "acts as user {id}, no administrator: it needs rights to other people's calendars, {zone}",
            id=caller.id,
            zone=zone,
        )
    )
    return Check(name=name, ok=caller.id > 0, detail=detail,
                 remedy="" if caller.id else say("give the webhook the permission user_basic"))  # fmt: skip


async def _sync(app: App, portal: Portal, sync: Sync, snapshot: Snapshot, directory: Directory) -> AsyncIterator[Check]:
    """Yield the checks of one sync against its portal; the first that makes the others meaningless is the last."""
    run = app.open_pass(sync, asyncio.Event())
    try:
        run.notes = await run.ledger.notes()
        await check_home(run)
    except GuardError as error:
        yield Check(name=f"guard {sync.name}", ok=False, detail=error.message, remedy=error.remedy)
        return
    kept = kept_entries(sync, snapshot)
    directory = replace(directory, country=sync.country)
    try:
        wanted = sync.target.sought(kept.entries, directory)
        directory = directory.with_clients(await read_clients(portal, wanted))
    except SyncdError as error:
        is_about_types = isinstance(error, CommandRefusedError) and error.code in ("NOT_FOUND", "INVALID_ARG_VALUE")
        usual = say(
            "give the {caller} the permission crm, and its user the right to read the CRM", caller=portal.caller
        )
        yield Check(name=f"clients {sync.name}", ok=False, detail=error.message,
                    remedy=error.remedy if is_about_types else usual)  # fmt: skip
        return
    calendars = sorted(sync.target.places(kept.entries, directory))
    with_sections = [calendar for calendar in calendars if not calendar.on_card]
    try:
        directory = await with_calendars(portal, directory, with_sections)
    except SyncdError as error:
        yield Check(name=f"calendars {sync.name}", ok=False, detail=error.message, remedy=error.remedy)
        return
    unread = [calendar for calendar in with_sections if not directory.knows(calendar)]
    if unread:
        yield Check(name=f"calendars {sync.name}", ok=False, detail=say("cannot be read: {names}", names=_names(unread)),
                    remedy=say("let syncd work as an administrator, who may read them all"))  # fmt: skip
    known = await kept_directory(run)
    directory = directory.following(known, sync.target.section_name) if known is not None else directory
    for told in _renamed_sections(sync, directory):
        yield told
    now = app.clock.now()
    shaping = shape_all(sync, snapshot, kept, context_of(sync, directory, now))
    yield _owners(sync, shaping, len(calendars))
    outside = _synced_outside(directory, shaping.wanted.items)
    if outside:
        yield Check(name=f"sections {sync.name}", ok=False, detail=say("synced with another service: {outside}", outside=outside),
                    remedy=say("choose another section: that service would copy what is written there"))  # fmt: skip
    yield _zone(sync, directory, now)
    for said in sync.target.overlooked(kept.entries, directory):
        yield Check(name=f"target {sync.name}", ok=True, detail=said)
    for limit in sync.target.limits():
        yield Check(name=f"target {sync.name}", ok=True, detail=limit)


def _renamed_sections(sync: Sync, directory: Directory) -> Iterator[Check]:
    for calendar, old, new in directory.renamed():
        if old != sync.target.section_name:
            continue
        detail = say(
            "the section «{old}» of {calendar} is called «{new}» now; it is used further, known by its id",
            old=old,
            calendar=calendar,
            new=new,
        )
        yield Check(name=f"sections {sync.name}", ok=True, detail=detail)


def _owners(sync: Sync, shaping: Shaping, calendars: int) -> Check:
    """Return what the entries become. Those that become nothing often have one reason, so reasons are counted."""
    items = shaping.wanted.items
    on_card = sync.target.on_cards
    place = (
        say_count("on {count:,} card", "on {count:,} cards", calendars)
        if on_card
        else say_count("in {count:,} calendar", "in {count:,} calendars", calendars)
    )
    detail: str = say_count("{count:,} item {place}", "{count:,} items {place}", len(items), place=place)
    new = {item.key.place for item in items if item.section_id is None}
    if new:
        detail = say_count(
            "{found}, {count:,} section will be created", "{found}, {count:,} sections will be created", len(new),
            found=detail,
        )  # fmt: skip
    reasons = Counter(problem.reason for problem in shaping.problems if problem.kind in ("held", "rejected"))
    if shaping.skipped:
        left = Counter(problem.reason for problem in shaping.problems if problem.kind == "skipped")
        why = joined(_most_below_one_head(left))
        detail = say("{found}; {entries} {why}", found=detail, entries=_entries(shaping.skipped), why=why)
    if not reasons:
        return Check(name=f"owners {sync.name}", ok=True, detail=detail)
    return Check(
        name=f"owners {sync.name}",
        ok=False,
        detail=joined([detail, *_most(reasons)]),
        remedy=say("see owners, on_unresolved and the entries named"),
    )


def _most_below_one_head(reasons: Counter[str]) -> list[str]:
    """Return the commonest reasons with what they all begin with, `left out (...): `, once."""
    heads: dict[str, Counter[str]] = defaultdict(Counter)
    for reason, number in reasons.items():
        head, mark, why = reason.partition("): ")
        heads[head + mark][why] += number
    return [head + "; ".join(_most(whys)) for head, whys in heads.items()]


def _most(reasons: Counter[str]) -> list[str]:
    """Return the commonest reasons, each with the number of its entries."""
    said: list[str] = [
        say("{reason} ({entries})", reason=reason, entries=_entries(number))
        for reason, number in reasons.most_common(_SHOWN)
    ]
    if (more := len(reasons) - _SHOWN) > 0:
        said.append(say_count("and {count:,} more reason", "and {count:,} more reasons", more))
    return said


def _zone(sync: Sync, directory: Directory, now: float) -> Check:
    """Return the portal's zone, with a warning if what people see depends on a guess (PORTAL.md 4.7, 6.3)."""
    zone, caller = portal_zone(sync, directory), caller_zone(directory)
    detail = say("the portal's own zone is taken as {zone}", zone=zone)
    guessed = not sync.portal_zone and not directory.server_zone and caller
    if guessed and not _switch_together(zone, caller, now):
        depending = (
            say("times of the other season")
            if sync.target.on_cards
            else say("days on which the portal's clocks change")
        )
        detail = say(
            "{zone}; syncd's user lives in {caller}, whose clock changes differently: {what} depend on this guess, so"
            " name it with server_timezone in [portals.X]",
            zone=detail,
            caller=caller,
            what=depending,
        )
    return Check(name=f"zone {sync.name}", ok=True, detail=detail)


def _switch_together(one: str, other: str, now: float) -> bool:
    """Return True if the difference between two zones stays the same for a year."""
    days = range(0, 365, 7)  # a change of the clock lasts for weeks, so a look every week misses none
    return len({offset_s(one, now + day * 86_400) - offset_s(other, now + day * 86_400) for day in days}) == 1


def _names(calendars: list[Place]) -> tuple[str, ...]:
    return (*map(str, calendars[:_SHOWN]), *(("…",) if len(calendars) > _SHOWN else ()))


def _synced_outside(directory: Directory, items: tuple[Item, ...]) -> str:
    found: set[str] = set()
    for item in items:
        if item.section_id is not None:
            try:
                section = directory.section(item.key.place, item.section)
            except EntryError:  # an ambiguous name: that is a problem of the entry, which the check of owners has
                continue
            if section is not None and section.external:
                found.add(f"{item.key.place} {section.name} ({section.external})")
    return ", ".join(sorted(found))
