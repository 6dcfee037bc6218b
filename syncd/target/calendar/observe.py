"""Reads calendar events back and says what a person changed in them.

It lists by section and month: a listing without bounds is slow. The rows of a series are expanded wrongly
(PORTAL.md 4.7, 4.8), so a series is read by the id of its master. An event that no listing has is asked for by its id
before it counts as gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, cast

import msgspec

from syncd.errors import PortalUnreachableError
from syncd.lang.saying import say
from syncd.model.as_sent import MANY, EventsOfLinks
from syncd.model.entry import Window
from syncd.model.evidence import split_mark, stamp_of, whole_number
from syncd.model.item import CALENDAR_KINDS, Item, Link, Observed, Place
from syncd.model.json_values import Json, PackedFields, packed_fields
from syncd.model.rule import WEEKDAYS, NativeRule, Weekday
from syncd.portal.line.remedies import unread
from syncd.portal.line.shapes import rows_of
from syncd.portal.line.wire import Command, Done, Reply
from syncd.portal.reader import PageReader
from syncd.target.calendar.portal_event import MASKED, MEETING_FLAGS, NO_END, EventFields, Meeting, to_fields

GET, GETBYID = "calendar.event.get", "calendar.event.getbyid"
_MINUTES = {"min": 1, "hour": 60, "day": 1440}
_FIRST_DAY, _LAST_DAY = date(1, 1, 2), date(9999, 11, 29)
_MOST_MONTHS = 4_800
_LISTINGS_AT_ONCE = 50
_TIMES_TO_SAY_NO = 2
_MOST_OFTEN = 20_000
_BORN_LENGTH = len("20261201T060000Z-")
"""So much of DAV_XML_ID tells the start with which an event was made (`model.evidence.beginning`)."""

Days = tuple[date | None, date | None]
"""The first and the last day to be read, both None where there is nothing to look for."""


class _RuleRow(msgspec.Struct, rename="upper"):
    freq: str = ""
    interval: Any = 1
    byday: Any = None
    count: Any = None
    until_ts: Any = None


class _EventRow(msgspec.Struct, rename="upper"):
    """The columns of PORTAL.md 4.6 that syncd believes; everything else about a row is left aside."""

    id: int | str
    name: str | None = None
    description: Any = msgspec.UNSET
    location: Any = None
    dt_skip_time: str = "N"
    date_from_formatted: str = ""
    date_to_formatted: str = ""
    tz_from: str | None = None
    tz_to: str | None = None
    rrule: Any = None
    exdate: Any = None
    color: Any = None
    accessibility: Any = None
    importance: Any = None
    private_event: Any = None
    remind: Any = None
    is_meeting: Any = None
    meeting_host: Any = None
    meeting: Any = None
    uf_crm_cal_event: Any = None
    attendee_list: Any = None
    created_by: Any = None
    section_id: Any = None
    version: Any = None
    cal_type: Any = None
    owner_id: Any = None
    date_create: Any = None
    dav_xml_id: Any = None
    is_accessible_to_user: Any = None
    recurrence_id: Any = None


class Reading:
    """One look at the portal: the events of some links, and what else the listings of sections show.

    A row has sixty columns, and a portal may hold 100,000 of ours: all rows together take ten times the memory of what
    is believed of them. So each is made small as it arrives. Of two rows with one id the later listing counts,
    whichever arrives first.
    """

    def __init__(self, portal: PageReader, links: Sequence[Link]) -> None:
        self.events: MutableMapping[int, Observed] = {}
        self.parts: set[int] = set()
        """Linked ids at which a detached occurrence or an attendee's copy stands."""
        self._portal = portal
        self._links = {link.remote_id: link for link in links}
        if len(links) >= MANY:
            self.events = EventsOfLinks(self._links)
        self._listing: dict[int, int] = {}
        self._often: dict[str, str] = {}
        """Starts and stamps that were seen lately, so that equal ones are kept once."""
        self._series: dict[int, Place] = {}
        """Ids that have to be read by themselves, each with the calendar in whose listing it stands."""

    async def list_sections(self, places: Iterable[tuple[Place, int]], days: Days) -> None:
        """Read what stands in the sections `places` on `days`.

        Raises the client's errors, and PortalUnreachableError if a listing gets no usable answer: absence has to be
        proved.
        """
        calendars: defaultdict[Place, list[int]] = defaultdict(list)
        for calendar, section_id in places:
            calendars[calendar].append(section_id)
        asked = [(calendar, one) for calendar, own in calendars.items() for one in _listings(calendar, own, days)]

        def take(number: int, reply: Reply) -> None:
            for row in rows_of(_result(reply)):
                self._add(number, asked[number][0], row)

        await self._portal.read_each([command for _, command in asked], take)

    def _add(self, listing: int, calendar: Place, row: Json) -> None:
        """Take in a row of the answer to the listing with that number."""
        remote_id = whole_number(row.get("ID")) if isinstance(row, Mapping) else 0
        if not remote_id or self._listing.get(remote_id, listing) > listing:
            return
        if (link := self._links.get(remote_id)) is not None:
            remote_id = link.remote_id  # the same number, kept once
        self._listing[remote_id] = listing
        if _needs_master(row):
            self._forget(remote_id)
            self._series[remote_id] = calendar
        else:
            self._put(remote_id, calendar, row)

    async def ask_by_id(self) -> frozenset[int]:
        """Read what no listing has shown as it is, one by one; return the linked ids that do not exist.

        Null is the portal's word for "not there" (PORTAL.md 4.5), and something is made again because of it. So it has
        to say so twice. Raises the client's errors, and PortalUnreachableError for an answer that cannot be used and
        for an event that is listed and not there.
        """
        series = dict(self._series)
        asked: list[int] = []
        unknown = [*sorted(series), *sorted(one for one in self._links if one not in self._listing)]

        def take(number: int, reply: Reply) -> None:
            row, remote_id = _result(reply), asked[number]
            if not isinstance(row, Mapping) or row.get("DELETED") == "Y":  # some may show a deleted one, and call it so
                unknown.append(remote_id)
                return
            self._put(remote_id, series[remote_id] if remote_id in series else self._links[remote_id].key.place, row)

        for _ in range(_TIMES_TO_SAY_NO):
            asked, unknown = unknown, []
            await self._portal.read_each([Command(method=GETBYID, params={"id": one}) for one in asked], take)
            unknown.sort()
        if there := [one for one in unknown if one in series]:
            # Deleted this very moment, or not told: neither is a reason to make it again.
            raise PortalUnreachableError(
                say("event {remote_id} is listed but cannot be read", remote_id=min(there)),
                say("the next pass tries again"),
            )
        return frozenset(unknown)

    def _put(self, remote_id: int, calendar: Place, row: Json) -> None:
        """Take in a row that shows the whole event, in place of what was known of that id."""
        if remote_id in self._listing:
            self._forget(remote_id)
        self._listing.setdefault(remote_id, 0)
        seen = read_event(calendar, row)
        link = self._links.get(remote_id)
        if seen is not None:
            if len(self._often) > _MOST_OFTEN:
                self._often.clear()
            self.events[remote_id] = _small(seen, link, self._often.setdefault)
        elif link is not None and is_part(row):
            self.parts.add(remote_id)

    def _forget(self, remote_id: int) -> None:
        self.events.pop(remote_id, None)
        self._series.pop(remote_id, None)
        self.parts.discard(remote_id)


