"""Promises of the simulated portal: nothing a caller sends breaks it, and its indexes never drift from its rows."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.errors import ConfigError
from syncd.sandbox.php.wire import PortalRequest
from syncd.sandbox.settings import Settings
from syncd.sandbox.world import World
from tests.sandbox.asking import Caller, portal

METHODS = sorted(
    {"batch", *json.loads(portal().raw("methods", {"full": True}).body)["result"]} - {"methods", "scope", "server.time"}
)
NAMES = (
    *("type", "ownerId", "id", "name", "from", "to", "from_ts", "to_ts", "skip_time", "timezone_from", "timezone_to"),
    *(
        "section",
        "auto_detect_section",
        "description",
        "color",
        "accessibility",
        "importance",
        "private_event",
        "rrule",
    ),
    *("is_meeting", "attendees", "host", "meeting", "location", "remind", "crm_fields", "recurrence_mode", "access"),
    *("current_date_from", "FILTER", "ORDER", "start", "SORT", "cmd", "halt", "ID", "days", "text_color"),
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["", "0", "Y", "N", "1", "user", "group", "company_calendar", "this", "next", "all", "calendar_41"]
    ),
    st.sampled_from(
        ["2026-12-01T10:00", "2026-12-03", "junk", "Europe/Riga", "20.12.2026", "9999-12-31", "0001-01-01"]
    ),
    st.text(max_size=8),
)
RULES = st.fixed_dictionaries(
    {"FREQ": st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])},
    optional={
        "INTERVAL": SCALARS,
        "COUNT": SCALARS,
        "UNTIL": SCALARS,
        "BYDAY": st.one_of(SCALARS, st.lists(SCALARS, max_size=3)),
    },
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner))
PARAMS = st.dictionaries(st.sampled_from(NAMES), VALUES | RULES, max_size=12)
PLAUSIBLE = st.fixed_dictionaries(
    {
        "type": st.just("user"),
        "ownerId": st.integers(1, 4),
        "id": st.integers(1, 12),
        "name": st.sampled_from(["a", "b"]),
        "from": st.sampled_from(["2026-12-01T10:00", "2026-12-05", "2026-12-07T23:30"]),
        "to": st.sampled_from(["2026-12-01T11:00", "2026-12-06", "2026-12-08T01:00"]),
    },
    optional={
        "section": st.sampled_from([0, 1, 2, 3, 50]),
        "rrule": RULES,
        "is_meeting": st.sampled_from(["Y", "N"]),
        "attendees": st.lists(st.integers(1, 6), max_size=4),
        "host": st.integers(1, 4),
        "meeting": st.just({"reinvite": "1"}),
        "location": st.sampled_from(["", "calendar_41", "calendar_42", "ECMR_1", "Hall"]),
        "recurrence_mode": st.sampled_from(["this", "next", "all"]),
        "current_date_from": st.sampled_from(["2026-12-01", "2026-12-03", "2026-12-08"]),
        "skip_time": st.sampled_from(["Y", "N"]),
    },
)


def checked(caller: Caller, method: str, params: dict[str, Any]) -> None:
    """Send a request and require an answer that a portal could give."""
    response = caller.raw(method, params)
    caller.now += 1.0
    assert response.status in (200, 400, 401, 403, 404, 500, 503)
    if response.status == 500:
        assert response.body == b"", "a PHP Error has no JSON"
        return
    answer = json.loads(response.body)
    assert ("result" in answer) is (response.status == 200)
    assert ("error" in answer) is (response.status != 200)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(METHODS), PARAMS), min_size=1, max_size=4))
def test_no_parameters_break_the_portal(requests: list[tuple[str, dict[str, Any]]]) -> None:
    caller = portal()
    for method, params in requests:
        checked(caller, method, params)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.binary(max_size=60), st.sampled_from(["application/json", "", "multipart/form-data"]))
def test_no_request_breaks_the_portal(tail: str, body: bytes, content_type: str) -> None:
    caller = portal()
    for path in (caller.path(tail), f"/rest/{tail}", tail, caller.path("batch")):
        request = PortalRequest(path=path, query=tail, content_type=content_type, body=body)
        assert caller.send(request).status in (200, 400, 401, 404)


ACTIONS = st.sampled_from(
    [
        "calendar.event.add",
        "calendar.event.update",
        "calendar.event.delete",
        "calendar.section.delete",
        "calendar.section.add",
    ]
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(ACTIONS, PLAUSIBLE, st.booleans()), min_size=3, max_size=14))
def test_indexes_never_drift_from_the_rows(actions: list[tuple[str, dict[str, Any], bool]]) -> None:
    caller = portal(tariff="self-hosted")
    for method, params, as_admin in actions:
        caller.user = 1 if as_admin else 2
        checked(caller, method, params)
    assert_consistent(caller.world)


def assert_consistent(world: World) -> None:
    """Compare every index with what the rows themselves say."""
    tables = world.tables
    rows = {row.id: row for row in tables.all_events()}
    by_calendar, by_section, copies, instances = (defaultdict[Any, set[int]](set) for _ in range(4))
    for row in rows.values():
        by_calendar[row.calendar].add(row.id)
        by_section[row.section_id].add(row.id)
        if row.is_copy:
            copies[row.parent_id].add(row.id)
            assert row.parent_id in rows, "a copy outlived its event"
        if row.recurrence_id is not None:
            instances[row.recurrence_id].add(row.id)
    for calendar in {*by_calendar, *tables.calendars()}:
        assert {row.id for row in world.events(*calendar)} == by_calendar[calendar]
    for number in {*by_section, *tables.sections}:
        assert {row.id for row in tables.events_in(number)} == by_section[number]
    for number in rows:
        assert {row.id for row in tables.copies_of(number)} == copies[number]
        assert {row.id for row in tables.instances_of(number)} == instances[number]
    for row in rows.values():
        guests = {copy.owner_id for copy in tables.copies_of(row.id) if copy.cal_type == "user"}
        if not row.is_copy:
            # a guest's copy may be missing: their section was deleted with everything in it
            assert guests <= (set(row.attendees) if row.is_meeting else set())
            assert row.calendar not in {("user", user) for user in guests}


@pytest.mark.parametrize(("change", "named"), [({"tariff": "gold"}, "gold"), ({"jitter": 1.0}, "jitter 1.0")])
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        Settings(**change)
