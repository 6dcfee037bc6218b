"""However edits, faults, deaths and losses follow each other, each entry ends up there once, and nothing else touched.

`SYNCD_MACHINE_EXAMPLES=2000` plays that many sequences, each time others; without it a small fixed set is played.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.cycle.machine import PEOPLE, SYNCS, Kill, Play, Row
from tests.cycle.test_wrong_answers import METHODS as MUTATED
from tests.support.mutation import LEAVE_OUT, WRONG, Mutation

EXAMPLES = int(os.environ.get("SYNCD_MACHINE_EXAMPLES", "0"))
KINDS = (
    *("cut-before", "cut-during", "cut-during:keep=1", "cut-after", "late:seconds=40", "late:seconds=5", "half"),
    *("error-before", "error-after", "html", "html:status=502", "redirect", "hang", "storm"),
    *("crash:method=calendar.event.add", "crash:method=calendar.event.update", "crash:method=calendar.event.delete"),
    *("block:method=calendar.event.add", "crash:method=calendar.section.add", "cut-after:method=calendar.section.add"),
    *("late:seconds=40,method=calendar.event.add", "late:seconds=40,method=calendar.section.add"),
    *("queue:seconds=100", "queue:seconds=180,method=calendar.event.add", "late:seconds=150,method=calendar.event.add"),
    *("late:seconds=100,method=calendar.section.add", "queue:seconds=100,method=calendar.event.delete"),
    *("cut-after:method=calendar.event.add", "cut-after:method=calendar.event.delete"),
    *("cut-during:method=calendar.event.update", "error-after:method=calendar.event.add"),
)

rows = st.builds(
    Row,
    title=st.sampled_from(("Early", "Late shift", "Create event for the Select from list", "Ärger & <b>Mut</b>")),
    day=st.sampled_from((-40, -25, 1, 2, 3, 20, 330, 380)),
    hour=st.sampled_from((9, 15)),
    owner=st.sampled_from(sorted(PEOPLE)),
    place=st.sampled_from(("", "Desk 1", "Desk 2")),
    rule=st.sampled_from(
        (
            *("", "", "", "FREQ=WEEKLY;COUNT=3", "FREQ=DAILY;COUNT=3", "FREQ=WEEKLY"),
            "FREQ=WEEKLY;INTERVAL=2;BYDAY={day},{other};COUNT=5",  # two series
            "FREQ=MONTHLY;BYDAY={nth}{day};COUNT=3",  # single events
            "FREQ=DAILY;INTERVAL=3;UNTIL={far}0101T000000",
        )
    ),
)
syncs = st.sampled_from((*SYNCS, SYNCS[0]))
uids = st.sampled_from([f"r{n}" for n in range(7)])


@st.composite
def faults(draw: st.DrawFn) -> str:
    kind, first = draw(st.sampled_from(KINDS)), draw(st.integers(1, 14))
    many = draw(st.sampled_from(("1", "1", "2", "9")))
    joint = "," if ":" in kind else ":"
    if "method=" in kind:
        return f"{kind}{joint}times={many}"
    return f"{kind}{joint}request={first}-,times={many}"


kills = st.builds(
    Kill, at=st.sampled_from(("request", "ledger", "ledger")), number=st.integers(1, 45), after=st.booleans()
)


@st.composite
def mutations(draw: st.DrawFn) -> Mutation:
    where, times = draw(st.integers(0, 10_000)), draw(st.sampled_from((1, 3, 10_000)))
    return Mutation(
        method=draw(st.sampled_from(MUTATED)),
        pick=lambda found: found[where % len(found)] if where % 3 else found[0],
        value=draw(st.sampled_from((*WRONG, LEAVE_OUT))),
        skip=draw(st.integers(0, 5)),
        times=times,
    )


class Surroundings(RuleBasedStateMachine):
    """What happens around syncd, however many there are: people change the schedule, and what stands in the portal."""

    play: Play

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.foreign = 0

    @rule(sync=syncs, uid=uids, row=rows)
    def put_row(self, sync: str, uid: str, row: Row) -> None:
        self.play.rows[sync][uid] = row

    @rule(sync=syncs, uid=uids)
    def remove_row(self, sync: str, uid: str) -> None:
        self.play.rows[sync].pop(uid, None)

    @rule(uid=uids)
    def row_changes_its_source(self, uid: str) -> None:
        one, other = SYNCS
        if row := self.play.rows[one].pop(uid, None):
            self.play.rows[other][uid] = row

    @rule(which=st.integers(0, 6), moves=st.booleans())
    def person_edits(self, which: int, moves: bool) -> None:
        self.play.edit(which, moves=moves)

    @rule(which=st.integers(0, 6))
    def person_deletes(self, which: int) -> None:
        self.play.delete(which)

    @rule()
    def portal_is_backed_up(self) -> None:
        self.play.back_up()

    @rule(owner=st.sampled_from(sorted(PEOPLE.values())))
    def person_adds(self, owner: int) -> None:
        self.foreign += 1
        self.play.add_foreign(owner, self.foreign)


class Machine(Surroundings):
    @initialize(
        marker=st.booleans(),
        passes=st.sampled_from((1, 1, 2)),
        private=st.sampled_from((False, False, True)),
        first=st.dictionaries(uids, rows, max_size=6),
    )
    def begin(self, marker: bool, passes: int, private: bool, first: dict[str, Row]) -> None:
        self.play = Play(Path(self.folder.name), marker=marker, passes=passes, private=private)
        self.play.rows["shifts"] = dict(first)

    @rule(which=st.integers(0, 6))
    def person_takes_an_occurrence_out(self, which: int) -> None:
        self.play.take_out(which)

    @rule(which=st.integers(0, 6))
    def person_makes_the_same_again(self, which: int) -> None:
        self.play.make_again(which)

    @rule(owner=st.sampled_from(sorted(PEOPLE.values())), foreign=st.integers(0, 8))
    def portal_is_restored(self, owner: int, foreign: int) -> None:
        self.play.restore()
        for _ in range(foreign):
            self.person_adds(owner)

    @rule()
    def webhook_changes_hands(self) -> None:
        self.play.hand_over()

    @rule(sync=syncs, uid=uids)
    def person_makes_the_same(self, sync: str, uid: str) -> None:
        if row := self.play.rows[sync].get(uid):
            self.play.imitate(row)

    @rule(owner=st.sampled_from(sorted(PEOPLE.values())))
    def person_deletes_the_section(self, owner: int) -> None:
        self.play.delete_section(owner)

    @rule(sync=syncs, verify=st.booleans(), force=st.booleans())
    def passes(self, sync: str, verify: bool, force: bool) -> None:
        self.play.one_pass(sync, verify=verify, force=force)

    @rule(sync=syncs, verify=st.booleans(), fault=st.lists(faults(), min_size=1, max_size=2))
    def passes_badly(self, sync: str, verify: bool, fault: list[str]) -> None:
        self.play.one_pass(sync, verify=verify, force=True, faults=tuple(fault))

    @rule(sync=syncs, verify=st.booleans(), kill=kills, fault=st.lists(faults(), max_size=1))
    def dies(self, sync: str, verify: bool, kill: Kill, fault: list[str]) -> None:
        self.play.one_pass(sync, verify=verify, force=True, faults=tuple(fault), kill=kill)

    @rule(sync=syncs, verify=st.booleans(), mutation=mutations(), fault=st.lists(faults(), max_size=1))
    def is_answered_wrongly(self, sync: str, verify: bool, mutation: Mutation, fault: list[str]) -> None:
        self.play.one_pass(sync, verify=verify, force=True, faults=tuple(fault), mutation=mutation)

    @rule(sync=syncs, kill=kills, fault=faults(), seconds=st.sampled_from((-7200, 7200, 90_000)), anew=st.booleans())
    def dies_and_the_clock_jumps(self, sync: str, kill: Kill, fault: str, seconds: int, anew: bool) -> None:
        self.play.one_pass(sync, verify=False, force=True, faults=(fault,), kill=kill)
        self.play.set_clock(seconds)
        if anew:
            self.play.start_machine_anew()
        self.play.one_pass(sync, verify=False, force=True)

    @rule(sync=syncs, text=st.sampled_from(("", "<html><body>Log in</body></html>\n", "ID,Shift\n")))
    def source_breaks(self, sync: str, text: str) -> None:
        self.play.broken_pass(sync, text)

    @rule(sync=syncs, everything=st.booleans(), fault=st.lists(faults(), max_size=1), kill=st.none() | kills)
    def is_taken_back(self, sync: str, everything: bool, fault: list[str], kill: Kill | None) -> None:
        self.play.take_back(sync, everything=everything, faults=tuple(fault), kill=kill)

    @rule(seconds=st.sampled_from((60, 7200, 3 * 86400)))
    def clock_is_set_back(self, seconds: int) -> None:
        self.play.set_clock(-seconds)

    @rule(seconds=st.sampled_from((1, 50, 100, 1000, 7 * 3600, 3 * 86400, 20 * 86400)))
    def time_passes(self, seconds: int) -> None:
        self.play.stage.clock.advance(seconds)

    @rule(waf=st.booleans())
    def filter_is_switched(self, waf: bool) -> None:
        self.play.arm(waf=waf)

    @rule()
    def ledger_is_backed_up(self) -> None:
        self.play.back_up_ledger()

    @rule(whole=st.booleans())
    def older_ledger_is_restored(self, whole: bool) -> None:
        self.play.restore_ledger(whole=whole)

    @rule()
    def ledger_is_lost(self) -> None:
        self.play.lose_ledger()

    def teardown(self) -> None:
        try:
            if hasattr(self, "play"):
                self.play.check_converged()
        finally:
            self.folder.cleanup()


def test_whatever_happens_each_entry_ends_up_there_once_and_nothing_else_is_touched() -> None:
    chosen = settings(
        max_examples=EXAMPLES or 30,
        stateful_step_count=12,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    run_state_machine_as_test(Machine, settings=chosen)
