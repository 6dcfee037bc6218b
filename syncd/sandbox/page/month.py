"""A calendar's month: a grid for wide screens, and the same days as a list for narrow ones.

The list is always there; on a wide screen a day of it opens over the grid when "+3 more" points to it (`:target`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from syncd.html import Markup, join, tag
from syncd.sandbox.page.contents import EntryView, MonthView, month_weeks
from syncd.sandbox.page.parts import (
    calendar_path,
    crumbs,
    dot,
    event_path,
    frame,
    icon,
    marks,
    month_path,
    state_classes,
    states,
    time_range,
    tint,
    title_of,
)
from syncd.sandbox.page.translations import Lang, day_text, events_text, month_title, weekday, weekday_short, word

LINES = 4


def render_month(view: MonthView, lang: Lang = "en") -> str:
    """Return a calendar's month as a whole HTML page."""
    title = month_title(lang, view.year, view.month)
    weeks = month_weeks(view.year, view.month)
    owner = tag("bdi", view.calendar.owner_name)
    main = join(
        tag(
            "div",
            tag("div", tag("h1", title), tag("p", owner, " · ", _kind(view, lang), class_="soft"), class_="titles"),
            _steps(view, lang),
            class_="month-head",
        ),
        _legend(view, lang),
        _grid(view, weeks, lang),
        _agenda(view, weeks, lang),
    )
    path = f"{calendar_path(view.calendar)}/{view.year:04}-{view.month:02}"
    trail = crumbs(view.portal, lang, tag("span", owner))
    return frame(f"{title} · {view.calendar.owner_name}", main, lang=lang, path=path, crumbs=trail)


def week_lines(week: Sequence[date], entries: Iterable[EntryView]) -> tuple[tuple[EntryView | None, ...], ...]:
    """Return for each day of a week the entries line by line; one of several days keeps its line, None is a gap.

    Longest and earliest first; then whole days before times, times in order.
    """
    lines: list[list[EntryView | None]] = [[] for _ in week]
    touching = [entry for entry in entries if entry.first_day <= week[-1] and entry.last_day >= week[0]]
    spans = [entry for entry in touching if entry.multi_day]
    singles = [entry for entry in touching if not entry.multi_day]
    spans.sort(key=lambda entry: (entry.first_day, -entry.last_day.toordinal(), entry.title, entry.event_id))
    singles.sort(key=lambda entry: (not entry.all_day, entry.opens, entry.closes, entry.title, entry.event_id))
    for entry in (*spans, *singles):
        days = [at for at, day in enumerate(week) if entry.first_day <= day <= entry.last_day]
        line = next(line for line in range(len(touching)) if all(_free(lines[at], line) for at in days))
        for at in days:
            lines[at].extend([None] * (line + 1 - len(lines[at])))
            lines[at][line] = entry
    return tuple(map(tuple, lines))


def _free(lines: Sequence[EntryView | None], line: int) -> bool:
    return line >= len(lines) or lines[line] is None


def _kind(view: MonthView, lang: Lang) -> str:
    known = view.calendar.cal_type in ("user", "group", "company_calendar")
    return word(lang, view.calendar.cal_type if known else "other_type")


