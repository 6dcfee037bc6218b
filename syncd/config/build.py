"""Portals and syncs: from the tables of TOML to the values of the config. What each key means is decided here."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from syncd.config.build_app import build_app
from syncd.config.build_extra import build_extra, refuse_misplaced
from syncd.config.build_fields import build_fields
from syncd.config.build_service import build_when
from syncd.config.build_target import build_target
from syncd.config.config_file import ConfigFile
from syncd.config.config_values import (
    AppConfig,
    LimitsConfig,
    PortalConfig,
    SourceConfig,
    SyncConfig,
    TlsFiles,
)
from syncd.config.durations import parse_duration
from syncd.config.secrets import FORMS, Secret, SecretMissingError, check_webhook, read_secret, secret_forms
from syncd.config.tables import (
    COLUMN_KEYS,
    GRID_KEYS,
    SOURCE_KEYS,
    AppTable,
    FilterTable,
    LimitsTable,
    OnHostChange,
    PortalTable,
    SyncTable,
)
from syncd.config.toml_lines import KeyPath
from syncd.config.wrong_values import did_you_mean
from syncd.errors import message_of
from syncd.lang.saying import say
from syncd.model.filter import Filter, compile_condition
from syncd.model.guard import Threshold
from syncd.model.zone_names import ALIASES
from syncd.model.zones import countries

_NAME = re.compile(r"[a-z0-9-]+")
_MOST_PER_BATCH = 50
_VERIFY = "6h"
_VERIFY_WATCHED = "24h"
"""If the portal reports edits itself, reading it only proves that no hint was lost."""
_FORMS_OF_WEBHOOK = tuple(f"webhook{form}" for form in FORMS if form)


def build_portal(
    file: ConfigFile,
    name: str,
    table: Mapping[str, Any],
    *,
    base: Path,
    environ: Mapping[str, str],
    alone: bool = True,
) -> tuple[PortalConfig, str, Path | None]:
    """Return `[portals.NAME]`, the key that gives its secret, and the file that it was read from, if any.

    Unless the portal is the only one (`alone`), a missing secret makes just this portal unusable.
    """
    path = ("portals", name)
    portal = file.convert(table, PortalTable, *path)
    if portal.app is not None:
        return _app_portal(file, name, portal, portal.app, base=base, environ=environ, alone=alone)
    given, forms = secret_forms(portal, "webhook")
    given = given or "webhook"
    # Which of the four keys is wrong is known only after reading, so an error names the one that is given.
    unusable, key, holder = "", given, None
    with file.at(*path, given):
        try:
            key, secret, holder = read_secret("webhook", forms, base=base, environ=environ)
            webhook, host = check_webhook(secret)
        except SecretMissingError as error:
            if alone:
                raise
            unusable = str(file.error((*path, given), message_of(error)))
            webhook, host = check_webhook(Secret(f"https://{name}.invalid/rest/0/none/"))  # RFC 2606: no such host
    return _portal(file, name, portal, base, webhook=webhook, host=host, unusable=unusable), key, holder


def _app_portal(
    file: ConfigFile,
    name: str,
    portal: PortalTable,
    table: AppTable,
    *,
    base: Path,
    environ: Mapping[str, str],
    alone: bool,
) -> tuple[PortalConfig, str, Path | None]:
    """Return a portal that an application calls, as `build_portal` does."""
    path = ("portals", name)
    rival = next((key for key in ("webhook", *_FORMS_OF_WEBHOOK) if getattr(portal, key) is not None), None)
    if rival is not None:
        raise file.error(
            (*path, rival), say("and app exclude each other"), say("keep one of them: an application needs no webhook")
        )
    app, host, holder, unusable = build_app(file, table, (*path, "app"), base=base, environ=environ, alone=alone)
    return _portal(file, name, portal, base, app=app, host=host, unusable=unusable), "app", holder


def _portal(
    file: ConfigFile,
    name: str,
    portal: PortalTable,
    base: Path,
    *,
    host: str,
    unusable: str,
    webhook: Secret = Secret(""),  # noqa: B008 - never changed
    app: AppConfig | None = None,
) -> PortalConfig:
    path = ("portals", name)
    return PortalConfig(
        name=name,
        webhook=webhook,
        app=app,
        host=host,
        tariff=portal.tariff,
        limits=_limits(file, portal.limits, (*path, "limits")),
        server_timezone=_timezone(file, portal.server_timezone, *path, "server_timezone"),
        unusable=unusable,
        tls=_tls(file, portal, base, path),
    )


def _tls(file: ConfigFile, portal: PortalTable, base: Path, path: KeyPath) -> TlsFiles | None:
    """Return the files of `ca_file`, `client_cert` and `client_key`; raises ConfigError if they cannot be used."""
    if portal.ca_file is None and portal.client_cert is None and portal.client_key is None:
        return None
    given = next(one for one in ("ca_file", "client_cert", "client_key") if getattr(portal, one) is not None)
    files = TlsFiles(
        ca_file=portal.ca_file,
        client_cert=portal.client_cert,
        client_key=portal.client_key,
        base=base,
        where=file.where(*path, given),
    )
    # Few portals need it, and loading it takes time that every command would spend.
    from syncd.config.certificates import make_context  # noqa: PLC0415

    make_context(files)
    return files


def _limits(file: ConfigFile, table: LimitsTable, path: KeyPath) -> LimitsConfig:
    given = {name: value for name, value in msgspec.structs.asdict(table).items() if value is not None}
    for name, value in given.items():
        if not 0 < value < float("inf"):
            raise file.error((*path, name), say("must be greater than 0, not {value}", value=value))
    if given.get("operating_share", 0) > 1:
        raise file.error((*path, "operating_share"), say("must be at most 1, which is all of the limit"))
    if given.get("batch_size", 0) > _MOST_PER_BATCH:
        raise file.error(
            (*path, "batch_size"),
            say("must be at most {most}: the portal refuses longer batches", most=_MOST_PER_BATCH),
        )
    limits = LimitsConfig(**given)
    if limits.timeout is not None and limits.timeout < limits.longest_batch_s:
        raise file.error(
            (*path, "timeout"),
            say(
                "must be at least batch_seconds, which is {longest:g}, not {timeout:g}:"
                " a request that is still at work would be taken for lost",
                longest=limits.longest_batch_s,
                timeout=limits.timeout,
            ),
        )
    return limits


def build_sync(
    file: ConfigFile,
    index: int,
    table: Mapping[str, Any],
    *,
    base: Path,
    portals: Sequence[str],
    watched: Collection[str] = (),
) -> SyncConfig:
    """Return the `[[sync]]` number `index` (from 0); `watched` are the portals that report edits themselves."""
    path = ("sync", index)
    sync = file.convert(table, SyncTable, *path)
    if not _NAME.fullmatch(sync.name):
        raise file.error((*path, "name"), say('must consist of a-z, 0-9 and "-" only, not "{name}"', name=sync.name))
    if sync.removed_after < 1:
        raise file.error(
            (*path, "removed_after"), say("must be at least 1, not {removed_after}", removed_after=sync.removed_after)
        )
    portal = file.portal(sync.portal, portals, (*path, "portal"))
    every = sync.verify_every or (_VERIFY_WATCHED if portal in watched else _VERIFY)
    refuse_misplaced(file, sync, path)
    extra = build_extra(file, sync.fields.extra, (*path, "fields", "extra"))
    return SyncConfig(
        name=sync.name,
        where=f"{file.where(*path)} {sync.name}",
        portal=portal,
        when=build_when(file, sync, table, path),
        verify_every=file.period(every, *path, "verify_every"),
        verify_unheard=parse_duration(_VERIFY) if sync.verify_every is None and portal in watched else None,
        timezone=_timezone(file, sync.timezone, *path, "timezone"),
        country=_country(file, sync.country, *path, "country"),
        past=file.parsed(parse_duration, sync.window.past, *path, "window", "past"),
        future=file.parsed(parse_duration, sync.window.future, *path, "window", "future"),
        window_given="window" in table,  # a migration covers all days unless the config limits them
        on_removed=sync.on_removed,
        removed_after=sync.removed_after,
        on_conflict=sync.on_conflict,
        on_host_change=_on_host_change(file, sync, path),
        max_removed=_threshold(file, sync.max_removed, *path, "max_removed"),
        max_changed=_threshold(file, sync.max_changed, *path, "max_changed"),
        adopt=sync.adopt if isinstance(sync.adopt, str) else "identical" if sync.adopt else False,
        marker=sync.marker,
        uids=sync.uids,
        source=_source(file, sync, base, (*path, "source"), portals),
        target=build_target(file, sync.target, sync.name, (*path, "target"), base=base),
        fields=build_fields(file, sync.fields, (*path, "fields"), extra),
        filter=_filter(file, sync.filter, (*path, "filter")),
    )


def _on_host_change(file: ConfigFile, sync: SyncTable, path: tuple[str | int, ...]) -> OnHostChange:
    if sync.on_host_change is not None and sync.fields.host is None:
        raise file.error((*path, "on_host_change"), say("is about the host, and [sync.fields] names none"))
    return sync.on_host_change or "report"


def _threshold(file: ConfigFile, value: str | int, *path: str | int) -> Threshold:
    with file.at(*path):
        return Threshold.parse(value)


def _timezone(file: ConfigFile, name: str | None, *path: str | int) -> str | None:
    if name is None:
        return None
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a directory, "Europe"
        # The nearest spelling of an abbreviation is another zone: that of MSK is MST, in America.
        meant = ALIASES.get(name)
        near = (
            say('did you mean "{close}"?', close=meant) if meant else did_you_mean(name, sorted(available_timezones()))
        )
        remedy = near or say('take a name like "Europe/Moscow"')
        raise file.error(path, say('must be an IANA time zone, not "{name}"', name=name), remedy) from None
    return name


def _country(file: ConfigFile, code: str | None, *path: str | int) -> str:
    if code is not None and code not in countries():
        raise file.error(
            path,
            say('must be the code of a country in capitals, not "{code}"', code=code),
            say('for example "RU" or "KZ"'),
        )
    return code or ""


def _source(file: ConfigFile, sync: SyncTable, base: Path, path: KeyPath, portals: Sequence[str]) -> SourceConfig:
    options: Mapping[str, Any] = sync.source
    kind = options.get("type")
    if not isinstance(kind, str):
        raise file.error((*path, "type"), say("is missing") if kind is None else say("must be text in quotes"))
    if kind in SOURCE_KEYS:  # a plugin checks its own keys
        file.refuse_unknown(options, SOURCE_KEYS[kind], path)
        columns = options.get("columns")
        file.refuse_unknown(columns if isinstance(columns, dict) else {}, COLUMN_KEYS, (*path, "columns"))
        grid = options.get("grid")
        file.refuse_unknown(grid if isinstance(grid, dict) else {}, GRID_KEYS, (*path, "grid"))
    if kind == "bitrix24" and isinstance(options.get("portal"), str):
        file.portal(options["portal"], portals, (*path, "portal"))
    if sync.fields.files not in (None, "none"):
        options = {**options, "attachments": True}  # which no config can say itself
    return SourceConfig(options=options, base=base, where=file.where(*path))


def _filter(file: ConfigFile, table: FilterTable, path: KeyPath) -> Filter:
    include, exclude = (
        tuple(compile_condition(text, where=file.where(*path, key, n)) for n, text in enumerate(texts))
        for key, texts in (("include", table.include), ("exclude", table.exclude))
    )
    return Filter(include=include, exclude=exclude)