def _small(seen: Observed, link: Link | None, share: Callable[[str, str], str]) -> Observed:
    """Return `seen`, sharing with `link` what is equal: nearly all events are as they were sent.

    `share` returns the same text for equal ones.
    """
    packed = packed_fields(seen.fields)
    # A struct at run time (model/bulk.py), and `dataclasses.replace` takes ten times as long.
    changed: Callable[..., Observed] = partial(msgspec.structs.replace, cast(Any, seen))
    if link is None:
        return changed(fields=packed)
    start, stamp, born = seen.start, seen.stamp, seen.born[:_BORN_LENGTH]
    sent = link.sent
    # By their texts alone: comparing the values would unpack both, and what is unpacked stays.
    is_same = isinstance(packed, PackedFields) and isinstance(sent, PackedFields) and packed.text == sent.text
    return changed(
        remote_id=link.remote_id if seen.remote_id == link.remote_id else seen.remote_id,
        section_id=link.section_id if seen.section_id == link.section_id else seen.section_id,
        fields=sent if is_same else packed,
        place=link.key.place if seen.place == link.key.place else seen.place,
        title=link.title if seen.title == link.title else seen.title,
        start=link.start if start == link.start else share(start, start),
        stamp=link.stamp if stamp == link.stamp else share(stamp, stamp),
        born="" if link.stamp else share(born, born),  # it tells whose an event is where nothing else does
    )


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


