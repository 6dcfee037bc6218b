"""The scratch section of a probe: made, found again, and removed with everything that is the probe's, nothing else.

It has a name of its own kind and a mark in its description; the events in it have the mark too. A person's event in it
is left alone, and so is the section then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from syncd.errors import message_of
from syncd.lang.saying import say, say_count
from syncd.model.json_values import Json
from syncd.portal.line.shapes import rows_of
from syncd.portal.line.wire import Command, Done, created_id
from syncd.portal.probe.bench import MARK, Bench, Row, UnaskedError, done, text

_NAME = re.compile(r"syncd probe [0-9a-f]{8}")
_EVENT = "syncd probe"
_AT_ONCE = 40
_ALWAYS = (date(1971, 1, 1), date(2099, 12, 31))
"""Whatever a person has put into the section is to be seen. So wide a window is slow only where much stands in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """How many scratch sections were removed, and why others were not."""

    removed: int
    left: tuple[str, ...] = ()


def section_name(token: str) -> str:
    """Return the name of a scratch section, from eight hexadecimal digits."""
    return f"syncd probe {token}"


async def make(bench: Bench, name: str) -> int:
    """Make the scratch section and return its id; one whose creation nobody answered is looked for.

    Raises UnaskedError if there is none then.
    """
    reply = await bench.call(
        "calendar.section.add",
        {
            "type": "user",
            "ownerId": bench.scene.caller,
            "name": name,
            "description": f"{MARK} Made by `syncd portal probe`; it may be deleted.",
        },
    )
    if isinstance(reply, Done) and (number := created_id(reply)) is not None:
        return number
    found = [number for number, row in await _sections(bench) if text(row, "NAME") == name]
    if found:
        return found[0]
    done(reply)
    raise UnaskedError(say("the portal made no section"))


async def clean(bench: Bench, own: int = 0) -> Cleaned:
    """Remove the scratch sections of this probe (`own`) and of earlier ones that were cut off.

    Raises UnaskedError if the portal cannot be asked.
    """
    removed, left = 0, list[str]()
    # The one that this probe has made is known by its id, whatever the list shows of it.
    for number in sorted({number for number, _ in await _sections(bench)} | ({own} if own else set())):
        trouble = await _emptied(bench, number, known=number == own)
        if not trouble:
            reply = await bench.call("calendar.section.delete", {"id": number, "type": "user"})
            gone = isinstance(reply, Done) and reply.result is True
            trouble = "" if gone else say("the portal did not delete it")
        removed += not trouble
        left += [say("section {number}: {trouble}", number=number, trouble=trouble)] if trouble else []
    return Cleaned(removed=removed, left=tuple(left))


async def _sections(bench: Bench) -> list[tuple[int, Row]]:
    """Return the scratch sections in the calendar of the webhook's user."""
    result = await bench.result("calendar.section.get", {"type": "user", "ownerId": bench.scene.caller})
    rows = (row for row in rows_of(result) if isinstance(row, Mapping) and _is_scratch(row, bench.scene.caller))
    return [(int(text(row, "ID")), row) for row in rows if text(row, "ID").isdecimal()]


def _is_scratch(row: Row, caller: int) -> bool:
    """Return True for a section that a probe of this very user made: name, mark and maker all say so.

    Where the portal shows no descriptions of sections, the name has to do; its events are looked at in any case.
    """
    named = _NAME.fullmatch(text(row, "NAME")) is not None
    marked = "DESCRIPTION" not in row or MARK in text(row, "DESCRIPTION")
    return named and marked and text(row, "CREATED_BY") == str(caller)


async def _emptied(bench: Bench, number: int, *, known: bool) -> str:
    """See that nothing but the probe's events goes with a section; return why it has to stay, "" if nothing speaks so.

    With somebody else's event in it, the probe's are deleted one by one.
    """
    try:
        rows = await bench.listed(*_ALWAYS, section=number)
    except UnaskedError as error:
        # What was made a minute ago holds nothing else; of an older one that has to be seen.
        return "" if known else say("its events cannot be listed ({error})", error=message_of(error))
    foreign = {text(row, "ID") for row in rows if not _is_ours(row)}
    if not foreign:
        return ""
    ours = sorted({int(text(row, "ID")) for row in rows if _is_ours(row) and text(row, "ID").isdecimal()})
    for some in _chunks(ours):
        await bench.ask([Command(method="calendar.event.delete", params={"id": one}) for one in some])
    return say_count(
        "{count} event in it is not the probe's and stays",
        "{count} events in it are not the probe's and stay",
        len(foreign),
    )


def _is_ours(row: Mapping[str, Json]) -> bool:
    return MARK in text(row, "DESCRIPTION") or text(row, "NAME").startswith(_EVENT)


def _chunks(numbers: list[int]) -> Iterable[list[int]]:
    return (numbers[first : first + _AT_ONCE] for first in range(0, len(numbers), _AT_ONCE))
