"""On a Russian page, whatever its state, no English is left but names, identifiers and the portal's own texts."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from syncd.lang.saying import say
from syncd.model.diff import CAME_LATE
from syncd.model.entry import Problem
from syncd.model.labels import labels
from syncd.model.record import Tally
from syncd.portal.client import MethodBudget
from syncd.web.status_page import page
from syncd.web.sync_page import run_page, sync_page
from syncd.web.views import ChangeLine, PlanView, ProgressView, RunView, SyncView, View
from tests.web.views import NOW, hold, portal, run, sync, view

NAMES = re.compile(
    r"`[^`]*`|\bcalendar\.event\.\w+|--force|\[\[sync\]\]|[a-z]+\.bitrix24\.(com|ru)|one\.local|Europe/Moscow"
    r"|\b(syncd?|English|main|branch|csv|ics|shifts|holidays|timetable|cron|UTC|s\d+|max_changed)\b"
)
"""What is no English: names of syncs, portals, files, machines, keys, options, zones and methods, and commands.

"English" is what that language calls itself, in the switch.
"""
ATTRIBUTES = ("placeholder", "aria-label", "title")
NEW, SOURCE_CHANGED = say("new in the source"), say("source changed")
KINDS = ("rejected", "held", "conflict", "warning", "incomplete", "skipped", "kept")
STOPPED = say("look at `syncd plan {sync}`; if this is right, run once with --force or raise max_changed in [[sync]]"
              " {sync}", sync="shifts")  # fmt: skip
SEVERAL = say("{titles} and {more} more", titles=("csv", "ics"), more=2)
PROBLEMS = tuple(Problem(where=SEVERAL, kind=kind, reason=CAME_LATE) for kind in KINDS)  # type: ignore[arg-type]
PLAN = PlanView(
    counts=dict.fromkeys(("create", "update", "delete", "adopt", "unchanged", "held", "rejected", "conflict"), 2),
    changes=tuple(
        ChangeLine(op=op, title="Урок", where="shifts.csv:3", start="2026-12-01T09:00:00+03:00", reason=reason)
        for op, reason in (("create", NEW), ("update", SOURCE_CHANGED), ("delete", CAME_LATE), ("adopt", NEW))
    ),
    total=40, notices=3, seconds=7200.0, stopped=STOPPED,
)  # fmt: skip
LEFT = dict.fromkeys(("created", "updated", "deleted", "adopted", "unchanged", "held", "rejected", "conflict"), 1)


class Words(HTMLParser):
    """Collects what a reader sees or hears of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ATTRIBUTES]

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def english(text: str) -> list[str]:
    """Return the English words of a page."""
    return re.findall(r"[A-Za-z]{2,}", " ".join(NAMES.sub("", one) for one in Words(text).found))


def one(**facts: Any) -> SyncView:
    runs = tuple(
        run(60 - number, state=state, counts=LEFT, problems=PROBLEMS, problem_count=40, error=error)
        for number, (state, error) in enumerate(
            [("partial", ""), ("done", ""), ("stopped", STOPPED), ("failed", CAME_LATE), ("running", "")]
        )
    )
    holds = (hold(reason=SOURCE_CHANGED, title="Урок"), hold(reason=CAME_LATE, title="Урок", retry_at=float("inf")))
    usual: dict[str, Any] = {
        "source": SEVERAL, "runs": runs, "holds": holds,
        "tally": Tally(entries=12_345, items=12_346, held=9, open_intents=1),
    }  # fmt: skip
    return sync(**(usual | facts))


STATES: dict[str, dict[str, Any]] = {
    "fresh": {},
    "stale": {"freshness": "stale", "failures": 5, "last_success": NOW - 400_000},
    "backing off": {"failures": 2},
    "paused": {"paused": NOW - 60, "due": float("inf")},
    "new": {"freshness": "new", "runs": (), "last_success": None, "schedule": "cron 0 3 * * * (Europe/Moscow)"},
    "failed": {"runs": (run(60, state="failed", error=STOPPED),)},
    "running": {"running_since": NOW - 95, "progress": ProgressView(done=412, total=13_000, eta_s=300.0), "plan": PLAN},
    "running for long": {"running_since": NOW - 90_000, "progress": ProgressView(done=1, total=21, eta_s=None),
                         "plan": replace(PLAN, stopped="", notices=0)},
    "elsewhere": {"here": False},
}  # fmt: skip


def whole(*syncs: SyncView, **facts: Any) -> View:
    portals = (
        portal(waiting_for=say("section changed"), holder="one.local (812)", held_since=NOW - 3600),
        portal(name="branch", host="branch.bitrix24.ru", operating={}, refused=CAME_LATE, holder="", waiting_for=None),
        portal(operating={"calendar.event.add": MethodBudget(used_s=1.5, limit_s=float("inf"), resets_at=NOW + 9)}),
    )
    return replace(view(), **({"syncs": syncs, "portals": portals, "config_refused": CAME_LATE} | facts))


@pytest.mark.parametrize("state", STATES)
def test_the_overview_and_the_page_of_a_sync_are_russian_in_every_state(state: str) -> None:
    seen = one(**STATES[state])
    many = [replace(seen, name=f"s{number}", in_full=False, runs=seen.runs[:1]) for number in range(13)]
    for text in (
        page(whole(seen), "ru"), page(whole(seen, *many), "ru", chosen=True), sync_page(whole(seen), seen, "ru"),
    ):  # fmt: skip
        assert english(text) == []
        assert '<span lang="en"' not in text


@pytest.mark.parametrize("state", ["done", "partial", "stopped", "failed"])
def test_the_page_of_a_pass_is_russian(state: str) -> None:
    record = run(7, state=state, counts=LEFT, error=CAME_LATE, problems=PROBLEMS, problem_count=40)
    for changes in ((), PLAN.changes):
        lines = tuple(replace(line, reason=say("{names}", names=labels(("location", "name")))) for line in changes)
        assert english(run_page(whole(), RunView(record=record, changes=lines, more=bool(lines)), "ru")) == []


@pytest.mark.parametrize(
    "facts", [{"config_refused": ""}, {"portals": (), "config_refused": ""}, {"portals": (portal(waiting_for=None),)}]
)
def test_what_is_said_over_all_is_russian(facts: dict[str, Any]) -> None:
    for state in STATES.values():
        assert english(page(whole(one(**state), **facts), "ru")) == []
    assert english(page(whole(**facts), "ru")) == []


def test_the_english_page_says_the_same_in_english() -> None:
    text = page(whole(one()), "en")
    assert not re.search("[а-яё]{2}", " ".join(Words(text).found).replace("Русский", "").replace("Урок", ""))


def test_the_portal_s_own_words_stand_in_a_russian_sentence_and_old_texts_are_marked_as_english() -> None:
    kept = "what an older version has kept as text"
    text = page(whole(one(holds=(hold(reason=kept, title="Урок"),))), "ru")
    assert f'<span lang="en">{kept}</span>' in text
