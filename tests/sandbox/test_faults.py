"""Faults: their text, when they strike, and what they leave behind (PORTAL.md 1.1, 1.4, 2.1, traps 32, 42)."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import ConfigError
from syncd.sandbox.faults import KINDS, Fault, FaultLine, parse_fault
from syncd.sandbox.settings import Settings, parse_costs
from tests.sandbox.asking import Caller, add_command, portal


def test_a_fault_is_read_with_all_its_conditions() -> None:
    assert parse_fault("slow:request=3-5,every=2,method=User.Get,chance=0.5,times=4,seconds=1.5") == Fault(
        kind="slow", first=3, last=5, every=2, method="user.get", chance=0.5, times=4, seconds=1.5
    )
    assert parse_fault("storm:request=7") == Fault(kind="storm", first=7, last=7)
    assert parse_fault("credentials:request=7-") == Fault(kind="credentials", first=7)
    assert parse_fault("redirect:to=https://b24.example:8443").to == "https://b24.example:8443"
    assert parse_fault("hang").seconds == 3600.0


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("strom", "did you mean storm?"),
        ("", "known faults: storm, error-before"),
        ("storm:keep=3", "'keep=3'"),
        ("storm:often", "'often'"),
        ("storm:request=0", "request=0"),
        ("storm:request=5-3", "request=3"),
        ("storm:chance=2", "chance=2"),
        ("storm:times=no", "times=no"),
        ("slow:seconds=-1", "seconds=-1"),
        ("slow:seconds=inf", "seconds=inf"),
        ("html:status=x", "status=x"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_fault(text)
    assert named in str(caught.value)


@given(st.text())
def test_any_text_is_a_fault_or_a_clear_error(text: str) -> None:
    try:
        fault = parse_fault(text)
    except ConfigError as error:
        assert error.remedy
    else:
        assert fault.kind in KINDS


@pytest.mark.parametrize("text", ["calendar.event.add", "=1", "user.get=x", "user.get=-1", "user.get=nan", "a=inf"])
def test_costs_that_cannot_be_read_are_named(text: str) -> None:
    with pytest.raises(ConfigError, match="METHOD=SECONDS"):
        parse_costs([text])


def test_costs_are_seconds_by_method() -> None:
    costs = parse_costs(["Calendar.Event.Add=0.3", "user.get=0", "user.get=2"])
    settings = Settings(costs_s=costs)
    assert (settings.cost_s("calendar.event.add"), settings.cost_s("user.get")) == (0.3, 2.0)
    assert settings.cost_s("some.other") == 0.05


def strikes(text: str, requests: int = 12, methods: frozenset[str] = frozenset({"a"})) -> list[int]:
    line = FaultLine((parse_fault(text),), Random(7))
    return [number for number in range(1, requests + 1) if line.strike(lambda: methods)]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("storm:request=3-5", [3, 4, 5]),
        ("storm:request=11-", [11, 12]),
        ("storm:every=4", [1, 5, 9]),
        ("storm:request=2-,every=5", [2, 7, 12]),
        ("storm:times=2", [1, 2]),
        ("storm:method=b", []),
        ("storm:method=a,times=1", [1]),
        ("storm:chance=0", []),
    ],
)
def test_conditions_decide_which_requests_are_struck(text: str, numbers: list[int]) -> None:
    assert strikes(text) == numbers


def test_chance_repeats_with_its_seed_and_is_about_right() -> None:
    first, second = strikes("storm:chance=0.3", 1000), strikes("storm:chance=0.3", 1000)
    assert first == second
    assert 230 < len(first) < 370


# what each fault does to a batch of four adds


def outcome(fault: str) -> tuple[Caller, int, bytes, bool, float, int]:
    """Return the caller, status, body, whether cut, duration, and how many events are there afterwards."""
    caller = portal(faults=(fault,))
    response = caller.raw("batch", {"cmd": {f"k{number}": add_command(f"n{number}") for number in range(4)}})
    kept = len(caller.world.events("user", 1))
    return caller, response.status, response.body, response.cut, response.duration_s, kept


@pytest.mark.parametrize(
    ("fault", "status", "error", "kept"),
    [
        ("storm", 503, "QUERY_LIMIT_EXCEEDED", 0),
        ("error-before", 500, "INTERNAL_SERVER_ERROR", 0),
        ("error-after", 500, "INTERNAL_SERVER_ERROR", 4),
        ("credentials", 401, "INVALID_CREDENTIALS", 0),
    ],
)
def test_faults_that_answer_with_an_error(fault: str, status: int, error: str, kept: int) -> None:
    _, got, body, cut, _, events = outcome(fault)
    assert (got, json.loads(body)["error"], cut, events) == (status, error, False, kept)


@pytest.mark.parametrize(
    ("fault", "kept"),
    [("cut-before", 0), ("cut-during", 2), ("cut-during:keep=3", 3), ("cut-during:keep=0", 0), ("cut-after", 4)],
)
def test_a_cut_leaves_a_prefix(fault: str, kept: int) -> None:
    caller, _, _, cut, _, events = outcome(fault)
    assert (cut, events) == (True, kept)
    assert [row.name for row in caller.world.events("user", 1)] == [f"n{number}" for number in range(kept)]


def test_a_late_request_is_executed_after_its_connection_was_cut() -> None:
    caller, _, _, cut, duration, events = outcome("late:seconds=20,times=1")
    assert (cut, events) == (True, 0)
    assert duration < 1
    caller.now += 10
    caller.ask("server.time")
    assert caller.world.events("user", 1) == ()
    caller.now += 10
    caller.ask("server.time")
    assert len(caller.world.events("user", 1)) == 4


def test_a_queued_request_is_executed_after_a_while_though_nobody_may_wait_for_it() -> None:
    caller, status, _, cut, duration, events = outcome("queue:seconds=100,times=1")
    assert (status, cut, events) == (504, False, 0)
    assert duration > 100
    caller.now += 100
    caller.ask("server.time")
    assert len(caller.world.events("user", 1)) == 4


def test_html_half_a_body_and_a_redirect_are_no_json() -> None:
    _, status, body, _, _, events = outcome("html:status=200")
    assert (status, body[:15], events) == (200, b"<!DOCTYPE html>", 0)
    _, status, body, _, _, events = outcome("half")
    assert (status, events) == (200, 4)
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    caller, status, _, _, _, events = outcome("redirect:to=https://new.example/")
    assert (status, events) == (302, 0)
    response = caller.raw("server.time")
    assert response.headers == (("Location", "https://new.example/rest/1/sandboxadmin/server.time"),)


def test_block_refuses_only_its_method_inside_a_batch() -> None:
    caller = portal(faults=("block:method=calendar.event.add",))
    result = caller.batch({"a": add_command(), "b": "server.time", "c": add_command()})
    assert {key: error["error"] for key, error in result["result_error"].items()} == {
        "a": "OPERATION_TIME_LIMIT",
        "c": "OPERATION_TIME_LIMIT",
    }
    assert list(result["result"]) == ["b"]
    assert caller.refused("calendar.event.add")[0] == 429


def test_crash_is_a_500_without_json_after_earlier_commands() -> None:
    caller = portal(faults=("crash:method=server.time",))
    response = caller.raw("batch", {"cmd": {"a": add_command("a"), "b": "server.time", "c": add_command("c")}})
    assert (response.status, response.body) == (500, b"")
    assert [row.name for row in caller.world.events("user", 1)] == ["a"]


def test_slow_commands_and_hanging_answers_take_their_time() -> None:
    _, _, _, _, duration, _ = outcome("slow:method=calendar.event.add,seconds=2")
    assert duration == pytest.approx(4 * 2.08, abs=0.01)
    caller, status, _, _, duration, events = outcome("hang:seconds=600")
    assert (status, events) == (504, 4)
    assert duration > 600
    assert caller.world.traffic.commands["calendar.event.add"] == 4


def test_credentials_are_refused_from_a_request_on() -> None:
    caller = portal(faults=("credentials:request=3-",))
    assert [caller.raw("server.time").status for _ in range(4)] == [200, 200, 401, 401]
