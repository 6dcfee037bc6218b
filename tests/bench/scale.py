"""Measures syncd at the size of a large customer: `python -m tests.bench.scale [--tenth] [--before DIR] [NAME...]`.

Prints for each work the time as a ratio to a bare loop over the same bytes, the peak of memory and the longest stall
of the event loop. With `--before DIR` each work is also done by the `syncd` below DIR, in turns, in the same run.
`--tenth` takes a tenth of the size. Every work runs in a process of its own. What takes many minutes, as "a million
rows", is done by its name only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog

from tests.bench.scale_daemon import LoadedDaemon
from tests.bench.scale_plans import PLANS
from tests.bench.scale_rows import WORKS, Work

ROOT = Path(__file__).resolve().parents[2]
AS_SERVICE = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "1048576"}
"""What `deploy/syncd.service` sets."""
ALL: tuple[type[Work], ...] = (*WORKS, *PLANS, LoadedDaemon)


def measured(work: type[Work], size: int, package: Path) -> dict[str, Any]:
    """Return the figures of one work by the syncd below `package`."""
    with tempfile.TemporaryDirectory() as folder:
        for step in ("prepare", "run"):
            again = [sys.executable, "-P", "-W", "ignore", "-m", "tests.bench.scale"]
            done = subprocess.run(
                [*again, f"--{step}", work.name, str(size), folder],
                env={**os.environ, **AS_SERVICE, "PYTHONPATH": f"{package}{os.pathsep}{ROOT}"},
                capture_output=True, check=False,
            )  # fmt: skip
            if done.returncode:
                raise SystemExit(done.stderr.decode()[-4000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def line(label: str, found: dict[str, Any]) -> str:
    """Return one line of the table."""
    ratio = f"{found['cpu_s'] / found['bare_s']:.1f} x" if found["bare_s"] else ""
    more = ", ".join(f"{name} {value:.4g}" for name, value in found["more"].items())
    return (
        f"| {label} | {found['wall_s']:.2f} s | {found['cpu_s']:.2f} s | {ratio} | {found['peak_mb']:.0f} MB "
        f"| {1000 * found['stall_s']:.0f} ms | {1000 * found['busy_s']:.0f} ms | {more} |"
    )


def table(works: list[type[Work]], before: Path | None, part: int) -> None:
    """Print the table."""
    print("| work | time | processor | to a bare loop | peak | longest stall | of it our own | |")
    print("|---|---:|---:|---:|---:|---:|---:|---|")
    for work in works:
        size = work.size // part
        label = f"{work.name}: {size:,} {work.unit}"
        if before is not None:
            print(line(f"{label}, before", measured(work, size, before)), flush=True)
        print(line(label, measured(work, size, ROOT)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--tenth", action="store_true")
    parser.add_argument("--before", type=Path)
    for step in ("--prepare", "--run"):
        parser.add_argument(step, nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    by_name = {work.name: work for work in ALL}
    if chosen.prepare:
        name, size, folder = chosen.prepare
        by_name[name]().prepare(Path(folder), int(size))
    elif chosen.run:
        # As `syncd run` logs: what is only debug is neither written nor counted.
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        name, size, folder = chosen.run
        print(json.dumps(asdict(asyncio.run(by_name[name]().run(Path(folder), int(size))))))
    else:
        works = [
            work
            for work in ALL
            if (any(part in work.name for part in chosen.names) if chosen.names else not work.when_asked)
        ]
        table(works, chosen.before, 10 if chosen.tenth else 1)


if __name__ == "__main__":
    main()
