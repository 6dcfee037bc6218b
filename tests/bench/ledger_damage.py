"""Damages a ledger many times and counts how it ends: `python -m tests.bench.ledger_damage [COUNT [FIRST SEED]]`."""

from __future__ import annotations

import io
import sys
import tempfile
from collections import Counter
from pathlib import Path

from syncd import log
from tests.cycle.damage import Victim


def main() -> None:
    log.configure("console", -1, io.StringIO())
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    for crashed in (False, True):
        ends: Counter[str] = Counter()
        with tempfile.TemporaryDirectory() as folder:
            victim = Victim.made(Path(folder), crashed=crashed)
            for seed in range(first, first + count):
                try:
                    ends[victim.suffer(seed)] += 1
                except Exception as error:  # noqa: BLE001 - that is what is looked for
                    ends[f"WRONG seed {seed}: {type(error).__name__}: {error}"[:300]] += 1
        print("left by a crash:" if crashed else "closed in order:")
        for end, number in sorted(ends.items()):
            print(f"  {number:5} {end}")


if __name__ == "__main__":
    main()
