"""However two machines on one database live, die, stand still and lose their line, each entry ends up there once.

`SYNCD_TWO_LEDGERS_EXAMPLES=500` plays that many sequences, each time others; without it a small fixed set is played.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

pytest.importorskip("psycopg")

from tests.cycle.machine import Row
from tests.cycle.shared_play import NAMES, TTL_S, SharedPlay
from tests.cycle.test_machine import Surroundings, faults, mutations, rows, syncs, uids
from tests.support.database_clock import STANDING, DatabaseClock
from tests.support.hosts import Mishap
from tests.support.mutation import Mutation

EXAMPLES = int(os.environ.get("SYNCD_TWO_LEDGERS_EXAMPLES", "0"))

names = st.sampled_from(NAMES)
changes = st.dictionaries(uids, rows, min_size=1, max_size=6)
mishaps = st.builds(
    Mishap,
    harm=st.sampled_from(("dies", "freezes", "freezes", "is cut off", "is not heard")),
    at=st.sampled_from(("request", "ledger", "ledger", "lease")),
    number=st.integers(1, 25),
    after=st.booleans(),
    seconds=st.sampled_from((1.0, 8.0, 40.0, 1.5 * TTL_S, 400.0)),
)


class Machine(Surroundings):
    clock: DatabaseClock
    play: SharedPlay

    @initialize(
        marker=st.booleans(),
        passes=st.sampled_from((1, 1, 2)),
        private=st.sampled_from((False, False, True)),
        first=changes,
    )
    def begin(self, marker: bool, passes: int, private: bool, first: dict[str, Row]) -> None:
        self.play = SharedPlay(Path(self.folder.name), self.clock, marker=marker, passes=passes, private=private)
        self.playing = self.play.hosts.played(self.play.carrier, self.play.sent)
        self.playing.__enter__()
        self.play.rows["shifts"] = dict(first)
        self.all_up()
        self.play.goes_on(3)

    def all_up(self) -> None:
        for host in self.play.machines:
            self.play.start(host)

    # What people do.

    @rule()
    def webhook_changes_hands(self) -> None:
        for host in self.play.machines:
            self.play.stop(host)
        self.play.hand_over()
        self.all_up()

    @rule()
    def portal_is_restored(self) -> None:
        self.play.restore()

    # What the machines do.

    @rule(name=names)
    def daemon_starts(self, name: str) -> None:
        self.play.start(self.play.machine(name))

    @rule(name=names)
    def daemon_stops(self, name: str) -> None:
        self.play.stop(self.play.machine(name))

    @rule(name=names)
    def daemon_dies(self, name: str) -> None:
        self.play.kill(self.play.machine(name))

    @rule(
        seconds=st.sampled_from((2, 30, 1.2 * TTL_S, 200)),
        sync=syncs,
        change=changes,
        fault=st.lists(faults(), max_size=2),
    )
    def both_go_on(self, seconds: float, sync: str, change: dict[str, Row], fault: list[str]) -> None:
        self.play.rows[sync].update(change)
        self.play.goes_on(seconds, fault, poke=sync)

    @rule(
        harm=mishaps,
        more=st.none() | mishaps,
        to_holder=st.sampled_from((True, True, True, False)),
        seconds=st.sampled_from((5, 1.2 * TTL_S, 200, 600)),
        sync=syncs,
        change=changes,
        fault=st.lists(faults(), max_size=1),
    )
    def harm_is_done(
        self,
        harm: Mishap,
        more: Mishap | None,
        to_holder: bool,
        seconds: float,
        sync: str,
        change: dict[str, Row],
        fault: list[str],
    ) -> None:
        """Have something go wrong while changes are pushed; both machines are up when it begins."""
        self.all_up()
        self.play.goes_on(1)
        self.play.rows[sync].update(change)
        holder = self.play.holder()
        for host in self.play.machines:
            if (host is holder) == to_holder:
                host.arm(harm)
            elif more is not None:
                host.arm(more)
        self.play.goes_on(seconds, fault, poke=sync)

    @rule(name=names, seconds=st.sampled_from((3.0, 0.9 * TTL_S, 1.5 * TTL_S, 1000.0)), cut=st.booleans())
    def machine_is_away_for_a_while(self, name: str, seconds: float, cut: bool) -> None:
        host = self.play.machine(name)
        if host.up:
            self.play.suffers(host, Mishap("is cut off" if cut else "freezes", "lease", 1, False, seconds))

    @rule(name=names)
    def sessions_end(self, name: str) -> None:
        self.play.machine(name).end_sessions()

    @rule(sync=syncs, mutation=mutations())
    def portal_answers_wrongly(self, sync: str, mutation: Mutation) -> None:
        self.play.goes_on(60, (), mutation, poke=sync)

    @rule()
    def lease_is_asked_back(self) -> None:
        self.play.release()
        self.play.goes_on(5)

    @rule(sync=syncs, verify=st.booleans(), force=st.booleans(), change=changes, harm=st.lists(mishaps, max_size=1))
    def command_is_given(
        self, sync: str, verify: bool, force: bool, change: dict[str, Row], harm: list[Mishap]
    ) -> None:
        self.play.rows[sync].update(change)
        self.play.command(sync, verify=verify, force=force, mishaps=harm)

    @rule(sync=syncs, everything=st.booleans(), harm=st.lists(mishaps, max_size=1))
    def is_taken_back(self, sync: str, everything: bool, harm: list[Mishap]) -> None:
        self.play.taken_back(sync, everything=everything, mishaps=harm)

    @rule(name=names, seconds=st.sampled_from((-7200.0, -40.0, 40.0, 7200.0)))
    def clock_of_a_machine_is_set(self, name: str, seconds: float) -> None:
        self.play.machine(name).clock.skew_s += seconds

    @rule(seconds=st.sampled_from((-7200.0, -40.0, 40.0, 7200.0)))
    def clock_of_the_database_is_set(self, seconds: float) -> None:
        self.play.hosts.database_ahead_s += seconds

    @rule(seconds=st.sampled_from((100, 1000, 7 * 3600, 3 * 86400)))
    def all_sleep(self, seconds: int) -> None:
        self.play.stage.clock.advance(seconds)

    @rule(seconds=st.sampled_from((100, 2000)))
    def time_passes(self, seconds: int) -> None:
        self.play.goes_on(seconds)

    def teardown(self) -> None:
        try:
            if hasattr(self, "play"):
                self.play.check_converged()
        finally:
            if hasattr(self, "play"):
                self.play.close()
                self.playing.__exit__(None, None, None)
            self.folder.cleanup()


@pytest.fixture
def clock(postgres_server: str, worker_id: str) -> Iterator[DatabaseClock]:
    made = DatabaseClock(postgres_server, worker_id, STANDING)
    yield made
    made.drop()


def test_whatever_two_machines_on_one_database_go_through_each_entry_ends_up_there_once(clock: DatabaseClock) -> None:
    chosen = settings(
        max_examples=EXAMPLES or 4,
        stateful_step_count=12,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    made = type("TwoMachines", (Machine,), {"clock": clock})
    run_state_machine_as_test(made, settings=chosen)
