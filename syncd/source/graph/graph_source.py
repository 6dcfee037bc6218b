"""The Microsoft Graph source: whose calendars are read, what is kept of them, and their snapshot.

An unchanged calendar costs one request. One that cannot be read keeps its last known events, and the snapshot is then
incomplete.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path

from syncd.clock import Clock
from syncd.errors import SourceError, SyncdError
from syncd.lang.saying import say
from syncd.log import entry_crashed
from syncd.model.encoding import encoded_sorted, packed, packed_sorted
from syncd.model.entry import Problem, Snapshot
from syncd.source.accounts.choice import Choice, ChoiceOptions
from syncd.source.accounts.groups import Composer, ReadCalendar, Series
from syncd.source.accounts.people import CalendarList
from syncd.source.accounts.told import Told
from syncd.source.base import Fetched, ReadContext
from syncd.source.field_values import sync_zone
from syncd.source.graph.graph_event import Clocks, GraphEvent, told_of
from syncd.source.graph.graph_kept import Kept, load, save, stamp_of
from syncd.source.graph.graph_known import KnownCalendar, KnownSeries, View
from syncd.source.graph.graph_login import GraphLogin, LoginError
from syncd.source.graph.graph_people import GraphPeople, GraphTarget
from syncd.source.graph.graph_refusals import NoMailboxError
from syncd.source.graph.graph_series import told_series
from syncd.source.graph.graph_server import GraphServer
from syncd.source.graph.graph_update import update_calendar
from syncd.source.reasons import some_of
from syncd.source.web.access import Access
from syncd.source.web.error import WebError
from syncd.source.web.web_client import WebClient, in_time

_AT_ONCE = 4
"""Calendars that are read at the same time. A mailbox allows as many requests, and here each has one."""


class GraphSource:
    """Reads calendars through Microsoft Graph; `fetched` is the number of calendars that the last reading changed."""

    def __init__(
        self,
        *,
        options: ChoiceOptions,
        tenant: str,
        access: Access,
        login: GraphLogin,
        calendars: CalendarList,
        meanings: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self._options = options
        self._tenant = tenant
        self._meanings = meanings
        self._access = access
        self._login = login
        self._calendars = calendars
        self._clock = clock
        self._kept: dict[str, Kept] = {}
        self._loaded = False
        self._done: set[str] = set()
        self._series: dict[str, tuple[str, tuple[Series, ...]]] = {}
        self._identity = repr((access.url, tenant, login.who, options.busy_only))
        self._links_name = self._cache_name(f"links of {calendars!r}")
        self._people = GraphPeople(calendars, clock, self._cache_name(f"people of {calendars!r}"))
        self._composer = Composer(settings=_settings(options), meanings=meanings)
        self.fetched = 0

    def describe(self) -> str:
        """Return the kind of source, its tenant and whose calendars it reads."""
        given = self._options.calendars
        names = (given,) if isinstance(given, str) else given
        if not any(names):
            return f"graph {self._tenant}"
        return say("graph {tenant} ({calendars})", tenant=self._tenant, calendars=some_of(names[:3], len(names) - 3))

    async def read(self, context: ReadContext) -> Snapshot:
        """Bring all calendars up to date and return their entries.

        Raises SourceError if none can be read and nothing is known of them.
        """
        return await (await self.fetch(context)).parsed()

    async def fetch(self, context: ReadContext) -> Fetched:
        """Bring all calendars up to date; entries are made of them when they are wanted."""
        clocks = Clocks(meanings=self._meanings, usual=sync_zone(context.zone) or "UTC")
        errors: dict[str, SourceError] = {}
        targets: list[GraphTarget] = []
        now: dict[str, Kept] = {}
        try:
            async with in_time(self._access), WebClient(self._access, self._clock) as client:
                server = GraphServer(self._access, client, self._login, self._clock, only_times=self._options.busy_only)
                await server.login()
                targets = await self._people.targets(server, context.cache, errors)
                now = await self._before(targets, context)
                await self._up_to_date(server, targets, now, context, clocks, errors)
        except WebError as error:
            if not now:
                raise
            # Not everything came in time: what did stays, and the next pass goes on from there.
            errors.update({one.place.name: error for one in targets if one.key not in self._done})
        finally:
            await self._keep(targets, now, context)
        if errors and not any(kept.stamp for kept in now.values()):
            raise next(iter(errors.values()))
        read = await asyncio.to_thread(self._read_calendars, targets, now, clocks)
        choice = Choice(options=self._options, owners=frozenset(one.owner.lower() for one in targets if one.owner))
        marker = await asyncio.to_thread(self._composer.marker, read, errors, context)
        parsed = partial(self._parsed, read, errors, choice, context)
        return Fetched(marker="" if errors or self._login.unkept else marker, parsed=parsed)

    async def _parsed(
        self,
        read: Sequence[ReadCalendar],
        errors: Mapping[str, SourceError],
        choice: Choice,
        context: ReadContext,
    ) -> Snapshot:
        snapshot = await asyncio.to_thread(self._composer.snapshot, read, errors, choice, context)
        if not self._login.unkept:
            return snapshot
        reason = say(
            "the login was renewed and cannot be kept: {reason} (let syncd write token_file)", reason=self._login.unkept
        )
        problem = Problem(where=f"graph {self._tenant}", kind="warning", reason=reason)
        return replace(snapshot, problems=(*snapshot.problems, problem))

    async def _before(self, targets: Sequence[GraphTarget], context: ReadContext) -> dict[str, Kept]:
        """Return what is known of the calendars from the last reading, or from the one of another process."""
        missing = {one.key: self._cache_name(one.key) for one in targets if one.key not in self._kept}
        if missing and not self._loaded:
            self._kept |= await asyncio.to_thread(load, context.cache, self._links_name, missing)
            self._loaded = True
        return {one.key: self._kept.get(one.key, Kept()) for one in targets}

    async def _keep(self, targets: Sequence[GraphTarget], now: Mapping[str, Kept], context: ReadContext) -> None:
        if now:
            names = {one.key: self._cache_name(one.key) for one in targets}
            await asyncio.to_thread(save, context.cache, self._links_name, names, self._kept, now)
            self._kept = dict(now)

    async def _up_to_date(
        self,
        server: GraphServer,
        targets: Sequence[GraphTarget],
        now: dict[str, Kept],
        context: ReadContext,
        clocks: Clocks,
        errors: dict[str, SourceError],
    ) -> None:
        """Bring calendars in `now` up to date, those never read first; adds to `errors` those that cannot be read."""
        places = asyncio.Semaphore(_AT_ONCE)
        stopped: list[SourceError] = []
        self.fetched = 0
        self._done = set()

        async def update(target: GraphTarget) -> None:
            name = target.place.name
            async with places:
                if stopped:  # the login has failed, or Graph wants to be left alone: the others would hear the same
                    errors[name] = stopped[0]
                    return
                try:
                    now[target.key] = await self._update(server, target, now[target.key], context, clocks)
                except NoMailboxError as error:
                    # Not everybody of a domain has a mailbox. Who had one and was read is missed.
                    if now[target.key].stamp or not target.by_domain:
                        errors[name] = error
                except SourceError as error:
                    errors[name] = error
                    if _stops(error):
                        stopped.append(error)
                self._done.add(target.key)

        async with asyncio.TaskGroup() as group:
            for one in sorted(targets, key=lambda one: bool(now[one.key].stamp)):
                group.create_task(update(one))
        # In the order of the calendars, so that the same failures make the same message.
        for one in targets:
            if one.place.name in errors:
                errors[one.place.name] = errors.pop(one.place.name)

    async def _update(
        self, server: GraphServer, target: GraphTarget, known: Kept, context: ReadContext, clocks: Clocks
    ) -> Kept:
        spread = int(blake2b(target.key.encode(), digest_size=2).hexdigest(), 16)
        try:
            before = KnownCalendar() if context.whole else known.calendar
            updated = await update_calendar(server, target.place, before, context.window, clocks, spread=spread)
        except SyncdError:
            raise
        except Exception as error:
            name = target.place.name
            raise SourceError(
                say("{name} cannot be read: {reason}", name=name, reason=entry_crashed(name, error))
            ) from error
        if not updated.changed and known.stamp:
            return Kept(updated.calendar, known.stamp)
        self.fetched += 1
        return Kept(updated.calendar, await asyncio.to_thread(stamp_of, updated.calendar))

    def _cache_name(self, of: str) -> str:
        return f"graph{blake2b(repr((self._identity, of)).encode(), digest_size=16).hexdigest()}"

    def _read_calendars(
        self, targets: Sequence[GraphTarget], now: Mapping[str, Kept], clocks: Clocks
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


class ListedGraphSource(GraphSource):
    """A source whose calendars stand in files, which the daemon watches."""

    def files(self) -> tuple[Path, ...]:
        """Return the files that name calendars."""
        return self._calendars.paths()

    def folder(self) -> tuple[Path, bool]:
        """Return the directory of the first of them."""
        return self._calendars.paths()[0].parent, False


def _settings(options: ChoiceOptions) -> str:
    """Return the options that change what the same events are read as."""
    read = {name: getattr(options, name) for name in ChoiceOptions.__struct_fields__ if name != "calendars"}
    return encoded_sorted(read).decode()


def _stops(error: SourceError) -> bool:
    """Return True for an error that all calendars share: no token, or a long wait that Graph asks for."""
    return isinstance(error, LoginError) or (isinstance(error, WebError) and error.status == 429)


def _series_of(kept: Kept, clocks: Clocks) -> Iterator[Series]:
    """Yield the single events and the series of a calendar, each with a digest of all that it is read from."""
    calendar = kept.calendar
    for one, event in sorted(calendar.singles.items()):
        digest = _digest(packed(event), clocks)
        yield Series(id=_shown(event), uid=one, digest=digest, told=partial(_single, event, clocks))
    bounds = repr([(view.first, view.end) for view in calendar.views]).encode()
    for one, series in sorted(calendar.series.items()):
        digest = _digest(packed_sorted(series) + bounds, clocks)
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
