"""Processes of our own that read what people send: they know nothing of ours, and may die."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import syncd


def start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the module in a process with pipes, and nothing of ours: no secret of the environment, no terminal.

    Signals that are meant for us do not reach it.
    """
    places = [str(Path(syncd.__file__).parent.parent), *filter(None, sys.path)]
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(places), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        start_new_session=True,
    )


def confine(memory_bytes: int) -> None:
    """Let this process die before the machine runs out of memory."""
    # Where a service manager forbids it, its own limits and the second line have to do.
    with contextlib.suppress(ValueError, OSError):
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
