"""Finds the config, reads its files and returns its values. Every error names file, line and key."""

from __future__ import annotations

import codecs
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from glob import glob, has_magic
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from syncd.config.build import build_portal, build_sync
from syncd.config.build_alerts import build_alerting
from syncd.config.build_database import build_database
from syncd.config.build_service import build_http, build_lease
from syncd.config.config_file import ConfigFile
from syncd.config.config_values import Config, HttpConfig, Outline, PortalConfig, SyncConfig
from syncd.config.database import Database
from syncd.config.defaults import with_defaults
from syncd.config.double_booking import refuse_double_booking
from syncd.config.durations import parse_duration
from syncd.config.learn import Learn, learn_document, learn_environment
from syncd.config.secrets import FORMS, readable_by_others
from syncd.config.state_place import default_state, earlier_state, stands
from syncd.config.tables import (
    ACCOUNT_SECRETS,
    SOURCE_SECRETS,
    ConfigTable,
    DefaultsTable,
    IncludedTable,
    PortalAlertsTable,
    PortalTable,
    SyncTable,
)
from syncd.config.toml_slips import BACKSLASH_REMEDY, lost_backslashes, message, remedy
from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.net import LONGEST_SOCKET, is_loopback
from syncd.places import config_places

T = TypeVar("T", ConfigTable, IncludedTable)
_TOML_PLACE = re.compile(
    r"(?P<said>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL
)


class _Learner(Protocol):
    """Learns the secrets of one file of the config; relative files in it start at `base`."""

    def __call__(self, document: Mapping[str, object], *, base: Path) -> None: ...


