"""Clients of the portal's CRM: looks up phones, e-mails and ids in batches.

A look-up of 20 values returns the clients it found, but not by which value (PORTAL.md 6.8), so they are matched here. A
phone that nobody has is asked for again as it is dialled at home. A value that the portal matches in another spelling
is asked for once more, alone. No filter is trusted: every row is checked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from syncd.portal.line.shapes import rows_of
from syncd.portal.line.wire import Command
from syncd.portal.people.clients import REACHED, CrmCard, CrmLookup, Sought, likeness
from syncd.portal.people.crm_cards import find_by_field, rank, read_cards, result_of
from syncd.portal.people.owner_types import OwnerType, code_of, type_in
from syncd.portal.people.phones import phones_in
from syncd.portal.reader import Reader

_VALUES_PER_CALL = 20
"""The most that crm.duplicate.findbycomm takes (PORTAL.md 6.8)."""


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
            found[one].add(code_of(one.type, int(one.word)))
    await _find_by_fields(portal, [one for one in asked if one.kind == "field"], found)
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
            str(one): tuple(sorted(_closest(one, codes & set(known), known), key=rank)) for one, codes in found.items()
        },
        known=known,
    )


_Asked = tuple[Sought, str]
"""A client to look up, and one of the values by which the portal is asked for it."""


def _values_of(one: Sought) -> tuple[str, ...]:
    if one.kind == "EMAIL":
        return (one.text,)
    return tuple(dict.fromkeys(value for phone in one.phones for value in phone.spellings))


async def _match(
    portal: Reader, asked: Sequence[_Asked], found: dict[Sought, set[str]], known: dict[str, CrmCard]
) -> list[_Asked]:
    """Add to `found` the clients that have what was asked for, and return what has to be asked for alone.

    If the portal found a client that fits none of the values, it matched one of them in a spelling that is not
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


async def _find_by_fields(portal: Reader, asked: Sequence[Sought], found: Mapping[Sought, set[str]]) -> None:
    groups: dict[tuple[OwnerType, str], list[Sought]] = defaultdict(list)
    for one in asked:
        groups[one.type, one.field].append(one)
    for (owner_type, field), group in sorted(groups.items()):
        hits = await find_by_field(portal, owner_type, field, [one.word for one in group])
        for one in group:
            found[one] |= {code_of(owner_type, number) for number in hits[one.word]}


async def _read(portal: Reader, codes: Collection[str], known: dict[str, CrmCard]) -> None:
    """Read the clients with these links that are not known yet."""
    missing = {code for code in codes if code not in known}
    types = {named for code in missing if (named := type_in(code.rpartition("_")[0])) is not None}
    if missing:
        known.update(await read_cards(portal, missing, types))


def _belonging(known: Mapping[str, CrmCard]) -> set[str]:
    """Return the contacts and companies behind elements that have no phones of their own."""
    elements = [client for client in known.values() if client.type not in REACHED]
    return {code_of("contact", one.contact) for one in elements if one.contact} | {
        code_of("company", one.company) for one in elements if one.company
    }


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
        result = result_of("crm.duplicate.findbycomm", reply)
        ids = rows_of(result.get(call[0][0].type.upper())) if isinstance(result, Mapping) else ()
        hits.append({code_of(call[0][0].type, int(str(one))) for one in ids if str(one).isdecimal()})
    return hits


def _has(client: CrmCard, wanted: Sought) -> bool:
    if wanted.kind == "EMAIL":
        return wanted.word in {one.casefold() for one in client.emails}
    return likeness(client.phones, wanted) > 0


def _closest(wanted: Sought, codes: Collection[str], known: Mapping[str, CrmCard]) -> Collection[str]:
    """Return the clients that have exactly the wanted number, including the extension, if there are any; else all."""
    exact = [code for code in codes if likeness(known[code].phones, wanted) > 1]
    return exact or codes


def _has_another_extension(client: CrmCard, wanted: Sought) -> bool:
    """Return True if a client has another extension of the same number."""
    numbers = {phone.number for phone in wanted.phones}
    own = {phone.number for text in client.phones for phone in phones_in(text, wanted.country)}
    return bool(numbers & own) and not _has(client, wanted)
