"""Turns the memory that the unit allows into a limit of the process, so that running out of it raises an error.

At MemoryMax= the kernel kills the process, whatever its syncs are doing. At its own limit Python raises MemoryError
where memory is asked for: that pass fails with a message, and the others go on.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

from syncd.control_groups import said_of

_ROOT = Path("/")


def allowed_bytes(root: Path = _ROOT) -> int | None:
    """Return how many bytes the process's control group and those above it allow (cgroup v2), None for no limit."""
    limits: list[int] = []
    for said in said_of("memory.max", root):
        with suppress(ValueError):  # "max"
            limits.append(int(said))
    return min(limits, default=None)


def limit_memory(root: Path = _ROOT) -> int | None:
    """Limit the data of the process to what its control group allows; return the limit in bytes, None if there is none.

    Stacks of threads count in full, although little of them is used, so this limit is reached a bit before the
    kernel's.
    """
    allowed = allowed_bytes(root)
    if allowed is None:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if soft == resource.RLIM_INFINITY or allowed < soft:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))
    return allowed
