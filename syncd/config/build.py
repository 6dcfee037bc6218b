"""Checked tables to the values of the config: what each key means, and which ones exclude each other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from syncd.config.durations import parse_duration
from syncd.config.places import Places
from syncd.config.schema import (
    FieldsConfig,
    LimitsConfig,
    PortalConfig,
    SourceConfig,
    SyncConfig,
    TargetConfig,
)
from syncd.config.secrets import check_webhook, read_secret
from syncd.config.service import build_when
from syncd.config.tables import (
    COLUMN_KEYS,
    SOURCE_KEYS,
    FieldsTable,
    FilterTable,
    LimitsTable,
    PortalTable,
    SyncTable,
    TargetTable,
)
from syncd.config.toml_lines import Path as KeyPath
from syncd.model.filter import Filter, compile_condition
from syncd.model.names import nearest
from syncd.model.template import Template, compile_template
from syncd.model.threshold import Threshold

COLORS: Mapping[str, str] = {
    "red": "#e53935",
    "orange": "#fb8c00",
    "yellow": "#fdd835",
    "green": "#43a047",
    "teal": "#00897b",
    "blue": "#1e88e5",
    "purple": "#8e24aa",
    "pink": "#d81b60",
    "brown": "#6d4c41",
    "gray": "#757575",
    "grey": "#757575",
    "black": "#212121",
}
"""Names a config may use for colours; the portal itself knows only `#rrggbb` (PORTAL.md 4.2)."""

_ACCESSIBILITY = ("busy", "quest", "free", "absent")
_IMPORTANCE = ("high", "normal", "low")
_NAME = re.compile(r"[a-z0-9-]+")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_CRM = re.compile(r"(?:L|D|C|CO|T[0-9a-f]{1,8})_[1-9]\d*")
_MOST_PER_BATCH = 50
_LATER_TARGETS = ("activity", "todo")
_LATER_SOURCES = ("caldav", "bitrix24")


def build_portal(
    places: Places, name: str, table: Mapping[str, Any], *, base: Path, environ: Mapping[str, str]
) -> tuple[PortalConfig, str, Path | None]:
    """Return `[portals.NAME]`, the key its webhook came from, and the file it was read from, if any."""
    path = ("portals", name)
    portal = places.convert(table, PortalTable, *path)
    forms = {key: value for key, value in msgspec.structs.asdict(portal).items() if key.startswith("webhook")}
    given = next((key for key, value in forms.items() if value is not None), "webhook")
    with places.at(*path, given):
        key, secret, file = read_secret("webhook", forms, base=base, environ=environ)
        webhook, host = check_webhook(secret)
    limits = _limits(places, portal.limits, (*path, "limits"))
    built = PortalConfig(
        name=name,
        webhook=webhook,
        host=host,
        tariff=portal.tariff,
        server_timezone=_timezone(places, portal.server_timezone, *path, "server_timezone"),
        limits=limits,
    )
    return built, key, file


def _limits(places: Places, table: LimitsTable, path: KeyPath) -> LimitsConfig:
    given = {name: value for name, value in msgspec.structs.asdict(table).items() if value is not None}
    for name, value in given.items():
        if not 0 < value < float("inf"):
            raise places.error((*path, name), f"must be greater than 0, not {value}")
    if given.get("operating_share", 0) > 1:
        raise places.error((*path, "operating_share"), "must be at most 1, which is all of it")
    if given.get("batch_size", 0) > _MOST_PER_BATCH:
        raise places.error(
            (*path, "batch_size"), f"must be at most {_MOST_PER_BATCH}: the portal refuses longer batches"
        )
    return LimitsConfig(**given)


def build_sync(
    places: Places, index: int, table: Mapping[str, Any], *, base: Path, portals: Sequence[str]
) -> SyncConfig:
    """Return the `[[sync]]` number `index` (from 0)."""
    path = ("sync", index)
    sync = places.convert(table, SyncTable, *path)
    if not _NAME.fullmatch(sync.name):
        raise places.error((*path, "name"), f'must be of a-z, 0-9 and "-" only, not "{sync.name}"')
    if sync.removed_after < 1:
        raise places.error((*path, "removed_after"), f"must be at least 1, not {sync.removed_after}")
    return SyncConfig(
        name=sync.name,
        where=f"{places.where(*path)} {sync.name}",
        portal=_portal(places, sync.portal, portals, path),
        when=build_when(places, sync, table, path),
        verify_every=_period(places, sync.verify_every, *path, "verify_every"),
        timezone=_timezone(places, sync.timezone, *path, "timezone"),
        past=places.parsed(parse_duration, sync.window.past, *path, "window", "past"),
        future=places.parsed(parse_duration, sync.window.future, *path, "window", "future"),
        window_given="window" in table,
        on_removed=sync.on_removed,
        removed_after=sync.removed_after,
        on_conflict=sync.on_conflict,
        max_removed=_threshold(places, sync.max_removed, *path, "max_removed"),
        max_changed=_threshold(places, sync.max_changed, *path, "max_changed"),
        adopt=sync.adopt,
        marker=sync.marker,
        source=_source(places, sync.source, base, (*path, "source")),
        target=_target(places, sync.target, sync.name, (*path, "target")),
        fields=_fields(places, sync.fields, (*path, "fields")),
        filter=_filter(places, sync.filter, (*path, "filter")),
    )


def _portal(places: Places, name: str | None, portals: Sequence[str], path: KeyPath) -> str:
    if name is None:
        if len(portals) == 1:
            return portals[0]
        raise places.error((*path, "portal"), "is missing", f"there is more than one: {', '.join(portals)}")
    if name not in portals:
        raise places.error(
            (*path, "portal"), f'names "{name}", but there is no [portals.{name}]', _meant(name, portals)
        )
    return name


def _period(places: Places, text: str, *path: str | int) -> timedelta:
    duration = places.parsed(parse_duration, text, *path)
    if not duration:
        raise places.error(path, f'must be longer than "{text}"')
    return duration


def _threshold(places: Places, value: str | int, *path: str | int) -> Threshold:
    with places.at(*path):
        return Threshold.parse(value)


def _timezone(places: Places, name: str | None, *path: str | int) -> str | None:
    if name is None:
        return None
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a directory, "Europe"
        remedy = _meant(name, available_timezones()) or 'take a name like "Europe/Moscow"'
        raise places.error(path, f'must be an IANA time zone, not "{name}"', remedy) from None
    return name


def _meant(name: str, known: Sequence[str] | set[str]) -> str:
    close = nearest(name, sorted(known))
    return f'did you mean "{close}"?' if close else ""


def _source(places: Places, options: Mapping[str, Any], base: Path, path: KeyPath) -> SourceConfig:
    kind = options.get("type")
    if not isinstance(kind, str):
        raise places.error((*path, "type"), "is missing" if kind is None else "must be text in quotes")
    if kind in _LATER_SOURCES:
        raise places.error(
            (*path, "type"), f'= "{kind}" is not available in this version of syncd', 'use "csv", "xlsx" or "ics"'
        )
    if kind in SOURCE_KEYS:
        places.refuse_unknown(options, SOURCE_KEYS[kind], path)
        columns = options.get("columns")
        places.refuse_unknown(columns if isinstance(columns, dict) else {}, COLUMN_KEYS, (*path, "columns"))
    return SourceConfig(options=options, base=base, where=places.where(*path))


def _target(places: Places, table: TargetTable, sync: str, path: KeyPath) -> TargetConfig:
    if table.type in _LATER_TARGETS:
        raise places.error(
            (*path, "type"), f'= "{table.type}" is not available in this version of syncd', 'use "calendar"'
        )
    if table.type != "calendar":
        raise places.error((*path, "type"), f'must be "calendar", not "{table.type}"')
    if table.calendar == "company" and table.owner is not None:
        raise places.error((*path, "owner"), "has no meaning for the company calendar", "remove it")
    if table.calendar != "company" and table.owner is None:
        raise places.error((*path, "owner"), "is missing", f'whose {table.calendar} calendar? For example "{{owner}}"')
    if table.on_unresolved == "fallback" and table.fallback_owner in (None, ""):
        raise places.error((*path, "fallback_owner"), 'is missing, with on_unresolved = "fallback"')
    if table.on_unresolved != "fallback" and table.fallback_owner is not None:
        raise places.error((*path, "fallback_owner"), 'has no effect without on_unresolved = "fallback"')
    section = str(sync if table.section is None else table.section).strip()
    if not section:
        raise places.error((*path, "section"), "is empty", "give the section's name, or leave the key out")
    return TargetConfig(
        calendar=table.calendar,
        owner=None if table.owner is None else _template(places, str(table.owner), *path, "owner"),
        section=section,
        owners=table.owners,
        on_unresolved=table.on_unresolved,
        fallback_owner=table.fallback_owner,
    )


def _template(places: Places, text: str, *path: str | int) -> Template:
    return compile_template(text, where=places.where(*path))


def _fields(places: Places, table: FieldsTable, path: KeyPath) -> FieldsConfig:
    return FieldsConfig(
        name=_template(places, table.name, *path, "name"),
        description=_template(places, table.description, *path, "description"),
        location=_template(places, table.location, *path, "location"),
        color=_color(places, table.color, *path, "color"),
        accessibility=_choice(places, table.accessibility, _ACCESSIBILITY, *path, "accessibility"),
        importance=_choice(places, table.importance, _IMPORTANCE, *path, "importance"),
        private=_private(places, table.private, *path, "private"),
        remind=None if table.remind is None else _remind(places, table.remind, path),
        attendees=_attendees(places, table.attendees, *path, "attendees"),
        crm=_crm(places, table.crm, (*path, "crm")),
    )


def _color(places: Places, text: str | None, *path: str | int) -> Template | None:
    if text is None:
        return None
    template = _template(places, COLORS.get(text.strip().lower(), text), *path)
    if template.constant is not None and not _COLOR.fullmatch(template.constant):
        remedy = f"names: {', '.join(COLORS)}"
        raise places.error(path, f'must be "#rrggbb", a template or a name, not "{text}"', remedy)
    return template


def _choice(places: Places, text: str | None, allowed: Sequence[str], *path: str | int) -> Template | None:
    if text is None:
        return None
    template = _template(places, text, *path)
    if template.constant is not None and template.constant not in allowed:
        raise places.error(
            path, f'must be one of {", ".join(allowed)}, or a template, not "{text}"', _meant(text, allowed)
        )
    return template


def _private(places: Places, value: bool | str, *path: str | int) -> bool | Template:
    if isinstance(value, bool):
        return value
    template = _template(places, value, *path)
    if template.constant is not None:
        raise places.error(path, f'must be true, false or a template, not "{value}"')
    return template


def _remind(places: Places, texts: Sequence[str], path: KeyPath) -> tuple[int, ...]:
    minutes: list[int] = []
    for number, text in enumerate(texts):
        duration = places.parsed(parse_duration, text, *path, "remind", number)
        if duration % timedelta(minutes=1):
            raise places.error((*path, "remind", number), f'must be whole minutes, not "{text}"')
        minutes.append(duration // timedelta(minutes=1))
    return tuple(dict.fromkeys(minutes))


def _attendees(
    places: Places, value: str | list[int | str], *path: str | int
) -> Literal["source", "none"] | tuple[str, ...]:
    match value:
        case "source":
            return "source"
        case "none":
            return "none"
        case str():
            raise places.error(path, f'must be "source", "none" or a list of e-mails and ids, not "{value}"')
        case _:
            return tuple(str(each) for each in value)


def _crm(places: Places, value: list[str] | str, path: KeyPath) -> tuple[str, ...]:
    if isinstance(value, str):
        raise places.error(path, "looks contacts up, which is not available in this version of syncd", _CRM_REMEDY)
    for number, text in enumerate(value):
        if "{" in text:
            raise places.error(
                (*path, number), "uses a template, which is not available in this version of syncd", _CRM_REMEDY
            )
        if not _CRM.fullmatch(text):
            raise places.error((*path, number), f'has "{text}", which names nothing in the CRM', _CRM_REMEDY)
    return tuple(value)


_CRM_REMEDY = 'list ids like "C_5" (contact), "CO_5" (company), "L_5" (lead), "D_5" (deal) or "T86_5" (other types)'


def _filter(places: Places, table: FilterTable, path: KeyPath) -> Filter:
    include, exclude = (
        tuple(compile_condition(text, where=places.where(*path, key, n)) for n, text in enumerate(texts))
        for key, texts in (("include", table.include), ("exclude", table.exclude))
    )
    return Filter(include=include, exclude=exclude)