def _result(reply: Reply) -> Json:
    if isinstance(reply, Done):
        return reply.result
    raise unread(say("the portal's events"), reply)


def _listings(calendar: Place, section_ids: Sequence[int], days: Days) -> Iterable[Command]:
    """One listing a month; a day more on either side, because the portal's window is shifted (PORTAL.md 4.8)."""
    first, last = days
    if first is None or last is None:
        return  # nothing linked and a window without bounds: there is nothing to look for
    first, last = max(first, _FIRST_DAY), min(last, _LAST_DAY)  # the margins must not leave the calendar
    month = first.replace(day=1)
    for _ in range(_MOST_MONTHS):
        if month > last:
            return
        following = (month + timedelta(days=32)).replace(day=1)
        yield Command(
            method=GET,
            params={
                "type": calendar.kind,
                "ownerId": calendar.owner,
                "section": list(section_ids),
                "from": (max(month, first) - timedelta(days=1)).isoformat(),
                "to": min(following, last + timedelta(days=1)).isoformat(),
            },
        )
        month = following


async def stands(portal: PageReader, items: Sequence[Item]) -> bool:
    """Return True if an event in the sections and months of `items` bears the mark of one; raises the client's errors.

    Asks for as many listings as one request holds, those in which most of the items would stand. A row of a series
    tells its mark too, so no master is asked for.
    """
    days: dict[tuple[Place, int, str], list[str]] = defaultdict(list)
    for item in items:
        if item.section_id is not None:
            days[item.key.place, item.section_id, item.starts_on[:7]].append(item.starts_on)
    asked: list[Command] = []
    for place, section_id, month in sorted(days, key=lambda one: (-len(days[one]), one))[:_LISTINGS_AT_ONCE]:
        own = days[place, section_id, month]
        asked += _listings(place, [section_id], (date.fromisoformat(min(own)), date.fromisoformat(max(own))))
    marks: set[str] = set()

    def take(_number: int, reply: Reply) -> None:
        for row in rows_of(_result(reply)):
            if isinstance(row, Mapping):
                marks.add(split_mark(_text(row.get("DESCRIPTION")))[1])

    await portal.read_each(asked, take)
    return any(item.fields["mark"] in marks for item in items)


def days_to_read(links: Sequence[Link], window: Window) -> Days:
    """Return the window's bounds; where it has none, those of the links; None where there are no links either."""
    first, last = window.first, window.last
    if links and first is None:  # ISO dates: the least text is the earliest day
        first = date.fromisoformat(min(link.starts_on for link in links))
    if links and last is None:
        last = date.fromisoformat(max(max(link.starts_on, link.ends_on or "") for link in links))
    first, last = first or last, last or first
    return first, max(first, last) if first and last else last


def read_event(calendar: Place, row: Json) -> Observed | None:
    """Return one row of calendar.event.get or getbyid in our terms, None for a row that cannot be one of ours."""
    try:
        read = msgspec.convert(row, _EventRow)
        start, end = _formatted(read.date_from_formatted), _formatted(read.date_to_formatted)
        rule = _rule(read.rrule) if read.rrule else None
    except (msgspec.ValidationError, ValueError):
        return None
    if is_part(row) or read.recurrence_id not in (None, "", "0", 0):
        return None
    all_day = read.dt_skip_time == "Y"
    description, mark, ledger = split_mark(_text(read.description))
    event = EventFields(
        name=read.name or "",
        start=start.date().isoformat() if all_day else start.isoformat(),
        end=end.date().isoformat() if all_day else end.isoformat(),
        all_day=all_day,
        zone_from="" if all_day else read.tz_from or "",
        zone_to="" if all_day else read.tz_to or "",
        rule=rule,
        description=description,
        location=_text(read.location),
        color=_text(read.color).lower(),
        accessibility=_text(read.accessibility, "busy").lower(),
        importance=_text(read.importance, "normal").lower(),
        private=read.private_event in ("1", 1, True, "Y"),
        remind=_remind(read.remind) if read.remind else (),
        meeting=_meeting(read) if read.is_meeting else None,
        crm=tuple(str(one) for one in rows_of(read.uf_crm_cal_event)),
        mark=mark,
    )
    section_id = int(read.section_id or 0)
    # With the right to titles alone nothing but the absent description says that the rest is hidden (PORTAL.md 4.5).
    masked = read.is_accessible_to_user is False or read.description is msgspec.UNSET
    return Observed(
        remote_id=int(read.id),
        place=_place(read, calendar),
        section_id=section_id,
        version=int(read.version) if read.version else None,
        fields={name: value for name, value in to_fields(event).items() if not (masked and name in MASKED)},
        mark=mark,
        ledger=ledger,
        title=event.name,
        start=event.start,
        damage=_damage(read) if read.rrule else "",
        stamp=stamp_of(read.date_create, read.created_by),
        masked=masked,
        creator=whole_number(read.created_by),
        host=whole_number(read.meeting_host),
        born=_text(read.dav_xml_id),
        answers=tuple(_answers(read).items()) if event.meeting is not None else (),
    )