def find_config(explicit: Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """Return the config file to use: `explicit`, else the first of the usual places that exists.

    These are $SYNCD_CONFIG, ./syncd.toml, ~/.config/syncd/config.toml and /etc/syncd/config.toml. Raises ConfigError
    if none exists.
    """
    if explicit is not None:
        return explicit
    places = config_places(environ, cwd)
    for place in places:
        if _may_be_there(place):
            return place
    raise ConfigError(
        say("there is no config file; looked for {places}", places=tuple(map(str, places))),
        say(
            "write one with `syncd init -o syncd.toml` (config.example.toml explains every key),"
            " or name it with --config"
        ),
    )


def _may_be_there(place: Path) -> bool:
    """Return False if there is certainly no file. A file that may not be looked at is reported when it is read."""
    try:
        return place.exists()
    except OSError:
        return True


def load_config(
    path: Path, environ: Mapping[str, str], learn_secret: Learn = lambda _: None, *, looks: bool = False
) -> Config:
    """Return the config in the file `path` and the files it includes, with secrets read from where it says.

    `learn_secret` is given every secret before it is used. If the caller only `looks` at the state, and there are
    several portals, a missing webhook is no error: it makes its portal unusable. Raises ConfigError, naming file, line
    and key, for anything that cannot be used.
    """
    learn_environment(environ, learn_secret)
    learner = partial(learn_document, environ=environ, learn=learn_secret)
    main, table = _file(path, ConfigTable, learner)
    parts = (main, *_included(main, table.include, learner))
    warnings: list[str] = []
    portals = _portals(parts, environ, warnings, needed=not looks)
    names = [portal.name for portal in portals]
    watched = {portal.name for portal in portals if portal.watched}
    syncs: list[SyncConfig] = []
    for part in parts:
        base = part.file.path.absolute().parent
        for index, each in enumerate(part.sync):
            sync = build_sync(part.file, index, each, base=base, portals=names, watched=watched)
            _refuse_twin(part.file, index, sync, syncs)
            refuse_double_booking(part.file, index, sync, syncs)
            syncs.append(sync)
            warnings += _open_secrets(part.file.path, sync, base)
    alerting = build_alerting(
        main.file,
        table.alerts,
        _portal_alerts(parts),
        base=path.absolute().parent,
        environ=environ,
        portals=names,
    )
    database = _database(main.file, table, environ)
    http = build_http(main.file, table.http, environ)
    _require_public_url(parts, portals, http)
    state, earlier = _state(main.file, table.state, environ)
    return Config(
        path=path,
        state=state,
        state_given=table.state is not None or database is not None,
        earlier_state=earlier if database is None else None,
        database=database,
        control=_control(main.file, table.control),
        keep_runs=main.file.parsed(parse_duration, table.keep_runs, "keep_runs"),
        raw_reports=table.raw_reports,
        language=table.language,
        portals=portals,
        syncs=tuple(syncs),
        warnings=tuple(warnings),
        http=http,
        alerts=alerting.everybody,
        portal_alerts=alerting.of_portals,
        telling=alerting.telling,
        lease=build_lease(main.file, table.lease, shared=database is not None),
        digest=_digest(parts),
    )


def load_outline(path: Path, environ: Mapping[str, str], learn_secret: Learn = lambda _: None) -> Outline:
    """Return where the state and the daemon of the config at `path` are. Secrets are learned, but may be missing.

    Raises ConfigError for a file that cannot be read or has unknown keys at its top.
    """
    learner = partial(learn_document, environ=environ, learn=learn_secret)
    main, table = _file(path, ConfigTable, learner)
    state, earlier = _state(main.file, table.state, environ)
    earlier = None if _url_forms(table) else earlier
    parts = (main, *_included(main, table.include, learner)) if earlier is not None else (main,)
    names = (each.get("name") for part in parts for each in part.sync)
    return Outline(
        path=path,
        state=state,
        earlier_state=earlier,
        control=_control(main.file, table.control),
        syncs=tuple(name for name in names if isinstance(name, str)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One file of the config with its portals and syncs as TOML gives them.

    They are converted one by one, so that an error can name the right line.
    """

    file: ConfigFile
    text: str
    defaults: DefaultsTable
    portals: Mapping[str, Any]
    sync: Sequence[Mapping[str, Any]]


def _file(path: Path, kind: type[T], learner: _Learner, above: _Part | None = None) -> tuple[_Part, T]:
    """Read one file. Keys that it leaves out come from its own defaults, then from those of the file `above`."""
    text = _read(path)
    document = _parse(path, text)
    learner(document, base=path.absolute().parent)
    file = ConfigFile(path, text, above.file if above is not None else None)
    for key in lost_backslashes(document):
        raise file.error(key, say("has lost its backslashes"), BACKSLASH_REMEDY)
    table = file.convert(document, kind)
    defaults = _defaults(file, table.defaults, above)
    return _Part(
        file=file,
        text=text,
        defaults=defaults,
        portals={
            name: with_defaults(each, defaults.portal) if isinstance(each, dict) else each
            for name, each in table.portals.items()
        },
        sync=[with_defaults(each, defaults.sync) for each in table.sync],
    ), table


def _defaults(file: ConfigFile, given: DefaultsTable, above: _Part | None) -> DefaultsTable:
    file.refuse_unknown(given.sync, SyncTable.__struct_fields__, ("defaults", "sync"))
    file.refuse_unknown(given.portal, PortalTable.__struct_fields__, ("defaults", "portal"))
    if "name" in given.sync:
        raise file.error(("defaults", "sync", "name"), say("belongs to each sync of its own"))
    if above is None:
        return given
    return DefaultsTable(
        sync=with_defaults(given.sync, above.defaults.sync), portal=with_defaults(given.portal, above.defaults.portal)
    )


def _included(main: _Part, patterns: Sequence[str], learner: _Learner) -> tuple[_Part, ...]:
    """Return the files that `include` names, sorted by name within each pattern.

    A pattern may match nothing, like an empty conf.d; a name without wildcards must exist.
    """
    base = main.file.path.absolute().parent
    found: dict[Path, None] = {}
    for index, pattern in enumerate(patterns):
        place = base / Path(pattern).expanduser()
        if not pattern.strip():
            raise main.file.error(("include", index), say("is empty"), say('name files, as in "conf.d/*.toml"'))
        if not has_magic(pattern) and not place.is_file():
            raise main.file.error(
                ("include", index),
                say("names {place}, which is no file", place=str(place)),
                say('as in "conf.d/*.toml"'),
            )
        found.update(dict.fromkeys(sorted(Path(name) for name in glob(str(place)))))  # noqa: PTH207 - Path.glob takes no absolute pattern
    return tuple(_file(path, IncludedTable, learner, main)[0] for path in found if path.is_file())


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        told = say("name another file with --config, or write this one with `syncd init -o FILE`")
        raise ConfigError(
            say("{path}: cannot be read: {reason}", path=str(path), reason=error.strerror or ""), told
        ) from None
    try:
        # Windows editors write a byte order mark and CRLF; line numbers are counted by "\n".
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            _not_utf8(content, path=str(path), line=line),
            say("save the file as UTF-8"),
        ) from None


def _not_utf8(content: bytes, *, path: str, line: int) -> str:
    """Return the message about a file that is not UTF-8, with what it seems to be."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return say('{path}:{line}: is not UTF-8 but UTF-16, which Windows calls "Unicode"', path=path, line=line)
    # In cp1251 the common letters are those from 0xC0 on, and Russian words are rows of them.
    if re.search(rb"[\xe0-\xff]{3}", content):
        return say("{path}:{line}: is not UTF-8 and seems to be cp1251 (ANSI)", path=path, line=line)
    return say("{path}:{line}: is not UTF-8", path=path, line=line)


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:  # brackets in brackets, thousands deep
        raise ConfigError(say("{path}: is nested too deeply", path=str(path))) from None
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.fullmatch(str(error))
        if found is None:
            raise ConfigError(say("{path}: is not TOML: {error}", path=str(path), error=str(error))) from None
        lines = text.split("\n")
        line, column = int(found["line"] or len(lines)), int(found["column"] or len(lines[-1]) + 1)
        told = remedy(lines[line - 1], column, found["said"])
        raise ConfigError(
            say(
                "{path}:{line}:{column}: is not TOML: {said}",
                path=str(path),
                line=line,
                column=column,
                said=message(found["said"]),
            ),
            told,
        ) from None


def _portals(
    parts: Sequence[_Part], environ: Mapping[str, str], warnings: list[str], *, needed: bool
) -> tuple[PortalConfig, ...]:
    """Return the portals of all files; add to `warnings` those whose webhook other users can read.

    If there is only one portal and it is `needed`, its webhook must exist.
    """
    if not any(part.portals for part in parts):
        raise parts[0].file.error(("portals",), say("has no portal"), say("add [portals.main] with its webhook"))
    built: dict[str, PortalConfig] = {}
    alone = needed and sum(len(part.portals) for part in parts) == 1
    for part in parts:
        for name, table in part.portals.items():
            if not isinstance(table, dict):
                raise part.file.error(("portals", name), say("must be a table, as in [portals.main]"))
            if any(portal.name == name for portal in built.values()):
                raise part.file.error(
                    ("portals", name), say("is given in another file already"), say("give it another name")
                )
            portal = _portal(part.file, name, table, environ, warnings, alone=alone)
            twin = built.get(portal.host)  # two clients of one portal would each use up its limits
            if twin is not None:
                raise part.file.error(
                    ("portals", name),
                    say("goes to {host} like [portals.{name}]", host=portal.host, name=twin.name),
                    say("a portal's limits are shared: give each portal once, and let its syncs name it"),
                )
            built[portal.host] = portal
    return tuple(built.values())


def _portal(
    file: ConfigFile,
    name: str,
    table: Mapping[str, Any],
    environ: Mapping[str, str],
    warnings: list[str],
    *,
    alone: bool,
) -> PortalConfig:
    base = file.path.absolute().parent
    portal, key, secret_file = build_portal(file, name, table, base=base, environ=environ, alone=alone)
    holder = file.path if key == "webhook" else secret_file
    # The sandbox's webhook protects nothing.
    simulated = is_loopback(urlsplit(f"//{portal.host}").hostname or "")
    if holder is not None and not simulated and readable_by_others(holder):
        warnings.append(
            say(
                "{file} holds a webhook and can be read by every user of this machine: chmod o= {file}",
                file=str(holder),
            )
            if portal.app is None
            else say(
                "{file} holds the secret of an application and can be read by every user of this machine:"
                " chmod o= {file}",
                file=str(holder),
            )
        )
    return portal


def _require_public_url(parts: Sequence[_Part], portals: Sequence[PortalConfig], http: HttpConfig | None) -> None:
    """Raise ConfigError for a portal that is to call the daemon but could not."""
    called = {one.name for one in portals if one.app is not None and one.app.events == "online"}
    if called and (http is None or http.public_url is None):
        part, name = next((part, name) for part in parts for name in part.portals if name in called)
        remedy = say('set public_url of [http], or events = "offline", which needs none')
        raise part.file.error(
            ("portals", name, "app", "events"), say("needs an address that the portal can call"), remedy
        )


def _portal_alerts(parts: Sequence[_Part]) -> dict[str, tuple[ConfigFile, PortalAlertsTable]]:
    """Return the alerts of each portal that has some, with the file that they are in."""
    return {
        name: (part.file, part.file.convert(table["alerts"], PortalAlertsTable, "portals", name, "alerts"))
        for part in parts
        for name, table in part.portals.items()
        if "alerts" in table
    }


def _open_secrets(path: Path, sync: SyncConfig, base: Path) -> list[str]:
    """Return a warning for each file with a password or token of the source that other users can read."""
    options = sync.source.options
    secrets = {*SOURCE_SECRETS, *ACCOUNT_SECRETS}
    named = [options[f"{secret}_file"] for secret in sorted(secrets) if isinstance(options.get(f"{secret}_file"), str)]
    holders = [base / Path(name).expanduser() for name in named]
    if not options.keys().isdisjoint(("password", *ACCOUNT_SECRETS)):
        holders.append(path)
    return [
        say(
            "{file} holds a secret of sync {name} and can be read by every user of this machine: chmod o= {file}",
            file=str(holder),
            name=sync.name,
        )
        for holder in dict.fromkeys(holders)
        if readable_by_others(holder)
    ]


def _refuse_twin(file: ConfigFile, index: int, sync: SyncConfig, others: Sequence[SyncConfig]) -> None:
    for twin in others:
        if twin.name == sync.name:
            raise file.error(
                ("sync", index, "name"),
                say('"{name}" is taken by another sync ({where})', name=sync.name, where=twin.where),
            )


def _digest(parts: Sequence[_Part]) -> str:
    """Return a digest of the text of all files. Comments count, because messages name lines."""
    seen = blake2b(digest_size=16)
    for part in parts:
        seen.update(repr((str(part.file.path.absolute()), str(part.file.path), part.text)).encode())
    return seen.hexdigest()


def _state(file: ConfigFile, state: str | None, environ: Mapping[str, str]) -> tuple[Path, Path | None]:
    """Return where the state is, and where an earlier version has left one that may belong to this config."""
    if state is not None:
        if not state.strip():
            raise file.error(("state",), say("is empty"), say("give a path, or leave the key out"))
        return file.path.absolute().parent / Path(state).expanduser(), None
    place, earlier = default_state(file.path, environ), earlier_state(environ)
    return place, earlier if earlier != place and stands(earlier) and not stands(place) else None


def _url_forms(table: ConfigTable) -> dict[str, str]:
    """Return the forms of `state_url` that a config gives."""
    forms = {f"state_url{form}": getattr(table, f"state_url{form}") for form in FORMS}
    return {key: value for key, value in forms.items() if value is not None}


def _database(file: ConfigFile, table: ConfigTable, environ: Mapping[str, str]) -> Database | None:
    forms = _url_forms(table)
    if forms and table.state is not None:
        key = next(iter(forms))
        raise file.error((key,), say("and state exclude each other"), say("keep the one where the state is to stand"))
    return build_database(file, forms, table.state_schema, environ)


def _control(file: ConfigFile, control: str | None) -> Path | None:
    if control is None:
        return None
    place = file.path.absolute().parent / Path(control).expanduser()
    if not control.strip():
        raise file.error(("control",), say("is empty"), say("give the path of a socket, or leave the key out"))
    if len(os.fsencode(place)) > LONGEST_SOCKET:
        raise file.error(
            ("control",),
            say("is longer than the {most} bytes that a socket's path may have", most=LONGEST_SOCKET),
        )
    return place
