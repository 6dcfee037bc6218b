"""A portal for `scale`: it holds so many linked shifts, answers at once and refuses nothing.

It lists events as calendar.event.get does, reads them by id, renames and deletes. In a process of its own it answers
over HTTP (`python -m tests.bench.scale_portal LEDGER`, which prints the port), so that its memory and its work are not
counted.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import orjson
from aiohttp import web

from syncd.portal.line.answers import RawAnswer
from syncd.state.codec import in_full

PEOPLE = 300
SECTIONS_FROM = 1000
"""Everybody has a section of their own, with the id of the user and so much."""
MOSCOW = ZoneInfo("Europe/Moscow")
_PLAIN: Mapping[str, Any] = {
    "DELETED": "N", "CAL_TYPE": "user", "ORIGINAL_DATE_FROM": None, "TZ_FROM": "Europe/Moscow",
    "TZ_TO": "Europe/Moscow", "TZ_OFFSET_FROM": "10800", "TZ_OFFSET_TO": "10800", "DT_SKIP_TIME": "N",
    "DT_LENGTH": 28800, "DATE_CREATE": "21.11.2026 12:00:00", "TIMESTAMP_X": "21.11.2026 12:00:00",
    "IS_DAYLIGHT_SAVING_TZ": "N", "~USER_OFFSET_FROM": 0, "~USER_OFFSET_TO": 0, "EVENT_TYPE": None,
    "CREATED_BY": "1", "DESCRIPTION": "", "PRIVATE_EVENT": "", "ACCESSIBILITY": "busy", "IMPORTANCE": "normal",
    "REMIND": [], "COLOR": "", "G_EVENT_ID": "", "DAV_EXCH_LABEL": "", "CAL_DAV_LABEL": "",
    "RECURRENCE_ID": None, "RELATIONS": "", "SYNC_STATUS": None, "UF_CRM_CAL_EVENT": "",
    "UF_WEBDAV_CAL_EVENT": False, "SECTION_DAV_XML_ID": None, "OPTIONS": None, "COLLAB_ID": None,
    "IS_MEETING": False, "MEETING_STATUS": "H", "MEETING_HOST": "1", "RRULE": "", "EXDATE": "", "ACTIVE": "Y",
    "TEXT_COLOR": "", "MEETING": {"HOST_NAME": "Ольга Смирнова", "NOTIFY": False, "REINVITE": False,
    "ALLOW_INVITE": False, "HIDE_GUESTS": False, "MEETING_CREATOR": 1, "LANGUAGE_ID": "en", "MAIL_FROM": ""},
    "ATTENDEES_CODES": ["U3"], "ATTENDEE_LIST": [{"id": 3, "entryId": "2", "status": "Y"}],
    "attendeesEntityList": [{"entityId": "user", "id": 3}],
}  # fmt: skip
"""What every row shows beside its own values, as the sandbox writes it."""


@dataclass(frozen=True, slots=True)
class Shift:
    """One event as the portal keeps it."""

    remote_id: int
    owner: int
    section: int
    name: str
    location: str
    start: datetime
    end: datetime
    version: int = 1

    def row(self) -> dict[str, Any]:
        """Return its row of calendar.event.get."""
        number, section = str(self.remote_id), str(self.section)
        return {
            **_PLAIN, "ID": number, "PARENT_ID": number, "OWNER_ID": str(self.owner), "NAME": self.name,
            "LOCATION": self.location, "VERSION": str(self.version), "SECTION_ID": section, "SECT_ID": section,
            "DATE_FROM": f"{self.start:%d.%m.%Y %H:%M:%S}", "DATE_TO": f"{self.end:%d.%m.%Y %H:%M:%S}",
            "DT_FROM": f"{self.start:%d.%m.%Y %H:%M:%S}", "DT_TO": f"{self.end:%d.%m.%Y %H:%M:%S}",
            "DATE_FROM_FORMATTED": f"{self.start:%a %b %d %Y %H:%M:%S}",
            "DATE_TO_FORMATTED": f"{self.end:%a %b %d %Y %H:%M:%S}",
            "DAV_XML_ID": f"{self.start:%Y%m%dT%H%M%S}Z-{self.remote_id:032x}@school.example",
        }  # fmt: skip


class ScalePortal:
    """Answers the commands that reading and deleting need; also a Transport, for a portal in the same process."""

    def __init__(self, shifts: Iterable[Shift]) -> None:
        self.shifts = {one.remote_id: one for one in shifts}
        self.requests = 0
        self._sections: dict[int, list[Shift]] = defaultdict(list)
        for one in self.shifts.values():
            self._sections[one.section].append(one)

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        await asyncio.sleep(0)
        return RawAnswer(status=200, headers={"content-type": "application/json"}, body=self.answer(method, body))

    async def close(self) -> None:
        pass

    def answer(self, method: str, body: bytes) -> bytes:
        """Return the JSON of an answer to a request."""
        self.requests += 1
        given = orjson.loads(body)
        if method == "user.get":
            return orjson.dumps({**self.users(int(given.get("start", 0))), "time": _time()})
        if method != "batch":
            return orjson.dumps({"result": self.result(method, given), "time": _time()})
        return orjson.dumps({"result": self._batch(given["cmd"]), "time": _time()})

    def _batch(self, commands: Mapping[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        totals: dict[str, Any] = {}
        for key, text in commands.items():
            name, _, query = text.partition("?")
            given = {one: values[0] for one, values in parse_qs(query).items()}
            if name == "user.get":
                users = self.users(int(given.get("start", 0)))
                found[key], totals[key] = users["result"], users["total"]
            else:
                found[key] = self.result(name, given)
        times = {key: _time() for key in found}
        return {
            "result": found, "result_error": [], "result_total": totals or [], "result_next": [], "result_time": times,
        }  # fmt: skip

    def result(self, method: str, given: Mapping[str, Any]) -> Any:
        """Return what a method answers with."""
        match method:
            case "calendar.event.get":
                return self._listed(given)
            case "calendar.event.getbyid":
                one = self.shifts.get(int(given["id"]))
                return None if one is None else one.row()
            case "calendar.event.update":
                return self._renamed(int(given["id"]), given["name"])
            case "calendar.event.delete":
                return self.shifts.pop(int(given["id"]), None) is not None
            case "profile" | "user.current":
                return {"ID": "1", "ADMIN": True, "TIME_ZONE": "Europe/Moscow"}
            case "calendar.section.get":
                section = {"ID": str(int(given["ownerId"]) + SECTIONS_FROM), "NAME": "Shifts", "PERM": {"edit": True}}
                return [section]
            case "server.time":
                return datetime.now(MOSCOW).isoformat(timespec="seconds")
            case _:
                raise ValueError(method)

    def _renamed(self, remote_id: int, name: str) -> int:
        before = self.shifts[remote_id]
        after = self.shifts[remote_id] = replace(before, name=name, version=before.version + 1)
        own = self._sections[before.section]
        own[own.index(before)] = after
        return remote_id

    def users(self, start: int) -> dict[str, Any]:
        """Return the answer to user.get: a page of everybody."""
        page = [
            {"ID": str(n), "NAME": "P", "LAST_NAME": str(n), "EMAIL": f"p{n - 1}@x.example", "ACTIVE": True}
            for n in range(start + 1, min(start + 50, PEOPLE) + 1)
        ]
        more = {"next": start + 50} if start + 50 < PEOPLE else {}
        return {"result": page, "total": PEOPLE, **more}

    def _listed(self, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        section = given["section"][0] if "section" in given else given["section[0]"]
        first = datetime.fromisoformat(given["from"])
        last = datetime.fromisoformat(given["to"]) + timedelta(days=1)
        own = (one for one in self._sections.get(int(section), ()) if one.remote_id in self.shifts)
        return [one.row() for one in own if one.start < last and one.end >= first]


def _time() -> dict[str, Any]:
    now = time.time()
    stamp = datetime.fromtimestamp(now, MOSCOW).isoformat(timespec="seconds")
    return {"start": now, "finish": now, "duration": 0.001, "date_start": stamp, "date_finish": stamp}


def shifts_of(ledger: Path) -> list[Shift]:
    """Return the events that the links of the ledger file at `ledger` stand for."""
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT remote_id, owner, section_id, sent FROM links").fetchall()
    return [_shift(remote_id, owner, section, orjson.loads(in_full(sent))) for remote_id, owner, section, sent in rows]


def _shift(remote_id: int, owner: int, section: int, sent: Mapping[str, Any]) -> Shift:
    return Shift(
        remote_id, owner, section, sent["name"], sent.get("location", ""), datetime.fromisoformat(sent["start"]),
        datetime.fromisoformat(sent["end"]),
    )  # fmt: skip


def serve(ledger: Path) -> None:
    """Answer over HTTP until somebody ends the process."""
    portal = ScalePortal(shifts_of(ledger))

    async def handle(request: web.Request) -> web.Response:
        method = request.path.rpartition("/")[2].removesuffix(".json")
        body = await request.read()
        return web.Response(body=portal.answer(method, body), content_type="application/json")

    async def main() -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
