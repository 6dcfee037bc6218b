"""One portal of `kill_load`: a `syncd sandbox` in a process of its own, what people do in it, and what it shows."""

from __future__ import annotations

import asyncio
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson
from aiohttp import ClientSession

from tests.bench.kill_sources import FIRST_DAY, GUEST, PEOPLE, PHONES, Shown

_CHEAP = ("calendar.event.add", "calendar.event.update", "calendar.event.delete", "calendar.event.get",
          "calendar.event.getbyid", "calendar.section.add", "calendar.section.get", "crm.activity.add",
          "crm.activity.update", "crm.activity.delete", "crm.activity.list", "user.get")  # fmt: skip
_FROM, _TO = FIRST_DAY - timedelta(days=5), FIRST_DAY + timedelta(days=120)
_CALENDARS = (*(("user", owner) for owner in (*PEOPLE.values(), GUEST[1])), ("group", 1), ("company_calendar", 0))
_MOSCOW = ZoneInfo("Europe/Moscow")
_FRESH = re.compile(r"<footer.*?</footer>", re.DOTALL)


@dataclass(slots=True)
class Portal:
    """A simulated portal and everything that people have put into it."""

    name: str
    session: ClientSession
    random: Random
    tariff: str = "enterprise"
    webhook: str = ""
    foreign: dict[int, str] = field(default_factory=dict)
    """The page of each event of somebody else's, by its id."""
    cards: dict[int, str] = field(default_factory=dict)
    """Each activity of somebody else's, by its id."""
    _process: Process | None = None

    @property
    def origin(self) -> str:
        return self.webhook.partition("/rest/")[0]

    @property
    def path(self) -> str:
        return self.webhook.removeprefix(self.origin)

    async def open(self, log: Path) -> None:
        """Start the server."""
        costs = [word for method in _CHEAP for word in ("--cost", f"{method}=0.004")]
        with log.open("wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "syncd", "sandbox", "--port", "0", "--tariff", self.tariff, *costs,
                stdout=PIPE, stderr=errors,
            )  # fmt: skip
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if line.startswith(b"webhook of user 1"):
                self.webhook = line.decode().split(": ", 1)[1].strip()
                return
        raise RuntimeError(f"the sandbox did not start; see {log}")

    async def remember(self) -> None:
        """Take everything that stands there for somebody else's."""
        for number in {int(row["ID"]) for row in await self.rows()}:
            self.foreign[number] = str(await self._page(number))
        for row in await self.activities():
            self.cards[int(row["ID"])] = await self._activity(int(row["ID"]))

    async def close(self) -> None:
        """Stop the server."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def ask(self, method: str, **params: Any) -> Any:
        """Call one method as people's programs do; raise RuntimeError where it is refused."""
        async with self.session.post(f"{self.webhook}{method}", json=params) as answer:
            told = orjson.loads(await answer.read())
        if "result" not in told:
            raise RuntimeError(f"{method}: {told}")
        return told["result"]

    async def rows(self) -> Sequence[Mapping[str, Any]]:
        """Return every occurrence in every calendar, with `section` as its name and `calendar` as (kind, owner)."""
        spans = {"from": _FROM.date().isoformat(), "to": _TO.date().isoformat()}
        cmd = {}
        for kind, owner in _CALENDARS:
            whose = {"type": kind, "ownerId": owner}
            cmd[f"events_{kind}_{owner}"] = f"calendar.event.get?{urlencode(whose | spans)}"
            cmd[f"sections_{kind}_{owner}"] = f"calendar.section.get?{urlencode(whose)}"
        told = (await self.ask("batch", halt=0, cmd=cmd))["result"]
        rows = []
        for kind, owner in _CALENDARS:
            names = {str(row["ID"]): row["NAME"] for row in told[f"sections_{kind}_{owner}"]}
            doubled = [name for name, number in Counter(names.values()).items() if number > 1]
            assert not doubled, f"sections made twice: {doubled}"
            for row in told[f"events_{kind}_{owner}"]:
                rows.append(row | {"calendar": (kind, owner), "section": names.get(str(row["SECTION_ID"]), "?")})
        return rows

    async def activities(self) -> Sequence[Mapping[str, Any]]:
        """Return every activity on every card."""
        found: list[Mapping[str, Any]] = []
        while True:
            page = await self.ask("crm.activity.list", order={"ID": "ASC"}, start=len(found))
            found += page
            if len(page) < 50:
                return found

    async def shown(self) -> Counter[Shown]:
        """Return what the portal shows apart from what is somebody else's."""
        found = Counter(_event(row) for row in await self.rows() if int(row["ID"]) not in self.foreign)
        found.update(_card(row) for row in await self.activities() if int(row["ID"]) not in self.cards)
        return found

    async def touched(self) -> list[str]:
        """Return what is no longer as somebody else left it."""
        told = []
        for number, was in self.foreign.items():
            now = await self._page(number)
            if now != was:
                told.append(f"event {number} of somebody else's is " + ("gone" if now is None else "another now"))
        for number, kept in self.cards.items():
            if await self._activity(number) != kept:
                told.append(f"activity {number} of somebody else's is gone or another now")
        return told

    async def add_foreign(self, model: Shown) -> None:
        """A person makes something that looks like `model`, or wholly different."""
        if model.kind == "card":
            await self._add_card(model)
            return
        how = self.random.randrange(5)
        start, end, section = model.start, model.end, model.section
        name, text = model.name, f"Of my own {self.random.randrange(10**6)}"
        if how == 0:
            name = f"Private {self.random.randrange(1000)}"
        elif how == 1:
            start, end = start + timedelta(hours=1), end + timedelta(hours=1)
        elif how == 2:
            section, text = "", ""  # the same in all, in another calendar of the same owner
        params: dict[str, Any] = {"description": text, "location": model.place} if text else {"location": model.place}
        if how == 3:
            params["rrule"] = {"FREQ": "WEEKLY", "INTERVAL": 1, "COUNT": 4}
        sections = await self.ask("calendar.section.get", type=model.kind, ownerId=model.owner)
        known = [row["ID"] for row in sections if (row["NAME"] == section if section else row["NAME"] != model.section)]
        made = await self.ask(
            "calendar.event.add", type=model.kind, ownerId=model.owner, name=name, section=min(map(int, known)),
            skip_time="N", timezone_from="Europe/Moscow", timezone_to="Europe/Moscow",
            **{"from": start.isoformat(), "to": end.isoformat()}, **params,
        )  # fmt: skip
        self.foreign[int(made)] = str(await self._page(int(made)))

    async def edit_ours(self, number: int, name: str) -> None:
        """A person renames one of ours, or moves it by an hour, unless it is gone."""
        row = await self.ask("calendar.event.getbyid", id=number)
        if row is None:
            return
        shift = timedelta(hours=self.random.randrange(2))
        times = {key: (_moment(row[f"DATE_{key.upper()}"]) + shift).isoformat() for key in ("from", "to")}
        await self.ask(
            "calendar.event.update", id=number, type=row["CAL_TYPE"], ownerId=int(row["OWNER_ID"]), name=name,
            section=int(row["SECTION_ID"]), skip_time="N", timezone_from="Europe/Moscow", timezone_to="Europe/Moscow",
            **times,
        )  # fmt: skip

    async def _add_card(self, model: Shown) -> None:
        contact = next(contact for contact in PHONES.values() if contact == model.owner)
        fields = {
            "OWNER_TYPE_ID": 3, "OWNER_ID": contact, "TYPE_ID": 1, "SUBJECT": model.name, "RESPONSIBLE_ID": 3,
            "START_TIME": f"{model.start.isoformat()}+03:00", "END_TIME": f"{model.end.isoformat()}+03:00",
            "DESCRIPTION": "Of my own", "LOCATION": model.place,
            "COMMUNICATIONS": [{"VALUE": "+79161112233", "ENTITY_ID": contact, "ENTITY_TYPE_ID": 3}],
        }  # fmt: skip
        before = {int(row["ID"]) for row in await self.rows()}
        made = int(await self.ask("crm.activity.add", fields=fields))
        self.cards[made] = await self._activity(made)
        for number in {int(row["ID"]) for row in await self.rows()} - before:
            self.foreign[number] = str(await self._page(number))

    async def _activity(self, number: int) -> str:
        try:
            return orjson.dumps(await self.ask("crm.activity.get", id=number)).decode()
        except RuntimeError:
            return "gone"

    async def _page(self, number: int) -> str | None:
        async with self.session.get(f"{self.origin}/event/{number}") as answer:
            return _FRESH.sub("", await answer.text()) if answer.status == 200 else None


def _event(row: Mapping[str, Any]) -> Shown:
    kind, owner = row["calendar"]
    derived = int(row.get("PARENT_ID") or row["ID"]) != int(row["ID"])
    # What the portal derives from an activity stands in a section of its own, in the zone of the server.
    section = "" if derived or row["section"] in ("My calendar", "CRM") else row["section"]
    start, end = _in_moscow(row, "FROM"), _in_moscow(row, "TO")
    return Shown(kind, owner, section, row["NAME"], start, end, str(row.get("LOCATION") or ""))


def _in_moscow(row: Mapping[str, Any], which: str) -> datetime:
    wall = _moment(row[f"DATE_{which}"])
    zone = row.get(f"TZ_{which}")
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(_MOSCOW).replace(tzinfo=None) if zone else wall


def _card(row: Mapping[str, Any]) -> Shown:
    start, end = (datetime.fromisoformat(row[name]).replace(tzinfo=None) for name in ("START_TIME", "END_TIME"))
    return Shown("card", int(row["OWNER_ID"]), "", row["SUBJECT"], start, end, str(row.get("LOCATION") or ""))


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%d.%m.%Y %H:%M:%S")
