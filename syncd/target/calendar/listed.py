"""What the listings of events show, each row made small as it arrives.

A row has sixty columns, and a portal may hold 100,000 of ours: all rows together take ten times the memory of what is
believed of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from syncd.model.item import Link, Observed, Place
from syncd.model.json_values import Fields, Json, PackedFields, packed_fields
from syncd.model.stamp import whole_number
from syncd.portal.line.shapes import rows_of

RowReader = Callable[[Place, Json], Observed | None]


class Listed:
    """The events of the listings so far, and what is known of rows that cannot be read by themselves.

    `read` turns a row into an event, None for one that cannot be ours. Of two rows with one id the later listing
    counts, whichever arrives first.
    """

    def __init__(self, links: Sequence[Link], read: RowReader) -> None:
        self.links = {link.remote_id: link for link in links}
        self.events: dict[int, Observed] = {}
        self.series: dict[int, Place] = {}
        """Ids that have to be read by themselves, each with the calendar in whose listing it stands."""
        self.parts: set[int] = set()
        """Linked ids at which a detached occurrence or an attendee's copy stands."""
        self._listing: dict[int, int] = {}
        self._read = read

    def add(self, listing: int, calendar: Place, rows: Json) -> None:
        """Take in the rows of the answer to the listing with that number."""
        for row in rows_of(rows):
            remote_id = _remote_id(row)
            if remote_id is None or self._listing.get(remote_id, listing) > listing:
                continue
            self._listing[remote_id] = listing
            if _needs_master(row):
                self._forget(remote_id)
                self.series[remote_id] = calendar
            else:
                self.put(remote_id, calendar, row)

    def put(self, remote_id: int, calendar: Place, row: Json) -> None:
        """Take in a row that shows the whole event, in place of what was known of that id."""
        if remote_id in self._listing:
            self._forget(remote_id)
        self._listing.setdefault(remote_id, 0)
        seen = self._read(calendar, row)
        link = self.links.get(remote_id)
        if seen is not None:
            self.events[remote_id] = _small(seen, link)
        elif link is not None and is_part(row):
            self.parts.add(remote_id)

    def missing(self) -> list[int]:
        """Return the linked ids that no listing has shown."""
        return sorted(self.links.keys() - self._listing.keys())

    def _forget(self, remote_id: int) -> None:
        self.events.pop(remote_id, None)
        self.series.pop(remote_id, None)
        self.parts.discard(remote_id)


def _small(seen: Observed, link: Link | None) -> Observed:
    """Return `seen`, sharing with `link` what is equal: nearly all events are as they were sent."""
    packed = packed_fields(seen.fields)
    if link is None:
        return replace(seen, fields=packed)
    sent = link.sent
    return replace(
        seen,
        fields=sent if _same_text(packed, sent) else packed,
        place=link.key.place if seen.place == link.key.place else seen.place,
        title=link.title if seen.title == link.title else seen.title,
        start=link.start if seen.start == link.start else seen.start,
        stamp=link.stamp if seen.stamp == link.stamp else seen.stamp,
        born="" if link.stamp else seen.born,  # it tells whose an event is where nothing else does
    )


def _same_text(one: Fields, other: Fields) -> bool:
    # By the text alone: comparing the values would unpack both, and what is unpacked stays.
    return isinstance(one, PackedFields) and isinstance(other, PackedFields) and one.text == other.text


def _remote_id(row: Json) -> int | None:
    value = row.get("ID") if isinstance(row, Mapping) else None
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else None


def _needs_master(row: Json) -> bool:
    """Return True for a row of a series, or one that does not say whether it is: null is no word for "no rule"."""
    return isinstance(row, Mapping) and row.get("RRULE") != ""


def is_part(row: Json) -> bool:
    """Return True for a detached occurrence or an attendee's copy, which belongs to another event."""
    if not isinstance(row, Mapping):
        return False
    # By numbers only: a value of another kind says nothing about whose the event is.
    return whole_number(row.get("RECURRENCE_ID")) > 0 or whole_number(row.get("PARENT_ID")) not in (
        0,
        whole_number(row.get("ID")),
    )
