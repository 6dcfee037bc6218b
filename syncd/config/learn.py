"""Tells what of a config is secret before anything else is done with it: an error may quote anything in the config.

A secret may be written where the name of its file or variable is expected, so a value that points to nothing counts as
the secret itself. Nothing is checked and nothing raised here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from syncd.config.database import secrets_in
from syncd.config.secrets import FORMS

Learn = Callable[[str], object]
"""Is called with each secret. If it returns a function, that makes it forget the secret again."""

_PLUGIN_SECRET = re.compile(r"(?:^|_)(?:password|passwd|secret|token|key|auth|cookie|webhook|url|dsn)$", re.IGNORECASE)
_SECRET_WITHIN = re.compile(r"(?:^|_)(?:password|secret|token|key)$", re.IGNORECASE)
"""Addresses in a vendor's document are no secrets: everybody has them."""
_OPEN = ("client_key", "ca_key")
"""Keys that name a file and are no secret, although they sound like one."""
_FOLLOWED_BY_SECRET = re.compile(r"-u|--user|--?(?:oauth2-bearer|password|passwd|pass|token|secret|key|api-?key)")
_PAIR = re.compile(r"(?:.*[\s-])?(?:authorization|token|secret|password|passwd|pass|key)\s*[=:]\s*(?P<secret>.+)", re.I)
_LONGEST_FILE = 65_536


def learn_document(document: Mapping[str, object], *, base: Path, environ: Mapping[str, str], learn: Learn) -> None:
    """Call `learn` with every secret in one file of the config, as parsed TOML, and with what it points to."""
    forms = _Forms(base, environ)
    defaults = document.get("defaults")
    default = defaults if isinstance(defaults, dict) else {}
    for table in (*_tables(document.get("portals")), *_tables([default.get("portal")])):
        for name in _secrets_of(table):
            forms.learn(table, name, learn)
        for app in _tables([table.get("app")]):
            for name in _secrets_of(app):
                forms.learn(app, name, learn)
        _learn_alerts(table.get("alerts"), forms, learn)
    for table in (*_tables(document.get("sync")), *_tables([default.get("sync")])):
        for source in _tables([table.get("source")]):
            _learn_source(source, forms, learn)
    for form in FORMS:
        if isinstance(value := document.get(f"state_url{form}"), str):
            found = forms.found(value, form)
            for one in secrets_in(found):
                learn(one)
            if form and found == value:  # it leads nowhere, so it may be the secret itself
                learn(value)
    for http in _tables([document.get("http")]):
        forms.learn(http, "token", learn)
    _learn_alerts(document.get("alerts"), forms, learn)


def learn_environment(environ: Mapping[str, str], learn: Learn) -> None:
    """Call `learn` with the credentials of the proxies that the environment names."""
    for name, value in environ.items():
        if name.lower().endswith("_proxy"):
            for one in _login(value if "://" in value else f"http://{value}"):
                learn(one)


class _Forms:
    """Finds a secret that a table gives in one of its forms."""

    def __init__(self, base: Path, environ: Mapping[str, str]) -> None:
        self._base = base
        self._environ = environ

    def learn(self, table: Mapping[str, object], name: str, learn: Learn) -> None:
        """Learn the secret `name`, in whatever forms it is given."""
        for form in FORMS:
            value = table.get(name + form)
            if isinstance(value, str):
                found = self.found(value, form)
                learn(found)
                for one in _within(found):
                    learn(one)

    def found(self, value: str, form: str) -> str:
        """Return what `value` points to; if that is nothing, `value` itself, because it may be the secret."""
        match form:
            case "_env":
                return self._environ.get(value, value)
            case "_file":
                return _content(self._base, value)
            case "_credential":
                folder = self._environ.get("CREDENTIALS_DIRECTORY")
                return _content(Path(folder), value) if folder else value
            case _:
                return value


def _content(folder: Path, name: str) -> str:
    try:
        file = folder / Path(name).expanduser()
        if not file.is_file():  # reading a pipe would wait for its other end
            return name
        with file.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(_LONGEST_FILE)
    except (OSError, ValueError, RuntimeError):  # RuntimeError: "~nobody" has no home
        return name


