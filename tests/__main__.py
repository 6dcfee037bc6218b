"""`python -m tests`: everything that must hold before a change lands, in the order of what fails fastest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COVERAGE_PERCENT = 95
"""Lines and branches together; the figure of the day it was last raised, rounded down. It is raised, never lowered."""
WORKERS = "3"
"""One more than the cores of the smallest machine (2), because many tests wait for a process or a socket."""

LONG = (
    "bench",
    "cli/test_waiting_bar.py",
    "crm/test_scale.py",
    "cycle/test_far_dates.py",
    "cycle/test_kill.py",
    "cycle/test_machine.py",
    "cycle/test_never_recovers.py",
    "cycle/test_scale.py",
    "cycle/test_series.py",
    "cycle/test_series_edits.py",
    "cycle/test_series_time.py",
    "cycle/test_wrong_answers.py",
    "model/test_recurrence_memory.py",
    "model/test_recurrence_probes.py",
    "model/test_recurrence_property.py",
    "model/test_recurrence_rfc.py",
    "model/test_series_records.py",
    "portal/probe/test_cut_off.py",
    "portal/test_bad_answers.py",
    "portal/test_exchange.py",
    "portal/test_forecast.py",
    "portal/test_pace.py",
    "portal/test_push.py",
    "portal/test_turns.py",
    "service/test_flat.py",
    "service/test_two_machines.py",
    "source/google/test_series.py",
    "source/graph/test_same_series.py",
    "source/json/test_proof.py",
    "target/test_notices.py",
)
"""Run without coverage: seasons, migrations and crashes that repeat the same lines thousands of times.

Tracing branches makes them two to five times as slow, and they reach hardly a line that the others do not reach. All
other tests run with coverage, and so do the processes that they start. A new test belongs there; move it here only when
`pytest --durations=20 --cov` shows that it takes more than a few seconds under coverage and half as long without.
"""

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
_ENVIRON = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Images of containers tend to set it. Then each worker would rewrite the asserts of all tests again, and each of the
hundreds of processes that tests start would compile all of syncd."""


def main() -> int:
    """Run every step, even after one failed, and return 1 when any did."""
    failed = []
    for name, arguments in STEPS:
        print(f"== {name}", flush=True)
        if subprocess.run((sys.executable, *arguments), cwd=ROOT, env=_ENVIRON, check=False).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
