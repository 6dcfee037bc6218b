"""One simulated portal in a process of its own, for commands that run as a user runs them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

COSTS = ("calendar.event.add=0.001", "calendar.event.update=0.001", "calendar.event.get=0.001",
         "calendar.section.add=0.001", "calendar.section.get=0.001", "user.get=0.001")  # fmt: skip


@pytest.fixture(scope="session")
def webhook() -> Iterator[str]:
    """The webhook of a portal whose methods cost next to nothing, without a limit on requests."""
    arguments = [part for cost in COSTS for part in ("--cost", cost)]
    process = subprocess.Popen(
        [sys.executable, "-m", "syncd", "sandbox", "--port", "0", "--tariff", "self-hosted", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("webhook of user 1: "):
                yield line.removeprefix("webhook of user 1: ").strip()
                break
    finally:
        process.terminate()
        process.communicate(timeout=60)


# This portal has no limit on requests, and nobody should wait for ours: these commands run on the real clock.
CONFIG = """
state = "syncd.db"

[portals.main]
webhook = "{webhook}"
tariff = "self-hosted"

[portals.main.limits]
burst = 900
rate = 900

[[sync]]
name = "shifts"
timezone = "Europe/Moscow"

[sync.source]
type = "csv"
path = "shifts.csv"

[sync.source.columns]
uid = "ID"
title = "Shift"
start = "Start"
end = "End"
owner = "E-mail"

[sync.target]
calendar = "user"
owner = "{{owner}}"
section = "{section}"
"""
ROWS = (
    "ID,Shift,Start,End,E-mail\n"
    "1,Early,{day} 06:00,{day} 14:00,anna.petrova@school.example\n"
    "2,Late,{day} 14:00,{day} 22:00,ivan.sokolov@school.example\n"
)


@pytest.fixture
def folder(tmp_path: Path, webhook: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config and two good rows a few days ahead, as the working directory; a section of its own."""
    day = (date.today() + timedelta(days=3)).isoformat()  # noqa: DTZ011 - the commands look at the real clock
    tmp_path.joinpath("syncd.toml").write_text(CONFIG.format(webhook=webhook, section=tmp_path.name), encoding="utf-8")
    tmp_path.joinpath("shifts.csv").write_text(ROWS.format(day=day), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path
