"""The CalDAV source: which calendars are read, what is kept of them between readings, and their snapshot.

Discovery happens once per process; after that an unchanged account costs one request.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from syncd.clock import Clock
from syncd.errors import ConfigError, SourceError, SyncdError
from syncd.lang.saying import say
from syncd.log import entry_crashed
from syncd.model.encoding import packed
from syncd.model.entry import Problem, Snapshot
from syncd.source.base import FeedCache, ReadContext, Source
from syncd.source.files import Assembly, FileBytes, join
from syncd.source.ical.ics import IcsFormat
from syncd.source.ical.vtimezone import read_meanings
from syncd.source.options import default_length, nearest, read_options
from syncd.source.web.access import Access, WebOptions, read_access
from syncd.source.web.web_client import Digests, WebClient, in_time

if TYPE_CHECKING:
    from syncd.source.caldav.collection import Known, Update
    from syncd.source.caldav.dav_server import Collection, FoundCalendars, Server

_MOST_CALENDARS = 1_000
"""Each takes at least one request; a home with more is that of a whole organisation, or of a server gone mad."""
_BROKE_XML = say("it holds characters that XML forbids, so it was fetched by itself; correct or remove them")
_FOREIGN = say("it is no calendar, by its type and by what it holds, so it is passed over")
_MARGIN = timedelta(days=2)
_UNBOUNDED = (date(1970, 1, 2), date(2037, 12, 30))


class CaldavOptions(WebOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of `[sync.source]` with type = "caldav"; `calendars` are names or patterns ("Team*"), by default all.

    `zones` gives names of time zones a meaning, and `default_duration` events without an end a length, as in an ICS
    source.
    """

    type: Literal["caldav"]
    calendars: tuple[str, ...] = ()
    zones: Mapping[str, str] = msgspec.field(default_factory=dict)
    default_duration: str = "0m"
    attachments: bool = False


def open_caldav(options: Mapping[str, object], base: Path, *, where: str, clock: Clock) -> Source:
    """Return a source of a server's calendars; raises ConfigError beginning with `where`, also without lxml."""
    chosen = read_options(CaldavOptions, options, where=where)
    access = read_access(chosen, base, where=where)
    try:
        import lxml.etree  # noqa: F401, PLC0415 - an extra; a missing one is reported when the config is checked
    except ImportError:
        raise ConfigError(
            say("{where}: CalDAV needs lxml", where=where), say("pip install lxml, into the same environment")
        ) from None
    no_end = default_length(chosen.default_duration, where=where)
    # XML is always read into UTF-8, but what is fetched by itself comes in the bytes that a program stored.
    file_format = IcsFormat("auto", read_meanings(chosen.zones, where=where), no_end, attachments=chosen.attachments)
    access = replace(access, family=True)
    return CaldavSource(access=access, patterns=chosen.calendars, clock=clock, file_format=file_format)


