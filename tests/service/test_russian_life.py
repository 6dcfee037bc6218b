"""A service in the life of an office: in each of its states every page is Russian to whoever reads Russian."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from syncd.lang.catalog import told
from syncd.sandbox.settings import Settings
from syncd.service.host import Service
from syncd.web.status_page import page
from syncd.web.sync_page import run_page, sync_page
from tests.service.test_service import OTHER, ROWS, SECOND, Scene, scene
from tests.support.applications import People
from tests.support.sandbox import HEADER, SHIFTS, run_inline
from tests.web.test_russian_pages import Words

NAMES = re.compile(
    r"`[^`]*`|«[^»]*»|https?://\S+|[\w.+-]+@[\w.-]+|\[\[?[\w.]+\]\]?|\b\w+ = (\"[^\"]*\"|\w+)|--\w+"
    r"|\S*\.(csv|toml|db)\b|\b[\w-]+\.(bitrix24\.com|example)\b|\blocalhost|\b[a-z]+(\.[a-z_]+){1,3}\b"
    r"|\b(syncd?|English|main|second|shifts|other|csv|CSV|UTC|Shift|ID|Nobody|ISO|INVALID_CREDENTIALS)\b"
    r"|\bInvalid request credentials\b|\b[a-z]+_[a-z_]+\b"
    r"|\b(Anna|Petrova|Desk|uid|id|webhook|path|user|crm|calendar|dmy|mdy|dates|pm|profile|Begin|E-mail|Place|Start|start|End)\b"
)
"""What is no English: commands, titles, addresses, keys, options, files, methods, names, and what the portal says."""
Step = Callable[[Service, asyncio.Event], object]
BROKEN = "6,Shift 6,2026-12-45 06:00,2026-12-06 14:00,anna.petrova@school.example,Desk\n"
NOBODYS = "7,Shift 7,2026-12-07 06:00,2026-12-07 14:00,nobody@school.example,Desk\n"


def foreign(text: str) -> list[str]:
    """Return what a reader of a page finds in English."""
    return [one.strip() for one in Words(text).found if re.search("[A-Za-z]{2,}", NAMES.sub("", one))]


async def pages(service: Service) -> list[str]:
    """Return what is English on any page of the service now."""
    view, found = await service.view(), list[str]()
    found += foreign(page(view, "ru"))
    for one in view.syncs:
        shown = await service.page.sync(one.name)
        assert shown is not None
        found += foreign(sync_page(view, shown, "ru"))
        for run in shown.runs:
            passed = await service.page.run(one.name, run.id)
            assert passed is not None
            found += foreign(run_page(view, passed, "ru"))
    return sorted(set(found))


def lived(stage: Scene, config: str, *steps: Step | None) -> list[list[str]]:
    """Run a service, take one step after the other with an hour between them, and return what is English after each."""

    async def main() -> list[list[str]]:
        found = []
        async with stage.running(config) as (service, reload):
            for step in steps:
                if step is not None:
                    step(service, reload)
                await asyncio.sleep(3700)
                found.append(await pages(service))
        return found

    return run_inline(main())


def test_a_pass_with_rows_that_are_rejected_or_held_is_told_in_russian(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    stage.write("shifts.csv", HEADER + ROWS + BROKEN + NOBODYS)
    assert lived(stage, SHIFTS, None) == [[]]


def test_a_file_that_is_gone_and_one_that_is_no_table_are_told_in_russian(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    assert lived(
        stage, SHIFTS, None,
        lambda *_: (tmp_path / "shifts.csv").unlink(),
        lambda *_: (tmp_path / "shifts.csv").write_bytes(b"\x00\xff\xfe no table"),
        lambda *_: stage.write("shifts.csv", HEADER.replace("Start", "Begin") + ROWS),
    ) == [[]] * 4  # fmt: skip


def test_a_plan_that_a_guard_stopped_and_a_config_that_is_refused_are_told_in_russian(tmp_path: Path) -> None:
    stage = scene(tmp_path)

    def refuse(_service: Service, reload: asyncio.Event) -> None:
        (tmp_path / "syncd.toml").write_text(SHIFTS.replace("removed_after = 1", "removed_after = 'x'"))
        reload.set()

    gone = "".join(ROWS.splitlines(keepends=True)[:1])
    assert lived(stage, SHIFTS, None, lambda *_: stage.write("shifts.csv", HEADER + gone), refuse) == [[]] * 3


def test_a_portal_that_refuses_and_one_that_is_paused_are_told_in_russian(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    stage.refusing.add("localhost:9")
    config = SHIFTS.replace('name = "shifts"', 'name = "shifts"\nportal = "main"') + SECOND + "[[sync]]" + OTHER
    assert lived(stage, config, None, lambda service, _: service.daemon.pause("shifts", 0.0)) == [[]] * 2


@pytest.mark.parametrize("conflict", ["source", "report", "portal"])
def test_what_people_have_changed_is_told_in_russian(tmp_path: Path, conflict: str) -> None:
    stage = scene(tmp_path)

    def edit(*_: object) -> None:
        first, second, *_rest = sorted(stage.world.events("user", 3), key=lambda one: one.name)
        People(stage).delete(first.id)
        People(stage).rename(second.id, "Anna")

    config = SHIFTS.replace('name = "shifts"', f'name = "shifts"\non_conflict = "{conflict}"\nverify_every = "1h"')
    assert lived(stage, config, None, edit, None) == [[]] * 3


def test_a_portal_that_does_not_answer_is_told_in_russian(tmp_path: Path) -> None:
    stage = scene(tmp_path)

    def down(*_: object) -> None:
        stage.set_faults(Settings(integer_stamps=False))
        stage.refusing.add("127.0.0.1:9")

    assert lived(stage, SHIFTS, None, down) == [[]] * 2


def test_an_alert_of_a_held_row_keeps_its_reason_as_a_message_through_the_ledger(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    stage.write("shifts.csv", HEADER + ROWS + NOBODYS)

    async def main() -> list[str]:
        async with stage.running("[alerts]\nheld = 1\ncommand = ['true']\n" + SHIFTS) as (service, _):
            await asyncio.sleep(3700)
            return [one.text for one in (await service.app.ledger.told_alerts()).values()]

    (text,) = run_inline(main())
    assert told(text, "ru") == "синхронизация shifts: отложена 1 запись; подробности покажет `syncd status`"
