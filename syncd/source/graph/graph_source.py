"""The Microsoft Graph source: whose calendars are read, what is kept of them, and their snapshot.

An unchanged calendar costs one request. One that cannot be read keeps its last known events, and the snapshot is then
incomplete.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

import msgspec

from syncd.clock import Clock
from syncd.config.secrets import FORMS, read_secret
from syncd.errors import ConfigError, SourceError, SyncdError
from syncd.log import entry_crashed
from syncd.model.entry import Snapshot
from syncd.net import is_loopback
from syncd.source.accounts.choice import Choice, ChoiceOptions
from syncd.source.accounts.groups import Composer, ReadCalendar, Series
from syncd.source.accounts.people import Calendar, CalendarList, read_list
from syncd.source.accounts.told import Told
from syncd.source.base import Fetched, ReadContext, Source
from syncd.source.field_values import sync_zone
from syncd.source.graph.graph_event import Clocks, GraphEvent, told_of
from syncd.source.graph.graph_kept import Kept, load, save, stamp_of
from syncd.source.graph.graph_known import KnownSeries, View
from syncd.source.graph.graph_login import PUBLIC_CLOUD, GraphLogin, LoginOptions, checked_certificate, needs_msal
from syncd.source.graph.graph_series import told_series
from syncd.source.graph.graph_server import GraphServer, place_of
from syncd.source.graph.graph_update import Place, update_calendar
from syncd.source.options import nearest, read_options
from syncd.source.web.access import Access, WebOptions, read_access
from syncd.source.web.error import WebError
from syncd.source.web.web_client import WebClient, in_time

_PUBLIC_GRAPH = "https://graph.microsoft.com/v1.0"
_AT_ONCE = 4
"""Calendars that are read at the same time. A mailbox allows as many requests, and here each has one."""
_LISTED_AGAIN_S = 3600.0
"""How long it is known who belongs to a domain, what calendars a mailbox has, and which rooms there are."""
_ROOMS = "rooms"
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
        raise ConfigError(f"{where}: missing key 'calendars'", 'whose are read, e.g. calendars = ["anna@example.com"]')
    access = _access(chosen, base, where)
    return GraphSource(
        options=chosen, access=access, login=GraphLogin(login, save_token), calendars=calendars, clock=clock
    )


def read_login(
    options: GraphOptions, base: Path, *, where: str, environ: Mapping[str, str] | None = None
) -> tuple[LoginOptions, Callable[[str], None] | None]:
    """Return how to log in, and what keeps a person's renewed token; raises ConfigError beginning with `where`."""
    environ = os.environ if environ is None else environ
    found = {name: text for name in _SECRETS if (text := _secret(options, name, base, where, environ))}
    if len(found) > 1:
        raise ConfigError(f"{where}: {' and '.join(found)} exclude each other", "keep one of them")
    for name in ("tenant", "client_id"):
        value = getattr(options, name)
        if not value.strip() or not value.isprintable() or any(char in "/ ?#" for char in value):
            raise ConfigError(f"{where}: {name} = {value!r} is none", "it stands in the application's registration")
    graph = _encrypted(options.url, "url", where)
    authority = _encrypted(options.authority, "authority", where)
    if authority.scheme != "https":
        raise ConfigError(f"{where}: authority does not begin with https://", f'e.g. "{PUBLIC_CLOUD}"')
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


def write_secret(file: Path, content: str) -> None:
    """Write a secret that only its owner may read, in place of what was there; blocking, raises OSError."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as written:
        written.write(content)
    beside.replace(file)


def _secret(options: GraphOptions, name: str, base: Path, where: str, environ: Mapping[str, str]) -> str:
    forms = {name + form: getattr(options, name + form) for form in FORMS}
    given = next((key for key, value in forms.items() if value is not None), None)
    if given is None:
        return ""
    # A token's file is made by `syncd source authorize`, so at first it is not there.
    if given == "token_file" and not (base / Path(forms[given] or "").expanduser()).exists():
        return ""
    try:
        return read_secret(name, forms, base=base, environ=environ)[1].reveal()
    except ValueError as error:
        raise ConfigError(f"{where}: {given} {error}") from None


def _encrypted(text: str, key: str, where: str) -> SplitResult:
    parts = urlsplit(text)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if is_safe and parts.hostname and parts.username is None and not parts.query:
        return parts
    raise ConfigError(f"{where}: {key} is no address that a token may be sent to", "it begins with https://")


def _access(options: GraphOptions, base: Path, where: str) -> Access:
    web = WebOptions(
        url=options.url,
        ca_file=options.ca_file,
        max_bytes=options.max_bytes,
        timeout=options.timeout,
        total_timeout=options.total_timeout,
    )
    return read_access(web, base, where=where)


@dataclass(slots=True)
class _Directory:
    """Who and what there is, as it was listed a while ago."""

    found: dict[str, tuple[str, ...]] = field(default_factory=dict)
    asked_at: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A calendar that is read: its place, its owner, and the key under which it is known."""

    key: str
    place: Place
    owner: str


