"""`syncd portal owners|sections|limits`: what the portal has, to fill in the config. `probe` and `authorize` have
files of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
from collections.abc import Sequence
from io import StringIO
from math import isfinite

from syncd.app import documents
from syncd.app.application import App
from syncd.cli import printed, show, times
from syncd.cli.execute import command_of
from syncd.cli.opened import opened
from syncd.cli.outlet import tell
from syncd.cycle.read import kept_entries
from syncd.errors import ConfigError
from syncd.lang.catalog import told
from syncd.lang.saying import say, say_as
from syncd.model.item import Place
from syncd.model.json_values import Json
from syncd.portal.client import MethodBudget, Portal
from syncd.portal.people.directory import Directory
from syncd.portal.people.reading import read_directory, read_sections

_BUDGETS = (
    say_as("column", "method"),
    say_as("column", "used s"),
    say_as("column", "limit s"),
    say_as("column", "resets at"),
)
_OWNERS = (say_as("column", "kind"), "id", say_as("column", "name"), say_as("column", "e-mail"), "XML_ID", "")
_SECTIONS = (
    say_as("column", "calendar"),
    "id",
    say_as("column", "name"),
    say_as("column", "writable"),
    say_as("column", "synced with"),
)
_USER, _GROUP, _DISMISSED = say_as("kind", "user"), say_as("kind", "group"), say_as("of a user", "dismissed")
_YES, _NO = say_as("cell", "yes"), say_as("cell", "no")
_ONLY_FOR = {"calendar": "sections", "owner": "sections", "unresolved": "owners", "keep": "probe", "force": "authorize"}
"""The options that only one of the questions takes, each with that question."""


async def portal(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """List owners, sections or limits of one portal, or probe it."""
    _refuse_meaningless(arguments)
    if arguments.what in ("authorize", "probe"):
        arguments.portal = arguments.name or arguments.portal
        arguments.command = arguments.what  # these two need the state, so they are commands that a daemon may carry out
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
                    tell(say("these are calendars of users; --calendar group or company lists others"), stderr=True)
    return 0


def _refuse_meaningless(arguments: argparse.Namespace) -> None:
    """Raise ConfigError for an option that would have no effect."""
    for option, what in _ONLY_FOR.items():
        if getattr(arguments, option) and arguments.what != what:
            raise ConfigError(
                say("--{option} has no effect on {what}", option=option, what=arguments.what),
                say("use it with `syncd portal {what}`", what=what),
            )
    if arguments.yes and arguments.what not in ("authorize", "probe"):
        raise ConfigError(
            say("--yes has no effect on {what}", what=arguments.what), say("use it with `syncd portal probe`")
        )
    if arguments.name is not None and arguments.what != "authorize":
        raise ConfigError(
            say("{what} takes no name", what=arguments.what),
            say("`syncd portal {what} --portal NAME`", what=arguments.what),
        )
    if arguments.name is not None and arguments.portal not in (None, arguments.name):
        raise ConfigError(
            say("which portal? {name}, {portal}", name=arguments.name, portal=arguments.portal),
            say("name one of the two"),
        )
    if arguments.owner and arguments.calendar == "company":
        raise ConfigError(
            say("the company calendar has no owner"), say("leave out --owner, or choose another --calendar")
        )
    if arguments.unresolved is not None and arguments.portal is not None:
        raise ConfigError(say("--unresolved asks the portal of the sync it names"), say("leave out --portal"))


async def _unresolved(app: App, name: str, *, as_json: bool) -> None:
    """Print the owners in a sync's source that the portal does not know, in the form of an owners_file."""
    sync = app.sync(name)
    client = app.portals[next(one.portal for one in app.config.syncs if one.name == name)]
    snapshot = await sync.source.read(sync.reading(app.clock.now()))
    names = sync.target.unresolved(kept_entries(sync, snapshot).entries, await _directory(app, client))
    if as_json:
        printed.document({"sync": name, "unresolved": [{"name": one, "why": why} for one, why in names.items()]})
        return
    out = show.console()
    if not names:
        out.print(say("the portal knows every owner that {name} names", name=name), markup=False)
        return
    # Commented out, because a line without an owner is refused; raw, because it goes into a file.
    lines: list[str] = [
        say("# Put the owner (id, e-mail, XML_ID or full name) behind each name and remove its #."),
        say("# other name,owner"),
    ]
    for one, why in names.items():
        lines.append(f"# {' '.join(told(why).split())}")
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
        printed.document({"portal": client.name, "limits": shown, "operating": documents.operating_document(methods)})
        return
    out = show.console()
    out.print(
        say(
            "{rate:g} requests a second, {burst} at once, batches of {batch_size}",
            rate=limits.rate,
            burst=limits.burst,
            batch_size=limits.batch_size,
        ),
        markup=False,
    )
    if isfinite(limits.operating_limit):
        out.print(
            say(
                "{seconds:g} s of one method per 10 minutes, of which {share:.0%} are used",
                seconds=limits.operating_limit,
                share=limits.operating_share,
            ),
            markup=False,
        )
    else:
        out.print(say("no limit on the operating time of a method"), markup=False)
    lines = [
        (method, say("{seconds:.1f}", seconds=budget.used_s), _limit(budget.limit_s), _resets(budget))
        for method, budget in sorted(methods.items())
    ]
    if lines:
        show.rows(out, _BUDGETS, lines)
    else:
        out.print(say("nothing used in the last ten minutes that the state knows of"))


def _limit(seconds: float) -> str:
    return f"{seconds:.0f}" if isfinite(seconds) else say_as("limit", "none")


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
        printed.document({"caller": directory.caller.id, "users": users, "groups": groups})
        return
    out = show.console()
    lines = [
        (_USER, str(user.id), user.full_name, user.email, user.xml_id, "" if user.active else _DISMISSED)
        for user in directory.users
    ]
    lines += [(_GROUP, str(group.id), group.name, "", "", "") for group in directory.groups]
    show.rows(out, _OWNERS, lines)


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
        printed.document(
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
        (str(calendar), str(section.id), section.name, _YES if section.writable else _NO, section.external)
        for calendar, section in rows
    ]
    show.rows(show.console(), _SECTIONS, lines)


def _resets(budget: MethodBudget) -> str:
    return times.local_time(budget.resets_at) if budget.resets_at else "-"
