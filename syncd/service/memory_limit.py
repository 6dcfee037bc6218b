"""Makes the memory that the unit allows a limit of the process itself, so that an end of it comes as an error.

At MemoryMax= the kernel kills the process, in the middle of whatever all syncs are doing. At a limit of its own Python
raises MemoryError where the memory is asked for: that pass fails with words, and the others go on.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

_ROOT = Path("/")


def allowed_bytes(root: Path = _ROOT) -> int | None:
    """Return how many bytes the process's control group and those above it allow (cgroup v2); None for no limit."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    own = next((line[len("0::/") :] for line in lines if line.startswith("0::/")), None)
    if own is None:
        return None
    top = root / "sys/fs/cgroup"
    group, limits = top / own, list[int]()
    for one in (group, *group.parents):
        if not one.is_relative_to(top):
            break
        with suppress(OSError, ValueError):  # "max", and the group at the top has no such file
            limits.append(int((one / "memory.max").read_text()))
    return min(limits, default=None)


def limit_memory(root: Path = _ROOT) -> int | None:
    """Let the process have no more data than its control group allows; return that in bytes, None for no limit.

    Stacks of threads count in full, although little of them is used, so it comes a bit before the kernel would kill.
    """
    allowed = allowed_bytes(root)
    if allowed is None:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if soft == resource.RLIM_INFINITY or allowed < soft:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))
    return allowed
