"""`python -m tests`: everything that must hold before a change lands, in the order of what fails fastest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COVERAGE_PERCENT = 85
WORKERS = "3"
"""More than the two cores of the smallest machine, because many tests wait for a process or a socket."""

LONG = (
    "bench",
    "cli/test_bulk.py",
    "crm/test_scale.py",
    "cycle/test_budget_kept.py",
    "cycle/test_kill.py",
    "cycle/test_machine.py",
    "cycle/test_never_recovers.py",
    "cycle/test_scale.py",
    "cycle/test_series.py",
    "cycle/test_series_edits.py",
    "cycle/test_series_time.py",
    "service/test_daemon.py",
    "service/test_service.py",
    "model/test_markup.py",
    "model/test_recurrence_compile.py",
    "model/test_recurrence_memory.py",
    "model/test_recurrence_probes.py",
    "model/test_recurrence_property.py",
    "model/test_recurrence_rfc.py",
    "model/test_recurrence_singles.py",
    "model/test_zones.py",
    "portal/test_bad_answers.py",
    "portal/test_exchange.py",
    "portal/test_forecast.py",
    "portal/test_pace.py",
    "portal/test_push.py",
    "portal/test_turns.py",
)
"""What plays whole seasons and migrations: measured coverage would make it three times as slow, and adds none."""

_LONG_PATHS = tuple(f"tests/{path}" for path in LONG)
_PYTEST = ("-m", "pytest", "-q", "-n", WORKERS)
STEPS = (
    ("style", ("-m", "ruff", "check", ".")),
    ("format", ("-m", "ruff", "format", "--check", ".")),
    ("types", ("-m", "mypy")),
    ("rooms", ("-c", "from importlinter.cli import lint_imports_command as lint; lint()")),
    ("long tests", (*_PYTEST, *_LONG_PATHS)),
    (
        "tests and coverage",
        (*_PYTEST, *(f"--ignore={path}" for path in _LONG_PATHS), "--cov", "--cov-report=term:skip-covered",
         f"--cov-fail-under={COVERAGE_PERCENT}"),
    ),
)  # fmt: skip


def main() -> int:
    """Run every step, even after one failed, and return 1 when any did."""
    failed = []
    for name, arguments in STEPS:
        print(f"== {name}", flush=True)
        if subprocess.run((sys.executable, *arguments), cwd=ROOT, check=False).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
