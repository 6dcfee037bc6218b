"""Access to a server: the keys of `[sync.source]` with url, made into headers and TLS settings.

An address may be as good as a password (that of a private calendar is), and so may headers. Neither is ever shown:
messages name a server by `Access.shown`.
"""

from __future__ import annotations

import base64
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from syncd.config.certificates import certified, trust
from syncd.config.durations import parse_duration
from syncd.config.secrets import Secret, SecretMissingError, read_secret, secret_forms
from syncd.config.tables import SOURCE_SECRETS
from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.net import is_loopback
from syncd.source.reasons import reason_of

_SCHEMES = {"http": "http", "https": "https", "webcal": "https", "webcals": "https"}
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TOTAL_S, _LONGEST_TOTAL_S = 900.0, 86_400.0
_PLAIN_NAME = re.compile(r"[A-Za-z_.-]{1,16}\.(?:ics|ical|csv|xlsx|txt)", re.IGNORECASE)
"""The end of an address is shown only if it looks like this: too short and too plain to be a password."""


class AddressOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of every source that can have an address, of a database too; each has the forms of config/secrets.py."""

    url: str | None = None
    url_file: str | None = None
    url_env: str | None = None
    url_credential: str | None = None
    username: str | None = None
    username_file: str | None = None
    username_env: str | None = None
    username_credential: str | None = None
    password: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    password_credential: str | None = None


class WebOptions(AddressOptions, frozen=True, kw_only=True):
    """Keys of every source that can be behind an address of the web, with `token` in the forms of a secret, too.

    `headers` are sent to the configured server only. `ca_file` replaces the usual authorities; `client_cert` (with
    `client_key`, unless it is in the same file) identifies syncd to the server. `max_bytes` limits the size of an
    unpacked body, `timeout` the time without a byte, `total_timeout` that of a whole reading with all its requests.
    """

    token: str | None = None
    token_file: str | None = None
    token_env: str | None = None
    token_credential: str | None = None
    headers: dict[str, str] = {}
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    max_bytes: int = 100_000_000
    timeout: str = "60s"
    total_timeout: str | None = None


WEB_KEYS = WebOptions.__struct_fields__


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An address and what is needed to read it. `shown` names it in messages; `tls` is None for the usual trust.

    `tls_elsewhere` is for other servers, which never get the client certificate. `user` distinguishes two accesses to
    one address; `login` is user name and password, for servers that want proof of the password and not itself. With
    `family`, servers of the same registered domain count as the server itself, over https only: CalDAV providers spread
    the calendars of an account over several hosts.
    """

    url: str = field(repr=False)
    shown: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    tls_elsewhere: ssl.SSLContext | None = field(default=None, repr=False)
    max_bytes: int = 100_000_000
    timeout_s: float = 60.0
    total_s: float = 900.0
    user: str = field(default="", repr=False)
    login: tuple[str, str] | None = field(default=None, repr=False)
    family: bool = False


def is_given(options: WebOptions) -> bool:
    """Return True if the options name an address in any form."""
    return secret_forms(options, "url")[0] is not None


def read_access(options: WebOptions, base: Path, *, where: str, environ: Mapping[str, str] | None = None) -> Access:
    """Return the access that `options` describe; raises ConfigError, beginning with `where` and without secrets."""
    environ = os.environ if environ is None else environ
    secrets = {
        name: found.reveal()
        for name in SOURCE_SECRETS
        if (found := source_secret(options, name, base, where, environ)) is not None
    }
    if "url" not in secrets:
        raise ConfigError(
            say("{where}: missing key 'url'", where=where), say("give url, url_file, url_env or url_credential")
        )
    # Credentials in the address are taken out of it, so that no message and no cache name holds them.
    url, user, password = _address(secrets["url"], where)
    if "username" in secrets:
        user, password = secrets["username"], secrets.get("password", "")
    elif "password" in secrets:
        raise ConfigError(
            say("{where}: password goes with username, which is missing", where=where),
            say("add username, or use token"),
        )
    if user and "token" in secrets:
        raise ConfigError(say("{where}: username and token exclude each other", where=where), say("keep one of them"))
    headers = _headers(options.headers, where)
    if user:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    elif "token" in secrets:
        if not _is_header_value(secrets["token"]):
            raise ConfigError(
                say("{where}: token has characters that no header can hold", where=where), say("give the bare token")
            )
        headers["Authorization"] = f"Bearer {secrets['token']}"
    if options.max_bytes < 1:
        raise ConfigError(
            say("{where}: max_bytes = {max_bytes} lets nothing through", where=where, max_bytes=options.max_bytes),
            say("e.g. 100_000_000"),
        )
    elsewhere = trust(options.ca_file, base, where)
    shown_to_it = certified(options.ca_file, options.client_cert, options.client_key, base, where)
    timeout_s = read_timeout("timeout", options.timeout, 3600, where)
    return Access(
        url=url,
        shown=shown(url),
        headers=headers,
        tls=shown_to_it or elsewhere,
        tls_elsewhere=elsewhere,
        max_bytes=options.max_bytes,
        timeout_s=timeout_s,
        total_s=read_total(options.total_timeout, timeout_s, where),
        user=user or ("token" if "token" in secrets else ""),
        login=(user, password) if user else None,
    )


