"""Clients of the portal's CRM: looks up phones, e-mails and ids in batches.

A look-up of 20 values returns the clients it found, not by which value (PORTAL.md 6.8). They are matched here. A phone
that nobody has is asked for again as it is dialled at home; a value that the portal matches in another spelling is
asked for once more, alone. No filter is trusted: every row is checked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec

from syncd.errors import DoubtfulError, EntryError, PortalUnreachableError
from syncd.model.json_values import Json
from syncd.portal.line.answers import CommandRefusedError, rows_of
from syncd.portal.line.wire import Command, Done, Refused, Reply
from syncd.portal.people.person_names import ADDRESS
from syncd.portal.people.phones import Phone, doubt, phones_in


class Reader(Protocol):
    """The part of the portal's client that look-ups need."""

    async def read_many(self, commands: Sequence[Command]) -> tuple[Reply, ...]:
        """Call methods that are safe to repeat; return their replies in the same order."""
        ...


OwnerType = Literal["contact", "company", "lead", "deal"]
OWNER_TYPES: Mapping[OwnerType, tuple[int, str]] = {
    "lead": (1, "L"), "deal": (2, "D"), "contact": (3, "C"), "company": (4, "CO"),
}  # fmt: skip
"""Type id and the letters of links such as C_5 (PORTAL.md 6.1, 6.8)."""

_COLUMNS: Mapping[OwnerType, tuple[str, ...]] = {
    "contact": ("ID", "NAME", "LAST_NAME", "ASSIGNED_BY_ID", "PHONE", "EMAIL"),
    "company": ("ID", "TITLE", "ASSIGNED_BY_ID", "PHONE", "EMAIL"),
    "lead": ("ID", "TITLE", "ASSIGNED_BY_ID", "PHONE", "EMAIL"),
    "deal": ("ID", "TITLE", "ASSIGNED_BY_ID", "CONTACT_ID", "COMPANY_ID"),
}
"""Phones and e-mails are returned only if they are named (PORTAL.md 6.8)."""

_CODE = re.compile(r"(?P<letters>L|D|C|CO)_(?P<id>[1-9]\d{0,17})\Z", re.IGNORECASE)
_LONGEST_ID = 6
"""Digits alone may be an id or a phone: up to this length they are an id."""

_VALUES_PER_CALL = 20
"""All that crm.duplicate.findbycomm takes (PORTAL.md 6.8)."""

_IDS_PER_CALL = 50
"""One page of a list, so that no call has a second page (PORTAL.md 6.9)."""

_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class CrmCard:
    """A client as the CRM has it: a contact, company, lead or deal, each with a card of its own.

    `responsible` is its ASSIGNED_BY_ID, 0 for none.

    `contact` and `company` are what a deal or contact belongs to, 0 for none.
    """

    type: OwnerType
    id: int
    name: str
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    responsible: int = 0
    contact: int = 0
    company: int = 0

    def __str__(self) -> str:
        return f"{self.type} {self.id} {self.name}".rstrip()

    @property
    def code(self) -> str:
        """The link to it, such as C_5."""
        return f"{OWNER_TYPES[self.type][1]}_{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Somebody to look up; `text` is as in the source, `word` the normal form by which equal ones are equal.

    `phones` are the numbers of which the client has one, and `country` is where those without a country's code belong.
    """

    type: OwnerType
    kind: Literal["id", "PHONE", "EMAIL"]
    text: str
    word: str
    phones: tuple[Phone, ...] = ()
    country: str = ""

    def __str__(self) -> str:
        return f"{self.type}:{self.kind}:{self.word}"


def sought(text: str, owner_type: OwnerType, *, is_phone: bool = False, country: str = "") -> Sought:
    """Return what `text` refers to: an address with @, a link such as C_5, an id of up to 6 digits, else phones.

    With `is_phone` digits alone are a phone, however few. `country` (ISO 3166) is that of phones without a code. Raises
    EntryError for anything else.
    """
    text = " ".join(text.split())
    code = _CODE.match(text)
    if code is not None:
        # A link names its type itself, whatever type the config expects.
        named = next(kind for kind, (_, letters) in OWNER_TYPES.items() if letters == code["letters"].upper())
        return Sought(type=named, kind="id", text=text, word=str(int(code["id"])))
    if "@" in text:
        # "Vera <vera@example.com>" and an address with a phone beside it; of two addresses neither is chosen.
        found = {one.casefold() for one in ADDRESS.findall(text)}
        address = found.pop() if len(found) == 1 else text.casefold()
        return _searchable(Sought(type=owner_type, kind="EMAIL", text=address, word=address))
    if text.isascii() and text.isdecimal() and not is_phone and len(text) <= _LONGEST_ID and int(text) > 0:
        return Sought(type=owner_type, kind="id", text=text, word=str(int(text)))
    phones = phones_in(text, country)
    if not phones:
        raise EntryError(
            f"{text!r} is no phone, e-mail or id" if text else f"no {owner_type} is named",
            "see contact in [sync.target]",
        )
    word = ",".join(sorted(map(str, phones)))
    return _searchable(Sought(type=owner_type, kind="PHONE", text=text, word=word, phones=phones, country=country))


def _searchable(found: Sought) -> Sought:
    # A deal has no phone of its own, and the look-up knows leads, contacts and companies only (PORTAL.md 6.8).
    if found.type == "deal":
        raise EntryError(f"a deal cannot be found by {found.text!r}", "name the deal by its id")
    return found


@dataclass(frozen=True, kw_only=True)
class CrmLookup:
    """The result of look-ups: links by what was sought (an empty tuple if nobody was found), and clients by link."""

    found: Mapping[str, tuple[str, ...]]
    known: Mapping[str, CrmCard]

    def has_one(self, wanted: Sought) -> bool:
        """Return True if `wanted` has been looked up, and is exactly one client."""
        return len(self.found.get(str(wanted), ())) == 1

    def client(self, wanted: Sought) -> CrmCard:
        """Return the one client that matches; raises EntryError naming the value and any candidates."""
        codes = self.found.get(str(wanted), ())
        if len(codes) == 1:
            return self.known[codes[0]]
        if codes:
            names = ", ".join(str(self.known[code]) for code in codes[:_SHOWN])
            more = f" and {len(codes) - _SHOWN} more" if len(codes) > _SHOWN else ""
            raise DoubtfulError(
                f"{len(codes)} {_PLURALS[wanted.type]} have {wanted.text!r}: {names}{more}",
                "merge them in the CRM, or name one by its id",
            )
        what = "id " + wanted.word if wanted.kind == "id" else repr(wanted.text)
        remedy = "add it in the CRM, or see on_unresolved"
        if said := doubt(wanted.phones):
            remedy = f"{said}: write it with the country's code in front, such as +7 495 123-45-67; or {remedy}"
        raise EntryError(f"no {wanted.type} with {what} that the webhook's user may see", remedy)

    def joined(self, other: CrmLookup) -> CrmLookup:
        """Return the union; where both know a client, the other's version is kept."""
        return CrmLookup(found={**self.found, **other.found}, known={**self.known, **other.known})


