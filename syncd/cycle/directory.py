"""Keeps the portal's directory between passes, so that an ordinary pass asks the portal nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import msgspec

from syncd.cycle.setup import SyncSetup, World
from syncd.model.entry import Entry
from syncd.model.item import Place
from syncd.portal.people.crm import read_clients
from syncd.portal.people.directory import Directory, read_directory, read_sections
from syncd.portal.people.server_zone import server_zone

NOTE = "directory"
UNRESOLVED_AGE_S = 900.0
"""How old the directory may be when somebody is missing in it."""


def scope(world: World) -> str:
    """Return the scope of the ledger's notes about this portal."""
    return f"portal/{world.portal.name}"


async def directory_for(
    setup: SyncSetup, world: World, entries: Sequence[Entry], *, fresh: bool, keep: bool
) -> Directory:
    """Return a directory that holds the owners of `entries` and their sections.

    `fresh` reads it anew; otherwise the kept one serves until `verify_every` has passed, or until somebody is missing
    in it and it is a quarter of an hour old. `keep` writes it to the ledger. Raises the client's errors.
    """
    now = world.clock.now()
    known = await _kept(world)
    kept = known if known is not None and not fresh and _serves(setup, known, now) else None
    if kept is not None:
        kept = await _with_needed(setup, world, entries, kept)
        if now - kept.read_at > UNRESOLVED_AGE_S and _misses_somebody(setup, kept, entries):
            kept = None
    directory = kept or await _with_needed(setup, world, entries, await _read(setup, world, known, now))
    if known is not None:  # what other syncs of the portal have read stays until they read it anew
        directory = directory.with_sections({**known.sections, **directory.sections})
    directory = replace(directory, server_zone=setup.portal_zone or "")
    if keep and directory != known:
        await store(world, directory)
    return directory


async def _with_needed(setup: SyncSetup, world: World, entries: Sequence[Entry], directory: Directory) -> Directory:
    """Return `directory` with the clients and sections of `entries` that it lacks."""
    sought = [one for one in setup.target.sought(entries) if not directory.clients.knows(one)]
    if sought:
        directory = directory.with_clients(await read_clients(world.portal, sought))
    needed = setup.target.calendars(entries, directory)
    missing = sorted(calendar for calendar in needed if not calendar.on_card and not directory.knows(calendar))
    if missing:
        directory = directory.with_sections(await read_sections(world.portal, missing))
    return directory


async def _read(setup: SyncSetup, world: World, known: Directory | None, now: float) -> Directory:
    """Read the directory anew, for every sync of the portal: with groups when any of them has needed groups."""
    groups = setup.target.wants_groups or bool(known is not None and known.groups)
    return await read_directory(world.portal, now=now, groups=groups)


async def store(world: World, directory: Directory) -> None:
    """Keep `directory` for the next passes."""
    kept = {"portal": world.portal.origin, "directory": msgspec.to_builtins(directory)}
    await world.ledger.note(scope(world), NOTE, kept, world.clock.now())


async def drop(world: World) -> None:
    """Forget the kept directory: the portal refused something that it says is possible."""
    await world.ledger.drop_note(scope(world), NOTE)


async def reread_sections(world: World, directory: Directory, calendars: Collection[Place]) -> Directory:
    """Return `directory` with the sections of `calendars` read anew."""
    return directory.with_sections(await read_sections(world.portal, sorted(calendars)))


async def _kept(world: World) -> Directory | None:
    note = await world.ledger.read_note(scope(world), NOTE)
    value = note[0] if note is not None and isinstance(note[0], Mapping) else {}
    if value.get("portal") != world.portal.origin:
        return None  # none yet, or of another portal that went by this name
    try:
        return msgspec.convert(value.get("directory"), Directory)
    except msgspec.ValidationError:
        return None  # written by another version of syncd: read anew


def _serves(setup: SyncSetup, directory: Directory, now: float) -> bool:
    lacks_groups = setup.target.wants_groups and not directory.groups
    return 0 <= now - directory.read_at < setup.verify_every.total_seconds() and not lacks_groups


def _misses_somebody(setup: SyncSetup, directory: Directory, entries: Sequence[Entry]) -> bool:
    return any(not setup.target.calendars((entry,), directory) for entry in entries)


def portal_zone(setup: SyncSetup, directory: Directory) -> str:
    """Return the server's own zone: as configured, else the best guess from its offset (PORTAL.md 1.2)."""
    return setup.portal_zone or server_zone(directory)
