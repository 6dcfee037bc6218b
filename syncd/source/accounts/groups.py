"""The events of calendars to one snapshot: each series with its changed occurrences is read as the VEVENTs it is.

An unchanged series is never read twice by the same source, and an unchanged account is not read at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from syncd import collector
from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.log import entry_crashed
from syncd.model.entry import Entry, Problem, Snapshot
from syncd.source.accounts.choice import Choice, choose
from syncd.source.accounts.told import Told, vevent
from syncd.source.base import ReadContext
from syncd.source.field_values import sync_zone
from syncd.source.files import Part, join
from syncd.source.ical.group_result import GroupResult
from syncd.source.ical.grouping import Member, read_group
from syncd.source.ical.vevent import CalendarFacts
from syncd.source.ical.vtimezone import FeedZones
from syncd.source.reasons import reason_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A master with its changed occurrences, or a single event, as it is kept.

    `id` is its name in its calendar, `uid` that among all calendars of the source. `digest` differs whenever anything
    of it does. `told` returns what it holds; it raises ValueError if that cannot be used.
    """

    id: str
    uid: str
    digest: bytes
    told: Callable[[], Iterable[Told]] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCalendar:
    """One calendar as it was read: its name in messages, the e-mail address of its owner, and what it holds."""

    name: str
    owner: str
    series: Sequence[Series]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    result: GroupResult
    left_out: Counter[str]


class Composer:
    """Makes snapshots of calendars; the same contents give the same snapshot object.

    `settings` are all options that change what is read, `meanings` what the config says of names of zones. `parsed` is
    the number of series that the last snapshot did not find unchanged.
    """

    def __init__(self, *, settings: str, meanings: Mapping[str, str]) -> None:
        self._settings = settings
        self._meanings = meanings
        self._known: dict[bytes, _Read] = {}
        self._last: Snapshot | None = None
        self.parsed = 0

    def marker(
        self,
        calendars: Sequence[ReadCalendar],
        errors: Mapping[str, SourceError],
        context: ReadContext,
        said: Sequence[str] = (),
    ) -> str:
        """Return the marker that a snapshot of these will have; nothing is read. Blocking."""
        marker = blake2b(self._circumstances(context) + repr(said).encode(), digest_size=16)
        for calendar in calendars:
            marker.update(repr((calendar.name, calendar.owner)).encode())
            for series in calendar.series:
                marker.update(series.uid.encode("utf-8", "surrogatepass") + b"\0" + series.digest)
        for name, error in errors.items():
            marker.update(repr((name, str(error))).encode())
        return marker.hexdigest()

    def snapshot(
        self,
        calendars: Sequence[ReadCalendar],
        errors: Mapping[str, SourceError],
        choice: Choice,
        context: ReadContext,
        said: Sequence[str] = (),
    ) -> Snapshot:
        """Return what the calendars hold; `errors` are those that could not be read, by name. Blocking.

        `said` is what `check` tells of them besides how many events are left out.
        """
        marker = self.marker(calendars, errors, context, said)
        if self._last is None or self._last.changed_marker != marker:
            with collector.resting():
                read = self._read(calendars, errors, choice, context, marker)
                self._last = replace(read, assumed=(*said, *read.assumed))
        return self._last

    def _circumstances(self, context: ReadContext) -> bytes:
        return repr((self._settings, context.zone, context.today.year)).encode()

    def _read(
        self,
        calendars: Sequence[ReadCalendar],
        errors: Mapping[str, SourceError],
        choice: Choice,
        context: ReadContext,
        marker: str,
    ) -> Snapshot:
        zones = FeedZones(
            definitions={}, floating=sync_zone(context.zone), year=context.today.year, meanings=self._meanings
        )
        under = self._circumstances(context) + repr(sorted(choice.owners) if not choice.options.copies else "").encode()
        before, self._known, self.parsed = self._known, {}, 0
        parts, left_out = [], Counter[str]()
        for calendar in calendars:
            part, facts = Part(), CalendarFacts(zones=zones, name=calendar.name)
            for series in calendar.series:
                place = repr((calendar.name, calendar.owner, series.uid)).encode("utf-8", "surrogatepass")
                key = blake2b(under + place + series.digest, digest_size=16).digest()
                read = before.get(key)
                if read is None:
                    self.parsed += 1
                    read = _group(series, calendar, choice, facts)
                self._known[key] = read
                left_out += read.left_out
                _take(part, calendar, series, read.result)
            parts.append(part)
        snapshot = join(parts, errors, marker)
        return replace(snapshot, assumed=(*snapshot.assumed, *_said(left_out)))


