"""`[sync.target]`: which keys go with which type of target, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, cast, get_args

from syncd.config.aliases import read_aliases
from syncd.config.durations import parse_duration
from syncd.config.places import Places
from syncd.config.schema import CardConfig, TargetConfig
from syncd.config.tables import ActivityKind, OwnerType, TargetTable
from syncd.config.toml_lines import Path as KeyPath
from syncd.model.names import nearest
from syncd.model.template import Template, compile_template

_TYPES: Final = ("calendar", "activity", "todo")
_COMMON: Final = ("type", "owners", "owners_file", "on_unresolved", "fallback_owner")
_CARDS: Final = ("contact", "owner_type", "responsible")
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "calendar": (*_COMMON, "calendar", "owner", "section"),
    "activity": (*_COMMON, *_CARDS, "activity", "completed"),
    "todo": (*_COMMON, *_CARDS, "deadline", "ping", "color_id"),
}


def build_target(
    places: Places, table: TargetTable, sync: str, path: KeyPath, *, base: Path
) -> TargetConfig | CardConfig:
    """Return the target's config; raises ConfigError for keys that do not go together."""
    if table.type not in _TYPES:
        close = nearest(table.type, _TYPES)
        remedy = f'did you mean "{close}"?' if close else ""
        raise places.error((*path, "type"), f'must be one of {", ".join(_TYPES)}, not "{table.type}"', remedy)
    for key in table.__struct_fields__:
        if key not in _KEYS[table.type] and getattr(table, key) is not None:
            goes_with = " and ".join(f'"{kind}"' for kind in _TYPES if key in _KEYS[kind])
            raise places.error((*path, key), f'goes with type {goes_with}, not "{table.type}"', "remove it")
    if table.on_unresolved == "fallback" and table.fallback_owner in (None, ""):
        raise places.error((*path, "fallback_owner"), 'is missing, with on_unresolved = "fallback"')
    if table.on_unresolved != "fallback" and table.fallback_owner is not None:
        raise places.error((*path, "fallback_owner"), 'has no effect without on_unresolved = "fallback"')
    owners = _owners(places, table, path, base)
    return (
        _calendar(places, table, sync, path, owners) if table.type == "calendar" else _card(places, table, path, owners)
    )


def _owners(places: Places, table: TargetTable, path: KeyPath, base: Path) -> Mapping[str, int | str]:
    """Return the aliases of the file and the config; the config's own win."""
    if table.owners_file is None:
        return table.owners or {}
    with places.at(*path, "owners_file"):
        return {**read_aliases(base / Path(table.owners_file).expanduser()), **(table.owners or {})}


def _calendar(
    places: Places, table: TargetTable, sync: str, path: KeyPath, owners: Mapping[str, int | str]
) -> TargetConfig:
    calendar = table.calendar or "user"
    if calendar == "company" and table.owner is not None:
        raise places.error((*path, "owner"), "has no meaning for the company calendar", "remove it")
    if calendar != "company" and table.owner is None:
        raise places.error((*path, "owner"), "is missing", f'whose {calendar} calendar? For example "{{owner}}"')
    section = str(sync if table.section is None else table.section).strip()
    if not section:
        raise places.error((*path, "section"), "is empty", "give the section's name, or leave the key out")
    return TargetConfig(
        calendar=calendar,
        owner=_template(places, table.owner, *path, "owner"),
        section=section,
        owners=owners,
        on_unresolved=table.on_unresolved,
        fallback_owner=table.fallback_owner,
    )


def _card(places: Places, table: TargetTable, path: KeyPath, owners: Mapping[str, int | str]) -> CardConfig:
    contact = _template(places, table.contact, *path, "contact")
    if contact is None:
        remedy = 'whose card? For example "{contact_phone}", "{contact_email}" or an id'
        raise places.error((*path, "contact"), "is missing", remedy)
    activity = _choice(places, table.activity or "meeting", get_args(ActivityKind), *path, "activity")
    owner_type = _choice(places, table.owner_type or "contact", get_args(OwnerType), *path, "owner_type")
    deadline = _choice(places, table.deadline or "start", ("start", "end"), *path, "deadline")
    return CardConfig(
        type=cast(Literal["activity", "todo"], table.type),
        activity=cast(ActivityKind, activity),
        contact=contact,
        owner_type=cast(OwnerType, owner_type),
        responsible=_template(places, table.responsible, *path, "responsible"),
        owners=owners,
        on_unresolved=table.on_unresolved,
        fallback_owner=table.fallback_owner,
        completed=_completed(places, table.completed or "past", *path, "completed"),
        deadline=cast(Literal["start", "end"], deadline),
        ping=None if table.ping is None else reminders(places, table.ping, (*path, "ping")),
        color_id=_template(places, table.color_id, *path, "color_id"),
    )


def _completed(places: Places, text: str, *path: str | int) -> Literal["past", "never"] | Template:
    if text == "past":
        return "past"
    if text == "never":
        return "never"
    template = compile_template(text, where=places.where(*path))
    if template.constant is not None:
        raise places.error(path, f'must be "past", "never" or a template that gives yes or no, not "{text}"')
    return template


def _choice(places: Places, text: str, allowed: tuple[str, ...], *path: str | int) -> str:
    if text not in allowed:
        close = nearest(text, allowed)
        remedy = f'did you mean "{close}"?' if close else ""
        raise places.error(path, f'must be one of {", ".join(allowed)}, not "{text}"', remedy)
    return text


def _template(places: Places, text: str | int | None, *path: str | int) -> Template | None:
    return None if text is None else compile_template(str(text), where=places.where(*path))


def reminders(places: Places, texts: list[str], path: KeyPath) -> tuple[int, ...]:
    """Return durations before the start as whole minutes, each once; raises ConfigError for anything else."""
    minutes: list[int] = []
    for number, text in enumerate(texts):
        duration = places.parsed(parse_duration, text, *path, number)
        if duration.total_seconds() % 60:
            raise places.error((*path, number), f'must be whole minutes, not "{text}"')
        minutes.append(int(duration.total_seconds() // 60))
    return tuple(dict.fromkeys(minutes))
