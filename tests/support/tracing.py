"""Traces branches only where that can tell something: in the tests that may reach one which no other reaches.

Whatever runs under coverage takes two to five times as long, also code that is not measured. So it rests while pytest
collects and sets up, and in the tests of UNTRACED. What modules do while they are imported is measured in the process of
`test_architecture.py` that imports them all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from coverage import Coverage

UNTRACED = (
    "bench",
    "cli/test_waiting_bar.py",
    "crm/test_scale.py",
    "cycle/test_far_dates.py",
    "cycle/test_kill.py",
    "cycle/test_machine.py",
    "cycle/test_never_recovers.py",
    "cycle/test_scale.py",
    "cycle/test_series.py",
    "cycle/test_series_edits.py",
    "cycle/test_series_time.py",
    "cycle/test_wrong_answers.py",
    "model/test_recurrence_memory.py",
    "model/test_recurrence_probes.py",
    "model/test_recurrence_property.py",
    "model/test_recurrence_rfc.py",
    "model/test_series_records.py",
    "portal/probe/test_cut_off.py",
    "portal/test_bad_answers.py",
    "portal/test_exchange.py",
    "portal/test_forecast.py",
    "portal/test_pace.py",
    "portal/test_push.py",
    "portal/test_turns.py",
    "service/test_flat.py",
    "service/test_two_machines.py",
    "source/google/test_series.py",
    "source/graph/test_same_series.py",
    "source/json/test_proof.py",
    "target/test_notices.py",
)
"""Seasons, migrations and crashes that repeat the same lines thousands of times, which others reach as well.

A new test does not belong here; move it only when `pytest --durations=20 --cov` shows that it takes more than a few
seconds under coverage and half as long without, and when the total stays as it was.
"""

_TESTS = Path(__file__).parents[1]
_SUBPROCESSES = "COVERAGE_PROCESS_CONFIG"
"""In this variable coverage tells the processes that a test starts to measure themselves."""


class Tracing:
    """Starts `coverage` for the tests that are to be traced, and stops it after each."""

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Let the processes that a test or its fixtures start measure themselves, or not."""
        told = os.environ.get(_SUBPROCESSES)
        if untraced(item.path):
            os.environ.pop(_SUBPROCESSES, None)
        try:
            return (yield)
        finally:
            if told is not None:
                os.environ[_SUBPROCESSES] = told

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Trace what is closest to the test itself."""
        if untraced(item.path):
            return (yield)
        self._coverage.start()
        try:
            return (yield)
        finally:
            self._coverage.stop()


def untraced(path: Path) -> bool:
    """Return True if the tests of a file run without coverage."""
    return any(path.is_relative_to(_TESTS / one) for one in UNTRACED)


def stop_for_now(config: pytest.Config) -> None:
    """Stop a coverage that runs, and have it go on in the tests that are to be traced.

    A worker of xdist has two more: it is a process that the first has started, and measures itself.
    """
    running = []
    while (one := Coverage.current()) is not None:
        one.stop()
        running.append(one)
    if running:
        config.pluginmanager.register(Tracing(running[0]))
