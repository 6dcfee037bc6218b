"""What a start costs: commands import what they need and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("aiohttp", "structlog", "msgspec", "icalendar", "rich", "sqlite3", "asyncio", "cronsim", "prometheus_client")
NOT_FOR_READY = frozenset(
    {
        *("aiohttp", "attr", "icalendar", "lxml", "prometheus_client", "python_calamine", "rich", "watchfiles"),
        *("importlib.metadata", "cronsim"),
        *("syncd.source.bitrix24.portal_source", "syncd.source.caldav.caldav_source", "syncd.source.table.xlsx"),
        *(
            "syncd.target.crm.activity",
            "syncd.target.crm.todo",
            "syncd.web.status_page",
            "syncd.web.status_server",
            "syncd.sandbox",
        ),
    }
)
"""What a daemon that keeps a calendar by a schedule of its own need not have loaded when it tells that it is ready."""

CONFIG = """
state = "state/syncd.db"
[portals.main]
webhook = "http://127.0.0.1:9/rest/1/sandboxadmin/"
[[sync]]
name = "one"
every = "1h"
[sync.source]
{source}
[sync.target]
type = "calendar"
calendar = "user"
owner = "1"
section = "Shifts"
"""
SOURCES = {
    "csv": 'type = "csv"\npath = "a.csv"\n[sync.source.columns]\ntitle = "Title"\nstart = "Start"',
    "ics": 'type = "ics"\npath = "a.ics"',
    "feed": 'type = "ics"\nurl = "https://feeds.example/a.ics"',
}
READY = """
import os, sys
from syncd.cli import main
from syncd.service.notify import Notifier

def send(self, **facts):
    if "READY" in facts:
        print(*sys.modules, flush=True)
        os._exit(0)

Notifier.send = send
sys.exit(main(["--config", sys.argv[1], "run"]))
"""


def loaded(code: str) -> set[str]:
    script = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_needs_no_library(argument: str) -> None:
    assert loaded(f"from syncd.cli import main; main(['{argument}'])") & set(HEAVY) == set()


@pytest.mark.parametrize("source", SOURCES)
def test_a_daemon_is_ready_before_anything_is_loaded_that_only_its_passes_need(source: str, tmp_path: Path) -> None:
    config = tmp_path / "syncd.toml"
    config.write_text(CONFIG.format(source=SOURCES[source]))
    done = subprocess.run([sys.executable, "-c", READY, str(config)], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert {"structlog", "sqlite3", "syncd.service.daemon", "syncd.target.calendar.calendar_target"} <= modules
    assert NOT_FOR_READY & modules == set()
