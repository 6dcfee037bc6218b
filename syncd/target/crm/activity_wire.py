"""Activities in the portal's terms: fields, calls, answers, and reading them back by their origin (PORTAL.md 6).

An update always carries LOCATION, because leaving it out clears the place in the calendar. It carries communications
and completion only if they changed, so that what people added on the card stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import blake2b
from typing import Any

import msgspec

from syncd.lang.saying import say
from syncd.model.entry import Window
from syncd.model.evidence import Stamp, whole_number
from syncd.model.item import Change, Key, Link, Observed, Place
from syncd.model.json_values import Fields, Json
from syncd.model.observation import Comparison, Observation
from syncd.portal.line.remedies import explained, meaning_of, unread
from syncd.portal.line.shapes import rows_of
from syncd.portal.line.wire import Command, Done, Refused, Reply
from syncd.portal.people.directory import Directory
from syncd.portal.people.owner_types import number_of, owner_type_of
from syncd.portal.reader import PageReader
from syncd.target.crm import extra
from syncd.target.crm.attached import count_of
from syncd.target.crm.cards import bounds, to_send

ADD, UPDATE, DELETE = "crm.activity.add", "crm.activity.update", "crm.activity.delete"
LIST, GET = "crm.activity.list", "crm.activity.get"
ORIGINATOR = "syncd"
_TYPE_IDS = {"meeting": 1, "call": 2, "custom": 6}
INCOMING, OUTGOING = 1, 2
_PLAIN, _BBCODE, _HTML = 1, 2, 3
_IDS_PER_LISTING = 50
_READABLE_ORIGIN = re.compile(r"[A-Za-z0-9_.,@-]{1,150}\Z")
_UNSEEN = frozenset({"communication", "completed", "bbcode", "origin", "version", "files"})
"""Fields that are never compared. The communication and whether it is completed are people's once an activity was made;
ORIGIN_VERSION is not given back; the drive may rename files, so only their number counts; the origin is the mark."""
_SELDOM: Mapping[str, Json] = {
    "direction": OUTGOING,
    "html": False,
    "version": "",
    "extra": {},
    "files": [],
    "file_count": [],
}
"""Fields that are left out where they say nothing, so that activities made before there were any stay as they are."""
_COLUMNS = (
    *("ID", "OWNER_ID", "OWNER_TYPE_ID", "TYPE_ID", "SUBJECT", "START_TIME", "END_TIME", "RESPONSIBLE_ID", "PRIORITY"),
    *("NOTIFY_TYPE", "NOTIFY_VALUE", "DESCRIPTION", "LOCATION", "COMPLETED", "LAST_UPDATED"),
    *("DESCRIPTION_TYPE", "DIRECTION"),
    *("ORIGINATOR_ID", "ORIGIN_ID", "CREATED", "AUTHOR_ID"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Communication:
    """How the client is met: `type` is PHONE, EMAIL, or "" for a meeting without either."""

    type: str
    value: str
    entity_type: int
    entity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityFields:
    """Every field of crm.activity.add that syncd writes. The card is part of the key.

    `start` and `end` are in ISO 8601 with offsets. `notify` is in minutes before the start, 0 for none. `extra` holds
    parameters by flat name (`extra.py`), `version` is ORIGIN_VERSION, and `files` and `file_count` are described in
    `attached.py`.
    """

    subject: str
    start: str
    end: str
    description: str = ""
    bbcode: bool = False
    location: str = ""
    priority: int = 1
    responsible: int = 0
    notify: int = 0
    completed: bool = False
    communication: Communication | None = None
    origin: str = ""
    direction: int = OUTGOING
    html: bool = False
    version: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    files: tuple[tuple[str, str], ...] = ()
    file_count: tuple[str, ...] = ()


def to_fields(activity: ActivityFields) -> Fields:
    """Return `activity` as canonical JSON values."""
    fields: Mapping[str, Json] = msgspec.to_builtins(activity)
    return {name: value for name, value in fields.items() if not _is_usual(name, value)}


def _is_usual(name: str, value: Json) -> bool:
    return name in _SELDOM and (value == _SELDOM[name] or not (value or _SELDOM[name]))


def from_fields(fields: Fields) -> ActivityFields:
    """Return the activity that `to_fields` wrote. Raises msgspec.ValidationError for anything else."""
    return msgspec.convert(fields, ActivityFields)


def origin(sync: str, key: Key) -> str:
    """Return the ORIGIN_ID: sync, uid and piece if they are plain, else a hash that no filter rewrites."""
    said = ".".join(filter(None, (sync, key.uid, key.piece)))
    if _READABLE_ORIGIN.match(said) and "." not in key.uid + key.piece:
        return said
    names = "\0".join((sync, key.uid, key.piece))
    return f"{sync}.{blake2b(names.encode(), digest_size=12).hexdigest()}"


def command(change: Change, directory: Directory, files: Json = None) -> Command:
    """Return the call that carries out `change`, with `files` as FILES unless they are None.

    Raises ValueError for an adopt, which needs no call.
    """
    match change.op:
        case "delete":
            assert change.link is not None
            return Command(method=DELETE, params={"id": change.link.remote_id}, success="true")
        case "create":
            assert change.item is not None
            kind, _, owner_type = change.key.place.kind.partition("-")
            activity = from_fields(change.item.fields)
            card: dict[str, Json] = {
                "OWNER_TYPE_ID": number_of(owner_type),
                "OWNER_ID": change.key.place.owner,
                "TYPE_ID": _TYPE_IDS[kind],
                "ORIGINATOR_ID": ORIGINATOR,
                "ORIGIN_ID": activity.origin,
            }
            said = _said(activity, None, directory, ()) | _files(files)
            return Command(method=ADD, params={"fields": card | said}, success="id")
        case "update":
            assert change.item is not None
            assert change.link is not None
            fields = _said(from_fields(change.item.fields), from_fields(change.link.sent), directory, change.fields)
            fields |= _files(files)
            return Command(method=UPDATE, params={"id": change.link.remote_id, "fields": fields}, success="true")
        case "adopt":
            raise ValueError("an adoption is noted, not sent")


def _files(files: Json) -> dict[str, Json]:
    return {} if files is None else {"FILES": files}


def _said(
    activity: ActivityFields, before: ActivityFields | None, directory: Directory, changed: Iterable[str]
) -> dict[str, Json]:
    """Return the parameters that may change. All are texts and numbers, so they can be sent in a batch."""
    notify_type, notify_value = _notify(activity.notify)
    said: dict[str, Json] = {
        "SUBJECT": activity.subject,
        "START_TIME": to_send(activity.start, directory),
        "END_TIME": to_send(activity.end, directory),
        "DESCRIPTION": activity.description,
        "DESCRIPTION_TYPE": _HTML if activity.html else _BBCODE if activity.bbcode else _PLAIN,
        "LOCATION": activity.location,
        "PRIORITY": activity.priority,
        "RESPONSIBLE_ID": activity.responsible,
        "DIRECTION": activity.direction,
        "NOTIFY_TYPE": notify_type,
        "NOTIFY_VALUE": notify_value,
        **extra.to_send(activity.extra, None if before is None else before.extra, changed),
    }
    if activity.version:
        said["ORIGIN_VERSION"] = activity.version
    if before is None or before.completed != activity.completed:
        said["COMPLETED"] = "Y" if activity.completed else "N"
    one = activity.communication
    if one is not None and (before is None or before.communication != one):
        typed = {"TYPE": one.type} if one.type else {}
        said["COMMUNICATIONS"] = [
            {"VALUE": one.value, "ENTITY_TYPE_ID": one.entity_type, "ENTITY_ID": one.entity, **typed}
        ]
    return said


def _notify(minutes: int) -> tuple[int, int]:
    """Return NOTIFY_TYPE and NOTIFY_VALUE in days, hours or minutes, whichever is the largest exact unit."""
    for kind, unit in ((3, 1440), (2, 60), (1, 1)):
        if minutes and minutes % unit == 0:
            return kind, minutes // unit
    return 0, 0


def explain(change: Change, refused: Refused) -> str:
    """Return what the portal said and, if it is known, what that means."""
    said = refused.description or refused.code or say("refused without a reason")
    return explained(said, meaning_of(ADD, refused.code, refused.description))


class _Row(msgspec.Struct, rename="upper"):
    id: int | str
    owner_id: int | str
    owner_type_id: int | str
    type_id: int | str
    subject: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    responsible_id: int | str | None = None
    priority: int | str | None = None
    notify_type: int | str | None = None
    notify_value: int | str | None = None
    description: str | None = None
    description_type: int | str | None = None
    direction: int | str | None = None
    files: Any = None
    location: str | None = None
    completed: Any = None
    last_updated: str | None = None
    originator_id: str | None = None
    origin_id: str | None = None
    created: str | None = None
    author_id: int | str | None = None


def comparison_of(sync: str, seldom: Collection[str] = ()) -> Comparison:
    """Return how the activities of a sync compare. Fields in `seldom` are compared only if the config asks for them.

    The portal adds a signature to the description. Completion is not compared, because whoever did the work says when
    it is done. Looks prove nothing, because every activity has its origin.
    """
    plainest = to_fields(ActivityFields(subject="", start="", end=""))
    return Comparison(
        sync=sync,
        defaults={
            **{name: value for name, value in plainest.items() if name not in _UNSEEN},
            **{name: _SELDOM[name] for name in seldom},
        },
        texts=frozenset({"subject", "description", "location"}),
        extended=frozenset({"description"}),
        moments=frozenset({"start", "end"}),
        mark_field="origin",
        holding=frozenset({"file_count"}),
        steady={"extra": ""},  # so only what was sent is compared
        unstored={"extra": extra.NOT_GIVEN_BACK},
    )


async def observe(
    portal: PageReader,
    links: Sequence[Link],
    window: Window | None,
    comparison: Comparison,
    extras: tuple[str, ...] = (),
    *,
    files: bool = False,
) -> Observation:
    """Read all activities of syncd within `window` (None: only `links`), and by id every link that is not among them.

    Raises the client's errors. An activity counts as gone only if the portal says so.
    """
    events: dict[int, Observed] = {}
    read = partial(read_activity, extras=extras)
    columns = (*_COLUMNS, *extra.columns(extras), *(("FILES",) if files else ()))
    if window is not None:
        for row in await portal.read_pages(LIST, _listing(window, columns)):
            seen = read(row)
            if seen is not None and seen.mark:  # a filter may have been dropped (PORTAL.md 6.4)
                events[seen.remote_id] = seen
    missing = sorted({link.remote_id for link in links} - set(events))
    if files and missing:  # a single activity does not tell its files (PORTAL.md 6.4)
        events |= await _listed(portal, missing, columns, read)
        missing = [one for one in missing if one not in events]
    gone, alien = await read_by_id(portal, missing, events, read)
    return Observation(events=events, gone=gone, comparison=comparison, alien=alien)


async def stands(portal: PageReader, origins: Sequence[str]) -> bool:
    """Return True if an activity has one of the first of `origins`. Raises the client's errors."""
    first = list(origins[:_IDS_PER_LISTING])
    wanted: dict[str, Json] = {"=ORIGINATOR_ID": ORIGINATOR, "@ORIGIN_ID": first}
    rows = await portal.read_pages(LIST, {"filter": wanted, "select": _COLUMNS, "order": {"ID": "ASC"}})
    return any(seen is not None and seen.mark in first for seen in map(read_activity, rows))


