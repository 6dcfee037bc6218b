"""The part of `syncd check` about one sync and its portal: clients, calendars, owners, sections, zones."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace

from syncd.app.application import App
from syncd.app.checked import Check, entries_of
from syncd.cycle.directories import kept_directory
from syncd.cycle.read import Shaping, context_of, kept_entries, portal_zone, shape_all
from syncd.cycle.sync import Sync, check_home
from syncd.errors import EntryError, GuardError, SyncdError
from syncd.lang.saying import Saying, joined, say, say_count
from syncd.model.entry import Snapshot
from syncd.model.item import Item, Place
from syncd.portal.client import Portal
from syncd.portal.line.remedies import CommandRefusedError
from syncd.portal.people.crm import read_clients
from syncd.portal.people.directory import Directory, known_zone, offset_s
from syncd.portal.people.section_rights import with_calendars

_SHOWN = 3


async def check_sync(
    app: App, portal: Portal, sync: Sync, snapshot: Snapshot, directory: Directory
) -> AsyncIterator[Check]:
    """Yield the checks of one sync against its portal. If one makes the others meaningless, it is the last."""
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
        yield Check(
            name=f"calendars {sync.name}",
            ok=False,
            detail=say("cannot be read: {names}", names=_names(unread)),
            remedy=say("let syncd work as an administrator, who may read them all"),
        )
    known = await kept_directory(run)
    directory = directory.following(known, sync.target.section_name) if known is not None else directory
    for told in _renamed_sections(sync, directory):
        yield told
    now = app.clock.now()
    shaping = shape_all(sync, snapshot, kept, context_of(sync, directory, now))
    yield _owners(sync, shaping, len(calendars))
    outside = _synced_outside(directory, shaping.wanted.items)
    if outside:
        yield Check(
            name=f"sections {sync.name}",
            ok=False,
            detail=say("synced with another service: {outside}", outside=outside),
            remedy=say("choose another section: that service would copy what is written there"),
        )
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
    """Return what the entries become, with the number of each reason, as many entries fail for the same one."""
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
        detail = say("{found}; {entries} {why}", found=detail, entries=entries_of(shaping.skipped), why=why)
    if not reasons:
        return Check(name=f"owners {sync.name}", ok=True, detail=detail)
    return Check(
        name=f"owners {sync.name}",
        ok=False,
        detail=joined([detail, *_most(reasons)]),
        remedy=say("see owners, on_unresolved and the entries named"),
    )


def _most_below_one_head(reasons: Counter[str]) -> list[str]:
    """Return the commonest reasons why entries are left out; a beginning that they share is said once."""
    alone: Counter[str] = Counter()
    heads: dict[str, Counter[str]] = defaultdict(Counter)
    for reason, number in reasons.items():
        why = reason.values.get("why") if isinstance(reason, Saying) else None
        if isinstance(reason, Saying) and isinstance(why, str):
            heads[reason.form][why] += number
        else:
            alone[reason] += number
    return [Saying(form, "", {"why": joined(_most(whys))}) for form, whys in heads.items()] + _most(alone)


def _most(reasons: Counter[str]) -> list[str]:
    """Return the commonest reasons, each with the number of its entries."""
    said: list[str] = [
        say("{reason} ({entries})", reason=reason, entries=entries_of(number))
        for reason, number in reasons.most_common(_SHOWN)
    ]
    if (more := len(reasons) - _SHOWN) > 0:
        said.append(say_count("and {count:,} more reason", "and {count:,} more reasons", more))
    return said


def _zone(sync: Sync, directory: Directory, now: float) -> Check:
    """Return the portal's zone, with a warning if what people see depends on a guess (PORTAL.md 4.7, 6.3)."""
    zone, caller = portal_zone(sync, directory), known_zone(directory.caller.zone)
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


def _synced_outside(directory: Directory, items: Iterable[Item]) -> tuple[str, ...]:
    found: set[str] = set()
    for item in items:
        if item.section_id is not None:
            try:
                section = directory.section(item.key.place, item.section)
            except EntryError:  # an ambiguous name: that is a problem of the entry, which the check of owners has
                continue
            if section is not None and section.external:
                found.add(f"{item.key.place} {section.name} ({section.external})")
    return tuple(sorted(found))
