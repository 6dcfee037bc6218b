"""What series became, as plain values that outlive the process; a memory takes them up again in the next one.

A record says nothing of titles and places: a piece has these from the entry or from one of its overrides, and the
record only says from which. So the same series in another line of its file is the same series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from hashlib import blake2b

import msgspec

from syncd.model.became import Became
from syncd.model.entry import AllDay, Entry, Override, Span, Timed
from syncd.model.recurrence.conditions import Conditions, Facts
from syncd.model.recurrence.piece import Compiled, Piece
from syncd.model.rule import NativeRule


class PieceRecord(msgspec.Struct, frozen=True, array_like=True):
    """A piece; `said_by` is 0 for the entry and n for its n-th override. One of `times` and `days` is its span."""

    id: str
    times: tuple[datetime, datetime, str, str] | None
    days: tuple[date, date] | None
    rule: NativeRule | None
    said_by: int
    dated: NativeRule | None = None


class SeriesRecord(msgspec.Struct, frozen=True, array_like=True):
    """What the series `uid` became in a portal of that zone, under these conditions; `mark` is that of its entry."""

    uid: str
    mark: bytes
    portal_zone: str
    facts: Facts
    summary: Became | None
    pieces: tuple[PieceRecord, ...]

    def compiled(self, entry: Entry, portal_zone: str) -> tuple[Compiled, Conditions] | None:
        """Return what `entry` becomes and the conditions it was compiled in, None if it is another entry."""
        if self.portal_zone != portal_zone or self.mark != mark_of(entry):
            return None
        said: tuple[Entry | Override, ...] = (entry, *entry.overrides)
        pieces = tuple(_piece(one, said[one.said_by]) for one in self.pieces)
        return Compiled(pieces=pieces, summary=self.summary, problems=()), Conditions.of_facts(self.facts)


def record_of(entry: Entry, portal_zone: str, compiled: Compiled, conditions: Conditions) -> SeriesRecord | None:
    """Return the record of what `entry` became, None if it must be made each time: problems name places."""
    if compiled.problems:
        return None
    pieces = [_record(piece, (entry, *entry.overrides)) for piece in compiled.pieces]
    whole = tuple(piece for piece in pieces if piece is not None)
    if len(whole) < len(pieces):
        return None
    return SeriesRecord(
        uid=entry.uid,
        mark=mark_of(entry),
        portal_zone=portal_zone,
        facts=conditions.facts,
        summary=compiled.summary,
        pieces=whole,
    )


def mark_of(entry: Entry) -> bytes:
    """Return a mark that differs if anything about an entry differs, except where it stands."""
    overrides = tuple(replace(one, where="") for one in entry.overrides)
    return blake2b(repr(replace(entry, where="", overrides=overrides)).encode(), digest_size=16).digest()


def _record(piece: Piece, said: Sequence[Entry | Override]) -> PieceRecord | None:
    by = (n for n, one in enumerate(said) if one.details == piece.details and one.where == piece.where)
    said_by = next(by, None)
    if said_by is None:
        return None
    match piece.span:
        case Timed(start=start, end=end, zone=zone, end_zone=end_zone):
            return PieceRecord(piece.id, (start, end, zone, end_zone), None, piece.rule, said_by, piece.dated)
        case AllDay(first=first, end=last):
            return PieceRecord(piece.id, None, (first, last), piece.rule, said_by, piece.dated)


def _piece(record: PieceRecord, said: Entry | Override) -> Piece:
    span: Span
    if record.times is not None:
        start, end, zone, end_zone = record.times
        span = Timed(start=start, end=end, zone=zone, end_zone=end_zone)
    else:
        assert record.days is not None
        span = AllDay(first=record.days[0], end=record.days[1])
    return Piece(id=record.id, span=span, rule=record.rule, details=said.details, where=said.where, dated=record.dated)
