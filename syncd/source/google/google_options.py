"""The keys of `[sync.source]` with type = "google": who reads, in whose name, and what makes no sense together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.net import keeps_secrets
from syncd.source.accounts.choice import ChoiceOptions
from syncd.source.accounts.people import CalendarList
from syncd.source.google.credentials import KeyFile, can_sign, read_client, read_key, read_token
from syncd.source.google.event_item import KINDS
from syncd.source.google.google_api import API
from syncd.source.options import nearest
from syncd.source.web.access import Access, WebOptions, read_access, source_secret


class GoogleOptions(ChoiceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of `[sync.source]` with type = "google"; secrets have the four forms of config/secrets.py.

    `key` is that of a service account, `token` what `syncd source authorize` makes of the application in
    `client_secret`. A service account reads in its own name, in that of `subject`, or with "owner" in that of each
    calendar's owner; `admin` is in whose name the people of a domain are listed. `url` is another address of the API.
    """

    type: Literal["google"]
    key: str | None = None
    key_file: str | None = None
    key_env: str | None = None
    key_credential: str | None = None
    token: str | None = None
    token_file: str | None = None
    token_env: str | None = None
    token_credential: str | None = None
    client_secret: str | None = None
    client_secret_file: str | None = None
    client_secret_env: str | None = None
    client_secret_credential: str | None = None
    subject: str = ""
    admin: str = ""
    event_types: tuple[str, ...] = ("default", "focusTime", "fromGmail", "outOfOffice")
    url: str = API
    ca_file: str | None = None
    max_bytes: int = 100_000_000
    timeout: str = "60s"
    total_timeout: str | None = None


def refuse_unlistable(options: GoogleOptions, key: KeyFile, calendars: CalendarList, where: str) -> None:
    """Raise ConfigError for calendars that this account cannot find."""
    if calendars.domains and not key.private_key:
        raise ConfigError(
            say("{where}: calendars: a domain goes with key", where=where),
            say("name addresses, or give a service account's key"),
        )
    if calendars.domains and "@" not in (options.admin or options.subject):
        raise ConfigError(
            say("{where}: listing the people of a domain takes an administrator's name", where=where),
            say('admin = "boss@example.com"'),
        )
    if "primary" in calendars.names and key.private_key and "@" not in options.subject:
        raise ConfigError(
            say("{where}: calendars: a service account has no primary calendar", where=where),
            say("name people's addresses"),
        )


def read_web(options: GoogleOptions, base: Path, *, where: str) -> Access:
    """Return the access to the API; raises ConfigError beginning with `where`."""
    web = WebOptions(
        url=options.url.rstrip("/"),
        ca_file=options.ca_file,
        max_bytes=options.max_bytes,
        timeout=options.timeout,
        total_timeout=options.total_timeout,
    )
    access = read_access(web, base, where=where)
    if not keeps_secrets(access.url):
        raise ConfigError(
            say("{where}: url is no address that a token may be sent to", where=where), say("it begins with https://")
        )
    return access


def read_login(options: GoogleOptions, base: Path, *, where: str) -> KeyFile:
    """Return who reads; raises ConfigError, beginning with `where` and without secrets, unless exactly one does."""
    key, token, client = (secret_of(options, name, base, where=where) for name in ("key", "token", "client_secret"))
    if key is not None and token is not None:
        raise ConfigError(say("{where}: key and token exclude each other", where=where), say("keep one of them"))
    if key is not None:
        if not can_sign():
            raise ConfigError(
                say("{where}: a service account's key needs google-auth", where=where),
                say("pip install 'syncd[google]'"),
            )
        return read_key(key, where=where)
    if token is None:
        raise ConfigError(
            say(
                "{where}: nothing says who reads: give key_file (a service account) or token_file (a person)",
                where=where,
            ),
            say("README, Google Calendar; a token is made by: syncd source authorize"),
        )
    return read_token(token, read_client(client, where=where) if client is not None else None, where=where)


def secret_of(options: GoogleOptions, name: str, base: Path, *, where: str) -> str | None:
    """Return a secret in whatever form it is given, None if it is in none; raises ConfigError."""
    if_missing = say("make it: syncd source authorize") if name == "token" else ""
    found = source_secret(options, name, base, where, os.environ, if_missing=if_missing)
    return found.reveal() if found is not None else None


def refuse_odd(options: GoogleOptions, key: KeyFile, where: str) -> None:
    """Raise ConfigError for values that mean nothing, or nothing for this account."""
    for kind in options.event_types:
        if kind not in KINDS:
            raise ConfigError(
                say("{where}: event_types: {kind!r} is no type of event", where=where, kind=kind), nearest(kind, KINDS)
            )
    for name in ("subject", "admin"):
        value = getattr(options, name)
        if value and not key.private_key:
            raise ConfigError(
                say("{where}: {name} goes with key: a person reads in their own name", where=where, name=name),
                say("remove {name}", name=name),
            )
        if value and "@" not in value and not (name == "subject" and value == "owner"):
            raise ConfigError(
                say('{where}: {name} = {value!r} is no e-mail address, or "owner"', where=where, name=name, value=value)
                if name == "subject"
                else say("{where}: {name} = {value!r} is no e-mail address", where=where, name=name, value=value),
                say('e.g. "anna@example.com"'),
            )