async def _listed(
    portal: PageReader, ids: Sequence[int], columns: tuple[str, ...], read: Callable[[Json], Observed | None]
) -> dict[int, Observed]:
    """Return those of the activities with these ids that a listing returns."""
    found: dict[int, Observed] = {}
    for at in range(0, len(ids), _IDS_PER_LISTING):
        wanted: dict[str, Json] = {"@ID": ids[at : at + _IDS_PER_LISTING]}
        for row in await portal.read_pages(LIST, {"filter": wanted, "select": columns, "order": {"ID": "ASC"}}):
            seen = read(row)
            if seen is not None and seen.remote_id in ids:
                found[seen.remote_id] = seen
    return found


def _listing(window: Window, columns: tuple[str, ...]) -> dict[str, Json]:
    """Return the listing of the activities of syncd that touch `window`, with a margin for the zones."""
    wanted: dict[str, Json] = {"=ORIGINATOR_ID": ORIGINATOR}
    wanted |= bounds(window, after="END_TIME", before="START_TIME")
    return {"filter": wanted, "select": columns, "order": {"ID": "ASC"}}


async def read_by_id(
    portal: PageReader, ids: Sequence[int], events: dict[int, Observed], read: Callable[[Json], Observed | None]
) -> tuple[frozenset[int], frozenset[int]]:
    """Ask for activities that a listing lacked, and add those that are found to `events`.

    Return the ids that are gone, and the ids of activities of another kind, such as an e-mail.
    """
    gone: set[int] = set()
    alien: set[int] = set()
    replies = await portal.read_many([Command(method=GET, params={"id": one}) for one in ids])
    for remote_id, reply in zip(ids, replies, strict=True):
        if is_gone(reply):
            gone.add(remote_id)
        elif isinstance(reply, Done) and (seen := read(reply.result)) is not None:
            events[remote_id] = seen
        elif isinstance(reply, Done) and _has_kind(reply.result):
            alien.add(remote_id)
    return frozenset(gone), frozenset(alien)