_PLURALS: Mapping[OwnerType, str] = {
    "contact": "contacts", "company": "companies", "lead": "leads", "deal": "deals",
}  # fmt: skip


class _MultiRow(msgspec.Struct, rename="upper"):
    value: str | None = None


class _CardRow(msgspec.Struct, rename="upper"):
    id: int | str
    name: str | None = None
    last_name: str | None = None
    title: str | None = None
    assigned_by_id: int | str | None = None
    contact_id: int | str | None = None
    company_id: int | str | None = None
    phone: Any = None
    email: Any = None


async def read_clients(portal: Reader, wanted: Collection[Sought]) -> CrmLookup:
    """Look up everybody in `wanted`: 20 values or 50 ids a call, the calls in batches.

    Raises CommandRefusedError when the portal refuses a look-up, and the client's other errors.
    """
    # Sorted, so that the same entries lead to the same calls in every pass.
    asked = sorted(set(wanted), key=str)
    found: dict[Sought, set[str]] = {one: set() for one in asked}
    known: dict[str, CrmCard] = {}
    for one in asked:
        if one.kind == "id":
            found[one].add(_code(one.type, int(one.word)))
    await _read(portal, {code for codes in found.values() for code in codes}, known)
    doubtful = await _match(portal, [(one, value) for one in asked for value in _values_of(one)], found, known)
    at_home = [
        (one, value) for one in asked if not found[one] for phone in one.phones for value in phone.home_spellings
    ]
    doubtful += await _match(portal, at_home, found, known)
    alone = [pair for pair in doubtful if not found[pair[0]]]
    for (one, _), codes in zip(alone, await _search(portal, [(pair,) for pair in alone]), strict=True):
        found[one] |= {code for code in codes if code in known and not _has_another_extension(known[code], one)}
    await _read(portal, _belonging(known) - set(known), known)
    return CrmLookup(
        found={
            str(one): tuple(sorted(_closest(one, codes & set(known), known), key=_rank)) for one, codes in found.items()
        },
        known=known,
    )


_Asked = tuple[Sought, str]
"""Somebody, and one of the values by which the portal is asked for him."""


def _values_of(one: Sought) -> tuple[str, ...]:
    if one.kind == "EMAIL":
        return (one.text,)
    return tuple(dict.fromkeys(value for phone in one.phones for value in phone.spellings))


async def _match(
    portal: Reader, asked: Sequence[_Asked], found: dict[Sought, set[str]], known: dict[str, CrmCard]
) -> list[_Asked]:
    """Add to `found` who has what was asked for, and return what has to be asked for alone.

    Where the portal found somebody whom nothing asked for fits, it matched one of the values in a spelling that is not
    understood here. Which one it was shows only when each is asked for alone.
    """
    calls = list(_calls(asked))
    hits = await _search(portal, calls)
    await _read(portal, {code for codes in hits for code in codes}, known)
    doubtful: list[_Asked] = []
    for call, codes in zip(calls, hits, strict=True):
        matched: set[str] = set()
        for one, _ in call:
            own = {code for code in codes if code in known and _has(known[code], one)}
            found[one] |= own
            matched |= own
        if codes - matched:
            doubtful += [pair for pair in call if not found[pair[0]]]
    return doubtful