class GraphSource:
    """Reads calendars through Microsoft Graph; `fetched` is the number of calendars that the last reading changed."""

    def __init__(
        self, *, options: GraphOptions, access: Access, login: GraphLogin, calendars: CalendarList, clock: Clock
    ) -> None:
        self._options = options
        self._access = access
        self._login = login
        self._list = calendars
        self._clock = clock
        self._directory = _Directory()
        self._kept: dict[str, Kept] | None = None
        self._series: dict[str, tuple[str, tuple[Series, ...]]] = {}
        self._identity = repr((options.url, options.tenant, options.client_id))
        self._composer = Composer(settings=_settings(options), meanings=dict(options.zones))
        self.fetched = 0

    def describe(self) -> str:
        """Return the kind of source, its tenant and whose calendars it reads."""
        given = self._options.calendars
        names = (given,) if isinstance(given, str) else given
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return f"graph {self._options.tenant}" + (f" ({shown})" if shown else "")

    async def read(self, context: ReadContext) -> Snapshot:
        """Bring all calendars up to date and return their entries.

        Raises SourceError if none can be read and nothing is known of them.
        """
        return await (await self.fetch(context)).parsed()

    async def fetch(self, context: ReadContext) -> Fetched:
        """Bring all calendars up to date; entries are made of them when they are wanted."""
        clocks = Clocks(meanings=self._options.zones, usual=sync_zone(context.zone) or "UTC")
        errors: dict[str, SourceError] = {}
        async with in_time(self._access), WebClient(self._access, self._clock) as client:
            server = GraphServer(self._access, client, self._login, self._clock)
            targets = await self._targets(server, errors)
            names = {one.key: self._cache_name(one.key) for one in targets}
            if self._kept is None:
                self._kept = await asyncio.to_thread(load, context.cache, self._cache_name("links"), names)
            before = self._kept
            now = await self._up_to_date(server, targets, before, context, clocks, errors)
        await asyncio.to_thread(save, context.cache, self._cache_name("links"), names, before, now)
        self._kept = now
        if errors and not any(kept.stamp for kept in now.values()):
            raise next(iter(errors.values()))
        read = await asyncio.to_thread(self._read_calendars, targets, now, clocks)
        choice = Choice(options=self._options, owners=frozenset(one.owner.lower() for one in targets))
        marker = await asyncio.to_thread(self._composer.marker, read, errors, context)
        parsed = partial(asyncio.to_thread, self._composer.snapshot, read, errors, choice, context)
        return Fetched(marker="" if errors else marker, parsed=parsed)

    async def _up_to_date(
        self,
        server: GraphServer,
        targets: Sequence[_Target],
        before: Mapping[str, Kept],
        context: ReadContext,
        clocks: Clocks,
        errors: dict[str, SourceError],
    ) -> dict[str, Kept]:
        """Return all calendars as they are now; those that cannot be read as they were, with an error for each."""
        places = asyncio.Semaphore(_AT_ONCE)
        stopped: list[SourceError] = []
        self.fetched = 0

        async def update(target: _Target) -> Kept:
            known = before.get(target.key, Kept())
            async with places:
                if stopped:  # the login has failed, or Graph wants to be left alone: the others would hear the same
                    errors[target.place.name] = stopped[0]
                    return known
                try:
                    return await self._update(server, target, known, context, clocks)
                except SourceError as error:
                    errors[target.place.name] = error
                    if _stops(error):
                        stopped.append(error)
                    return known

        done = await asyncio.gather(*(update(target) for target in targets))
        # In the order of the targets, so that the same failures make the same message.
        failed = {one.place.name: errors[one.place.name] for one in targets if one.place.name in errors}
        errors.update({name: errors.pop(name) for name in failed})
        return {target.key: kept for target, kept in zip(targets, done, strict=True)}

    async def _update(
        self, server: GraphServer, target: _Target, known: Kept, context: ReadContext, clocks: Clocks
    ) -> Kept:
        spread = int(blake2b(target.key.encode(), digest_size=2).hexdigest(), 16)
        try:
            updated = await update_calendar(server, target.place, known.calendar, context.window, clocks, spread=spread)
        except SyncdError:
            raise
        except Exception as error:
            name = target.place.name
            raise SourceError(f"{name} cannot be read: {entry_crashed(name, error)}") from error
        if not updated.changed and known.stamp:
            return Kept(updated.calendar, known.stamp)
        self.fetched += 1
        return Kept(updated.calendar, await asyncio.to_thread(stamp_of, updated.calendar))

    async def _targets(self, server: GraphServer, errors: dict[str, SourceError]) -> list[_Target]:
        """Return the calendars to read; what cannot be listed is in `errors`, and its last known members stand."""
        await server.login()
        found: list[str] = []
        for domain in self._list.domains:
            found += await self._known(f"@{domain}", partial(server.people, domain), errors)
        targets: dict[str, _Target] = {}
        for calendar in await asyncio.to_thread(self._list.listed, found):
            for one in await self._expanded(server, calendar, errors):
                targets.setdefault(one.key, one)
        return list(targets.values())

    async def _expanded(self, server: GraphServer, calendar: Calendar, errors: dict[str, SourceError]) -> list[_Target]:
        if calendar.id == _ROOMS:
            return [_target(room, room) for room in await self._known(_ROOMS, server.rooms, errors)]
        mailbox, _, pattern = calendar.id.partition("/")
        owner = calendar.owner if calendar.owner != calendar.id else mailbox if "@" in mailbox else ""
        if not pattern:
            return [_target(mailbox, owner)]
        listed = await self._known(calendar.id, partial(self._calendars, server, mailbox, pattern), errors)
        return [_target(mailbox, owner, *one.split("\t", 1)) for one in listed]

    async def _calendars(self, server: GraphServer, mailbox: str, pattern: str) -> list[str]:
        """Return id and name of a mailbox's calendars that match; raises SourceError if none does."""
        found = await server.calendars(place_of(mailbox), mailbox)
        chosen = [f"{one.id}\t{one.name}" for one in found if fnmatchcase(one.name.casefold(), pattern.casefold())]
        if not chosen:
            remedy = nearest(pattern, [one.name for one in found]) or "there is none"
            raise SourceError(f"{mailbox} has no calendar {pattern!r}", remedy)
        return chosen

    async def _known(self, name: str, ask: Callable[[], object], errors: dict[str, SourceError]) -> tuple[str, ...]:
        """Return what `ask` lists, or listed a while ago."""
        directory, now = self._directory, self._clock.monotonic()
        asked = directory.asked_at.get(name)
        if asked is not None and now - asked < _LISTED_AGAIN_S:
            return directory.found[name]
        try:
            found = tuple(await ask())  # type: ignore[misc]
        except SourceError as error:
            if name not in directory.found:
                # Nobody knows who is meant: without them their events would be taken off the portal.
                raise
            errors[name] = error
            return directory.found[name]
        directory.found[name], directory.asked_at[name] = found, now
        return found

    def _cache_name(self, of: str) -> str:
        return f"graph{blake2b(repr((self._identity, of)).encode(), digest_size=16).hexdigest()}"

    def _read_calendars(
        self, targets: Sequence[_Target], now: Mapping[str, Kept], clocks: Clocks
    ) -> tuple[ReadCalendar, ...]:
        under = repr(clocks)
        series: dict[str, tuple[str, tuple[Series, ...]]] = {}
        for target in targets:
            kept = now[target.key]
            known = self._series.get(target.key)
            stamp = kept.stamp + under
            if known is None or known[0] != stamp:
                known = (stamp, tuple(_series_of(kept, clocks)))
            series[target.key] = known
        self._series = series
        return tuple(ReadCalendar(name=one.place.name, owner=one.owner, series=series[one.key][1]) for one in targets)


