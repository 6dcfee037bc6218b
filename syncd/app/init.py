"""A first config, guessed from a schedule and a portal, with its reasons as comments, for a person to correct.

Nothing is kept and nothing is changed. The config is loaded before it is returned, so it has no errors.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import SystemRandom
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from syncd.app.first_config import FirstConfig, compose
from syncd.clock import Clock
from syncd.config import Config, load_config
from syncd.config.secrets import Secret, check_webhook
from syncd.errors import ConfigError, EntryError, SourceError, message_of
from syncd.lang.saying import say
from syncd.model.entry import Snapshot, Timed, Window
from syncd.portal.client import Portal
from syncd.portal.limits.pace import Limits
from syncd.portal.line.transport import Webhook
from syncd.portal.people.directory import Directory, User, server_zone
from syncd.portal.people.reading import read_directory
from syncd.source import ReadContext, open_source
from syncd.source.file_source import read_file
from syncd.source.google.recognised import first_keys
from syncd.source.graph import graph_first
from syncd.source.guess import Guess, guess, guess_query
from syncd.source.json.json_guess import ONE_C
from syncd.source.json.paging import with_query
from syncd.source.sql.sql_guess import database_name, guess_table_of, is_database, placed
from syncd.source.table.no_entries import is_note
from syncd.source.web.access import Access, WebOptions, read_access
from syncd.source.web.web_source import fetch_once

_ADDRESS = re.compile(r"(?:https?|webcals?)://", re.IGNORECASE)
_MACHINES = say("this machine's")
_MEETINGS = "meetings"
"""The name of a sync from an account at a vendor, as the name of a credentials file says nothing about the source."""
_SHOWN = 200
"""How many owners of the schedule are looked up: enough to tell people from groups."""
_LONGEST_SECTION = 100
_LATIN = str.maketrans({
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "e", "ж": "zh", "з": "z", "и": "i", "й": "y",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f",
    "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu",
    "я": "ya", "і": "i", "ї": "yi", "є": "ye", "ґ": "g", "ў": "u",
})  # fmt: skip
"""Syncs have names in Latin letters, because people type them in commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The text of a config, the snapshot of the source that it gives (or None), and what a person should check."""

    text: str
    snapshot: Snapshot | None
    doubts: tuple[str, ...]


async def make_start(source: str | None, webhook: str | None, *, folder: Path, clock: Clock) -> Start:
    """Return a config for a source (file or address) and a portal; relative paths in it start at `folder`.

    Raises ConfigError for a malformed webhook, SourceError for a source that cannot be read or guessed, and the
    errors of the portal's client.
    """
    address = _checked(webhook) if webhook is not None else None
    account = await _account(source, folder) if source is not None else ()
    found = await _look(source, clock) if source is not None and not account else None
    directory, may_crm = await _ask(address, clock) if address is not None else (None, True)
    owners = found.samples.get("owner", ()) if found is not None else ()
    by_groups = found is not None and found.by_groups
    zone, zone_said = _zone(found, directory)
    first = FirstConfig(
        webhook=address,
        name=_MEETINGS if account else _name(source),
        section=_MEETINGS.title() if account else _stem(source)[:_LONGEST_SECTION] or _name(source),
        source=_placed(source, folder),
        guess=found,
        zone=zone,
        zone_said=zone_said,
        calendar=_calendar(owners, directory, by_groups=by_groups),
        unresolved=_unresolved(owners, directory, by_groups=by_groups),
        has_crm=may_crm,
        account=account,
        caller=directory.caller.id if directory is not None else None,
        people=tuple(_called(user) for user in directory.users if user.active) if directory is not None else (),
        groups=tuple(f"{group.id}: {group.name}" for group in directory.groups) if directory is not None else (),
    )
    text = compose(first)
    config = _proved(text, folder)
    snapshot = await _read(config, clock) if source is not None and not account else None
    if snapshot is not None and any(one.kind == "rejected" and is_note(one.title) for one in snapshot.problems):
        text = compose(replace(first, has_totals=True))
        snapshot = await _read(_proved(text, folder), clock)
    doubts = (*(found.doubts if found is not None else ()), *_doubts(first), *_zone_doubts(first, snapshot))
    return Start(text=text, snapshot=snapshot, doubts=doubts)


def _called(user: User) -> str:
    return f"{user.id}: {user.full_name}" + (f" <{user.email}>" if user.email else "")


def _checked(webhook: str) -> str:
    try:
        return check_webhook(Secret(webhook.strip()))[0].reveal()
    except ValueError as error:
        raise ConfigError(say("--webhook {message}", message=message_of(error))) from None


async def _account(source: str, folder: Path) -> tuple[tuple[str, str, str], ...]:
    """Return the keys of a source at Google or Microsoft if `source` is a file with credentials for one."""
    if _ADDRESS.match(source) or not source.lower().endswith((".json", ".pem")):
        return ()
    try:
        content = (await asyncio.to_thread(read_file, source, Path())).content
    except SourceError as error:
        raise SourceError(error.message, _remedy(error)) from None
    place = _placed(source, folder) or source
    if source.lower().endswith(".pem"):
        return graph_first.first_keys(content, place) or ()
    keys = first_keys(content, place)
    return (("type", "google", ""), *keys) if keys is not None else ()


def _remedy(error: SourceError) -> str:
    """Return the remedy of an error about a file that no config names yet."""
    return say("check the path after --source") if error.remedy == "check path in [sync.source]" else error.remedy


async def _look(source: str, clock: Clock) -> Guess:
    if _ADDRESS.match(source):
        access = read_access(WebOptions(url=source), Path(), where="--source", environ={})
        if ONE_C in access.url:
            return await _look_at_1c(access, clock)
        return guess(access.shown, await fetch_once(access, clock), _today(clock))
    if is_database(source):
        table = await asyncio.to_thread(guess_table_of, source)
        return guess_query(table.query, table.titles, table.rows)
    if re.match(r"[\w+]+://", source):
        raise ConfigError(say("--source is neither a file nor a web address"), say("it begins with https://"))
    try:
        content = await asyncio.to_thread(_content, source)
    except SourceError as error:
        # There is no config yet whose path could be checked.
        raise SourceError(error.message, _remedy(error)) from None
    return guess(source, content, _today(clock))


async def _look_at_1c(access: Access, clock: Clock) -> Guess:
    """Return what the first records of an object of 1C look like. Unless asked, 1C does not answer in JSON."""
    asked = replace(access, url=with_query(access.url, {"$format": "json", "$top": 500}))
    found = guess(access.shown, await fetch_once(asked, clock), _today(clock))
    preset = ("preset", "1c", say("the address is one of 1C's OData"))
    keys = (preset, *(key for key in found.keys if key[0] != "records"))
    # The number of a document has as many digits as a phone.
    columns = tuple(one for one in found.columns if (one[0], one[1]) != ("contact_phone", "Number"))
    return replace(found, keys=keys, columns=columns)


def _today(clock: Clock) -> date:
    return datetime.fromtimestamp(clock.now(), UTC).date()


def _content(source: str) -> bytes:
    """Return the bytes of a file, or of the first schedule in a directory."""
    path = Path(source)
    if not path.is_dir():
        return read_file(source, Path()).content
    try:
        # One file is enough to guess from; the others of a directory have the same form.
        inside = sorted(one for one in path.iterdir() if one.suffix.lower() in (".csv", ".ics", ".json", ".xlsx"))
    except OSError as error:
        raise SourceError(
            say("{source}: {reason}", source=source, reason=error.strerror or ""),
            say("name a file that can be read"),
        ) from None
    if inside:
        return read_file(str(inside[0]), Path()).content
    raise SourceError(
        say("{source} holds no csv, ics, json or xlsx file", source=source),
        say("name a file after --source, or one of another ending"),
    )


@asynccontextmanager
async def _portal(webhook: str, clock: Clock) -> AsyncIterator[Portal]:
    async with Portal(
        name="main",
        credential=Webhook(address=webhook),
        limits=Limits.tariff("standard"),  # the slowest: nothing is known of the portal yet
        clock=clock,
        random=SystemRandom().random,
    ) as portal:
        yield portal


async def _ask(webhook: str, clock: Clock) -> tuple[Directory, bool]:
    """Return whom the portal knows, and whether the webhook may read the CRM."""
    async with _portal(webhook, clock) as portal:
        scopes = await portal.read("scope", {})
        # Groups are asked for only if the webhook may: a refusal would end the command for something optional.
        may = frozenset(map(str, scopes)) if isinstance(scopes, list) else frozenset()
        directory = await read_directory(portal, now=clock.now(), groups=bool({"sonet_group", "sonet"} & may))
        return directory, "crm" in may


def _placed(source: str | None, folder: Path) -> str | None:
    """Return the source in the form that a config in `folder` has to name it."""
    if source is not None and is_database(source):
        return placed(source, folder)
    if source is None or _ADDRESS.match(source) or Path(source).is_absolute():
        return source
    return os.path.relpath(Path(source).absolute(), folder.absolute())


def _name(source: str | None) -> str:
    """Return the name of the sync: the name of the file in Latin letters, which two files seldom share."""
    usual = re.sub(r"[^a-z0-9]+", "-", _stem(source).lower().translate(_LATIN)).strip("-")
    return usual[:40].strip("-") or "schedule"


def _stem(source: str | None) -> str:
    """Return the name of a file without folder and suffix, "" for anything else."""
    # The last part of a feed's address is often a secret token, which must not become a name.
    if source is None or _ADDRESS.match(source):
        return ""
    if is_database(source):
        return database_name(source)
    return re.split(r"[/\\]", source.rstrip("/"))[-1].rpartition(".")[0].strip()


def _zone(found: Guess | None, directory: Directory | None) -> tuple[str, str]:
    if found is not None and found.zone:
        return found.zone, say("the feed's own")
    if directory is not None and _is_zone(directory.caller.zone):
        return directory.caller.zone, say("that of the webhook's owner")
    if directory is not None and _is_zone(found_zone := server_zone(directory)):
        return found_zone, say("that of the portal, by its clock")
    here = _machine_zone()
    return (here, _MACHINES) if here else ("UTC", say("a stand-in: write yours, such as Europe/Moscow"))


def _is_zone(name: str) -> bool:
    try:
        return bool(name) and ZoneInfo(name) is not None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _machine_zone() -> str:
    named = os.environ.get("TZ", "").removeprefix(":")
    if not named:
        named = str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")[2]
    # "UTC" and the like are what servers are set to; only a place says something about the schedule.
    return named if "/" in named and _is_zone(named) else ""


def _calendar(owners: Sequence[str], directory: Directory | None, *, by_groups: bool) -> str:
    """Return whether most owners of the schedule are people or groups of the portal, or else sound like it."""
    if directory is None or not owners:
        return "group" if by_groups else "user"
    people = sum(_resolves(directory.user, owner) for owner in owners[:_SHOWN])
    groups = sum(_resolves(directory.group, owner) for owner in owners[:_SHOWN])
    return "group" if groups > people or (by_groups and groups == people) else "user"


def _unresolved(owners: Sequence[str], directory: Directory | None, *, by_groups: bool) -> tuple[str, ...]:
    if directory is None:
        return ()
    is_group = _calendar(owners, directory, by_groups=by_groups) == "group"
    resolve = directory.group if is_group else directory.user
    return tuple(owner for owner in owners[:_SHOWN] if not _resolves(resolve, owner))


def _resolves(resolve: object, owner: str) -> bool:
    assert callable(resolve)
    try:
        resolve(owner)
    except EntryError:
        return False
    return True


def _doubts(first: FirstConfig) -> tuple[str, ...]:
    doubts: list[str] = []
    if first.webhook is None:
        doubts.append(say("webhook is a stand-in: replace it with your portal's"))
    if first.unresolved:
        named = (*first.unresolved[:5], *(("…",) if len(first.unresolved) > 5 else ()))
        doubts.append(
            say("the portal knows no owner called {names}: their entries wait until owners names them", names=named)
        )
    if first.client:
        doubts.append(
            say(
                '{field} is mapped, so the entries become meetings on the cards of clients (type = "activity"); '
                'if they belong into calendars, write calendar = "user", owner and section instead',
                field=first.client,
            )
        )
    keys = {name for name, _, _ in first.account}
    if "private_key_file" in keys:
        doubts.append(
            say("tenant and client_id are stand-ins: they stand in the application's registration in Entra ID")
        )
    if keys & {"key_file", "private_key_file"}:
        doubts.append(say("users.csv is a stand-in: write down whose calendars are read, one address a line"))
    if "client_secret_file" in keys:
        doubts.append(
            say("nobody has agreed yet: run `syncd source authorize {sync}`, then `syncd check`", sync=first.name)
        )
    if not first.has_owner and not first.client:
        doubts.append(
            say("the schedule names no owners: all entries go into the calendar of the owner in [sync.target]")
        )
    return tuple(doubts)


def _zone_doubts(first: FirstConfig, snapshot: Snapshot | None) -> tuple[str, ...]:
    """Return a doubt if times were read in this machine's zone, which is often UTC on a server."""
    spans = [entry.span for entry in snapshot.entries] if snapshot is not None else []
    if first.zone_said != _MACHINES or not any(isinstance(one, Timed) and one.zone == first.zone for one in spans):
        return ()
    return (
        say(
            "times without a zone are taken as {zone}, {whose}: set timezone to the schedule's own",
            zone=first.zone,
            whose=_MACHINES,
        ),
    )


def _proved(text: str, folder: Path) -> Config:
    """Return the config as loaded from a temporary file in `folder`, where its relative paths are right."""
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix=".syncd-", suffix=".toml", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        return load_config(Path(file.name), os.environ)


async def _read(config: Config, clock: Clock) -> Snapshot:
    sync = config.syncs[0]
    source = open_source(sync.source.options, sync.source.base, where=say("the config written"))
    now = _today(clock)
    # As a pass would read it, so that what is shown is what will be synced.
    window = Window(first=now - sync.past, last=now + max(sync.future, timedelta(days=1)))
    return await source.read(ReadContext(zone=sync.timezone, window=window, today=now, filter=sync.filter))
