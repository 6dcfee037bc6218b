"""Traces branches only where that can tell something: in the tests that may reach one which no other reaches.

Whatever runs under coverage takes two to five times as long, also code that is not measured. So it rests while pytest
collects and sets up, and in the tests of UNTRACED. What modules do while they are imported is measured in the process
of `test_architecture.py` that imports them all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from coverage import Coverage

UNTRACED = (
    "bench",
    "cases/test_fuzz.py",
    "cli/test_bulk.py::test_a_migration_stopped_by_a_signal_goes_on_where_it_was",
    "cli/test_google.py",
    "cli/test_waiting_bar.py",
    "config/test_toml_lines.py::test_any_document_is_scanned_completely",
    "crm/test_scale.py",
    "cycle/test_application.py::test_one_lost_renewal_after_another_authorisation_never_locks_out",
    "cycle/test_conflicts.py",
    "cycle/test_damaged.py",
    "cycle/test_failed_kept.py",
    "cycle/test_far_dates.py",
    "cycle/test_faults.py",
    "cycle/test_identity.py",
    "cycle/test_kill.py",
    "cycle/test_late.py",
    "cycle/test_late_updates.py",
    "cycle/test_machine.py",
    "cycle/test_never_recovers.py",
    "cycle/test_pieces.py",
    "cycle/test_recovery.py::test_an_event_with_a_mark_that_a_person_moved_before_its_answer_was_noted_is_found_again",
    "cycle/test_restored.py",
    "cycle/test_scale.py",
    "cycle/test_series.py",
    "cycle/test_series_bad.py",
    "cycle/test_series_edits.py",
    "cycle/test_series_index.py::test_one_new_series_of_many_does_not_have_all_written_again",
    "cycle/test_series_refused.py",
    "cycle/test_series_time.py",
    "cycle/test_settled.py::test_a_plan_that_is_recognised_is_the_one_that_a_whole_pass_makes",
    "cycle/test_taken_over.py",
    "cycle/test_taking.py::test_an_undo_whose_answers_get_lost_does_everything_once",
    "cycle/test_unknown.py",
    "cycle/test_vanished.py",
    "cycle/test_wrong_answers.py",
    "model/test_markup.py::test_no_bomb_takes_long_or_grows",
    "model/test_recurrence_compile.py::TestTime::test_nights_across_the_switches_keep_their_hours",
    "model/test_recurrence_fewest.py",
    "model/test_recurrence_memory.py",
    "model/test_recurrence_probes.py",
    "model/test_recurrence_property.py",
    "model/test_recurrence_rfc.py",
    "model/test_series_records.py",
    "model/test_zones.py::test_every_iana_name_becomes_an_accepted_name_with_the_same_local_time",
    "portal/probe/test_cut_off.py",
    "portal/test_bad_answers.py",
    "portal/test_cut_renewals.py",
    "portal/test_exchange.py",
    "portal/test_forecast.py",
    "portal/test_pace.py",
    "portal/test_permit.py",
    "portal/test_push.py",
    "portal/test_turns.py",
    "sandbox/test_dispatch.py::test_five_thousand_batched_adds_are_quick_and_all_there",
    "sandbox/test_world_properties.py",
    "service/test_daemon.py::test_a_cron_runs_at_its_times_for_days_through_the_change_of_the_clock",
    "service/test_edits.py::test_a_flood_of_foreign_events_is_worked_off_in_bounded_steps_and_the_edit_behind_it_is_seen",
    "service/test_edits.py::test_edits_in_random_order_with_tokens_that_run_out_are_all_put_right_and_nothing_is_doubled",
    "service/test_flat.py",
    "service/test_leaks.py::test_no_command_tells_a_secret_whatever_sources_and_portal_answer",
    "service/test_two_machines.py",
    "source/caldav/test_broken.py::test_a_home_of_20000_calendars_is_refused_until_some_are_named",
    "source/google/test_series.py",
    "source/graph/test_same_series.py",
    "source/json/test_proof.py",
    "source/test_guess.py::test_headings_of_dates_and_times_give_a_readable_table_in_any_combination",
    "source/test_hostile_workbooks.py::test_empty_cells_far_away_and_long_or_wide_tables_are_no_trouble",
    "source/test_ics_same_zone.py::test_series_in_a_zone_under_an_unknown_name_are_shown_as_under_its_own",
    "state/test_model.py",
    "target/test_notices.py",
    "test_events.py",
)
"""Folders, files, classes and tests that repeat the same lines thousands of times, which others reach as well.

They are seasons, migrations, crashes, floods, and what is tried at random or at any byte. A new test does not belong
here; name it only when `pytest --durations=20 --cov` shows that it takes more than a few seconds under coverage and
half as long without, and when the total stays as it was.
"""

_UNTRACED = re.compile(f"tests/(?:{'|'.join(map(re.escape, UNTRACED))})(?=/|::|\\[|$)")
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
        if untraced(item.nodeid):
            os.environ.pop(_SUBPROCESSES, None)
        try:
            return (yield)
        finally:
            if told is not None:
                os.environ[_SUBPROCESSES] = told

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Trace what is closest to the test itself."""
        if untraced(item.nodeid):
            return (yield)
        self._coverage.start()
        try:
            return (yield)
        finally:
            self._coverage.stop()


def untraced(nodeid: str) -> bool:
    """Return True if a test runs without coverage."""
    return _UNTRACED.match(nodeid) is not None


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
