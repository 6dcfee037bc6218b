"""`python -m tests`: everything that must hold before a change lands, in the order of what fails fastest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COVERAGE_PERCENT = 85
STEPS = (
    ("style", ("-m", "ruff", "check", ".")),
    ("format", ("-m", "ruff", "format", "--check", ".")),
    ("types", ("-m", "mypy")),
    ("rooms", ("-c", "from importlinter.cli import lint_imports_command as lint; lint()")),
    ("tests", ("-m", "pytest", "-q", "--cov", f"--cov-fail-under={COVERAGE_PERCENT}")),
)


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
