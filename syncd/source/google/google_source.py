"""The Google source: whose calendars are read and in whose name, what is kept between readings, and their snapshot.

An unchanged calendar costs one request. One that cannot be read keeps its last known content.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path

import msgspec

from syncd.clock import Clock
from syncd.errors import ConfigError, SourceError, SyncdError
from syncd.lang.saying import say, say_count
from syncd.log import entry_crashed
from syncd.model.encoding import packed
from syncd.model.entry import Snapshot
from syncd.source.accounts.choice import Choice, ChoiceOptions
from syncd.source.accounts.groups import Composer, ReadCalendar
from syncd.source.accounts.people import Calendar, CalendarList, is_shared, read_list
from syncd.source.base import FeedCache, Fetched, ReadContext, Source
from syncd.source.google.credentials import Tokens
from syncd.source.google.event_item import Item, Surroundings, only_time
from syncd.source.google.google_api import GoogleApi, NoCalendarError, directory_of
from syncd.source.google.google_options import GoogleOptions, read_login, read_web, refuse_odd, refuse_unlistable
from syncd.source.google.listing import Keep, Known, series_of, updated
from syncd.source.ical.vtimezone import read_meanings
from syncd.source.options import read_options
from syncd.source.reasons import some_of
from syncd.source.web.access import Access, shown
from syncd.source.web.error import WebError
from syncd.source.web.web_client import WebClient, in_time

_AT_ONCE = 4
"""Enough to hide the way to the server; more would come near the quota of a minute."""
_LIST_LASTS_S = 3600.0
"""How long a list of the people of a domain counts: without it an unchanged pass would take a request more."""
_SAVED_EVERY_S = 86_400.0
"""Tokens that alone have changed are kept for the next process so often: an older one does as well for some days."""
_SHOWN = 3
_PRIMARY, _BUSY = "primary", "freeBusyReader"


def open_google(options: Mapping[str, object], base: Path, *, where: str, clock: Clock) -> Source:
    """Return a source of Google calendars; raises ConfigError beginning with `where`."""
    chosen = read_options(GoogleOptions, options, where=where)
    key = read_login(chosen, base, where=where)
    refuse_odd(chosen, key, where)
    calendars = chosen.calendars or (("primary",) if not key.private_key or "@" in chosen.subject else ())
    if not calendars:
        raise ConfigError(
            say("{where}: missing key 'calendars'", where=where),
            say('a list, a CSV file, or a domain such as "@example.com"'),
        )
    found = read_list(calendars, base, where=where)
    refuse_unlistable(chosen, key, found, where)
    kind = ListedGoogleSource if found.files else GoogleSource
    return kind(
        options=chosen,
        kinds=frozenset(chosen.event_types),
        account=Account(tokens=Tokens(key, clock), subject=chosen.subject, admin=chosen.admin or chosen.subject),
        access=read_web(chosen, base, where=where),
        calendars=found,
        meanings=read_meanings(chosen.zones, where=where),
        clock=clock,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """In whose name is read: "" for the account's own, "owner" for that of each calendar; `admin` lists people."""

    tokens: Tokens
    subject: str
    admin: str

    def reader(self, calendar: Calendar) -> str:
        """Return in whose name a calendar is read."""
        if self.subject != "owner":
            return self.subject
        # A file may name owners as the portal calls them, whom Google does not know by that name.
        return calendar.owner if "@" in calendar.owner else calendar.id


