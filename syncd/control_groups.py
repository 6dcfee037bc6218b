"""What the control groups of this process say (cgroup v2): a unit or a container may have less than its machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_ROOT = Path("/")


def said_of(name: str, root: Path = _ROOT) -> Iterator[str]:
    """Yield what the file `name` says in the process's control group and in those above it, where there is one."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    own = next((line[len("0::/") :] for line in lines if line.startswith("0::/")), None)
    if own is None:
        return
    top = root / "sys/fs/cgroup"
    group = top / own
    for one in (group, *group.parents):
        if not one.is_relative_to(top):
            return
        with suppress(OSError, UnicodeError):
            yield (one / name).read_text()


def cores(root: Path = _ROOT) -> float:
    """Return how many cores the process may use, which may be a fraction of one."""
    found = float(len(os.sched_getaffinity(0)))
    for said in said_of("cpu.max", root):
        quota, _, period = said.partition(" ")
        with suppress(ValueError, ZeroDivisionError):  # "max"
            found = min(found, int(quota) / int(period))
    return found
