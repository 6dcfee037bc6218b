"""The keys that only `syncd run` uses: when passes run, and `[http]`, where the status page listens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from syncd.config.config_file import ConfigFile
from syncd.config.config_values import HttpConfig, WhenConfig
from syncd.config.durations import parse_duration
from syncd.config.secrets import Secret
from syncd.config.tables import HttpTable, LeaseTable, SyncTable
from syncd.config.toml_lines import KeyPath
from syncd.errors import message_of
from syncd.lang.saying import say
from syncd.model.lease import LeaseTerms
from syncd.net import is_loopback

_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_CRON_FIELDS = 5
_SHORTEST_TOKEN = 16
_LONGEST_LEASE_S = 3600.0
_LONGEST_SETTLE = timedelta(hours=1)


def build_when(file: ConfigFile, sync: SyncTable, given: Mapping[str, Any], path: KeyPath) -> WhenConfig:
    """Return when the sync's passes run. `given` are the keys that are really in the config, without defaults."""
    if "cron" in given and "every" in given:  # `given`, as `every` has a default
        raise file.error((*path, "cron"), say("and every exclude each other"), say("keep one of them"))
    every = file.period(sync.every, *path, "every")
    settle = file.parsed(parse_duration, sync.settle, *path, "settle")
    if settle > _LONGEST_SETTLE:
        raise file.error((*path, "settle"), say('must be at most "1h", not "{settle}"', settle=sync.settle))
    return WhenConfig(
        every=every,
        cron=None if sync.cron is None else _cron(file, sync.cron, *path, "cron"),
        jitter=None if sync.jitter is None else file.parsed(parse_duration, sync.jitter, *path, "jitter"),
        watch=sync.watch,
        settle=settle,
        stale_after=None if sync.stale_after is None else file.period(sync.stale_after, *path, "stale_after"),
    )


def build_lease(file: ConfigFile, table: LeaseTable | None, *, shared: bool) -> LeaseTerms:
    """Return the terms of `[lease]`, or the usual ones. `shared` is True if several machines may share the state."""
    if table is None:
        return LeaseTerms()
    if not shared:
        raise file.error(("lease",), say("is for a state in PostgreSQL"), say("add state_url, or leave [lease] out"))
    seconds = {
        key: file.parsed(parse_duration, getattr(table, key), "lease", key).total_seconds()
        for key in ("ttl", "renew", "margin")
    }
    for key, value in seconds.items():
        if value < 1:
            raise file.error(("lease", key), say('must be at least "1s", not "{value}"', value=getattr(table, key)))
    if seconds["ttl"] > _LONGEST_LEASE_S:
        raise file.error(
            ("lease", "ttl"), say('must be at most "1h", not "{ttl}": for so long nobody takes over', ttl=table.ttl)
        )
    try:
        return LeaseTerms(ttl_s=seconds["ttl"], renew_s=seconds["renew"], margin_s=seconds["margin"])
    except ValueError as error:
        raise file.error(("lease",), message_of(error), say('as in ttl = "15s", renew = "5s", margin = "3s"')) from None


def _cron(file: ConfigFile, text: str, *path: str | int) -> str:
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - most configs name no cron

    fields = text.split()
    remedy = say('give minute, hour, day of month, month and day of week, as in "*/15 7-20 * * 1-5"')
    if len(fields) != _CRON_FIELDS:
        raise file.error(path, say('must have five fields, not "{text}"', text=text), remedy)
    try:
        times = CronSim(" ".join(fields), datetime.now(UTC))
    except CronSimError as error:
        raise file.error(path, _bad_field(str(error), text), remedy) from None
    if next(times, None) is None:  # 30 February, say
        raise file.error(path, say('never comes: "{text}"', text=text), remedy)
    return " ".join(fields)


def _bad_field(said: str, text: str) -> str:
    """Return what cronsim `said` of the expression `text`, naming the field that it cannot read."""
    match said.removeprefix("Bad "):
        case "minute":
            return say('has a bad minute: "{text}"', text=text)
        case "hour":
            return say('has a bad hour: "{text}"', text=text)
        case "day-of-month":
            return say('has a bad day-of-month: "{text}"', text=text)
        case "month":
            return say('has a bad month: "{text}"', text=text)
        case "day-of-week":
            return say('has a bad day-of-week: "{text}"', text=text)
        case _:
            return say('is no cron expression: "{text}"', text=text)


def build_http(file: ConfigFile, table: HttpTable | None, environ: Mapping[str, str]) -> HttpConfig | None:
    """Return where the status page listens, None if it is off; raises ConfigError for what is no HOST:PORT."""
    if table is None:
        return None
    path = ("http", "listen")
    remedy = say('give an address of this machine and a port, as in "127.0.0.1:8787" or "[::1]:8787"')
    try:
        parts = urlsplit(f"//{table.listen}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise file.error(path, say('is no address: "{listen}"', listen=table.listen), remedy) from None
    if parts.netloc != table.listen or "@" in table.listen or not host or port is None:
        raise file.error(path, say('must be HOST:PORT, not "{listen}"', listen=table.listen), remedy)
    names = tuple(_host_name(file, name, number) for number, name in enumerate(table.hosts))
    folder = file.path.absolute().parent
    token = file.secret(table, "token", ("http",), base=folder, environ=environ, check=_is_long)
    public_url, name = _public_url(file, table)
    names = (*names, *([name] if name and name not in names else []))
    return HttpConfig(
        host=host, port=port, public=not is_loopback(host), names=names, token=token, public_url=public_url
    )


def _public_url(file: ConfigFile, table: HttpTable) -> tuple[str | None, str]:
    """Return the address at which portals reach the daemon, with a slash at the end, and its bare host name."""
    if table.public_url is None:
        return None, ""
    path = ("http", "public_url")
    remedy = say('as in "https://syncd.example.com", the address of the proxy before it')
    try:
        parts = urlsplit(table.public_url.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise file.error(path, say("is no address"), remedy) from None
    if not host or "@" in parts.netloc or parts.query or parts.fragment:
        raise file.error(path, say("is no address of a server"), remedy)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise file.error(path, say("must be https: a portal calls no other"), remedy)
    name = host.lower() if _HOST_NAME.fullmatch(host) and not is_loopback(host) else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/", name


def _is_long(token: Secret) -> None:
    if len(token.reveal()) < _SHORTEST_TOKEN:
        raise ValueError(
            say(
                "is shorter than {least} characters: `openssl rand -hex 32` makes a good one",
                least=_SHORTEST_TOKEN,
            )
        )


def _host_name(file: ConfigFile, name: str, number: int) -> str:
    if not _HOST_NAME.fullmatch(name):
        raise file.error(
            ("http", "hosts", number), say('must be a bare name, as in "status.example.com", not "{name}"', name=name)
        )
    return name.lower()
