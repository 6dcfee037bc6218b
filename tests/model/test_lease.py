"""Leases: a tenure ends on time, and machines share portals fairly without moving more than they must."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import LostLeaseError, StoppedError
from syncd.model.lease import Lease, LeaseTerms, Member, OtherClock, shares, units
from syncd.model.tenure import Tenure

NAMES = [f"p{number:02}" for number in range(12)]
MACHINES = ["one", "two", "three", "four"]
TERMS = LeaseTerms()


class Ticks:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def tenure(clock: Ticks, terms: LeaseTerms = TERMS) -> Tenure:
    return Tenure("main", "one", 1, clock=clock, deadline=terms.deadline(clock.now))


def member(name: str, **portals: int) -> Member:
    return Member(holder=name, left_s=10.0, portals=portals)


def lease(portal: str, holder: str, left_s: float = 10.0) -> Lease:
    return Lease(portal=portal, holder=holder, epoch=1, left_s=left_s)


def test_a_tenure_ends_a_margin_before_the_lease_does() -> None:
    clock = Ticks()
    one = tenure(clock)
    clock.now += 11.99
    one.check()
    clock.now += 0.02
    with pytest.raises(LostLeaseError, match="main: it was not renewed in time"):
        one.check()


def test_a_renewal_counts_from_before_the_question() -> None:
    clock, terms = Ticks(), LeaseTerms(ttl_s=10, renew_s=2, margin_s=1)
    one = tenure(clock, terms)
    asked_at = clock.now + 2
    clock.now += 5  # the answer took three seconds
    one.renewed(terms.deadline(asked_at))
    assert one.left_s() == pytest.approx(6)


def test_a_tenure_that_is_over_is_not_renewed() -> None:
    clock = Ticks()
    one = tenure(clock)
    clock.now += 60  # as after a suspension
    one.renewed(clock.now + 12)
    assert not one.valid()


def test_an_ended_tenure_tells_the_first_reason_and_stops_the_pass() -> None:
    one = tenure(Ticks())
    one.end("it was given back")
    one.end("another reason")
    with pytest.raises(StoppedError, match="it was given back"):
        one.check()


def test_a_tenure_that_has_run_out_says_so_also_after_it_was_ended() -> None:
    clock = Ticks()
    one = tenure(clock)
    clock.now += 60
    one.end("it was given back")
    assert one.why() == "it was not renewed in time"


@pytest.mark.parametrize("terms", [(0, 5, 3), (15, 12, 3), (15, 5, 0), (15, 5, 10)])
def test_terms_by_which_no_lease_can_be_kept_are_refused(terms: tuple[float, float, float]) -> None:
    ttl, renew, margin = terms
    with pytest.raises(ValueError, match="must"):
        LeaseTerms(ttl_s=ttl, renew_s=renew, margin_s=margin)


def test_who_holds_a_portal_keeps_it_while_that_is_fair() -> None:
    both = [member("one", a=1, b=1), member("two", a=1, b=1)]
    held = [lease("a", "two"), lease("b", "one")]
    assert shares(both, held) == {"a": "two", "b": "one"}


def test_a_machine_that_joins_gets_its_share() -> None:
    names = dict.fromkeys(NAMES, 1)
    plan = shares([member("one", **names), member("two", **names)], [lease(name, "one") for name in NAMES])
    assert sorted(plan.values()).count("two") == 6


def test_shares_are_counted_in_syncs() -> None:
    portals = {"large": 6, "a": 2, "b": 2, "c": 2}
    plan = shares([member("one", **portals), member("two", **portals)], [])
    assert {plan[name] for name in "abc"} != {plan["large"]}
    assert len({plan[name] for name in "abc"}) == 1


def test_the_portals_of_a_machine_that_died_go_to_the_others() -> None:
    names = dict.fromkeys(NAMES[:4], 1)
    dead = replace(member("one", **names), left_s=0.0)
    held = [lease(NAMES[0], "one", 0.0), lease(NAMES[1], "one", 0.0), lease(NAMES[2], "two"), lease(NAMES[3], "three")]
    plan = shares([dead, member("two", **names), member("three", **names)], held)
    assert sorted(plan[name] for name in NAMES[:2]) == ["three", "two"]
    assert (plan[NAMES[2]], plan[NAMES[3]]) == ("two", "three")


def test_a_lease_that_has_not_ended_is_waited_for() -> None:
    assert shares([member("two", a=1)], [lease("a", "gone")]) == {}
    assert shares([member("two", a=1)], [lease("a", "gone", 0.0)]) == {"a": "two"}


def test_a_machine_that_leaves_gets_nothing_and_keeps_nothing() -> None:
    leaving = replace(member("one", a=1, b=1), leaving=True)
    held = [lease("a", "one"), lease("b", "one", 0.0)]
    assert shares([leaving, member("two", a=1, b=1)], held) == {"b": "two"}


def test_a_portal_that_was_asked_back_goes_to_another_machine_if_there_is_one() -> None:
    asked = replace(lease("a", "one"), avoids="one")
    assert shares([member("one", a=1), member("two", a=1)], [asked]) == {"a": "two"}
    assert shares([member("one", a=1)], [asked]) == {"a": "one"}


def test_a_portal_goes_only_to_who_has_it_in_the_config() -> None:
    plan = shares([member("one", a=1, b=1, c=1), member("two", c=1)], [])
    assert plan == {"a": "one", "b": "one", "c": "two"}


portals_of = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 9), max_size=len(NAMES))
members_of = st.lists(
    st.builds(
        Member,
        holder=st.sampled_from(MACHINES),
        left_s=st.sampled_from([0.0, 5.0]),
        portals=portals_of,
        leaving=st.sampled_from([False, False, True]),
    ),
    unique_by=lambda one: one.holder,
)
leases_of = st.lists(
    st.builds(
        Lease,
        portal=st.sampled_from(NAMES),
        holder=st.sampled_from([*MACHINES, "a command", ""]),
        epoch=st.just(1),
        left_s=st.sampled_from([0.0, 5.0]),
        avoids=st.sampled_from(["", "", *MACHINES]),
    ),
    unique_by=lambda one: one.portal,
)


@given(members_of, leases_of)
def test_every_machine_works_out_the_same_shares(members: list[Member], leases: list[Lease]) -> None:
    plan = shares(members, leases)
    assert shares(list(reversed(members)), list(reversed(leases))) == plan


@given(members_of, leases_of)
def test_portals_go_to_the_living_who_can_serve_them_and_none_is_forgotten(
    members: list[Member], leases: list[Lease]
) -> None:
    plan = shares(members, leases)
    held = {one.portal: one for one in leases}
    alive = {one.holder: one for one in members if one.left_s > 0 and not one.leaving}
    assert all(portal in alive[holder].portals for portal, holder in plan.items())
    for portal in {name for one in alive.values() for name in one.portals} - plan.keys():
        assert held[portal].held
        assert held[portal].holder not in alive or portal not in alive[held[portal].holder].portals


@given(members_of, leases_of)
def test_what_was_shared_out_stays_as_it_is(members: list[Member], leases: list[Lease]) -> None:
    plan = shares(members, leases)
    taken = {one.portal: one for one in leases if one.portal not in plan}
    avoids = {one.portal: one.avoids for one in leases}
    taken |= {name: replace(lease(name, holder), avoids=avoids.get(name, "")) for name, holder in plan.items()}
    again = shares(members, taken.values())
    assert {portal: again[portal] for portal in plan} == plan


@given(members_of, leases_of)
def test_no_single_portal_could_be_moved_to_make_it_fairer(members: list[Member], leases: list[Lease]) -> None:
    plan = shares(members, [replace(one, avoids="") for one in leases])
    alive = [one for one in members if one.left_s > 0 and not one.leaving]
    weight = {name: max((one.portals.get(name, 0) for one in alive), default=0) for name in plan}
    load = {one.holder: sum(weight[name] for name, who in plan.items() if who == one.holder) for one in alive}
    for portal, holder in plan.items():
        for other in alive:
            if portal in other.portals:
                assert load[other.holder] + weight[portal] >= load[holder]


def test_only_the_portals_of_the_dead_move() -> None:
    everybody = dict.fromkeys(NAMES, 1)
    three = [member(name, **everybody) for name in MACHINES[:3]]
    even = [lease(name, MACHINES[index % 3]) for index, name in enumerate(NAMES)]
    gone = [replace(three[0], left_s=0.0), *three[1:]]
    left = [replace(one, left_s=0.0) if one.holder == "one" else one for one in even]
    plan = shares(gone, left)
    assert all(plan[one.portal] == one.holder for one in left if one.holder != "one")


def test_portals_that_one_sync_reads_and_writes_belong_together() -> None:
    assert units([("main",), ("main", "other"), ("third",), ("other", "fourth")]) == {
        "fourth": ("fourth", "main", "other"),
        "third": ("third",),
    }


@given(st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)))
def test_units_part_the_portals(ties: list[list[str]]) -> None:
    found = units(ties)
    members = [name for names in found.values() for name in names]
    assert sorted(members) == sorted({name for tie in ties for name in tie})
    assert all(key == min(names) for key, names in found.items())
    assert all(any(set(tie) <= set(names) for names in found.values()) for tie in ties)


def watched(*shown: tuple[float, float]) -> OtherClock:
    """Return a clock that was seen at these moments by the other one, each time without delay."""
    clock = OtherClock()
    for now, there in shown:
        clock.seen(there, LeaseTerms(), asked_at=now, now=now)
    return clock


def test_after_the_database_s_clock_was_set_forward_no_lease_counts_as_run_out_for_the_time_of_one() -> None:
    clock = watched((0.0, 1000.0), (5.0, 1005.0), (10.0, 1040.0), (15.0, 1045.0))
    assert clock.doubted(24.9)
    assert not clock.doubted(25.0)


@pytest.mark.parametrize(
    "shown",
    [
        [(0.0, 1000.0)],
        [(0.0, 1000.0), (5.0, 1005.2), (10.0, 1010.1)],  # one runs a little faster
        [(0.0, 1000.0), (5.0, 205.0)],  # set back: leases last longer then
    ],
)
def test_a_clock_that_was_not_set_forward_is_believed(shown: list[tuple[float, float]]) -> None:
    assert not watched(*shown).doubted(shown[-1][0])


def test_an_answer_that_was_slow_is_no_step() -> None:
    clock = watched((0.0, 1000.0))
    clock.seen(1008.0, LeaseTerms(), asked_at=1.0, now=8.5)
    clock.seen(1009.0, LeaseTerms(), asked_at=8.6, now=9.0)
    assert not clock.doubted(9.0)
    clock.seen(1014.0, LeaseTerms(), asked_at=10.0, now=10.1)  # and hides none
    assert clock.doubted(10.1)


def test_a_clock_that_runs_a_little_faster_for_days_is_believed() -> None:
    assert not watched(*((5.0 * n, 1000.0 + 5.001 * n) for n in range(50_000))).doubted(250_000.0)
