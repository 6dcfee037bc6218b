"""`[sync.target]`: which keys go with which type of target, and what they mean."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Final, Literal, cast, get_args

from syncd.config.config_file import ConfigFile
from syncd.config.config_values import CardConfig, TargetConfig
from syncd.config.tables import ActivityKind, OwnerType, TargetTable
from syncd.config.toml_lines import KeyPath
from syncd.lang.saying import say
from syncd.model.template import Template

_LARGEST_TABLE_BYTES: Final = 5_000_000
# No name reads like this: words of two scripts, a small letter before capitals, signs and letters of other languages. A
# wrong encoding gives all of them, and a name that nobody has would only look like an unknown owner.
_MISREAD: Final = re.compile(
    r"\w*(?:[A-Za-z][А-яЁё]|[А-яЁё][A-Za-z]|\b[а-яё][А-ЯЁ]{2}|[\x00\ufffdЂЃЉЊЌЋЏђѓљњќћџЈЅѕ®©¤§¶·µ±])\w*"
)
_FIRST_DYNAMIC: Final = 128  # PORTAL.md 6.1
_FIELD_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_COMMON: Final = ("type", "owners", "owners_file", "on_unresolved", "fallback_owner")
_CARDS: Final = ("contact", "owner_type", "owner_field", "responsible")
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "calendar": (*_COMMON, "calendar", "owner", "section"),
    "activity": (*_COMMON, *_CARDS, "activity", "completed", "direction", "origin_version"),
    "todo": (*_COMMON, *_CARDS, "deadline", "ping", "color_id"),
}


def build_target(
    file: ConfigFile, table: TargetTable, sync: str, path: KeyPath, *, base: Path
) -> TargetConfig | CardConfig:
    """Return the target's config; raises ConfigError for keys that do not go together."""
    file.one_of(table.type, tuple(_KEYS), *path, "type")
    # One table for all types, so that a key of another type is told apart from a misspelt one.
    for key in table.__struct_fields__:
        if key not in _KEYS[table.type] and getattr(table, key) is not None:
            kinds = tuple(f'"{kind}"' for kind, keys in _KEYS.items() if key in keys)
            raise file.error(
                (*path, key),
                say('goes with type {kinds}, not "{type}"', kinds=kinds, type=table.type),
                say("remove it"),
            )
    if table.on_unresolved == "fallback" and table.fallback_owner in (None, ""):
        raise file.error((*path, "fallback_owner"), say('is missing, with on_unresolved = "fallback"'))
    if table.on_unresolved != "fallback" and table.fallback_owner is not None:
        raise file.error((*path, "fallback_owner"), say('has no effect without on_unresolved = "fallback"'))
    owners = _owners(file, table, path, base)
    return _calendar(file, table, sync, path, owners) if table.type == "calendar" else _card(file, table, path, owners)


def _owners(file: ConfigFile, table: TargetTable, path: KeyPath, base: Path) -> Mapping[str, int | str]:
    """Return the aliases of the file and of the config; the config takes precedence."""
    if table.owners_file is None:
        return table.owners or {}
    with file.at(*path, "owners_file"):
        return {**_read_aliases(base / Path(table.owners_file).expanduser()), **(table.owners or {})}


def _read_aliases(path: Path) -> Mapping[str, int | str]:
    """Return the aliases in the CSV file `path`: other name -> owner (id, e-mail, XML_ID or full name).

    The file is UTF-8 or cp1251, with comma, semicolon or tab; empty lines and lines that begin with # are skipped.
    Raises ValueError with the line for anything but two filled cells, and for a name given twice.
    """
    text = _table_text(path)
    # The first line decides the delimiter: a name may hold a comma, but not in every table.
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    delimiter = max(",;\t", key=first.count)
    aliases: dict[str, int | str] = {}
    reader = csv.reader(StringIO(text), delimiter=delimiter)
    for cells in reader:
        filled = [cell.strip() for cell in cells]
        if not any(filled) or filled[0].startswith("#"):
            continue
        line = reader.line_num
        if len(filled) != 2 or not all(filled):
            raise ValueError(
                say(
                    "names {path}, whose line {line} must have two filled cells: other name, owner",
                    path=str(path),
                    line=line,
                )
            )
        if filled[0] in aliases:
            raise ValueError(
                say(
                    "names {path}, whose line {line} gives {name!r} a second time",
                    path=str(path),
                    line=line,
                    name=filled[0],
                )
            )
        aliases[filled[0]] = filled[1]
    return aliases


