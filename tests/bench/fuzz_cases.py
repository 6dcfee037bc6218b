"""Spoils the inputs of the cases many times and counts what comes: `python -m tests.bench.fuzz_cases [COUNT [FIRST]]`.

COUNT inputs are read and planned; every 20th is brought into a simulated portal, every 10th shown to `init`.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from syncd import log
from tests.cases.fuzz import PLAYED, begin_with, bring, play

_BRING_EACH, _INIT_EACH = 20, 10
Found = tuple[str, int, str, str]
"""Case, seed, mutation, and the rule that was broken."""


def of_case(number: int, first: int, count: int) -> tuple[Counter[str], list[Found], float, float]:
    """Play a share of the seeds; returns how they ended, what was broken, and all and the most processor seconds."""
    log.configure("console", -1, io.StringIO())
    case = PLAYED[number]
    ends: Counter[str] = Counter()
    found: list[Found] = []
    took = most = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for seed, trial in play(case, Path(folder), range(first, first + count)):
            ends[trial.end] += 1
            took, most = took + trial.cpu_s, max(most, trial.cpu_s)
            found += [(case.name, seed, trial.how, one) for one in trial.broken]
    for seed in range(first, first + count):
        for way, each in ((bring, _BRING_EACH), (begin_with, _INIT_EACH)):
            if seed % each == 0:
                with tempfile.TemporaryDirectory() as folder:
                    broken = way(case, Path(folder), seed)
                ends[f"{way.__name__}: {'broken' if broken else 'right'}"] += 1
                found += [(case.name, seed, way.__name__, one) for one in broken]
    return ends, found, took, most


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    each = -(-count // len(PLAYED))
    ends: Counter[str] = Counter()
    broken: list[Found] = []
    took = most = 0.0
    began = time.monotonic()
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        shares = [pool.submit(of_case, number, first, each) for number in range(len(PLAYED))]
        for share in shares:
            ended, found, cpu_s, slowest = share.result()
            ends += ended
            broken += found
            took, most = took + cpu_s, max(most, slowest)
    for end, number in sorted(ends.items()):
        print(f"{number:7} {end}")
    print(f"{took:.0f} s of processor time to read and plan, the slowest {most:.2f} s")
    print(f"{time.monotonic() - began:.0f} s in all")
    for case, seed, how, said in broken:
        print(f"WRONG {case} {seed} ({how}): {said}")
    print(f"{len(broken)} rules broken")


if __name__ == "__main__":
    main()
