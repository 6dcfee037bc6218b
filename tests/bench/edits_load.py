"""Plays random lives of a sync, and compares each plan that is recognised with one that is made afresh.

    python -m tests.bench.edits_load [LIVES] [FIRST SEED]

10,000 lives take some hours; the suite plays the first forty.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from pathlib import Path
from random import Random

import structlog

from tests.cycle.edits import Life

STEPS = 8


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    numbers = [int(one) for one in sys.argv[1:]]
    lives, first = (*numbers, *(10_000, 0)[len(numbers) :])
    began, passes, recognised = time.perf_counter(), 0, 0
    for seed in range(first, first + lives):
        with tempfile.TemporaryDirectory() as folder:
            life = Life(Path(folder), Random(seed))
            try:
                life.play(STEPS)
            except BaseException:
                print(f"the plans differ in the life of seed {seed}")
                raise
            passes, recognised = passes + life.passes, recognised + life.recognised
    took = time.perf_counter() - began
    print(f"{lives:,} lives, {passes:,} passes, {recognised:,} of them recognised, all plans the same; {took:.0f} s")


if __name__ == "__main__":
    main()
