"""What a name in a template or a filter means: a field of the entry, its time, or a column of its source."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache, partial

from syncd.errors import EntryError
from syncd.lang.saying import say
from syncd.model.entry import AllDay, Details, Entry, Span

Value = str | date | datetime | tuple[str, ...]
Getter = Callable[[Entry, Details, Span], Value]

_GETTERS: Mapping[str, Getter] = {
    "title": lambda _entry, details, _span: details.title,
    "description": lambda _entry, details, _span: details.description,
    "location": lambda _entry, details, _span: details.location,
    "owner": lambda _entry, details, _span: details.owner,
    "status": lambda _entry, details, _span: details.status,
    "classification": lambda _entry, details, _span: details.classification,
    "priority": lambda _entry, details, _span: "" if details.priority is None else str(details.priority),
    "color": lambda _entry, details, _span: details.color,
    "url": lambda _entry, details, _span: details.url,
    "organizer": lambda _entry, details, _span: details.organizer,
    "categories": lambda _entry, details, _span: details.categories,
    "attendees": lambda _entry, details, _span: details.attendees,
    "uid": lambda entry, _details, _span: entry.uid,
    "where": lambda entry, _details, _span: entry.where,
    "start": lambda _entry, _details, span: span.first if isinstance(span, AllDay) else span.start,
    "end": lambda _entry, _details, span: span.end - timedelta(days=1) if isinstance(span, AllDay) else span.end,
    "timezone": lambda _entry, _details, span: "" if isinstance(span, AllDay) else span.zone,
    "all_day": lambda _entry, _details, span: "yes" if isinstance(span, AllDay) else "no",
}

_CONFERENCES = (
    "X-GOOGLE-CONFERENCE",
    "X-MICROSOFT-SKYPETEAMSMEETINGURL",
    "CONFERENCE",
    "X-MICROSOFT-ONLINEMEETINGEXTERNALLINK",
)
_CONTACTS = ("contact_phone", "contact_email")

_DERIVED: Mapping[str, Callable[[Details], str]] = {
    "transparency": lambda details: {True: "TRANSPARENT", False: "OPAQUE", None: ""}[details.transparent],
    "conference": lambda details: _first_column(details, _CONFERENCES),
    "contact": lambda details: _first_column(details, _CONTACTS),
    "contact_phone": lambda details: _first_column(details, _CONTACTS[:1]),
    "contact_email": lambda details: _first_column(details, _CONTACTS[1:]),
}
"""Names that are hidden by a column of the same title, and empty where the source has nothing of the kind."""

FIELDS = (*_GETTERS, *_DERIVED)
"""Every name that any entry has, whatever its source."""


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun, such as "1 sync" or "2,000 syncs". `many` is the plural if not formed with s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the one of `known` that `name` was probably meant to be, "" if none is similar."""
    folded = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else ""


def getter_of(name: str) -> Getter:
    """Return a function that looks up `name` in an entry like `lookup`, but finds a field at once."""
    return _GETTERS.get(name) or partial(lookup, name)


def lookup(name: str, entry: Entry, details: Details, span: Span) -> Value:
    """Return the value of `name`: a field, else a column by its exact title, else by its title in any case.

    The end of whole days is the last of them, as people say it. A name that begins with "X-" has the value "" if the
    source has no such property (RFC 5545, 3.8.8.2). Raises EntryError, with the nearest names, for any other unknown
    name.
    """
    getter = _GETTERS.get(name)
    if getter is not None:
        return getter(entry, details, span)
    # Columns are searched by their exact title first: a table may have both "Room" and "room".
    for title, value in details.columns:
        if title == name:
            return value
    folded = name.casefold()
    for title, value in details.columns:
        if _folded(title) == folded:
            return value
    getter = _GETTERS.get(folded)
    if getter is not None:
        return getter(entry, details, span)
    derived = _DERIVED.get(folded)
    if derived is not None:
        return derived(details)
    if folded.startswith("x-"):
        return ""
    titles = [title for title, _ in details.columns]
    close = nearest(name, (*FIELDS, *titles))
    raise EntryError(
        say('{where}: there is no field or column "{name}"', where=entry.where, name=name),
        say('did you mean "{close}"?', close=close)
        if close
        else say("columns here: {titles}; fields: {fields}", titles=tuple(titles) or say("none"), fields=FIELDS),
    )


@lru_cache(maxsize=1024)
def _folded(title: str) -> str:
    return title.strip().casefold()


def _first_column(details: Details, titles: tuple[str, ...]) -> str:
    return next((value for title, value in details.columns if title in titles and value.strip()), "")


def as_text(value: Value) -> str:
    """Return `value` as a template shows it if there is no filter."""
    match value:
        case str():
            return value
        case tuple():
            return ", ".join(value)
        case datetime():
            return value.isoformat(sep=" ", timespec="minutes")
        case date():
            return value.isoformat()
