"""What groups of events became, packed small: for the next reading, the next process, and between two processes.

An entry takes some 20 bytes this way, and a thirtieth of the time of parsing. A packed group holds no line numbers
unless its problems quote them, so that an event that moved within its file is still the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from sys import intern
from typing import cast

import msgspec
from msgspec.structs import astuple, fields, force_setattr

from syncd.lang.saying import Saying, restored, stored
from syncd.model.encoding import packed
from syncd.model.entry import AllDay, Details, Entry, Moment, Override, Problem, ProblemKind, Recurrence, Span, Timed
from syncd.source.ical.group_result import GroupResult, Unusual

KEY_BYTES = 16
_LEVEL = 1
_DEFECT = "a defect of syncd: "  # see log.entry_crashed
_DETAILS = tuple((one.name, one.default) for one in fields(cast(type[msgspec.Struct], Details)))


class _Span(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Start and end with their zones, or the days of a span of whole days."""

    times: tuple[datetime, datetime, str, str] | None
    days: tuple[date, date] | None = None


class _Override(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An override; `member` says which of the group's components it is."""

    member: int
    details: Details
    span: _Span
    at: tuple[datetime, str | None]
    this_and_future: bool


class _Recurrence(msgspec.Struct, frozen=True, array_like=True, gc=False):
    rules: tuple[str, ...]
    rdates: tuple[_Span, ...]
    exdates: tuple[tuple[datetime, str | None], ...]


class _Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An entry; `uid` is "" if it goes by the UID of its group."""

    uid: str
    member: int
    details: Details
    span: _Span
    recurrence: _Recurrence | None = None
    overrides: tuple[_Override, ...] = ()


class _Problem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    where: str
    kind: ProblemKind
    reason: str
    key: str | None
    title: str


class _Unusual(msgspec.Struct, frozen=True, array_like=True, gc=False):
    loose: tuple[_Override, ...]
    incomplete: str


class PackedGroup(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a group became; `lines` are where its components stood if anything but entries tells of these."""

    entries: tuple[_Entry, ...]
    sequence: int
    lines: tuple[int, ...] = ()
    problems: tuple[_Problem, ...] = ()
    rejected: tuple[str, ...] = ()
    unusual: _Unusual | None = None

    def result(self, uid: str, name: str, lines: tuple[int, ...]) -> GroupResult | None:
        """Return what the group `uid` of the file `name` became, its components being at `lines`.

        None if it must be read again, because problems quote lines and these are others now.
        """
        if self.lines and self.lines != lines:
            return None
        if len(self.entries) == 1 and not (self.problems or self.rejected or self.unusual):  # nearly always
            return GroupResult(lines=lines, entry=_entry_of(self.entries[0], uid, name, lines), sequence=self.sequence)
        entries = tuple(_entry_of(one, uid, name, lines) for one in self.entries)
        return GroupResult(
            lines=lines,
            entry=entries[0] if entries else None,
            problems=tuple(_problem_of(one) for one in self.problems),
            rejected=self.rejected,
            sequence=self.sequence,
            unusual=_unusual_of(self.unusual, entries, name, lines) if self.unusual is not None else None,
        )


class Block(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Some packed groups and their keys, `KEY_BYTES` each."""

    keys: bytes
    packed: bytes

    def __len__(self) -> int:
        return len(self.keys) // KEY_BYTES

    def each(self) -> Iterator[tuple[bytes, PackedGroup | None]]:
        """Yield the keys and groups; raises ValueError if this is not what `pack` made."""
        starts = range(0, len(self.keys), KEY_BYTES)
        for start, group in zip(starts, unpack(self.packed), strict=True):
            yield self.keys[start : start + KEY_BYTES], group


_GROUPS = msgspec.msgpack.Decoder(list[PackedGroup | None])


def pack(groups: Sequence[PackedGroup | None]) -> bytes:
    """Return groups as bytes."""
    return zlib.compress(packed(groups), _LEVEL)


def unpack(packed: bytes) -> list[PackedGroup | None]:
    """Return the groups that `pack` was given; raises ValueError if it did not make these bytes."""
    try:
        return _GROUPS.decode(zlib.decompress(packed))
    except (zlib.error, msgspec.MsgspecError) as error:
        raise ValueError(str(error)) from None


def packed_group(result: GroupResult, uid: str, name: str) -> PackedGroup | None:
    """Return what the group `uid` of the file `name` became, ready to be packed; None if it cannot be packed.

    Bytes that are no text cannot, nor the later of two times that a clock shows twice. A defect of syncd is to be told
    each time. Such groups are read again.
    """
    members = {f"{name}:{line}": number for number, line in enumerate(result.lines)}
    unusual = result.unusual
    try:
        group = PackedGroup(
            entries=tuple(_entry(one, uid, members) for one in result.entries),
            sequence=result.sequence,
            lines=result.lines if result.problems or result.entry is None else (),
            problems=tuple(
                _Problem(one.where, one.kind, _message(one.reason), one.key, one.title) for one in result.problems
            ),
            rejected=result.rejected,
            unusual=_Unusual(tuple(_override(one, members) for one in unusual.loose), _message(unusual.incomplete))
            if unusual is not None
            else None,
        )
        packed(group)
    except (ValueError, TypeError, OverflowError, KeyError):
        return None
    return group


def _message(text: str) -> str:
    kept = stored(text)
    again = restored(kept)
    # Printed, values differ in all that may be lost: even of two times that a clock shows twice, which one it is.
    if again != text or _values(again) != _values(text) or text.startswith(_DEFECT):
        raise ValueError("it must be told again")
    return kept


def _values(text: str) -> str:
    return repr(text.values) if isinstance(text, Saying) else ""


def _entry(entry: Entry, uid: str, members: dict[str, int]) -> _Entry:
    recurrence = entry.recurrence
    return _Entry(
        "" if entry.uid == uid else entry.uid,
        members[entry.where],
        _details(entry.details),
        _span(entry.span),
        _Recurrence(recurrence.rules, tuple(map(_span, recurrence.rdates)), tuple(map(_moment, recurrence.exdates)))
        if recurrence is not None
        else None,
        tuple(_override(one, members) for one in entry.overrides),
    )


def _override(override: Override, members: dict[str, int]) -> _Override:
    details, at = _details(override.details), _moment(override.at)
    return _Override(members[override.where], details, _span(override.span), at, override.this_and_future)


def _details(details: Details) -> Details:
    """Return what differs from an event that says nothing, in the shape in which `Details` are packed."""
    said = zip(_DETAILS, astuple(cast(msgspec.Struct, details)), strict=True)
    return cast("Details", {name: value for (name, usual), value in said if value != usual})


def _span(span: Span) -> _Span:
    if isinstance(span, AllDay):
        return _Span(None, (span.first, span.end))
    return _Span((_plain(span.start), _plain(span.end), span.zone, span.end_zone))


def _moment(moment: Moment) -> tuple[datetime, str | None]:
    return _plain(moment.wall), moment.zone


def _plain(wall: datetime) -> datetime:
    if wall.fold or wall.tzinfo is not None:
        raise ValueError("what is written down has neither")
    return wall


def _entry_of(packed: _Entry, uid: str, name: str, lines: Sequence[int]) -> Entry:
    recurrence, where = packed.recurrence, f"{name}:{lines[packed.member]}"
    if recurrence is None and not packed.overrides:  # nearly always
        return Entry(uid=packed.uid or uid, where=where, details=_shared(packed.details), span=_span_of(packed.span))
    return Entry(
        uid=packed.uid or uid,
        where=where,
        details=_shared(packed.details),
        span=_span_of(packed.span),
        recurrence=Recurrence(
            rules=recurrence.rules,
            rdates=tuple(map(_span_of, recurrence.rdates)),
            exdates=tuple(Moment(wall=wall, zone=_zone(zone)) for wall, zone in recurrence.exdates),
        )
        if recurrence is not None
        else None,
        overrides=tuple(_override_of(one, name, lines) for one in packed.overrides),
    )


def _override_of(packed: _Override, name: str, lines: Sequence[int]) -> Override:
    wall, zone = packed.at
    return Override(
        at=Moment(wall=wall, zone=_zone(zone)),
        span=_span_of(packed.span),
        details=_shared(packed.details),
        where=f"{name}:{lines[packed.member]}",
        this_and_future=packed.this_and_future,
    )


def _span_of(packed: _Span) -> Span:
    if packed.times is not None:
        start, end, zone, end_zone = packed.times
        return Timed(start=start, end=end, zone=intern(zone), end_zone=intern(end_zone))
    if packed.days is None:
        raise ValueError("a span without times has days")
    return AllDay(first=packed.days[0], end=packed.days[1])


def _zone(name: str | None) -> str | None:
    return intern(name) if name is not None else None


def _shared(details: Details) -> Details:
    """Return details with texts that many events have kept once, and in the types that reading an event gives them.

    Nobody else has seen these details yet.
    """
    own = cast(msgspec.Struct, details)
    if details.description:
        force_setattr(own, "description", intern(details.description))
    if details.location:
        force_setattr(own, "location", intern(details.location))
    if details.organizer:
        force_setattr(own, "organizer", intern(details.organizer))
    if details.columns:
        force_setattr(own, "columns", tuple((intern(title), value) for title, value in details.columns))
    return details


def _problem_of(packed: _Problem) -> Problem:
    reason = restored(packed.reason)
    return Problem(where=packed.where, kind=packed.kind, reason=reason, key=packed.key, title=packed.title)


def _unusual_of(packed: _Unusual, entries: tuple[Entry, ...], name: str, lines: Sequence[int]) -> Unusual:
    loose = tuple(_override_of(one, name, lines) for one in packed.loose)
    return Unusual(entries=entries[1:], loose=loose, incomplete=restored(packed.incomplete))
