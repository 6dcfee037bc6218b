"""A caller of a simulated portal: carries values to it on a clock of its own and hands back what came."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec

from syncd.sandbox.faults import parse_fault
from syncd.sandbox.php.wire import PortalRequest, PortalResponse
from syncd.sandbox.seed.language_school import ADMIN_CODE, STAFF_CODE, default_world
from syncd.sandbox.seed.world_schema import WorldSeed
from syncd.sandbox.settings import Settings
from syncd.sandbox.tables.database import Event
from syncd.sandbox.world import World

NOW = datetime(2026, 7, 15, 12, 0, tzinfo=ZoneInfo("Europe/Moscow")).timestamp()
CODES = {1: ADMIN_CODE, 2: STAFF_CODE}


@dataclass
class Caller:
    """Asks a world as user 1, an administrator, unless told otherwise; time passes as the answers take it."""

    world: World
    now: float = NOW
    user: int = 1
    code: str | None = None

    def send(self, request: PortalRequest) -> PortalResponse:
        """Carry one request and let its duration pass."""
        response = self.world.handle(self.now, request)
        self.now += response.duration_s
        return response

    def raw(self, method: str, params: dict[str, Any] | None = None) -> PortalResponse:
        """Call a method with a JSON body."""
        body = json.dumps(params or {}).encode()
        return self.send(PortalRequest(path=self.path(method), content_type="application/json", body=body))

    def path(self, method: str) -> str:
        """Return the webhook's path of a method."""
        return f"/rest/{self.user}/{self.code or CODES[self.user]}/{method}"

    def ask(self, method: str, **params: Any) -> Any:
        """Return the result of a call that succeeds."""
        response = self.raw(method, params)
        answer = json.loads(response.body)
        assert response.status == 200, answer
        return answer["result"]

    def refused(self, method: str, **params: Any) -> tuple[int, str, str]:
        """Return status, code and text of a call that fails."""
        response = self.raw(method, params)
        answer = json.loads(response.body)
        assert "error" in answer, answer
        return response.status, answer["error"], answer["error_description"]

    def batch(self, cmd: dict[str, str] | list[Any], **more: Any) -> Any:
        """Return the result of a batch."""
        return self.ask("batch", cmd=cmd, **more)

    def add(self, **params: Any) -> int:
        """Add an event to user 1's calendar, an hour on 1 December 2026 unless told otherwise."""
        given = {
            "type": "user",
            "ownerId": 1,
            "name": "Lesson",
            "from": "2026-12-01T10:00:00",
            "to": "2026-12-01T11:00:00",
            "timezone_from": "Europe/Moscow",
            "timezone_to": "Europe/Moscow",
        }
        made = self.ask("calendar.event.add", **{**given, **params})
        assert isinstance(made, int)
        return made

    def update(self, event_id: int, **params: Any) -> Any:
        """Update an event of user 1's calendar with nothing but what is given."""
        return self.ask("calendar.event.update", **{"id": event_id, "type": "user", "ownerId": 1, **params})

    def read(self, event_id: int) -> Any:
        """Return getbyid's answer."""
        return self.ask("calendar.event.getbyid", id=event_id)

    def row(self, event_id: int) -> Event:
        """Return the row itself."""
        row = self.world.tables.event(event_id)
        assert row is not None
        return row


def portal(world: WorldSeed | None = None, *, faults: tuple[str, ...] = (), **settings: Any) -> Caller:
    """Return a caller of a fresh portal."""
    return Caller(world=World(Settings(faults=tuple(map(parse_fault, faults)), **settings), world or default_world()))


def command(method: str, **params: str | int) -> str:
    """Return a batch command."""
    pairs = (f"{quote(key, safe='[]')}={quote(str(value), safe='')}" for key, value in params.items())
    return f"{method}?{'&'.join(pairs)}"


def add_command(name: str = "Lesson", **params: str | int) -> str:
    """Return a batch command that adds an event to user 1's calendar."""
    given: dict[str, str | int] = {
        "type": "user",
        "ownerId": 1,
        "name": name,
        "from": "2026-12-01T10:00:00",
        "to": "2026-12-01T11:00:00",
        "timezone_from": "Europe/Moscow",
        "timezone_to": "Europe/Moscow",
    }
    return command("calendar.event.add", **{**given, **params})


def company(*, caller_zone: str = "Europe/Moscow", admin: bool = True, **changes: Any) -> WorldSeed:
    """Return the default company with another zone or right of user 1, and other settings of the site."""
    world = default_world()
    users = tuple(
        msgspec.structs.replace(user, zone=caller_zone, admin=admin) if user.id == 1 else user for user in world.users
    )
    return msgspec.structs.replace(world, users=users, **changes)
