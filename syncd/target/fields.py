"""What all targets shape in the same way: owners, texts, importance, and links to the CRM.

Every change to a text is told in a warning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import accumulate, takewhile
from typing import Generic, Literal, TypeVar, get_args

from syncd.errors import DoubtfulError, EntryError, message_of
from syncd.lang.saying import Value, say, say_count
from syncd.model.entry import Details, Entry, Problem, Span
from syncd.model.evidence import unmarked
from syncd.model.labels import LABELS
from syncd.model.markup import is_html, to_bbcode, to_html
from syncd.model.template import Template, cut
from syncd.portal.people.clients import CrmCard, Sought, sought
from syncd.portal.people.directory import Directory
from syncd.portal.people.person_names import folded
from syncd.target.base import Shaped


class Aliases:
    """The names of the config's `owners`, in any spelling, with what the portal calls them."""

    def __init__(self, owners: Mapping[str, int | str]) -> None:
        self._names = {folded(name): str(owner) for name, owner in owners.items()}

    def resolve(self, name: str) -> str:
        """Return what `name` stands for, or `name` itself if it is no alias."""
        return self._names.get(folded(name), name)


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Calls `find` once for each key and directory, and remembers what it returned or raised.

    The result of `find` must depend on nothing else.
    """

    def __init__(self, find: Callable[[K, Directory], V]) -> None:
        self._find = find
        self._directory: Directory | None = None
        self._found: dict[K, V | EntryError] = {}

    def get(self, key: K, directory: Directory) -> V:
        """Return what `find` returns for `key`. Raises EntryError if `find` does."""
        if directory is not self._directory:
            self._directory, self._found = directory, {}
        if key not in self._found:
            try:
                self._found[key] = self._find(key, directory)
            except EntryError as error:
                self._found[key] = type(error)(error.message, error.remedy)
        found = self._found[key]
        if isinstance(found, EntryError):
            # A new error each time: the traceback of one that is raised again and again grows.
            raise type(found)(found.message, found.remedy)
        return found


_NO = frozenset({"", "0", "n", "no", "false", "off", "нет"})
_YES = frozenset({"1", "y", "yes", "true", "on", "да", "x", "private", "done", "completed", "выполнено"})


def truth(text: str, name: str) -> bool:
    """Return True for a word that means yes, False for no. Raises EntryError for any other; `name` is the field."""
    word = text.strip().casefold()
    if word in _YES or word in _NO:
        return word in _YES
    raise EntryError(say("{name} is {word!r}", name=name, word=word), say("write yes or no"))


_ALTERNATIVE = "X-ALT-DESC"


def readable(details: Details, untitled: str = "") -> tuple[Details, bool]:
    """Return `details` with an HTML description converted to BB-code, and whether it was HTML.

    Outlook's X-ALT-DESC is used in place of the description, whose text it repeats. `untitled` is used if the title is
    missing.
    """
    if untitled and not details.title.strip():
        details = replace(details, title=untitled)
    for title, value in details.columns:
        if title == _ALTERNATIVE and is_html(value):
            return replace(details, description=to_bbcode(value)), True
    if details.description and is_html(details.description):
        return replace(details, description=to_bbcode(details.description)), True
    return details, False


Importance = Literal["high", "normal", "low"]


def importance_of(template: Template | None, entry: Entry, details: Details, span: Span) -> Importance:
    """Return the importance that `template` gives, or without a template the one that PRIORITY means.

    1 to 4 are high and 6 to 9 low. Raises EntryError for a word that is no importance.
    """
    if template is None:
        priority = details.priority or 5
        return "high" if priority < 5 else "low" if priority > 5 else "normal"
    word = template.render(entry, details, span).strip().lower()
    for known in get_args(Importance):
        if known == word:
            return known  # type: ignore[no-any-return]
    raise EntryError(say("importance is {word!r}", word=word), say("it must be one of high, normal, low"))


NAME_LIMIT = 255
DESCRIPTION_LIMIT_BYTES = 60_000
"""The portal's column is of the 64 KB class (PORTAL.md 4.2); the recovery mark comes on top."""
_EMOJI_BYTES = 10
"""The portal re-encodes what UTF-8 writes with four bytes, for names at least (PORTAL.md 4.2): ":f09f9880:"."""
_LONGEST_WORD = 200
_SHOWN = 5
_ELLIPSIS = "…"
# A location that reads like this books a room (PORTAL.md 4.2).
_ROOM = re.compile(r"\s*(?:calendar|ecmr)_\d", re.IGNORECASE)
# What PHP's trim() takes away (PORTAL.md 4.2): not the no-break space, nor the ideographic one.
_TRIMMED = " \t\n\r\0\x0b"
_LINE_END = re.compile(r"[ \t]*[\r\n\x0b\x0c\x85\u2028\u2029]\s*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def title_text(value: str, warnings: list[str]) -> str:
    """Return a title of one line and at most 255 characters, cut at a word. Blanks within it stay as they are.

    Blanks at its ends are removed without a warning, because the portal removes them and nobody can see them. Raises
    EntryError for a blank title and for "0", which the portal takes for a missing one (PORTAL.md 4.2).
    """
    # Nearly all titles are printable, which is cheap to find out; of blanks these hold spaces only.
    clean = value.strip() if value.isprintable() else _one_line("title", value, warnings)
    if not clean:
        raise EntryError(say("the title is blank"), say("give it a title, or set untitled or name in [sync.fields]"))
    if clean == "0":
        raise EntryError(say('the title is "0", which the portal takes for none'), say("give it another title"))
    if len(clean) <= NAME_LIMIT:
        return clean
    warnings.append(
        say_count(
            "the title has {count} character, the portal holds {most}; it is cut at a word",
            "the title has {count} characters, the portal holds {most}; it is cut at a word",
            len(clean),
            most=NAME_LIMIT,
        )
    )
    return cut(clean, NAME_LIMIT)


def location_text(value: str, warnings: list[str]) -> str:
    """Return a location in one line, cut to 255 characters. One that would book a room is put in brackets."""
    if not value:
        return ""
    clean = value.strip() if value.isprintable() else _one_line("location", value, warnings)
    if _ROOM.match(clean):
        warnings.append(
            say("the location {clean!r} would book a room of the portal; it is written in brackets", clean=clean)
        )
        clean = f"({clean})"
    if len(clean) > NAME_LIMIT:
        warnings.append(
            say_count(
                "the location has {count} character, the portal holds {most}; it is cut",
                "the location has {count} characters, the portal holds {most}; it is cut",
                len(clean),
                most=NAME_LIMIT,
            )
        )
        clean = cut(clean, NAME_LIMIT)
    return clean


def _one_line(name: str, value: str, warnings: list[str]) -> str:
    """Return `value` without line ends, control characters, and blanks at its ends."""
    trimmed = value.strip(_TRIMMED)
    clean = _clean(_LINE_END.sub(" ", trimmed)).strip(_TRIMMED)
    if not clean.strip():  # other blanks alone would get through, and look like no text at all
        return ""
    if _LINE_END.search(trimmed):
        warnings.append(
            say("the {field} has several lines, the portal shows one; they are joined by blanks", field=LABELS[name])
        )
    return clean


def description_text(value: str, warnings: list[str]) -> str:
    """Return a description with plain line ends, of at most 60,000 bytes as the portal stores it.

    A longer one is cut at a word.
    """
    if not value:  # as in most tables
        return ""
    clean = unmarked(_clean(value.replace("\r\n", "\n").replace("\r", "\n"))).strip()
    if len(clean) <= DESCRIPTION_LIMIT_BYTES // _EMOJI_BYTES:
        return clean
    size = sum(map(_stored_bytes, clean))
    if size <= DESCRIPTION_LIMIT_BYTES:
        return clean
    warnings.append(
        say(
            "the description takes {size} bytes, the portal holds {most}; it is cut at a word",
            size=size,
            most=DESCRIPTION_LIMIT_BYTES,
        )
    )
    return _cut_to_bytes(clean, DESCRIPTION_LIMIT_BYTES)


def html_text(bbcode: str, warnings: list[str]) -> str:
    """Return a description made by `description_text` as HTML of at most 60,000 bytes."""
    text = bbcode
    while (size := len((made := to_html(text)).encode("utf-8", "replace"))) > DESCRIPTION_LIMIT_BYTES:
        text = cut(text, max(1, len(text) * DESCRIPTION_LIMIT_BYTES // size - 1))
    if text != bbcode:
        warnings.append(
            say(
                "the description takes more than {most} bytes as HTML; it is cut at a word",
                most=DESCRIPTION_LIMIT_BYTES,
            )
        )
    return made


def _cut_to_bytes(text: str, limit: int) -> str:
    sizes = accumulate(map(_stored_bytes, text), initial=_stored_bytes(_ELLIPSIS))
    kept = text[: sum(1 for size in takewhile(lambda size: size <= limit, sizes)) - 1]
    word = re.search(r"\s\S*\Z", kept[-_LONGEST_WORD:])  # one word that is longer is cut in its midst
    return (kept[: len(kept) - len(word[0])] if word else kept).rstrip() + _ELLIPSIS


def _stored_bytes(character: str) -> int:
    if character < "\x80":
        return 1
    if character < "\u0800":
        return 2
    return 3 if character <= "\uffff" else _EMOJI_BYTES


def _clean(value: str) -> str:
    """Return `value` without control characters and halves of surrogate pairs, which no calendar can show."""
    if value.isprintable():  # the common case, and much cheaper to find out
        return value
    return _CONTROL.sub("", value).encode("utf-8", "ignore").decode("utf-8")


_OTHER_TYPES = re.compile(r"(?:T[0-9a-f]{1,8}|SI|Q)_[1-9]\d*\Z")


def clients_sought(
    templates: tuple[Template, ...], entries: Iterable[Entry], directory: Directory
) -> frozenset[Sought]:
    """Return the clients whose ids the `templates` need. Texts that name no client are skipped.

    An entry that lacks a column of a template is skipped too; it is rejected when it is shaped.
    """
    found: set[Sought] = set()
    asking = [template for template in templates if template.constant is None]
    for entry in entries if asking else ():
        try:
            texts = tuple(_client_texts(asking, entry))
        except EntryError:
            continue
        for text in texts:
            try:
                found.add(sought(text, "contact", country=directory.home_country))
            except EntryError:
                continue
    return frozenset(found)


def crm_links(
    templates: tuple[Template, ...], entry: Entry, directory: Directory, warnings: list[str]
) -> tuple[str, ...]:
    """Return the links of an event, such as C_5, each once, and add to `warnings` what could not be linked.

    Raises EntryError for a name in a template that the entry does not have.
    """
    if not templates:
        return ()
    found = [template.constant for template in templates if template.constant]
    for text in _client_texts([template for template in templates if template.constant is None], entry):
        try:
            found.append(text if _OTHER_TYPES.match(text) else _contact(text, directory).code)
        except EntryError as error:
            warnings.append(say("not linked to the CRM: {message}", message=error.message))
    return tuple(dict.fromkeys(found))


def _contact(text: str, directory: Directory) -> CrmCard:
    return directory.clients.client(sought(text, "contact", country=directory.home_country))


def _client_texts(templates: Iterable[Template], entry: Entry) -> Iterator[str]:
    for template in templates:
        text = template.render(entry, entry.details, entry.span).strip()
        if text:
            yield text


def names_of(entries: Iterable[Entry], template: Template) -> Iterator[str]:
    """Yield the name of the owner of each entry.

    An entry that lacks a column of the template is skipped; it is rejected when it is shaped.
    """
    for entry in entries:
        try:
            yield template.render(entry, entry.details, entry.span).strip()
        except EntryError:
            continue


def to_fallback(names: Iterable[str], fallback: int | str | None) -> tuple[str, ...]:
    """Return a sentence about the entries that go to the fallback, () if there are none.

    `names` has the name of the owner of each such entry, "" if it names nobody.
    """
    counts = Counter(names)
    if not counts:
        return ()
    shown: Value = tuple(
        say("{name!r} ({number})", name=name, number=number) if name else say("nobody ({number})", number=number)
        for name, number in counts.most_common(_SHOWN)
    )
    if len(counts) > _SHOWN:
        shown = say_count(
            "{names} and {count:,} more name", "{names} and {count:,} more names", len(counts) - _SHOWN, names=shown
        )
    return (
        say_count(
            "{count:,} entry goes to the fallback_owner {fallback}, because no one person is called as they say:"
            " {names}; `syncd portal owners --unresolved` says why, see owners in [sync.target]",
            "{count:,} entries go to the fallback_owner {fallback}, because no one person is called as they say:"
            " {names}; `syncd portal owners --unresolved` says why, see owners in [sync.target]",
            counts.total(),
            fallback=str(fallback),
            names=shown,
        ),
    )


class SkippedError(Exception):
    """The owner was not found, as `why` says, and the config says to skip such entries."""

    def __init__(self, why: EntryError) -> None:
        super().__init__(message_of(why))
        self.why = why


def left_out(entry: Entry, skipped: SkippedError) -> Shaped:
    """Return what becomes of an entry that is skipped (`on_unresolved`).

    What was brought over before stays if it is uncertain whom the entry means now. A namesake who is hired, or a client
    who is entered twice, must not take anything away.
    """
    stands = isinstance(skipped.why, DoubtfulError)
    why = message_of(skipped)
    reason = say('left out (on_unresolved = "skip"): {why}', why=why)
    if stands:
        reason = say('left out (on_unresolved = "skip"; what was brought over stays): {why}', why=why)
    problem = Problem(where=entry.where, kind="skipped", key=entry.uid, reason=reason)
    return Shaped(problems=(problem,), stands=stands)
