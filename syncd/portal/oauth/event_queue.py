"""What the portal tells an application about people's edits: binding events, emptying its queue (PORTAL.md 11.3).

A hint names an object and who touched it. It is never a proof: rows that cannot be read are counted and passed over.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

from syncd.errors import PortalUnreachableError, SyncdError
from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.portal.line.remedies import CommandRefusedError
from syncd.portal.line.shapes import rows_of

Kind = Literal["event", "section", "activity"]
_PREFIXES: Mapping[str, Kind] = {
    "ONCALENDARENTRY": "event",
    "ONCALENDARSECTION": "section",
    "ONCRMACTIVITY": "activity",
}
_ACTIONS = ("Add", "Update", "Delete")
CALENDAR_EVENTS = tuple(f"OnCalendar{what}{action}" for what in ("Entry", "Section") for action in _ACTIONS)
CRM_EVENTS = tuple(f"OnCrmActivity{action}" for action in _ACTIONS)
AT_ONCE = 500
_FULL = 50
"""The portal's own limit: an answer with so many rows may have left some, whatever was asked for."""
_MOST_DRAINED = 400
_HIGHEST_ID = 10**18
_CLAIM = "syncd"
_CLAIM_LASTS_S = 2 * 3600.0


class Caller(Protocol):
    """The part of the portal's client that is needed here."""

    async def read(self, method: str, params: Mapping[str, Json]) -> Json:
        """Return the result of one call."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Somebody has touched an object, or `made` it. `user` is 0 if unknown; `deleted` means that it may be gone."""

    kind: Kind
    id: int
    user: int = 0
    deleted: bool = False
    made: bool = False

    @property
    def name(self) -> str:
        """The name of the object: hints with the same name say the same."""
        return f"{self.kind} {self.id}{' deleted' if self.deleted else ''}"

    def packed(self) -> Json:
        """Return what `unpacked` reads."""
        return [self.kind, self.id, self.user, self.deleted, self.made]


def unpacked(value: Json) -> Hint | None:
    """Return the hint that was `packed`, also by another version; None for any other value."""
    match value:
        case [("event" | "section" | "activity") as kind, int(number), int(user), bool(deleted), bool(made)]:
            return Hint(kind=kind, id=number, user=user, deleted=deleted, made=made)
        case _:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one answer of the queue held. `more` is True if there may be more, `malformed` counts unreadable rows."""

    hints: tuple[Hint, ...]
    malformed: int
    more: bool
    rows: tuple[int, ...] = ()


def hints_in(result: Json) -> Taken:
    """Read an answer of event.offline.get. Raises PortalUnreachableError for anything else."""
    events = result.get("events") if isinstance(result, Mapping) else None
    if not isinstance(events, Sequence | Mapping) or isinstance(events, str):
        raise PortalUnreachableError(say("the queue of events gave no list"), say("the next poll tries again"))
    rows = rows_of(events)
    found = [_hint(row) for row in rows]
    hints = dict.fromkeys(hint for hint in found if hint is not None)
    numbers = (_number(row.get("ID")) for row in rows if isinstance(row, Mapping))
    return Taken(
        hints=tuple(hints),
        malformed=found.count(None),
        more=len(rows) >= _FULL,
        rows=tuple(number for number in numbers if number),
    )


def _hint(row: Json) -> Hint | None:
    if not isinstance(row, Mapping):
        return None
    additional = row.get("EVENT_ADDITIONAL")
    user = _number(additional.get("user_id")) if isinstance(additional, Mapping) else 0
    return hint_of(row.get("EVENT_NAME"), row.get("EVENT_DATA"), user)


def hint_of(name: Json, content: Json, user: int) -> Hint | None:
    """Return what an event with this name and content says, None if it cannot be understood."""
    upper = name.upper() if isinstance(name, str) else ""
    kind = next((kind for prefix, kind in _PREFIXES.items() if upper.startswith(prefix)), None)
    fields = content.get("FIELDS") if isinstance(content, Mapping) else None
    inner = fields if isinstance(fields, Mapping) else content
    number = _number(inner.get("id", inner.get("ID"))) if isinstance(inner, Mapping) else 0
    if kind is None or not number:
        return None
    return Hint(kind=kind, id=number, user=user, deleted=upper.endswith("DELETE"), made=upper.endswith("ADD"))


def _number(value: Json) -> int:
    """Return a number that the portal sent, 0 for any other value."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return 0
    text = str(value)
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0
    return number if number < _HIGHEST_ID else 0


async def bind(portal: Caller, wanted: Collection[str], *, handler: str = "") -> tuple[str, ...]:
    """Have the portal tell of the events `wanted`: into the queue, or to a `handler`; return what it does not know.

    What is bound already stays. What this application has bound in another way is unbound, or its queue would grow for
    ever. Raises CommandRefusedError if the application may not bind, and the client's errors.
    """
    bound = {_bound(row) for row in rows_of(await portal.read("event.get", {}))}
    own = {name.upper() for name in (*CALENDAR_EVENTS, *CRM_EVENTS)}
    for name, place in sorted(one for one in bound if one[0] in own and one[1] != handler):
        where: dict[str, Json] = {"handler": place} if place else {"event_type": "offline"}
        await portal.read("event.unbind", {"event": name, **where})
    unknown: list[str] = []
    for name in wanted:
        if (name.upper(), handler) in bound:
            continue
        params: dict[str, Json] = {"event": name}
        params |= {"handler": handler} if handler else {"event_type": "offline"}
        try:
            await portal.read("event.bind", params)
        except CommandRefusedError as error:
            if error.code.upper() == "ERROR_EVENT_BINDING_EXISTS":
                continue
            if error.code.upper() not in ("ERROR_EVENT_NOT_FOUND", "EVENT_NOT_FOUND"):
                raise
            unknown.append(name)
    return tuple(unknown)


