"""Calendars of two people at Google come to the simulated portal, by the commands that a user types."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from time import time
from typing import Any

from tests.source.google.server import FakeGoogle, sample, serving

CONFIG = """
state = "syncd.db"
[portals.main]
webhook = "{webhook}"
tariff = "self-hosted"
[[sync]]
name = "meetings"
timezone = "Europe/Moscow"
window = {{ past = "4000d", future = "4000d" }}
on_removed = "delete"
removed_after = 1
max_removed = "100%"
[sync.source]
type = "google"
url = "{api}"
key_file = "key.json"
calendars = "users.csv"
{more}
[sync.target]
calendar = "user"
owner = "{{owner}}"
owners = {{ "anna@example.com" = 3, "boris@example.com" = 5 }}
section = "{section}"
"""


def _write(folder: Path, google: FakeGoogle, webhook: str, *, section: str, more: str = "") -> None:
    (folder / "key.json").write_text(google.key())
    (folder / "users.csv").write_text("anna@example.com\nboris@example.com\n")
    text = CONFIG.format(webhook=webhook, api=google.api, section=section, more=more)
    (folder / "syncd.toml").write_text(text)


async def _ran(folder: Path, *arguments: str) -> tuple[int | None, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "syncd", *arguments, "--json",
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), timeout=120)
    assert "PRIVATE" not in (out + err).decode()
    return process.returncode, json.loads(out)


async def _counts(folder: Path) -> tuple[int | None, dict[str, int]]:
    code, document = await _ran(folder, "sync")
    return code, {name: count for name, count in document["runs"][0]["counts"].items() if count}


async def test_calendars_come_over_change_and_go_and_an_unchanged_pass_sends_nothing(
    tmp_path: Path, webhook: str
) -> None:
    google = sample()
    google.switches.now = time
    async with serving(google):
        _write(tmp_path, google, webhook, section="Google")
        assert await _counts(tmp_path) == (0, {"created": 5})
        google.counts.clear()
        assert await _counts(tmp_path) == (0, {"unchanged": 5})
        assert dict(google.counts) == {"anna@example.com": 1, "boris@example.com": 1}
        boris = google.calendar("boris@example.com")
        boris.event("talk", "2026-12-03T16:00", "2026-12-03T17:00", summary="Talk")
        google.calendar("anna@example.com").delete("holiday")
        assert await _counts(tmp_path) == (0, {"updated": 1, "deleted": 1, "unchanged": 3})
        (tmp_path / "users.csv").write_text("boris@example.com\n")
        assert await _counts(tmp_path) == (0, {"deleted": 3, "unchanged": 1})


async def test_a_calendar_that_is_no_longer_shared_keeps_its_events_and_the_pass_says_so(
    tmp_path: Path, webhook: str
) -> None:
    google = sample()
    google.switches.now = time
    async with serving(google):
        _write(tmp_path, google, webhook, section="Unshared")
        assert await _counts(tmp_path) == (0, {"created": 5})
        google.calendar("anna@example.com").roles.clear()
        code, document = await _ran(tmp_path, "sync")
        assert (code, document["runs"][0]["counts"]["deleted"]) == (5, 0)
        assert "share it with robot@project.iam.gserviceaccount.com" in json.dumps(document)


async def test_busy_only_brings_no_title_to_the_portal_nor_into_any_document(tmp_path: Path, webhook: str) -> None:
    google = sample()
    google.switches.now = time
    async with serving(google):
        _write(tmp_path, google, webhook, section="Busy", more='busy_only = true\nbusy_title = "Занято"')
        code, plan = await _ran(tmp_path, "plan")
        told = json.dumps(plan, ensure_ascii=False)
        assert (code, "Занято" in told, "Standup" in told, "standup, later" in told.casefold()) == (
            0,
            True,
            False,
            False,
        )
        assert (await _counts(tmp_path))[1] == {"created": 5}
    assert b"Standup, later" not in (tmp_path / "syncd.db").read_bytes()
