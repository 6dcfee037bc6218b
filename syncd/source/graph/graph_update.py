"""How one calendar is brought up to date, with as few requests as there can be.

what is known                                    the requests
views that hold the window, and nothing changed  one for each view, nearly always one in all
some events changed                              their series' details, many in one request
an occurrence is missing and nothing says why    the occurrences of that series on these days
nothing, another window, a link that is gone     everything in the views
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from syncd.lang.saying import say
from syncd.model.entry import Window
from syncd.source.graph.graph_event import Clocks, GraphEvent, given, merged
from syncd.source.graph.graph_known import KnownCalendar, KnownSeries, Round, View, as_of, digest_of, plain, start_of
from syncd.source.graph.graph_refusals import GoneError
from syncd.source.graph.graph_series import gaps
from syncd.source.graph.graph_server import GraphServer, SeriesDetails, chunks
from syncd.source.web.error import WebError

_LONGEST = timedelta(days=1800)
"""Graph lists 1,825 days at once at most (ErrorInvalidRequest)."""
_MARGIN = timedelta(days=3)
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2037, 12, 31)
_LEAST_SLACK_DAYS, _SPREAD_DAYS = 7, 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A calendar in Graph: its path, the path of its mailbox, where its events are, and its name in messages."""

    path: str
    mailbox: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """A calendar as it is now, and whether anything but its links differs from what was known."""

    calendar: KnownCalendar
    changed: bool


def holds(known: KnownCalendar, window: Window) -> bool:
    """Return True if the views that are known still hold the whole window."""
    if not known.views:
        return False
    first, last = window.first or _FIRST_DAY, window.last or _LAST_DAY
    return known.views[0].first <= first - _MARGIN + timedelta(days=1) and known.views[-1].end >= last + _MARGIN


def views_of(window: Window, spread: int) -> tuple[View, ...]:
    """Return the views that hold a window, and some days more, so that they hold it for a while as days pass.

    `spread` is any number of the calendar's: calendars shall not all be listed again in the same pass.
    """
    first = (window.first or _FIRST_DAY) - _MARGIN
    slack = timedelta(days=_LEAST_SLACK_DAYS + spread % _SPREAD_DAYS) if window.last is not None else timedelta(0)
    end = (window.last or _LAST_DAY) + _MARGIN + slack
    views: list[View] = []
    while first < end:
        views.append(View(first=first, end=min(first + _LONGEST, end)))
        first = views[-1].end
    return tuple(views)


async def update_calendar(
    server: GraphServer, place: Place, known: KnownCalendar, window: Window, clocks: Clocks, *, spread: int
) -> Updated:
    """Return the calendar as it is now; raises SourceError if it cannot be read, and leaves `known` as it is."""
    if holds(known, window):
        try:
            updated = await _changes(server, place, known, clocks)
        except GoneError:
            updated = None
        if updated is not None:
            return updated
    views = views_of(window, spread)
    for last_try in (False, True):
        try:
            found = await _listed(server, place, views, clocks)
            return Updated(calendar=found, changed=True)
        except GoneError as error:
            # A link that goes in the middle of a reading: the server has moved, and begins again once.
            if last_try:
                raise WebError(error.message, say("it may work again by itself"), status=error.status) from None
    raise AssertionError("unreachable: the last try returns or raises")


async def _changes(server: GraphServer, place: Place, known: KnownCalendar, clocks: Clocks) -> Updated | None:
    """Return the calendar with what has changed since; None where that cannot be told and all has to be listed."""
    now = _copy(known)
    views: list[View] = []
    touched: set[str] = set()
    changed = False
    for view in known.views:
        taken = Round(calendar=now, view=view)
        views.append(await _round(server, place, taken, view.link))
        touched |= taken.touched
        changed = changed or taken.changed
        # What one view has lost may have moved into another, or still be in it.
        if taken.lost and len(known.views) > 1:
            return None
    now.views = tuple(views)
    await _explain(server, place, now, touched & now.series.keys(), clocks)
    return Updated(calendar=now, changed=changed)


async def _listed(server: GraphServer, place: Place, views: Sequence[View], clocks: Clocks) -> KnownCalendar:
    now = KnownCalendar()
    done = []
    for view in views:
        done.append(await _round(server, place, Round(calendar=now, view=view), server.view(place.path, view)))
    now.views = tuple(done)
    await _explain(server, place, now, now.series.keys(), clocks)
    return now


async def _round(server: GraphServer, place: Place, taken: Round, link: str) -> View:
    """Take the pages of a round, and return the view with the link to the next one."""
    async for page in server.round(link, place.name):
        taken.take(page.rows)
        if page.delta:
            return View(first=taken.view.first, end=taken.view.end, link=page.delta)
    raise AssertionError("unreachable: a round ends with a link")


async def _explain(
    server: GraphServer, place: Place, calendar: KnownCalendar, touched: Collection[str], clocks: Clocks
) -> None:
    """Ask for what the listing does not say of these series: cancelled occurrences, and those that it has left out."""
    asked = sorted(touched)
    for master, details in (await server.details(place.mailbox, asked, place.name)).items():
        if details is not None:
            named = server.exceptions(details, place.name)
            _take_details(calendar.series[master], details, named, calendar.views)
    for master in asked:
        series = calendar.series[master]
        for first, last in chunks(gaps(series, calendar.views, clocks)):
            await _fill(server, place, series, master, first, last)


async def _fill(server: GraphServer, place: Place, series: KnownSeries, master: str, first: date, last: date) -> None:
    """Add the occurrences of some days that the listing has left out; the days that stay empty were cancelled."""
    day = timedelta(days=1)
    try:
        found = await server.instances(place.mailbox, master, first - day, last + day, place.name)
    except WebError as error:
        if error.status != 404:
            raise
        return
    for event in found:
        if given(event.type, "") == "exception":
            series.exceptions[event.id] = merged(series.exceptions.get(event.id), event)
        elif (start := start_of(event)) is not None:
            series.listed[digest_of(event.id)] = start


def _take_details(
    series: KnownSeries, details: SeriesDetails, named: tuple[GraphEvent, ...] | None, views: Sequence[View]
) -> None:
    series.master = merged(series.master, plain(details))
    cancelled = details.cancelled_occurrences
    series.cancelled = (
        tuple(day for one in cancelled if (day := as_of(one)) is not None) if isinstance(cancelled, tuple) else None
    )
    if named is None:
        return
    told = {event.id: event for event in named}
    kept = {one: event for one, event in series.exceptions.items() if one in told or _is_seen(event, views)}
    series.exceptions = kept | {one: merged(kept.get(one), event) for one, event in told.items()}
    for one in told:
        series.listed.pop(digest_of(one), None)


def _is_seen(event: GraphEvent, views: Sequence[View]) -> bool:
    """Return True if a view lists the event, so that it is there whatever the details of its series say."""
    start = start_of(event)
    return start is not None and any(view.holds(start) for view in views)


def _copy(known: KnownCalendar) -> KnownCalendar:
    """Return a calendar that can be changed; events themselves never are."""
    return KnownCalendar(
        views=known.views,
        singles=dict(known.singles),
        series={
            one: KnownSeries(
                master=series.master,
                listed=dict(series.listed),
                exceptions=dict(series.exceptions),
                cancelled=series.cancelled,
            )
            for one, series in known.series.items()
        },
    )
