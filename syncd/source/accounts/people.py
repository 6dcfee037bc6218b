"""Whose calendars are read: a list in the config, a CSV file that is read again each time, or the people of a domain.

calendars = ["anna@example.com", "room-1@resource.calendar.google.com"]      these
calendars = "users.csv"            calendar,owner       one a line; the owner is the calendar's address if not given
calendars = "@example.com"                              everybody of the domain, as the vendor lists them
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from syncd.errors import ConfigError, SourceError
from syncd.lang.saying import say
from syncd.source.encodings import decode
from syncd.source.file_source import CHECK_PATH, read_file

MOST_CALENDARS = 20_000
"""Each takes a request in every pass."""
_FILES = (".csv", ".txt")
_CALENDAR_TITLES = frozenset({
    "calendar", "calendars", "email", "e-mail", "mail", "user", "upn", "userprincipalname", "primaryemail",
    "email address", "email address [required]", "календарь", "почта", "эл. почта", "пользователь", "адрес",
})  # fmt: skip
_OWNER_TITLES = frozenset({"owner", "employee", "владелец", "сотрудник"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """One calendar: what the vendor calls it, mostly an address, and the e-mail address of its owner, "" for nobody."""

    id: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarList:
    """What `calendars` says; `domains` are without "@", and who belongs to them is asked of the vendor."""

    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    base: Path = Path()

    def paths(self) -> tuple[Path, ...]:
        """Return the files that name calendars."""
        return tuple(self.base / Path(name).expanduser() for name in self.files)

    def listed(self, found: Sequence[str] = ()) -> tuple[Calendar, ...]:
        """Return the calendars of the list and of its files, and those `found` in its domains, each once. Blocking.

        Raises SourceError, naming file and line, if a file cannot be read or names none: a shorter list would take the
        events of the others off the portal.
        """
        calendars: dict[str, Calendar] = {}
        for one in (*map(_of_address, self.names), *self._of_files(), *map(_of_address, found)):
            calendars.setdefault(one.id, one)
        if len(calendars) > MOST_CALENDARS:
            remedy = say("name those that are meant with calendars in [sync.source]")
            raise SourceError(
                say(
                    "there are {number} calendars to read, more than {most}", number=len(calendars), most=MOST_CALENDARS
                ),
                remedy,
            )
        return tuple(calendars.values())

    def _of_files(self) -> Iterator[Calendar]:
        for name in self.files:
            try:
                content = read_file(name, self.base).content
            except SourceError as error:
                # The reader knows of a source whose files `path` names.
                remedy = say("check calendars in [sync.source]") if error.remedy == CHECK_PATH else error.remedy
                raise SourceError(error.message, remedy) from None
            text, _, _ = decode(content, "auto", name=name, kind=say("a CSV file"))
            found = tuple(_of_rows(name, text))
            if not found:
                raise SourceError(say("{name} names no calendar", name=name), say("write one address a line"))
            yield from found


def read_list(given: str | Sequence[str], base: Path, *, where: str) -> CalendarList:
    """Return what `calendars` says; raises ConfigError beginning with `where` for what names no calendar."""
    names: list[str] = []
    files: list[str] = []
    domains: list[str] = []
    for text in map(str.strip, (given,) if isinstance(given, str) else given):
        if not text.isprintable() or (any(char.isspace() for char in text) and not text.lower().endswith(_FILES)):
            raise ConfigError(
                say("{where}: calendars: {text!r} is no calendar", where=where, text=text),
                say('e.g. "anna@example.com"'),
            )
        if text.lower().endswith(_FILES):
            files.append(text)
        elif text.lstrip("*").startswith("@"):
            domains.append(_domain(text, where))
        elif text:
            names.append(text)
        else:
            raise ConfigError(
                say("{where}: calendars: an empty name", where=where), say("name a calendar, a CSV file or a domain")
            )
    return CalendarList(names=tuple(names), files=tuple(files), domains=tuple(domains), base=base)


def _domain(text: str, where: str) -> str:
    domain = text.lstrip("*").removeprefix("@").lower()
    if "." not in domain or "@" in domain:
        raise ConfigError(
            say("{where}: calendars: {text!r} is no domain", where=where, text=text), say('e.g. "@example.com"')
        )
    return domain


def _of_address(text: str) -> Calendar:
    """Return the calendar of that name, whose owner has that address if it is one."""
    name = text.lower() if "@" in text else text
    return Calendar(id=name, owner=name if "@" in name and not is_shared(name) else "")


def is_shared(address: str) -> bool:
    """Return True for the address of a calendar that is nobody's own: Google's further calendars, rooms, holidays."""
    return address.lower().endswith(".calendar.google.com")


def _of_rows(name: str, text: str) -> Iterator[Calendar]:
    rows = csv.reader(StringIO(text, newline=""), delimiter=max(",;\t", key=text.count))
    columns = (0, 1)
    titled = False
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if not titled and not any("@" in cell for cell in cells):
                columns, titled = _columns(cells, f"{name}:{rows.line_num}"), True
                continue
            titled = True
            yield _of_cells(cells, columns, f"{name}:{rows.line_num}")
    except csv.Error as error:
        where = f"{name}:{rows.line_num}"
        raise SourceError(
            say("{where}: {reason}", where=where, reason=str(error)),
            say("save it as CSV again"),
        ) from None


def _columns(titles: Sequence[str], where: str) -> tuple[int, int]:
    """Return the columns of calendars and owners, the latter past the last one if there is none."""
    folded = [title.casefold() for title in titles]
    calendar = next((at for at, title in enumerate(folded) if title in _CALENDAR_TITLES), None)
    if calendar is None:
        raise SourceError(
            say("{where}: no column of addresses", where=where),
            say('call it "calendar", and that of the owners "owner"'),
        )
    return calendar, next((at for at, title in enumerate(folded) if title in _OWNER_TITLES), len(titles))


def _of_cells(cells: Sequence[str], columns: tuple[int, int], where: str) -> Calendar:
    text, owner = (cells[at] if at < len(cells) else "" for at in columns)
    if not text or any(char.isspace() for char in text):
        raise SourceError(
            say("{where}: {text!r} is no calendar", where=where, text=text),
            say("write its address, such as anna@example.com"),
        )
    calendar = _of_address(text)
    return Calendar(id=calendar.id, owner=(owner.lower() if "@" in owner else owner) or calendar.owner)
