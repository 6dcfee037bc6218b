"""Commands beside the real daemon: what they print and return is what they do alone, and the daemon goes on."""

from __future__ import annotations

import asyncio
import grp
import json
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.app.configured import read_outline
from syncd.cli.reach import reach
from syncd.errors import StateLockedError
from syncd.sandbox.http_server import RunningSandbox
from syncd.sandbox.settings import COSTS_S
from syncd.service.protocol import socket_places
from tests.service.test_process import CODE, Unit
from tests.support.sandbox import HEADER

QUIET = 'every = "12h"\nwatch = false\nname = "shifts"'


class Beside(Unit):
    """A daemon that makes one pass at its start and then nothing by itself."""

    def __init__(self, folder: Path, portal: RunningSandbox) -> None:
        super().__init__(folder, portal)
        self.text = self.text.replace('name = "shifts"', QUIET)
        self.config.write_text(self.text)

    @property
    def place(self) -> Path:
        """Where its control socket is."""
        return next(
            place for place in socket_places(read_outline(self.config, os.environ), os.environ) if place.exists()
        )

    def close(self) -> None:
        self._socket.close()

    async def begun(self) -> None:
        await self.start()
        await self.hear("STATUS=next pass: shifts at 20", await self.hear("STATUS=shifts: "))

    async def command(self, *arguments: str, answer: str = "", **environ: str) -> tuple[int, str, str]:
        process = await self.started(*arguments, **environ)
        out, err = await asyncio.wait_for(process.communicate(answer.encode()), 60)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def started(self, *arguments: str, **environ: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "syncd", "--config", str(self.config), *arguments, env={**os.environ, **environ},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    def rows(self, *rows: str) -> None:
        (self.folder / "shifts.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows))


ONE = "1,Early,2026-12-01 06:00,2026-12-01 14:00,anna.petrova@school.example,Desk"
TWO = "2,Late,2026-12-01 14:00,2026-12-01 22:00,anna.petrova@school.example,Desk"
LOST = "3,Lost,2026-12-01 14:00,2026-12-01 22:00,nobody@school.example,Desk"


@asynccontextmanager
async def daemon(folder: Path, portal: RunningSandbox, unit: Beside | None = None) -> AsyncIterator[Beside]:
    unit = unit or Beside(folder, portal)
    await unit.begun()
    try:
        yield unit
    finally:
        unit.signal(signal.SIGTERM)
        code, logged = await unit.end()
    assert code == 0
    assert "Traceback" not in logged
    assert CODE not in logged


async def written(portal: RunningSandbox, user: int, number: int) -> None:
    """Wait until so many events stand in a user's calendar."""
    ends = time.monotonic() + 30
    while len(portal.world.events("user", user)) < number:
        assert time.monotonic() < ends
        await asyncio.sleep(0.01)


async def test_a_sync_runs_in_the_daemon_with_the_same_output_and_exit_code(
    tmp_path: Path,
    portal: RunningSandbox,
) -> None:
    async with daemon(tmp_path, portal) as unit:
        unit.rows(ONE, TWO, LOST)
        code, out, err = await unit.command("sync", "--json", "--report", str(tmp_path / "report.csv"))
        (run,) = json.loads(out)["runs"]
        assert (code, run["counts"]["created"], run["counts"]["held"], err) == (1, 1, 1, "")
        rows = (tmp_path / "report.csv").read_bytes().split(b"\r\n")
        assert [row.split(b",")[4] for row in rows[:4]] == [b"status", b"unchanged", b"ok", b"held"]
        code, out, _ = await unit.command("sync")
        assert code == 1
        assert "shifts: done — 2 unchanged, 1 held (run " in out
        code, out, _ = await unit.command("retry", "shifts")
        assert (code, out) == (0, "shifts: 1 held, which every pass tries again anyway\n")
        assert [event.name for event in portal.world.events("user", 3)] == ["Early", "Late"]


async def test_the_socket_is_for_the_daemons_user_and_group_only(tmp_path: Path, portal: RunningSandbox) -> None:
    async with daemon(tmp_path, portal) as unit:
        assert stat.S_IMODE(unit.place.stat().st_mode) == 0o660
        place = unit.place
    assert not place.exists()


@pytest.mark.usefixtures("measured_programs")
async def test_a_question_is_asked_at_the_client_and_no_answer_sends_nothing(
    tmp_path: Path,
    portal: RunningSandbox,
) -> None:
    async with daemon(tmp_path, portal) as unit:
        unit.rows(ONE, TWO)
        code, out, err = await unit.command("migrate", answer="no\n")
        assert (code, "send these changes of shifts? [y/N]" in err, "nothing was sent" in err) == (130, True, True)
        assert "1 to create" in out
        code, _, err = await unit.command("migrate")
        assert (code, "no answer, so nothing was sent" in err) == (130, True)
        code, out, _ = await unit.command("migrate", answer="yes\n")
        assert (code, "2 of 2 confirmed" in out) == (0, True)


async def test_a_probe_beside_the_daemon_is_made_by_it_and_its_answers_are_in_force_at_once(
    tmp_path: Path,
    portal: RunningSandbox,
) -> None:
    # Without limits and costs, which would take half a minute of real time.
    free = dict.fromkeys(COSTS_S, 0.001)
    portal.world.settings = replace(portal.world.settings, tariff="self-hosted", costs_s=free)
    unit = Beside(tmp_path, portal)
    limits = "[portals.main.limits]\nburst = 500\nrate = 200.0\n\n[[sync]]"
    unit.config.write_text(unit.text.replace("[[sync]]", limits, 1))
    async with daemon(tmp_path, portal, unit) as unit:
        sections = set(portal.world.tables.sections)
        code, out, err = await unit.command("portal", "probe", answer="no\n")
        assert (code, out, "scratch section" in err, "[y/N]" in err) == (130, "", True, True)
        code, out, err = await unit.command("portal", "probe", "--json", "--yes")
        assert (code, json.loads(out)["left"]) == (0, 0)
        assert set(portal.world.tables.sections) == sections
        code, out, _ = await unit.command("check")
        assert "facts" in out
        assert "never probed" not in out


async def test_a_pinned_plan_goes_with_the_command_and_one_that_no_longer_matches_is_refused(
    tmp_path: Path,
    portal: RunningSandbox,
) -> None:
    async with daemon(tmp_path, portal) as unit:
        unit.rows(ONE, TWO)
        plan = str(tmp_path / "plan.json")
        assert (await unit.command("plan", "--out", plan))[0] == 0
        unit.rows(ONE, TWO, TWO.replace("2,Late", "3,Later"))
        code, out, _ = await unit.command("sync", "--plan", plan)
        assert (code, f"the plan in {plan} no longer matches: 1 change is new" in out) == (4, True)
        unit.rows(ONE, TWO)
        assert (await unit.command("sync", "--plan", plan))[0] == 0
        code, _, err = await unit.command("sync", "--plan", str(tmp_path / "none.json"))
        assert (code, "cannot read the plan" in err) == (2, True)


async def test_a_client_that_goes_away_leaves_the_pass_to_go_on(tmp_path: Path, portal: RunningSandbox) -> None:
    async with daemon(tmp_path, portal) as unit:
        unit.rows(ONE, *(f"{n},Shift {n},2026-12-02 06:00,2026-12-02 14:00,ivan.sokolov@school.example,Desk"
                         for n in range(2, 400)))  # fmt: skip
        client = await unit.started("sync")
        assert client.stdout is not None
        await written(portal, 5, 20)
        client.kill()
        await client.wait()
        code, out, err = await unit.command("sync", "--json")
        assert (code, json.loads(out)["runs"][0]["counts"]["unchanged"]) == (0, 399)
        assert err in ("", "shifts: something is under way with it, which has to end first\n")
        unit.rows(ONE)


async def test_an_interrupted_client_ends_its_pass_after_the_requests_in_flight(
    tmp_path: Path,
    portal: RunningSandbox,
) -> None:
    async with daemon(tmp_path, portal) as unit:
        unit.rows(ONE, *(f"{n},Shift {n},2026-12-02 06:00,2026-12-02 14:00,ivan.sokolov@school.example,Desk"
                         for n in range(2, 600)))  # fmt: skip
        client = await unit.started("sync")
        await written(portal, 5, 20)
        client.send_signal(signal.SIGINT)
        out, _ = await asyncio.wait_for(client.communicate(), 60)
        assert (client.returncode, b"shifts: stopped" in out) == (130, True)
        assert len(portal.world.events("user", 5)) < 598


async def test_two_clients_at_once_take_turns(tmp_path: Path, portal: RunningSandbox) -> None:
    async with daemon(tmp_path, portal) as unit:
        unit.rows(ONE, TWO)
        done = await asyncio.gather(*(unit.command("sync", "--json") for _ in range(3)))
        counts = [json.loads(out)["runs"][0]["counts"]["created"] for _, out, _ in done]
        assert ([code for code, _, _ in done], sorted(counts)) == ([0, 0, 0], [0, 0, 1])


@pytest.mark.usefixtures("measured_programs")
async def test_undo_beside_the_daemon_pauses_the_sync_and_the_pause_outlives_a_restart(
    tmp_path: Path,
    portal: RunningSandbox,
) -> None:
    async with daemon(tmp_path, portal) as unit:
        unit.rows(ONE, TWO)
        _, out, _ = await unit.command("sync", "--json")
        run = json.loads(out)["runs"][0]["run"]
        code, out, err = await unit.command("undo", str(run), "--yes")
        assert (code, [event.name for event in portal.world.events("user", 3)]) == (0, ["Early"])
        assert "`syncd resume shifts` lets it go on" in err
    (tmp_path / "notify").unlink()
    unit = Beside(tmp_path, portal)
    unit.rows(ONE, TWO)
    await unit.start()
    await unit.hear("READY=1")
    code, _, err = await unit.command("poke", "shifts")
    assert (code, "shifts is paused" in err) == (2, True)
    code, out, err = await unit.command("sync")
    assert (code, out, err.startswith("shifts is paused and left out")) == (0, "", True)
    assert (await unit.command("resume", "shifts"))[:2] == (0, "shifts: resumed\n")
    await written(portal, 3, 2)
    unit.signal(signal.SIGTERM)
    assert (await unit.end())[0] == 0


async def test_a_poke_reaches_the_portal_in_under_a_second(tmp_path: Path, portal: RunningSandbox) -> None:
    async with daemon(tmp_path, portal) as unit:
        await asyncio.sleep(1.0)
        unit.rows(ONE, TWO)
        reader, writer = await asyncio.open_unix_connection(str(unit.place))
        await reader.readline()
        began = time.monotonic()
        writer.write(b'{"is":"request","version":1,"do":"poke","names":["shifts"]}\n')
        said = [json.loads(text) for text in [await reader.readline(), await reader.readline()]]
        assert said == [{"is": "text", "to": "out", "text": "shifts: a pass starts now\n"}, {"is": "ended", "code": 0}]
        await written(portal, 3, 2)
        assert time.monotonic() - began < 1.0
        writer.close()


async def asked(place: Path, text: bytes) -> dict[str, Any]:
    """What the daemon says to a client that sends `text`."""
    reader, writer = await asyncio.open_unix_connection(str(place))
    hello = json.loads(await reader.readline())
    assert (hello["is"], hello["version"]) == ("hello", 1)
    writer.write(text)
    answer: dict[str, Any] = json.loads(await asyncio.wait_for(reader.readline(), 20))
    writer.close()
    return answer


UNREADABLE = (
    (b"{oops\n", "the request cannot be read: JSON is malformed"),
    (b"[]\n", "the request cannot be read: Expected `object`"),
    (b'{"version": 1}\n', "the request cannot be read: Object missing required field `do`"),
    (b'{"version": 2, "do": "dance"}\n', "the request speaks version 2 of the control protocol"),
    (b'{"version": 1, "is": "request", "do": "dance"}\n', "the request cannot be read: Invalid enum value 'dance'"),
    (b'{"version": 1, "is": "request", "do": "sync", "forced": true}\n', "unknown field `forced`"),
    (b'{"version": 1, "is": "request", "do": "sync", "names": ["shift"]}\n', "has no sync 'shift'"),
    (b'{"version": 1, "is": "request", "do": "undo"}\n', "undo needs the number of a run"),
    (b'{"version": 1, "is": "request", "do": "purge"}\n', "purge needs the name of one sync"),
    (b"\xff\xfe\n", "the request cannot be read"),
)


async def test_what_cannot_be_read_is_answered_and_ends_nothing_else(tmp_path: Path, portal: RunningSandbox) -> None:
    async with daemon(tmp_path, portal) as unit:
        for text, said in UNREADABLE:
            answer = await asked(unit.place, text)
            assert (answer["is"], answer["code"]) == ("failed", 2), text
            assert said in answer["error"]
            after = await asked(unit.place, b'{"version": 1, "is": "request", "do": "status", "json": true}\n')
            assert (after["is"], "shifts" in after["text"]) == ("text", True), text
        assert (await unit.command("sync"))[0] == 0


async def test_a_socket_that_a_killed_daemon_left_is_passed_over_and_taken_again(
    tmp_path: Path,
    portal: RunningSandbox,
) -> None:
    unit = Beside(tmp_path, portal)
    await unit.begun()
    place = unit.place
    unit.signal(signal.SIGKILL)
    await unit.end()
    assert place.is_socket()
    assert (await unit.command("sync"))[0] == 0
    (tmp_path / "notify").unlink()
    again = Beside(tmp_path, portal)
    await again.start()
    await again.hear("READY=1")
    assert again.place == place
    assert (await again.command("sync"))[0] == 0
    again.signal(signal.SIGTERM)
    assert (await again.end())[0] == 0


@pytest.mark.parametrize(
    ("hello", "said"),
    [
        (b"", "does not answer"),
        (b"HTTP/1.1 200 OK\n", "does not answer"),
        (b'{"is":"hello","version":9,"syncd":"9.0","pid":1,"config":"/x"}\n', "the daemon is syncd 9.0, this is"),
        (b'{"is":"hello","version":1,"syncd":"9.0","pid":1,"config":"/x"}\n', "is in use by the daemon of /x (pid 1)"),
    ],
)
async def test_who_answers_wrongly_is_not_asked(
    tmp_path: Path, portal: RunningSandbox, hello: bytes, said: str
) -> None:
    unit = Beside(tmp_path, portal)
    unit.config.write_text(f'control = "run.sock"\n{unit.text}')

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(hello)
        with suppress(OSError):
            await (writer.drain() if hello else gone.wait())
        writer.close()

    gone = asyncio.Event()
    async with await asyncio.start_unix_server(answer, str(tmp_path / "run.sock")):
        code, _, err = await unit.command("sync")
        gone.set()
        await asyncio.sleep(0.05)
    assert (code, said in err) == (6, True), err
    assert not portal.world.events("user", 3)
    unit.close()


async def test_without_a_place_for_the_socket_the_daemon_runs_and_commands_say_who_holds_the_state(
    tmp_path: Path,
    portal: RunningSandbox,
) -> None:
    unit = Beside(tmp_path, portal)
    unit.config.write_text(f'control = "no/such/folder/run.sock"\n{unit.text}')
    await unit.begun()
    code, _, err = await unit.command("sync")
    assert (code, "is in use by another syncd (pid" in err) == (6, True)
    unit.signal(signal.SIGTERM)
    code, logged = await unit.end()
    assert (code, '"event": "control.unavailable"' in logged, "no/such/folder/run.sock" in logged) == (0, True, True)


async def test_a_socket_of_another_group_is_told_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "syncd.toml").write_text('control = "run.sock"\n')
    taken = socket.socket(socket.AF_UNIX)
    taken.bind(str(tmp_path / "run.sock"))
    group = (tmp_path / "run.sock").stat().st_gid

    async def denied(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(asyncio, "open_unix_connection", denied)
    with pytest.raises(StateLockedError, match=rf"that is for the group {grp.getgrgid(group).gr_name}"):
        await reach(read_outline(tmp_path / "syncd.toml", {"HOME": "/h"}), {})
    taken.close()


async def test_a_repaired_source_is_tried_at_once_when_the_config_is_read_again(
    tmp_path: Path,
    portal: RunningSandbox,
) -> None:
    unit = Beside(tmp_path, portal)
    unit.config.write_text(unit.text.replace("shifts.csv", "none.csv"))
    await unit.start()
    await unit.hear("STATUS=next pass", await unit.hear("STATUS=shifts: "))
    assert not portal.world.events("user", 3)
    unit.config.write_text(unit.text)
    unit.signal(signal.SIGHUP)
    await written(portal, 3, 1)
    unit.signal(signal.SIGTERM)
    assert (await unit.end())[0] == 0


@pytest.mark.usefixtures("measured_programs")
async def test_status_and_history_tell_what_the_daemon_knows(tmp_path: Path, portal: RunningSandbox) -> None:
    async with daemon(tmp_path, portal) as unit:
        due = next(line for line in reversed(unit.heard) if line.startswith("STATUS=next pass: shifts at "))
        code, out, _ = await unit.command("status", "--json")
        found = json.loads(out)
        assert (code, found["daemon"], found["syncs"][0]["running_since"]) == (0, True, None)
        assert due == f"STATUS=next pass: shifts at {found['syncs'][0]['next_run'].replace('+00:00', 'Z')}"
        code, out, err = await unit.command("status")
        assert (code, err, "no daemon runs" in out) == (0, "", False)
        code, out, _ = await unit.command("history", "--run", "1")
        assert (code, "create  2026-12-01 06:00  Early  shifts.csv:2" in out) == (0, True)
        assert (await unit.command("pause", "shifts"))[0] == 0
        assert json.loads((await unit.command("status", "--json"))[1])["syncs"][0]["next_run"] is None
