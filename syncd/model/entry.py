"""What a source holds, in the terms of RFC 5545: wall time plus zone, exclusive ends, rules kept as given.

A source turns bytes into these values and nothing else; a target decides what the portal can hold of them.
"""

from __future__ import annotations

import re
from abc import ABCMeta
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal, TypeVar, overload

import msgspec

from syncd.model.bulk import bulk_dataclass

T = TypeVar("T")
R = TypeVar("R")


@bulk_dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A span with times: naive wall clock plus an IANA zone name for each end.

    Raises ValueError when a wall clock carries a tzinfo. Whether the end comes after the start is checked by the
    source, which can name the line.
    """

    start: datetime
    end: datetime
    zone: str
    end_zone: str

    def __post_init__(self) -> None:
        if self.start.tzinfo is not None or self.end.tzinfo is not None:
            raise ValueError("a span keeps naive wall clock times beside their zones")


@dataclass(frozen=True, slots=True, kw_only=True)
class AllDay:
    """A span of whole days, `end` exclusive as in RFC 5545; raises ValueError when it is empty."""

    first: date
    end: date

    def __post_init__(self) -> None:
        if isinstance(self.first, datetime) or isinstance(self.end, datetime):
            raise ValueError("whole days are dates, not times")  # noqa: TRY004 - a value error to every caller
        if self.end <= self.first:
            raise ValueError("a span of whole days holds at least one day")

    @property
    def days(self) -> int:
        """Number of days, at least 1."""
        return (self.end - self.first).days


Span = Timed | AllDay


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Names one occurrence (EXDATE, RECURRENCE-ID): a wall clock and its IANA zone, or a date when `zone` is None.

    `wall` is naive; for a date it is midnight.
    """

    wall: datetime
    zone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """RRULE, RDATE and EXDATE as the source gave them.

    `rules` are RRULE values without the property name ("FREQ=WEEKLY;BYDAY=MO"); `rdates` carry their own length.
    """

    rules: tuple[str, ...] = ()
    rdates: tuple[Span, ...] = ()
    exdates: tuple[Moment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """A reminder `before` the start (not negative), as VALARM's relative trigger."""

    before: timedelta


Status = Literal["", "CONFIRMED", "TENTATIVE", "CANCELLED"]
Classification = Literal["", "PUBLIC", "PRIVATE", "CONFIDENTIAL"]


class _SequenceStruct(msgspec.StructMeta, ABCMeta):
    """The metaclass of a struct that is a Sequence."""


class Cells(msgspec.Struct, Sequence[tuple[str, str]], metaclass=_SequenceStruct, frozen=True, eq=False, gc=False):
    """The cells of a row with their titles. It equals a tuple of pairs, and prints as one.

    All rows of a table share one tuple of `titles`, and pairs are made only when asked for: the pairs of a hundred
    thousand rows would take 40 MB. The garbage collector does not look at them (model/bulk.py).
    """

    titles: tuple[str, ...]
    values: tuple[str, ...]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return zip(self.titles, self.values, strict=True)

    def __len__(self) -> int:
        return len(self.titles)

    @overload
    def __getitem__(self, at: int) -> tuple[str, str]: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[tuple[str, str], ...]: ...

    def __getitem__(self, at: int | slice) -> tuple[str, str] | tuple[tuple[str, str], ...]:
        return tuple(self)[at]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Cells):
            return self.titles == other.titles and self.values == other.values
        return tuple(self) == other

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file of an entry: its name, without folders, and its content, or with `url` a link to it."""

    name: str
    content: bytes = field(default=b"", repr=False)
    url: str = field(default="", repr=False)


@bulk_dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Everything about an entry that is not its time.

    `owner` is whatever names the calendar's owner in the source; `attendees` and `organizer` are e-mail addresses (or
    portal ids). `reminders` is None when the source says nothing, empty when it says "none". `columns` holds every
    column of a table row by title (CSV), or the raw properties a template may use (ICS: X-...), in source order.
    `attachments` are read only where the config asks for files.
    """

    title: str
    description: str = ""
    location: str = ""
    owner: str = ""
    status: Status = ""
    transparent: bool | None = None
    classification: Classification = ""
    priority: int | None = None
    color: str = ""
    url: str = ""
    organizer: str = ""
    categories: tuple[str, ...] = ()
    attendees: tuple[str, ...] = ()
    reminders: tuple[Reminder, ...] | None = None
    columns: Sequence[tuple[str, str]] = ()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One occurrence of a series as the source changed it (RECURRENCE-ID); STATUS:CANCELLED removes it.

    `this_and_future` is RANGE=THISANDFUTURE.
    """

    at: Moment
    span: Span
    details: Details
    where: str
    this_and_future: bool = False


@bulk_dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing in the source: a VEVENT series with its overrides, or a CSV row.

    `uid` is stable across reads; `where` is what a person can find ("shifts.csv:14", "team.ics:120").
    """

    uid: str
    where: str
    details: Details
    span: Span
    recurrence: Recurrence | None = None
    overrides: tuple[Override, ...] = ()