def _place(read: _EventRow, asked: Place) -> Place:
    """Return the calendar that an event says it stands in, `asked` if it says none that syncd writes to."""
    kind = read.cal_type if read.cal_type in CALENDAR_KINDS else None
    owner = whole_number(read.owner_id)
    return asked if kind is None or not (owner or kind == "company_calendar") else Place(kind=kind, owner=owner)


def _damage(read: _EventRow) -> str:
    """Return which occurrences people took out of a series: no EXDATE is ours, and REST undoes none (PORTAL.md 4.4)."""
    dates = str(read.exdate or "").strip("; ")
    return say("occurrences taken out of the series: {dates}", dates=tuple(dates.split(";"))) if dates else ""


def _text(value: Json, otherwise: str = "") -> str:
    """Return a text; what is empty varies between null, "", [] and false (PORTAL.md 4.6)."""
    return value if isinstance(value, str) and value else otherwise


def _formatted(text: str) -> datetime:
    """Read DATE_*_FORMATTED: always English, with or without a time (PORTAL.md 4.6)."""
    parts = text.split()
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec").index(parts[1]) + 1
    hour, minute, second = (int(part) for part in (parts[4] if len(parts) > 4 else "00:00:00").split(":"))
    return datetime(int(parts[3]), month, int(parts[2]), hour, minute, second)


def _rule(value: Json) -> NativeRule | None:
    if not isinstance(value, Mapping) or not value:
        return None
    read = msgspec.convert(value, _RuleRow)
    days = rows_of(read.byday) if not isinstance(read.byday, str) else read.byday.split(",")
    byday: tuple[Weekday, ...] = tuple(one for one in WEEKDAYS if one in days)
    until: date | None = None
    count = int(read.count or 0)
    if not count and read.until_ts:
        until = date(1970, 1, 1) + timedelta(seconds=int(read.until_ts))
        until = None if until == NO_END else until  # later days are kept as they were sent
    try:
        return NativeRule(
            freq=read.freq,  # type: ignore[arg-type]
            interval=int(read.interval or 1),
            byday=byday if read.freq == "WEEKLY" else (),
            count=count or None,
            until=until,
        )
    except ValueError:
        return None


def _remind(value: Json) -> tuple[int, ...]:
    minutes: set[int] = set()
    for one in rows_of(value):
        if isinstance(one, Mapping) and one.get("type") in _MINUTES:
            count = one.get("count")
            if isinstance(count, int) or (isinstance(count, str) and count.isdecimal()):
                minutes.add(int(count) * _MINUTES[str(one["type"])])
    return tuple(sorted(minutes))


def _meeting(read: _EventRow) -> Meeting | None:
    if read.is_meeting not in (True, "1", 1):
        return None
    said = read.meeting if isinstance(read.meeting, Mapping) else {}
    flags = {flag: True for flag in MEETING_FLAGS if said.get(flag.upper()) in (True, 1, "1")}
    return Meeting(attendees=tuple(sorted(_answers(read))), host=whole_number(read.meeting_host), **flags)


def _answers(read: _EventRow) -> dict[int, str]:
    """Return who is among the guests, each with the answer given."""
    people = [one for one in rows_of(read.attendee_list) if isinstance(one, Mapping)]
    return {whole_number(one["id"]): str(one.get("status") or "") for one in people if str(one.get("id")).isdecimal()}