class CaldavSource:
    """Reads calendars from a CalDAV server; `fetched` is the number of resources that the last reading fetched."""

    def __init__(self, *, access: Access, patterns: tuple[str, ...], clock: Clock, file_format: IcsFormat) -> None:
        self._access = access
        self._patterns = patterns
        self._clock = clock
        self._digests: Digests = {}
        self._assembly = Assembly(file_format, settings=repr(patterns))
        self._places: tuple[tuple[str, str], ...] = ()
        self._known: dict[str, Known] | None = None
        named = repr((access.url, access.user, patterns)).encode()
        self._cache_name = f"caldav{blake2b(named, digest_size=16).hexdigest()}"
        self.fetched = 0

    def describe(self) -> str:
        """Return the kind of source, its server and its calendars."""
        return f"caldav {self._access.shown}" + (f" ({', '.join(self._patterns)})" if self._patterns else "")

    async def read(self, context: ReadContext) -> Snapshot:
        """Update all calendars and return their entries.

        A calendar or resource that cannot be read keeps its last known content and makes the snapshot incomplete.
        Raises SourceError if the server cannot be reached or no calendar is found.
        """
        from syncd.source.caldav.dav_server import Server  # noqa: PLC0415 - needs lxml, an extra

        known = self._known
        if known is None:
            known = await asyncio.to_thread(_load, context.cache, self._cache_name)
        async with in_time(self._access), WebClient(self._access, self._clock, self._digests) as client:
            server = Server(self._access, client)
            found = await (server.listed(self._places) if self._places else server.discover())
            self._places = found.places
            chosen, unmatched = self._chosen(found)
            now, unread = await self._up_to_date(server, chosen, known, context)
        kept, unlisted = self._unlisted(found, known)
        now |= {calendar.url: known[calendar.url] for calendar in kept}
        # Written only after a change, as it is the content of the whole account.
        if now != known and context.cache is not None:
            await asyncio.to_thread(_save, context.cache, self._cache_name, now)
        self._known = now
        failures = [*unmatched, *unlisted, *unread]
        return await asyncio.to_thread(self._snapshot, [*chosen, *kept], now, failures, context)

    def _chosen(self, found: FoundCalendars) -> tuple[list[Collection], list[tuple[str, SourceError]]]:
        """Return the calendars that match, and an error for each pattern without any; raises one if none match."""
        if not found.calendars and found.unread:
            raise found.unread[0][1]
        if self._patterns:
            chosen, unmatched = self._matching(found.calendars)
        else:
            chosen, unmatched = list(found.calendars), []
            if not chosen:
                raise SourceError(
                    say("{name} has no calendar for this account", name=self._access.shown),
                    say("check url and username"),
                )
        if len(chosen) > _MOST_CALENDARS:
            text = say(
                "{name} has {number} calendars to read, more than {most}",
                name=self._access.shown,
                number=len(chosen),
                most=_MOST_CALENDARS,
            )
            raise SourceError(text, say("name those that are meant with calendars in [sync.source]"))
        return chosen, unmatched

    def _matching(self, calendars: tuple[Collection, ...]) -> tuple[list[Collection], list[tuple[str, SourceError]]]:
        names = [(calendar, calendar.name, _slug(calendar)) for calendar in calendars]
        unmatched = []
        chosen: dict[str, Collection] = {}
        for pattern in self._patterns:
            # By display name and by the last part of the address: users see one or the other.
            hits = [one for one, *called in names if any(_matches(pattern, name) for name in called)]
            chosen.update((one.url, one) for one in hits)
            if not hits:
                remedy = nearest(pattern, [name for _, name, _ in names]) or say("there is none")
                unmatched.append(
                    (pattern, SourceError(say("there is no calendar {pattern!r}", pattern=pattern), remedy))
                )
        if not chosen:
            raise unmatched[0][1]
        return [one for one in calendars if one.url in chosen], unmatched

    def _unlisted(
        self, found: FoundCalendars, known: Mapping[str, Known]
    ) -> tuple[list[Collection], list[tuple[str, SourceError]]]:
        """Return the calendars that the server withholds now and gave before, and an error for each it withholds.

        One that was never seen may be a calendar too, whose entries an earlier process brought over; so it counts
        unless all calendars are named and there.
        """
        names = {name for one in found.calendars for name in (one.name.casefold(), _slug(one).casefold())}
        if self._patterns and all(pattern.casefold() in names for pattern in self._patterns):
            return [], []
        kept = [calendar for calendar, _ in found.unread if calendar.url in known]
        failures = [(one.name, _of_calendar(one, error)) for one, error in found.unread]
        return kept, failures

    async def _up_to_date(
        self, server: Server, chosen: list[Collection], known: Mapping[str, Known], context: ReadContext
    ) -> tuple[dict[str, Known], list[tuple[str, SourceError]]]:
        from syncd.source.caldav.collection import Known  # noqa: PLC0415 - needs lxml, an extra

        start, end = _span(context)
        now: dict[str, Known] = {}
        unread: list[tuple[str, SourceError]] = []
        self.fetched = failed = 0
        for calendar in chosen:
            before = known.get(calendar.url, Known())
            try:
                update = await _updated(server, calendar, before, start=start, end=end)
            except SourceError as error:
                unread.append((calendar.name, _of_calendar(calendar, error)))
                # Its old content stays in force; an empty one would delete its events.
                now[calendar.url] = before
                failed += 1
                if failed == len(chosen) and not any(one.resources for one in now.values()):
                    raise unread[-1][1] from None
                continue
            now[calendar.url] = update.known
            unread += [(f"{calendar.name}/{name}", error) for name, error in update.unread]
            self.fetched += update.fetched
        return now, unread

    def _snapshot(
        self,
        chosen: list[Collection],
        known: Mapping[str, Known],
        unread: list[tuple[str, SourceError]],
        context: ReadContext,
    ) -> Snapshot:
        found = [
            FileBytes(name=f"{calendar.name}/{name.rpartition('/')[2]}", content=resource.data)
            for calendar in chosen
            for name, resource in sorted(known[calendar.url].resources.items())
            if not resource.foreign
        ]
        # Without any resource there is nothing to parse, but the failures have to be reported.
        if not found and unread:
            return join((), dict(unread), repr([str(error) for _, error in unread]))
        snapshot = self._assembly.snapshot(found, unread, context)
        odd = [
            Problem(
                where=f"{calendar.name}/{name.rpartition('/')[2]}",
                kind="warning",
                reason=_FOREIGN if resource.foreign else _BROKE_XML,
            )
            for calendar in chosen
            for name, resource in sorted(known[calendar.url].resources.items())
            if resource.foreign or resource.broke_xml
        ]
        return replace(snapshot, problems=(*snapshot.problems, *odd)) if odd else snapshot


