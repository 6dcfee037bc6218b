"""`syncd portal owners|sections|limits`: what the portal has, to fill in the config. `probe` and `authorize` have
files of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import sys
from collections.abc import Sequence
from io import StringIO
from math import isfinite

from syncd.app import documents
from syncd.app.application import App
from syncd.cli import show
from syncd.cli.execute import command_of
from syncd.cli.opened import opened
from syncd.cycle.read import kept_entries
from syncd.errors import ConfigError
from syncd.model.item import Place
from syncd.model.json_values import Json
from syncd.portal.client import MethodBudget, Portal
from syncd.portal.people.directory import Directory, read_directory, read_sections

_ONLY_FOR = {"calendar": "sections", "owner": "sections", "unresolved": "owners", "keep": "probe", "force": "authorize"}
"""The options that one question alone knows."""


async def portal(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """List owners, sections or limits of one portal, or probe it."""
    _refuse_meaningless(arguments)
    if arguments.what in ("authorize", "probe"):
        arguments.portal = arguments.name or arguments.portal
        arguments.command = arguments.what  # unlike the others they need the state, so a daemon does them
        return await command_of(arguments.command)(arguments, stop)
    async with opened(arguments, readonly=True) as app:
        if arguments.unresolved is not None:
            await _unresolved(app, arguments.unresolved, as_json=arguments.json)
            return 0
        client = app.portal(arguments.portal)
        match arguments.what:
            case "limits":
                _limits(client, as_json=arguments.json)
            case "owners":
                directory = await _directory(app, client)
                _owners(directory, as_json=arguments.json)
            case _:
                directory = await _directory(app, client)
                calendars = _calendars(directory, arguments.calendar or "user", arguments.owner)
                directory = directory.with_sections(await read_sections(client, calendars))
                _sections(directory, calendars, as_json=arguments.json)
                if arguments.calendar is None and arguments.owner is None:
                    print("these are calendars of users; --calendar group or company lists others", file=sys.stderr)
    return 0


def _refuse_meaningless(arguments: argparse.Namespace) -> None:
    """Raise ConfigError for an option that would have no effect."""
    for option, what in _ONLY_FOR.items():
        if getattr(arguments, option) and arguments.what != what:
            raise ConfigError(f"--{option} has no effect on {arguments.what}", f"use it with `syncd portal {what}`")
    if arguments.yes and arguments.what not in ("authorize", "probe"):
        raise ConfigError(f"--yes has no effect on {arguments.what}", "use it with `syncd portal probe`")
    if arguments.name is not None and arguments.what != "authorize":
        raise ConfigError(f"{arguments.what} takes no name", f"`syncd portal {arguments.what} --portal NAME`")
    if arguments.name is not None and arguments.portal not in (None, arguments.name):
        raise ConfigError(f"which portal? {arguments.name}, {arguments.portal}", "name one of the two")
    if arguments.owner and arguments.calendar == "company":
        raise ConfigError("the company calendar has no owner", "leave out --owner, or choose another --calendar")
    if arguments.unresolved is not None and arguments.portal is not None:
        raise ConfigError("--unresolved asks the portal of the sync it names", "leave out --portal")


async def _unresolved(app: App, name: str, *, as_json: bool) -> None:
    """Print the owners that a sync's source names and the portal does not know, ready to become its owners_file."""
    sync = app.sync(name)
    client = app.portals[next(one.portal for one in app.config.syncs if one.name == name)]
    snapshot = await sync.source.read(sync.reading(app.clock.now()))
    names = sync.target.unresolved(kept_entries(sync, snapshot).entries, await _directory(app, client))
    if as_json:
        show.document({"sync": name, "unresolved": [{"name": one, "why": why} for one, why in names.items()]})
        return
    out = show.console()
    if not names:
        out.print(f"the portal knows every owner that {name} names", markup=False)
        return
    # Commented out, because a line without an owner is refused; raw, because it goes into a file.
    lines = [
        "# Put the owner (id, e-mail, XML_ID or full name) behind each name and remove its #.",
        "# other name,owner",
    ]
    for one, why in names.items():
        lines.append(f"# {' '.join(why.split())}")
        if one:  # entries without an owner are no name that could stand for one
            lines.append(f"#{_csv_line((one, ''))}")
    for line in lines:
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def _csv_line(cells: Sequence[str]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="").writerow(" ".join(cell.split()) for cell in cells)
    return text.getvalue()


