"""Pieces that every page of the sandbox shares: the frame, addresses, colours, icons, times.

Colours go into SVG attributes, never into styles, so that the page can forbid inline styles altogether.
"""

from __future__ import annotations

import re
from datetime import date

from syncd.html import Markup, join, tag
from syncd.sandbox.page.contents import CalendarView, EntryView
from syncd.sandbox.page.translations import MINUS_TO, Lang, day_text, word

NEUTRAL_COLOR = "#8a94a6"

_COLOR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})\Z")
_CAL_TYPE = re.compile(r"[A-Za-z0-9_]{1,40}\Z", re.ASCII)

_ICONS = {
    "lock": "M4 7V5a4 4 0 0 1 8 0v2h1v7H3V7zm2 0h4V5a2 2 0 0 0-4 0z",
    "repeat": "M3 7a5 5 0 0 1 8.5-2.5L13 3v4H9l1.4-1.4A3.5 3.5 0 0 0 4.5 7zM13 9a5 5 0 0 1-8.5 2.5L3 13V9h4l-1.4 "
    "1.4A3.5 3.5 0 0 0 11.5 9z",
    "place": "M8 1a5 5 0 0 1 5 5c0 3.5-5 9-5 9S3 9.5 3 6a5 5 0 0 1 5-5zm0 3.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z",
    "left": "M10.5 2 4.5 8l6 6 1.4-1.4L7.3 8l4.6-4.6z",
    "right": "M5.5 2 11.5 8l-6 6-1.4-1.4L8.7 8 4.1 3.4z",
    "close": "M3.4 2 8 6.6 12.6 2 14 3.4 9.4 8l4.6 4.6-1.4 1.4L8 9.4 3.4 14 2 12.6 6.6 8 2 3.4z",
}


def frame(title: str, main: Markup, *, lang: Lang, path: str, crumbs: Markup) -> str:
    """Return a whole document around `main`; `path` is the page's own address, for the other language's link."""
    other: Lang = "en" if lang == "ru" else "ru"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("link", rel="stylesheet", href="/style.css"),
    )
    switch = tag(
        "a", word(lang, "other_language"), class_="switch", href=_with_lang(path, other), hreflang=other, lang=other
    )
    body = tag(
        "body",
        tag("a", word(lang, "skip"), class_="skip", href="#main"),
        tag("header", crumbs, switch, class_="top"),
        tag("main", main, id="main"),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang=lang)}\n"


def crumbs(portal: str, lang: Lang, *trail: Markup) -> Markup:
    """Return the links that lead back to the first page."""
    home = tag("a", tag("b", word(lang, "sandbox")), " ", tag("span", portal), class_="home", href=index_path(lang))
    separated = [join(tag("span", "/", class_="slash", aria_hidden="true"), step) for step in trail]
    return tag("nav", home, *separated, class_="crumbs", aria_label=word(lang, "sandbox"))


def index_path(lang: Lang) -> str:
    """Return the address of the first page."""
    return _with_lang("/", lang)


def month_path(calendar: CalendarView, year: int, month: int, lang: Lang) -> str:
    """Return the address of a calendar's month."""
    return _with_lang(f"{calendar_path(calendar)}/{year:04}-{month:02}", lang)


def calendar_path(calendar: CalendarView) -> str:
    """Return the address, without language, under which a calendar's months lie."""
    cal_type = calendar.cal_type if _CAL_TYPE.match(calendar.cal_type) else "other"
    return f"/calendar/{cal_type}/{int(calendar.owner_id)}"


def event_path(event_id: int, lang: Lang) -> str:
    """Return the address of an event's page."""
    return _with_lang(f"/event/{int(event_id)}", lang)


def _with_lang(path: str, lang: Lang) -> str:
    return f"{path.partition('?')[0]}?lang={lang}"


def color_or_neutral(color: str) -> str:
    """Return a colour if it is a hex colour, else a neutral grey; the portal does not check colours (4.2)."""
    return color if _COLOR.match(color) else NEUTRAL_COLOR


def tint(color: str) -> Markup:
    """Return a coloured bar with a pale wash behind, to be laid under a text."""
    wash, edge = tag("rect", width="100%", height="100%"), tag("rect", width="3", height="100%")
    return tag("svg", wash, edge, class_="tint", fill=color_or_neutral(color), aria_hidden="true")


def dot(color: str) -> Markup:
    """Return a small coloured square."""
    square = tag("rect", width="10", height="10", rx="3")
    return tag("svg", square, class_="dot", viewBox="0 0 10 10", fill=color_or_neutral(color), aria_hidden="true")


def icon(name: str, label: str = "") -> Markup:
    """Return an icon; one without a label is decoration."""
    shape = tag("path", d=_ICONS[name])
    if not label:
        return tag("svg", shape, class_="icon", viewBox="0 0 16 16", aria_hidden="true")
    return tag("svg", tag("title", label), shape, class_="icon", viewBox="0 0 16 16", role="img")


def title_of(entry: EntryView, lang: Lang) -> str:
    """Return an entry's title, or a word for none."""
    return entry.title.strip() or word(lang, "no_title")


def marks(entry: EntryView, lang: Lang) -> Markup:
    """Return the icons of a private or repeating entry."""
    return join(
        icon("lock", word(lang, "private")) if entry.private else None,
        icon("repeat", word(lang, "recurring")) if entry.recurring else None,
    )


def states(entry: EntryView, lang: Lang) -> tuple[str, ...]:
    """Return the words that set an entry apart, besides its icons."""
    return tuple(word(lang, key) for key in ("cancelled", "tentative") if getattr(entry, key))


def state_classes(entry: EntryView) -> str:
    """Return the classes that set an entry apart."""
    return "".join(f" {key}" for key in ("cancelled", "tentative") if getattr(entry, key))


def time_range(entry: EntryView, day: date, lang: Lang) -> str:
    """Return when an entry takes place on one of its days."""
    if entry.all_day or (entry.first_day < day < entry.last_day):
        return word(lang, "all_day")
    opens = f"{entry.opens:%H:%M}" if day == entry.first_day else ""
    closes = f"{entry.closes:%H:%M}" if day == entry.last_day else ""
    if opens == closes:
        return opens
    return f"{opens}{MINUS_TO}{closes}" if opens and closes else f"{opens} →" if opens else f"→ {closes}"


def span_text(entry: EntryView, lang: Lang) -> str:
    """Return the whole time of an entry in words."""
    first, last = (day_text(lang, day, year=True) for day in (entry.first_day, entry.closes.date()))
    if entry.all_day:
        return f"{first} {MINUS_TO} {last}" if entry.multi_day else f"{first}, {word(lang, 'all_day').lower()}"
    if first == last:
        return f"{first}, {entry.opens:%H:%M}{MINUS_TO}{entry.closes:%H:%M}"
    return f"{first}, {entry.opens:%H:%M} {MINUS_TO} {last}, {entry.closes:%H:%M}"
