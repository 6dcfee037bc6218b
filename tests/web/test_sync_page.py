"""The pages of one sync and of one pass: what they tell, in both languages, and that texts of feeds stay texts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from syncd.lang.catalog import Language, told
from syncd.lang.saying import say, say_count
from syncd.model.diff import CAME_LATE
from syncd.model.labels import labels
from syncd.model.record import Tally
from syncd.web.sayings import shown
from syncd.web.status_page import page
from syncd.web.status_server import Details, serving
from syncd.web.sync_page import run_page, sync_page
from syncd.web.views import ChangeLine, RunView, SyncView, View
from tests.web.test_status_page import Reader
from tests.web.test_status_server import ask
from tests.web.views import HOSTILE, PLAN, PROBLEMS, hold, run, sync, view, well

LANGUAGES: tuple[Language, ...] = ("en", "ru")
FIELDS = say("{names}", names=labels(("location", "name")))
NOTHING = Tally(entries=0, items=0, held=0, open_intents=0)
CHANGES = (
    ChangeLine(op="update", title=HOSTILE, where=HOSTILE, start="2026-12-01T09:00:00+03:00", reason=FIELDS),
    ChangeLine(op="delete", title="Old", where="shifts.csv:9", start="2026-12-02", reason=""),
)
RUN = RunView(record=run(7, error=HOSTILE, problems=PROBLEMS, problem_count=2), changes=CHANGES, more=True)


def detailed() -> SyncView:
    runs = (run(60, problems=PROBLEMS, problem_count=2), *(run(number) for number in range(59, 0, -1)))
    return sync(plan=PLAN, holds=(hold(),), runs=runs)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sync_has_a_page_with_its_passes_its_problems_and_its_plan(language: Language) -> None:
    text = sync_page(view(), detailed(), language, chosen=True)
    read = Reader(text)
    links = [found["href"] for tag, found in read.tags if tag == "a"]
    assert links[2] == f"../?lang={language}"
    assert f"../syncs/timetable/runs/60?lang={language}" in links
    assert sum(tag == "tr" for tag, _ in read.tags) == 61
    assert "shifts.csv:17" in read.text
    assert "shifts.csv:3" in read.text
    assert HOSTILE in read.text
    assert "<script>alert" not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_pass_has_a_page_with_what_it_changed(language: Language) -> None:
    text = run_page(view(), RUN, language)
    read = Reader(text)
    assert sum(tag == "tr" for tag, _ in read.tags) == 3
    assert ("location, name" if language == "en" else "место, название") in read.text
    assert HOSTILE in read.text
    assert "<script>alert" not in text
    assert [found["href"] for tag, found in read.tags if tag == "link"] == ["data:,", "../../../style.css"]
    assert ("and more" in read.text, "и ещё" in read.text) == (language == "en", language == "ru")


def test_a_sync_without_a_pass_and_a_pass_without_a_change_have_pages() -> None:
    assert "No pass yet." in Reader(sync_page(view(), sync(runs=(), last_success=None), "en")).text
    assert "It changed nothing." in Reader(run_page(view(), replace(RUN, changes=(), more=False), "en")).text


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    async def read() -> View:
        return view()

    async def one(name: str) -> SyncView | None:
        return detailed() if name == "timetable" else None

    async def passed(name: str, number: int) -> RunView | None:
        return RUN if (name, number) == ("timetable", 7) else None

    async with serving(read, host="127.0.0.1", port=0, details=Details(sync=one, run=passed)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/syncs/timetable", 200), ("/syncs/timetable?lang=ru", 200), ("/syncs/other", 404), ("/syncs/%3Cb%3E", 404),
        ("/syncs/timetable/runs/7", 200), ("/syncs/timetable/runs/8", 404), ("/syncs/other/runs/7", 404),
        ("/syncs/timetable/runs/x", 404), (f"/syncs/timetable/runs/{10**30}", 404), ("/syncs/", 404),
    ],
)  # fmt: skip
async def test_pages_are_found_by_name_and_number_and_have_the_strict_headers(path: str, status: int) -> None:
    async with served() as address:
        answer, headers, _ = await ask(address + path)
    assert answer == status
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "english",
    [
        say("new in the source"), say("source changed"), say("gone from the source"), say("deleted in the portal"),
        say("edited in the portal: {what}", what="12:30"), say("an identical event already exists"),
        say("another event has its id in the portal now"), say("no progress for {minutes:.0f} minutes", minutes=10),
        say_count("the portal refused the change", "the portal refused all {count:,} changes", 3),
    ],
)  # fmt: skip
def test_what_people_meet_most_is_told_in_russian(english: str) -> None:
    said = shown(english, "ru")
    assert said is not None
    assert re.search("[а-яё]", said)
    assert "lang=" not in said
    assert shown(english, "en") == english


@pytest.mark.parametrize("text", [str(CAME_LATE), HOSTILE, "x" * 5000])
def test_what_is_not_known_in_russian_is_marked_as_english(text: str) -> None:
    said = shown(text, "ru")
    assert said is not None
    assert said.startswith('<span lang="en">')
    assert "<script>" not in said


def test_a_russian_message_around_a_hostile_text_is_escaped_like_any_other() -> None:
    refused = say("waits for another piece of its entry: {reason}", reason=HOSTILE)
    seen = replace(view(), syncs=(sync(holds=(hold(reason=refused),)),))
    text = sync_page(seen, seen.syncs[0], "ru")
    assert told(refused, "ru") in Reader(text).text
    assert HOSTILE in told(refused, "ru")
    assert "<script>alert" not in text


def test_a_message_that_knows_its_values_is_told_by_the_catalog() -> None:
    assert shown(CAME_LATE, "ru") == "наше изменение, на которое не пришло ответа, дошло позже следующего"
    assert (
        shown(say("reads back differently: {names}", names=(HOSTILE,)), "ru")
        == f"на портале прочитано другое: {HOSTILE}"
    )


@pytest.mark.parametrize(("language", "said"), [("en", "undo: done"), ("ru", "выполнен (отмена)")])
def test_an_undo_leaves_a_page_that_tells_what_the_last_pass_left_over(language: Language, said: str) -> None:
    undo = run(61, kind="undo", counts={"deleted": 3})
    one = sync(runs=(undo, run(60, state="partial", counts={"rejected": 2})), holds=(), tally=NOTHING)
    seen = replace(well(), syncs=(one,))
    assert seen.condition == "left"
    assert ("Rejected2" if language == "en" else "Отклонено2") in re.sub(r"\s", "", Reader(page(seen, language)).text)
    assert said not in Reader(page(seen, language)).text
    assert said in Reader(sync_page(seen, one, language)).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_parts_of_the_page_of_a_sync_have_one_title(language: Language) -> None:
    text = sync_page(view(), detailed(), language)
    titles = re.findall(r"<(?:h2|h3|h4|summary|title)>([^<]+)", text)
    assert len(titles) == len(set(titles)), titles
