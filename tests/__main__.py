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

STEPS = (
    ("style", ("-m", "ruff", "check", ".")),
    ("format", ("-m", "ruff", "format", "--check", ".")),
    ("types", ("-m", "mypy")),
    ("rooms", ("-c", "from importlinter.cli import lint_imports_command as lint; lint()")),
    (
        "tests and coverage",
        ("-m", "pytest", "-q", "-n", WORKERS, "--dist", "worksteal", "--cov", "--cov-report=term:skip-covered",
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
