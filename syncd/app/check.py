"""Finds everything that would stop a sync before it does: one check each, with the remedy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from syncd.app.application import App
from syncd.app.application_check import events_told, tokens_told
from syncd.app.check_database import database_findings
from syncd.app.check_sync import check_sync
from syncd.app.checked import Check, entries_of
from syncd.app.known import consequences, facts_of, in_short, wrong_zone
from syncd.config import SyncConfig
from syncd.cycle.read import kept_entries
from syncd.cycle.sync import Sync
from syncd.errors import SyncdError
from syncd.lang.saying import joined, say, say_count
from syncd.model.alike import Group, alike
from syncd.model.entry import Problem, Snapshot
from syncd.portal.client import Portal
from syncd.portal.line.remedies import CommandRefusedError
from syncd.portal.line.shapes import rows_of
from syncd.portal.people.directory import Directory
from syncd.portal.people.reading import read_directory
from syncd.portal.probe.facts import Facts

_LARGEST_SKEW_S = 60.0
_SHOWN = 3


async def check_all(
    app: App, *, offline: bool, names: Sequence[str] = (), portal: str | None = None
) -> AsyncIterator[Check]:
    """Yield a check of everything that the syncs `names` depend on, or all syncs, or those of one portal.

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
    """Return how many syncs and portals there are, in words."""
    return say(
        "{syncs}, {portals}",
        syncs=say_count("{count:,} sync", "{count:,} syncs", syncs),
        portals=say_count("{count:,} portal", "{count:,} portals", portals),
    )


def _asked(app: App, chosen: Sequence[Sync], *, everything: bool) -> tuple[str, ...]:
    """Return the names of the portals that the chosen syncs write to; all portals if `everything` is checked."""
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
    detail = _of_source(sync, entries_of(len(kept.entries)))
    if snapshot.assumed:
        more = len(snapshot.assumed) - _SHOWN
        ending = (say("and {number} more", number=more),) if more > 0 else ()
        assumed = (*snapshot.assumed[:_SHOWN], *ending)
        detail = say("{found}; {assumed}", found=detail, assumed=assumed)
    yield Check(name=name, ok=True, detail=detail)
    # Entries with a warning are synced, so they need not be corrected.
    warnings = tuple(problem for problem in problems if problem.kind == "warning")
    if wrong := tuple(problem for problem in problems if problem.kind != "warning"):
        remedy = say("correct these entries")
        yield Check(name=f"entries {sync.name}", ok=False, detail=_first(wrong), remedy=remedy)
    if warnings:
        name = f"notes {sync.name}" if wrong else f"entries {sync.name}"
        yield Check(name=name, ok=True, detail=_first(warnings))


def _of_source(sync: Sync, said: str) -> str:
    return say("{source}: {said}", source=sync.source.describe(), said=said)


def _first(problems: tuple[Problem, ...]) -> str:
    """Return the first problems, each with the number of similar ones."""
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
    yield _caller(name, portal, directory)
    facts = await facts_of(app.ledger, portal)
    for one in _known(app, portal, facts, syncs):
        yield one
    directory = replace(directory, server_zone=facts.text("server_zone") if facts is not None else "")
    for sync in ready:
        if sync.name in snapshots:
            async for one in check_sync(app, portal, sync, snapshots[sync.name], directory):
                yield one


def _known(app: App, portal: Portal, facts: Facts | None, syncs: list[SyncConfig]) -> Iterator[Check]:
    """Yield what a probe has found out about the portal, and what it means for the syncs."""
    name, configured = f"facts {portal.name}", app.config.portal(portal.name).server_timezone
    yield Check(name=name, ok=True, detail=in_short(facts))
    for said in consequences(facts, syncs):
        yield Check(name=name, ok=True, detail=said)
    if zone := wrong_zone(facts, configured):
        yield Check(
            name=name,
            ok=False,
            detail=say("its own zone is {zone}, the config says {configured}", zone=zone, configured=configured or ""),
            remedy=say("correct server_timezone of [portals.{name}] or leave it out", name=portal.name),
        )


def _wanted_scopes(ready: list[Sync]) -> tuple[tuple[str, ...], ...]:
    """Return the permissions that the syncs need, each with the permissions that include it."""
    wanted: list[tuple[str, ...]] = [("user_basic", "user")]
    if any(not sync.target.on_cards for sync in ready):
        wanted.insert(0, ("calendar",))
    if any(sync.target.wants_groups for sync in ready):
        wanted.append(("sonet_group", "sonet"))
    if any(sync.target.wants_crm for sync in ready):
        wanted.append(("crm",))
    return tuple(wanted)


def _address(name: str, portal: Portal) -> Check:
    """Return the address at which the portal answers.

    A portal that was renamed is still found while the vendor redirects, so that is no error yet.
    """
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


def _names_people(portal: Portal) -> str:
    """Return how syncd learns which user it works as."""
    if portal.application is None:
        return say("give the webhook the permission user_basic")
    return say(
        "tick user_basic in the application's settings, then run `syncd portal authorize {name}`", name=portal.name
    )


def _caller(name: str, portal: Portal, directory: Directory) -> Check:
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
                 remedy="" if caller.id else _names_people(portal))  # fmt: skip
