"""Names of people as schedules write them: in either order, with a patronymic or without, with initials.

Names are compared by what they look like: case, ё, dashes, spare blanks and the alphabet of letters that look alike do
not tell people apart.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

_DOT = re.compile(r"\.(?=[^\s.])")
_DASH = re.compile(r"(?<=[^\W\d]|\.)\s*-\s*(?=[^\W\d])")
_INVISIBLE = re.compile("[\u00ad\u200c-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_ALIKE = str.maketrans({
    **dict(zip("аеёорсухкмтвніѕј", "aeeopcyxkmtbhisj", strict=True)),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    **dict.fromkeys("\u2019\u02bc`\u00b4", "'"),
    "\u200b": " ",
})  # fmt: skip
_INITIALS = re.compile(r"[^\W\d_]{2}\.?")
_MOST_WORDS = 6
ADDRESS = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+\w")
"""An e-mail address within a text."""


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
    """Return a name as it is compared. The result is not meant to be shown.

    Letters that look alike are Latin ones: whoever types "Cмирнова" with a Latin C means the same, and it cannot be
    seen. A dash between letters is a blank, as in "Анна-Мария"; after an initial's dot there is one.
    """
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold().translate(_ALIKE)
    return " ".join(_DOT.sub(". ", _DASH.sub(" ", plain)).split())


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
    """Return those of `people` (see `by_last_name`) whom `text` may mean, by last name and at least an initial.

    A part of the name that the portal does not have is no contradiction: "Makarov Alexey Ivanovich" may be Alexey
    Makarov.
    """
    if text.count(",") == 1:
        # "Clarke, Emma": what stands before the comma is the whole last name, so it names nobody's neighbour.
        last_name, given = (folded(part).split() for part in text.split(","))
        known = people.get(last_name[0], ()) if last_name else ()
        alike = (one for one in known if folded(one.last_name).split() == last_name)
        return [one for one in alike if _are_given_names(given, one)]
    words = folded(text).split()
    return _called(words, people) or _called(_spread(text.split()), people)


def _spread(words: Sequence[str]) -> list[str]:
    """Return the words with initials of one word apart: "Макаров АИ"; a name of two letters is tried as one first."""
    found: list[str] = []
    for word in words:
        found += folded(" ".join(word) if _INITIALS.fullmatch(word) and word.isupper() else word).split()
    return found


def _called(words: list[str], people: Mapping[str, Sequence[P]]) -> list[P]:
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
    first, second = folded(person.name).split(), folded(person.second_name).split()
    # Of Анна-Мария Львовна, "А.М.", "А.Л." and "А.М.Л." are the initials.
    return any(_stand_for(words, [*one, *second], known=bool(second)) for one in (first, first[:1]))


def _stand_for(words: Sequence[str], given: Sequence[str], *, known: bool) -> bool:
    most = len(given) + (not known)  # a second name that the portal lacks may be any
    return 0 < len(words) <= most and all(_fits(word, name) for word, name in zip(words, given, strict=False))


def _fits(word: str, name: str) -> bool:
    short = word.removesuffix(".")
    # "А", "А." and "Алекс." may be Алексей; "Алекс" without a dot is another name.
    return short == name or (bool(short) and (len(short) == 1 or short != word) and name.startswith(short))
