"""What the page says: in two languages, escaped, without anything from elsewhere, and true to the view."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from syncd.lang.choice import accepted_language
from syncd.model.record import Tally
from syncd.web.language import WORDS, duration, moment, number, stamp, start_of, words
from syncd.web.status_page import page
from tests.web.views import HOSTILE, NOW, PLAN, portal, run, sync, view, well

VOID = {"meta", "link", "input"}


class Reader(HTMLParser):
    """Checks that elements nest, and keeps tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_page_is_whole_and_hostile_texts_stay_texts(language: str) -> None:
    read = Reader(page(view(), language))  # type: ignore[arg-type]
    assert HOSTILE in read.text
    assert [attributes for tag, attributes in read.tags if tag == "script"] == [{"src": "refresh.js", "defer": None}]
    assert read.tags[0] == ("html", {"lang": language})


def test_nothing_comes_from_elsewhere_and_nothing_needs_a_style_or_a_script_in_the_page() -> None:
    read = Reader(page(view(), "en"))
    addresses = [value for _, attributes in read.tags for name, value in attributes.items() if name in ("src", "href")]
    own = {"data:,", "style.css", "refresh.js", "?lang=en", "?lang=ru"}
    assert set(addresses) == own | {f"syncs/{one.name}" for one in view().syncs}
    names = {name for _, attributes in read.tags for name in attributes}
    assert not [name for name in names if name == "style" or name.startswith("on")]
    assert "form" not in {tag for tag, _ in read.tags}


def test_without_a_script_the_page_loads_itself_anew() -> None:
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in page(view(), "en")


def test_everything_an_administrator_asks_for_is_there() -> None:
    text = re.sub(r"\s+", " ", Reader(page(view(), "en")).text)
    for said in (
        "Needs attention", "branch (branch.bitrix24.ru) refuses syncd: the webhook was removed", "1,240", "stale",
        "shifts.csv:17", "end is before start", "shifts.csv:14", "the portal refused it", "again: in 15 min",
        "Plan under way", "40 changes", "takes about 2 h", "3 notices to people", "… more 38", "shifts.csv:3",
        "412.0 of 480 s, frees up in 5 min", "waiting for operating time of calendar.event.add", "in 4 min",
        "cron 0 3 * * * (Europe/Moscow)", "first pass pending", "running 2 min", "No such file or directory",
        "done: nothing to change", "in 7 min", "requests: 1,207",
        "commands: 58,012", "every 15 min",
    ):  # fmt: skip
        assert said in text, said


@pytest.mark.parametrize(("in_ledger", "of_last_run", "held"), [(2, 5, 5), (5, 2, 5), (3, 0, 3)])
def test_held_are_those_of_the_ledger_or_of_the_last_pass_whichever_are_more(
    in_ledger: int, of_last_run: int, held: int
) -> None:
    tally = Tally(entries=9, items=9, held=in_ledger, open_intents=0)
    assert sync(tally=tally, runs=(run(60, counts={"held": of_last_run}),)).held == held
    assert sync(tally=tally, runs=()).held == in_ledger


def test_a_page_where_nothing_is_wrong_says_so() -> None:
    text = Reader(page(well(), "en")).text
    assert "Everything is up to date" in text
    assert "Needs attention" not in text
    assert "Needs attention" in Reader(page(replace(well(), config_refused="line 3"), "en")).text


@pytest.mark.parametrize(
    ("facts", "condition", "said"),
    [
        ({"freshness": "stale"}, "bad", "Needs attention"),
        ({"plan": replace(PLAN, stopped="too many")}, "bad", "Needs attention"),
        ({"failures": 1}, "failing", "A pass has failed and is tried again"),
        ({"tally": Tally(entries=9, items=9, held=1, open_intents=0)}, "left", "Entries are held back"),
        ({"tally": Tally(entries=9, items=9, held=0, open_intents=1)}, "left", "unsettled"),
        ({"runs": (run(60, counts={"rejected": 2}),)}, "left", "rejected"),
        ({"runs": (), "last_success": None, "freshness": "new"}, "waiting", "Waiting for a first pass"),
        ({"paused": NOW - 60}, "paused", "apart from what is paused"),
    ],
)
def test_nothing_but_what_is_whole_and_done_is_called_up_to_date(
    facts: dict[str, Any], condition: str, said: str
) -> None:
    (healthy,) = well().syncs
    seen = replace(well(), syncs=(healthy, replace(healthy, name="other", **facts)))
    assert seen.condition == condition
    text = Reader(page(seen, "en")).text
    assert said in text
    assert "Everything is up to date" not in text


def test_a_portal_that_refuses_or_a_config_that_is_refused_needs_attention() -> None:
    assert replace(well(), config_refused="line 3").condition == "bad"
    assert replace(well(), portals=(portal(refused="blocked"),)).condition == "bad"
    assert well().condition == "good"


def test_a_pass_under_way_shows_how_far_it_is_and_the_page_is_loaded_more_often() -> None:
    read = Reader(page(view(), "ru"))
    assert "изменений: 412 из 1300, осталось около 5 мин" in read.text
    assert ("progress", {"value": "412", "max": "1300"}) in read.tags
    paces = [dict(found)["data-seconds"] for tag, found in read.tags if tag == "main"]
    calm = Reader(page(well(), "ru"))
    assert [*paces, *(found["data-seconds"] for tag, found in calm.tags if tag == "main")] == ["3", "15"]


