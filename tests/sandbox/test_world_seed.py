"""World files: strict reading, the default company, and the way back into a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from syncd.errors import ConfigError
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.seed.world_file import decode_world, dump_world, encode_world, read_world
from syncd.sandbox.settings import Settings
from syncd.sandbox.world import World
from tests.sandbox.asking import Caller, portal

MINIMAL: dict[str, Any] = {
    "users": [{"id": 1, "name": "A", "zone": "Europe/Riga"}],
    "webhooks": [{"user": 1, "code": "abc"}],
    "sections": [{"id": 4, "name": "S", "owner": 1}],
    "events": [{"id": 9, "section": 4, "name": "E", "from": "2026-12-01T10:00:00", "to": "2026-12-01T11:00:00"}],
}


def changed(path: tuple[str | int, ...], value: Any) -> bytes:
    world = json.loads(json.dumps(MINIMAL))
    inner = world
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return json.dumps(world).encode()


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("users",), [], "$.users is empty"),
        (("users", 0, "zone"), "Europe/Kiev", "$.users[0].zone: 'Europe/Kiev'"),
        (("users", 0, "nmae"), "x", "`nmae` - at `$.users[0]`"),
        (("users", 0, "id"), 0, "`$.users[0].id`"),
        (("users",), [{"id": 1, "name": "A"}] * 2, "$.users has the id 1 twice"),
        (("webhooks", 0, "user"), 7, "$.webhooks[0].user names 7"),
        (("webhooks", 0, "code"), "a/b", "`$.webhooks[0].code`"),
        (("sections", 0, "owner"), 7, "$.sections[0].owner names 7"),
        (("sections", 0, "access"), {"U1": "everything"}, "`$.sections[0].access[...]`"),
        (("events", 0, "section"), 5, "$.events[0].section names 5"),
        (("events", 0, "from"), "2026-12-01T10:00:00Z", "$.events[0] has a time with an offset"),
        (("events", 0, "zone"), "Mars/Base", "$.events[0].zone"),
        (("events", 0, "recurrence_of"), 8, "$.events[0].recurrence_of names 8"),
        (("groups",), [{"id": 1, "name": "G", "owner": 5}], "$.groups[0].owner names 5"),
        (("server_zone",), "Moscow", "$.server_zone"),
        (("culture",), "fr", "`$.culture`"),
    ],
)
def test_what_is_wrong_in_a_world_is_named(path: tuple[str | int, ...], value: Any, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode_world(changed(path, value))
    assert named in caught.value.message


def test_errors_name_the_file_and_never_the_webhooks_code(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    path.write_bytes(changed(("webhooks", 0, "user"), 7))
    with pytest.raises(ConfigError, match=r"world\.json"):
        read_world(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_world(tmp_path / "missing.json")
    path.write_bytes(b"{")
    with pytest.raises(ConfigError, match=r"world\.json"):
        read_world(path)
    assert "sandboxadmin" not in repr(default_world())
    assert "sandboxadmin" not in repr(World(Settings(), default_world()).tables)


def test_a_world_file_fills_the_portal(tmp_path: Path) -> None:
    path = tmp_path / "world.json"
    path.write_text(json.dumps(MINIMAL))
    caller = Caller(world=World(Settings(), read_world(path)), code="abc")
    event = caller.read(9)
    assert (event["NAME"], event["TZ_FROM"], event["CAL_TYPE"], event["OWNER_ID"]) == (
        "E",
        "Europe/Moscow",
        "user",
        "1",
    )
    assert caller.add(section=4) == 10, "new ids follow those of the file"
    assert caller.ask("calendar.section.add", type="user", name="x") == 5


def test_the_default_company_is_whole() -> None:
    world = decode_world(encode_world(default_world()))
    assert world == default_world()
    assert len(world.users) == 12
    assert len(world.groups) == 4
    assert sum(user.admin for user in world.users) == 1


def test_a_used_world_comes_back_from_its_dump() -> None:
    caller = portal()
    series = caller.add(rrule={"FREQ": "WEEKLY", "INTERVAL": 2, "BYDAY": ["TU", "FR"], "UNTIL": "2027-03-01"})
    times = {"timezone_from": "Europe/Riga", "timezone_to": "Europe/Riga"}
    caller.update(series, recurrence_mode="this", current_date_from="2026-12-04", name="One", **times)
    caller.add(is_meeting="Y", attendees=[1, 3], host=1, meeting={"notify": 1}, location="calendar_41", remind=[5])
    caller.add(**{"from": "2026-12-01T12:00", "to": "2026-12-02T12:00"}, skip_time="Y", crm_fields=["C_5"])
    caller.add(rrule={"FREQ": "DAILY", "COUNT": 3})
    caller.ask("calendar.event.delete", id=caller.add())
    dumped = dump_world(caller.world.tables)
    again = World(Settings(), decode_world(dumped))
    assert dump_world(again.tables) == dumped
    before, after = ({row.id: row for row in world.tables.all_events()} for world in (caller.world, again))
    assert before.keys() == after.keys()
    for number, row in before.items():
        assert after[number].stored == row.stored
        assert (after[number].flags, after[number].attendees) == (row.flags, row.attendees)


def test_a_world_is_not_changed_by_the_world_planted_from_the_same_seed() -> None:
    seed = default_world()
    first, second = (Caller(world=World(Settings(), seed)) for _ in range(2))
    first.add()
    first.world.tables.sections[1].name = "changed"
    assert second.world.events("user", 1) == ()
    assert second.world.tables.sections[1].name == "My calendar"
