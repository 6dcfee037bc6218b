"""What becomes of a meeting whose organiser has changed in the source: no update can change it (PORTAL.md 4.3).

Nobody asked for another one  the event keeps the organiser that it has, without a word
`on_host_change = "report"`   likewise, with a warning in every pass
"recreate"                    the event is deleted, and the next plan of the same pass makes it again; its guests are
                              told of both. One that was taken over, with people's guests, is never deleted
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from syncd.lang.saying import say
from syncd.model.entry import Problem
from syncd.model.item import Change, Item, Link
from syncd.model.json_values import Fields, Json
from syncd.model.observation import has_kept

MEETING = "meeting"


def has_other_host(item: Item, link: Link) -> bool:
    """Return True if `item` is to have another organiser than its event was made with."""
    wanted, given = _host(item.fields), _host(link.sent)
    return bool(wanted and given) and wanted != given


def remade_by(item: Item, link: Link) -> Change | None:
    """Return the delete after which `item` is made again with its organiser, None for an event that has to stay."""
    if has_kept(link.sent):
        return None
    reason = say(
        "organiser changed from user {before} to user {after}: the portal lets no update change it, so the event is"
        " deleted and made again",
        before=_host(link.sent),
        after=_host(item.fields),
    )
    return Change(op="delete", key=item.key, link=link, reason=reason)


def keeping_host(item: Item, link: Link) -> Item:
    """Return `item` with the organiser of its event. The new organiser becomes no guest, unless already one."""
    ours, theirs = item.fields[MEETING], link.sent[MEETING]
    assert isinstance(ours, Mapping)
    assert isinstance(theirs, Mapping)
    before, host = _people(theirs), _host(link.sent)
    people = {user for user in _people(ours) if user != _host(item.fields) or user in before}
    meeting = {**ours, "host": host, "attendees": sorted(people | ({host} & before))}
    return replace(item, fields={**item.fields, MEETING: meeting})


def other_host_told(item: Item, link: Link) -> Problem:
    """Return the warning about a meeting whose organiser stays."""
    reason = say(
        "its organiser stays user {before}, not user {after}: no update can change that."
        ' With on_host_change = "recreate" the event is deleted and made again, and its guests are told of both',
        before=_host(link.sent),
        after=_host(item.fields),
    )
    return Problem(where=item.where, kind="warning", key=str(item.key), reason=reason)


def _host(fields: Fields) -> int:
    meeting = fields.get(MEETING)
    host = meeting.get("host") if isinstance(meeting, Mapping) else None
    return host if isinstance(host, int) else 0


def _people(meeting: Mapping[str, Json]) -> set[int]:
    people = meeting.get("attendees")
    return {one for one in people if isinstance(one, int)} if isinstance(people, Sequence) else set()
