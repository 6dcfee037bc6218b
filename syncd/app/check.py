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
from syncd.model.alike import alike
from syncd.model.entry import Problem, Snapshot
from syncd.model.item import Item, Place
from syncd.model.json_values import Json
from syncd.model.names import counted
from syncd.portal.client import Portal
from syncd.portal.line.answers import CommandRefusedError, rows_of
from syncd.portal.people.crm import read_clients
from syncd.portal.people.directory import Directory, caller_zone, offset_s, read_directory
from syncd.portal.people.section_rights import with_calendars
from syncd.portal.probe.facts import Facts

_LARGEST_SKEW_S = 60.0
_SHOWN = 3
_SHOWN_NAMES = 8


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


def check_document(checks: tuple[Check, ...]) -> dict[str, Json]:
    """Return the JSON document of `syncd check --json`."""
    return {
        "ok": all(one.ok for one in checks),
        "problems": sum(not one.ok for one in checks),
        "checks": [{"name": one.name, "ok": one.ok, "detail": one.detail, "remedy": one.remedy} for one in checks],
    }


def summary(checks: Sequence[Check]) -> str:
    """Return in one line how many checks found nothing, and the names of those that found something."""
    problems = [one.name for one in checks if not one.ok]
    if not problems:
        return f"{counted(len(checks), 'check')}, no problem"
    named = Counter(problems)
    shown = [name if count == 1 else f"{name} ({count})" for name, count in named.most_common()][:_SHOWN_NAMES]
    more = f", and {len(named) - len(shown)} more" if len(named) > len(shown) else ""
    return f"{counted(len(checks), 'check')}, {counted(len(problems), 'problem')}: {', '.join(shown)}{more}"


async def check_all(
    app: App, *, offline: bool, names: Sequence[str] = (), portal: str | None = None
) -> AsyncIterator[Check]:
    """Yield a check for everything that the syncs `names` depend on, or all, or those of one portal.

    With `offline`, portals are not asked. Raises ConfigError for an unknown name or portal.
    """
    chosen = app.syncs(names, portal=portal)
    asked = _asked(app, chosen, everything=not names and portal is None)
    size = f"{counted(len(app.syncs()), 'sync')}, {counted(len(app.portals), 'portal')}"
    if len(chosen) < len(app.syncs()):
        size += f"; checked: {counted(len(chosen), 'sync')}, {counted(len(asked), 'portal')}"
    yield Check(name="config", ok=True, detail=f"{app.config.path}: {size}")
    for warning in app.config.warnings:
        yield Check(name="secrets", ok=False, detail=warning, remedy="no other user should be able to read it")
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
        return Check(name="state", ok=False, detail=f"{path}: {error.strerror}", remedy="set state to a writable path")
    if probe is parent:
        probe.joinpath(".syncd-check").unlink()
    detail = str(path) if path.exists() else f"{path} will be created"
    if kept:
        detail += f', where earlier versions kept it; `state = "{path}"` in the config settles that'
    return Check(name="state", ok=True, detail=detail)


def _source(sync: Sync, snapshot: Snapshot) -> Iterator[Check]:
    name = f"source {sync.name}"
    if not snapshot.complete:
        yield Check(
            name=name, ok=False, detail=f"{sync.source.describe()}: {snapshot.incomplete_because}",
            remedy="fix the source; until then nothing is deleted",
        )  # fmt: skip
        return
    kept = kept_entries(sync, snapshot)
    problems = (*snapshot.problems, *kept.problems)
    detail = f"{sync.source.describe()}: {counted(len(kept.entries), 'entry', 'entries')}"
    if snapshot.assumed:
        more = len(snapshot.assumed) - _SHOWN
        detail += f"; {', '.join(snapshot.assumed[:_SHOWN])}" + (f", and {more} more" if more > 0 else "")
    yield Check(name=name, ok=True, detail=detail)
    if problems:
        ok = all(problem.kind == "warning" for problem in problems)  # entries with a warning are synced
        said = _first(tuple(sorted(problems, key=lambda one: one.kind == "warning")))
        remedy = "" if ok else "correct these entries"
        yield Check(name=f"entries {sync.name}", ok=ok, detail=said, remedy=remedy)


def _first(problems: tuple[Problem, ...]) -> str:
    """Return the first problems, each with the number of those that are like it."""
    groups = alike(problems, lambda problem: f"{problem.kind}: {problem.reason}")
    said = [
        f"{group.examples[0].where}: {group.examples[0].reason}"
        + (f" (and {group.size - 1} more like it)" if group.size > 1 else "")
        for group in groups[:_SHOWN]
    ]
    more = sum(group.size for group in groups[_SHOWN:])
    return "; ".join(said) + (f"; and {more} more" if more else "")


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
        remedy = error.remedy or f"give the {portal.caller} the missing permission"
        yield Check(name=name, ok=False, detail=error.message, remedy=remedy)
        return
    except SyncdError as error:
        yield Check(name=name, ok=False, detail=error.message, remedy=error.remedy, exit_code=error.exit_code)
        return
    yield _clock(name, portal)
    yield _caller(name, portal, directory)
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
        yield Check(name=name, ok=False, detail=f"its own zone is {zone}, the config says {configured}",
                    remedy=f"correct server_timezone of [portals.{portal.name}] or leave it out")  # fmt: skip


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
        return Check(name=name, ok=True, detail=f"{portal.origin} answers")
    key = "webhook" if portal.application is None else "address"
    detail = f"{portal.origin} was renamed and answers at {portal.moved_to}: write the new address into {key}"
    return Check(name=name, ok=True, detail=detail)