def _group(series: Series, calendar: ReadCalendar, choice: Choice, facts: CalendarFacts) -> _Read:
    """Return what a series becomes; an error that nobody foresaw costs this one alone."""
    left_out = Counter[str]()
    where = f"{calendar.name}/{series.id}"
    try:
        whole = tuple(series.told())
        told = choose(whole, choice, left_out)
        members = [Member(text=vevent(one, series.uid), facts=facts, where=f"{calendar.name}/{one.id}") for one in told]
        result = read_group(series.uid, members, (1,) * len(members)) if members else GroupResult(lines=(), entry=None)
        result = replace(result, problems=(*result.problems, *_noted(whole, series, calendar))) if members else result
    except (ValueError, OverflowError) as error:
        result = _rejected(series.uid, where, reason_of(error))
    except Exception as error:  # noqa: BLE001 - what one event meets must not stop the others
        result = _rejected(series.uid, where, entry_crashed(where, error))
    return _Read(result=_owned(result, calendar.owner), left_out=left_out)


def _noted(told: Iterable[Told], series: Series, calendar: ReadCalendar) -> Iterator[Problem]:
    for one in told:
        for note in one.notes:
            yield Problem(where=f"{calendar.name}/{one.id}", kind="warning", reason=note, key=series.uid)


def _rejected(uid: str, where: str, reason: str) -> GroupResult:
    problem = Problem(where=where, kind="rejected", reason=reason, key=uid)
    return GroupResult(lines=(), entry=None, problems=(problem,), rejected=(uid,))


def _owned(result: GroupResult, owner: str) -> GroupResult:
    """Return the result with the calendar's owner as that of its entry."""
    if result.entry is None or not owner:
        return result
    entry = result.entry
    overrides = tuple(replace(one, details=replace(one.details, owner=owner)) for one in entry.overrides)
    owned: Entry = replace(entry, details=replace(entry.details, owner=owner), overrides=overrides)
    return replace(result, entry=owned)


def _take(part: Part, calendar: ReadCalendar, series: Series, result: GroupResult) -> None:
    part.problems.extend(result.problems)
    part.rejected.update(result.rejected)
    part.entries.extend(result.entries)
    if result.unusual is not None and result.unusual.incomplete:
        name = f"{calendar.name}/{series.id}"
        part.incomplete = part.incomplete or say("{name}: {reason}", name=name, reason=result.unusual.incomplete)


def _said(left_out: Counter[str]) -> tuple[str, ...]:
    """Return how many events are left out by the config, and why, for `check`."""
    if not left_out:
        return ()
    counts = tuple(_counted(reason, count) for reason, count in sorted(left_out.items()))
    return (say("left out: {counts}", counts=counts),)


def _counted(reason: str, count: int) -> str:
    match reason:
        case "declined":
            return say("{number} declined", number=count)
        case "tentative":
            return say("{number} tentative", number=count)
        case "unanswered":
            return say("{number} unanswered", number=count)
        case "copy":
            return say("{number} copy", number=count)
        case "free":
            return say("{number} free", number=count)
    return say("{number} {kind}", number=count, kind=reason)  # a type of events, as Google or Microsoft calls it