def _rank(code: str) -> int:
    return int(code.rpartition("_")[2])


def _belonging(known: Mapping[str, CrmCard]) -> set[str]:
    """Return the contacts and companies behind the deals, for their phones."""
    deals = [client for client in known.values() if client.type == "deal"]
    return {_code("contact", deal.contact) for deal in deals if deal.contact} | {
        _code("company", deal.company) for deal in deals if deal.company
    }


def _code(owner_type: OwnerType, number: int) -> str:
    return f"{OWNER_TYPES[owner_type][1]}_{number}"


def _calls(asked: Iterable[_Asked]) -> Iterable[tuple[_Asked, ...]]:
    """Group the searches into calls of one type and kind."""
    groups: dict[tuple[str, str], list[_Asked]] = defaultdict(list)
    for one, value in asked:
        groups[one.type, one.kind].append((one, value))
    for _, group in sorted(groups.items()):
        yield from (tuple(group[at : at + _VALUES_PER_CALL]) for at in range(0, len(group), _VALUES_PER_CALL))


async def _search(portal: Reader, calls: Sequence[tuple[_Asked, ...]]) -> list[set[str]]:
    """Return the links each call found."""
    commands = [
        Command(
            method="crm.duplicate.findbycomm",
            params={
                "type": call[0][0].kind,
                "values": [value for _, value in call],
                "entity_type": call[0][0].type.upper(),
            },
        )
        for call in calls
    ]
    hits = []
    for call, reply in zip(calls, await portal.read_many(commands), strict=True):
        result = _result("crm.duplicate.findbycomm", reply)
        ids = rows_of(result.get(call[0][0].type.upper())) if isinstance(result, Mapping) else ()
        hits.append({_code(call[0][0].type, int(str(one))) for one in ids if str(one).isdecimal()})
    return hits


def _result(method: str, reply: Reply) -> Json:
    match reply:
        case Done(result=result):
            return result
        case Refused():
            raise CommandRefusedError(method, reply)
        case _:
            raise PortalUnreachableError(f"clients could not be looked up: {reply.reason}", "the next pass tries again")


async def _read(portal: Reader, codes: Collection[str], known: dict[str, CrmCard]) -> None:
    """Read the clients with these links; rows that were not asked for are ignored."""
    commands: list[tuple[OwnerType, Command]] = []
    for owner_type, (_, letters) in OWNER_TYPES.items():
        ids = sorted(_rank(code) for code in codes if code.rpartition("_")[0] == letters and code not in known)
        for at in range(0, len(ids), _IDS_PER_CALL):
            params: dict[str, Json] = {
                "filter": {"@ID": ids[at : at + _IDS_PER_CALL]},
                "select": _COLUMNS[owner_type],
                "order": {"ID": "ASC"},
            }
            commands.append((owner_type, Command(method=f"crm.{owner_type}.list", params=params)))
    replies = await portal.read_many([command for _, command in commands])
    for (owner_type, command), reply in zip(commands, replies, strict=True):
        for row in rows_of(_result(command.method, reply)):
            client = _client(owner_type, row)
            # A filter that the portal drops silently returns every client (PORTAL.md 6.4).
            if client is not None and client.code in codes:
                known[client.code] = client


def _client(owner_type: OwnerType, row: Json) -> CrmCard | None:
    try:
        read = msgspec.convert(row, _CardRow)
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
        # It then counts as not found, and only the entries that name it are concerned.
        return None


def _int(value: int | str | None) -> int:
    return int(value) if value is not None and str(value).isdecimal() else 0


def _values(value: Json) -> tuple[str, ...]:
    try:
        rows = msgspec.convert(rows_of(value), list[_MultiRow])
    except msgspec.ValidationError:
        return ()
    return tuple(row.value.strip() for row in rows if row.value and row.value.strip())


def _has(client: CrmCard, wanted: Sought) -> bool:
    if wanted.kind == "EMAIL":
        return wanted.word in {one.casefold() for one in client.emails}
    return likeness(client.phones, wanted) > 0


def likeness(phones: Iterable[str], wanted: Sought) -> int:
    """Return how well the best of a client's phones fits one of those wanted: 2, 1 or 0 (see `Phone.likeness`)."""
    own = [phone for text in phones for phone in phones_in(text, wanted.country)]
    return max((one.likeness(other) for one in wanted.phones for other in own), default=0)


def _closest(wanted: Sought, codes: Collection[str], known: Mapping[str, CrmCard]) -> Collection[str]:
    """Return the clients who have the very number wanted, extension included, if there are any; else all."""
    exact = [code for code in codes if likeness(known[code].phones, wanted) > 1]
    return exact or codes


def _has_another_extension(client: CrmCard, wanted: Sought) -> bool:
    """Return True if a client is another one behind the same number."""
    numbers = {phone.number for phone in wanted.phones}
    own = {phone.number for text in client.phones for phone in phones_in(text, wanted.country)}
    return bool(numbers & own) and not _has(client, wanted)
