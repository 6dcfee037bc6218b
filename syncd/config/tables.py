"""The tables of the config as TOML gives them: names, types, defaults. `build` decides what the values mean."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from syncd.lang.catalog import Language

Number = int | float
Tariff = Literal["standard", "enterprise", "self-hosted"]
OnRemoved = Literal["keep", "delete"]
OnConflict = Literal["source", "portal", "report"]
OnUnresolved = Literal["hold", "skip", "fallback"]
CalendarKind = Literal["user", "group", "company"]
Files = Literal["none", "inline", "links"]
Markup = Literal["bbcode", "html"]
ActivityKind = Literal["meeting", "call", "custom"]
OwnerType = Literal["contact", "company", "lead", "deal", "quote", "invoice"]
Adopt = Literal["identical", "same-time"]
Marker = Literal["none", "description"]
Uids = Literal["source", "content"]
OutsideGuests = Literal["drop", "list"]
Invite = Literal["notice", "copy"]
Security = Literal["starttls", "tls", "none"]
OnHostChange = Literal["report", "recreate"]
Events = Literal["offline", "online", "off"]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all tables of the config; tells them from other structs."""


class SmtpTable(Table, frozen=True, kw_only=True):
    """`[alerts.smtp]`: the server that mails go through."""

    host: str
    port: int | None = None
    security: Security = "starttls"
    sender: str
    username: str | None = None
    password: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    password_credential: str | None = None
    ca_file: str | None = None


class PortalAlertsTable(Table, frozen=True, kw_only=True):
    """`[portals.X.alerts]`: who is told of this portal and its syncs, in place of those of `[alerts]`."""

    portal: str | None = None
    user: int | None = None
    chat: str | None = None
    command: list[str] | None = None
    email: list[str] | None = None
    language: Language | None = None


class LimitsTable(Table, frozen=True, kw_only=True):
    """`[portals.X.limits]`; a key that is absent follows the tariff."""

    burst: int | None = None
    rate: Number | None = None
    operating_limit: Number | None = None
    operating_share: Number | None = None
    batch_size: int | None = None
    batch_seconds: Number | None = None
    lanes: int | None = None
    timeout: Number | None = None
    settle: Number | None = None


class AppTable(Table, frozen=True, kw_only=True):
    """`app` of a portal: a local application in place of a webhook."""

    address: str
    client_id: str
    client_secret: str | None = None
    client_secret_file: str | None = None
    client_secret_env: str | None = None
    client_secret_credential: str | None = None
    token_key: str | None = None
    token_key_file: str | None = None
    token_key_env: str | None = None
    token_key_credential: str | None = None
    server: str | None = None
    events: Events = "offline"
    events_every: str = "15s"


class PortalTable(Table, frozen=True, kw_only=True):
    """`[portals.X]`."""

    webhook: str | None = None
    webhook_file: str | None = None
    webhook_env: str | None = None
    webhook_credential: str | None = None
    app: AppTable | None = None
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    tariff: Tariff = "standard"
    server_timezone: str | None = None
    limits: LimitsTable = LimitsTable()
    alerts: PortalAlertsTable | None = None


class WindowTable(Table, frozen=True, kw_only=True):
    """`window` of a sync."""

    past: str = "30d"
    future: str = "365d"


class TargetTable(Table, frozen=True, kw_only=True):
    """`[sync.target]`; which keys go together is decided in `build_target`."""

    type: str = "calendar"
    calendar: CalendarKind | None = None
    owner: str | int | None = None
    section: str | int | None = None
    owners: dict[str, int | str] | None = None
    owners_file: str | None = None
    on_unresolved: OnUnresolved = "hold"
    fallback_owner: str | int | None = None
    activity: str | None = None
    contact: str | int | None = None
    owner_type: str | int | None = None
    owner_field: str | None = None
    responsible: str | int | None = None
    completed: str | None = None
    direction: str | None = None
    origin_version: str | int | None = None
    deadline: str | None = None
    ping: list[str] | None = None
    color_id: str | int | None = None


class MeetingTable(Table, frozen=True, kw_only=True):
    """`[sync.fields.meeting]`. By default nothing is set, so that nobody is bothered."""

    notify: bool = False
    reinvite: bool = False
    allow_invite: bool = False
    hide_guests: bool = False


class FieldsTable(Table, frozen=True, kw_only=True):
    """`[sync.fields]`."""

    name: str = "{title}"
    untitled: str = ""
    description: str = "{description}"
    location: str = "{location}"
    color: str | None = None
    text_color: str | None = None
    accessibility: str | None = None
    importance: str | None = None
    private: bool | str = False
    remind: list[str] | None = None
    colors: dict[str, str] = {}
    attendees: str | list[int | str] = "none"
    host: str | int | None = None
    outside_guests: OutsideGuests = "drop"
    invite: Invite = "notice"
    meeting: MeetingTable = MeetingTable()
    markup: Markup | None = None
    extra: dict[str, Any] = {}
    files: Files | None = None
    file_hosts: list[str] = []
    files_max_bytes: int = 5_000_000
    crm: list[str] | str = []


class FilterTable(Table, frozen=True, kw_only=True):
    """`[sync.filter]`."""

    include: list[str] = []
    exclude: list[str] = []


