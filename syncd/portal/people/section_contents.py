"""What sections contain: read before one is deleted, because all its events go with it (PORTAL.md 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from syncd.model.item import Place
from syncd.model.json_values import Json
from syncd.model.made_sections import MadeSection, SectionSeen
from syncd.portal.line.shapes import rows_of
from syncd.portal.line.wire import Command, Done
from syncd.portal.reader import Reader

_ALWAYS = {"from": "1971-01-01", "to": "2099-12-31"}
"""Whatever people have put into a section is to be seen. So wide a window is slow only where much stands in it."""


class _SectionRow(msgspec.Struct, rename="upper"):
    id: int | str
    name: str | None = None
    created_by: int | str | None = None
    external_type: str | None = None


async def read_contents(portal: Reader, sections: Sequence[MadeSection]) -> Mapping[MadeSection, SectionSeen | None]:
    """Return what stands at the ids of `sections`, None for an id without a section.

    Those whose calendar cannot be read are left out. Raises the client's errors.
    """
    places = sorted({one.place for one in sections})
    replies = await portal.read_many([_of("calendar.section.get", place) for place in places])
    rows = {place: _rows(reply.result) for place, reply in zip(places, replies, strict=True) if isinstance(reply, Done)}
    seen = {one: rows[one.place].get(one.id) for one in sections if one.place in rows}
    return {**seen, **await _counted(portal, {one: found for one, found in seen.items() if found is not None})}


async def _counted(portal: Reader, sections: Mapping[MadeSection, SectionSeen]) -> Mapping[MadeSection, SectionSeen]:
    """Return `sections` with the number of their events, as far as these can be listed."""
    replies = await portal.read_many(
        [_of("calendar.event.get", one.place, section=[one.id], **_ALWAYS) for one in sections]
    )
    return {
        one: replace(seen, events=sum(1 for _ in rows_of(reply.result))) if isinstance(reply, Done) else seen
        for (one, seen), reply in zip(sections.items(), replies, strict=True)
    }


def deleting(one: MadeSection) -> Command:
    """Return the call that deletes a section, with everything in it."""
    return Command(method="calendar.section.delete", params={"id": one.id, "type": one.place.kind})


def _of(method: str, place: Place, **more: str | list[int]) -> Command:
    return Command(method=method, params={"type": place.kind, "ownerId": place.owner, **more})


def _rows(result: Json) -> Mapping[int, SectionSeen]:
    return {int(row.id): _seen(row) for row in _readable(rows_of(result))}


def _readable(rows: Iterable[object]) -> Iterable[_SectionRow]:
    for row in rows:
        try:
            found = msgspec.convert(row, _SectionRow)
            int(found.id)
        except (msgspec.ValidationError, ValueError):
            continue  # without an id it is none of those that are asked for
        yield found


def _seen(row: _SectionRow) -> SectionSeen:
    maker = str(row.created_by or "")
    return SectionSeen(
        name=(row.name or "").strip(), maker=int(maker) if maker.isdecimal() else 0, external=row.external_type or ""
    )
