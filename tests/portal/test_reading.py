"""Reading: repeated until it is answered, in order, page by page, never in circles."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from syncd.errors import PortalRefusedError, PortalUnreachableError
from syncd.portal.client import CommandRefusedError
from syncd.portal.line.remedies import unread
from syncd.portal.line.wire import Command, Done, Refused, Unknown
from tests.portal.fake import ADD, FakePortal, Ledger, jobs_of
from tests.portal.test_push import portal_of
from tests.support.simclock import run_virtual


def test_a_read_is_repeated_until_it_is_answered() -> None:
    async def main() -> None:
        faults = iter(["html", "503", "connect"])
        world = FakePortal(faults=lambda: next(faults, None))
        world.results = lambda method, params: {"ID": "1"}
        portal = portal_of(world)
        assert await portal.read("profile", {}) == {"ID": "1"}
        assert world.requests == 4
        assert portal.server_offset_s == 10_800
        assert asyncio.get_running_loop().time() < 20

    run_virtual(main())


@pytest.mark.parametrize("fault", ["connect", "silence", "html", "cut after"])
def test_a_portal_that_never_answers_is_given_up_soon(fault: str) -> None:
    async def main() -> None:
        with pytest.raises(PortalUnreachableError, match=r"https://demo\.bitrix24\.com") as caught:
            await portal_of(FakePortal(faults=lambda: fault)).read("profile", {})
        assert "topsecretcode" not in str(caught.value)
        assert asyncio.get_running_loop().time() < (700 if fault == "silence" else 30)

    run_virtual(main())


def test_a_storm_of_refusals_for_the_rate_ends_in_an_error_at_last() -> None:
    async def main() -> None:
        with pytest.raises(PortalUnreachableError, match=r"QUERY_LIMIT_EXCEEDED.*another program"):
            await portal_of(FakePortal(faults=lambda: "503")).read("profile", {})

    run_virtual(main())


def test_a_refused_read_says_what_the_portal_said() -> None:
    async def main() -> None:
        world = FakePortal()
        world.refuse = lambda m, p: {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"}
        with pytest.raises(CommandRefusedError) as caught:
            await portal_of(world).read("no.such", {})
        assert caught.value.code == "ERROR_METHOD_NOT_FOUND"
        assert "no.such" in str(caught.value)
        assert world.requests == 1

    run_virtual(main())


def test_a_refused_caller_is_told_apart() -> None:
    async def main() -> None:
        world = FakePortal(faults=lambda: '{"error": "INVALID_CREDENTIALS", "error_description": "no"}')
        with pytest.raises(PortalRefusedError, match="new inbound webhook"):
            await portal_of(world).read("profile", {})
        with pytest.raises(PortalRefusedError):
            await portal_of(world).read_many([Command(method="profile", params={})])

    run_virtual(main())


def test_many_reads_keep_their_order_and_each_its_own_outcome() -> None:
    async def main() -> None:
        world = FakePortal(costs=lambda m: 0.01)
        world.results = lambda method, params: params["uid"]
        world.refuse = lambda m, p: {"error": "", "error_description": "no"} if p["uid"] == "7" else None
        commands = [Command(method=f"m.{n % 3}", params={"uid": str(n)}) for n in range(120)]
        replies = await portal_of(world).read_many(commands)
        assert [o.result for o in replies if isinstance(o, Done)] == [str(n) for n in range(120) if n != 7]
        assert isinstance(replies[7], Refused)
        assert world.requests <= 8

    run_virtual(main())


def test_a_scope_missing_for_one_read_does_not_stop_the_others() -> None:
    async def main() -> None:
        world = FakePortal()
        world.refuse = lambda m, p: {"error": "insufficient_scope"} if m == "user.current" else None
        replies = await portal_of(world).read_many([Command(method="profile"), Command(method="user.current")])
        assert isinstance(replies[0], Done)
        assert isinstance(replies[1], Refused)

    run_virtual(main())


def test_what_stays_unknown_in_a_batch_of_reads_is_told_as_unknown() -> None:
    async def main() -> None:
        world = FakePortal()
        world.refuse = lambda m, p: {"error": "INTERNAL_SERVER_ERROR"} if p.get("uid") == "1" else None
        commands = [Command(method="m.x", params={"uid": str(n)}) for n in range(3)]
        replies = await portal_of(world).read_many(commands)
        assert [type(outcome) for outcome in replies] == [Done, Unknown, Done]

    run_virtual(main())


def test_no_commands_need_no_request() -> None:
    async def main() -> None:
        world = FakePortal()
        assert await portal_of(world).read_many([]) == ()
        assert world.requests == 0

    run_virtual(main())


class Pages:
    """A list method with its traps (PORTAL.md 6.9): `next` only when there is more, page one again past the end."""

    def __init__(self, count: int, *, total: bool = True) -> None:
        self.rows: list[Any] = [{"ID": str(n)} for n in range(1, count + 1)]
        self.total = total

    def page(self, start: int) -> dict[str, Any]:
        start -= start % 50
        start = start if start < len(self.rows) else 0
        page: dict[str, Any] = {"result": self.rows[start : start + 50]}
        if self.total:
            page["total"] = len(self.rows)
        if start + 50 < len(self.rows):
            page["next"] = start + 50
        return page


def paged(pages: Pages) -> FakePortal:
    world = FakePortal(costs=lambda m: 0.05)
    world.results = lambda method, params: pages.page(int(params.get("start", 0)))
    return world


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 101, 730])
@pytest.mark.parametrize("total", [True, False])
def test_all_pages_are_read_once_and_in_order(count: int, total: bool) -> None:
    async def main() -> int:
        world = paged(Pages(count, total=total))
        rows = await portal_of(world).read_pages("user.get", {"FILTER": {"ACTIVE": 1}})
        assert [row["ID"] for row in rows] == [str(n) for n in range(1, count + 1)]  # type: ignore[index, call-overload] # rows are objects
        return world.requests

    requests = run_virtual(main())
    if total:
        assert requests <= 3


def test_rows_that_move_between_pages_come_once() -> None:
    async def main() -> None:
        pages = Pages(120)
        pages.rows[60] = pages.rows[49]
        rows = await portal_of(paged(pages)).read_pages("user.get", {})
        assert len(rows) == 119

    run_virtual(main())


def test_rows_that_go_away_between_pages_end_the_reading_quietly() -> None:
    async def main() -> None:
        pages = Pages(101)
        world = paged(pages)
        turn = world.results

        def shrinking(method: str, params: dict[str, str]) -> Any:
            page = turn(method, params)
            del pages.rows[95:]
            return page

        world.results = shrinking
        rows = await portal_of(world).read_pages("user.get", {})
        assert len(rows) == 95

    run_virtual(main())


def test_rows_that_php_wrote_as_an_object_are_rows() -> None:
    async def main() -> None:
        world = FakePortal()
        world.results = lambda method, params: {
            "result": {"1": {"ID": "5", "NAME": "A"}, "3": {"ID": "6", "NAME": "B"}}
        }
        rows = await portal_of(world).read_pages("sonet_group.get", {})
        assert rows == ({"ID": "5", "NAME": "A"}, {"ID": "6", "NAME": "B"})

    run_virtual(main())


@pytest.mark.parametrize("nexts", [[50, 50], [50, 0], [50]])
def test_pages_that_go_in_circles_or_never_end_are_an_error(nexts: list[int]) -> None:
    async def main() -> None:
        asked = iter(nexts)

        class Circling(Pages):
            def page(self, start: int) -> dict[str, Any]:
                at = next(asked, None)
                return {"result": [{"ID": str(start + 1)}], "total": 10**9 if len(nexts) == 1 else 60, "next": at}

        with pytest.raises(PortalUnreachableError, match=r"circles|last page"):
            await portal_of(paged(Circling(1))).read_pages("user.get", {})

    run_virtual(main())


def test_reading_goes_on_while_a_push_waits_for_its_budget() -> None:
    async def main() -> None:
        world = FakePortal()
        portal = portal_of(world)
        stop = asyncio.Event()
        push = asyncio.ensure_future(portal.push(jobs_of(ADD, 3000), Ledger(), stop))
        await asyncio.sleep(400)
        began = asyncio.get_running_loop().time()
        await portal.read("profile", {})
        assert asyncio.get_running_loop().time() - began < 2
        stop.set()
        await push
        await portal.close()
        assert world.closed

    run_virtual(main())


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ('{"error": "INVALID_CREDENTIALS", "error_description": "no"}', PortalRefusedError, "refuses the webhook"),
        ("html", PortalUnreachableError, "does not answer"),
    ],
)
def test_where_every_call_fails_that_is_told_and_not_the_first_of_them(
    fault: str, error: type[Exception], said: str
) -> None:
    taken: list[int] = []

    async def main() -> None:
        portal = portal_of(FakePortal(faults=lambda: fault))
        commands = [Command(method="calendar.event.get", params={"section": [one]}) for one in range(3)]
        with pytest.raises(error, match=said):
            await portal.read_each(commands, lambda number, _reply: taken.append(number))

    run_virtual(main())
    assert taken == []


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            Refused(code="ACCESS_DENIED", description="Access denied!"),
            "could not be read: ACCESS_DENIED: Access denied!",
        ),
        (Unknown(reason="no answer in time"), "could not be read: no answer in time"),
        (Done(result=None), "could not be read: the answer is not of the documented form"),
    ],
)
def test_what_could_not_be_read_is_said_in_words(reply: Refused | Unknown | Done, said: str) -> None:
    error = unread("section 5", reply)
    assert error.message == f"section 5 {said}"
    assert error.remedy
    assert "Refused(" not in str(error)