def _scopes(name: str, portal: Portal, scopes: frozenset[str], wanted: tuple[tuple[str, ...], ...]) -> Check:
    missing = [one[0] for one in wanted if not scopes & set(one)]
    detail = f"the {portal.caller} may: {', '.join(sorted(scopes)) or 'nothing'}"
    if missing:
        detail = f"{detail}; missing: {', '.join(missing)}"
        return Check(name=name, ok=False, detail=detail, remedy=_more_scopes(portal, "the permissions"))
    return Check(name=name, ok=True, detail=detail)


def _more_scopes(portal: Portal, which: str) -> str:
    """Return where somebody gives syncd permissions that are missing."""
    if portal.application is None:
        return f"add {which} to the inbound webhook"
    return f"tick {which} in the application's settings, then run `syncd portal authorize {portal.name}`"


def _clock(name: str, portal: Portal) -> Check:
    skew_s = portal.skew_s
    ok = abs(skew_s) <= _LARGEST_SKEW_S
    return Check(
        name=name,
        ok=ok,
        detail=f"the clocks differ by {abs(skew_s):.0f} s",
        remedy="" if ok else "set this machine's clock (NTP)",
    )


def _caller(name: str, portal: Portal, directory: Directory) -> Check:
    caller = directory.caller
    rights = "an administrator" if caller.admin else "no administrator: it needs rights to other people's calendars"
    zone = caller.zone or "the server's zone"
    return Check(name=name, ok=caller.id > 0, detail=f"acts as user {caller.id}, {rights}, {zone}",
                 remedy="" if caller.id else _more_scopes(portal, "the permission user_basic"))  # fmt: skip


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
        usual = f"give the {portal.caller} the permission crm, and its user the right to read the CRM"
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
        yield Check(name=f"calendars {sync.name}", ok=False, detail=f"cannot be read: {_names(unread)}",
                    remedy="let syncd work as an administrator, who may read them all")  # fmt: skip
    known = await kept_directory(run)
    directory = directory.following(known, sync.target.section_name) if known is not None else directory
    for told in _renamed_sections(sync, directory):
        yield told
    now = app.clock.now()
    shaping = shape_all(sync, snapshot, kept, context_of(sync, directory, now))
    yield _owners(sync, shaping, len(calendars))
    outside = _synced_outside(directory, shaping.wanted.items)
    if outside:
        yield Check(name=f"sections {sync.name}", ok=False, detail=f"synced with another service: {outside}",
                    remedy="choose another section: that service would copy what is written there")  # fmt: skip
    yield _zone(sync, directory, now)
    for said in sync.target.overlooked(kept.entries, directory):
        yield Check(name=f"target {sync.name}", ok=True, detail=said)
    for limit in sync.target.limits():
        yield Check(name=f"target {sync.name}", ok=True, detail=limit)


def _renamed_sections(sync: Sync, directory: Directory) -> Iterator[Check]:
    for calendar, old, new in directory.renamed():
        if old != sync.target.section_name:
            continue
        detail = f"the section «{old}» of {calendar} is called «{new}» now; it is used further, known by its id"
        yield Check(name=f"sections {sync.name}", ok=True, detail=detail)


def _owners(sync: Sync, shaping: Shaping, calendars: int) -> Check:
    """Return what the entries become. Those that become nothing often have one reason, so reasons are counted."""
    items = shaping.wanted.items
    on_card = sync.target.on_cards
    place = f"on {counted(calendars, 'card')}" if on_card else f"in {counted(calendars, 'calendar')}"
    detail = f"{counted(len(items), 'item')} {place}"
    new = {item.key.place for item in items if item.section_id is None}
    if new:
        detail += f", {counted(len(new), 'section')} will be created"
    reasons = Counter(problem.reason for problem in shaping.problems if problem.kind in ("held", "rejected"))
    if shaping.skipped:
        left = Counter(problem.reason for problem in shaping.problems if problem.kind == "skipped")
        detail += f"; {counted(shaping.skipped, 'entry', 'entries')} {'; '.join(_most_below_one_head(left))}"
    if not reasons:
        return Check(name=f"owners {sync.name}", ok=True, detail=detail)
    return Check(
        name=f"owners {sync.name}",
        ok=False,
        detail=f"{detail}; {'; '.join(_most(reasons))}",
        remedy="see owners, on_unresolved and the entries named",
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
    said = [f"{reason} ({counted(number, 'entry', 'entries')})" for reason, number in reasons.most_common(_SHOWN)]
    return said if len(reasons) <= _SHOWN else [*said, f"and {counted(len(reasons) - _SHOWN, 'more reason')}"]


def _zone(sync: Sync, directory: Directory, now: float) -> Check:
    """Return the portal's zone, with a warning if what people see depends on a guess (PORTAL.md 4.7, 6.3)."""
    zone, caller = portal_zone(sync, directory), caller_zone(directory)
    detail = f"the portal's own zone is taken as {zone}"
    guessed = not sync.portal_zone and not directory.server_zone and caller
    if guessed and not _switch_together(zone, caller, now):
        depending = "times of the other season" if sync.target.on_cards else "days on which the portal's clocks change"
        detail += (
            f"; syncd's user lives in {caller}, whose clock changes differently: {depending} "
            "depend on this guess, so name it with server_timezone in [portals.X]"
        )
    return Check(name=f"zone {sync.name}", ok=True, detail=detail)


def _switch_together(one: str, other: str, now: float) -> bool:
    """Return True if the difference between two zones stays the same for a year."""
    days = range(0, 365, 7)  # a change of the clock lasts for weeks, so a look every week misses none
    return len({offset_s(one, now + day * 86_400) - offset_s(other, now + day * 86_400) for day in days}) == 1


def _names(calendars: list[Place]) -> str:
    return ", ".join(str(calendar) for calendar in calendars[:_SHOWN]) + (" …" if len(calendars) > _SHOWN else "")


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
