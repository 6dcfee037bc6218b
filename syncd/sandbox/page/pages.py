"""The sandbox's pages: pure functions from a view to HTML without scripts, which loads /style.css and nothing else.

Addresses: `/`, `/calendar/TYPE/OWNER/YYYY-MM`, `/event/ID`, each with `?lang=en|ru`. Everything shown is escaped.
"""

from __future__ import annotations

from datetime import datetime
from importlib.resources import files

from syncd.html import Markup, join, tag
from syncd.sandbox.page.contents import CalendarView, EventView, GaugeView, IndexView, TrafficView
from syncd.sandbox.page.month import render_month
from syncd.sandbox.page.parts import (
    crumbs,
    dot,
    frame,
    icon,
    marks,
    month_path,
    span_text,
    state_classes,
    states,
    tint,
    title_of,
)
from syncd.sandbox.page.translations import Lang, day_text, events_text, moment_text, word

__all__ = ("CONTENT_SECURITY_POLICY", "render_event", "render_index", "render_month", "stylesheet")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The policy the pages are made for: no script, no inline style, nothing from elsewhere."""

_NEAR = 0.8


def stylesheet() -> str:
    """Return the style sheet to serve as /style.css."""
    return (files("syncd.sandbox.page") / "style.css").read_text(encoding="utf-8")


def render_index(view: IndexView, lang: Lang = "en") -> str:
    """Return the first page: calendars, the limiter's gauges, counts."""
    cards = [_card(calendar, view.now, lang) for calendar in view.calendars]
    total = sum(calendar.events for calendar in view.calendars)
    shown = tag("ul", *cards, class_="cards") if cards else tag("p", word(lang, "no_calendars"), class_="empty soft")
    main = join(
        tag(
            "div",
            tag("div", tag("h1", word(lang, "calendars")), tag("p", events_text(lang, total), class_="soft")),
            tag("p", moment_text(lang, view.now), " · ", view.zone, class_="soft now"),
            class_="month-head",
        ),
        tag("div", shown, tag("aside", _gauges(view.gauges, lang), _traffic(view.traffic, lang)), class_="columns"),
    )
    return frame(
        f"{word(lang, 'sandbox')} · {view.portal}", main, lang=lang, path="/", crumbs=crumbs(view.portal, lang)
    )


def render_event(view: EventView, lang: Lang = "en") -> str:
    """Return the page of one event."""
    entry, calendar = view.entry, view.calendar
    back = month_path(calendar, entry.opens.year, entry.opens.month, lang)
    badges = [tag("span", state, class_="badge") for state in states(entry, lang)]
    head = tag(
        "div",
        tint(entry.color),
        tag("h1", tag("bdi", title_of(entry, lang)), marks(entry, lang)),
        tag("p", span_text(entry, lang), *([" · ", entry.zone] if entry.zone else []), class_="when"),
        tag("p", *badges) if badges else None,
        class_=f"event-head{state_classes(entry)}",
    )
    description = tag(
        "div", tag("h2", word(lang, "description")), tag("p", view.description, class_="text", dir="auto")
    )
    columns = [join(tag("dt", name), tag("dd", tag("bdi", value))) for name, value in view.columns]
    row = tag("section", tag("h2", word(lang, "row")), tag("dl", *columns, class_="row-list"), class_="panel")
    card = tag(
        "article",
        head,
        _facts(view, lang),
        description if view.description.strip() else None,
        class_="event",
    )
    link = tag("a", icon("left"), word(lang, "back", calendar.owner_name), href=back, class_="button back")
    owner = tag("a", tag("bdi", calendar.owner_name), href=back)
    return frame(
        title_of(entry, lang),
        join(link, tag("div", card, row if columns else None, class_="event-columns")),
        lang=lang,
        path=f"/event/{int(entry.event_id)}",
        crumbs=crumbs(view.portal, lang, owner),
    )