def shown(url: str) -> str:
    """Return what may be shown of an address: its host, and the last part of its path if that is a plain file name."""
    parts = urlsplit(url)
    name = parts.path.rpartition("/")[2]
    host = parts.netloc.rpartition("@")[2]
    return f"{host}/{name}" if _PLAIN_NAME.fullmatch(name) else host


def source_secret(
    options: msgspec.Struct, name: str, base: Path, where: str, environ: Mapping[str, str], *, if_missing: str = ""
) -> Secret | None:
    """Return the secret `name` of a source in whichever form it is given, None without one; raises ConfigError.

    `if_missing` is the remedy where the config says where it is, and it is not there.
    """
    given, forms = secret_forms(options, name)
    if given is None:
        return None
    try:
        return read_secret(name, forms, base=base, environ=environ)[1]
    except SecretMissingError as error:
        raise ConfigError(
            say("{where}: {key} {reason}", where=where, key=given, reason=reason_of(error)), if_missing
        ) from None
    except ValueError as error:
        raise ConfigError(say("{where}: {key} {reason}", where=where, key=given, reason=reason_of(error))) from None


def _address(text: str, where: str) -> tuple[str, str, str]:
    """Return the address without credentials, and the user and password in it."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(say("{where}: url is not an address", where=where), say("it begins with https://")) from None
    scheme = _SCHEMES.get(parts.scheme.lower())
    if scheme is None or not host or any(char <= " " for char in text):
        raise ConfigError(
            say("{where}: url is not an address", where=where), say("it begins with https://, http:// or webcal://")
        )
    # webcal means "subscribe", over http or https; https is assumed except for a server on this machine.
    if parts.scheme.lower() == "webcal" and is_loopback(host):
        scheme = "http"
    netloc = parts.netloc.rpartition("@")[2]
    return (
        urlunsplit((scheme, netloc, parts.path or "/", parts.query, "")),
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )


def _headers(given: Mapping[str, str], where: str) -> dict[str, str]:
    for name, value in given.items():
        if not _HEADER.fullmatch(name):
            raise ConfigError(
                say("{where}: headers: {name!r} is not a header's name", where=where, name=name),
                say('e.g. "X-Api-Key"'),
            )
        if not _is_header_value(value):
            raise ConfigError(
                say("{where}: headers: {name} has characters that no header can hold", where=where, name=name),
                say("write it in ASCII"),
            )
        # aiohttp sets these; a second value would break or mislead the request.
        if name.lower() in ("host", "content-length", "transfer-encoding", "connection", "accept-encoding"):
            raise ConfigError(
                say("{where}: headers: {name} is not yours to set", where=where, name=name), say("remove it")
            )
    return dict(given)


def _is_header_value(text: str) -> bool:
    return text.isascii() and text.isprintable()


def read_timeout(key: str, text: str, longest_s: float, where: str) -> float:
    """Return the seconds of a time-out; raises ConfigError for a text that is none, or less than a second."""
    try:
        seconds = parse_duration(text).total_seconds()
    except ValueError as error:
        raise ConfigError(say("{where}: {key} {reason}", where=where, key=key, reason=reason_of(error))) from None
    if not 1 <= seconds <= longest_s:
        raise ConfigError(
            say(
                '{where}: {key} = "{text}" is not between 1s and {hours:g}h',
                where=where,
                key=key,
                text=text,
                hours=longest_s / 3600,
            ),
            say('e.g. "60s"'),
        )
    return seconds


def read_total(text: str | None, timeout_s: float, where: str) -> float:
    """Return the seconds of `total_timeout`, by default 15 minutes; raises ConfigError for less than `timeout`."""
    if text is None:
        return max(_TOTAL_S, timeout_s)
    seconds = read_timeout("total_timeout", text, _LONGEST_TOTAL_S, where)
    if seconds < timeout_s:
        raise ConfigError(
            say("{where}: total_timeout is shorter than timeout, a part of it", where=where),
            say("give at least as much"),
        )
    return seconds
