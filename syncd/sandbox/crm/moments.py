"""Dates in and out of the CRM: read in the server zone, shifted by the caller's offset of today (PORTAL.md 6.3)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from syncd.sandbox.events.call_params import now_offset_s
from syncd.sandbox.php.strtotime import is_showable, strtotime
from syncd.sandbox.php.timezones import offset_s, zone

if TYPE_CHECKING:
    from syncd.sandbox.call import Call
    from syncd.sandbox.php.scalars import PhpValue


def read_moment(call: Call, value: PhpValue) -> float | None:
    """Return the unix time that is kept of a date, None for what cannot be read: such a date is dropped silently.

    A date without an offset is the server's. The offset between caller and server of today is added and that of the
    date taken away again, so dates of the other season go wrong where the two switch differently.
    """
    if not isinstance(value, str) or not value.strip():
        return None
    at = strtotime(value, call.tables.server_zone, call.now)
    if at is None or not is_showable(at):
        return None
    on_date = offset_s(call.caller_zone, at) - offset_s(call.tables.server_zone, at)
    return float(at + now_offset_s(call) - on_date)


def shown_moment(call: Call, at: float | None) -> str:
    """Return a unix time as ISO 8601 in the server zone, "" for none."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at, zone(call.tables.server_zone)).isoformat()
