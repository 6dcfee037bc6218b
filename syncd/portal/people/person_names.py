"""Names of people as schedules write them: in either order, with a patronymic or without, with initials."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

_DOT = re.compile(r"\.(?=\S)")
_MOST_WORDS = 6


class Named(Protocol):
    """Somebody with the three parts of a name; the second one is the patronymic or middle name, "" if unknown."""

    @property
    def name(self) -> str:
        """First name."""
        ...

    @property
    def second_name(self) -> str:
        """Patronymic or middle name."""
        ...

    @property
    def last_name(self) -> str:
        """Family name."""
        ...


P = TypeVar("P", bound=Named)


def folded(text: str) -> str:
    """Return a name without case and spare blanks, and with е for ё, which few people type."""
    return " ".join(text.split()).casefold().replace("ё", "е")


def spellings(person: Named) -> frozenset[str]:
    """Return the ways to write the whole name, folded."""
    first, second, last = person.name, person.second_name, person.last_name
    orders = ((first, last), (last, first), (last, first, second), (first, second, last))
    return frozenset(folded(" ".join(part for part in order if part)) for order in orders) - {""}


def by_last_name(people: Iterable[P]) -> Mapping[str, Sequence[P]]:
    """Return everybody who has a first and a last name, by the first word of the last name, folded."""
    found: dict[str, list[P]] = defaultdict(list)
    for person in people:
        if person.name and person.last_name:
            found[folded(person.last_name).split()[0]].append(person)
    return found


def called(text: str, people: Mapping[str, Sequence[P]]) -> list[P]:
    """Return whom `text` may mean of `people` (see `by_last_name`), by last name and at least an initial.

    What the portal does not know of somebody speaks against nobody: "Makarov Alexey Ivanovich" may be Alexey Makarov.
    """
    words = folded(_DOT.sub(". ", text)).split()
    if not 2 <= len(words) <= _MOST_WORDS:
        return []
    found: list[P] = []
    for at, word in enumerate(words):
        for person in people.get(word, ()):
            last = folded(person.last_name).split()
            others = words[:at] + words[at + len(last) :]
            if words[at : at + len(last)] == last and _are_given_names(others, person):
                found.append(person)
    return list({id(person): person for person in found}.values())


def _are_given_names(words: Sequence[str], person: Named) -> bool:
    given = [*folded(person.name).split(), *folded(person.second_name).split()]
    known = len(given) if person.second_name else len(given) + 1  # a second name that the portal lacks may be any
    pairs = zip(words, given, strict=False)
    return 0 < len(words) <= known and all(_fits(word, name) for word, name in pairs)


def _fits(word: str, name: str) -> bool:
    initial = word.removesuffix(".")
    return word == name or (len(initial) == 1 and name.startswith(initial))
