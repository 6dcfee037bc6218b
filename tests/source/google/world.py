"""What stands behind the test server: calendars that change as Google's do, and are listed as its reference says.

Written from the public reference (calendar/api/v3/reference/events, .../events/list, .../guides/sync,
.../guides/recurringevents), and apart from the client.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Item = dict[str, Any]


_OF_THE_BUSY = frozenset({
    "kind", "etag", "id", "status", "start", "end", "recurringEventId", "originalStartTime", "recurrence"
})  # fmt: skip
"""What is left of an event for somebody who may only see when its owner is busy."""


@dataclass(slots=True)
class CalendarWorld:
    """One calendar: `roles` are who may see how much of it, `log` the ids of what changed, in order.

    `epoch` is raised when tokens given out so far are forgotten.
    """

    id: str
    zone: str = "Europe/Moscow"
    summary: str = ""
    reminders: tuple[int, ...] = (30,)
    roles: dict[str, str] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    epoch: int = 0

    def put(self, item: Item) -> Item:
        """Make or replace an event; fields that Google always gives are added."""
        stored = {"kind": "calendar#event", "status": "confirmed", "eventType": "default", "sequence": 0, **item}
        stored.setdefault("iCalUID", f"{stored['id']}@google.com")
        stored.setdefault("organizer", {"email": self.id, "self": True})
        stored.setdefault("htmlLink", f"https://www.google.com/calendar/event?eid={stored['id']}")
        stored["etag"] = f'"{len(self.log)}"'
        self.items[stored["id"]] = stored
        self.log.append(stored["id"])
        return stored

    def event(self, name: str, start: str, end: str, **more: object) -> Item:
        """Make an event of a time of day ("2026-12-01T09:00"), or of whole days ("2026-12-01", end exclusive)."""
        return self.put({"id": name, "summary": f"Event {name}", "start": self.at(start), "end": self.at(end), **more})

    def at(self, text: str, zone: str | None = None) -> Item:
        """Return a time as Google writes it: with the offset of the calendar's zone, whatever zone the event has."""
        if "T" not in text:
            return {"date": text}
        own = ZoneInfo(zone or self.zone)
        moment = datetime.fromisoformat(text).replace(tzinfo=own)
        return {"dateTime": moment.astimezone(ZoneInfo(self.zone)).isoformat(), "timeZone": zone or self.zone}

    def occurrence(self, series: str, original: Item, **changes: object) -> Item:
        """Change one occurrence of a series; what is not changed is as in the series."""
        master = self.items[series]
        name = f"{series}_{_suffix(original)}"
        base = {key: value for key, value in master.items() if key not in ("recurrence", "etag")}
        length = _moment(master["end"]) - _moment(master["start"])
        end = _moved(original, length)
        return self.put({
            **base, "id": name, "start": original, "end": end, "recurringEventId": series,
            "originalStartTime": original, **changes,
        })  # fmt: skip

    def cancel(self, series: str, original: Item) -> None:
        """Take one occurrence away; only id, series and original time are guaranteed to be left."""
        name = f"{series}_{_suffix(original)}"
        self.items[name] = {
            "kind": "calendar#event", "id": name, "status": "cancelled", "recurringEventId": series,
            "originalStartTime": original,
        }  # fmt: skip
        self.log.append(name)

    def delete(self, name: str) -> None:
        """Delete an event, or a series with all its occurrences."""
        self.items[name] = {"kind": "calendar#event", "id": name, "status": "cancelled"}
        for other in [key for key, item in self.items.items() if item.get("recurringEventId") == name]:
            del self.items[other]
        self.log.append(name)

    def split(self, series: str, first: str, until: str, rule: str, **changes: object) -> Item:
        """Change "this and following": the series ends before `first`, and another master begins there."""
        master = self.items[series]
        self.put({**master, "recurrence": [f"{line};UNTIL={until}" for line in master["recurrence"]]})
        start = self.at(first, master["start"].get("timeZone"))
        length = _moment(master["end"]) - _moment(master["start"])
        return self.put({
            **master, "id": f"{series}_R{_suffix(start)}", "start": start, "end": _moved(start, length),
            "recurrence": [rule], **changes,
        })  # fmt: skip

    def shown(self, name: str, role: str) -> Item:
        """Return an event as somebody with this role sees it."""
        item = copy.deepcopy(self.items.get(name, {"id": name, "status": "cancelled"}))
        private = item.get("visibility") in ("private", "confidential") and role == "reader"
        if (role == "freeBusyReader" or private) and item["status"] != "cancelled":
            kept = (
                "kind",
                "etag",
                "id",
                "status",
                "start",
                "end",
                "recurringEventId",
                "originalStartTime",
                "recurrence",
            )
            item = {key: value for key, value in item.items() if key in kept} | {"visibility": "private"}
        return item

    def since(self, seen: int) -> list[str]:
        """Return the ids of what has changed since, each once, deleted ones too."""
        return list(dict.fromkeys(self.log[seen:]))

    def all(self, *, show_deleted: bool) -> list[str]:
        """Return the ids of everything; cancelled occurrences are there even where deleted events are not."""
        return [
            name
            for name, item in self.items.items()
            if show_deleted or item["status"] != "cancelled" or "recurringEventId" in item
        ]


def _suffix(stamp: Item) -> str:
    if "date" in stamp:
        return str(stamp["date"]).replace("-", "")
    return datetime.fromisoformat(stamp["dateTime"]).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _moment(stamp: Item) -> datetime:
    return datetime.fromisoformat(stamp.get("date") or stamp["dateTime"])


def _moved(stamp: Item, length: timedelta) -> Item:
    moment = _moment(stamp) + length
    if "date" in stamp:
        return {"date": moment.date().isoformat()}
    return {**stamp, "dateTime": moment.isoformat()}


def error(code: int, reason: str, message: str, domain: str = "global") -> tuple[int, Item]:
    """Return a refusal as the guide to errors shows it."""
    return code, {"error": {"errors": [{"domain": domain, "reason": reason, "message": message}], "code": code,
                            "message": message}}  # fmt: skip


def as_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