def _table_text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_TABLE_BYTES:
            raise ValueError(say("names {path}, which is too large for a table of names", path=str(path)))
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(
            say("names {path}, which cannot be read: {reason}", path=str(path), reason=error.strerror or "")
        ) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1251", "replace")  # what Excel saves as CSV in Russian
    if (odd := _MISREAD.search(text)) is not None:
        raise ValueError(
            say(
                "names {path}, which is neither UTF-8 nor Windows-1251 ({text!r}); save it as UTF-8",
                path=str(path),
                text=odd[0],
            )
        )
    return text


def _calendar(
    file: ConfigFile, table: TargetTable, sync: str, path: KeyPath, owners: Mapping[str, int | str]
) -> TargetConfig:
    calendar = table.calendar or "user"
    if calendar == "company" and table.owner is not None:
        raise file.error((*path, "owner"), say("has no meaning for the company calendar"), say("remove it"))
    if calendar != "company" and table.owner is None:
        raise file.error(
            (*path, "owner"),
            say("is missing"),
            say('whose {calendar} calendar? For example "{{owner}}"', calendar=calendar),
        )
    section = str(sync if table.section is None else table.section).strip()
    if not section:
        raise file.error((*path, "section"), say("is empty"), say("give the section's name, or leave the key out"))
    return TargetConfig(
        calendar=calendar,
        owner=file.optional_template(table.owner, *path, "owner"),
        section=section,
        owners=owners,
        on_unresolved=table.on_unresolved,
        fallback_owner=table.fallback_owner,
    )


def _card(file: ConfigFile, table: TargetTable, path: KeyPath, owners: Mapping[str, int | str]) -> CardConfig:
    if table.contact is None:
        remedy = say('whose card? For example "{{contact_phone}}", "{{contact_email}}" or an id')
        raise file.error((*path, "contact"), say("is missing"), remedy)
    activity = file.one_of(table.activity or "meeting", get_args(ActivityKind), *path, "activity")
    deadline = file.one_of(table.deadline or "start", ("start", "end"), *path, "deadline")
    return CardConfig(
        type=cast(Literal["activity", "todo"], table.type),
        activity=cast(ActivityKind, activity),
        contact=file.template(table.contact, *path, "contact"),
        owner_type=_owner_type(file, table.owner_type, *path, "owner_type"),
        owner_field=_owner_field(file, table.owner_field, *path, "owner_field"),
        responsible=file.optional_template(table.responsible, *path, "responsible"),
        owners=owners,
        on_unresolved=table.on_unresolved,
        fallback_owner=table.fallback_owner,
        completed=_completed(file, table.completed or "past", *path, "completed"),
        direction=_direction(file, table, activity, *path, "direction"),
        origin_version=file.optional_template(table.origin_version, *path, "origin_version"),
        deadline=cast(Literal["start", "end"], deadline),
        ping=None if table.ping is None else file.reminders(table.ping, (*path, "ping")),
        color_id=file.optional_template(table.color_id, *path, "color_id"),
    )


def _owner_type(file: ConfigFile, given: str | int | None, *path: str | int) -> str:
    """Return whose cards are meant: a type that every portal has by its name, a dynamic type by its number."""
    if given is None:
        return "contact"
    text = str(given)
    if not text.isdecimal():
        return file.one_of(text, get_args(OwnerType), *path)
    number = int(text)
    if number < _FIRST_DYNAMIC:
        remedy = say(
            "use a name ({names}), or the number of a type of your own from 128 on",
            names=tuple(get_args(OwnerType)),
        )
        raise file.error(path, say("is {number}, which is no type of one's own", number=number), remedy)
    return str(number)


def _owner_field(file: ConfigFile, name: str | None, *path: str | int) -> str:
    if name is None:
        return ""
    if _FIELD_NAME.fullmatch(name) is None:
        raise file.error(
            path,
            say('is "{name}", which is no name of a field', name=name),
            say('such as "ufCrm5_1700000000" or "title"'),
        )
    return name


def _direction(
    file: ConfigFile, table: TargetTable, activity: str, *path: str | int
) -> Literal["outgoing", "incoming"] | Template:
    if table.direction is None:
        return "outgoing"
    if activity == "meeting":
        raise file.error(path, say('has no meaning for meetings (activity = "call")'), say("remove it"))
    template = file.template(table.direction, *path)
    if template.constant is None:
        return template
    return cast(Literal["outgoing", "incoming"], file.one_of(template.constant, ("outgoing", "incoming"), *path))


def _completed(file: ConfigFile, text: str, *path: str | int) -> Literal["past", "never"] | Template:
    if text == "past":
        return "past"
    if text == "never":
        return "never"
    template = file.template(text, *path)
    if template.constant is not None:
        raise file.error(
            path, say('must be "past", "never" or a template that gives yes or no, not "{text}"', text=text)
        )
    return template
