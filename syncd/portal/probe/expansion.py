"""How the portal expands series: a dozen whose occurrences differ from one reading to the other (PORTAL.md 4.7, 4.13).

Each is read back over a window and compared with the portal's own arithmetic, as syncd knows it, and with exact
calendar arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from syncd.errors import message_of
from syncd.lang.saying import say, say_count
from syncd.model.json_values import Json
from syncd.model.recurrence import portal_arithmetic as portal_own
from syncd.model.recurrence.rfc import starts
from syncd.model.recurrence.rrule import Rule
from syncd.model.recurrence.wall import as_date, clock_of, day_seconds, seconds
from syncd.model.rule import WEEKDAYS
from syncd.portal.probe.bench import MARK, Bench, Row, UnaskedError, text
from syncd.portal.probe.dates import shown_at
from syncd.portal.probe.experiment import Experiment
from syncd.portal.probe.facts import Fact

_GUESSED_ZONE = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series: when it begins, how long it lasts, its rule as sent, and the window in which it is read.

    The window is far from both ends of what it shows, so that only the days count, not where a listing is cut.
    """

    name: str
    begins: tuple[int, int]
    clock: tuple[int, int] = (10, 0)
    hours: int = 1
    rule: Mapping[str, Json]
    until: tuple[int, int] | None = None
    first: tuple[int, int]
    last: tuple[int, int]
    year_after: int = 0


# The year is a leap year; its first days fall differently each time, so weekdays are chosen when it is known.
_SERIES = (
    Series(name="monthly on the 31st", begins=(1, 31), rule={"FREQ": "MONTHLY", "INTERVAL": 1, "COUNT": 7},
           first=(1, 20), last=(6, 20)),
    Series(name="monthly on the 30th", begins=(1, 30), rule={"FREQ": "MONTHLY", "INTERVAL": 1, "COUNT": 4},
           first=(1, 20), last=(4, 20)),
    Series(name="yearly on 29 February", begins=(2, 29), rule={"FREQ": "YEARLY", "INTERVAL": 1, "COUNT": 3},
           first=(2, 20), last=(3, 10), year_after=1),
    Series(name="daily from midnight until", begins=(3, 1), clock=(0, 0), rule={"FREQ": "DAILY", "INTERVAL": 1},
           until=(3, 5), first=(2, 25), last=(3, 12)),
    Series(name="weekly on 3 days, counted", begins=(4, 1), rule={"FREQ": "WEEKLY", "INTERVAL": 1, "COUNT": 5},
           first=(3, 25), last=(4, 30)),
    Series(name="fortnightly on 2 days, late window", begins=(5, 1),
           rule={"FREQ": "WEEKLY", "INTERVAL": 2, "COUNT": 12}, first=(6, 3), last=(6, 25)),
    Series(name="daily, counted without interval", begins=(7, 1), rule={"FREQ": "DAILY", "COUNT": 9},
           first=(7, 5), last=(7, 20)),
    Series(name="daily of 26 hours, counted", begins=(8, 1), hours=26,
           rule={"FREQ": "DAILY", "INTERVAL": 1, "COUNT": 5}, first=(7, 28), last=(8, 12)),
    Series(name="weekly without a day", begins=(9, 5), rule={"FREQ": "WEEKLY", "INTERVAL": 1}, until=(10, 4),
           first=(9, 1), last=(10, 10)),
    Series(name="daily, plain", begins=(10, 5), rule={"FREQ": "DAILY", "INTERVAL": 2, "COUNT": 6},
           first=(10, 8), last=(10, 13)),
    Series(name="monthly with a day of the month", begins=(11, 3),
           rule={"FREQ": "MONTHLY", "INTERVAL": 1, "COUNT": 3, "BYMONTHDAY": "17"}, first=(11, 1), last=(12, 10)),
    Series(name="weekly until a late day", begins=(11, 6), clock=(23, 0),
           rule={"FREQ": "WEEKLY", "INTERVAL": 1}, until=(11, 27), first=(11, 1), last=(12, 15)),
)  # fmt: skip
_BYDAY: Mapping[str, tuple[int, ...]] = {
    "weekly on 3 days, counted": (0, 2, 5),
    "fortnightly on 2 days, late window": (0, 2),
    "weekly until a late day": (0,),
}
"""Days after the first, which is one itself."""


async def _run(bench: Bench) -> Iterable[Fact]:
    """Make the series and read each back in its window."""
    asked = _SERIES[: bench.room("calendar.event.add")]
    ids = await bench.add({series.name: _event(series, bench.scene.year) for series in asked})
    if not ids:
        raise UnaskedError(
            say("no series could be made") if asked else say("more events would pass one per cent of the budget")
        )
    verdicts: dict[str, Json] = {}
    for series in asked:
        if series.name not in ids:
            verdicts[series.name] = "refused"
            continue
        first, last = _window(series, bench.scene.year)
        try:
            rows = await bench.listed(first, last)
        except UnaskedError as error:
            return _facts(verdicts, message_of(error))
        seen = _days_of(rows, ids[series.name], first, last)
        verdicts[series.name] = _verdict(series, bench, seen)
    left = len(_SERIES) - len(asked)
    return _facts(verdicts, _too_dear(left) if left else "")


