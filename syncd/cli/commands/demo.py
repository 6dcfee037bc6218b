"""`syncd demo`: real passes between bundled schedules and a simulated portal."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.columns import Columns
from rich.console import Console
from rich.padding import Padding

from syncd.app.application import App
from syncd.cli import progress, show
from syncd.cli.opened import opened
from syncd.cli.simulated import serve
from syncd.cycle.prepared import Prepared
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.cycle.sync import Sync
from syncd.demo import samples
from syncd.demo.config import app_config_text, config_text
from syncd.demo.seed import ADMIN, CLIENT_ID, CLIENT_SECRET, demo_world
from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.portal.oauth.grants import Granted, code_in
from syncd.sandbox.http_server import RunningSandbox
from syncd.sandbox.settings import Settings
from syncd.sandbox.tables.crm_rows import CONTACT
from syncd.sandbox.world import World

DEFAULT_PORT = 8724
_COST_S = 0.02


async def demo(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Show the plans of three schedules, sync them, sync again to show that nothing is left, and print the address."""
    out = show.console()
    costs = {"calendar.event.add": _COST_S, "calendar.event.update": _COST_S, "calendar.event.get": _COST_S}
    costs |= {"crm.activity.add": _COST_S, "crm.activity.list": _COST_S}
    portal = World(Settings(tariff="enterprise", costs_s=costs), demo_world())
    running = await _serve(portal, arguments.port)
    try:
        with TemporaryDirectory(prefix="syncd-demo-") as folder:
            config = _write(Path(folder), running, by_application=arguments.app)
            async with opened(arguments, readonly=False, path=config) as app:
                if arguments.app:
                    await _authorise(out, app, portal)
                code = await _passes(out, app, stop)
        if code:
            return code
        _cards(out, portal)
        if arguments.no_wait:
            out.print()
            said = say("Without --no-wait the simulated portal stays up and shows the result: {url}/", url=running.url)
            show.line(out, said)
            return 0
        out.print()
        show.line(out, say("The simulated portal shows the result: {url}/", url=running.url), "bold")
        show.line(out, say("Ctrl-C ends the demonstration."), "dim")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await running.close()
    return 0


async def _serve(world: World, port: int | None) -> RunningSandbox:
    """Serve on the given port; without one on the usual port, or on any other if that is taken."""
    if port is not None:
        return await serve(world, port)
    try:
        return await serve(world, DEFAULT_PORT)
    except ConfigError:
        return await serve(world, 0)


def _write(folder: Path, running: RunningSandbox, *, by_application: bool) -> Path:
    """Write schedules and config into `folder` and return the config's path."""
    today = date.today()  # noqa: DTZ011 - the demonstration takes place in the user's own week
    folder.joinpath("timetable.csv").write_bytes(samples.timetable(today))
    folder.joinpath("team.ics").write_bytes(samples.team(today))
    folder.joinpath("appointments.csv").write_bytes(samples.appointments(today))
    config = folder / "syncd.toml"
    text = (
        app_config_text(running.url, CLIENT_ID, CLIENT_SECRET)
        if by_application
        else config_text(running.webhook(ADMIN))
    )
    config.write_text(text, encoding="utf-8")
    config.chmod(0o600)
    return config


async def _authorise(out: Console, app: App, portal: World) -> None:
    """Do what an administrator's browser does, so that nobody has to click."""
    application = app.portal("demo").application
    place = portal.authority.consent(CLIENT_ID, ADMIN, app.clock.now())
    assert application is not None and place is not None
    answer = await application.exchange(code_in(place, state=""))
    assert isinstance(answer, Granted)
    kept = await application.take(answer, spare=False)
    show.line(out, say("An administrator has authorised the application, as user {user}.", user=kept.user), "bold")
    out.print()


async def _passes(out: Console, app: App, stop: asyncio.Event) -> int:
    """Run every sync twice; return the first exit code that is not part of the demonstration."""
    show.line(out, say("Three schedules and an empty portal."), "bold")
    out.print()
    for sync in app.syncs():
        result = await _pass(out, app, sync, stop, with_plan=True)
        if not _as_meant(result):
            return result.exit_code or 1
        out.print()
    show.line(out, say("The same once more: nothing is left to do."), "bold")
    out.print()
    for sync in app.syncs():
        result = await _pass(out, app, sync, stop, with_plan=False)
        if not _as_meant(result):
            return result.exit_code or 1
        if any(result.record.counts.get(name) for name in ("created", "updated", "deleted", "adopted")):
            show.line(out, say("The second pass changed something: this is a defect of syncd."), "red")
            return 1
    return 0


def _as_meant(result: PassResult) -> bool:
    """Return True if nothing is left over but the one appointment whose phone is not in the CRM."""
    held = 1 if result.record.sync == "appointments" else 0
    return result.exit_code == held and result.record.counts["held"] == held


def _cards(out: Console, portal: World) -> None:
    """Print how many meetings each client's card has."""
    crm = portal.tables.crm_rows
    meetings = Counter(activity.owner_id for activity in crm.activities.values())
    out.print()
    show.line(out, say("Meetings on the clients' cards, each also in the calendar of its doctor:"), "bold")
    out.print()
    cards = [f"{client.title} {meetings[client.id]}" for client in crm.of_type(CONTACT)]
    out.print(Padding(Columns(cards, padding=(0, 3), equal=True), (0, 2)))


async def _pass(out: Console, app: App, sync: Sync, stop: asyncio.Event, *, with_plan: bool) -> PassResult:
    async with progress.shown(app.portal_of(sync.name), sync.name) as bar:

        def told(prepared: Prepared) -> None:
            with bar.aside():
                show.plan(out, prepared, zone=sync.zone, shown=8)

        result = await run_pass(app.open_pass(sync, stop), PassOptions(approve=told if with_plan else None))
    show.result(out, result)
    return result