def test_a_chosen_language_stays_with_every_link() -> None:
    read = Reader(page(view(), "ru", chosen=True))
    links = [found["href"] or "" for tag, found in read.tags if tag == "a"]
    assert {link.partition("?")[2] for link in links if link.startswith("syncs/")} == {"lang=ru"}
    marked = [found["lang"] for tag, found in read.tags if tag == "a" and found.get("aria-current")]
    assert marked == ["ru"]


def test_where_there_are_many_the_table_can_be_narrowed_down_by_name_portal_and_state() -> None:
    assert 'id="find"' not in page(view(), "en")
    (healthy,) = well().syncs
    many = [replace(healthy, name=f"s{n}", in_full=False) for n in range(13)]
    many[3] = replace(many[3], paused=NOW, failures=2, last_success=None)
    read = Reader(page(replace(well(), syncs=tuple(many)), "en"))
    assert [found["value"] for tag, found in read.tags if tag == "option"] == [
        "", "stale", "failing", "held", "new", "running", "paused",
    ]  # fmt: skip
    classes = [found.get("class") for tag, found in read.tags if tag == "tr"]
    assert [one for one in classes if one] == ["portal", "failing new paused"]


def test_what_needs_a_person_comes_first() -> None:
    text = Reader(page(view(), "en")).text
    assert text.index("duty-roster") < text.index("timetable")


def test_a_plan_that_a_guard_stopped_says_why_and_a_cron_without_a_next_time_says_never() -> None:
    plan = view().syncs[2].plan
    assert plan is not None
    stopped = sync(plan=replace(plan, stopped="would delete 40 of 100 entries"), due=float("inf"))
    text = Reader(page(replace(view(), syncs=(stopped,)), "en")).text
    assert "Plan waiting for a decision" in text
    assert "would delete 40 of 100 entries" in text
    assert "never" in text


def test_a_config_without_syncs_has_a_page() -> None:
    assert "No sync is configured" in Reader(page(replace(view(), syncs=(), portals=()), "en")).text


def test_every_word_of_the_page_is_told_in_russian_and_in_english_as_it_stands() -> None:
    assert set(words("ru")) == set(WORDS)
    assert dict(words("en")) == dict(WORDS)
    assert not [word for word, text in words("ru").items() if re.search("[a-z]", text.replace("syncd", ""))]


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "en"), ("ru", "ru"), ("ru-RU,ru;q=0.9,en-US;q=0.8", "ru"), ("en-US,en;q=0.9,ru;q=0.8", "en"),
        ("de-DE,ru;q=0.5", "ru"), ("fr", "en"), ("ru;q=0,en;q=0.1", "en"), ("ru;q=x", "en"), (",;,;q=", "en"),
        ("*", "en"),
    ],
)  # fmt: skip
def test_the_language_is_the_reader_s(accept: str, language: str) -> None:
    assert accepted_language(accept) == language


def test_times_and_numbers_read_as_people_write_them() -> None:
    assert [duration(seconds, "en") for seconds in (0.25, 89, 91, 7200, 40 * 3600)] == [
        "0.2 s",
        "89 s",
        "2 min",
        "2 h",
        "2 d",
    ]
    assert [moment(NOW + by, NOW, "ru") for by in (-180, 0, 180)] == ["3 мин назад", "сейчас", "через 3 мин"]
    assert (number(12_345, "en"), number(12_345, "ru")) == ("12,345", "12\u00a0345")


def test_dates_are_written_as_each_language_writes_them() -> None:
    assert (stamp(0.0, "en")[:19], stamp(0.0, "ru")[:19]) == ("1970-01-01 00:00:00", "01.01.1970 00:00:00")
    start = "2026-12-01T09:00:00+03:00"
    assert [start_of(start, one) for one in ("en", "ru")] == ["2026-12-01 09:00+03:00", "01.12.2026 09:00 +0300"]
    assert [start_of("2026-12-02", one) for one in ("en", "ru")] == ["2026-12-02", "02.12.2026"]
    assert [start_of("", one) for one in ("en", "ru")] == ["", ""]


def test_of_a_thousand_syncs_those_that_need_nobody_take_a_line_each_by_portal() -> None:
    many = tuple(
        sync(name=f"s{n:04}", portal="main" if n % 2 else "second", in_full=n == 7, runs=sync().runs[:1], holds=())
        for n in range(1000)
    )
    text = page(view(syncs=many), "en")
    assert text.count("<tr") == 1 + 2 + 999
    assert text.count("<article") == 1 + len(view().portals)
    assert [line for line in ("main: 499", "second: 500") if f">{line}</th></tr>" in text] == [
        "main: 499", "second: 500",
    ]  # fmt: skip
    assert len(text.encode()) < 300_000


def test_a_page_of_a_thousand_syncs_with_long_names_for_forty_portals_stays_small() -> None:
    (healthy,) = well().syncs
    calm = replace(healthy, runs=healthy.runs[:1], in_full=False)
    many = [replace(calm, name=f"client-{n:04}-shifts", portal=f"portal-{n % 40:02}") for n in range(1000)]
    portals = tuple(portal(name=f"portal-{n:02}") for n in range(40))
    large = view(syncs=(*(replace(one, in_full=True) for one in view().syncs), *many), portals=portals)
    assert len(page(large, "ru", chosen=True).encode()) < 300_000
