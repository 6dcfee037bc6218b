"""`[alerts]` and `[portals.X.alerts]`: who is told when something is wrong, and how."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from syncd.config.config_file import ConfigFile
from syncd.config.config_values import AlertsConfig, SmtpConfig, TellingConfig
from syncd.config.tables import AlertsTable, PortalAlertsTable, Security, SmtpTable
from syncd.config.toml_lines import KeyPath
from syncd.lang.saying import say
from syncd.net import is_loopback

_CHAT = re.compile(r"chat[1-9]\d*|sg[1-9]\d*|[1-9]\d*")
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+")
_PORTS: Mapping[Security, int] = {"starttls": 587, "tls": 465, "none": 25}
_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """Who is told: the people of `[alerts]`, those of a portal instead of them, and what they are told of."""

    everybody: AlertsConfig | None
    of_portals: Mapping[str, AlertsConfig]
    telling: TellingConfig


def build_alerting(
    file: ConfigFile,
    table: AlertsTable | None,
    of_portals: Mapping[str, tuple[ConfigFile, PortalAlertsTable]],
    *,
    base: Path,
    environ: Mapping[str, str],
    portals: Sequence[str],
) -> Alerting:
    """Return who is told of what; raises ConfigError for alerts that would reach nobody.

    `of_portals` are the tables of the portals that have one, by the portal's name, each with its file.
    """
    smtp = None if table is None or table.smtp is None else _smtp(file, table.smtp, base=base, environ=environ)
    everybody = None
    if table is not None and (not of_portals or _ways(table)):
        everybody = _recipients(file, table, ("alerts",), portals=portals, smtp=smtp, usual=None)
    return Alerting(
        everybody=everybody,
        of_portals={
            name: _recipients(own, each, ("portals", name, "alerts"), portals=portals, smtp=smtp, usual=name)
            for name, (own, each) in of_portals.items()
        },
        telling=TellingConfig() if table is None else _telling(file, table),
    )


def _ways(table: PortalAlertsTable) -> set[str]:
    """Return the keys of `table` that name somebody to tell."""
    given = {name for name, value in msgspec.structs.asdict(table).items() if value is not None}
    return given & {"user", "chat", "command", "email"}


def _recipients(
    file: ConfigFile,
    table: PortalAlertsTable,
    path: KeyPath,
    *,
    portals: Sequence[str],
    smtp: SmtpConfig | None,
    usual: str | None,
) -> AlertsConfig:
    """Return whom `table` names. Messages go through the portal `usual` if it names none."""
    ways = _ways(table)
    if not ways:
        raise file.error(path, say("tells nobody"), say("give user, chat, email or command"))
    if table.user is not None and table.user < 1:
        raise file.error((*path, "user"), say("must be the id of a portal user, not {user}", user=table.user))
    if table.chat is not None and not _CHAT.fullmatch(table.chat):
        raise file.error((*path, "chat"), say('must be a dialog like "chat42", not "{chat}"', chat=table.chat))
    if table.command is not None and not (table.command and table.command[0].strip()):
        raise file.error(
            (*path, "command"), say("is empty"), say('give a program and its arguments: ["/usr/bin/notify"]')
        )
    portal = table.portal
    if ways & {"user", "chat"}:
        portal = file.portal(portal if portal is not None else usual, portals, (*path, "portal"))
    elif portal is not None:
        raise file.error((*path, "portal"), say("has no effect without user or chat"))
    email = tuple(_address(file, one, (*path, "email", number)) for number, one in enumerate(table.email or ()))
    if table.email is not None and not email:
        raise file.error((*path, "email"), say("is empty"), say('give addresses: ["anna@example.com"]'))
    if email and smtp is None:
        raise file.error((*path, "email"), say("needs a server that mails go through"), say("add [alerts.smtp]"))
    return AlertsConfig(
        portal=portal,
        user=table.user,
        chat=table.chat,
        command=tuple(table.command or ()),
        email=email,
        smtp=smtp if email else None,
        language=table.language,
    )


def _address(file: ConfigFile, text: str, path: KeyPath) -> str:
    if not _ADDRESS.fullmatch(text):
        raise file.error(path, say('must be a bare address like "anna@example.com", not "{text}"', text=text))
    return text


def _telling(file: ConfigFile, table: AlertsTable) -> TellingConfig:
    for name in ("rejected", "held"):
        least = getattr(table, name)
        if least is not None and least < 1:
            raise file.error(
                ("alerts", name),
                say("must be at least 1, not {least}", least=least),
                say("leave it out to be told of none"),
            )
    return TellingConfig(guard=table.guard, rejected=table.rejected, held=table.held)


def _smtp(file: ConfigFile, table: SmtpTable, *, base: Path, environ: Mapping[str, str]) -> SmtpConfig:
    path = ("alerts", "smtp")
    host = table.host.strip()
    if not host or urlsplit(f"//{host}").netloc != host or re.search(r"[\s@/]|:\d+$", host):
        raise file.error(
            (*path, "host"),
            say('must be the name of a server, not "{host}"', host=table.host),
            say("its port is a key"),
        )
    if table.port is not None and not 0 < table.port <= _HIGHEST_PORT:
        raise file.error(
            (*path, "port"), say("must be 1 to {highest_port}, not {port}", highest_port=_HIGHEST_PORT, port=table.port)
        )
    password = file.secret(table, "password", path, base=base, environ=environ)
    if (password is None) != (table.username is None):
        raise file.error(path, say("needs both username and password, or neither"))
    if password is not None and table.security == "none" and not is_loopback(host):
        raise file.error(
            (*path, "security"),
            say('is "none", so the password would travel in the clear'),
            say('use "starttls" or "tls"'),
        )
    if table.ca_file is not None:
        # Few configs have one, and what loads it takes time that every command would spend.
        from syncd.config.certificates import trust  # noqa: PLC0415

        trust(table.ca_file, base, file.where(*path, "ca_file"))
    return SmtpConfig(
        host=host,
        port=_PORTS[table.security] if table.port is None else table.port,
        security=table.security,
        sender=_address(file, table.sender, (*path, "sender")),
        username=table.username,
        password=password,
        ca_file=None if table.ca_file is None else base / Path(table.ca_file).expanduser(),
    )
