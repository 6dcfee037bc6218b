"""The sandbox's pages: everything escaped, nothing inline, readable, and the right days in the right cells."""

from __future__ import annotations

import re
from datetime import date, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.html import Markup, join, tag
from syncd.sandbox.page.contents import (
    AttendeeView,
    CalendarView,
    EntryView,
    EventView,
    GaugeView,
    IndexView,
    MonthView,
    SectionView,
    TrafficView,
    month_weeks,
)
from syncd.sandbox.page.month import week_lines
from syncd.sandbox.page.pages import CONTENT_SECURITY_POLICY, render_event, render_index, render_month, stylesheet
from syncd.sandbox.page.translations import Lang, events_text

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x00\u202e"
VOID = {"meta", "link", "rect", "path"}


class Parsed(HTMLParser):
    """Elements with their attributes, the text, and a check that every element is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, text: str) -> None:
        self.text += text

    def having(self, name: str, **wanted: str) -> list[dict[str, str | None]]:
        return [
            attributes
            for element, attributes in self.elements
            if element == name
            and all(value in (attributes.get(key.rstrip("_")) or "").split() for key, value in wanted.items())
        ]


def entry(title: str, opens: str, closes: str, **more: Any) -> EntryView:
    first, last = datetime.fromisoformat(opens), datetime.fromisoformat(closes)
    return EntryView(
        event_id=more.pop("event_id", 7),
        title=title,
        opens=first,
        closes=last,
        all_day=len(opens) == 10,
        color=more.pop("color", "#9cbe1c"),
        **more,
    )


def calendar(name: str = "Анна Ковалёва", color: str = "#9cbe1c") -> CalendarView:
    sections = (SectionView(name=name, color=color, events=3),)
    return CalendarView(cal_type="user", owner_id=5, owner_name=name, sections=sections, events=3)


def month(*entries: EntryView, year: int = 2026, number: int = 12, owner: CalendarView | None = None) -> MonthView:
    return MonthView(
        portal="school.example",
        calendar=owner or calendar(),
        year=year,
        month=number,
        today=date(2026, 12, 16),
        zone="Europe/Moscow",
        entries=entries,
    )


def event(shown: EntryView, text: str = "") -> EventView:
    return EventView(
        portal=text or "school.example",
        calendar=calendar(text or "Анна"),
        entry=shown,
        description=text,
        rule=text,
        exdates=(date(2026, 12, 23),),
        reminders=(text or "15 min",),
        attendees=(AttendeeView(name=text or "Игорь", status=text or "Q"),),
        accessibility=text or "busy",
        importance=text or "high",
        created_by=text,
        created_at=datetime(2026, 11, 1, 9),
        changed_at=datetime(2026, 11, 2, 9),
        version=3,
        columns=((text or "ID", text or "7"),),
    )


def index(name: str = "Анна", gauges: tuple[GaugeView, ...] = (), calendars: int = 1) -> IndexView:
    return IndexView(
        portal=name,
        now=datetime(2026, 12, 16, 12, 34),
        zone="Europe/Moscow",
        calendars=(calendar(name, name),) * calendars,
        gauges=gauges,
        traffic=TrafficView(requests=48211, commands=0, failed=0, refused=0, blocked=0, notices=2),
    )


def all_pages(text: str, lang: Lang) -> tuple[str, ...]:
    shown = entry(text, "2026-12-16T09:00", "2026-12-16T10:00", color=text, section=text, location=text, zone=text)
    gauge = GaugeView(method=text, used_s=500, limit_s=480, resets_at=datetime(2026, 12, 16, 12, 40))
    return (
        render_index(index(text, (gauge,)), lang),
        render_month(month(*(shown,) * 6, owner=calendar(text, text)), lang),
        render_event(event(shown, text), lang),
    )


def check_harmless(page: str) -> None:
    parsed = Parsed(page)
    assert {name for name, _ in parsed.elements}.isdisjoint({"script", "img", "style", "iframe", "object", "form"})
    for name, attributes in parsed.elements:
        assert not [key for key in attributes if key == "style" or key.startswith("on")]
        assert attributes.get("fill") is None or re.fullmatch(r"#[0-9a-fA-F]{3,6}", attributes["fill"] or "")
        target = attributes.get("href") or ""
        assert name != "link" or target == "/style.css"
        assert not target or re.match(r"/[^/]|/$|#", target)
    assert "\x00" not in page


@pytest.mark.parametrize("lang", ["en", "ru"])
def test_hostile_texts_stay_texts_on_every_page(lang: Lang) -> None:
    for page in all_pages(EVIL, lang):
        check_harmless(page)
        assert "<script>alert(1)</script>" in Parsed(page).text


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_no_text_at_all_breaks_a_page(text: str) -> None:
    for page in all_pages(text, "en"):
        check_harmless(page)


def test_the_policy_forbids_all_but_the_style_sheet() -> None:
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert not re.search(r"url\(|@import|expression", stylesheet())


def test_a_month_has_its_weeks_its_today_and_its_neighbours() -> None:
    parsed = Parsed(render_month(month(), "en"))
    assert parsed.open == []
    assert len(parsed.having("td")) == 35
    assert len(parsed.having("th", scope="col")) == 7
    assert [cell["class"] for cell in parsed.having("td", class_="today")] == ["day today"]
    assert len(parsed.having("td", class_="weekend")) == 10
    assert parsed.having("a", rel="prev")[0]["href"] == "/calendar/user/5/2026-11?lang=en"
    assert parsed.having("a", rel="next")[0]["href"] == "/calendar/user/5/2027-01?lang=en"
    assert parsed.having("html", lang="en")
    assert "Nothing this month." in parsed.text


def test_the_calendar_ends_without_a_link_into_nowhere() -> None:
    assert Parsed(render_month(month(year=9999, number=11))).having("a", rel="next") == []
    assert Parsed(render_month(month(year=1, number=2))).having("a", rel="prev") == []
    with pytest.raises(ValueError, match="9999-12"):
        month_weeks(9999, 12)


def test_a_day_too_full_counts_the_rest_and_opens_as_a_list() -> None:
    many = [entry(f"Урок {hour}", f"2026-12-16T{hour:02}:00", f"2026-12-16T{hour:02}:45") for hour in range(8, 15)]
    parsed = Parsed(render_month(month(*many), "en"))
    assert parsed.having("a", class_="more")[0]["href"] == "#day-2026-12-16"
    assert parsed.having("section", id="day-2026-12-16")
    assert "+4 more" in parsed.text
    assert len(parsed.having("li", class_="chip")) == 3
    assert len(parsed.having("li", class_="row")) == 7


def test_four_entries_still_fit() -> None:
    four = [entry(f"Урок {hour}", f"2026-12-16T{hour:02}:00", f"2026-12-16T{hour:02}:45") for hour in range(8, 12)]
    parsed = Parsed(render_month(month(*four)))
    assert parsed.having("a", class_="more") == []
    assert len(parsed.having("li", class_="chip")) == 4


def test_an_entry_of_several_days_is_one_bar_in_one_line() -> None:
    week = month_weeks(2026, 12)[1]
    long = entry("Отпуск", "2026-12-09", "2026-12-11")
    early = entry("Урок", "2026-12-10T09:00", "2026-12-10T09:45")
    other = entry("Поездка", "2026-12-07", "2026-12-09")
    lines = week_lines(week, (early, long, other))
    assert [[shown and shown.title for shown in day] for day in lines] == [
        ["Поездка"],
        ["Поездка"],
        ["Поездка", "Отпуск"],
        ["Урок", "Отпуск"],
        [None, "Отпуск"],
        [],
        [],
    ]
    classes = [item["class"] for item in Parsed(render_month(month(long))).having("li", class_="chip")]
    assert classes == ["chip whole goes-on span-3", "chip whole begun goes-on", "chip whole begun"]


def test_a_night_shift_belongs_to_the_day_it_begins() -> None:
    shift = entry("Смена", "2026-12-05T20:00", "2026-12-06T08:00")
    assert (shift.first_day, shift.last_day, shift.multi_day) == (date(2026, 12, 5), date(2026, 12, 5), False)
    assert "20:00–08:00" in Parsed(render_month(month(shift))).text
    days = entry("Поход", "2026-12-05T20:00", "2026-12-07T00:00")
    assert (days.last_day, days.multi_day) == (date(2026, 12, 6), True)
    backwards = entry("Ошибка", "2026-12-05", "2026-12-01")
    assert backwards.last_day == backwards.first_day


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 31), st.integers(0, 9)), max_size=12))
def test_every_entry_stands_once_on_each_of_its_days(spans: list[tuple[int, int]]) -> None:
    entries = [
        EntryView(
            event_id=number,
            title=f"{number}",
            opens=datetime(2026, 12, first),
            closes=datetime.fromordinal(date(2026, 12, first).toordinal() + length),
            all_day=True,
            color="#fff",
        )
        for number, (first, length) in enumerate(spans)
    ]
    for week in month_weeks(2026, 12):
        for day, lines in zip(week, week_lines(week, entries), strict=True):
            found = sorted(shown.event_id for shown in lines if shown)
            assert found == [shown.event_id for shown in entries if shown.first_day <= day <= shown.last_day]


def test_marks_and_states_are_words_for_those_who_cannot_see_them() -> None:
    shown = entry("Приём", "2026-12-16T09:00", "2026-12-16T10:00", private=True, recurring=True, cancelled=True)
    text = Parsed(render_month(month(shown), "ru")).text
    assert all(word in text for word in ("личное", "повторяется", "отменено"))


def test_an_entry_in_another_zone_names_it_in_the_month() -> None:
    away = entry("Call", "2026-12-16T09:00", "2026-12-16T10:00", zone="America/New_York")
    page = Parsed(render_month(month(away, entry("Home", "2026-12-16T09:00", "2026-12-16T10:00")), "en"))
    assert page.text.count("09:00 New York") == 1
    hints = [link["title"] for link in page.having("a") if link.get("title")]
    assert hints == ["09:00–10:00 America/New_York Call", "09:00–10:00 Home"]
    assert "Europe/Moscow unless another zone is named" in page.text


def test_an_event_shows_its_details_and_leads_back_to_its_month() -> None:
    shown = entry("Встреча", "2026-12-16T09:00", "2026-12-16T10:00", location="Кабинет 5", zone="Europe/Riga")
    page = Parsed(render_event(event(shown), "ru"))
    for text in (
        "16 декабря 2026, 09:00–10:00",
        "Кабинет 5",
        "Europe/Riga",
        "23 декабря 2026",
        "нет ответа",
        "высокая",
    ):
        assert text in page.text
    assert page.having("a", href="/calendar/user/5/2026-12?lang=ru")
    assert page.having("a", hreflang="en")[0]["href"] == "/event/7?lang=en"


@pytest.mark.parametrize(
    ("opens", "closes", "text"),
    [
        ("2026-12-08", "2026-12-13", "8 December 2026 – 13 December 2026"),
        ("2026-12-08", "2026-12-08", "8 December 2026, all day"),
        ("2026-12-08T20:00", "2026-12-09T08:00", "8 December 2026, 20:00 – 9 December 2026, 08:00"),
    ],
)
def test_the_time_of_an_event_is_written_out(opens: str, closes: str, text: str) -> None:
    assert text in Parsed(render_event(event(entry("x", opens, closes)))).text


def test_the_first_page_shows_calendars_gauges_and_counts() -> None:
    gauges = tuple(
        GaugeView(method=f"calendar.event.{name}", used_s=used, limit_s=480, resets_at=None)
        for name, used in (("get", 10.0), ("add", 431.25), ("delete", 480.5))
    )
    page = Parsed(render_index(index(gauges=gauges), "en"))
    assert [bar["class"] for bar in page.having("progress")] == ["calm", "near", "over"]
    assert "431.2 / 480 s" in page.text
    assert "48\u202f211" in page.text
    assert page.having("a", href="/calendar/user/5/2026-12?lang=en")


def test_an_empty_portal_says_so() -> None:
    text = Parsed(render_index(index(calendars=0), "ru")).text
    assert "На портале нет календарей." in text
    assert "Ни один метод" in text


def test_russian_counts_events_as_russian_does() -> None:
    counted = [events_text("ru", count).replace("\u00a0", " ") for count in (1, 2, 5, 11, 21, 112, 1240)]
    nouns = ["событие", "события", "событий", "событий", "событие", "событий", "событий"]
    assert counted == [
        f"{count} {noun}" for count, noun in zip(("1", "2", "5", "11", "21", "112", "1\u202f240"), nouns, strict=True)
    ]
    assert events_text("en", 1) == "1\u00a0event"


def test_markup_escapes_what_is_not_markup() -> None:
    assert (
        tag("a", "<b>", Markup("<i></i>"), href='"x"', hidden=True, id=None)
        == '<a href="&quot;x&quot;" hidden>&lt;b&gt;<i></i></a>'
    )
    assert join("a&b", None, "") == "a&amp;b"


def luminance(color: str) -> float:
    full = color if len(color) == 7 else "#" + "".join(sign * 2 for sign in color[1:])
    parts = [int(full[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_texts_stand_out_from_every_ground(theme: int) -> None:
    blocks = re.findall(r":root \{(.*?)\}", stylesheet(), re.DOTALL)
    colors = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3}(?:[0-9a-f]{3})?);", blocks[theme]))
    pairs = [(ink, ground) for ink in ("ink", "soft", "accent") for ground in ("ground", "card", "weekend", "outside")]
    for ink, ground in [*pairs, ("on-accent", "accent"), ("accent", "accent-wash")]:
        low, high = sorted((luminance(colors[ink]), luminance(colors[ground])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)