class SyncTable(Table, frozen=True, kw_only=True):
    """`[[sync]]`; the keys of `source` are checked by the source, which may be a plugin."""

    name: str
    source: dict[str, Any]
    target: TargetTable
    portal: str | None = None
    every: str = "15m"
    cron: str | None = None
    jitter: str | None = None
    watch: bool = True
    settle: str = "2s"
    stale_after: str | None = None
    verify_every: str | None = None
    timezone: str | None = None
    country: str | None = None
    window: WindowTable = WindowTable()
    on_removed: OnRemoved = "keep"
    removed_after: int = 2
    on_conflict: OnConflict = "source"
    on_host_change: OnHostChange | None = None
    max_removed: str | int = "20%"
    max_changed: str | int = "50%"
    adopt: Adopt | bool = "identical"
    marker: Marker = "none"
    uids: Uids = "source"
    fields: FieldsTable = FieldsTable()
    filter: FilterTable = FilterTable()


class HttpTable(Table, frozen=True, kw_only=True):
    """`[http]`."""

    listen: str
    public_url: str | None = None
    hosts: list[str] = []
    token: str | None = None
    token_file: str | None = None
    token_env: str | None = None
    token_credential: str | None = None


class AlertsTable(PortalAlertsTable, frozen=True, kw_only=True):
    """`[alerts]`."""

    smtp: SmtpTable | None = None
    guard: bool = True
    rejected: int | None = None
    held: int | None = None


class LeaseTable(Table, frozen=True, kw_only=True):
    """`[lease]`: how several machines share the portals."""

    ttl: str = "15s"
    renew: str = "5s"
    margin: str = "3s"


class DefaultsTable(Table, frozen=True, kw_only=True):
    """`[defaults]`: what each sync and each portal of the file, and of those it includes, starts with."""

    sync: dict[str, Any] = {}
    portal: dict[str, Any] = {}


class ConfigTable(Table, frozen=True, kw_only=True):
    """The main file; `load` converts its portals and syncs one by one."""

    state: str | None = None
    state_url: str | None = None
    state_url_file: str | None = None
    state_url_env: str | None = None
    state_url_credential: str | None = None
    state_schema: str = "syncd"
    control: str | None = None
    keep_runs: str = "90d"
    raw_reports: bool = False
    language: Language | None = None
    include: list[str] = []
    http: HttpTable | None = None
    lease: LeaseTable | None = None
    alerts: AlertsTable | None = None
    defaults: DefaultsTable = DefaultsTable()
    portals: dict[str, Any] = {}
    sync: list[dict[str, Any]] = []


class IncludedTable(Table, frozen=True, kw_only=True):
    """A file that `include` names: portals and syncs with their defaults. Other settings are in the main file only."""

    defaults: DefaultsTable = DefaultsTable()
    portals: dict[str, Any] = {}
    sync: list[dict[str, Any]] = []


SOURCE_SECRETS = ("url", "username", "password", "token")
"""The secrets of a source with an address, each in the four forms of `secrets`."""
ACCOUNT_SECRETS = ("key", "token", "client_secret", "private_key")
"""Those of sources of accounts."""
_FORMS = ("", "_file", "_env", "_credential")
_WEB_KEYS = (
    *(secret + form for secret in SOURCE_SECRETS for form in _FORMS),
    *("headers", "ca_file", "client_cert", "client_key", "max_bytes", "timeout", "total_timeout"),
)
_ACCOUNT_KEYS = (
    "calendars", "busy_only", "busy_title", "declined", "tentative", "unanswered", "copies", "zones",
)  # fmt: skip
_LOGIN_KEYS = tuple(
    secret + form for secret in ("url", "username", "password") for form in ("", "_file", "_env", "_credential")
)
_LENGTH_KEYS = ("default_duration", "duration_unit")
_FILE_KEYS = ("type", "path", *_WEB_KEYS, "follow_links")
SOURCE_KEYS: dict[str, tuple[str, ...]] = {
    "bitrix24": ("type", "portal", "calendar", "owner", "sections"),
    "caldav": ("type", "calendars", "zones", "default_duration", *_WEB_KEYS),
    "csv": (*_FILE_KEYS, "encoding", "delimiter", "header", "dates", *_LENGTH_KEYS, "columns", "grid"),
    "google": (
        *(secret + form for secret in ("key", "token", "client_secret") for form in _FORMS),
        *("subject", "admin", "event_types", "url", "ca_file", "max_bytes", "timeout", "total_timeout"),
        *("type", *_ACCOUNT_KEYS),
    ),
    "graph": (
        *("type", "tenant", "client_id", "url", "authority", "ca_file", "max_bytes", "timeout", "total_timeout"),
        *(secret + form for secret in ("client_secret", "private_key", "token") for form in _FORMS),
        *_ACCOUNT_KEYS,
    ),
    "ics": (*_FILE_KEYS, "encoding", "zones", "default_duration"),
    "json": (
        *(*_FILE_KEYS, "encoding", "records", "columns", "next", "total", "count", "params", "preset"),
        *("dates", *_LENGTH_KEYS),
    ),
    "sql": (
        *("type", *_LOGIN_KEYS, "query", "query_file", "columns", "dates", *_LENGTH_KEYS),
        *("timeout", "total_timeout", "max_rows", "max_bytes", "isolation"),
    ),
    "xlsx": (*_FILE_KEYS, "sheet", "header", "dates", *_LENGTH_KEYS, "columns", "grid"),
}
"""The keys of built-in sources, known here so that an error can name the line; the sources check the values."""

GRID_KEYS = ("codes", "titles", "names", "dates", "month")
"""The keys of `[sync.source.grid]`."""

COLUMN_KEYS = (
    *("uid", "title", "start", "date", "start_time", "end", "end_time", "duration", "owner", "description", "location"),
    *("timezone", "all_day", "attendees", "categories", "status", "priority", "color", "url", "rrule", "reminders"),
    *("private", "contact_phone", "contact_email"),
)
"""The keys of `[sync.source.columns]`."""
