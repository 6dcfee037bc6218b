"""The whole service against the simulated portal on virtual time: reload, alerts, refusals, and a month of passes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote_plus

import pytest
from structlog.testing import capture_logs

from syncd.clock import Clock, SystemClock
from syncd.config import AlertsConfig, PortalConfig
from syncd.config.database import Database
from syncd.errors import ConfigError, StateError, StateLockedError
from syncd.model.lease import LeaseTerms
from syncd.portal.client import Portal
from syncd.portal.limits.pace import Limits
from syncd.portal.limits.tariff import limits_of
from syncd.portal.line.answers import RawAnswer
from syncd.portal.line.transport import TransportFault, Webhook
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.settings import Settings
from syncd.scrub import Scrubber
from syncd.service.alerts import Alerts, Routes, _run
from syncd.service.host import Runtime, Service, open_service
from syncd.service.notify import Notifier
from syncd.service.status import read_status
from syncd.state.ledger import Ledger
from syncd.state.sync_ledger import SyncLedger
from syncd.web.views import SyncView
from tests.service.test_daemon import Socket
from tests.service.test_process import _free_port
from tests.support.bbcode import active_parts
from tests.support.sandbox import HEADER, SHIFTS, WEBHOOK, SimClock, Stage, run_inline

ROWS = "".join(
    f"{n},Shift {n},2026-12-{n:02} 06:00,2026-12-{n:02} 14:00,anna.petrova@school.example,Desk\n" for n in range(1, 6)
)
OTHER = SHIFTS.partition("[[sync]]")[2].replace('name = "shifts"', 'name = "other"\nportal = "second"')
SECOND = '\n[portals.second]\nwebhook = "http://localhost:9/rest/1/sandboxadmin/"\n'


class Scene(Stage):
    """A stage whose portals a whole service talks to; `refusing` hosts answer as if the webhook were gone."""

    def __post_init__(self) -> None:
        Stage.__post_init__(self)
        self.refusing: set[str] = set()
        self.connected: list[str] = []
        self.address: str | None = None

    def runtime(self) -> Runtime:
        return Runtime(
            clock=self.clock, notifier=Notifier(self.address), environ={"HOME": str(self.folder)},
            scrubber=Scrubber(), random=lambda: 0.0, connect=self.connect,
        )  # fmt: skip

    @asynccontextmanager
    async def connect(
        self, config: PortalConfig, ledger: Ledger, clock: Clock, _learn: Callable[[str], object]
    ) -> AsyncIterator[Portal]:
        self.connected.append(config.host)
        yield Portal(
            name=config.name, credential=Webhook(address=WEBHOOK), limits=limits_of(config), clock=clock,
            random=Random(7).random, transport=_Door(self, config.host),
        )  # fmt: skip

    @asynccontextmanager
    async def running(self, config: str) -> AsyncIterator[tuple[Service, asyncio.Event]]:
        """Run the service with `config` while the body does."""
        stop, reload = asyncio.Event(), asyncio.Event()
        path = self.write("syncd.toml", config)
        async with open_service(path, self.runtime(), stop) as service:
            task = asyncio.create_task(service.run(reload))
            try:
                yield service, reload
            finally:
                stop.set()
                await task

    def counts(self, service: Service) -> dict[str, int]:
        """How many passes of each sync ended, however they did."""
        found: dict[str, int] = {}
        for (name, _), count in service.passes.items():
            found[name] = found.get(name, 0) + count
        return found


class _Door:
    def __init__(self, scene: Scene, host: str) -> None:
        self._scene = scene
        self._host = host

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        if self._host in self._scene.refusing:
            text = b'{"error": "INVALID_CREDENTIALS", "error_description": "Invalid request credentials"}'
            return RawAnswer(status=401, headers={"content-type": "application/json"}, body=text)
        return await self._scene.transport.post(method, body, timeout_s)

    async def close(self) -> None:
        pass


def scene(folder: Path) -> Scene:
    made = Scene(folder, SHIFTS)
    made.write("shifts.csv", HEADER + ROWS)
    return made


def sync_of(views: tuple[SyncView, ...], name: str) -> SyncView:
    return next(view for view in views if view.name == name)


def test_an_idle_daemon_wakes_up_far_less_than_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = scene(tmp_path)
    woken: set[float] = set()

    async def sleep(clock: SimClock, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.add(clock.monotonic())

    async def main() -> None:
        async with stage.running(SHIFTS.replace("timezone", 'every = "6h"\ntimezone')):
            await asyncio.sleep(600)
            woken.clear()
            monkeypatch.setattr(SimClock, "sleep", sleep)
            await asyncio.sleep(3600)

    run_inline(main())
    assert 700 <= len(woken) <= 900  # the files are looked at every five seconds where the system tells nothing


def test_a_changed_file_is_in_the_portal_seconds_later(tmp_path: Path) -> None:
    stage = scene(tmp_path)

    async def main() -> tuple[list[str], int]:
        async with stage.running(SHIFTS.replace("timezone", 'every = "6h"\ntimezone')) as (service, _):
            await asyncio.sleep(60)
            stage.write("shifts.csv", HEADER + ROWS.replace("Shift 3", "Changed"))
            await asyncio.sleep(30)
            return stage.names(owner=3), stage.counts(service)["shifts"]

    names, passes = run_inline(main())
    assert "Changed" in names
    assert passes == 2


def test_a_mended_file_is_read_at_once_although_passes_failed_for_it(tmp_path: Path) -> None:
    stage = scene(tmp_path)

    async def main() -> tuple[int, int, list[str]]:
        async with stage.running(SHIFTS.replace("timezone", 'every = "6h"\ntimezone')) as (service, _):
            await asyncio.sleep(60)
            (tmp_path / "shifts.csv").write_bytes(b"\x00\xff\xfe no table")
            await asyncio.sleep(60)
            failures = service.daemon.states()["shifts"].failures
            stage.write("shifts.csv", HEADER + ROWS.replace("Shift 3", "Mended"))
            await asyncio.sleep(60)
            return failures, service.daemon.states()["shifts"].failures, stage.names(owner=3)

    failed, after, names = run_inline(main())
    assert (failed, after) == (1, 0)
    assert "Mended" in names


@pytest.mark.parametrize(("kind", "detail"), [
    ("connect", "the name example.bitrix24.com is not known"), ("tls", "the certificate has expired"),
    ("timeout", "no answer within 75 s"), ("oversize", "an answer of more than 10 bytes"),
])  # fmt: skip
def test_a_line_that_fails_backs_off_says_why_and_recovers(tmp_path: Path, kind: str, detail: str) -> None:
    stage = scene(tmp_path)

    def fail() -> None:
        if stage.clock.monotonic() < 3600:
            raise TransportFault(kind, detail)  # type: ignore[arg-type]

    stage.transport.before = fail

    async def main() -> tuple[str, int, list[str]]:
        async with stage.running(SHIFTS) as (service, _):
            await asyncio.sleep(3500)
            last = sync_of((await service.view()).syncs, "shifts").last_run
            failures = service.daemon.states()["shifts"].failures
            await asyncio.sleep(3600)
            return last.error if last is not None else "", failures, stage.names(owner=3)

    error, failures, names = run_inline(main())
    assert detail in error
    assert 2 <= failures <= 6
    assert names == [f"Shift {n}" for n in range(1, 6)]


def test_systemctl_status_tells_how_far_a_long_pass_is_and_what_it_waits_for(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    stage.set_faults(Settings(integer_stamps=False, costs_s={"calendar.event.add": 2.0}))
    many = "".join(
        f"{n},Shift {n},2026-12-{n % 28 + 1:02} 06:00,2026-12-{n % 28 + 1:02} 14:00,anna.petrova@school.example,D\n"
        for n in range(400)
    )
    stage.write("shifts.csv", HEADER + many)

    async def main() -> str:
        async with stage.running(SHIFTS) as (service, _):
            await asyncio.sleep(450)
            return service.daemon.status()

    told = run_inline(main())
    assert re.match(r"shifts: \d+ of 400 changes to main, waiting for operating time of calendar\.event\.add$", told)


def test_status_tells_the_next_pass_as_the_daemon_noted_it(tmp_path: Path) -> None:
    stage = scene(tmp_path)

    async def main() -> float:
        async with stage.running(SHIFTS.replace("timezone", 'cron = "0 * * * *"\njitter = "10m"\ntimezone')) as (
            service,
            _,
        ):
            await asyncio.sleep(60)
            ledger = await Ledger.open_readonly(service.config.state)
            found = (await read_status(service.config, ledger, stage.clock)).syncs[0].next_run
            await ledger.close()
            assert found == service.daemon.states()["shifts"].due
            return found - stage.clock.now()

    assert 3000 < run_inline(main()) <= 3600


def test_a_reload_takes_the_new_config_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    listening = Socket(tmp_path)
    stage.address = listening.address

    async def main() -> list[list[str]]:
        told = []
        async with stage.running(SHIFTS) as (service, reload):
            await asyncio.sleep(60)
            listening.messages()
            for text in (
                SHIFTS.replace("every", "evry").replace("timezone", "timezon"),
                SHIFTS + SECOND + "[[sync]]" + OTHER,
            ):
                stage.write("syncd.toml", text.replace('name = "shifts"', 'name = "shifts"\nportal = "main"', 1))
                reload.set()
                await asyncio.sleep(1)
                told.append([line for message in listening.messages() for line in message.split("\n")])
                told.append([service.config_refused, *sorted(sync.name for sync in service.config.syncs)])
            await asyncio.sleep(60)
            assert stage.counts(service)["other"] == 1
        return told

    refused, after_refusal, taken, after = run_inline(main())
    listening.close()
    assert [line.partition("=")[0] for line in refused if not line.startswith("STATUS")][:3] == [
        "RELOADING",
        "MONOTONIC_USEC",
        "READY",
    ]
    assert any(line.startswith("STATUS=the new config is refused, the old one stays: ") for line in refused)
    assert "timezon is not a known key" in after_refusal[0]
    assert after_refusal[1:] == ["shifts"]
    assert "RELOADING=1" in taken
    assert after == ["", "other", "shifts"]
    assert stage.connected == ["127.0.0.1:9", "localhost:9"]  # the portal that stayed kept its client and its pace


def test_a_portal_whose_settings_change_gets_a_new_client_after_its_pass_has_settled(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    stage.set_faults(Settings(integer_stamps=False, costs_s={"calendar.event.add": 5.0}))

    async def main() -> tuple[list[str], int]:
        async with stage.running(SHIFTS) as (service, reload):
            await asyncio.sleep(6)
            assert service.daemon.states()["shifts"].running_since is not None
            stage.write("syncd.toml", SHIFTS.replace('sandboxadmin/"', 'sandboxadmin/"\nlimits.lanes = 1'))
            reload.set()
            await asyncio.sleep(3600)
            return stage.names(owner=3), len(stage.connected)

    names, clients = run_inline(main())
    assert names == [f"Shift {n}" for n in range(1, 6)]
    assert clients == 2


@pytest.mark.parametrize("change", ['state = "elsewhere.db"\n', ""])
def test_the_state_cannot_move_while_the_daemon_runs(tmp_path: Path, change: str) -> None:
    stage = scene(tmp_path)

    async def main() -> str:
        async with stage.running('state = "here.db"\n' + SHIFTS) as (service, reload):
            stage.write("syncd.toml", change + SHIFTS)
            reload.set()
            await asyncio.sleep(5)
            return service.config_refused

    assert "state cannot change while syncd runs" in run_inline(main())


def test_a_reload_moves_the_page_as_often_as_its_address_changes(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    ports = _free_port(), _free_port()

    async def main() -> list[tuple[str, list[bool]]]:
        found = []
        async with open_service(with_page(stage, ports[0]), stage.runtime(), asyncio.Event()) as service:
            for port in (ports[1], ports[1], ports[0]):
                with_page(stage, port)
                await service.reload()
                found.append((service.config_refused, [await answers(one) for one in ports]))
        found.append(("", [await answers(one) for one in ports]))
        return found

    first, second = ("", [True, False]), ("", [False, True])
    assert asyncio.run(main()) == [second, second, first, ("", [False, False])]


class Unopened(Scene):
    """A scene in which the client of the second portal cannot be opened."""

    @asynccontextmanager
    async def connect(
        self, config: PortalConfig, ledger: Ledger, clock: Clock, learn: Callable[[str], object]
    ) -> AsyncIterator[Portal]:
        if config.name == "second":
            raise ConfigError("second cannot be opened")
        async with super().connect(config, ledger, clock, learn) as portal:
            yield portal


def test_the_page_of_a_config_that_is_refused_is_closed_again(tmp_path: Path) -> None:
    stage = Unopened(tmp_path, SHIFTS)
    ports = _free_port(), _free_port()

    async def main() -> tuple[str, list[bool]]:
        async with open_service(with_page(stage, ports[0]), stage.runtime(), asyncio.Event()) as service:
            text = SHIFTS.replace('name = "shifts"', 'name = "shifts"\nportal = "main"') + SECOND + "[[sync]]" + OTHER
            with_page(stage, ports[1], text)
            await service.reload()
            return service.config_refused, [await answers(one) for one in ports]

    assert asyncio.run(main()) == ("second cannot be opened", [True, False])


def with_page(stage: Scene, port: int, text: str = SHIFTS) -> Path:
    return stage.write("syncd.toml", f'[http]\nlisten = "127.0.0.1:{port}"\n{text}')


async def answers(port: int) -> bool:
    """Return True if something listens at the port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


