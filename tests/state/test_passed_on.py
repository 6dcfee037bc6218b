"""What one machine was told waits for the one that holds the portal: nothing is lost, and nothing grows for ever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from syncd.clock import SystemClock
from syncd.model.traces import Heard
from syncd.portal.oauth.event_queue import Hint, unpacked
from syncd.service.listening import Listener
from syncd.state import passed_on
from syncd.state.ledger import Ledger


async def test_what_is_noted_waits_until_it_is_dropped(ledger: Ledger) -> None:
    ours = ledger.passed_on("main")
    hints = [
        Hint(kind="event", id=7, user=3),
        Hint(kind="section", id=7, deleted=True),
        Hint(kind="event", id=8, made=True),
    ]
    await ours.note({one.name: one.packed() for one in hints}, 10.0)
    assert await ledger.passed_on("other").waiting() == ()
    waiting = await ours.waiting()
    assert {unpacked(one.value) for one in waiting} == set(hints)
    await ours.drop(waiting)
    assert await ours.waiting() == ()


async def test_what_comes_again_while_it_is_looked_at_waits_on(ledger: Ledger) -> None:
    ours, hint = ledger.passed_on("main"), Hint(kind="event", id=7)
    await ours.note({hint.name: hint.packed()}, 10.0)
    read = await ours.waiting()
    await ours.note({hint.name: hint.packed()}, 11.0)
    await ours.drop(read)
    assert [one.at for one in await ours.waiting()] == [11.0]


async def test_no_more_waits_than_there_is_room_for(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passed_on, "_MOST", 5)
    for number in range(4):
        hints = [Hint(kind="event", id=10 * number + one) for one in range(3)]
        await ledger.passed_on("main").note({one.name: one.packed() for one in hints}, 10.0)
    assert len(await ledger.passed_on("main").waiting()) == 5


async def test_what_waits_already_is_news_again_where_there_is_no_more_room(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passed_on, "_MOST", 1)
    ours, hint = ledger.passed_on("main"), Hint(kind="event", id=7)
    await ours.note({hint.name: hint.packed()}, 10.0)
    read = await ours.waiting()
    await ours.note({hint.name: hint.packed()}, 11.0)
    await ours.drop(read)
    assert [one.at for one in await ours.waiting()] == [11.0]


async def test_who_made_an_event_is_known_to_the_machine_it_is_passed_on_to(ledger: Ledger) -> None:
    app: Any = SimpleNamespace(ledger=SimpleNamespace(shared=True, passed_on=ledger.passed_on))
    config: Any = SimpleNamespace(events="offline")
    poked: list[str] = []

    def listener(*, here: bool) -> Listener:
        return Listener(app=app, name="main", config=config, clock=SystemClock(), poke=poked.append, here=lambda: here)

    loser, holder = listener(here=False), listener(here=True)
    for hint in (Hint(kind="event", id=7, made=True), Hint(kind="event", id=7, user=3), Hint(kind="event", id=8)):
        loser._hear(hint)
    await loser.poll()
    await holder._passed_on()
    assert holder.heard_of() == Heard(saved=frozenset({8}), made=frozenset({7}))
    assert (loser._heard, poked) == ({}, [])


@pytest.mark.parametrize(
    "value", [None, {}, [], ["event", "7", 0, False, False], ["lorry", 7, 0, False, False], ["event", 7, 0]]
)
def test_what_another_version_has_noted_is_passed_over(value: object) -> None:
    assert unpacked(value) is None  # type: ignore[arg-type] # whatever JSON there is
