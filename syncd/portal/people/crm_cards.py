"""Reads elements of the CRM: by crm.item.list, or by the older lists if a portal has no such method (PORTAL.md 6.8).

No filter is trusted: every row is checked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from syncd.errors import PortalUnreachableError
from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.portal.line.remedies import CommandRefusedError
from syncd.portal.line.shapes import rows_of
from syncd.portal.line.wire import Command, Done, Refused, Reply
from syncd.portal.people.clients import REACHED, CrmCard
from syncd.portal.people.owner_types import OwnerType, letters_of, number_of
from syncd.portal.reader import Reader

LIST: Final = "crm.item.list"
_IDS_PER_CALL: Final = 50
"""One page of a list, so that no call has a second page (PORTAL.md 6.9)."""

_OLDER: Final[Mapping[OwnerType, tuple[str, ...]]] = {
    "contact": ("ID", "NAME", "LAST_NAME", "ASSIGNED_BY_ID", "PHONE", "EMAIL"),
    "company": ("ID", "TITLE", "ASSIGNED_BY_ID", "PHONE", "EMAIL"),
    "lead": ("ID", "TITLE", "ASSIGNED_BY_ID", "PHONE", "EMAIL"),
    "deal": ("ID", "TITLE", "ASSIGNED_BY_ID", "CONTACT_ID", "COMPANY_ID"),
    "quote": ("ID", "TITLE", "ASSIGNED_BY_ID", "CONTACT_ID", "COMPANY_ID"),
}
"""Types that also have their own list. It returns phones and e-mails only if they are named (PORTAL.md 6.8)."""

_NOT_HERE: Final = frozenset({"ERROR_METHOD_NOT_FOUND", "NOT_FOUND", "ALLOWED_ONLY_INTRANET_USER"})
"""Refusals of crm.item.list by builds that do not know it, or not for this type, and to extranet users."""


class _ItemRow(msgspec.Struct, rename="camel"):
    """A row of crm.item.list; `fm` and the flags are missing where the type has neither phones nor e-mails."""

    id: int | str
    title: str | None = None
    name: str | None = None
    last_name: str | None = None
    assigned_by_id: int | str | None = None
    contact_id: int | str | None = None
    company_id: int | str | None = None
    fm: Any = None
    has_phone: Any = None
    has_email: Any = None


class _OlderRow(msgspec.Struct, rename="upper"):
    id: int | str
    name: str | None = None
    last_name: str | None = None
    title: str | None = None
    assigned_by_id: int | str | None = None
    contact_id: int | str | None = None
    company_id: int | str | None = None
    phone: Any = None
    email: Any = None


async def read_cards(portal: Reader, codes: Collection[str], types: Collection[OwnerType]) -> dict[str, CrmCard]:
    """Return the elements with the links `codes`, all of them of `types`, as far as the caller may see them.

    Raises CommandRefusedError when the portal refuses, and the client's other errors.
    """
    known: dict[str, CrmCard] = {}
    older: dict[OwnerType, set[int]] = defaultdict(set)
    wanted = [(one, ids) for one in sorted(types, key=number_of) for ids in _pages(_ids(codes, one))]
    replies = await portal.read_many([_listing(one, ids) for one, ids in wanted])
    for (owner_type, ids), reply in zip(wanted, replies, strict=True):
        if isinstance(reply, Refused) and reply.code.upper() in _NOT_HERE and owner_type in _OLDER:
            older[owner_type].update(ids)
            continue
        for row in rows_of(result_of(LIST, reply)):
            card, is_whole = _card(owner_type, row)
            if card is not None and card.code in codes:
                known[card.code] = card
                older[owner_type].update(() if is_whole else (card.id,))
    await _read_older(portal, older, codes, known)
    return known


def _ids(codes: Collection[str], owner_type: OwnerType) -> list[int]:
    letters = letters_of(owner_type)
    return sorted(rank(code) for code in codes if code.rpartition("_")[0] == letters)


def rank(code: str) -> int:
    """Return the id in a link."""
    return int(code.rpartition("_")[2])


def _pages(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[at : at + _IDS_PER_CALL] for at in range(0, len(ids), _IDS_PER_CALL))


def _listing(owner_type: OwnerType, ids: Sequence[int]) -> Command:
    # Phones and e-mails come with everything only (PORTAL.md 6.8).
    select = ("*",) if owner_type in REACHED else ("id", "title", "assignedById", "contactId", "companyId")
    params: dict[str, Json] = {
        "entityTypeId": number_of(owner_type),
        "filter": {"@id": ids},
        "select": select,
        "order": {"id": "ASC"},
    }
    return Command(method=LIST, params=params)


def _card(owner_type: OwnerType, row: Json) -> tuple[CrmCard | None, bool]:
    """Return a row of crm.item.list, and False if it has phones or e-mails that were not told.

    An element that cannot be read counts as not found, which affects only the entries that name it.
    """
    try:
        read = msgspec.convert(row, _ItemRow)
        name = f"{read.name or ''} {read.last_name or ''}".strip()
        card = CrmCard(
            type=owner_type,
            id=int(read.id),
            name=name if owner_type == "contact" else read.title or name,
            phones=_of_kind(read.fm, "PHONE"),
            emails=_of_kind(read.fm, "EMAIL"),
            responsible=_int(read.assigned_by_id),
            contact=_int(read.contact_id),
            company=_int(read.company_id),
        )
    except (msgspec.ValidationError, ValueError):
        return None, True
    told = read.fm is not None or {read.has_phone, read.has_email} <= {"N", False}
    return card, told or owner_type not in REACHED


def _of_kind(fm: Json, kind: str) -> tuple[str, ...]:
    rows = [one for one in rows_of(fm) if isinstance(one, Mapping) and one.get("typeId") == kind]
    texts = [str(one.get("value") or "").strip() for one in rows]
    return tuple(text for text in texts if text)


async def _read_older(
    portal: Reader, wanted: Mapping[OwnerType, Collection[int]], codes: Collection[str], known: dict[str, CrmCard]
) -> None:
    """Read elements by the lists that crm.item.list came after, and put them into `known`."""
    pages = [(one, ids) for one, numbers in sorted(wanted.items()) for ids in _pages(sorted(numbers))]
    commands = [
        Command(
            method=f"crm.{owner_type}.list",
            params={"filter": {"@ID": ids}, "select": _OLDER[owner_type], "order": {"ID": "ASC"}},
        )
        for owner_type, ids in pages
    ]
    replies = await portal.read_many(commands) if commands else ()
    for (owner_type, _), command, reply in zip(pages, commands, replies, strict=True):
        for row in rows_of(result_of(command.method, reply)):
            card = _older_card(owner_type, row)
            # A filter that the portal drops silently returns every client (PORTAL.md 6.4).
            if card is not None and card.code in codes:
                known[card.code] = card


def _older_card(owner_type: OwnerType, row: Json) -> CrmCard | None:
    try:
        read = msgspec.convert(row, _OlderRow)
        name = f"{read.name or ''} {read.last_name or ''}".strip()
        return CrmCard(
            type=owner_type,
            id=int(read.id),
            name=name if owner_type == "contact" else read.title or name,
            phones=_values(read.phone),
            emails=_values(read.email),
            responsible=_int(read.assigned_by_id),
            contact=_int(read.contact_id),
            company=_int(read.company_id),
        )
    except (msgspec.ValidationError, ValueError):
        return None


def _int(value: int | str | None) -> int:
    return int(value) if value is not None and str(value).isdecimal() else 0


class _MultiRow(msgspec.Struct, rename="upper"):
    value: str | None = None


def _values(value: Json) -> tuple[str, ...]:
    try:
        rows = msgspec.convert(rows_of(value), list[_MultiRow])
    except msgspec.ValidationError:
        return ()
    return tuple(row.value.strip() for row in rows if row.value and row.value.strip())


def result_of(method: str, reply: Reply) -> Json:
    """Return the result of a look-up. Raises CommandRefusedError, and PortalUnreachableError if there is no answer."""
    match reply:
        case Done(result=result):
            return result
        case Refused():
            raise CommandRefusedError(method, reply)
        case _:
            raise PortalUnreachableError(
                say("clients could not be looked up: {reason}", reason=reply.reason), say("the next pass tries again")
            )


async def find_by_field(
    portal: Reader, owner_type: OwnerType, name: str, values: Sequence[str]
) -> dict[str, frozenset[int]]:
    """Return the ids of the elements of a type whose field `name` has one of `values`, by value.

    `name` is as crm.item.fields has it, or the original one of a custom field, UF_CRM_... Raises like `read_cards`; a
    portal without crm.item.list has no way to ask.
    """
    found: dict[str, set[int]] = {value: set() for value in values}
    crowded: list[str] = []
    pages = [values[at : at + _IDS_PER_CALL] for at in range(0, len(values), _IDS_PER_CALL)]
    for page, reply in zip(pages, await portal.read_many([_search(owner_type, name, p) for p in pages]), strict=True):
        _take(result_of(LIST, reply), name, found)
        if isinstance(reply, Done) and reply.next is not None:
            crowded += page
    # Of more than a page of hits, those of each value: whoever has more than one is in doubt anyway.
    for reply in await portal.read_many([_search(owner_type, name, (value,)) for value in crowded]) if crowded else ():
        _take(result_of(LIST, reply), name, found)
    return {value: frozenset(ids) for value, ids in found.items()}


def _search(owner_type: OwnerType, name: str, values: Sequence[str]) -> Command:
    params: dict[str, Json] = {
        "entityTypeId": number_of(owner_type),
        "filter": {f"@{name}": values},
        "select": ("id", name),
        "order": {"id": "ASC"},
        "useOriginalUfNames": "Y" if name.startswith("UF_") else "N",
    }
    return Command(method=LIST, params=params)


def _take(result: Json, name: str, found: Mapping[str, set[int]]) -> None:
    for row in rows_of(result):
        if not isinstance(row, Mapping) or not str(row.get("id")).isdecimal():
            continue
        has = row.get(name)
        for one in rows_of(has) if isinstance(has, list | tuple) else (has,):
            if str(one) in found:
                found[str(one)].add(int(str(row["id"])))