def _steps(view: MonthView, lang: Lang) -> Markup:
    """Return the links to the months before and after and to the current one."""
    number = view.year * 12 + view.month - 1
    today = view.today.year * 12 + view.today.month - 1

    def step(target: int, mark: str, label: str, rel: str) -> Markup | None:
        if not 1 * 12 < target < 9999 * 12 + 11:
            return None
        href = month_path(view.calendar, target // 12, target % 12 + 1, lang)
        return tag("a", icon(mark, word(lang, label)), class_="button square", href=href, rel=rel)

    return tag(
        "nav",
        step(number - 1, "left", "previous", "prev"),
        tag(
            "a",
            word(lang, "today"),
            class_="button",
            href=month_path(view.calendar, today // 12, today % 12 + 1, lang),
            aria_current="date" if today == number else None,
        ),
        step(number + 1, "right", "next", "next"),
        class_="steps",
        aria_label=word(lang, "month_of"),
    )


def _legend(view: MonthView, lang: Lang) -> Markup:
    pills = (
        tag("li", dot(section.color), tag("bdi", section.name), tag("span", f"{section.events}", class_="soft"))
        for section in view.calendar.sections
    )
    zone = tag("li", word(lang, "times_in", view.zone), class_="zone soft")
    return tag("ul", *pills, zone, class_="legend")


def _grid(view: MonthView, weeks: Sequence[Sequence[date]], lang: Lang) -> Markup:
    heads = (
        tag("th", weekday_short(lang, day), scope="col", abbr=weekday(lang, day), class_=_weekend(day))
        for day in weeks[0]
    )
    rows = (
        tag("tr", *(_cell(view, day, at, lines, lang) for at, (day, lines) in enumerate(_pair(week, view))))
        for week in weeks
    )
    caption = tag("caption", month_title(lang, view.year, view.month), class_="unseen")
    return tag("table", caption, tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_="grid")


def _pair(week: Sequence[date], view: MonthView) -> Iterable[tuple[date, tuple[EntryView | None, ...]]]:
    return zip(week, week_lines(week, view.entries), strict=True)


def _cell(view: MonthView, day: date, at: int, lines: Sequence[EntryView | None], lang: Lang) -> Markup:
    shown = lines if len(lines) <= LINES else lines[: LINES - 1]
    hidden = sum(entry is not None for entry in lines[len(shown) :])
    chips = [_chip(entry, day, at, lang) if entry else tag("li", class_="gap") for entry in shown]
    if hidden:
        link = tag("a", word(lang, "more", hidden), href=f"#{_anchor(day)}", class_="more")
        chips.append(tag("li", link))
    outside = " outside" if day.month != view.month else ""
    today = day == view.today
    number = tag("time", f"{day.day}", datetime=day.isoformat(), aria_label=day_text(lang, day))
    return tag(
        "td",
        tag("div", number, class_="number"),
        tag("ul", *chips) if chips else None,
        class_=f"day{outside}{' today' if today else ''}{' weekend' if day.weekday() > 4 else ''}",
        aria_current="date" if today else None,
    )


def _chip(entry: EntryView, day: date, at: int, lang: Lang) -> Markup:
    """Return one line of a day; an entry of several days has its title on its first day of a week only."""
    opens_here, closes_here = day == entry.first_day, day == entry.last_day
    clock = "" if entry.all_day or not opens_here else f"{entry.opens:%H:%M}"
    named = opens_here or at == 0
    text = join(
        tag("time", f"{clock}{_elsewhere(entry)}", class_="clock") if clock else None,
        tag("bdi", title_of(entry, lang), class_="name" if named else "name unseen"),
        icon("lock", word(lang, "private")) if named and entry.private else None,
    )
    joined = ""
    if entry.multi_day:
        reach = min((entry.last_day - day).days + 1, 7 - at) if named else 1
        joined = "".join(("" if opens_here else " begun", "" if closes_here else " goes-on"))
        joined += f" span-{reach}" if reach > 1 else ""
    kind = " whole" if entry.all_day or entry.multi_day else ""
    hint = " ".join(filter(None, (time_range(entry, day, lang), entry.zone, title_of(entry, lang))))
    return tag(
        "li",
        tag("a", tint(entry.color), text, href=event_path(entry.event_id, lang), title=hint),
        class_=f"chip{kind}{joined}{state_classes(entry)}",
    )


def _elsewhere(entry: EntryView) -> str:
    """Return the city of an entry's zone if it is not the portal's, else nothing."""
    return f" {entry.zone.rpartition('/')[2].replace('_', ' ')}" if entry.zone else ""


def _agenda(view: MonthView, weeks: Sequence[Sequence[date]], lang: Lang) -> Markup:
    """Return the days of the grid with their entries as a list; days outside the month open only from the grid."""
    days = [day for week in weeks for day in week]
    filed = {day: list[EntryView]() for day in days}
    for week in weeks:
        for day, lines in _pair(week, view):
            filed[day] = sorted((entry for entry in lines if entry), key=lambda entry: _order(entry, day))
    sections = [_agenda_day(view, day, entries, lang) for day, entries in filed.items() if entries]
    if not any(entries for day, entries in filed.items() if day.month == view.month):
        sections.insert(0, tag("p", word(lang, "empty_month"), class_="empty soft"))
    return tag("div", *sections, class_="agenda")


def _order(entry: EntryView, day: date) -> tuple[bool, str, str, int]:
    timed = not entry.all_day and day in (entry.first_day, entry.last_day)
    clock = f"{entry.opens if day == entry.first_day else entry.closes:%H:%M}"
    return timed, clock if timed else "", entry.title, entry.event_id


def _agenda_day(view: MonthView, day: date, entries: Sequence[EntryView], lang: Lang) -> Markup:
    heading = tag(
        "h2",
        tag("span", weekday(lang, day), ", ", day_text(lang, day)),
        tag("span", word(lang, "today"), class_="badge") if day == view.today else None,
        tag("span", events_text(lang, len(entries)), class_="soft count"),
        tag("a", icon("close", word(lang, "close")), class_="button square close", href="#main"),
    )
    outside = " outside" if day.month != view.month else ""
    rows = (_agenda_row(entry, day, lang) for entry in entries)
    return tag("section", heading, tag("ul", *rows), id=_anchor(day), class_=f"agenda-day{outside}")


def _agenda_row(entry: EntryView, day: date, lang: Lang) -> Markup:
    notes = [*states(entry, lang)]
    if entry.multi_day:
        number, total = (day - entry.first_day).days + 1, (entry.last_day - entry.first_day).days + 1
        notes.append(word(lang, "day_of", number, total))
    notes += [note for note in (entry.zone, entry.section) if note]
    place = tag("span", icon("place"), tag("bdi", entry.location), class_="place") if entry.location.strip() else None
    link = tag(
        "a",
        tint(entry.color),
        tag("span", time_range(entry, day, lang), class_="clock"),
        tag(
            "span",
            tag("span", tag("bdi", title_of(entry, lang), class_="name"), marks(entry, lang)),
            tag("span", place, *(tag("bdi", note) for note in notes), class_="soft notes"),
            class_="what",
        ),
        href=event_path(entry.event_id, lang),
    )
    return tag("li", link, class_=f"row{state_classes(entry)}")


def _anchor(day: date) -> str:
    return f"day-{day.isoformat()}"


def _weekend(day: date) -> str | None:
    return "weekend" if day.weekday() > 4 else None
