"""What the portal makes of texts, colours and places: the text filter, cuts, rules (PORTAL.md 1.5, 4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from syncd.errors import message_of
from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.portal.probe.bench import MARK, Bench, Row, UnaskedError, text
from syncd.portal.probe.experiment import Experiment
from syncd.portal.probe.facts import Fact

_LONG_NAME = 300
_LONG_TEXT = 66_000
_NO_ROOM = 2_147_483_000


@dataclass(frozen=True, slots=True)
class _Bait:
    """A harmless text that a family of the filter takes for an attack, in one field of one event."""

    family: str
    event: str
    field: str
    text: str


_BAITS = (
    _Bait("definitions", "a", "name", "syncd probe: Create event"),
    _Bait("select..from", "a", "description", "Select a room from the list"),
    _Bait("tags", "a", "location", "<link>"),
    _Bait("update..set", "b", "name", "syncd probe: update it and set it"),
    _Bait("schemes", "b", "description", "javascript:"),
    _Bait("paths", "b", "location", "see ../docs/../a"),
    _Bait("insert..value", "c", "name", "syncd probe: insert the value"),
    _Bait("data", "c", "description", "x; data: 5"),
    _Bait("attributes", "c", "location", "online = 3"),
    _Bait("union..select", "d", "name", "syncd probe: union and select"),
    _Bait("from..where", "d", "description", "trip from here, where to?"),
    _Bait("from..limit", "d", "location", "from May limit 5"),
)


async def _run(bench: Bench) -> Iterable[Fact]:
    """Make events whose fields would be filtered, cut or replaced, and read them back."""
    ids = await bench.add(_events())
    if not ids:
        raise UnaskedError(say("no event could be made"))
    rows = await bench.rows(ids)
    return (*_filter(rows), _name_length(rows), *_colors(rows), _room(rows), await _description(bench))


TEXTS = Experiment(
    facts=(
        "waf",
        "waf_families",
        "name_length",
        "color_empty",
        "color_long",
        "room_text",
        "description_length",
    ),
    sends=say("events with texts that a filter would change, long ones, and odd colours and places"),
    run=_run,
    events=7,
)


def _events() -> dict[str, Mapping[str, Json]]:
    events: dict[str, dict[str, Json]] = {bait.event: {} for bait in _BAITS}
    for bait in _BAITS:
        events[bait.event][bait.field] = f"{MARK} {bait.text}" if bait.field == "description" else bait.text
    events["a"]["color"] = ""
    events["b"]["color"] = "#9cbe1c77"
    long = {"name": ("syncd probe " + "n" * _LONG_NAME)[:_LONG_NAME]}
    return {**events, "long": long, "room": {"location": f"calendar_{_NO_ROOM}"}}


def _filter(rows: Mapping[str, Row]) -> tuple[Fact, Fact]:
    """Tell which baits came back changed, apart from what a field loses anyway."""
    read = [bait for bait in _BAITS if bait.event in rows]
    if not read:
        lost = say("no event with such texts could be made and read back")
        return Fact(name="waf", why=lost), Fact(name="waf_families", why=lost)
    caught = [bait.family for bait in read if bait.text not in text(rows[bait.event], bait.field.upper())]
    families: list[Json] = list(caught)
    everything: list[Json] = [bait.family for bait in read]
    return (
        Fact(name="waf", value=bool(caught)),
        Fact(name="waf_families", value=families, expected=everything if caught else []),
    )


def _name_length(rows: Mapping[str, Row]) -> Fact:
    if "long" not in rows:
        return Fact(name="name_length", value="refused")
    return Fact(name="name_length", value=len(text(rows["long"], "NAME")))


def _colors(rows: Mapping[str, Row]) -> tuple[Fact, Fact]:
    empty, long = (text(rows.get(key, {}), "COLOR").lower() for key in "ab")
    cut = {"#9cbe1c": "cut to six", "#9cbe1c77": "kept", "#9dcf00": "replaced"}.get(long, "another colour")
    lost = say("the event could not be made or read back")
    return (
        Fact(name="color_empty", value=empty or "none") if "a" in rows else Fact(name="color_empty", why=lost),
        Fact(name="color_long", value=cut) if "b" in rows else Fact(name="color_long", why=lost),
    )


def _room(rows: Mapping[str, Row]) -> Fact:
    if "room" not in rows:
        return Fact(name="room_text", value="refused")
    place = text(rows["room"], "LOCATION")
    known = {"": "emptied", f"calendar_{_NO_ROOM}": "kept"}
    return Fact(name="room_text", value=known.get(place, "changed"))


async def _description(bench: Bench) -> Fact:
    """Tell how much of a long description is kept; it travels by itself, so that nothing else suffers from it."""
    name = "description_length"
    sent = f"{MARK} {'d' * _LONG_TEXT}"[:_LONG_TEXT]
    try:
        (reply,) = await bench.ask([bench.making({"description": sent})], single=True)
        ids = bench.ids({"long": reply})
        if not ids:
            return Fact(name=name, value="refused")
        rows = await bench.rows(ids)
    except UnaskedError as error:
        return Fact(name=name, why=message_of(error))
    kept = len(text(rows.get("long", {}), "DESCRIPTION"))
    return Fact(name=name, value=kept if kept < _LONG_TEXT else f"{_LONG_TEXT} or more")
