"""`syncd portal owners|sections|limits`: what the portal has, to fill in the config."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from math import isfinite

from syncd.app import documents
from syncd.app.wiring import App
from syncd.cli import show
from syncd.cli.execute import opened
from syncd.errors import ConfigError
from syncd.model.item import Place
from syncd.model.json_values import Json
from syncd.portal.client import Portal
from syncd.portal.people.directory import Directory, read_directory, read_sections


async def portal(arguments: argparse.Namespace, _stop: asyncio.Event) -> int:
    """List owners, sections or limits of one portal."""
    async with opened(arguments, readonly=True) as app:
        client = _chosen(app, arguments.portal)
        match arguments.what:
            case "limits":
                _limits(client, as_json=arguments.json)
            case "owners":
                directory = await _directory(app, client)
                _owners(directory, as_json=arguments.json)
            case _:
                directory = await _directory(app, client)
                calendars = _calendars(directory, arguments.calendar, arguments.owner)
                directory = directory.with_sections(await read_sections(client, calendars))
                _sections(directory, calendars, as_json=arguments.json)
    return 0


def _chosen(app: App, name: str | None) -> Portal:
    if name is None and len(app.portals) == 1:
        return next(iter(app.portals.values()))
    if name is None or name not in app.portals:
        raise ConfigError(f"which portal? {', '.join(app.portals)}", "name one with --portal")
    return app.portals[name]


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
        (method, f"{budget.used_s:.1f}", _limit(budget.limit_s), documents.iso(budget.resets_at) or "-")
        for method, budget in sorted(methods.items())
    ]
    if lines:
        show.rows(out, ("method", "used s", "limit s", "resets at"), lines)
    else:
        out.print("nothing used in the last ten minutes, as far as the ledger knows")


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
