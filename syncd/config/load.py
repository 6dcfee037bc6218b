"""Finds the config file, reads it and returns its values; every error names file, line and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from syncd.config.build import build_portal, build_sync
from syncd.config.places import Places
from syncd.config.schema import Config, PortalConfig, SyncConfig
from syncd.config.secrets import is_loopback, readable_by_others
from syncd.config.tables import SOURCE_SECRETS, ConfigTable
from syncd.errors import ConfigError

_TOML_PLACE = re.compile(
    r"(?P<said>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL
)


def find_config(explicit: Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """Return the config file to use: `explicit`, else the first of the usual places that exists.

    The places: $SYNCD_CONFIG, ./syncd.toml, ~/.config/syncd/config.toml, /etc/syncd/config.toml. Raises ConfigError
    when there is none.
    """
    if explicit is not None:
        return explicit
    places = [
        *([Path(environ["SYNCD_CONFIG"])] if environ.get("SYNCD_CONFIG") else []),
        cwd / "syncd.toml",
        _home(environ) / ".config" / "syncd" / "config.toml",
        Path("/etc/syncd/config.toml"),
    ]
    for place in places:
        if place.exists():
            return place
    raise ConfigError(
        f"there is no config file; looked for {', '.join(map(str, places))}",
        "write one (config.example.toml explains every key) or name it with --config",
    )


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """Return the config in the file `path`, with secrets read from where it says.

    Raises ConfigError, naming file, line and key, for whatever cannot be obeyed.
    """
    text = _read(path)
    document = _parse(path, text)
    places = Places(path, text)
    table = places.convert(document, ConfigTable)
    base = path.absolute().parent
    warnings: list[str] = []
    portals = _portals(places, table.portals, base, environ, warnings)
    names = [portal.name for portal in portals]
    syncs = [build_sync(places, index, each, base=base, portals=names) for index, each in enumerate(table.sync)]
    _refuse_twins(places, syncs)
    for sync in syncs:
        warnings += _open_secrets(path, sync, base)
    return Config(
        path=path,
        state=_state(places, table.state, base, environ),
        portals=portals,
        syncs=tuple(syncs),
        warnings=tuple(warnings),
    )


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", "name another file with --config") from None
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8", "save the file as UTF-8") from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.fullmatch(str(error))
        if found is None:
            raise ConfigError(f"{path}: is not TOML: {error}") from None
        lines = text.split("\n")
        line, column = found["line"] or len(lines), found["column"] or len(lines[-1]) + 1
        raise ConfigError(f"{path}:{line}:{column}: is not TOML: {found['said']}") from None


def _portals(
    places: Places,
    tables: Mapping[str, Any],
    base: Path,
    environ: Mapping[str, str],
    warnings: list[str],
) -> tuple[PortalConfig, ...]:
    """Return the portals by name, and add to `warnings` what others could read."""
    if not tables:
        raise places.error(("portals",), "has no portal", "add [portals.main] with its webhook")
    built: dict[str, PortalConfig] = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise places.error(("portals", name), "must be a table, as in [portals.main]")
        portal, key, file = build_portal(places, name, table, base=base, environ=environ)
        twin = built.get(portal.host)
        if twin is not None:
            raise places.error(
                ("portals", name),
                f"goes to {portal.host} like [portals.{twin.name}]",
                "a portal's limits are shared: give each portal once, and let its syncs name it",
            )
        built[portal.host] = portal
        holder = places.path if key == "webhook" else file
        simulated = is_loopback(urlsplit(f"//{portal.host}").hostname or "")
        if holder is not None and not simulated and readable_by_others(holder):
            warnings.append(
                f"{holder} holds a webhook and can be read by every user of this machine: chmod o= {holder}"
            )
    return tuple(built.values())


def _open_secrets(path: Path, sync: SyncConfig, base: Path) -> list[str]:
    """Return a warning for each file that holds a password or token of a source and that others can read."""
    options = sync.source.options
    named = [options[f"{secret}_file"] for secret in SOURCE_SECRETS if isinstance(options.get(f"{secret}_file"), str)]
    holders = [base / Path(name).expanduser() for name in named]
    if "password" in options or "token" in options:
        holders.append(path)
    return [
        f"{holder} holds a secret of sync {sync.name} and can be read by every user of this machine: chmod o= {holder}"
        for holder in dict.fromkeys(holders)
        if readable_by_others(holder)
    ]


def _refuse_twins(places: Places, syncs: Sequence[SyncConfig]) -> None:
    seen: dict[str, SyncConfig] = {}
    for index, sync in enumerate(syncs):
        twin = seen.setdefault(sync.name, sync)
        if twin is not sync:
            raise places.error(("sync", index, "name"), f'"{sync.name}" is taken by another sync ({twin.where})')


def _state(places: Places, state: str | None, base: Path, environ: Mapping[str, str]) -> Path:
    if state is not None:
        if not state.strip():
            raise places.error(("state",), "is empty", "give a path, or leave the key out")
        return base / Path(state).expanduser()
    if environ.get("STATE_DIRECTORY"):
        return Path(environ["STATE_DIRECTORY"].split(":")[0]) / "syncd.db"
    if environ.get("XDG_STATE_HOME"):
        return Path(environ["XDG_STATE_HOME"]) / "syncd" / "syncd.db"
    return _home(environ) / ".local" / "state" / "syncd" / "syncd.db"


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()
