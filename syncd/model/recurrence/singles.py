"""An entry as single occurrences within a window, for places that know no series: one piece for each occurrence.

Pieces of a series are named by their original start, so that a change of one touches no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from syncd.errors import message_of
from syncd.lang.saying import say, say_count
from syncd.model.became import Became
from syncd.model.entry import AllDay, Entry, Problem, Recurrence, Window
from syncd.model.recurrence import rfc
from syncd.model.recurrence.compile import HORIZON, MOST_PIECES
from syncd.model.recurrence.occurrences import Occurrences, expand, last_day, start_of
from syncd.model.recurrence.piece import Compiled, Piece
from syncd.model.recurrence.rrule import RuleError, parse
from syncd.model.recurrence.wall import as_date, as_datetime, day_seconds

_FAR_YEARS = 20
_LAST_YEAR = 9000


def single_pieces(entry: Entry, *, window: Window, today: date) -> Compiled:
    """Return the occurrences of `entry` that touch `window`, in order.

    An endless series in a window without an end is followed to `today` plus two years. A series that cannot be read,
    fires too often, or would become more than 2,000 pieces gives one problem of kind "rejected" and no pieces.
    """
    if entry.recurrence is None and not entry.overrides:
        piece = Piece(id="", span=entry.span, rule=None, details=entry.details, where=entry.where)
        return Compiled(pieces=(piece,) if _touches(window, piece) else (), summary=None, problems=())
    try:
        found, last = _expanded(entry, window, today)
    except RuleError as error:
        return _rejected(
            entry,
            say("the recurrence rule cannot be used: {error}; correct RRULE in the source", error=message_of(error)),
        )
    except rfc.TooOftenError:
        return _rejected(
            entry, say("the recurrence rule fires too often; use a rarer one or give it an end (UNTIL, COUNT)")
        )
    pieces = sorted(_pieces(entry, found, window, last), key=lambda piece: (start_of(piece.span), piece.id))
    if len(pieces) > MOST_PIECES:
        reason = say_count(
            "the entry would become {count} single item, more than {most_pieces}; narrow the window",
            "the entry would become {count} single items, more than {most_pieces}; narrow the window",
            len(pieces),
            most_pieces=MOST_PIECES,
        )
        return _rejected(entry, reason)
    warnings = tuple(
        Problem(where=entry.where, kind="warning", key=entry.uid, reason=reason) for reason in found.warnings
    )
    return Compiled(pieces=tuple(pieces), summary=Became((), 0, 0, 0, len(pieces), alone=True), problems=warnings)


def _rejected(entry: Entry, reason: str) -> Compiled:
    problem = Problem(where=entry.where, kind="rejected", key=entry.uid, reason=reason)
    return Compiled(pieces=(), summary=None, problems=(problem,))


def _expanded(entry: Entry, window: Window, today: date) -> tuple[Occurrences, date]:
    """Return all occurrences and the last day that counts."""
    recurrence = entry.recurrence or Recurrence()
    rules = tuple(parse(text) for text in recurrence.rules)
    last = window.last or today + HORIZON
    start = as_date(start_of(entry.span))
    if start.year >= _LAST_YEAR:
        raise RuleError(say("the series begins beyond the year {last_year}", last_year=_LAST_YEAR))
    named = (override.at.wall.date() for override in entry.overrides)  # one from beyond may be moved into the window
    moved = (day for day in named if day.year <= max(last.year, start.year) + _FAR_YEARS)
    horizon = day_seconds(min(max(last, start, *moved), date(_LAST_YEAR, 1, 1)) + timedelta(days=2))
    return expand(entry, recurrence, rules, horizon=horizon, far=horizon), last


def _pieces(entry: Entry, found: Occurrences, window: Window, last: date) -> Iterator[Piece]:
    starts = {start for one in found.rules for start in one.starts} | set(found.extra)
    for original in sorted(starts - found.removed):
        group = found.groups[found.group_of(original)]
        piece = Piece(
            id=_name(entry, original),
            span=group.span_at(original),
            rule=None,
            details=group.details,
            where=group.where,
        )
        if _touches(window, piece) and as_date(start_of(piece.span)) <= last:
            yield piece
    yield from _alone(entry, found, window)


def _alone(entry: Entry, found: Occurrences, window: Window) -> Iterator[Piece]:
    """Yield changed occurrences, and RDATEs with a length of their own."""
    for single in found.singles:
        piece = Piece(
            id=_name(entry, single.original), span=single.span, rule=None, details=single.details, where=single.where
        )
        if _touches(window, piece):
            yield piece


def _touches(window: Window, piece: Piece) -> bool:
    return window.touches(as_date(start_of(piece.span)), last_day(piece.span))


def _name(entry: Entry, original: int) -> str:
    return as_datetime(original).strftime("%Y%m%d" if isinstance(entry.span, AllDay) else "%Y%m%dT%H%M")