_NAMELESS = re.compile(r"(?:row|content)-[0-9a-f]{20}(?:-\d+)?")


def is_nameless(uid: str) -> bool:
    """Return True for a uid that was made from the row's content, because the row has no id."""
    return _NAMELESS.fullmatch(uid) is not None


def file_of(where: str) -> str:
    """Return the file in the place of an entry."""
    return where.rpartition(":")[0]


ProblemKind = Literal["rejected", "held", "skipped", "conflict", "incomplete", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One line a person can act on: where, which key and title if known, what is wrong and the remedy in `reason`."""

    where: str
    kind: ProblemKind
    reason: str
    key: str | None = None
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All entries read in one go.

    `complete` is true only when absence may be trusted; otherwise `incomplete_because` says why not. `rejected_uids`
    are entries that stand in the source but could not be used: they are not absent. `changed_marker` is an opaque
    token that differs whenever the bytes read differ. `assumed` says what was taken for granted, such as an encoding.
    `unnamed` are, of an incomplete one, title and owner of the entries that could not be used and have no uid, the
    owner as the source writes it ("": not known); None if more than these may be missing, or one of them has no title.
    Many `entries` may be read again each time that somebody goes through them (`Again`).
    """

    # Without repr: asyncio in debug mode shows the results of futures, and 100,000 entries take seconds.
    entries: Sequence[Entry] = field(repr=False)
    problems: tuple[Problem, ...] = ()
    complete: bool = True
    incomplete_because: str = ""
    rejected_uids: frozenset[str] = field(default_factory=frozenset)
    changed_marker: str = ""
    assumed: tuple[str, ...] = ()
    unnamed: frozenset[tuple[str, str]] | None = None


@dataclass(slots=True, eq=False, repr=False)
class Again(Sequence[T]):
    """A sequence of `number` values that are worked out again whenever somebody goes through it, so it is never kept.

    `begin` returns an iterator of them. Going through it may take long, and may raise what `begin` raises.
    """

    number: int
    begin: Callable[[], Iterator[T]]

    def __iter__(self) -> Iterator[T]:
        return self.begin()

    def __len__(self) -> int:
        return self.number

    @overload
    def __getitem__(self, at: int) -> T: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[T, ...]: ...

    def __getitem__(self, at: int | slice) -> T | tuple[T, ...]:
        return tuple(self)[at]


def telling(values: Generator[T, None, R], tell: Callable[[R], object]) -> Iterator[T]:
    """Yield all `values`, and then call `tell` with what their generator returns."""
    tell((yield from values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Days from `first` to `last`, both inclusive; None means unbounded on that side.

    Raises ValueError when `last` lies before `first`.
    """

    first: date | None
    last: date | None

    def __post_init__(self) -> None:
        if self.first is not None and self.last is not None and self.last < self.first:
            raise ValueError("a window ends on or after the day it begins")

    def touches(self, first: date, last: date | None) -> bool:
        """Return True if anything from `first` to `last` (inclusive; None = without end) falls into the window."""
        begins_in_time = self.last is None or first <= self.last
        ends_in_time = self.first is None or last is None or last >= self.first
        return begins_in_time and ends_in_time