async def _directory(app: App, client: Portal) -> Directory:
    return await read_directory(client, now=app.clock.now(), groups=True)


def _limits(client: Portal, *, as_json: bool) -> None:
    limits, methods = client.limits, client.operating()
    if as_json:
        shown = {name: getattr(limits, name) for name in limits.__dataclass_fields__}
        show.document({"portal": client.name, "limits": shown, "operating": documents.operating_document(methods)})
        return
    out = show.console()
    out.print(
        f"{limits.rate:g} requests a second, {limits.burst} at once, batches of {limits.batch_size}", markup=False
    )
    if isfinite(limits.operating_limit):
        share = f"of which {limits.operating_share:.0%} are used"
        out.print(f"{limits.operating_limit:g} s of one method per 10 minutes, {share}", markup=False)
    else:
        out.print("no limit on the operating time of a method", markup=False)
    lines = [
        (method, f"{budget.used_s:.1f}", _limit(budget.limit_s), _resets(budget))
        for method, budget in sorted(methods.items())
    ]
    if lines:
        show.rows(out, ("method", "used s", "limit s", "resets at"), lines)
    else:
        out.print("nothing used in the last ten minutes that the state knows of")


def _limit(seconds: float) -> str:
    return f"{seconds:.0f}" if isfinite(seconds) else "none"


def _owners(directory: Directory, *, as_json: bool) -> None:
    if as_json:
        users: list[Json] = [
            {
                "id": user.id,
                "name": user.full_name,
                "email": user.email,
                "xml_id": user.xml_id,
                "timezone": user.zone,
                "active": user.active,
            }
            for user in directory.users
        ]
        groups: list[Json] = [{"id": group.id, "name": group.name} for group in directory.groups]
        show.document({"caller": directory.caller.id, "users": users, "groups": groups})
        return
    out = show.console()
    lines = [
        ("user", str(user.id), user.full_name, user.email, user.xml_id, "" if user.active else "dismissed")
        for user in directory.users
    ]
    lines += [("group", str(group.id), group.name, "", "", "") for group in directory.groups]
    show.rows(out, ("kind", "id", "name", "e-mail", "XML_ID", ""), lines)


def _calendars(directory: Directory, kind: str, owner: str | None) -> Sequence[Place]:
    match kind:
        case "company":
            return (Place(kind="company_calendar", owner=0),)
        case "group":
            groups = (directory.group(owner),) if owner else directory.groups
            return tuple(Place(kind="group", owner=group.id) for group in groups)
        case _:
            users = (directory.user(owner),) if owner else tuple(user for user in directory.users if user.active)
            return tuple(Place(kind="user", owner=user.id) for user in users)


def _sections(directory: Directory, calendars: Sequence[Place], *, as_json: bool) -> None:
    rows = [(calendar, section) for calendar in calendars for section in directory.sections.get(str(calendar), ())]
    if as_json:
        show.document(
            [
                {
                    "id": section.id,
                    "name": section.name,
                    "calendar": calendar.kind,
                    "owner": calendar.owner,
                    "writable": section.writable,
                    "synced_with": section.external or None,
                }
                for calendar, section in rows
            ]
        )
        return
    lines = [
        (str(calendar), str(section.id), section.name, "yes" if section.writable else "no", section.external)
        for calendar, section in rows
    ]
    show.rows(show.console(), ("calendar", "id", "name", "writable", "synced with"), lines)


def _resets(budget: MethodBudget) -> str:
    return show.local_time(budget.resets_at) if budget.resets_at else "-"
