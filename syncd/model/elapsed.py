"""How long ago something was done, by clocks that nobody can set. Pure.

Between two processes, somebody may set the calendar clock of a machine by hours, and a wait would seem to be over. So
each unix time is noted with how this clock stood against two others: the seconds since the machine was started, which
count as long as it runs, and the portal's clock, which is asked if the machine has been restarted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

_SAME_S = 1.0
_MOST_NOTED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One moment by several clocks, in seconds: unix time here and in the portal, and the time since the start `boot`.

    `portal` is None while its clock is not known, `boot` is "" if the machine does not tell its starts apart.
    """

    wall: float
    boot: str
    uptime: float
    portal: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockNote:
    """How the calendar clock stood against the others: ahead of the uptime, and behind the portal's clock."""

    boot: str
    ahead_of_uptime_s: float
    behind_portal_s: float | None = None


def noted(notes: Sequence[ClockNote], now: Moment) -> tuple[ClockNote, ...]:
    """Return `notes` with how the clocks stand now, or unchanged if one of the notes says so already.

    Each time a clock is set there is one note more. If there are too many, only the last are kept.
    """
    portal = None if now.portal is None else now.portal - now.wall
    fresh = ClockNote(boot=now.boot, ahead_of_uptime_s=now.wall - now.uptime, behind_portal_s=portal)
    for index, note in enumerate(notes):
        if note.boot == fresh.boot and abs(note.ahead_of_uptime_s - fresh.ahead_of_uptime_s) < _SAME_S:
            if portal is None or note.behind_portal_s is not None:
                return tuple(notes)
            return (*notes[:index], replace(note, behind_portal_s=portal), *notes[index + 1 :])
    return (*notes, fresh)[-_MOST_NOTED:]


def elapsed_s(since: float, notes: Sequence[ClockNote], now: Moment) -> float:
    """Return how many seconds have certainly passed since the calendar clock said `since`, 0 if that is not certain.

    The clock may have stood as any of `notes` says, so the shortest time counts. Without notes only that clock is left.
    """
    if not notes:
        return max(0.0, now.wall - since)
    return max(0.0, min(_by_one(since, note, now) for note in notes))


def _by_one(since: float, note: ClockNote, now: Moment) -> float:
    if note.boot and note.boot == now.boot:
        return now.uptime - (since - note.ahead_of_uptime_s)
    if note.behind_portal_s is not None and now.portal is not None:
        return now.portal - (since + note.behind_portal_s)
    return 0.0
