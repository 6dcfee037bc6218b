"""Clients of the CRM as values: how an entry names them, their cards, and what looking them up has found.

Pure; `crm.py` looks them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from syncd.errors import DoubtfulError, EntryError
from syncd.lang.saying import Value, say
from syncd.portal.people.owner_types import CODE, OwnerType, called, code_of, one_called, type_in
from syncd.portal.people.person_names import ADDRESS
from syncd.portal.people.phones import Phone, doubt, phones_in

_LONGEST_ID = 6
"""Digits alone may be an id or a phone. Up to this length they are an id."""
_MOST_DIGITS = 18

REACHED: Final[frozenset[OwnerType]] = frozenset({"contact", "company", "lead"})
"""Types with phones and e-mails of their own."""


@dataclass(frozen=True, kw_only=True)
class CrmCard:
    """A client as the CRM has it: a contact, a deal or an element of any other type, each with a card of its own.

    `responsible` is its ASSIGNED_BY_ID, 0 for none. `contact` and `company` are what it belongs to, 0 for none.
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
        if not self.name:
            return say("{kind} {id}", kind=called(self.type), id=self.id)
        return say("{kind} {id} {name}", kind=called(self.type), id=self.id, name=self.name.rstrip())

    @property
    def code(self) -> str:
        """The link to it, such as C_5."""
        return code_of(self.type, self.id)


_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Somebody to look up; `text` is as in the source, `word` the normal form by which equal ones are equal.

    `phones` are the numbers of which the client has one, and `country` is where those without a country's code belong.
    `field` is the field of the element that has the value `word`.
    """

    type: OwnerType
    kind: Literal["id", "PHONE", "EMAIL", "field"]
    text: str
    word: str
    phones: tuple[Phone, ...] = ()
    country: str = ""
    field: str = ""

    def __str__(self) -> str:
        return f"{self.type}:{self.field or self.kind}:{self.word}"


def sought(text: str, owner_type: OwnerType, *, is_phone: bool = False, country: str = "", field: str = "") -> Sought:
    """Return what `text` refers to: an address with @, a link such as C_5, an id of up to 6 digits, else phones.

    With `is_phone` digits alone are a phone, however few; of a type without phones they are an id, however many.
    `country` (ISO 3166) is that of phones without a code. With `field` a text is the value of that field. Raises
    EntryError for anything else.
    """
    text = " ".join(text.split())
    if field and text:
        return Sought(type=owner_type, kind="field", text=text, word=text, field=field)
    code = CODE.match(text)
    # A link names its type itself, whatever type the config expects.
    named = type_in(code["letters"]) if code is not None else None
    if code is not None and named is not None:
        return Sought(type=named, kind="id", text=text, word=str(int(code["id"])))
    if "@" in text:
        # "Vera <vera@example.com>" and an address with a phone beside it; of two addresses neither is chosen.
        found = {one.casefold() for one in ADDRESS.findall(text)}
        address = found.pop() if len(found) == 1 else text.casefold()
        return _searchable(Sought(type=owner_type, kind="EMAIL", text=address, word=address))
    is_short = len(text) <= (_LONGEST_ID if owner_type in REACHED else _MOST_DIGITS)
    if text.isascii() and text.isdecimal() and not is_phone and is_short and int(text) > 0:
        return Sought(type=owner_type, kind="id", text=text, word=str(int(text)))
    phones = phones_in(text, country)
    if not phones:
        raise EntryError(
            say("{text!r} is no phone, e-mail or id", text=text)
            if text
            else say("no {kind} is named", kind=called(owner_type)),
            say("see contact in [sync.target]"),
        )
    word = ",".join(sorted(map(str, phones)))
    return _searchable(Sought(type=owner_type, kind="PHONE", text=text, word=word, phones=phones, country=country))


def _searchable(found: Sought) -> Sought:
    # The look-up knows leads, contacts and companies only, and nothing else has phones of its own (PORTAL.md 6.8).
    if found.type not in REACHED:
        raise EntryError(
            say("{one} cannot be found by {text!r}", one=one_called(found.type), text=found.text),
            say("name the {kind} by its id, or set owner_field in [sync.target]", kind=called(found.type)),
        )
    return found


@dataclass(frozen=True, kw_only=True)
class CrmLookup:
    """The result of look-ups: links by what was sought (an empty tuple if nobody was found), and clients by link."""

    found: Mapping[str, tuple[str, ...]]
    known: Mapping[str, CrmCard]

    def has_one(self, wanted: Sought) -> bool:
        """Return True if `wanted` has been looked up and is exactly one client."""
        return len(self.found.get(str(wanted), ())) == 1

    def client(self, wanted: Sought) -> CrmCard:
        """Return the one client that matches; raises EntryError naming the value and any candidates."""
        codes = self.found.get(str(wanted), ())
        if len(codes) == 1:
            return self.known[codes[0]]
        if codes:
            raise self._several(wanted, codes)
        what = f"id {wanted.word}"
        if wanted.kind != "id":
            what = say("{text!r}", text=wanted.text)
        if wanted.field:
            what = say("{field} {text!r}", field=wanted.field, text=wanted.text)
        remedy = say("add it in the CRM, or see on_unresolved")
        if said := doubt(wanted.phones):
            remedy = say(
                "{doubt}: write it with the country's code in front, such as +7 495 123-45-67; or add it in the CRM, or"
                " see on_unresolved",
                doubt=said,
            )
        raise EntryError(
            say("no {kind} with {what} that syncd's user may see", kind=called(wanted.type), what=what), remedy
        )

    def _several(self, wanted: Sought, codes: Sequence[str]) -> DoubtfulError:
        names: Value = tuple(str(self.known[code]) for code in codes[:_SHOWN])
        if len(codes) > _SHOWN:
            names = say("{names} and {more} more", names=names, more=len(codes) - _SHOWN)
        return DoubtfulError(
            say(
                "{number} {kind} have {text!r}: {names}",
                number=len(codes),
                kind=called(wanted.type, several=True),
                text=wanted.text,
                names=names,
            ),
            say("merge them in the CRM, or name one by its id"),
        )

    def joined(self, other: CrmLookup) -> CrmLookup:
        """Return the union. If both know a client, the other's version is kept."""
        return CrmLookup(found={**self.found, **other.found}, known={**self.known, **other.known})


def likeness(phones: Iterable[str], wanted: Sought) -> int:
    """Return how well the best of a client's phones fits one of those wanted: 2, 1 or 0 (see `Phone.likeness`)."""
    own = [phone for text in phones for phone in phones_in(text, wanted.country)]
    return max((one.likeness(other) for one in wanted.phones for other in own), default=0)
