"""What keeps large passes quick leaves everything else as it is."""

from __future__ import annotations

import gc
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from syncd import collector
from syncd.model.entry import Details, Entry, Timed

SPAN = Timed(
    start=datetime(2026, 12, 1, 9),
    end=datetime(2026, 12, 1, 10),
    zone="Europe/Moscow",
    end_zone="Europe/Moscow",
)
ENTRY = Entry(uid="u", where="a.csv:2", details=Details(title="Lesson"), span=SPAN)


def test_values_made_in_bulk_compare_hash_and_copy_like_all_others() -> None:
    again = replace(ENTRY, details=replace(ENTRY.details))
    assert again == ENTRY
    assert hash(again) == hash(ENTRY)
    assert replace(ENTRY, where="a.csv:3") != ENTRY
    assert repr(ENTRY.details).startswith("Details(title='Lesson', description='', ")
    assert not hasattr(ENTRY, "__dict__")
    with pytest.raises(TypeError):
        Details("Lesson")  # type: ignore[call-arg] # by name only
    with pytest.raises(AttributeError):
        ENTRY.uid = "v"  # type: ignore[misc] # frozen at run time, too
    with pytest.raises(ValueError, match="naive"):
        replace(SPAN, start=SPAN.start.astimezone(), end=SPAN.end + timedelta(hours=1))


def test_the_collector_rests_as_long_as_the_outermost_work_and_works_again_after_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert gc.isenabled()
    frozen: list[int] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(1))
    with pytest.raises(RuntimeError, match="stop"), collector.resting():
        with collector.resting():
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise RuntimeError("stop")
    assert gc.isenabled()
    assert frozen == []


def test_the_collector_stays_off_where_it_was_off() -> None:
    gc.disable()
    try:
        with collector.resting():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_garbage_made_while_the_collector_rests_is_found_afterwards() -> None:
    class Knot:
        alive = 0

        def __init__(self) -> None:
            self.own = self
            Knot.alive += 1

        def __del__(self) -> None:
            Knot.alive -= 1

    with collector.resting():
        for _ in range(10):
            Knot()
    gc.collect()
    assert Knot.alive == 0


def test_commands_that_need_no_network_do_not_wait_for_its_library() -> None:
    script = "import sys, syncd.cli.commands.passes, syncd.cli.commands.state; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
