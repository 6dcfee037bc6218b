"""The keys of a Microsoft Graph source, how it logs in, and the source that they make."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from syncd.clock import Clock
from syncd.config.secrets import secret_forms, write_secret
from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.net import keeps_secrets
from syncd.source.accounts.choice import ChoiceOptions
from syncd.source.accounts.people import read_list
from syncd.source.base import Source
from syncd.source.graph.graph_login import PUBLIC_CLOUD, GraphLogin, LoginOptions, checked_certificate, needs_msal
from syncd.source.graph.graph_source import GraphSource, ListedGraphSource
from syncd.source.ical.vtimezone import read_meanings
from syncd.source.options import read_options
from syncd.source.reasons import with_and
from syncd.source.web.access import Access, WebOptions, read_access, source_secret

_PUBLIC_GRAPH = "https://graph.microsoft.com/v1.0"
_SECRETS = ("client_secret", "private_key", "token")


class GraphOptions(ChoiceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of `[sync.source]` with type = "graph"; each secret has the four forms of config/secrets.py.

    The application logs in with `client_secret`, or with `private_key`, which is a key and its certificate in PEM; with
    neither, a person does, by device code. `url` and `authority` are those of Graph and Entra ID, for other clouds.
    """

    type: Literal["graph"]
    tenant: str
    client_id: str
    client_secret: str | None = None
    client_secret_file: str | None = None
    client_secret_env: str | None = None
    client_secret_credential: str | None = None
    private_key: str | None = None
    private_key_file: str | None = None
    private_key_env: str | None = None
    private_key_credential: str | None = None
    token: str | None = None
    token_file: str | None = None
    token_env: str | None = None
    token_credential: str | None = None
    url: str = _PUBLIC_GRAPH
    authority: str = PUBLIC_CLOUD
    ca_file: str | None = None
    max_bytes: int = 100_000_000
    timeout: str = "60s"
    total_timeout: str | None = None


def open_graph(options: Mapping[str, object], base: Path, *, where: str, clock: Clock) -> Source:
    """Return a source of calendars in Microsoft 365; raises ConfigError beginning with `where`, also without msal."""
    chosen = read_options(GraphOptions, options, where=where)
    login, save_token = read_login(chosen, base, where=where)
    needs_msal(where)
    calendars = read_list(chosen.calendars or ("me",), base, where=where)
    if not chosen.calendars and not login.as_person:
        raise ConfigError(
            say("{where}: missing key 'calendars'", where=where),
            say('whose are read, e.g. calendars = ["anna@example.com"]'),
        )
    access = _access(chosen, base, where)
    kind = ListedGraphSource if calendars.files else GraphSource
    return kind(
        options=chosen,
        tenant=chosen.tenant,
        access=access,
        login=GraphLogin(login, save_token),
        calendars=calendars,
        meanings=read_meanings(chosen.zones, where=where),
        clock=clock,
    )


def read_login(
    options: GraphOptions, base: Path, *, where: str, environ: Mapping[str, str] | None = None
) -> tuple[LoginOptions, Callable[[str], None] | None]:
    """Return how to log in, and what keeps a person's renewed token; raises ConfigError beginning with `where`."""
    environ = os.environ if environ is None else environ
    found = {name: text for name in _SECRETS if (text := _secret(options, name, base, where, environ))}
    if len(found) > 1:
        raise ConfigError(
            say("{where}: {ways} exclude each other", where=where, ways=with_and(found)), say("keep one of them")
        )
    for name in ("tenant", "client_id"):
        value = getattr(options, name)
        if not value.strip() or not value.isprintable() or any(char in "/ ?#" for char in value):
            raise ConfigError(
                say("{where}: {name} = {value!r} is none", where=where, name=name, value=value),
                say("it stands in the application's registration"),
            )
    graph = _encrypted(options.url, "url", where)
    authority = _encrypted(options.authority, "authority", where)
    if authority.scheme != "https":
        raise ConfigError(
            say("{where}: authority does not begin with https://", where=where),
            say('e.g. "{address}"', address=PUBLIC_CLOUD),
        )
    kept = base / Path(options.token_file).expanduser() if options.token_file is not None else None
    login = LoginOptions(
        tenant=options.tenant,
        client_id=options.client_id,
        secret=found.get("client_secret", ""),
        certificate=checked_certificate(found["private_key"], where) if "private_key" in found else "",
        token=found.get("token", ""),
        authority=options.authority,
        resource=f"{graph.scheme}://{graph.netloc}",
        ca_file=base / Path(options.ca_file).expanduser() if options.ca_file is not None else None,
    )
    return login, partial(write_secret, kept) if kept is not None else None


def _secret(options: GraphOptions, name: str, base: Path, where: str, environ: Mapping[str, str]) -> str:
    given, forms = secret_forms(options, name)
    # A token's file is made by `syncd source authorize`, so at first it is not there.
    if given == "token_file" and not (base / Path(forms[given] or "").expanduser()).exists():
        return ""
    found = source_secret(options, name, base, where, environ)
    return found.reveal() if found is not None else ""


def _encrypted(text: str, key: str, where: str) -> SplitResult:
    if keeps_secrets(text) and (parts := urlsplit(text)).username is None and not parts.query:
        return parts
    raise ConfigError(
        say("{where}: {key} is no address that a token may be sent to", where=where, key=key),
        say("it begins with https://"),
    )


def _access(options: GraphOptions, base: Path, where: str) -> Access:
    web = WebOptions(
        url=options.url,
        ca_file=options.ca_file,
        max_bytes=options.max_bytes,
        timeout=options.timeout,
        total_timeout=options.total_timeout,
    )
    return read_access(web, base, where=where)