async def _updated(server: Server, calendar: Collection, known: Known, *, start: str, end: str) -> Update:
    """Return the calendar as it is now; raises SourceError also for an error that nobody foresaw."""
    from syncd.source.caldav.collection import update_calendar  # noqa: PLC0415 - needs lxml, an extra

    try:
        return await update_calendar(server, calendar, known, start=start, end=end)
    except SyncdError:
        raise
    except Exception as error:
        raise SourceError(say("it cannot be read: {reason}", reason=entry_crashed(calendar.name, error))) from error


def _of_calendar(calendar: Collection, error: SourceError) -> SourceError:
    """Return an error with the name of the calendar that it is about."""
    return SourceError(say("calendar {name!r}: {message}", name=calendar.name, message=error.message), error.remedy)


def _slug(calendar: Collection) -> str:
    from syncd.source.caldav.dav_server import slug  # noqa: PLC0415 - needs lxml, an extra

    return slug(calendar.url)


def _matches(pattern: str, name: str) -> bool:
    return fnmatchcase(name.casefold(), pattern.casefold())


def _span(context: ReadContext) -> tuple[str, str]:
    """Return the window as UTC stamps, with a margin that is enough for any zone."""
    first = context.window.first - _MARGIN if context.window.first is not None else _UNBOUNDED[0]
    last = context.window.last + _MARGIN if context.window.last is not None else _UNBOUNDED[1]
    begin, end = (datetime.combine(day, time(), UTC).strftime("%Y%m%dT%H%M%SZ") for day in (first, last))
    return begin, end


def _load(cache: FeedCache | None, name: str) -> dict[str, Known]:
    from syncd.source.caldav.collection import Known  # noqa: PLC0415 - needs lxml, an extra

    content = cache.load(name) if cache is not None else None
    try:
        return msgspec.msgpack.decode(zlib.decompress(content), type=dict[str, Known]) if content is not None else {}
    except (msgspec.DecodeError, zlib.error):
        return {}


def _save(cache: FeedCache, name: str, known: Mapping[str, Known]) -> None:
    cache.save(name, zlib.compress(packed(known), 1))
