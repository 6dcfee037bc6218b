"""A portal that is restored from its backup, and people who go on working in it: ids are given out again."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson

from syncd.sandbox.php.wire import PortalRequest
from syncd.sandbox.tables.database import Event, Tables
from tests.support.sandbox import Stage


def ask(stage: Stage, method: str, **params: Any) -> Any:
    """Call a method as a person does, from another machine, between two runs of the program."""
    path = f"/rest/1/sandboxadmin/{method}"
    body = orjson.dumps(params)
    request = PortalRequest(path=path, content_type="application/json", body=body, address="10.0.0.9")
    clock = stage.clock
    response = stage.world.handle(clock.start + clock.offset_s + clock._last, request)
    return orjson.loads(response.body).get("result")


def backup(stage: Stage) -> Tables:
    """Return the portal as it is."""
    return deepcopy(stage.world.tables)


def restore(stage: Stage, tables: Tables, *, after_s: float = 5_003.0) -> None:
    """Put the portal back into the state of a backup, `after_s` later."""
    stage.world.tables = deepcopy(tables)
    stage.clock.advance(after_s)


def person_adds(stage: Stage, name: str, *, owner: int = 3, day: int = 10, by: int | None = None, **more: Any) -> Event:
    """Have a person make an event in the first section of a calendar of which syncd made one."""
    (section,) = (one for one in stage.world.tables.sections_of(("user", owner)) if one.name == "Shifts")
    params: dict[str, Any] = {"type": "user", "ownerId": owner, "name": name, "skip_time": "N", "section": section.id}
    times = {"from": f"2026-12-{day:02}T10:00:00", "to": f"2026-12-{day:02}T11:00:00", "timezone_from": "Europe/Moscow"}
    made = ask(stage, "calendar.event.add", **{**params, **times, **more})
    event = stage.world.tables.event(made)
    assert event is not None
    event.created_by = by or event.created_by
    return event
