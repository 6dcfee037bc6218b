"""`app` of a portal: a local application in place of a webhook, and the key for its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from syncd.config.config_file import ConfigFile
from syncd.config.config_values import AppConfig
from syncd.config.durations import parse_duration
from syncd.config.secrets import Secret, SecretMissingError, read_secret
from syncd.config.tables import AppTable
from syncd.config.toml_lines import KeyPath
from syncd.errors import message_of
from syncd.lang.saying import say
from syncd.net import is_loopback, portal_origin

OAUTH_SERVER = "https://oauth.bitrix.info"
_SHORTEST_KEY = 32
_SOONEST, _LATEST = timedelta(seconds=5), timedelta(minutes=10)


def build_app(
    file: ConfigFile, table: AppTable, path: KeyPath, *, base: Path, environ: Mapping[str, str], alone: bool
) -> tuple[AppConfig, str, Path | None, str]:
    """Return the application, the portal's host and port, the file of its secret, and why it is unusable.

    Unless the portal is the only one (`alone`), a missing secret is no error: it makes the portal unusable.
    """
    with file.at(*path, "address"):
        origin, host = portal_origin(table.address)
    if not table.client_id.strip():
        raise file.error(
            (*path, "client_id"), say("is empty"), say("copy it from the application's settings in the portal")
        )
    unusable = ""
    try:
        secret, holder = _secret(file, table, path, base, environ)
        key = _token_key(file, table, path, base, environ)
    except SecretMissingError as error:
        if alone:
            raise file.error(path, message_of(error)) from None
        secret, holder, key, unusable = Secret(""), None, None, str(file.error(path, message_of(error)))
    app = AppConfig(
        address=origin,
        client_id=table.client_id.strip(),
        client_secret=secret,
        token_key=key,
        server=_server(file, table, origin, path),
        events=table.events,
        events_every=_events_every(file, table, path),
    )
    return app, host, holder, unusable


def _server(file: ConfigFile, table: AppTable, origin: str, path: KeyPath) -> str:
    """Return where tokens come from: a simulated portal issues them itself."""
    if table.server is None:
        return origin if is_loopback(urlsplit(origin).hostname or "") else OAUTH_SERVER
    with file.at(*path, "server"):
        return portal_origin(table.server)[0]


def _events_every(file: ConfigFile, table: AppTable, path: KeyPath) -> timedelta:
    every = file.parsed(parse_duration, table.events_every, *path, "events_every")
    if not _SOONEST <= every <= _LATEST:
        raise file.error(
            (*path, "events_every"),
            say('must be from "5s" to "10m", not "{events_every}"', events_every=table.events_every),
        )
    return every


def _secret(
    file: ConfigFile, table: AppTable, path: KeyPath, base: Path, environ: Mapping[str, str]
) -> tuple[Secret, Path | None]:
    found = _read(file, table, "client_secret", path, base, environ)
    if found is None:
        remedy = say("copy it from the application's settings in the portal, or name a file with client_secret_file")
        raise file.error((*path, "client_secret"), say("is missing"), remedy)
    return found


def _token_key(
    file: ConfigFile, table: AppTable, path: KeyPath, base: Path, environ: Mapping[str, str]
) -> Secret | None:
    found = _read(file, table, "token_key", path, base, environ)
    if found is None:
        return None
    if len(found[0].reveal()) < _SHORTEST_KEY:
        remedy = say("`openssl rand -hex 32` makes a good one")
        raise file.error(
            (*path, "token_key"), say("is shorter than {shortest_key} characters", shortest_key=_SHORTEST_KEY), remedy
        )
    return found[0]


def _read(
    file: ConfigFile, table: AppTable, name: str, path: KeyPath, base: Path, environ: Mapping[str, str]
) -> tuple[Secret, Path | None] | None:
    """Return the secret `name` and its file, None if it is not given; raises SecretMissingError."""
    forms = {key: value for key, value in msgspec.structs.asdict(table).items() if key.startswith(name)}
    given = next((key for key, value in forms.items() if value is not None), None)
    if given is None:
        return None
    try:
        _, secret, holder = read_secret(name, forms, base=base, environ=environ)
    except SecretMissingError as error:
        raise SecretMissingError(say("{given} {message}", given=given, message=message_of(error))) from None
    except ValueError as error:
        raise file.error((*path, given), message_of(error)) from None
    return secret, file.path if given == name else holder
