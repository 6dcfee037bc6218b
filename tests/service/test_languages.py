"""Whom the service tells something reads it in his own language: at the control socket, in alerts, at systemd."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from syncd.cli.client import carried, request_of
from syncd.cli.reach import Daemon
from syncd.clock import SystemClock
from syncd.config import AlertsConfig, TellingConfig
from syncd.errors import ConfigError, SyncdError
from syncd.lang.catalog import Language, house, reader, reading, set_house, told
from syncd.lang.saying import Saying, say
from syncd.model.item import Hold, Key, Place
from syncd.service import control
from syncd.service.alerts import Alerts, Routes, edited_by_people, left_over, subject_of
from syncd.service.control import Caller, Carry, Control
from syncd.service.notify import Notifier
from syncd.service.protocol import VERSION, Hello, Request, Text, line
from syncd.state.ledger import Ledger
from tests.service.test_daemon import Socket
from tests.service.test_mail import Mailbox, alerts, opened, serving

OTHER: Mapping[Language, Language] = {"en": "ru", "ru": "en"}
SAID: Mapping[Language, str] = {"en": "section changed", "ru": "изменён раздел"}


@pytest.fixture(autouse=True)
def _house_stays_english() -> Iterator[None]:
    yield
    set_house("en")


@asynccontextmanager
async def controlled(folder: Path, carry: Carry) -> AsyncIterator[None]:
    made = Control([folder / "s.sock"], lambda: folder / "syncd.toml", carry)
    await made.open()
    try:
        yield
    finally:
        await made.close()


async def connected(folder: Path) -> Daemon:
    reader, writer = await asyncio.open_unix_connection(str(folder / "s.sock"))
    return Daemon(folder / "s.sock", msgspec.json.decode(await reader.readline(), type=Hello), reader, writer)


def command() -> argparse.Namespace:
    return argparse.Namespace(command="sync", names=[])


@pytest.mark.parametrize("own", ["en", "ru"])
async def test_a_command_is_carried_out_in_the_language_of_its_client_and_not_of_the_daemon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], own: Language
) -> None:
    set_house(OTHER[own])
    heard: list[Language] = []

    async def carry(_request: Request, caller: Caller) -> int:
        heard.extend([reader(), await asyncio.to_thread(reader), house()])
        caller.send(Text(to="out", text=told(say("section changed"))))
        raise ConfigError(say("no user {name} in the portal", name="Anna"), say("section changed"))

    async with controlled(tmp_path, carry):
        with reading(own), pytest.raises(SyncdError) as raised:
            await carried(await connected(tmp_path), command(), asyncio.Event())
    assert heard == [own, own, OTHER[own]]
    assert capsys.readouterr().out == SAID[own]
    assert told(raised.value.remedy, own) == SAID[own]
    assert raised.value.remedy == SAID["en"]
    assert isinstance(raised.value.message, Saying)
    assert raised.value.message.values == {"name": "Anna"}


async def test_an_older_client_is_told_everything_in_the_language_of_the_house(tmp_path: Path) -> None:
    set_house("ru")

    async def carry(_request: Request, _caller: Caller) -> int:
        raise ConfigError(say("section changed"), "by hand")

    async with controlled(tmp_path, carry):
        daemon = await connected(tmp_path)
        daemon.writer.write(line(Request(version=VERSION, do="sync")))
        failed = json.loads(await daemon.reader.readline())
        daemon.close()
    assert (failed["error"], failed["remedy"]) == (SAID["ru"], "by hand")
    assert json.loads(failed["error_message"]) == {"say": "section changed"}
    assert "remedy_message" not in failed


async def test_what_is_refused_before_the_client_could_say_its_language_is_told_in_it_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_MOST_CLIENTS", 0)

    async def carry(_request: Request, _caller: Caller) -> int:
        raise AssertionError

    async with controlled(tmp_path, carry):
        with reading("ru"), pytest.raises(SyncdError) as raised:
            await carried(await connected(tmp_path), command(), asyncio.Event())
    assert told(str(raised.value), "ru") == "уже выполняются команды, больше одновременно нельзя: 0 (попробуйте позже)"


def test_an_older_daemon_gets_no_field_that_it_does_not_know() -> None:
    assert json.loads(line(request_of(command(), languages=()))).keys() <= {
        "is", "version", "do", "screen",
    }  # fmt: skip
    with reading("ru"):
        assert json.loads(line(request_of(command(), languages=("en", "ru"))))["language"] == "ru"
        assert "language" not in json.loads(line(request_of(command(), languages=("en",))))


async def test_a_question_is_asked_in_the_language_of_the_client(tmp_path: Path) -> None:
    async def carry(_request: Request, caller: Caller) -> int:
        return int(await caller.ask(say("section changed"), SystemClock()))

    async with controlled(tmp_path, carry):
        daemon = await connected(tmp_path)
        daemon.writer.write(line(Request(version=VERSION, do="sync", language="ru")))
        question = json.loads(await daemon.reader.readline())
        daemon.close()
    assert question == {"is": "ask", "question": SAID["ru"]}


TROUBLES = left_over(
    "shifts", TellingConfig(rejected=1, held=1), say("section changed"), {"rejected": 1, "held": 5}
)  # fmt: skip
STOPPED = "синхронизацию shifts остановил предохранитель: изменён раздел"


async def test_people_are_told_of_a_trouble_and_of_its_end_in_their_language_also_after_a_restart(
    tmp_path: Path,
) -> None:
    mailbox = Mailbox()
    async with serving(mailbox) as port:
        russian = msgspec.structs.replace(alerts(port, "anna@example.com"), language="ru")
        routes = Routes(everybody=russian, of_portals={"b": alerts(port, "ivan@example.com")}, portals={"sync b": "b"})
        for found in ({**TROUBLES, **left_over("b", TellingConfig(held=1), "", {"held": 5})}, {}):
            ledger = await Ledger.open(tmp_path / "syncd.db", now=0.0)
            await Alerts(ledger, SystemClock()).update(found, routes, {})
            known = await ledger.told_alerts()
            await ledger.close()
            if found:
                assert told(known["sync shifts (guard)"].text, "ru") == STOPPED
    texts = [mailbox.text(number) for number in range(len(mailbox.got))]
    assert texts == [
        "sync b: 5 entries held; `syncd status` lists them", STOPPED,
        "синхронизация shifts: отложено 5 записей; подробности покажет `syncd status`",
        "синхронизация shifts: отклонена 1 запись; подробности покажет `syncd status`",
        "sync b (held): resolved", "синхронизация shifts (предохранитель): устранено",
        "синхронизация shifts (отложенные записи): устранено", "синхронизация shifts (отклонённые записи): устранено",
    ]  # fmt: skip
    assert mailbox.header("Subject") == "syncd: sync b (held): firing"


async def test_a_program_is_told_in_the_language_of_the_house_and_by_names_that_never_change(tmp_path: Path) -> None:
    set_house("ru")
    said = tmp_path / "said"
    script = f'echo "$SYNCD_STATE|$SYNCD_ALERT|$SYNCD_TEXT" >> {said}'
    config = AlertsConfig(portal=None, user=None, chat=None, command=("/bin/sh", "-c", script))
    async with opened() as ledger:
        teller = Alerts(ledger, SystemClock())
        await teller.update({"sync shifts (guard)": TROUBLES["sync shifts (guard)"]}, Routes(everybody=config), {})
        await teller.update({}, Routes(everybody=config), {})
    assert said.read_text().splitlines() == [
        f"firing|sync shifts (guard)|{STOPPED}",
        "resolved|sync shifts (guard)|синхронизация shifts (предохранитель): устранено",
    ]


@pytest.mark.parametrize(
    ("name", "russian"),
    [
        ("sync shifts", "синхронизация shifts"), ("portal main", "портал main"),
        ("portal main (events)", "портал main (события портала)"),
        ("sync a (edits)", "синхронизация a (правки на портале)"),
        ("sync a (7/user:3)", "синхронизация a (7/user:3)"), ("other", "other"), ("other (held)", "other (held)"),
    ],
)  # fmt: skip
def test_what_a_trouble_is_about_is_its_name_in_english(name: str, russian: str) -> None:
    assert subject_of(name) == name
    assert told(subject_of(name), "ru") == russian


def test_an_edit_that_is_left_is_told_with_its_reason_as_a_message_within() -> None:
    reason = Saying("edited in the portal: {what}", "", {"what": "start"})
    hold = Hold(key=Key(uid="7", place=Place(kind="user", owner=3)), reason=reason, fingerprint="x", attempts=1,
                since=0.0, retry_at=0.0, title="Урок", where="a.csv:2")  # fmt: skip
    (said,) = edited_by_people("a", [hold]).values()
    assert said == "sync a: «Урок» (a.csv:2) was edited in the portal: start"
    assert told(said, "ru").startswith("синхронизация a: «Урок» (a.csv:2): ")
    assert isinstance(said, Saying)
    assert said.values["reason"] is reason


def test_systemd_is_told_in_the_language_of_the_house(tmp_path: Path) -> None:
    listening = Socket(tmp_path)
    set_house("ru")
    Notifier(listening.address).send(READY="1", STATUS=say("reading the config again"))
    (message,) = listening.messages()
    listening.close()
    assert re.fullmatch(r"READY=1\nSTATUS=конфигурация читается заново", message)
