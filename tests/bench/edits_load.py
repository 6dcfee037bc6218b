"""Plays random lives of a sync, and compares each plan that spares work with one that is made afresh.

    python -m tests.bench.edits_load [csv|ics] [LIVES] [FIRST SEED]

csv: plans that are recognised, with people and a portal that change too; 10,000 lives take some hours.
ics: plans of a feed whose events are known from the index; a life has 20 sequences of edits, 10,000 of these take ten
minutes.

The suite plays the first of both. A folder in memory (TMPDIR=/dev/shm) makes it quicker: ledgers wait for the disk.
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
from tests.cycle.feed_edits import FeedLife

STEPS = 8
SEQUENCES = 20


def of_table(folder: Path, seed: int) -> tuple[int, int]:
    """Play one life of a table; returns how many passes were made, and how many of them recognised."""
    life = Life(folder, Random(seed))
    life.play(STEPS)
    return life.passes, life.recognised


def of_feed(folder: Path, seed: int) -> tuple[int, int]:
    """Play one life of a feed; returns how many sequences of edits there were, and how many groups were known."""
    life = FeedLife(folder, Random(seed))
    life.play(SEQUENCES)
    return life.compared, life.taken


KINDS = {
    "csv": (of_table, "passes", "of them recognised"),
    "ics": (of_feed, "sequences of edits", "groups known from the index"),
}


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    play, things, spared = KINDS[next((one for one in sys.argv[1:] if one in KINDS), "csv")]
    numbers = [int(one) for one in sys.argv[1:] if one not in KINDS]
    lives, first = (*numbers, *(10_000, 0)[len(numbers) :])
    began, made, known = time.perf_counter(), 0, 0
    for seed in range(first, first + lives):
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = play(Path(folder), seed)
            except BaseException:
                print(f"the plans differ in the life of seed {seed}")
                raise
            made, known = made + found[0], known + found[1]
    took = time.perf_counter() - began
    print(f"{lives:,} lives, {made:,} {things}, {known:,} {spared}, all plans the same; {took:.0f} s")


if __name__ == "__main__":
    main()
