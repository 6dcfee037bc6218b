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
MANNER = ("--dist", "worksteal", "--timeout=300", "--timeout-method=thread")
"""A test that waits for ever ends its worker, with the stacks of all threads; none takes a fifth of these seconds."""

STEPS = (
    ("style", ("-m", "ruff", "check", ".")),
    ("format", ("-m", "ruff", "format", "--check", ".")),
    ("types", ("-m", "mypy")),
    ("rooms", ("-c", "from importlinter.cli import lint_imports_command as lint; lint()")),
    (
        "tests and coverage",
        ("-m", "tests.support.measuring", f"--floor={COVERAGE_PERCENT}", "-q", "-n", WORKERS, *MANNER),
    ),
)  # fmt: skip
_MEMORY = Path("/dev/shm")
_MEMORY_BYTES = 1 << 30
"""What the files of the tests of one run may take, with much to spare."""


def main() -> int:
    """Run every step, even after one failed, and return 1 when any did."""
    failed, environ = [], _environ()
    for name, arguments in STEPS:
        print(f"== {name}", flush=True)
        if subprocess.run((sys.executable, *arguments), cwd=ROOT, env=environ, check=False).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0


def _environ() -> dict[str, str]:
    """Return the environment of the steps: bytecode is kept, and files of tests stand in memory where there is room.

    Images of containers tend to forbid bytecode. Then each worker rewrites the asserts of all tests again, and each of
    the hundreds of processes that tests start compiles all of syncd. And a ledger commits with fsync, thousands of
    times: on a disk that costs more than all its statements, and no test cuts the power.
    """
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if _room_in_memory():
        environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))
    return environ


def _room_in_memory() -> bool:
    """Return True if the memory's file system is there, is large enough, and lets programs run, which tests write."""
    try:
        system = os.statvfs(_MEMORY)
    except OSError:
        return False
    large = system.f_bavail * system.f_frsize >= _MEMORY_BYTES
    return large and not system.f_flag & os.ST_NOEXEC and os.access(_MEMORY, os.W_OK | os.X_OK)


if __name__ == "__main__":
    sys.exit(main())