def _within(secret: str) -> Iterator[str]:
    """Yield the secrets inside a secret that is a JSON document, such as a vendor's credentials file."""
    if not secret.lstrip().startswith("{"):
        return
    try:
        document = json.loads(secret)
    except (ValueError, RecursionError):
        return
    for table in (document, *_tables(document)):
        yield from (value for name, value in table.items() if isinstance(value, str) and _SECRET_WITHIN.search(name))


def _learn_source(source: Mapping[str, object], forms: _Forms, learn: Learn) -> None:
    for name in _secrets_of(source):
        forms.learn(source, name, learn)
    headers = source.get("headers")
    for value in headers.values() if isinstance(headers, dict) else ():
        if isinstance(value, str):
            learn(value)
    params = source.get("params")
    for name, value in params.items() if isinstance(params, dict) else ():
        if isinstance(value, str) and _PLUGIN_SECRET.search(name):
            learn(value)
    found: dict[str, str] = {}
    for name in ("url", "username", "password"):
        for form in FORMS:
            if isinstance(value := source.get(name + form), str):
                found[name] = forms.found(value, form).strip()
                # A name is no secret, but a secret may stand where the name of its variable or file belongs.
                if form and found[name] == value.strip():
                    learn(value)
    for one in _login(found.get("url", "")):
        learn(one)
    if "username" in found and "password" in found:
        learn(_basic(found["username"], found["password"]))


def _learn_alerts(table: object, forms: _Forms, learn: Learn) -> None:
    """Learn the secrets of `[alerts]`, of its mail server, and of the program that it runs."""
    for alerts in _tables([table]):
        for holder in (alerts, *_tables([alerts.get("smtp")])):
            for name in _secrets_of(holder):
                forms.learn(holder, name, learn)
        command = alerts.get("command")
        _learn_command([one for one in command if isinstance(one, str)] if isinstance(command, list) else (), learn)


def _learn_command(command: Sequence[str], learn: Learn) -> None:
    """Learn the arguments of the alert program that look like a secret: addresses, tokens, passwords."""
    before = ""
    for argument in command[1:]:
        if "://" in argument:
            learn(argument)
        pair = _PAIR.fullmatch(argument)
        if pair is not None:
            learn(pair["secret"])
        elif _FOLLOWED_BY_SECRET.fullmatch(before):
            learn(argument)
            learn(argument.partition(":")[2])
        before = argument


def _secrets_of(table: Mapping[str, object]) -> Iterator[str]:
    """Yield the names of secrets in a table, without the suffixes of their forms."""
    for name in dict.fromkeys(_stem(key) for key in table):
        if _PLUGIN_SECRET.search(name) and name not in _OPEN:
            yield name


def _stem(key: str) -> str:
    return next((key.removesuffix(form) for form in FORMS if form and key.endswith(form)), key)


def _login(address: str) -> tuple[str, ...]:
    """Return the secret part of an address with user and password, or with a password among its parameters."""
    try:
        split = urlsplit(address)
        user, password = unquote(split.username or ""), unquote(split.password or "")
        parameters = parse_qsl(split.query)
    except ValueError:
        return ()
    # Those of a database: ?password=..., and ?odbc_connect=DRIVER=...;PWD=....
    pairs = [*parameters, *(one.partition("=")[::2] for _, value in parameters for one in value.split(";"))]
    hidden = [value for name, value in pairs if value and (_PLUGIN_SECRET.search(name) or name.upper() == "PWD")]
    return (*hidden, *((password, _basic(user, password)) if password else ()))


def _basic(user: str, password: str) -> str:
    """Return the user and password as HTTP sends them (RFC 7617)."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def _tables(value: object) -> Iterator[Mapping[str, object]]:
    """Yield the tables in a table of tables or a list of tables, skipping everything else."""
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in members:
        if isinstance(one, dict):
            yield one
