"""The text of a first config: the important keys, each with a comment that says where its value comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from syncd.lang.catalog import reader, told
from syncd.lang.saying import say
from syncd.source.guess import Guess
from syncd.source.table.grid_guess import GridGuess

_STAND_IN = "https://example.bitrix24.com/rest/1/CODE/"
_CALENDARS = say("user, group or company")
_PEOPLE_SHOWN = 30
_WIDTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstConfig:
    """The contents of a first config; None or empty if not known.

    `section` names the calendar to write to. `people` and `groups` are lines about the portal, `unresolved` are owners
    in the schedule that it does not know. `account` holds the keys of a source that is an account at a vendor.
    """

    webhook: str | None
    name: str
    section: str
    source: str | None
    guess: Guess | None
    zone: str
    zone_said: str
    calendar: str
    unresolved: tuple[str, ...]
    caller: int | None
    people: tuple[str, ...]
    groups: tuple[str, ...]
    has_crm: bool = True
    has_totals: bool = False
    account: tuple[tuple[str, str, str], ...] = ()

    @property
    def has_owner(self) -> bool:
        """Whether the schedule names the owners of its entries."""
        return bool(self.owner)

    @property
    def owner(self) -> str:
        """The name that stands for the owner in a template, "" if the schedule does not name owners."""
        if self.guess is None:
            return "owner" if self.account else ""
        return self.guess.owner or next((field for field, _, _ in self.guess.columns if field == "owner"), "")

    @property
    def owner_title(self) -> str | int:
        """The title or number of the column of owners, "" if there is none."""
        columns = self.guess.columns if self.guess is not None else ()
        return next((column for field, column, _ in columns if field == "owner"), "")

    @property
    def client(self) -> str:
        """The field that tells which client an entry is about, "" for none or if the webhook may not read them."""
        fields = [field for field, _, _ in self.guess.columns] if self.guess is not None else []
        return next((field for field in ("contact_phone", "contact_email") if field in fields and self.has_crm), "")


def compose(first: FirstConfig) -> str:
    """Return the config as TOML."""
    blocks = (
        _head(),
        _portal(first),
        _sync(first),
        _source(first),
        _target(first),
        _fields(first),
        *((_filter(),) if first.has_totals else ()),
    )
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _head() -> Iterator[str]:
    yield _comment(
        say(
            "A first config by `syncd init`. Read it, correct what is wrong, then: syncd check, syncd plan, syncd sync."
        )
    )
    yield _comment(say("Every key is explained in config.example.toml."))
    if reader() != "en":  # who reads the comments in a language reads messages in it too
        yield ""
        yield _key("language", reader(), say("what syncd says, also the service; or en"))


def _portal(first: FirstConfig) -> Iterator[str]:
    yield "[portals.main]"
    if first.webhook is None:
        yield _comment(
            say("A stand-in: put the address of your inbound webhook here (scopes calendar, user_basic, sonet_group).")
        )
    else:
        yield _comment(
            say("A password: keep this file to yourself, or move it into a file of its own (webhook_file = ...).")
        )
    yield f"webhook = {_text(first.webhook or _STAND_IN)}"
    yield _key("tariff", "standard", say('"enterprise" or "self-hosted" if yours is'))


def _sync(first: FirstConfig) -> Iterator[str]:
    yield "[[sync]]"
    yield _key("name", first.name, say("do not rename it later"))
    yield _key("every", "15m", say("how often `syncd run` looks"))
    yield _key("timezone", first.zone, say("for times without a zone: {whose}", whose=first.zone_said))
    yield _key("on_removed", "keep", say('or "delete": entry gone from the source'))


def _source(first: FirstConfig) -> Iterator[str]:
    found = first.guess
    yield "[sync.source]"
    if first.account:
        yield from (_key(name, value, said) for name, value, said in first.account)
        return
    yield _key(
        "type", found.type if found is not None else "csv", "" if found is not None else say("or xlsx, ics, json, sql")
    )
    place = first.source or "schedule.csv"
    is_address = re.match(r"[\w+]+://", place) is not None
    yield _key("url" if is_address else "path", place, "" if first.source else say("a stand-in: your schedule"))
    if found is not None and found.grid is not None:
        yield from (_key(name, value, said) for name, value, said in found.keys)
        yield from _grid(found.grid)
        return
    if found is None:
        columns: Iterable[tuple[str, str | int, str]] = (
            ("title", "Title", say("the titles of your columns")), ("start", "Start", ""), ("end", "End", ""),
        )  # fmt: skip
    else:
        columns = found.columns
        for name, value, said in found.keys:
            yield _key(name, value, said)
    if columns:
        yield ""
        yield "[sync.source.columns]"
        for name, value, said in columns:
            yield _key(name, value, said)
        if found is not None and not any(name == "uid" for name, _, _ in columns):
            yield _comment(
                say("No column identifies a row, so owner, title and start do: change one, and the row is a new one.")
            )
    if found is not None and found.unknown_zones:
        yield ""
        yield _comment(
            say(
                "These zones are not known, so their events are rejected. Take the signs away and write which they are:"
            )
        )
        yield "# [sync.source.zones]"
        yield from (f"# {_text(name)} = {_text(first.zone)}" for name in found.unknown_zones)


def _grid(grid: GridGuess) -> Iterator[str]:
    yield ""
    yield _comment(say("A plan of people by days: each cell is an entry of its person."))
    yield "[sync.source.grid]"
    yield from (_key(name, value, said) for name, value, said in grid.keys)
    for name, lines in (("titles", grid.titles), ("codes", grid.codes)):
        if lines:
            yield ""
            yield f"[sync.source.grid.{name}]"
            yield from (_key(_text(code), value, said) for code, value, said in lines)


def _target(first: FirstConfig) -> Iterator[str]:
    yield "[sync.target]"
    if first.client:
        yield _key("type", "activity", say("a guess: appointments with clients, who have phones or e-mails"))
        yield _key("activity", "meeting", say('or "call"'))
        yield _key("contact", f"{{{first.client}}}", say("on whose card in the CRM it stands"))
        if first.has_owner:
            yield _key("responsible", f"{{{first.owner}}}", say("found by id, e-mail, XML_ID or full name"))
    else:
        by_groups = first.guess is not None and first.guess.by_groups and first.calendar == "group"
        said = (
            say("the owners are called groups ({title}); or user, company", title=first.owner_title)
            if by_groups
            else _CALENDARS
        )
        yield _key("calendar", first.calendar, said)
        if first.has_owner:
            by = (
                say("found by id or name")
                if first.calendar == "group"
                else say("found by id, e-mail, XML_ID or full name")
            )
            yield _key("owner", f"{{{first.owner}}}", by)
        else:
            said = (
                say("the webhook's owner; or whose calendar it is")
                if first.caller
                else say("a stand-in: whose calendar it is")
            )
            yield _key("owner", first.caller or 1, said)
        yield _key("section", first.section, say("the calendar there, created when missing"))
    yield _key("on_unresolved", "hold", say('owner not found: its entries wait and are listed; or "skip"'))
    if first.unresolved:
        yield _comment(say("The portal does not know these; say who is meant:"))
        # One table on one line, so that the config stays valid when the comment sign is taken away. Nobody is called
        # "?": an id would be somebody's, whose calendar would fill as soon as the sign is gone.
        names = ", ".join(f'{_text(name)} = "?"' for name in first.unresolved[:_PEOPLE_SHOWN])
        yield f"# owners = {{ {names} }}"
    yield from _listed(say("People in the portal:"), first.people)
    yield from _listed(say("Groups in the portal:"), first.groups)


def _fields(first: FirstConfig) -> Iterator[str]:
    yield "[sync.fields]"
    yield _key("attendees", "none", say('"source" invites guests, who get notices'))
    if first.guess is not None and first.guess.type == "ics":
        yield _commented("# remind = []", say("the feed's alarms are taken over; [] for none"))


def _filter() -> Iterator[str]:
    yield "[sync.filter]"
    yield _commented('exclude = ["title ~ (?i)^(итого|всего|total)"]  ', say("rows of totals are no entries"))


def _listed(title: str, lines: tuple[str, ...]) -> Iterator[str]:
    if lines:
        yield _comment(title)
        yield from (f"#   {_one_line(line)}" for line in lines[:_PEOPLE_SHOWN])
        if len(lines) > _PEOPLE_SHOWN:
            yield _comment(say("  … and {number} more: syncd portal owners", number=len(lines) - _PEOPLE_SHOWN))


def _key(name: str, value: str | int, said: str) -> str:
    line = f"{name} = {value if isinstance(value, int) else _text(value)}"
    return _commented(line, said) if said else line


def _commented(line: str, said: str) -> str:
    """Return a line with a comment after it."""
    return f"{line:<{_WIDTH - 1}} # {_one_line(told(said))}"


def _comment(said: str) -> str:
    """Return a line that is a comment."""
    return f"# {_one_line(told(said))}"


def _text(value: str) -> str:
    """Return a TOML string; text from a feed may hold anything, so what is not printable is escaped."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else f"\\u{ord(char):04X}" for char in escaped) + '"'


def _one_line(text: str) -> str:
    """Return text that stays within a comment: a name in the portal may hold a line break."""
    return "".join(char if char.isprintable() else " " for char in text)
