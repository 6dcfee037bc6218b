"""What is known of one calendar, and what a round of a delta query changes of it. Pure.

A round lists masters, occurrences and exceptions of series, single events, and what was removed. It says nothing of
an occurrence that was deleted: the series is sent again without it. So the first row of a series in a round takes away
what was listed of that series in the same days.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import blake2b

import msgspec
from msgspec import UNSET, UnsetType

from syncd.model.recurrence.wall import DAY, day_seconds, seconds
from syncd.source.graph.graph_event import GraphEvent, GraphTime, given, merged, times_of


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """Why something is in a view no more: "deleted", "changed"."""

    reason: str = ""


class GraphRow(GraphEvent, frozen=True, kw_only=True):
    """A row of a delta query: an event as far as it is sent, or the id of one that is gone."""

    removed: Removed | UnsetType = msgspec.field(default=UNSET, name="@removed")


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The days of one delta query, the last not among them, and the link that asks for the changes since."""

    first: date
    end: date
    link: str = ""

    def holds(self, start_s: int) -> bool:
        """Return True if an event that starts then is listed in the view."""
        return day_seconds(self.first) <= start_s < day_seconds(self.end)


class KnownSeries(msgspec.Struct, kw_only=True):
    """A series: its master, the starts of its occurrences by the digest of their ids, and its exceptions by id.

    Starts are seconds of UTC, of whole days those of the day. `cancelled` are the days of cancelled occurrences, None
    where Graph does not say.
    """

    master: GraphEvent | None = None
    listed: dict[str, int] = {}
    exceptions: dict[str, GraphEvent] = {}
    cancelled: tuple[date, ...] | None = None


class KnownCalendar(msgspec.Struct, kw_only=True):
    """A calendar as it was read last, in one or several views."""

    views: tuple[View, ...] = ()
    singles: dict[str, GraphEvent] = {}
    series: dict[str, KnownSeries] = {}


@dataclass(slots=True)
class Round:
    """Takes the rows of one round into `calendar`.

    `touched` are the series whose details have to be asked for, `resent` those of which a row came that was no removal,
    `changed` tells if any row came, and `lost` if what is known was removed.
    """

    calendar: KnownCalendar
    view: View
    touched: set[str] = field(default_factory=set)
    resent: set[str] = field(default_factory=set)
    changed: bool = False
    lost: bool = False

    def take(self, rows: Iterable[GraphRow]) -> None:
        """Take some rows, in their order: an event may be sent several times, the last time as it is."""
        for row in rows:
            self.changed = True
            if row.removed is not UNSET:
                self._remove(row.id)
                continue
            event = msgspec.structs.replace(row, removed=UNSET)
            master = given(row.series_master_id, "")
            match self._type(row, master):
                case "seriesMaster":
                    self._master(event)
                case "occurrence":
                    self._occurrence(event, master)
                case "exception":
                    self._exception(event, master)
                case _:
                    self.calendar.series.pop(event.id, None)
                    self.calendar.singles[event.id] = merged(self.calendar.singles.get(event.id), plain(event))

    def _type(self, row: GraphRow, master: str) -> str:
        """Return what a row is; an update that does not say so is what is known under its id."""
        if isinstance(row.type, str):
            return row.type if master or row.type in ("seriesMaster", "singleInstance") else "singleInstance"
        if row.id in self.calendar.series:
            return "seriesMaster"
        return "exception" if master and row.subject is not UNSET else "occurrence" if master else "singleInstance"

    def _master(self, event: GraphEvent) -> None:
        series = self._touch(event.id)
        self.calendar.singles.pop(event.id, None)
        series.master = merged(series.master, plain(event))

    def _occurrence(self, event: GraphEvent, master: str) -> None:
        series = self._touch(master)
        series.exceptions.pop(event.id, None)
        start = start_of(event)
        if start is not None:
            series.listed[digest_of(event.id)] = start

    def _exception(self, event: GraphEvent, master: str) -> None:
        series = self._touch(master)
        series.listed.pop(digest_of(event.id), None)
        series.exceptions[event.id] = merged(series.exceptions.get(event.id), plain(event))

    def _touch(self, master: str) -> KnownSeries:
        series = self.calendar.series.setdefault(master, KnownSeries())
        self.touched.add(master)
        if master not in self.resent:
            self.resent.add(master)
            series.listed = {one: start for one, start in series.listed.items() if not self.view.holds(start)}
            series.exceptions = {one: event for one, event in series.exceptions.items() if not self._holds(event)}
        return series

    def _holds(self, event: GraphEvent) -> bool:
        start = start_of(event)
        return start is None or self.view.holds(start)

    def _remove(self, gone: str) -> None:
        """Remove whatever has this id; ids of events outside the view come as removed, too, and are not known."""
        if self.calendar.singles.pop(gone, None) is not None or self.calendar.series.pop(gone, None) is not None:
            self.lost = True
            self.touched.discard(gone)
            self.resent.discard(gone)
            return
        digest = digest_of(gone)
        for master, series in self.calendar.series.items():
            listed = series.listed.pop(digest, None)
            exception = series.exceptions.pop(gone, None)
            if listed is not None or exception is not None:
                self.touched.add(master)
                return


def digest_of(identity: str) -> str:
    """Return a short name for an id: those of occurrences have some 150 characters, and there are thousands."""
    return blake2b(identity.encode(), digest_size=9).hexdigest()


def start_of(event: GraphEvent) -> int | None:
    """Return when an event starts in seconds of UTC, None if it does not say so in a way that can be read."""
    try:
        return seconds(given(event.start, GraphTime()).wall(whole_days=False))
    except ValueError:
        return None


def length_days(event: GraphEvent) -> int:
    """Return the number of days that an event may last at most, at least 1."""
    try:
        begin, end = times_of(event)
    except ValueError:
        return 1
    return max(1, -(-int((end - begin).total_seconds()) // DAY))


def as_of(text: str) -> date | None:
    """Return the day in an occurrenceId ("OID.AAMk...=.2026-12-08"), None if there is none."""
    try:
        return date.fromisoformat(text.rpartition(".")[2][:10])
    except ValueError:
        return None


def instant_of(text: str) -> datetime | None:
    """Return an originalStart ("2026-12-08T06:00:00Z") naive in UTC, None if there is none."""
    try:
        return datetime.fromisoformat(text.removesuffix("Z")[:19]) if text else None
    except ValueError:
        return None


def plain(event: GraphEvent) -> GraphEvent:
    """Return a row as the event that it holds."""
    return GraphEvent(**{name: getattr(event, name) for name in GraphEvent.__struct_fields__})
