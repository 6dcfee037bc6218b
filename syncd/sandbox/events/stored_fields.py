"""How the portal cleans an event's fields before it stores them (PORTAL.md 4.2, table)."""

from __future__ import annotations

import re
from hashlib import md5
from typing import TYPE_CHECKING

from syncd.sandbox.php.scalars import PhpValue, as_list, as_map, to_int, trim, truthy
from syncd.sandbox.php.timezones import utc_text, wall_to_unix
from syncd.sandbox.tables.database import MeetingFlags, Reminder

if TYPE_CHECKING:
    from datetime import datetime

    from syncd.sandbox.settings import Settings
    from syncd.sandbox.tables.database import Tables

DEFAULT_COLOR = "#9dcf00"
_ACCESSIBILITY = frozenset({"busy", "quest", "free", "absent"})
_IMPORTANCE = frozenset({"high", "normal", "low"})
_MINUTES = {"min": 1, "hour": 60, "day": 1440}


def cut_name(name: str, settings: Settings) -> str:
    """Return what the portal's column stores of a name (trap 27)."""
    return name[: settings.name_length]


def cut_description(description: str, settings: Settings) -> str:
    """Return what the portal's column stores of a description; none is known to cut it (PORTAL.md 4.2)."""
    return description[: settings.description_length]


def color_of(value: PhpValue) -> str:
    """Return the colour to store: word characters only, cut to six; green if fewer are left.

    Nothing checks that it is a hex number, and an empty text is green too (trap 25).
    """
    word = re.sub(r"\W", "", trim(value), flags=re.ASCII)[:6]
    return f"#{word}" if len(word) == 6 else DEFAULT_COLOR


def accessibility_of(value: PhpValue) -> str:
    """Return one of busy, quest, free, absent; busy for anything else."""
    word = trim(value).lower()
    return word if word in _ACCESSIBILITY else "busy"


def importance_of(value: PhpValue) -> str:
    """Return one of high, normal, low; normal for anything else."""
    word = trim(value).lower()
    return word if word in _IMPORTANCE else "normal"


def remind_of(value: PhpValue) -> tuple[Reminder, ...]:
    """Return the reminders to store, sorted; unknown types are dropped."""
    kept = [reminder for item in as_list(value) if (reminder := _reminder(item)) is not None]
    return tuple(sorted(kept, key=_reminder_order))


def _reminder(item: PhpValue) -> Reminder | None:
    fields = as_map(item)
    if not fields:
        number = to_int(item)
        is_number = isinstance(item, int) or (isinstance(item, str) and item.strip().isdigit())
        return {"type": "min", "count": number} if is_number else None
    kind = fields.get("type")
    if isinstance(kind, str) and kind in _MINUTES:
        return {"type": kind, "count": to_int(fields.get("count"))}
    if kind == "daybefore":
        return {"type": kind, "before": to_int(fields.get("before")), "time": to_int(fields.get("time"))}
    if kind == "date" and isinstance(value := fields.get("value"), str):
        return {"type": kind, "value": value}
    return None


def _reminder_order(reminder: Reminder) -> tuple[int, int]:
    kind = str(reminder["type"])
    if kind in _MINUTES:
        return 0, to_int(reminder["count"]) * _MINUTES[kind]
    if kind == "daybefore":
        return 1, to_int(reminder["before"]) * 1440 - to_int(reminder["time"])
    return 2, 0


def flags_of(value: PhpValue) -> MeetingFlags:
    """Return the four meeting flags; one that is not given is false."""
    given = as_map(value)
    return MeetingFlags(
        notify=truthy(given.get("notify")),
        reinvite=truthy(given.get("reinvite")),
        allow_invite=truthy(given.get("allow_invite")),
        hide_guests=truthy(given.get("hide_guests")),
    )


def new_dav_id(tables: Tables, now: float, start: datetime, zone_name: str | None, owner: int) -> str:
    """Return the generated DAV id: equal for one owner and one start within one second (trap 36)."""
    # The portal hashes the second and the owner, nothing else: hence the same id twice.
    digest = md5(f"{int(now)}|{owner}".encode(), usedforsecurity=False).hexdigest()
    at = wall_to_unix(start, zone_name or tables.server_zone)
    return f"{utc_text(at)}-{digest}@{tables.host}"
