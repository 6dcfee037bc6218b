"""A damaged ledger ends every command with one clear error, or does no harm. `tests.bench.ledger_damage` tries more."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.cycle.damage import Victim

TRIALS = 35


@pytest.mark.parametrize("crashed", [False, True])
def test_a_damaged_ledger_is_told_or_harmless(tmp_path: Path, crashed: bool) -> None:
    victim = Victim.made(tmp_path, crashed=crashed)
    ends = Counter(victim.suffer(seed).partition(": ")[2] for seed in range(TRIALS))
    assert ends["told"] > 5
    assert ends["right"] > 0
