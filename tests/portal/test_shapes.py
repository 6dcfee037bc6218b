"""What the reading methods may answer, and that nothing else is believed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from syncd.errors import PortalUnreachableError
from syncd.model.item import Place
from syncd.portal.line.answers import call_time, read_batch, read_single
from syncd.portal.line.shapes import fault_in
from syncd.portal.line.wire import Command, Done, Unknown
from syncd.portal.people.reading import read_directory, read_sections
from tests.portal.fake import FakePortal
from tests.portal.test_answers import batch, raw
from tests.portal.test_push import portal_of
from tests.portal.test_reading import Pages, paged
from tests.support.simclock import run_virtual

EVENT: dict[str, Any] = {
    "ID": "7", "NAME": "Stand-up", "DATE_FROM_FORMATTED": "Wed Dec 11 2024 17:59:00", "DT_SKIP_TIME": "N",
    "DATE_TO_FORMATTED": "Wed Dec 11 2024 18:59:00", "TZ_FROM": "Europe/Riga", "TZ_TO": "Europe/Riga", "RRULE": "",
    "SECTION_ID": "4", "VERSION": "1", "COLOR": False, "DESCRIPTION": None,
}  # fmt: skip
LISTS = ("calendar.event.get", "calendar.section.get", "user.get", "sonet_group.get", "crm.activity.list", "scope")


@pytest.mark.parametrize("method", LISTS)
@pytest.mark.parametrize("value", [None, False, True, 0, 5, "", "Access denied", {}, {"error": "x"}, [None], [[]], [5]])
def test_nothing_but_a_list_of_rows_is_a_list(method: str, value: Any) -> None:
    assert fault_in(method, value) is not None
    assert fault_in(method, []) is None


@pytest.mark.parametrize("method", ["profile", "user.current", "crm.activity.get"])
@pytest.mark.parametrize("value", [None, False, [], {}, "Access denied", 5])
def test_nothing_but_a_row_is_a_row(method: str, value: Any) -> None:
    assert fault_in(method, value) is not None


def test_an_event_is_believed_with_whatever_stands_for_nothing() -> None:
    assert fault_in("calendar.event.get", [EVENT]) is None
    assert fault_in("calendar.event.getbyid", None) is None
    days = {**EVENT, "DT_SKIP_TIME": "Y", "TZ_FROM": None, "DATE_FROM_FORMATTED": "Wed Dec 11 2024"}
    assert fault_in("calendar.event.getbyid", days) is None
    rule: dict[str, Any] = {"FREQ": "WEEKLY", "INTERVAL": 1, "BYDAY": {"MO": "MO"}, "UNTIL_TS": 5}
    assert fault_in("calendar.event.getbyid", {**EVENT, "RRULE": rule}) is None


@pytest.mark.parametrize(
    "wrong",
    [{"ID": None}, {"ID": "x"}, {"NAME": None}, {"NAME": 5}, {"DATE_FROM_FORMATTED": "Access denied"}, {"RRULE": False},
     {"RRULE": "x"}, {"RRULE": {"FREQ": "DAILY", "INTERVAL": {}}}, {"RRULE": {"FREQ": "WEEKLY", "BYDAY": None}},
     {"SECTION_ID": None}, {"VERSION": {}},
     {"DT_SKIP_TIME": None}, {"TZ_FROM": None}, {"DESCRIPTION": 5}, {"RECURRENCE_ID": ["x"]}, {"PARENT_ID": "x"}],
)  # fmt: skip
def test_a_wrong_column_of_an_event_is_named(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    assert str(fault_in("calendar.event.get", [EVENT, {**EVENT, **wrong}])).startswith(name)
    assert str(fault_in("calendar.event.getbyid", {**EVENT, **wrong})).startswith(name)


def test_a_wrong_answer_that_passes_costs_a_repetition_and_one_that_stays_is_told() -> None:
    async def main() -> None:
        world = FakePortal()
        answers = iter([None, False, [{"ID": "5", "NAME": "Work", "PERM": {"edit": True}}]])
        world.results = lambda method, params: next(answers, None)
        command = Command(method="calendar.section.get", params={"type": "user", "ownerId": 1})
        (reply,) = await portal_of(world).read_many([command])
        assert isinstance(reply, Done)
        (reply,) = await portal_of(world).read_many([command])
        assert isinstance(reply, Unknown)
        assert "calendar.section.get: null where a list" in reply.reason

    run_virtual(main())


def test_sections_that_cannot_be_read_are_not_taken_for_none() -> None:
    async def main() -> None:
        world = FakePortal()
        world.results = lambda method, params: [] if params.get("ownerId") == "1" else None
        places = [Place(kind="user", owner=1), Place(kind="user", owner=2)]
        assert set(await read_sections(portal_of(world), places)) == {"user/1"}

    run_virtual(main())


def test_a_caller_who_cannot_be_read_is_not_taken_for_nobody() -> None:
    async def main() -> None:
        world = FakePortal()
        world.results = lambda method, params: [] if method == "user.get" else "Access denied"
        with pytest.raises(PortalUnreachableError, match="syncd's user could not be read"):
            await read_directory(portal_of(world), now=0.0, groups=False)

    run_virtual(main())


@pytest.mark.parametrize("spoil", [lambda page: page.pop("next", None), lambda page: page.update(next=None)])
def test_a_page_without_a_next_one_is_the_last_only_if_the_total_says_so(spoil: Any) -> None:
    async def main() -> None:
        world = paged(Pages(120))
        turn = world.results

        def spoiled(method: str, params: dict[str, str]) -> Any:
            page = turn(method, params)
            if int(params.get("start", 0)) == 0:
                spoil(page)
                page.pop("total", None)
            return page

        world.results = spoiled
        assert len(await portal_of(world).read_pages("user.get", {})) == 120

    run_virtual(main())


@pytest.mark.parametrize("nonsense", ["soon", False, [], {}, -50, 1e308, 10**30])
def test_a_next_page_that_is_no_number_is_a_failed_read(nonsense: Any) -> None:
    async def main() -> None:
        world = paged(Pages(120))
        turn = world.results
        world.results = lambda method, params: {**turn(method, params), "next": nonsense}
        with pytest.raises(PortalUnreachableError, match="next is"):
            await portal_of(world).read_pages("user.get", {})

    run_virtual(main())


def test_fewer_rows_than_the_portal_counts_are_a_failed_read() -> None:
    async def main() -> None:
        world = FakePortal()
        world.results = lambda method, params: {"result": [], "total": 7}
        with pytest.raises(PortalUnreachableError, match="0 of 7 rows"):
            await portal_of(world).read_pages("user.get", {})

    run_virtual(main())


@pytest.mark.parametrize("error", [None, False, [], {}, {"error": None}, {"error": []}, {"x": 1}])
def test_an_error_without_a_code_leaves_the_command_unknown(error: Any) -> None:
    (outcome,) = read_batch(batch(result_error={"c0": error}), ("c0",)).replies
    assert isinstance(outcome, Unknown)
    assert outcome.ended
    if isinstance(error, dict) and "error" in error:
        (outcome,) = read_single(raw({**error, "result": 5})).replies
        assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("nonsense", [-1, 1e308, 10**30, "1e400", "nan", float(10**12)])
def test_numbers_of_time_that_cannot_be_are_left_out(nonsense: Any) -> None:
    names = ("start", "finish", "duration", "operating", "operating_reset_at")
    read = call_time(dict.fromkeys(names, nonsense))
    assert read is not None
    assert not any(getattr(read, name) for name in names)


def test_the_event_loop_is_left_free() -> None:
    """A huge total makes no huge list of pages."""

    async def main() -> None:
        world = FakePortal()
        world.results = lambda method, params: {"result": [{"ID": "1"}], "total": 10**9, "next": 50}
        with pytest.raises(PortalUnreachableError, match="no last page"):
            await asyncio.wait_for(portal_of(world).read_pages("user.get", {}), 600)

    run_virtual(main())