def test_a_revoked_webhook_alarms_once_and_the_other_portal_goes_on(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    stage.refusing.add("localhost:9")
    alerts = f'[alerts]\ncommand = ["/bin/sh", "-c", \'echo "$SYNCD_STATE $SYNCD_ALERT" >> {tmp_path}/alerts\']\n'
    main_sync = SHIFTS.replace('name = "shifts"', 'name = "shifts"\nportal = "main"')
    told: list[dict[str, str]] = []

    async def main() -> tuple[bool, bool, dict[str, int]]:
        async with stage.running(alerts + main_sync + SECOND + "[[sync]]" + OTHER) as (service, _):
            update = service._alerts.update

            async def noted(
                troubles: dict[str, str], _routes: object, portals: dict[str, Portal], about: list[str]
            ) -> None:
                told.append(troubles)
                await update(troubles, Routes(), portals, about)

            service._alerts.update = noted  # type: ignore[method-assign, assignment]
            await asyncio.sleep(2 * 3600)
            stale = (await service.view()).ok
            stage.refusing.clear()
            await asyncio.sleep(2 * 3600)
            return stale, (await service.view()).ok, stage.counts(service)

    before, after, passes = run_inline(main())
    assert (before, after) == (False, True)
    assert passes["shifts"] >= 15
    assert {frozenset(one) for one in told} == {
        frozenset(), frozenset({"portal second"}), frozenset({"portal second", "sync other"})
    }  # fmt: skip
    assert told[-1] == {}


def test_alerts_are_told_once_when_they_begin_and_once_when_they_end_even_across_a_restart(tmp_path: Path) -> None:
    said = tmp_path / "said"
    script = f'echo "$SYNCD_STATE $SYNCD_ALERT" >> {said}'
    config = AlertsConfig(portal=None, user=None, chat=None, command=("/bin/sh", "-c", script))

    async def update(*rounds: dict[str, str]) -> None:
        ledger = await Ledger.open(tmp_path / "syncd.db", now=0.0)
        for troubles in rounds:
            await Alerts(ledger, SystemClock()).update(troubles, Routes(everybody=config), {})
        await ledger.close()

    asyncio.run(update({"sync a": "old"}, {"sync a": "older"}, {"sync a": "x", "portal b": "y"}))
    asyncio.run(update({"sync a": "x", "portal b": "y"}, {"portal b": "y"}, {}))
    lines = said.read_text().splitlines()
    assert lines == ["firing sync a", "firing portal b", "resolved sync a", "resolved portal b"]


def test_a_restart_ends_no_alert_before_a_pass_has_shown_that_it_is_over(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    text = "[alerts]\nheld = 1\nrejected = 1\ncommand = ['true']\n" + SHIFTS + SECOND + "[[sync]]" + OTHER
    text = text.replace('name = "shifts"', 'name = "shifts"\nportal = "main"', 1)
    wanted = {"sync shifts (guard)", "portal second", "sync other"}
    stage.refusing.add("localhost:9")

    async def before() -> set[str]:
        async with stage.running(text) as (service, _):
            await asyncio.sleep(600)
            stage.write("shifts.csv", HEADER + ROWS.splitlines()[0])
            await asyncio.sleep(2 * 3600)
            await service.update_alerts()
            return {*await service.app.ledger.told_alerts()}

    async def after() -> tuple[set[str], set[str]]:
        path = tmp_path / "syncd.toml"
        async with open_service(path, stage.runtime(), asyncio.Event()) as service:
            await service.update_alerts()
            first = {*await service.app.ledger.told_alerts()}
        stage.write("shifts.csv", HEADER + ROWS)
        stage.refusing.clear()
        async with stage.running(text) as (service, _):
            await asyncio.sleep(2 * 3600)
            await service.update_alerts()
            return first, {*await service.app.ledger.told_alerts()}

    assert wanted <= run_inline(before())
    first, last = run_inline(after())
    assert wanted <= first
    assert not wanted & last


def test_a_pass_that_runs_ends_no_alert_of_what_the_last_one_left(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    stage.set_faults(Settings(integer_stamps=False, costs_s={"calendar.event.add": 5.0}))
    broken = "9,Broken,no date,2026-12-09 14:00,anna.petrova@school.example,Desk\n"
    stage.write("shifts.csv", HEADER + broken)

    async def main() -> tuple[bool, list[str], list[str]]:
        async with stage.running("[alerts]\nrejected = 1\ncommand = ['true']\n" + SHIFTS) as (service, _):
            await asyncio.sleep(600)
            before = [*await service.app.ledger.told_alerts()]
            stage.write("shifts.csv", HEADER + ROWS + broken)
            service.poke("shifts", by="command")
            await asyncio.sleep(6)
            runs = service.daemon.states()["shifts"].running_since is not None
            await service.update_alerts()
            return runs, before, [*await service.app.ledger.told_alerts()]

    assert run_inline(main()) == (True, ["sync shifts (rejected)"], ["sync shifts (rejected)"])


def test_an_alert_that_cannot_be_told_is_logged_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    noted = SimpleNamespace(error=lambda event, **facts: told.append(f"{event} {facts.get('reason', '')}"))
    monkeypatch.setattr("syncd.service.alerts._log", noted)

    async def update(name: str, *command: str) -> None:
        ledger = await Ledger.open(tmp_path / name, now=0.0)
        config = AlertsConfig(portal=None, user=None, chat=None, command=command)
        await Alerts(ledger, SystemClock()).update({"sync a": "old"}, Routes(everybody=config), {})
        await ledger.close()

    asyncio.run(update("a.db", "/no/such/program"))
    asyncio.run(update("b.db", "/bin/sh", "-c", "exit 3"))
    failures = ["alert.failed No such file or directory", "alert.failed ended with code 3"]
    assert [line for line in told if line.startswith("alert.failed")] == failures


def test_messages_go_to_a_user_and_a_chat_of_the_portal_and_never_twice(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    sent: list[tuple[str, str]] = []

    class Answering:
        async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
            sent.append((method, body.decode()))
            raise TransportFault("cut", "the connection broke")

        async def close(self) -> None:
            pass

    async def main() -> None:
        ledger = await Ledger.open(tmp_path / "syncd.db", now=0.0)
        portal = Portal(name="main", credential=Webhook(address=WEBHOOK), limits=Limits(), clock=stage.clock,
                        random=Random(7).random, transport=Answering())  # fmt: skip
        config = AlertsConfig(portal="main", user=7, chat="chat42", command=())
        for _ in range(2):
            await Alerts(ledger, stage.clock).update(
                {"sync a": "sync a is old"}, Routes(everybody=config), {"main": portal}
            )
        await ledger.close()

    run_inline(main())
    text = unquote_plus(" ".join(body for _, body in sent))
    assert text.count("im.notify.system.add") == text.count("im.message.add") == 1
    assert "chat42" in text
    assert "syncd: sync a is old" in text


def told_by(stage: Scene, monkeypatch: pytest.MonkeyPatch, config: AlertsConfig, text: str) -> list[dict[str, str]]:
    """Report one trouble against the simulated portal; return what was logged as not told."""
    failed: list[dict[str, str]] = []

    def error(event: str, **facts: str) -> None:
        if event == "alert.failed":
            failed.append(facts)

    monkeypatch.setattr("syncd.service.alerts._log", SimpleNamespace(error=error, warning=lambda *_, **__: None))

    async def main() -> None:
        async with stage.opened() as (_, app):
            alerts = Alerts(app.ledger, stage.clock)
            await alerts.update({"sync a": text}, Routes(everybody=config), {"main": app.portals["main"]})

    run_inline(main())
    return failed


def test_a_user_is_notified_by_the_system_and_a_chat_gets_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = scene(tmp_path)
    config = AlertsConfig(portal="main", user=5, chat="chat42", command=())
    assert told_by(stage, monkeypatch, config, "sync a is old: $result[n0] & more") == []
    told = [(one.to, one.sender, one.notice, one.text) for one in stage.world.messages]
    text = "syncd: sync a is old: $result(n0) & more"
    assert told == [("5", 0, True, text), ("chat42", 1, False, text)]
    assert not stage.world.messages[1].previews


def test_a_text_from_a_feed_does_not_act_in_the_portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = scene(tmp_path)
    config = AlertsConfig(portal="main", user=5, chat="chat42", command=())
    nasty = (
        "[USER=1]boss[/USER]\n>>all is well#bR#[send=/delete]ok[/send]\u2028[icon=https://evil.example/x.png]"
        " [call=+7000]x[/call] http://evil.example/y.gif $result[n0] %24total%5Ba%5D " + "long " * 5000
    )
    assert told_by(stage, monkeypatch, config, nasty) == []
    first, second = stage.world.messages
    assert active_parts(first.text) == active_parts(second.text) == ()
    assert "(USER=1)boss(/USER) >>all is well# br #(send=/delete)ok" in first.text
    assert len(first.text) < 1010


def test_a_notice_that_is_not_made_goes_as_a_message_and_what_reaches_nobody_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = scene(tmp_path)
    config = AlertsConfig(portal="main", user=999, chat="chat7", command=())
    failed = told_by(stage, monkeypatch, config, "old")
    assert stage.world.traffic.commands["im.message.add"] == 2
    assert [(one["to"], one["reason"], one["remedy"]) for one in failed] == [
        ("user 999", "USER_NOT_FOUND: User not found", "correct alerts.user or alerts.chat"),
        ("chat7", "ACCESS_ERROR: It is forbidden to send messages to this chat", "add syncd's user to the chat"),
    ]


def test_a_missing_scope_is_said_with_its_remedy_and_the_portal_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = scene(tmp_path)
    for hook in stage.world.tables.webhooks.values():
        hook.scopes -= {"im"}
    config = AlertsConfig(portal="main", user=5, chat=None, command=())
    (failed,) = told_by(stage, monkeypatch, config, "old")
    assert failed["remedy"] == "give syncd the scope im in this portal"
    assert failed["reason"].startswith("insufficient_scope")
    assert stage.world.traffic.commands["im.message.add"] == 0

    async def main() -> str:
        async with stage.running(f"[alerts]\nuser = 5\n{SHIFTS}") as (service, _):
            await asyncio.sleep(60)
            return sync_of((await service.view()).syncs, "shifts").freshness

    assert run_inline(main()) == "fresh"


def test_a_guarded_plan_stays_in_view_until_a_pass_gets_by(tmp_path: Path) -> None:
    stage = scene(tmp_path)

    async def main() -> tuple[SyncView, SyncView]:
        async with stage.running(SHIFTS.replace("timezone", 'every = "10m"\ntimezone')) as (service, _):
            await asyncio.sleep(60)
            stage.write("shifts.csv", HEADER + ROWS.splitlines(keepends=True)[0])
            await asyncio.sleep(60)
            stopped = sync_of((await service.view()).syncs, "shifts")
            stage.write("shifts.csv", HEADER + ROWS)
            await asyncio.sleep(3600)
            return stopped, sync_of((await service.view()).syncs, "shifts")

    stopped, later = run_inline(main())
    assert stopped.plan is not None
    assert "max_removed" in stopped.plan.stopped
    assert (stopped.plan.total, stopped.plan.counts["delete"]) == (4, 4)
    assert later.plan is None


def test_a_portal_that_is_down_for_hours_costs_a_few_tries_and_then_everything_is_there(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    stage.set_faults(Settings(integer_stamps=False, faults=(parse_fault("cut-before:request=1-"),)))

    async def main() -> tuple[int, list[str], bool]:
        async with stage.running(SHIFTS) as (service, _):
            await asyncio.sleep(21_600)
            tries = stage.counts(service)["shifts"]
            loud = not (await service.view()).ok
            stage.set_faults(Settings(integer_stamps=False))
            await asyncio.sleep(2 * 3600)
            return tries, stage.names(owner=3), loud

    tries, names, loud = run_inline(main())
    assert 4 < tries < 12
    assert loud
    assert names == [f"Shift {n}" for n in range(1, 6)]


@pytest.mark.parametrize("after_s", [0.0, 0.2, 0.5, 1.0, 1.7, 2.6, 4.0, 9.0, 20.0])
def test_stopping_in_any_phase_leaves_nothing_to_repair(tmp_path: Path, after_s: float) -> None:
    stage = scene(tmp_path)
    stage.set_faults(Settings(integer_stamps=False, costs_s={"calendar.event.add": 1.0, "calendar.section.get": 0.5}))

    async def stopped() -> float:
        async with stage.running(SHIFTS):
            await asyncio.sleep(after_s)
        return stage.clock.monotonic() - after_s

    assert run_inline(stopped()) < 25

    async def again() -> int:
        async with stage.running(SHIFTS) as (service, _):
            await asyncio.sleep(2000)
            return sync_of((await service.view()).syncs, "shifts").tally.open_intents

    assert run_inline(again()) == 0
    assert stage.names(owner=3) == [f"Shift {n}" for n in range(1, 6)]


def test_a_second_daemon_on_the_same_state_is_refused(tmp_path: Path) -> None:
    stage = scene(tmp_path)

    async def main() -> None:
        async with stage.running(SHIFTS):
            with pytest.raises(StateLockedError, match=rf"is in use by another syncd \(pid {os.getpid()}\)"):
                async with open_service(tmp_path / "syncd.toml", stage.runtime(), asyncio.Event()):
                    pass

    run_inline(main())


def test_a_full_disk_fails_passes_and_the_daemon_recovers_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = scene(tmp_path)

    async def main() -> tuple[int, list[str]]:
        async with stage.running(SHIFTS) as (service, _):

            async def full(*_: object) -> int:
                raise StateError("the disk is full")

            monkeypatch.setattr(SyncLedger, "begin_run", full)
            stage.write("shifts.csv", HEADER + ROWS.replace("Shift 1", "Late"))
            await asyncio.sleep(3600)
            failures = service.daemon.states()["shifts"].failures
            monkeypatch.undo()
            await asyncio.sleep(2 * 3600)
            return failures, stage.names(owner=3)

    failures, names = run_inline(main())
    assert failures >= 2
    assert "Late" in names


@pytest.mark.parametrize(("keep_runs", "oldest"), [("4h", 4.5), ("30d", 7.5)])
def test_the_service_forgets_runs_older_than_the_config_keeps(tmp_path: Path, keep_runs: str, oldest: float) -> None:
    stage = scene(tmp_path)
    config = f'keep_runs = "{keep_runs}"\n' + SHIFTS.replace("timezone", 'every = "1h"\nwatch = false\ntimezone', 1)

    async def main() -> list[float]:
        async with stage.running(config) as (service, _):
            await asyncio.sleep(7.5 * 3600)
            runs = await service.app.ledger.of("shifts").runs(100)
            return [stage.clock.now() - run.started for run in runs]

    # Runs come every hour, and each that begins forgets what is older than the limit then.
    assert max(run_inline(main())) / 3600 == pytest.approx(oldest, abs=0.1)


def test_two_syncs_into_the_same_new_section_make_it_once(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    twin = SHIFTS.partition("[[sync]]")[2].replace('name = "shifts"', 'name = "twin"').replace("shifts.csv", "twin.csv")
    stage.write("twin.csv", HEADER + ROWS.replace("Shift", "Twin"))

    async def main() -> list[str]:
        async with stage.running(SHIFTS + "[[sync]]" + twin) as (service, _):
            await asyncio.sleep(120)
            assert stage.counts(service) == {"shifts": 1, "twin": 1}
        sections = stage.world.tables.sections.values()
        return [section.name for section in sections if section.name == "Shifts"]

    assert run_inline(main()) == ["Shifts"]
    assert len(stage.names(owner=3)) == 10


def test_two_syncs_that_want_the_same_events_at_once_get_one_each_and_adopt_none_of_the_other(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    stage.set_faults(Settings(integer_stamps=False, costs_s={"calendar.event.add": 2.0}))
    twin = SHIFTS.partition("[[sync]]")[2].replace('name = "shifts"', 'name = "twin"\nverify_every = "1m"')

    async def main() -> list[int]:
        async with stage.running(SHIFTS + "[[sync]]" + twin.replace("timezone", 'every = "1m"\ntimezone')) as (
            service,
            _,
        ):
            await asyncio.sleep(900)
            links = [link for name in ("shifts", "twin") for link in await service.app.ledger.of(name).links()]
            return [link.remote_id for link in links]

    linked = run_inline(main())
    assert len(linked) == len(set(linked)) == 10
    assert len(stage.names(owner=3)) == 10


def test_a_config_without_a_portal_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    path = stage.write("syncd.toml", "")

    async def main() -> None:
        with pytest.raises(ConfigError):
            async with open_service(path, stage.runtime(), asyncio.Event()):
                pass

    run_inline(main())
    assert not list(tmp_path.glob("**/*.db"))


async def test_the_program_of_alerts_gets_the_facts_and_nothing_secret_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCD_WEBHOOK", WEBHOOK)
    monkeypatch.setenv("LANG", "C.UTF-8")
    await _run(("/bin/sh", "-c", f"env > {tmp_path}/env"), {"SYNCD_TEXT": "stale"})
    given = (tmp_path / "env").read_text()
    assert "SYNCD_TEXT=stale\n" in given
    assert "LANG=C.UTF-8\n" in given
    assert "SYNCD_WEBHOOK" not in given


def errors_of_alerts(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Return the list that errors are added to which the alerts log from now on."""
    said: list[dict[str, object]] = []
    monkeypatch.setattr(
        "syncd.service.alerts._log",
        SimpleNamespace(error=lambda event, **facts: said.append({"event": event, **facts})),
    )
    return said


async def test_a_program_of_alerts_that_does_not_end_is_killed_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    said = errors_of_alerts(monkeypatch)
    monkeypatch.setattr("syncd.service.alerts._COMMAND_TIMEOUT_S", 0.1)
    await asyncio.wait_for(_run(("/bin/sleep", "60"), {}), 20)
    assert said == [{"event": "alert.failed", "by": "/bin/sleep", "reason": "took longer than 0 s"}]


async def test_a_program_of_alerts_for_which_there_is_no_room_is_not_started_and_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = errors_of_alerts(monkeypatch)

    def full() -> None:
        raise MemoryError("no memory for a thread")

    monkeypatch.setattr("syncd.service.alerts.require_room", full)
    await _run(("/bin/sleep", "60"), {})
    assert said == [{"event": "alert.failed", "by": "/bin/sleep", "reason": "no memory for a thread"}]


async def test_a_program_of_alerts_that_runs_when_syncd_is_stopped_is_ended_and_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = errors_of_alerts(monkeypatch)
    begun: list[asyncio.subprocess.Process] = []
    start, running = asyncio.create_subprocess_exec, asyncio.Event()

    async def started(*command: str, **options: Any) -> asyncio.subprocess.Process:
        begun.append(await start(*command, **options))
        running.set()
        return begun[-1]

    monkeypatch.setattr("syncd.service.alerts.asyncio.create_subprocess_exec", started)
    telling = asyncio.create_task(_run(("/bin/sleep", "60"), {}))
    await running.wait()
    await asyncio.sleep(0)
    telling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await telling
    assert begun[0].returncode == -signal.SIGKILL
    assert said == [{"event": "alert.failed", "by": "/bin/sleep", "reason": "syncd was stopped meanwhile"}]


class Closing(Scene):
    """A scene whose clients take a minute to close, and which notes what is still asked of one that is being closed."""

    def __post_init__(self) -> None:
        Scene.__post_init__(self)
        self.misused: list[str] = []

    @asynccontextmanager
    async def connect(
        self, config: PortalConfig, ledger: Ledger, clock: Clock, learn: Callable[[str], object]
    ) -> AsyncIterator[Portal]:
        door = _ClosingDoor(self, config.host)
        async with super().connect(config, ledger, clock, learn):
            yield Portal(
                name=config.name, credential=Webhook(address=WEBHOOK), limits=limits_of(config), clock=clock,
                random=Random(7).random, transport=door,
            )  # fmt: skip
            door.closing = True
            await asyncio.sleep(60)


class _ClosingDoor(_Door):
    def __init__(self, scene: Closing, host: str) -> None:
        super().__init__(scene, host)
        self._closing_scene = scene
        self.closing = False

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        if self.closing:
            self._closing_scene.misused.append(method)
        return await super().post(method, body, timeout_s)


def test_nothing_uses_a_client_that_a_reload_is_closing(tmp_path: Path) -> None:
    """Passes come due all the time, the page is looked at and alerts are sent while a portal's settings change."""
    stage = Closing(tmp_path, SHIFTS)
    often = SHIFTS.replace("timezone", 'every = "10s"\nverify_every = "1s"\ntimezone', 1)
    often = f"[alerts]\nuser = 1\n{often}"

    async def main() -> tuple[int, int]:
        stage.write("shifts.csv", HEADER + ROWS)
        async with stage.running(often) as (service, reload):
            await asyncio.sleep(35)
            before = stage.counts(service)["shifts"]
            for share in ("0.5", "0.6", "0.7"):
                changed = often.replace("[[sync]]", f"[portals.main.limits]\noperating_share = {share}\n[[sync]]", 1)
                stage.write("syncd.toml", changed)
                reload.set()
                for _ in range(70):
                    await asyncio.sleep(1)
                    assert len((await service.view()).portals) == 1
                    await service.update_alerts()
            return before, stage.counts(service)["shifts"]

    before, after = run_inline(main())
    assert stage.misused == []
    assert len(stage.connected) == 4
    assert after > before


class Slow(Scene):
    """A scene in which opening takes two minutes."""

    @asynccontextmanager
    async def connect(
        self, config: PortalConfig, ledger: Ledger, clock: Clock, learn: Callable[[str], object]
    ) -> AsyncIterator[Portal]:
        await clock.sleep(120)
        async with super().connect(config, ledger, clock, learn) as portal:
            yield portal


def test_a_start_that_takes_long_asks_systemd_for_more_time_and_no_longer_once_it_is_ready(tmp_path: Path) -> None:
    listening = Socket(tmp_path)
    stage = Slow(tmp_path, SHIFTS)
    stage.write("shifts.csv", HEADER + ROWS)
    stage.address = listening.address

    async def main() -> None:
        async with stage.running(SHIFTS):
            await asyncio.sleep(120)

    run_inline(main())
    told = listening.messages()
    listening.close()
    extended = [number for number, message in enumerate(told) if "EXTEND_TIMEOUT_USEC=60000000" in message]
    ready = next(number for number, message in enumerate(told) if "READY=1" in message)
    assert len(extended) >= 5
    assert max(extended) < ready


def test_a_portal_whose_secret_is_missing_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    stage = scene(tmp_path)
    second = SECOND.replace('webhook = "http://localhost:9/rest/1/sandboxadmin/"', 'webhook_file = "none"')
    first = SHIFTS.replace('name = "shifts"', 'name = "shifts"\nportal = "main"')

    async def main() -> tuple[dict[str, str], str]:
        async with stage.running(first + second + "[[sync]]" + OTHER) as (service, reload):
            await asyncio.sleep(120)
            refused = {portal.name: portal.refused for portal in (await service.view()).portals}
            (tmp_path / "none").write_text("http://localhost:9/rest/1/sandboxadmin/")
            reload.set()
            await asyncio.sleep(5)
            return refused, sync_of((await service.view()).syncs, "other").freshness

    refused, freshness = run_inline(main())
    assert (refused["main"], "portals.second.webhook_file names a file in" in refused["second"]) == ("", True)
    assert freshness == "fresh"


async def test_no_trouble_is_over_of_a_portal_that_is_just_being_taken_or_lost(database: Database) -> None:
    clock = SystemClock()
    ledger = await Ledger.open(database, now=clock.now())
    leases = await ledger.share(LeaseTerms(), clock)
    ledger.serve({"a": "one", "b": "two"})
    alerts = Alerts(ledger, clock)
    try:
        assert await leases.take("one") is not None and await leases.take("two") is not None
        await alerts.update({"sync a": "x", "sync b": "y"}, Routes(), {}, ["one", "two"])
        await alerts.update({}, Routes(), {}, ["one"])
        assert [*await ledger.told_alerts()] == ["sync b"]
        await leases.give_back(["two"])
        with capture_logs() as logs:
            await alerts.update({"sync b": "y"}, Routes(), {}, ["one", "two"])
        assert logs == []
        assert await leases.take("two") is not None
        await alerts.update({}, Routes(), {}, ["one", "two"])
        assert await ledger.told_alerts() == {}
    finally:
        await ledger.close()