def _card(calendar: CalendarView, now: datetime, lang: Lang) -> Markup:
    known = calendar.cal_type in ("user", "group", "company_calendar")
    sections = [
        tag("li", dot(section.color), tag("bdi", section.name), tag("span", f"{section.events}", class_="soft count"))
        for section in calendar.sections
    ]
    return tag(
        "li",
        tag(
            "div",
            tag("span", _initials(calendar.owner_name), class_="avatar", aria_hidden="true"),
            tag(
                "div",
                tag(
                    "h2",
                    tag("a", tag("bdi", calendar.owner_name), href=month_path(calendar, now.year, now.month, lang)),
                ),
                tag("p", word(lang, calendar.cal_type if known else "other_type"), class_="soft"),
                tag("p", events_text(lang, calendar.events), class_="soft"),
            ),
            class_="who",
        ),
        tag("ul", *sections) if sections else tag("p", word(lang, "no_sections"), class_="soft"),
        class_="card",
    )


def _initials(name: str) -> str:
    words = [part for part in name.split() if part[0].isalnum()]
    return "".join(part[0] for part in words[:2]).upper() or "·"


def _gauges(gauges: tuple[GaugeView, ...], lang: Lang) -> Markup:
    rows = [_gauge(gauge, lang) for gauge in gauges]
    body = tag("ul", *rows, class_="gauges") if rows else tag("p", word(lang, "operating_none"), class_="soft")
    hint = tag("p", word(lang, "operating_hint"), class_="soft")
    return tag("section", tag("h2", word(lang, "operating")), hint, body, class_="panel")


def _gauge(gauge: GaugeView, lang: Lang) -> Markup:
    share = gauge.used_s / gauge.limit_s if gauge.limit_s > 0 else 1.0
    state = "over" if gauge.used_s > gauge.limit_s else "near" if share >= _NEAR else "calm"
    resets = word(lang, "resets", f"{gauge.resets_at:%H:%M:%S}") if gauge.resets_at else None
    return tag(
        "li",
        tag(
            "div",
            tag("code", gauge.method),
            tag("span", word(lang, "seconds", f"{gauge.used_s:.1f}", f"{gauge.limit_s:g}")),
            class_="pair",
        ),
        tag("progress", value=f"{min(max(share, 0.0), 1.0):.3f}", max="1", class_=state, aria_label=gauge.method),
        tag("span", resets, class_="soft") if resets else None,
    )


def _traffic(traffic: TrafficView, lang: Lang) -> Markup:
    counts = (
        ("requests", traffic.requests),
        ("commands", traffic.commands),
        ("failed", traffic.failed),
        ("refused", traffic.refused),
        ("blocked", traffic.blocked),
        ("notices", traffic.notices),
    )
    rows = (
        tag("div", tag("dt", word(lang, key)), tag("dd", f"{count:,}".replace(",", "\u202f")), class_="pair")
        for key, count in counts
    )
    return tag("section", tag("h2", word(lang, "traffic")), tag("dl", *rows), class_="panel")


def _facts(view: EventView, lang: Lang) -> Markup:
    """Return the details that an event has, as a list of terms."""
    entry = view.entry
    section = join(dot(entry.color), tag("bdi", entry.section)) if entry.section else None
    people = [
        tag("li", tag("bdi", guest.name), tag("span", word(lang, guest.status), class_="soft"))
        for guest in view.attendees
    ]
    facts: tuple[tuple[str, str | None], ...] = (
        ("where", tag("bdi", entry.location) if entry.location.strip() else None),
        ("section", section),
        ("repeats", view.rule),
        ("except", ", ".join(day_text(lang, day, year=True) for day in view.exdates)),
        ("reminders", ", ".join(view.reminders)),
        ("attendees", tag("ul", *people) if people else None),
        ("shown_as", word(lang, view.accessibility)),
        ("importance", word(lang, view.importance) if view.importance != "normal" else None),
        ("created", f"{moment_text(lang, view.created_at)}, {view.created_by}".removesuffix(", ")),
        ("changed", moment_text(lang, view.changed_at)),
        ("version", f"{view.version}"),
    )
    rows = (tag("div", tag("dt", word(lang, key)), tag("dd", value)) for key, value in facts if value)
    return tag("dl", *rows, class_="facts")
