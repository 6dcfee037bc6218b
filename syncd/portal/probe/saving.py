"""What the portal does when an event is saved, changed and deleted (PORTAL.md 4.2 to 4.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.portal.line.wire import Command, Done, Refused, Reply
from syncd.portal.probe.bench import Bench, UnaskedError, done, text
from syncd.portal.probe.experiment import Experiment
from syncd.portal.probe.facts import Fact

_NOBODY = 2_147_483_000
"""No user and no contact has this id."""


async def _host(bench: Bench) -> Iterable[Fact]:
    """Name an organiser who does not exist: he has no rights where he counts, and does not matter where he does not."""
    caller = bench.scene.caller
    meeting: Mapping[str, Json] = {"is_meeting": "Y", "host": _NOBODY, "attendees": [caller]}
    (reply,) = await bench.ask([bench.making(meeting)])
    if isinstance(reply, Refused):
        return (Fact(name="host_rule", value="source"),)
    done(reply)
    host = text((await bench.rows(bench.ids({"meeting": reply}))).get("meeting", {}), "MEETING_HOST")
    named = {str(caller): "docs", str(_NOBODY): "anybody"}
    return (
        Fact(name="host_rule", value=named.get(host), why="" if host in named else say("the organiser is not shown")),
    )


HOST = Experiment(
    facts=("host_rule",),
    sends=say("a meeting of syncd's user alone, whose organiser does not exist"),
    run=_host,
    events=1,
)


async def _links(bench: Bench) -> Iterable[Fact]:
    """Link an event to a contact that does not exist: a build that knows the parameter refuses it."""
    (reply,) = await bench.ask([bench.making({"crm_fields": [f"C_{_NOBODY}"]})])
    if not isinstance(reply, Refused):
        done(reply)
    return (Fact(name="crm_fields", value=isinstance(reply, Refused)),)


LINKS = Experiment(
    facts=("crm_fields",), sends=say("an event with a link to a contact that does not exist"), run=_links, events=1
)


async def _life(bench: Bench) -> Iterable[Fact]:
    """Make an event, list it, change it, delete it, and ask for it afterwards."""
    ids = await bench.add({"one": {}})
    if not ids:
        raise UnaskedError(say("no event could be made"))
    facts = [await _columns(bench), *await _changes(bench, ids)]
    await bench.ask([_delete(ids["one"])])
    read, again, changed = await bench.ask(
        [
            Command(method="calendar.event.getbyid", params={"id": ids["one"]}),
            _delete(ids["one"]),
            _update(bench, ids["one"], {}),
        ]
    )
    return (*facts, _read_deleted(read), _deleted_again(again), _changed_deleted(changed))


LIFE = Experiment(
    facts=(
        "listing_columns",
        "recurrence_mode",
        "version_step",
        "deleted_getbyid",
        "deleted_delete",
        "deleted_update",
    ),
    sends=say("an event that is listed, changed and deleted"),
    run=_life,
    events=1,
)


def _delete(number: int) -> Command:
    return Command(method="calendar.event.delete", params={"id": number})


def _update(bench: Bench, number: int, params: Mapping[str, Json]) -> Command:
    return Command(method="calendar.event.update", params={**bench.scene.event, "id": number, **params})


async def _columns(bench: Bench) -> Fact:
    year = bench.scene.year
    rows = await bench.listed(date(year, 1, 10), date(year, 1, 14))
    if not rows:
        return Fact(name="listing_columns", why=say("the listing does not show the event"))
    return Fact(name="listing_columns", value="DT_FROM" in rows[0])


async def _changes(bench: Bench, ids: Mapping[str, int]) -> tuple[Fact, Fact]:
    """Change the event once, and once with a mode that does not exist, which only builds without modes accept."""
    before = await bench.rows(ids)
    (changed,) = await bench.ask([_update(bench, ids["one"], {"name": "syncd probe, changed"})])
    after = await bench.rows(ids)
    (mode,) = await bench.ask([_update(bench, ids["one"], {"recurrence_mode": "syncd"})])
    versions = [text(rows.get("one", {}), "VERSION") for rows in (before, after)]
    steps = all(one.isdecimal() for one in versions) and isinstance(changed, Done)
    step: Json = int(versions[1]) - int(versions[0]) if steps else None
    known = isinstance(mode, Refused)
    return (
        Fact(name="version_step", value=step, why="" if steps else say("the event could not be changed and read")),
        Fact(name="recurrence_mode", value=known)
        if known or isinstance(mode, Done)
        else Fact(name="recurrence_mode", why=say("no usable answer to the update")),
    )


def _read_deleted(reply: Reply) -> Fact:
    name = "deleted_getbyid"
    if isinstance(reply, Refused):
        return Fact(name=name, value="refused")
    if not isinstance(reply, Done):
        return Fact(name=name, why=reply.reason)
    return Fact(name=name, value="null" if not reply.result else "still shown")


def _deleted_again(reply: Reply) -> Fact:
    name = "deleted_delete"
    if isinstance(reply, Done):
        return Fact(name=name, value="accepted")
    return Fact(name=name, value="refused") if isinstance(reply, Refused) else Fact(name=name, why=reply.reason)


def _changed_deleted(reply: Reply) -> Fact:
    name = "deleted_update"
    if isinstance(reply, Refused):
        return Fact(name=name, value="refused")
    if not isinstance(reply, Done):
        return Fact(name=name, why=reply.reason)
    return Fact(name=name, value="sentence" if isinstance(reply.result, str) else "id")