EXPANSION = Experiment(
    facts=("exact_expansion", "series"),
    sends=say("a dozen series whose days differ from one reading of PORTAL.md to the other"),
    run=_run,
    events=len(_SERIES),
)


def _too_dear(left: int) -> str:
    return say_count(
        "{count} more series would pass one per cent of the budget",
        "{count} more series would pass one per cent of the budget",
        left,
    )


def _facts(verdicts: Mapping[str, Json], why: str) -> tuple[Fact, Fact]:
    """Return the verdicts, and the reading that all agree with whose days tell the two apart."""
    telling = {one for one in verdicts.values() if one not in ("both", "refused")}
    exact = {"portal": False, "exact": True}.get(str(next(iter(telling)))) if len(telling) == 1 else None
    said = why or ("" if exact is not None else say("the series follow different readings"))
    expected: Json = {name: one if one in ("both", "refused") else "portal" for name, one in verdicts.items()}
    return (
        Fact(name="exact_expansion", value=exact, why=said),
        Fact(name="series", value=dict(verdicts) or None, why=why, expected=expected if verdicts else None),
    )


def _window(series: Series, year: int) -> tuple[date, date]:
    at = year + series.year_after
    return date(at, *series.first), date(at, *series.last)


def _start(series: Series, year: int) -> datetime:
    return datetime(year, *series.begins, *series.clock)


def _rule(series: Series, year: int) -> dict[str, Json]:
    rule = dict(series.rule)
    if series.name in _BYDAY:
        first = _start(series, year).weekday()
        rule["BYDAY"] = [WEEKDAYS[(first + days) % 7] for days in _BYDAY[series.name]]
    if series.until is not None:
        rule["UNTIL"] = date(year, *series.until).isoformat()
    return rule


def _event(series: Series, year: int) -> dict[str, Json]:
    start = _start(series, year)
    return {
        "name": f"syncd probe: {series.name}",
        "description": MARK,
        "from": start.isoformat(),
        "to": (start + timedelta(hours=series.hours)).isoformat(),
        "rrule": _rule(series, year),
    }


def _days_of(rows: Iterable[Row], number: int, first: date, last: date) -> frozenset[date]:
    """Return the days on which the event `number` is shown inside a window."""
    days = (shown.date() for row in rows if text(row, "ID") == str(number) and (shown := shown_at(row, "DATE_FROM")))
    return frozenset(day for day in days if first <= day <= last)


def _verdict(series: Series, bench: Bench, seen: frozenset[date]) -> str:
    """Return whose reading the days follow: "portal", "exact", "both" where these agree, or "neither".

    A series that the portal does not select at all, by the end that it has stored, says nothing of its expansion.
    """
    year = bench.scene.year
    own, exact = expected_days(series, year, bench.zone or _GUESSED_ZONE), exact_days(series, year)
    if seen not in (own, exact):
        return "neither"
    if own == exact or not seen:
        return "both"
    return "portal" if seen == own else "exact"


def expected_days(series: Series, year: int, server_zone: str) -> frozenset[date]:
    """Return the days that the portal's own arithmetic shows in the window of a series (PORTAL.md 4.13)."""
    start, (first, last) = _start(series, year), _window(series, year)
    row = portal_own.save(
        server=clock_of(server_zone),
        start=seconds(start),
        end=seconds(start + timedelta(hours=series.hours)),
        zones=("UTC", "UTC"),
        rule=_rule(series, year),
    )
    window = day_seconds(first), day_seconds(last)
    if not portal_own.selects(row, *window):
        return frozenset()
    days = (as_date(begins) for begins, _ in portal_own.occurrences(row, *window))
    return frozenset(day for day in days if first <= day <= last)


def exact_days(series: Series, year: int) -> frozenset[date]:
    """Return the days that RFC 5545 gives the rule as the portal keeps it: WEEKLY without a day is Monday."""
    start, (first, last) = _start(series, year), _window(series, year)
    sent = _rule(series, year)
    named = sent.get("BYDAY")
    days = [WEEKDAYS.index(day) for day in WEEKDAYS if isinstance(named, list) and day in named]
    if sent["FREQ"] == "WEEKLY" and not days:
        days = [0]
    interval, count, until = sent.get("INTERVAL", 1), sent.get("COUNT"), series.until
    rule = Rule(freq=sent["FREQ"], interval=interval, byday=tuple((0, day) for day in days))  # type: ignore[arg-type]
    found: list[date] = []
    for wall in starts(rule, seconds(start), day_seconds(last) + 86400):
        day = as_date(wall)
        if (count is not None and len(found) == count) or (until is not None and day > date(year, *until)):
            break
        found.append(day)
    return frozenset(day for day in found if first <= day <= last)
