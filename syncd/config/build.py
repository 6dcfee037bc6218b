"""Checked tables to the values of the config: what each key means, and which ones exclude each other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from syncd.config.durations import parse_duration
from syncd.config.fields import build_fields
from syncd.config.places import Places
from syncd.config.schema import (
    LimitsConfig,
    PortalConfig,
    SourceConfig,
    SyncConfig,
)
from syncd.config.secrets import check_webhook, read_secret
from syncd.config.service import build_when
from syncd.config.tables import (
    COLUMN_KEYS,
    SOURCE_KEYS,
    FilterTable,
    LimitsTable,
    PortalTable,
    SyncTable,
)
from syncd.config.targets import build_target
from syncd.config.toml_lines import Path as KeyPath
from syncd.model.filter import Filter, compile_condition
from syncd.model.names import nearest
from syncd.model.threshold import Threshold

_NAME = re.compile(r"[a-z0-9-]+")
_MOST_PER_BATCH = 50


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
        uids=sync.uids,
        source=_source(places, sync.source, base, (*path, "source"), portals),
        target=build_target(places, sync.target, sync.name, (*path, "target"), base=base),
        fields=build_fields(places, sync.fields, (*path, "fields")),
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


def _source(
    places: Places, options: Mapping[str, Any], base: Path, path: KeyPath, portals: Sequence[str]
) -> SourceConfig:
    kind = options.get("type")
    if not isinstance(kind, str):
        raise places.error((*path, "type"), "is missing" if kind is None else "must be text in quotes")
    if kind in SOURCE_KEYS:
        places.refuse_unknown(options, SOURCE_KEYS[kind], path)
        columns = options.get("columns")
        places.refuse_unknown(columns if isinstance(columns, dict) else {}, COLUMN_KEYS, (*path, "columns"))
    if kind == "bitrix24" and isinstance(options.get("portal"), str):
        _portal(places, options["portal"], portals, path)
    return SourceConfig(options=options, base=base, where=places.where(*path))


def _filter(places: Places, table: FilterTable, path: KeyPath) -> Filter:
    include, exclude = (
        tuple(compile_condition(text, where=places.where(*path, key, n)) for n, text in enumerate(texts))
        for key, texts in (("include", table.include), ("exclude", table.exclude))
    )
    return Filter(include=include, exclude=exclude)