def _settings(options: GraphOptions) -> str:
    """Return the options that change what the same events are read as."""
    read = {name: getattr(options, name) for name in ChoiceOptions.__struct_fields__ if name != "calendars"}
    return msgspec.json.encode(read, order="sorted").decode()


def _stops(error: SourceError) -> bool:
    """Return True for an error that all calendars share: no token, or a long wait that Graph asks for."""
    from syncd.source.graph.graph_login import LoginError  # noqa: PLC0415 - beside its use

    return isinstance(error, LoginError) or (isinstance(error, WebError) and error.status == 429)


def _target(mailbox: str, owner: str, calendar: str = "", name: str = "") -> _Target:
    shown = f"{mailbox}/{name}" if calendar else mailbox
    place = Place(path=place_of(mailbox, calendar), mailbox=place_of(mailbox), name=shown)
    return _Target(key=f"{mailbox}/{calendar}" if calendar else mailbox, place=place, owner=owner)


def _series_of(kept: Kept, clocks: Clocks) -> Iterator[Series]:
    """Yield the single events and the series of a calendar, each with a digest of all that it is read from."""
    calendar = kept.calendar
    for one, event in sorted(calendar.singles.items()):
        digest = _digest(msgspec.msgpack.encode(event), clocks)
        yield Series(id=_shown(event), uid=one, digest=digest, told=partial(_single, event, clocks))
    bounds = repr([(view.first, view.end) for view in calendar.views]).encode()
    for one, series in sorted(calendar.series.items()):
        digest = _digest(msgspec.msgpack.encode(series, order="sorted") + bounds, clocks)
        shown = _shown(series.master) if series.master is not None else one[:20]
        yield Series(id=shown, uid=one, digest=digest, told=partial(_many, series, calendar.views, clocks))


def _digest(content: bytes, clocks: Clocks) -> bytes:
    return blake2b(repr(clocks).encode() + content, digest_size=16).digest()


def _shown(event: GraphEvent) -> str:
    """Return how an event is called where it cannot be read: by its day and title, as far as it has them."""
    start = event.start.date_time[:10] if event.start else ""
    subject = event.subject if isinstance(event.subject, str) else ""
    return f"{start} {' '.join(subject.split())[:60]}".strip() or event.id[:20]


def _single(event: GraphEvent, clocks: Clocks) -> tuple[Told, ...]:
    return (told_of(event, clocks),)


def _many(series: KnownSeries, views: tuple[View, ...], clocks: Clocks) -> tuple[Told, ...]:
    return told_series(series, views, clocks)