class Store(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is kept between readings: calendars by id, the people of domains with the time at which they were listed.

    `primary` is the id of the account's own calendar.
    """

    calendars: dict[str, Known] = {}
    people: dict[str, tuple[float, tuple[str, ...]]] = {}
    primary: str = ""
    saved_at: float = 0.0


class GoogleSource:
    """Reads calendars of Google; `requests` is the number of those that the last reading sent to the API.

    `kinds` are the types of events that are read.
    """

    def __init__(
        self,
        *,
        options: ChoiceOptions,
        kinds: frozenset[str],
        account: Account,
        access: Access,
        calendars: CalendarList,
        meanings: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self._options = options
        self._kinds = kinds
        self._account = account
        self._access = access
        self._calendars = calendars
        self._meanings = meanings
        self._clock = clock
        settings = [getattr(options, name) for name in ChoiceOptions.__struct_fields__ if name != "calendars"]
        self._composer = Composer(settings=repr((settings, sorted(kinds))), meanings=meanings)
        # What nobody is to see is not kept either, not even beside the state.
        self._keeps: Keep = only_time if options.busy_only else _whole
        self._store: Store | None = None
        self._read: dict[str, tuple[Known, Calendar, ReadCalendar]] = {}
        named = repr((access.url, account.tokens.account, account.subject, account.admin))
        named += repr((options.busy_only, calendars.names, calendars.files, calendars.domains))
        self._cache_name = f"google{blake2b(named.encode(), digest_size=16).hexdigest()}"
        self.requests = 0

    def describe(self) -> str:
        """Return the kind of source and whose calendars it reads."""
        given = (*self._calendars.names, *self._calendars.files, *(f"@{one}" for one in self._calendars.domains))
        return say("google {calendars}", calendars=some_of(given[:_SHOWN], len(given) - _SHOWN))

    async def read(self, context: ReadContext) -> Snapshot:
        """Bring all calendars up to date and return their entries.

        A calendar that cannot be read keeps its last known content and makes the snapshot incomplete. Raises
        SourceError if nothing is known of any.
        """
        return await (await self.fetch(context)).parsed()

    async def fetch(self, context: ReadContext) -> Fetched:
        """Bring all calendars up to date; raises SourceError if nothing is known of any of them."""
        store = self._store
        if store is None:
            store = await asyncio.to_thread(_load, context.cache, self._cache_name)
        self._store = store
        before = Store(calendars=dict(store.calendars), people=dict(store.people), primary=store.primary)
        errors: dict[str, SourceError] = {}
        try:
            chosen = await self._updated(store, errors, whole=context.whole)
            # Of people who are not read any more nothing is kept.
            store.calendars = {one.id: store.calendars[one.id] for one in chosen if one.id in store.calendars}
        finally:
            # What came before a reading was ended need not be read again.
            await self._keep(context.cache, before, store)
        known = [one for one in chosen if one.id in store.calendars]
        if not known and errors:
            raise next(iter(errors.values()))
        calendars = await asyncio.to_thread(self._calendars_read, store, known)
        owners = frozenset(one.owner.lower() for one in chosen if one.owner)
        choice = Choice(options=self._options, owners=owners, kinds=self._kinds)
        said = tuple(_told(store, chosen, errors))
        marker = await asyncio.to_thread(self._composer.marker, calendars, errors, context, said)
        return Fetched(
            marker=marker,
            parsed=partial(asyncio.to_thread, self._composer.snapshot, calendars, errors, choice, context, said),
        )

    async def _updated(self, store: Store, errors: dict[str, SourceError], *, whole: bool) -> tuple[Calendar, ...]:
        """Return whose calendars are read, with `store` as they are now; adds to `errors` those that cannot be read.

        With `whole` no token for changes is used.
        """
        chosen: tuple[Calendar, ...] = ()
        done: set[str] = set()
        try:
            async with in_time(self._access), self._api() as api:
                try:
                    chosen = await self._listed(api, store, errors)
                    await self._bring(api, chosen, store, errors, done, whole=whole)
                finally:
                    self.requests = api.requests
        except WebError as error:
            if not chosen:
                raise
            errors.update((one.id, error) for one in chosen if one.id not in done)
        return chosen

    @asynccontextmanager
    async def _api(self) -> AsyncIterator[GoogleApi]:
        """Open the API for one reading, with a client for each server, which gets the secrets meant for it."""
        tokens, url = self._account.tokens, self._access.url
        calendars, people, login = (
            WebClient(replace(self._access, url=one, shown=shown(one)), self._clock)
            for one in (url, directory_of(url), tokens.uri)
        )
        async with calendars, people, login:
            yield GoogleApi(
                url=url, client=calendars, directory_client=people, token_client=login, tokens=tokens, clock=self._clock
            )

    async def _listed(self, api: GoogleApi, store: Store, errors: dict[str, SourceError]) -> tuple[Calendar, ...]:
        people: list[str] = []
        for domain in self._calendars.domains:
            people += await self._people(api, domain, store, errors)
        listed = await asyncio.to_thread(self._calendars.listed, people)
        if not any(one.id == _PRIMARY for one in listed):
            return listed
        if not store.primary:
            store.primary = (await api.primary(self._account.subject)).lower()
        own = Calendar(id=store.primary, owner=store.primary)
        return tuple({one.id: one for one in (own if one.id == _PRIMARY else one for one in listed)}.values())

    async def _people(
        self, api: GoogleApi, domain: str, store: Store, errors: dict[str, SourceError]
    ) -> tuple[str, ...]:
        """Return the people of a domain, as they were listed a while ago if they cannot be listed now."""
        at, people = store.people.get(domain, (0.0, ()))
        if people and 0 <= self._clock.now() - at < _LIST_LASTS_S:
            return people
        try:
            found = await api.people(domain, self._account.admin)
        except SourceError as error:
            if not people:
                raise
            errors[f"@{domain}"] = error
            return people
        store.people[domain] = (self._clock.now(), found)
        return found

    async def _bring(
        self,
        api: GoogleApi,
        chosen: Sequence[Calendar],
        store: Store,
        errors: dict[str, SourceError],
        done: set[str],
        *,
        whole: bool,
    ) -> None:
        """Bring calendars up to date, some at once; those never read first, so that a small quota reaches all."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def bring(calendar: Calendar) -> None:
            async with turn:
                before = store.calendars.get(calendar.id, Known())
                try:
                    reader = self._account.reader(calendar)
                    known = Known() if whole else before
                    store.calendars[calendar.id] = await _now(api, calendar.id, reader, known, self._keeps)
                except NoCalendarError as error:
                    # Somebody of the domain who never had a calendar has nothing in it. Who had one has lost it.
                    if before.token:
                        errors[calendar.id] = error
                except SourceError as error:
                    errors[calendar.id] = error
                done.add(calendar.id)

        async with asyncio.TaskGroup() as group:
            for one in sorted(chosen, key=lambda one: one.id in store.calendars):
                group.create_task(bring(one))

    def _calendars_read(self, store: Store, chosen: Sequence[Calendar]) -> list[ReadCalendar]:
        """Return the calendars with what they hold; one that has not changed is the same as before. Blocking."""
        before, self._read = self._read, {}
        for one in chosen:
            known = store.calendars[one.id]
            seen = before.get(one.id)
            if seen is not None and seen[1] == one and is_same(seen[0], known):
                self._read[one.id] = (known, one, seen[2])
                continue
            around = Surroundings(
                zone=known.zone, hidden=known.role == _BUSY, alarms=known.alarms, meanings=self._meanings
            )
            name = known.name if is_shared(one.id) and known.name else one.id
            series = tuple(series_of(known, one.id, around))
            self._read[one.id] = (known, one, ReadCalendar(name=name, owner=one.owner, series=series))
        return [read for _, _, read in self._read.values()]

    async def _keep(self, cache: FeedCache | None, before: Store, store: Store) -> None:
        if cache is None:
            return
        same = before.calendars.keys() == store.calendars.keys() and all(
            is_same(one, store.calendars[name]) for name, one in before.calendars.items()
        )
        settled = same and (before.people, before.primary) == (store.people, store.primary)
        if not settled or self._clock.now() - store.saved_at > _SAVED_EVERY_S:
            store.saved_at = self._clock.now()
            await asyncio.to_thread(_save, cache, self._cache_name, store)


class ListedGoogleSource(GoogleSource):
    """A source whose calendars stand in files, which the daemon watches."""

    def files(self) -> tuple[Path, ...]:
        """Return the files that name calendars."""
        return self._calendars.paths()

    def folder(self) -> tuple[Path, bool]:
        """Return the directory of the first of them."""
        return self._calendars.paths()[0].parent, False


def _whole(item: Item) -> Item:
    return item


def _told(store: Store, chosen: Sequence[Calendar], errors: Mapping[str, SourceError]) -> Iterator[str]:
    """Yield what `check` tells of the calendars, beside the events."""
    nothing = sum(one.id not in store.calendars and one.id not in errors for one in chosen)
    if nothing:
        yield say_count("{count:,} person has no Google Calendar", "{count:,} people have no Google Calendar", nothing)
    hidden = sum(known.role == _BUSY for known in store.calendars.values())
    if hidden:
        yield say_count(
            "{count:,} calendar shows only when people are busy",
            "{count:,} calendars show only when people are busy",
            hidden,
        )


async def _now(api: GoogleApi, calendar: str, reader: str, before: Known, keep: Keep) -> Known:
    """Return the calendar as it is now; raises SourceError also for an error that nobody foresaw."""
    try:
        return await updated(api, calendar, reader, before, keep)
    except SyncdError:
        raise
    except Exception as error:
        raise SourceError(
            say(
                "calendar {calendar} cannot be read: {reason}",
                calendar=calendar,
                reason=entry_crashed(calendar, error),
            )
        ) from error


def is_same(one: Known, other: Known) -> bool:
    """Return True if two readings of a calendar hold the same, whatever their tokens."""
    said = [(known.zone, known.name, known.role, known.alarms) for known in (one, other)]
    return said[0] == said[1] and (one.items is other.items or one.items == other.items)


def _load(cache: FeedCache | None, name: str) -> Store:
    content = cache.load(name) if cache is not None else None
    try:
        return msgspec.msgpack.decode(zlib.decompress(content), type=Store) if content is not None else Store()
    except (msgspec.DecodeError, zlib.error):
        return Store()


def _save(cache: FeedCache, name: str, store: Store) -> None:
    cache.save(name, zlib.compress(packed(store), 1))
