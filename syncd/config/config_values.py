"""The config as the rest of syncd sees it: every value is checked, parsed and has its default."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec

from syncd.config.database import Database
from syncd.config.secrets import Secret
from syncd.config.tables import (
    ActivityKind,
    CalendarKind,
    Events,
    Files,
    Invite,
    Marker,
    Markup,
    OnConflict,
    OnHostChange,
    OnRemoved,
    OnUnresolved,
    OutsideGuests,
    Security,
    Tariff,
    Uids,
)
from syncd.errors import ConfigError
from syncd.lang.catalog import Language
from syncd.lang.saying import say
from syncd.model.filter import Condition, Filter
from syncd.model.guard import Threshold
from syncd.model.lease import LeaseTerms
from syncd.model.names import nearest
from syncd.model.plan import Adopt
from syncd.model.template import Template

BATCH_SECONDS = 20.0
"""The value for every tariff unless the config sets another."""


class LimitsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of `[portals.X.limits]`: requests, requests per second, seconds, a share; None is the tariff's."""

    burst: int | None = None
    rate: float | None = None
    operating_limit: float | None = None
    operating_share: float | None = None
    batch_size: int | None = None
    batch_seconds: float | None = None
    lanes: int | None = None
    timeout: float | None = None
    settle: float | None = None

    @property
    def longest_batch_s(self) -> float:
        """The longest time for one request.

        All requests in flight are together planned for no longer than the time-out.
        """
        return BATCH_SECONDS if self.batch_seconds is None else self.batch_seconds

    def given(self) -> Mapping[str, int | float]:
        """Return the limits that the config sets, by name."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True):
    """`ca_file`, `client_cert` and `client_key` as written; `base` is the folder of relative paths."""

    ca_file: str | None
    client_cert: str | None
    client_key: str | None
    base: Path
    where: str


class AppConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`app` of a portal: the application that calls it. `address` is the portal's origin, `server` that of OAuth.

    `token_key` encrypts its tokens in the state, None if they are not encrypted. `events` says how people's edits are
    heard of, and `events_every` how often the portal is asked for them.
    """

    address: str
    client_id: str
    client_secret: Secret
    token_key: Secret | None = None
    server: str
    events: Events
    events_every: timedelta


class PortalConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One `[portals.NAME]`; `host` is the portal's host and port, fit for messages.

    Either a `webhook` or an `app` calls it; with an app, the webhook is empty. `server_timezone` is the portal's own
    zone, None if it has to be guessed. `unusable` is why it has no secret to call it with, "" if it has one. `tls` are
    the files for `make_context`, None for the usual authorities and no certificate.
    """

    name: str
    webhook: Secret = Secret("")
    app: AppConfig | None = None
    host: str
    tariff: Tariff
    server_timezone: str | None = None
    unusable: str = ""
    limits: LimitsConfig
    tls: TlsFiles | None = None

    @property
    def watched(self) -> bool:
        """Return True if the portal itself reports people's edits."""
        return self.app is not None and self.app.events != "off"


class SourceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[sync.source]` as written, for the source itself to check.

    `base` is the directory of relative paths, `where` names file, line and table for messages.
    """

    options: Mapping[str, Any]
    base: Path
    where: str

    def __repr__(self) -> str:  # a plugin's options may hold passwords
        return f"SourceConfig(type={self.options.get('type')!r}, where={self.where!r})"


class TargetConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[sync.target]`; `section` is a name, or an id in digits, by default the name of the sync.

    `owner` is None only for the company calendar. `owners` are aliases. `fallback_owner` is set if, and only if,
    `on_unresolved` is "fallback".
    """

    calendar: CalendarKind
    owner: Template | None
    section: str
    owners: Mapping[str, int | str]
    on_unresolved: OnUnresolved
    fallback_owner: int | str | None


class CardConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[sync.target]` of the types activity and todo.

    `activity`, `completed`, `direction` and `origin_version` are for activities; `deadline`, `ping` (minutes, None: as
    remind) and `color_id` for to-dos. `owner_type` is a name, or the number of a dynamic type; with `owner_field`,
    `contact` is the value of that field. If `responsible` is None, it is the user responsible for the client.
    """

    type: Literal["activity", "todo"]
    activity: ActivityKind
    contact: Template
    owner_type: str
    owner_field: str
    responsible: Template | None
    owners: Mapping[str, int | str]
    on_unresolved: OnUnresolved
    fallback_owner: int | str | None
    completed: Literal["past", "never"] | Template
    direction: Literal["outgoing", "incoming"] | Template
    origin_version: Template | None
    deadline: Literal["start", "end"]
    ping: tuple[int, ...] | None
    color_id: Template | None


class FieldsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[sync.fields]`; None means that the entry itself decides.

    `remind` is in minutes before the start. A constant `color` is "#rrggbb"; the first of `colors` whose condition
    holds takes precedence over it. `meeting` names the flags that are set. `outside_guests` says what happens to guests
    who are not users of the portal, `invite` whether the others get an invitation or a silent copy. `untitled` is the
    title of entries without one, "" for the portal's.
    """

    name: Template
    untitled: str
    description: Template
    location: Template
    color: Template | None
    text_color: Template | None
    accessibility: Template | None
    importance: Template | None
    private: bool | Template
    remind: tuple[int, ...] | None
    colors: tuple[tuple[Condition, str], ...]
    attendees: Literal["source", "none"] | tuple[str, ...]
    host: Template | None
    meeting: frozenset[str]
    markup: Markup
    extra: tuple[tuple[str, str | Template], ...]
    files: Files
    file_hosts: frozenset[str]
    files_max_bytes: int
    outside_guests: OutsideGuests
    invite: Invite
    crm: tuple[Template, ...]


class WhenConfig(msgspec.Struct, frozen=True, kw_only=True):
    """When the daemon runs the passes of a sync; `cron` is None if `every` applies.

    With `watch`, changed files of the source start a pass once they have been still for `settle`. `jitter` and
    `stale_after` are None if they follow from the schedule.
    """

    every: timedelta
    cron: str | None
    jitter: timedelta | None
    watch: bool
    settle: timedelta
    stale_after: timedelta | None


class HttpConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[http]`: where the status page listens; `public` if other machines can reach it.

    `public_url` is where portals and browsers reach it from outside, with a slash at the end, None if they cannot.
    `names` are the names, in small letters, under which it may be requested besides the machine's own. A request with
    the `token` may start passes by POST; None: no request may.
    """

    host: str
    port: int
    public: bool
    names: tuple[str, ...] = ()
    token: Secret | None = None
    public_url: str | None = None


class SmtpConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[alerts.smtp]`: the mail server, and how to talk to it."""

    host: str
    port: int
    security: Security
    sender: str
    username: str | None = None
    password: Secret | None = None
    ca_file: Path | None = None


class AlertsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told: a user and a chat that get a message through the portal `portal`, a program, mail addresses.

    `language` is theirs, None for that of the house.
    """

    portal: str | None
    user: int | None
    chat: str | None
    command: tuple[str, ...]
    email: tuple[str, ...] = ()
    smtp: SmtpConfig | None = None
    language: Language | None = None


class TellingConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What `[alerts]` reports besides stale syncs and portals that refuse.

    `rejected` and `held` are the number of entries from which on it reports; None: never.
    """

    guard: bool = True
    rejected: int | None = None
    held: int | None = None

    @property
    def counts(self) -> bool:
        """Return True if the counts of a pass are needed to know what to report."""
        return self.rejected is not None or self.held is not None


class SyncConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[sync]]`; `where` names file, line and sync for messages. `country` is "" if the portal tells it.

    `verify_unheard` is how often the portal is read while nobody hears of its events; None: as always.
    """

    name: str
    where: str
    portal: str
    when: WhenConfig
    verify_every: timedelta
    verify_unheard: timedelta | None = None
    timezone: str | None
    country: str
    past: timedelta
    future: timedelta
    window_given: bool
    on_removed: OnRemoved
    removed_after: int
    on_conflict: OnConflict
    on_host_change: OnHostChange
    max_removed: Threshold
    max_changed: Threshold
    adopt: Adopt
    marker: Marker
    uids: Uids
    source: SourceConfig
    target: TargetConfig | CardConfig
    fields: FieldsConfig
    filter: Filter


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a config that tells where its state and its daemon are. It needs no secret. Fields as in `Config`."""

    path: Path
    state: Path
    earlier_state: Path | None
    control: Path | None
    syncs: tuple[str, ...]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A whole config; `syncd check` reports its `warnings`, and a pass ignores them.

    `digest` differs whenever the text of one of its files differs, or the set of files. With `raw_reports`, cells of
    reports that a spreadsheet would take for formulas are left unchanged. `earlier_state` is a file where version 0.1
    kept the state, None if there is none or if the config names or has a new one. With a `database` the state is there,
    and `state` is only the place beside which this machine keeps its own files; `lease` then holds the terms by which
    several machines share the portals. `control` is the daemon's socket for commands, None for its usual place.
    `language` is that of messages, None if the system's settings decide.
    """

    path: Path
    state: Path
    state_given: bool = True
    earlier_state: Path | None = None
    database: Database | None = None
    control: Path | None = None
    keep_runs: timedelta
    raw_reports: bool = False
    language: Language | None = None
    portals: tuple[PortalConfig, ...]
    syncs: tuple[SyncConfig, ...]
    warnings: tuple[str, ...] = ()
    http: HttpConfig | None = None
    alerts: AlertsConfig | None = None
    portal_alerts: Mapping[str, AlertsConfig] = {}
    telling: TellingConfig = TellingConfig()
    lease: LeaseTerms = LeaseTerms()
    digest: str = ""

    @property
    def ledger(self) -> Path | Database:
        """Where the ledger is: a file, or a database."""
        return self.database or self.state

    def portal(self, name: str) -> PortalConfig:
        """Return the portal of that name; raises KeyError if there is none."""
        for portal in self.portals:
            if portal.name == name:
                return portal
        raise KeyError(name)

    def authorised(self, name: str | None) -> PortalConfig:
        """Return the portal to be authorised: `name`, or if None the only one that has an application.

        Raises ConfigError if there is none, or more than one.
        """
        meant = [one for one in self.portals if one.name == name or (not name and one.app is not None)]
        if len(meant) != 1:
            names = tuple(one.name for one in self.portals if one.app is not None)
            raise ConfigError(
                say("which portal? {names}", names=names or say("none has an app")), say("syncd portal authorize NAME")
            )
        return meant[0]

    def chosen(self, names: Sequence[str], portal: str | None = None) -> tuple[str, ...]:
        """Return the names of the syncs that `names` and `portal` select, in the config's order; no names select all.

        A name may be a pattern such as "north-*". Raises ConfigError for a name that selects nothing.
        """
        known = [sync.name for sync in self.syncs]
        for name in names:
            if not fnmatch.filter(known, name):
                raise self.unknown(name)
        if portal is not None and portal not in {one.name for one in self.portals}:
            remedy = say("it has: {names}", names=tuple(one.name for one in self.portals))
            raise ConfigError(say("{path} has no portal {portal!r}", path=str(self.path), portal=portal), remedy)
        return tuple(
            sync.name
            for sync in self.syncs
            if (not names or any(fnmatch.fnmatchcase(sync.name, name) for name in names))
            and (portal is None or sync.portal == portal)
        )

    def unknown(self, name: str) -> ConfigError:
        """Return the error for a sync, or a pattern, that the config does not have."""
        known = [sync.name for sync in self.syncs]
        close = nearest(name, known)
        return ConfigError(
            say("{path} has no sync {name!r}", path=str(self.path), name=name),
            say("did you mean {close!r}?", close=close)
            if close
            else say("it has: {names}", names=tuple(known) or say("none")),
        )
