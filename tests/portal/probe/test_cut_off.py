"""A probe that is cut off, wherever that is, leaves nothing once the next probe or a purge has looked."""

from __future__ import annotations

import pytest

from tests.portal.probe.probing import KilledError, Probing


def cut_off(probing: Probing, number: int) -> None:
    def kill(request: int) -> None:
        if request >= number:
            raise KilledError

    with pytest.raises(KilledError):
        probing.probe(before=kill)


def test_a_probe_cut_off_at_any_step_leaves_nothing_after_the_next() -> None:
    steps = 0
    whole = Probing()
    whole.probe()
    for number in range(1, whole.requests + 1):
        probing = Probing()
        before = probing.contents()
        cut_off(probing, number)
        swept = probing.sweep() if number % 2 else probing.probe().cleaned
        assert swept.left == ()
        assert probing.contents() == before, f"cut off at request {number}"
        steps += 1
    assert steps == whole.requests > 40
