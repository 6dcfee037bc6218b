"""What a start costs: commands import what they need and nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("aiohttp", "structlog", "msgspec", "icalendar", "rich", "sqlite3", "asyncio", "cronsim", "prometheus_client")


def loaded(code: str) -> set[str]:
    script = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_needs_no_library(argument: str) -> None:
    assert loaded(f"from syncd.cli import main; main(['{argument}'])") & set(HEAVY) == set()


def test_the_daemon_loads_neither_a_web_server_nor_metrics_nor_the_sandbox_unless_they_are_asked_for() -> None:
    modules = loaded("import syncd.cli.commands.daemon")
    assert not {"prometheus_client", "watchfiles", "icalendar", "syncd.web.server", "syncd.web.page"} & modules
    assert not [name for name in modules if name.startswith("syncd.sandbox")]
