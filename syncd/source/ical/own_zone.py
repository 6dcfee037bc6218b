"""Series in a zone that only their feed knows: their starts are worked out by its VTIMEZONE and given in UTC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from syncd.lang.saying import say
from syncd.model.entry import Recurrence, Timed
from syncd.model.recurrence import rfc
from syncd.model.recurrence.occurrences import instants
from syncd.model.recurrence.rrule import Rule, parse
from syncd.model.recurrence.wall import as_datetime, seconds
from syncd.source.field_values import timed_span
from syncd.source.ical.zone_definition import ZoneDefinition

_MOST_STARTS = 10_000


def in_utc(
    recurrence: Recurrence, span: Timed, definition: ZoneDefinition, *, first: datetime, last: datetime
) -> tuple[Timed, Recurrence, bool]:
    """Return span and recurrence in UTC, rules as RDATEs, and whether the series goes on after `last`.

    `span` is that of the first occurrence, `first` its start on the definition's clock, `last` the clock up to which
    endless rules are followed. Raises ValueError for more than 10,000 starts.
    """
    begin, end = instants(span)

    def at(wall: datetime) -> Timed:
        start = definition.utc(wall)
        return timed_span(start, as_datetime(seconds(start) + end - begin), "UTC", "UTC")

    rdates: list[Timed] = []
    rules = tuple(parse(text) for text in recurrence.rules)
    for rule in rules:
        for start in _starts(rule, definition, first, last):
            if len(rdates) > _MOST_STARTS:
                raise ValueError(
                    say("there are too many starts to be worked out by the VTIMEZONE (give the series an end)")
                )
            rdates.append(at(start))
    given = dict.fromkeys((*rdates, *recurrence.rdates))
    goes_on = any(rule.is_endless for rule in rules)
    return at(first), replace(recurrence, rules=(), rdates=tuple(given)), goes_on


def _starts(rule: Rule, definition: ZoneDefinition, first: datetime, last: datetime) -> Iterator[datetime]:
    horizon = last if rule.is_endless else datetime(2037, 12, 31)
    for number, wall in enumerate(rfc.starts(rule, seconds(first), seconds(horizon))):
        start = as_datetime(wall)
        if rule.count is not None and number >= rule.count:
            return
        if rule.until is not None and _ends(rule, definition, start):
            return
        yield start


def _ends(rule: Rule, definition: ZoneDefinition, start: datetime) -> bool:
    until = rule.until
    if until is None:
        return False
    if until.is_day:
        return start.date() > until.wall.date()
    return (definition.utc(start) if until.utc else start) > until.wall