def _has_kind(row: Json) -> bool:
    """Return True if `row` tells the kind of the activity and its card."""
    return isinstance(row, Mapping) and all(whole_number(row.get(name)) for name in ("ID", "TYPE_ID", "OWNER_TYPE_ID"))


def is_gone(reply: Reply) -> bool:
    """Return True if an answer to crm.activity.get means that there is no such activity.

    Raises PortalUnreachableError if it is no usable answer, because absence has to be proved.
    """
    match reply:
        case Done():
            return False
        case Refused(code="" | "NOT_FOUND", description=description) if "denied" not in description.casefold():
            return True
        case _:
            raise unread("activities", reply)


def read_activity(row: Json, extras: tuple[str, ...] = ()) -> Observed | None:
    """Return a row of crm.activity.list or get in our terms, None for one that cannot be ours.

    Of the parameters without a field of their own, those in `extras` are included.
    """
    try:
        read = msgspec.convert(row, _Row)
        kind = {number: name for name, number in _TYPE_IDS.items()}[int(read.type_id)]
        place = Place(kind=f"{kind}-{owner_type_of(int(read.owner_type_id))}", owner=int(read.owner_id))
        notify = int(read.notify_value or 0) * {1: 1, 2: 60, 3: 1440}.get(int(read.notify_type or 0), 0)
        activity = ActivityFields(
            subject=read.subject or "",
            start=read.start_time or "",
            end=read.end_time or "",
            description=read.description or "",
            location=read.location or "",
            priority=int(read.priority or 1),
            responsible=int(read.responsible_id or 0),
            notify=notify,
            completed=read.completed in ("Y", True),
            origin=read.origin_id or "",
            direction=int(read.direction or 0),
            html=int(read.description_type or 0) == _HTML,
            extra=extra.read(row, extras) if isinstance(row, Mapping) else {},
            file_count=tuple(count_of(len(rows_of(read.files)))),
        )
    except (msgspec.ValidationError, ValueError, KeyError):
        return None
    ours = read.originator_id == ORIGINATOR
    return Observed(
        remote_id=int(read.id),
        place=place,
        section_id=0,
        version=stamp(read.last_updated),
        fields={name: value for name, value in msgspec.to_builtins(activity).items() if name not in _UNSEEN},
        mark=(read.origin_id or "") if ours else "",
        title=activity.subject,
        start=activity.start,
        stamp=made(read.created, read.author_id),
    )


def made(created: str | None, author: int | str | None) -> str:
    """Return the stamp of an activity. The portal tells its moment in ISO 8601 (PORTAL.md 6.3)."""
    at = stamp(created)
    return str(Stamp(at=at, by=whole_number(author))) if at else ""


def stamp(text: str | None) -> int:
    """Return the moment of the last change as a number that grows, 0 if the portal does not tell it."""
    try:
        return int(datetime.fromisoformat(text or "").timestamp())
    except ValueError:
        return 0
