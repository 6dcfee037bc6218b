"""People edit what the daemon keeps: the portal tells it, and within half a minute it is put right, or told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from syncd.app.check import check_all
from syncd.cycle.look import changed_since
from syncd.cycle.sync import Pass
from syncd.errors import PortalUnreachableError
from syncd.model.item import Link
from syncd.model.record import ToldTrouble
from syncd.portal.oauth import application
from syncd.sandbox.applications.event_queue import ENTRY, Binding, Happened
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.seed.language_school import CLIENT_ID
from syncd.sandbox.settings import Settings
from syncd.service import listening
from syncd.service.host import Service
from tests.support.applications import APP_SHIFTS, AppScene, People
from tests.support.sandbox import HEADER, run_inline

ROWS = "".join(
    f"{n},Shift {n},2026-12-{n:02} 06:00,2026-12-{n:02} 14:00,anna.petrova@school.example,Desk\n" for n in range(1, 6)
)
SELDOM = APP_SHIFTS.replace("timezone", 'every = "12h"\nwatch = false\ntimezone')
NAMES = [f"Shift {n}" for n in range(1, 6)]


def scene(folder: Path, config: str = SELDOM, **settings: object) -> AppScene:
    made = AppScene(folder, config, settings=Settings(integer_stamps=False, **settings))  # type: ignore[arg-type]
    made.write("shifts.csv", HEADER + ROWS)
    run_inline(made.authorise())
    return made


async def begun(stage: AppScene) -> None:
    """Wait until the first pass has ended and the events are bound."""
    await asyncio.sleep(40)
    assert len(stage.shown()) == 5
    assert stage.world.tables.queue.bindings


@pytest.mark.parametrize("extended", [False, True])
def test_a_renamed_and_a_deleted_event_are_put_right_within_half_a_minute(tmp_path: Path, extended: bool) -> None:
    stage = scene(tmp_path, offline_extended=extended)

    async def main() -> None:
        async with stage.running():
            await begun(stage)
            first, second, *_ = stage.shown()
            people = People(stage)
            people.rename(first, "Taken over by me")
            await asyncio.sleep(30)
            assert sorted(stage.shown().values()) == NAMES
            assert stage.shown()[first] == "Shift 1"
            people.delete(second)
            await asyncio.sleep(30)
            assert sorted(stage.shown().values()) == NAMES
            requests = stage.transport.requests
            await asyncio.sleep(150)
            assert stage.transport.requests - requests == 10, "one request a poll, and own writes do not come back"

    run_inline(main())


def test_a_deleted_section_is_put_right_with_all_that_stood_in_it(tmp_path: Path) -> None:
    stage = scene(tmp_path)

    async def main() -> None:
        async with stage.running():
            await begun(stage)
            (section,) = {row.section_id for row in map(stage.world.tables.event, stage.shown()) if row is not None}
            People(stage).delete_section(section)
            await asyncio.sleep(45)
            assert sorted(stage.shown().values()) == NAMES

    run_inline(main())


def test_where_edits_are_only_reported_the_page_and_the_alert_name_who_changed_what(tmp_path: Path) -> None:
    config = SELDOM.replace("timezone", 'on_conflict = "report"\ntimezone')
    config = f'[alerts]\ncommand = ["/bin/true"]\n{config}'
    stage = scene(tmp_path, config)

    async def told(service: Service) -> dict[str, ToldTrouble]:
        await service.update_alerts()
        return await service.app.ledger.told_alerts()

    async def main() -> None:
        async with stage.running() as service:
            await begun(stage)
            first, second, *_ = stage.shown()
            people = People(stage)
            people.rename(first, "Mine")
            people.delete(second)
            await asyncio.sleep(40)
            assert stage.shown()[first] == "Mine"
            assert second not in stage.shown()
            holds = {hold.title: hold.reason for hold in await service.app.ledger.of("shifts").holds()}
            assert holds["Shift 1"].startswith("edited in the portal by Ольга Смирнова: ")
            assert "name" in holds["Shift 1"]
            assert holds["Shift 2"] == "deleted in the portal by Ольга Смирнова"
            alerts = [one.text for one in (await told(service)).values()]
            assert any("«Shift 1»" in text and "Ольга Смирнова" in text for text in alerts)
            assert any("«Shift 2»" in text and "deleted" in text for text in alerts)
            view = await service.page.sync("shifts")
            assert view is not None and "Ольга Смирнова" in str(view)

    run_inline(main())
    run_inline(stage.one_pass(verify=True))

    async def kept() -> list[str]:
        async with stage.opened(readonly=True) as (_, app):
            return [hold.reason for hold in await app.ledger.of("shifts").holds()]

    assert all("by Ольга Смирнова" in reason for reason in run_inline(kept())), "reading it forgets no name"


def test_hints_outlive_a_pass_that_fails_and_the_process(tmp_path: Path) -> None:
    stage = scene(tmp_path)

    async def heard() -> None:
        async with stage.running() as service:
            await begun(stage)
            (tmp_path / "shifts.csv").rename(tmp_path / "away.csv")
            People(stage).rename(next(iter(stage.shown())), "Mine")
            await asyncio.sleep(40)
            assert "Mine" in stage.shown().values()
            assert await service.app.ledger.of_portal("main").hints() != {}

    run_inline(heard())
    (tmp_path / "away.csv").rename(tmp_path / "shifts.csv")

    async def mended() -> None:
        async with stage.running():
            await asyncio.sleep(40)
            assert sorted(stage.shown().values()) == NAMES

    run_inline(mended())


def test_a_flood_of_foreign_events_is_worked_off_in_bounded_steps_and_the_edit_behind_it_is_seen(
    tmp_path: Path,
) -> None:
    stage = scene(tmp_path)

    async def main() -> None:
        async with stage.running():
            await begun(stage)
            queue = stage.world.tables.queue
            queue.post(
                (Happened(f"{ENTRY}UPDATE", 1_000_000 + n) for n in range(100_000)), user=2, by=None,
                now=stage.clock.now(),
            )  # fmt: skip
            await asyncio.sleep(1)
            People(stage).rename(next(iter(stage.shown())), "Mine")
            requests = stage.transport.requests
            await asyncio.sleep(31)
            assert stage.transport.requests - requests <= 35
            await asyncio.sleep(480)
            assert queue.waiting(CLIENT_ID) == ()
            assert sorted(stage.shown().values()) == NAMES

    run_inline(main())


def test_rows_that_nobody_can_read_and_ids_that_nobody_knows_are_passed_over(tmp_path: Path) -> None:
    stage = scene(tmp_path)

    async def main() -> None:
        async with stage.running() as service:
            await begun(stage)
            queue = stage.world.tables.queue
            queue.bindings[CLIENT_ID].append(Binding(name="ONSOMETHINGELSE"))
            queue.post(
                (Happened(f"{ENTRY}UPDATE", -5), Happened("ONSOMETHINGELSE", 1), Happened(f"{ENTRY}DELETE", 99_999)),
                user=2, by=None, now=stage.clock.now(),
            )  # fmt: skip
            first = next(iter(stage.shown()))
            People(stage).rename(first, "Mine")
            await asyncio.sleep(30)
            assert stage.shown()[first] == "Shift 1"
            assert service.listeners.troubles() == {}

    run_inline(main())


def test_a_removed_application_is_told_and_authorised_again_it_hears_again(tmp_path: Path) -> None:
    stage = scene(tmp_path)

    async def main() -> None:
        async with stage.running() as service:
            await begun(stage)
            application = stage.world.tables.applications[CLIENT_ID]
            stage.world.authority.remove(CLIENT_ID)
            await asyncio.sleep(300)
            (text,) = service.listeners.troubles().values()
            assert "syncd portal authorize main" in text
            stage.world.tables.applications[CLIENT_ID] = application
            await asyncio.sleep(900)
            assert service.listeners.troubles() == {}
            first = next(iter(stage.shown()))
            People(stage).rename(first, "Mine")
            await asyncio.sleep(30)
            assert stage.shown()[first] == "Shift 1"

    run_inline(main())


def test_where_nobody_hears_of_events_the_portal_is_read_as_often_as_by_webhook(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    assert run_inline(stage.one_pass()).exit_code == 0
    stage.clock.advance(7 * 3600)
    requests = stage.transport.requests
    assert run_inline(stage.one_pass()).exit_code == 0
    assert stage.transport.requests > requests, "nobody has asked for its events: the daemon does not run"

    async def main() -> None:
        async with stage.running():
            await asyncio.sleep(60)
            People(stage).rename(next(iter(stage.shown())), "Mine")
            await asyncio.sleep(30)

    run_inline(main())
    assert sorted(stage.shown().values()) == NAMES


def checks(stage: AppScene) -> dict[str, bool]:
    """Return what `syncd check` says of the portal, and whether it is well."""

    async def main() -> dict[str, bool]:
        async with stage.opened(readonly=True) as (_, app):
            return {one.detail: one.ok async for one in check_all(app, offline=False) if one.name == "portal main"}

    return run_inline(main())


def test_check_tells_whether_the_portal_tells_of_edits(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    assert any(ok and "once `syncd run` has asked" in detail for detail, ok in checks(stage).items())

    async def main() -> None:
        async with stage.running():
            await begun(stage)

    run_inline(main())
    assert any(ok and "6 kinds of events are bound, offline" in detail for detail, ok in checks(stage).items())
    stage.config = SELDOM.replace(" }\n", ', events = "off" }\n', 1)
    assert any(ok and "is not asked for people's edits" in detail for detail, ok in checks(stage).items())
    http = '[http]\nlisten = "127.0.0.1:1"\npublic_url = "https://syncd.example.com"\n'
    stage.config = http + SELDOM.replace(" }\n", ', events = "online" }\n', 1)
    assert any(not ok and "has never brought the token" in detail for detail, ok in checks(stage).items())


def test_who_is_no_administrator_hears_nothing_and_that_is_told(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    stage.world.tables.users[1].admin = False
    assert any(not ok and "only an administrator may ask" in detail for detail, ok in checks(stage).items())

    async def main() -> None:
        async with stage.running() as service:
            await asyncio.sleep(120)
            (text,) = service.listeners.troubles().values()
            assert "event.bind" in text

    run_inline(main())


def test_a_second_syncd_with_the_same_application_is_told_where_the_other_one_is(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    stage = scene(tmp_path / "one")

    async def first() -> None:
        async with stage.running():
            await begun(stage)

    run_inline(first())
    other = scene(tmp_path / "two")
    for name in ("tables", "authority"):
        setattr(other.world, name, getattr(stage.world, name))
    other.clock = stage.clock
    other.transport.clock = other.tokens.clock = stage.clock
    run_inline(other.authorise())

    async def second() -> None:
        async with other.running() as service:
            await asyncio.sleep(120)
            (text,) = service.listeners.troubles().values()
            assert "another syncd, on" in text
            await asyncio.sleep(3 * 3600)  # the first one is not there any more
            assert service.listeners.troubles() == {}

    run_inline(second())


def test_edits_in_random_order_with_tokens_that_run_out_are_all_put_right_and_nothing_is_doubled(
    tmp_path: Path,
) -> None:
    stage = scene(tmp_path)
    random = Random(18)

    async def main() -> None:
        async with stage.running():
            await begun(stage)
            people = People(stage)
            for number in range(40):
                chosen = random.choice(sorted(stage.shown()))
                if random.random() < 0.5:
                    people.delete(chosen)
                else:
                    people.rename(chosen, f"Mine {number}")
                if number % 7 == 0:
                    stage.world.authority.expire()
                await asyncio.sleep(random.choice((0, 3, 8, 40)))
                if number % 3 == 0:
                    await asyncio.sleep(4000)
            await asyncio.sleep(60)
            assert sorted(stage.shown().values()) == NAMES

    run_inline(main())


@pytest.mark.parametrize("error", [PortalUnreachableError("no answer"), ValueError("a defect")])
def test_what_was_heard_but_could_not_be_looked_at_is_looked_at_with_the_next_poll(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    stage = scene(tmp_path)
    failures = [error, error]

    async def look(run: Pass, links: Sequence[Link]) -> frozenset[int]:
        if links and failures:
            raise failures.pop()
        return await changed_since(run, links)

    monkeypatch.setattr(listening, "changed_since", look)

    async def main() -> None:
        async with stage.running():
            await begun(stage)
            People(stage).rename(next(iter(stage.shown())), "Mine")
            await asyncio.sleep(120)
            assert not failures
            assert sorted(stage.shown().values()) == NAMES

    run_inline(main())


def test_what_can_never_be_looked_at_keeps_nothing_else_from_being_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = scene(tmp_path)
    unreadable: list[int] = []

    async def look(run: Pass, links: Sequence[Link]) -> frozenset[int]:
        if any(link.remote_id in unreadable for link in links):
            raise PortalUnreachableError("it is listed but cannot be read")
        return await changed_since(run, links)

    monkeypatch.setattr(listening, "changed_since", look)

    async def main() -> None:
        async with stage.running() as service:
            await begun(stage)
            first, second, *_ = stage.shown()
            unreadable.append(first)
            People(stage).rename(first, "Mine")
            await asyncio.sleep(1800)
            assert service.listeners.troubles() == {}
            People(stage).rename(second, "Mine, too")
            await asyncio.sleep(30)
            assert (stage.shown()[first], stage.shown()[second]) == ("Mine", "Shift 2")

    run_inline(main())


def test_an_edit_that_is_heard_of_while_a_pass_decides_on_an_earlier_one_waits_for_the_next_pass(
    tmp_path: Path,
) -> None:
    stage = scene(tmp_path)

    async def main() -> None:
        async with stage.running() as service:
            await begun(stage)
            (listener,) = service.listeners._listeners.values()
            first, second, *_ = stage.shown()
            people = People(stage)
            listener.poke = lambda _sync: None  # the pass under way is played here
            people.rename(first, "Mine")
            people.rename(second, "Mine, too")
            await listener.poll()
            hints = service.listeners.hints_for("shifts")
            assert hints.keys() == {first, second}
            people.rename(first, "Mine, once more")
            await listener.poll()
            await service.listeners.looked_at("shifts", hints)
            assert listener.pending["shifts"].keys() == {first}
            assert (await service.app.ledger.of_portal("main").hints())["shifts"].keys() == {first}
            await service.listeners.looked_at("shifts", service.listeners.hints_for("shifts"))
            assert listener.pending == {}

    run_inline(main())


def test_what_another_machine_holds_is_not_listened_to_until_it_is_ours(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    here = [True]

    async def main() -> None:
        async with stage.running() as service:
            service.listeners._here = lambda _portal: here[0]
            await service.listeners.close()
            await service.listeners.follow(service.config)
            await begun(stage)
            here[0] = False
            first = next(iter(stage.shown()))
            People(stage).rename(first, "Mine")
            await asyncio.sleep(60)
            assert stage.shown()[first] == "Mine"
            assert stage.world.tables.queue.waiting(CLIENT_ID), "it waits for who holds the portal"
            asked, tables = stage.tokens.asked, stage.world.tables
            given = stage.world.authority.grant(tables.applications[CLIENT_ID], 1, stage.clock.now())
            assert not await service.listeners.installed("main", {"auth": {**given, "application_token": "x"}})
            assert stage.tokens.asked == asked, "nor is an installation used up, which is good for one use"
            here[0] = True
            await asyncio.sleep(30)
            assert stage.shown()[first] == "Shift 1"

    run_inline(main())


OFF = SELDOM.replace("app = { ", 'app = { events = "off", ')


def bound(stage: AppScene) -> list[str]:
    return sorted(one.name for own in stage.world.tables.queue.bindings.values() for one in own)


@pytest.mark.parametrize("extended", [False, True])
def test_events_that_are_switched_off_are_bound_no_more_and_the_queue_is_empty(tmp_path: Path, extended: bool) -> None:
    stage = scene(tmp_path, offline_extended=extended)

    async def heard() -> None:
        async with stage.running():
            await begun(stage)

    async def off() -> None:
        async with stage.running():
            await asyncio.sleep(60)
            assert (bound(stage), stage.world.tables.queue.waiting(CLIENT_ID)) == ([], ())
            People(stage).rename(next(iter(stage.shown())), "Mine")
            requests = stage.transport.requests
            await asyncio.sleep(3600)
            assert stage.transport.requests == requests, "nobody asks, and it is bound no more"
            assert "Mine" in stage.shown().values()

    async def filled() -> None:
        People(stage).add(40)

    run_inline(heard())
    run_inline(filled())
    assert bound(stage)
    assert stage.world.tables.queue.waiting(CLIENT_ID)
    stage.config = OFF
    run_inline(off())
    assert run_inline(stage.one_pass(verify=True)).exit_code == 0
    assert sorted(stage.shown().values()) == NAMES


def test_a_daemon_that_stops_while_it_empties_the_queue_goes_on_with_that_when_it_is_back(tmp_path: Path) -> None:
    stage = scene(tmp_path)

    async def heard() -> None:
        async with stage.running():
            await begun(stage)

    async def filled() -> None:
        People(stage).add(40)

    async def off(seconds: float) -> None:
        async with stage.running():
            await asyncio.sleep(seconds)

    run_inline(heard())
    run_inline(filled())
    stage.config = OFF
    stage.set_faults(Settings(integer_stamps=False, faults=(parse_fault("cut-before:method=event.offline.get"),)))
    run_inline(off(60))
    assert stage.world.tables.queue.waiting(CLIENT_ID)
    stage.set_faults(Settings(integer_stamps=False))
    run_inline(off(60))
    assert (bound(stage), stage.world.tables.queue.waiting(CLIENT_ID)) == ([], ())


def test_switched_off_and_on_again_while_the_daemon_runs_they_are_heard_again(tmp_path: Path) -> None:
    stage = scene(tmp_path)

    async def main() -> None:
        async with stage.running() as service:
            await begun(stage)
            for config, some in ((OFF, False), (SELDOM, True)):
                stage.write("syncd.toml", config)
                await service.reload()
                await asyncio.sleep(30)
                assert bool(bound(stage)) is some
            People(stage).rename(next(iter(stage.shown())), "Mine")
            await asyncio.sleep(30)
            assert sorted(stage.shown().values()) == NAMES

    run_inline(main())


def test_what_another_syncd_hears_by_is_left_to_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    stage = scene(first)
    other = AppScene(second, OFF, settings=stage.settings)
    other.write("shifts.csv", HEADER + ROWS)
    other.world = other.transport.world = other.tokens.world = stage.world
    other.clock = stage.clock
    run_inline(other.authorise())

    async def heard() -> None:
        async with stage.running():
            await begun(stage)

    async def off() -> None:
        async with other.running():
            await asyncio.sleep(60)
            assert bound(other)

    run_inline(heard())
    run_inline(off())


def test_tokens_that_nothing_uses_are_renewed_though_nobody_hears_of_edits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_s = 10 * 86_400  # a daemon that wakes every few seconds is slow to live through the usual 120 days
    monkeypatch.setattr(application, "RENEWED_AFTER_S", after_s)
    stage = scene(tmp_path, OFF.replace('every = "12h"', 'every = "300d"\nverify_every = "300d"'))

    async def main() -> None:
        async with stage.running():
            await asyncio.sleep(60)
            asked = stage.tokens.asked
            await asyncio.sleep(after_s - 86_400)
            assert stage.tokens.asked == asked
            await asyncio.sleep(2 * 86_400)
            assert stage.tokens.asked == asked + 2, "the second set, too"

    run_inline(main())


def test_check_tells_of_what_is_bound_although_it_is_switched_off(tmp_path: Path) -> None:
    stage = scene(tmp_path)

    async def heard() -> None:
        async with stage.running():
            await begun(stage)

    run_inline(heard())
    stage.config = OFF
    assert any(ok and "6 kinds of events are bound from before" in detail for detail, ok in checks(stage).items())


def test_an_edit_that_is_heard_of_before_the_create_is_answered_is_put_right_too(tmp_path: Path) -> None:
    """Somebody renames an event the moment the portal has made it: its id is not known when the portal tells of it."""
    stage = scene(tmp_path)

    async def main() -> None:
        async with stage.running() as service:
            await begun(stage)
            slow = (parse_fault("slow:method=calendar.event.add,times=1,seconds=20"),)
            stage.set_faults(Settings(integer_stamps=False, faults=slow))
            more = "6,Shift 6,2026-12-06 06:00,2026-12-06 14:00,anna.petrova@school.example,Desk\n"
            stage.write("shifts.csv", HEADER + ROWS + more)
            service.daemon.poke("shifts")
            await asyncio.sleep(5)
            new = max(stage.shown())
            assert stage.shown()[new] == "Shift 6"
            People(stage).rename(new, "Mine")
            await asyncio.sleep(14)
            assert not stage.world.tables.queue.waiting(CLIENT_ID), "it was told, while nobody knew the id"
            assert len(await service.app.ledger.of("shifts").links()) == 5
            await asyncio.sleep(60)
            assert sorted(stage.shown().values()) == [*NAMES, "Shift 6"]
            assert new in stage.shown()

    run_inline(main())