async def unbind_all(portal: Caller, *, holder: str, now: float) -> int:
    """Have the portal tell of nothing any more, at its unix time `now`; return how many events were bound.

    Otherwise its queue would grow for ever, as nobody takes anything out of it. The queue is emptied first: after an
    interruption, what is still bound shows that something is left to do. What another syncd than `holder`, which shares
    the application, has bound stays. Raises CommandRefusedError if the application may not, and the client's errors.
    """
    own = {name.upper() for name in (*CALENDAR_EVENTS, *CRM_EVENTS)}
    bound = sorted({_bound(row) for row in rows_of(await portal.read("event.get", {}))})
    bound = [(name, place) for name, place in bound if name in own]
    if not bound or await _claimed_by_another(portal, holder=holder, now=now) is not None:
        return 0
    await _drain(portal)
    for name, place in bound:
        where: dict[str, Json] = {"handler": place} if place else {"event_type": "offline"}
        await portal.read("event.unbind", {"event": name, **where})
    with suppress(CommandRefusedError):  # an application that may not keep values there has noted nothing
        await portal.read("app.option.set", {"options": {_CLAIM: ""}})
    await _drain(portal)  # of what has come meanwhile
    return len(bound)


async def _drain(portal: Caller) -> None:
    """Empty the queue, if there is one: rows that nobody takes stay for ever (PORTAL.md 11.3)."""
    with suppress(CommandRefusedError):
        for _ in range(_MOST_DRAINED):
            if not (await take(portal)).more:
                break


async def bound_count(portal: Caller) -> int:
    """Return how many events this application hears of; raises the client's errors."""
    return len({_bound(row)[0] for row in rows_of(await portal.read("event.get", {}))})


def _bound(row: Json) -> tuple[str, str]:
    if not isinstance(row, Mapping):
        return "", ""
    offline = str(row.get("offline", 0)) in ("1", "True", "Y")
    return str(row.get("event", "")).upper(), "" if offline else str(row.get("handler", ""))


class AnotherSyncdError(SyncdError):
    """Another syncd takes the events of this application: each would hear of half of them."""

    exit_code = 6


async def claim(portal: Caller, *, holder: str, host: str, now: float) -> None:
    """Note in the portal that `holder` takes the application's events, at the portal's unix time `now`.

    Raises AnotherSyncdError if another one has noted the same within the last hours, and the client's errors. An
    application that may not keep values in the portal cannot be checked.
    """
    if (where := await _claimed_by_another(portal, holder=holder, now=now)) is not None:
        raise AnotherSyncdError(
            say("another syncd, on {where}, takes the events of this application", where=where),
            say(
                "stop one of the two, or make an application of its own for each; one that has ended is forgotten after"
                " two hours"
            ),
        )
    with suppress(CommandRefusedError):
        await portal.read("app.option.set", {"options": {_CLAIM: f"{holder} {now:.0f} {host}"}})


async def _claimed_by_another(portal: Caller, *, holder: str, now: float) -> str | None:
    """Return on which host another syncd takes the application's events, None if none has noted that it does."""
    try:
        other, at, where = _claimed(await portal.read("app.option.get", {"option": _CLAIM}))
    except CommandRefusedError:
        return None
    return where if other not in ("", holder) and -_CLAIM_LASTS_S < now - at < _CLAIM_LASTS_S else None


def _claimed(kept: Json) -> tuple[str, float, str]:
    parts = kept.split(" ", 2) if isinstance(kept, str) else []
    if len(parts) != 3 or not (parts[1].isascii() and parts[1].isdecimal()):
        return "", 0.0, ""
    return parts[0], float(parts[1]), "".join(char for char in parts[2][:100] if char.isprintable())


async def may_reserve(portal: Caller) -> bool:
    """Return True if the licence lets rows be reserved until they are processed. No answer counts as no."""
    try:
        said = await portal.read("feature.get", {"CODE": "rest_offline_extended"})
    except CommandRefusedError:
        return False
    return isinstance(said, Mapping) and said.get("value") == "Y"


async def take(portal: Caller, *, process: str = "") -> Taken:
    """Take the oldest rows out of the queue. With a `process` they are only reserved for it.

    Rows that the same process has reserved and not cleared are returned again. Raises the client's errors.
    """
    params: dict[str, Json] = {"limit": AT_ONCE}
    params |= {"clear": 0, "process_id": process} if process else {"clear": 1}
    return hints_in(await portal.read("event.offline.get", params))


async def clear(portal: Caller, taken: Taken, *, process: str) -> None:
    """Delete the reserved rows of `taken`, which are kept elsewhere now; raises the client's errors."""
    await portal.read("event.offline.clear", {"process_id": process, "id": list(taken.rows)})
