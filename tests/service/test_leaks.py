"""Plants secrets wherever the config takes one, lets everything go wrong, and looks for them in all that comes out."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import signal
import socket
import sqlite3
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web

from syncd.cli import DEFECT, main
from syncd.clock import SystemClock
from syncd.source.file_source import FileSource

SECRETS = {
    name: f"{name}-S3cr3t/{number}+{chr(97 + number) * 3}"
    for number, name in enumerate(
        ("url-password", "url-path", "url-query", "password", "password-file", "password-env", "password-credential",
         "token", "token-env", "header", "url-file", "caldav-password", "proxy", "curl-user", "curl-header", "hook")
    )
}  # fmt: skip
CODES = {name: f"{name}c0de{number}{'xyz' * 3}" for number, name in enumerate(("given", "file", "env", "credential"))}
PLANTED = (*SECRETS.values(), *CODES.values())
DAY = date.today().replace(day=28)  # noqa: DTZ011 - inside the window, whenever the test runs

CONFIG = """
state = "state/syncd.db"
{http}

[alerts]
command = ["{alert}", "-u", "ops:{curl_user}", "-H", "Authorization: Bearer {curl_header}", "https://hook.example/services/{hook}"]

[portals.main]
{webhook}
tariff = "self-hosted"
"""
SYNC = """
[[sync]]
name = "{name}"
portal = "main"
every = "1h"
timezone = "Europe/Moscow"
[sync.source]
{source}
[sync.target]
calendar = "user"
owner = "1"
"""
COLUMNS = 'columns = {{ uid = "ID", title = "Title", start = "Start", end = "End" }}\n'.replace("{{", "{").replace(
    "}}", "}"
)


def test_twenty_secrets_are_planted() -> None:
    assert len(set(PLANTED)) == 20


class Site:
    """A web server that repeats what it was sent: headers, path and body, in all the ways there are."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.port = 0
        self.elsewhere = 0

    def __enter__(self) -> Site:
        self._thread.start()
        assert self._started.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def _run(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{kind}/{rest:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        said = f"{request.method} {request.url} {dict(request.headers)} {await request.text()}"
        login = request.headers.get("Authorization", "")
        said += f" {login} {request.path_qs}"
        match request.match_info["kind"]:
            case "denied":
                return web.Response(status=401, text=said, headers={"WWW-Authenticate": login or "Basic"})
            case "moved":
                place = f"https://elsewhere.invalid{request.path_qs}"
                return web.Response(status=302, headers={"Location": place}, text=said)
            case "broken":
                return web.Response(
                    status=200, text=f"BEGIN:VCALENDAR\r\n{said}\r\nBEGIN:VEVENT\r\n", content_type="text/calendar"
                )
            case "table":
                return web.Response(text=f"ID,{login},Start\n1,{said},never\n", content_type="text/csv")
            case "failed":
                return web.Response(status=500, text=f"<html>{said}</html>", content_type="text/html")
            case "refused":
                document = {"error": "INVALID_CREDENTIALS", "error_description": said}
                return web.json_response(document, status=401)
            case "nonsense":
                return web.json_response({"result": said})
            case _:
                return web.Response(text=said)


class Scene:
    """A folder with files of secrets, and everything that has come out of syncd."""

    def __init__(self, folder: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.site = site
        self.said: dict[str, str] = {}
        self._patch = monkeypatch
        secrets = folder / "secrets"
        secrets.mkdir()
        for name, secret in SECRETS.items():
            (secrets / name).write_text(f"{secret}\n")
            (secrets / name).chmod(0o600)
        environ = {
            "CREDENTIALS_DIRECTORY": str(secrets), "TOKEN_ENV": SECRETS["token-env"],
            "PASSWORD_ENV": SECRETS["password-env"], "HTTPS_PROXY": self.proxy, "HTTP_PROXY": self.proxy,
        }  # fmt: skip
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        (folder / "drop").mkdir()
        (folder / "drop" / "plan.csv").symlink_to(secrets / "url-file")
        (folder / "good.csv").write_text(f"ID,Title,Start,End\n1,=1+1,{DAY} 09:00,{DAY} 10:00\n2,x,never,never\n")

    @property
    def proxy(self) -> str:
        return f"http://me:{quote(SECRETS['proxy'], safe='')}@127.0.0.1:9"

    def webhook(self, code: str, kind: str = "refused") -> str:
        return f"http://127.0.0.1:{self.site.port}/{kind}/rest/1/{code}/"

    def write(self, webhook: str, sources: dict[str, str], http: str = "") -> Path:
        alert = self.folder / "alert"
        alert.write_text('#!/bin/sh\necho "tried $* with $SYNCD_TEXT"; exit 7\n')
        alert.chmod(0o700)
        keys = {name.replace("-", "_"): secret for name, secret in SECRETS.items()}
        text = CONFIG.format(http=http, webhook=webhook, alert=alert, **keys)
        config = self.folder / "syncd.toml"
        config.write_text(text + "".join(SYNC.format(name=name, source=source) for name, source in sources.items()))
        config.chmod(0o600)
        return config

    def run(self, *arguments: str) -> int:
        """Run a command at -vvv and keep what it says; the log is plain JSON."""
        out, err = io.StringIO(), io.StringIO()
        self._patch.setattr(sys, "stdout", out)
        self._patch.setattr(sys, "stderr", err)
        config = str(self.folder / "syncd.toml")
        try:
            code = main(["--config", config, "-vvv", "--log-format", "json", *arguments])
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        finally:
            self._patch.setattr(sys, "stdout", sys.__stdout__)
            self._patch.setattr(sys, "stderr", sys.__stderr__)
        self.said[f"{' '.join(arguments)}: stdout"] = out.getvalue()
        self.said[f"{' '.join(arguments)}: stderr"] = err.getvalue()
        return code

    def look(self) -> None:
        """Fail for each secret that is in what was said, or in a file that syncd has written."""
        mine = {"syncd.toml", "alert"}
        found = dict(self.said)
        for file in self.folder.rglob("*"):
            if file.is_file() and file.name not in mine and "secrets" not in file.parts and "drop" not in file.parts:
                found[file.name] = file.read_bytes().decode("utf-8", "replace") + _dump(file)
        for place, text in found.items():
            for secret in PLANTED:
                for form in (
                    secret,
                    quote(secret, safe=""),
                    quote(secret),
                    json.dumps(secret)[1:-1].replace("/", "\\/"),
                ):
                    at = text.find(form)
                    assert at < 0, f"{secret} in {place}: {text[max(0, at - 300) : at + 100]}"
            for user in ("ann", "me"):
                for secret in PLANTED:
                    assert b64encode(f"{user}:{secret}".encode()).decode() not in text, (secret, place)


def _dump(file: Path) -> str:
    """Return the rows of a ledger: in the file itself they may be packed or lie in pages."""
    if file.suffix != ".db":
        return ""
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        return "\n".join(connection.iterdump())


def _let_time_fly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pauses before another try take no time, though the clock goes on."""
    passed = [0.0]
    now, monotonic, sleep = SystemClock.now, SystemClock.monotonic, SystemClock.sleep

    async def skip(clock: SystemClock, seconds: float) -> None:
        passed[0] += max(0.0, seconds)
        await sleep(clock, 0)

    monkeypatch.setattr(SystemClock, "now", lambda clock: now(clock) + passed[0])
    monkeypatch.setattr(SystemClock, "monotonic", lambda clock: monotonic(clock) + passed[0])
    monkeypatch.setattr(SystemClock, "sleep", skip)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    _let_time_fly(monkeypatch)
    root = logging.getLogger()
    level = root.level
    with Site() as site:
        yield Scene(tmp_path, site, monkeypatch)
    root.setLevel(level)


def sources(scene: Scene) -> dict[str, str]:
    """Return sources with a secret each, and a failure each."""
    at, s = f"127.0.0.1:{scene.site.port}", SECRETS
    columns = COLUMNS
    return {
        "good": f'type = "csv"\npath = "good.csv"\n{columns}',
        "denied": f'type = "ics"\nurl = "http://ann:{quote(s["url-password"], safe="")}@{at}/denied/x.ics"',
        "moved": f'type = "ics"\nurl = "http://{at}/moved/{quote(s["url-path"], safe="")}/x'
        f'?key={quote(s["url-query"], safe="")}"',
        "broken": f'type = "ics"\nurl = "http://{at}/broken/x.ics"\nusername = "ann"\npassword = "{s["password"]}"',
        "table": f'type = "csv"\nurl = "http://{at}/table/x.csv"\ntoken = "{s["token"]}"\n{columns}',
        "failed": f'type = "csv"\nurl = "http://{at}/failed/x"\ntoken_env = "TOKEN_ENV"\n{columns}',
        "text": f'type = "ics"\nurl = "http://{at}/text/x"\nheaders = {{ X-Key = "{s["header"]}" }}',
        "file": f'type = "ics"\nurl = "http://{at}/denied/x"\nusername = "ann"\n'
        'password_file = "secrets/password-file"',
        "env": f'type = "ics"\nurl = "http://{at}/broken/x"\nusername = "ann"\npassword_env = "PASSWORD_ENV"',
        "credential": f'type = "csv"\nurl = "https://{at}/x"\nusername = "ann"\n'
        f'password_credential = "password-credential"\n{columns}',
        "nowhere": f'type = "ics"\nurl = "https://host.invalid/{s["hook"].partition("/")[0]}c0de99/x"\n',
        "link": f'type = "csv"\npath = "drop/*.csv"\n{columns}',
        "dav": f'type = "caldav"\nurl = "http://{at}/denied/dav/"\nusername = "ann"\n'
        f'password = "{s["caldav-password"]}"',
    }


@pytest.mark.parametrize("kind", ["refused", "moved", "failed", "nonsense", "denied", "text"])
def test_no_command_tells_a_secret_whatever_sources_and_portal_answer(scene: Scene, kind: str) -> None:
    scene.write(f'webhook = "{scene.webhook(CODES["given"], kind)}"', sources(scene))
    scene.run("check")
    scene.run("plan", "--json", "--out", str(scene.folder / "plan.json"))
    scene.run("sync", "--report", str(scene.folder / "report.csv"))
    scene.run("status", "--json")
    assert "pass.done" in "".join(scene.said.values())
    assert "***" in "".join(scene.said.values())
    scene.look()


@pytest.mark.parametrize(
    "webhook",
    [
        'webhook_env = "{0}"', 'webhook_file = "{0}"', 'webhook_credential = "{0}"', 'webhook = "{0}"',
        'webhook_env = "{1}"', 'webhook_file = "{1}"', 'webhook_file = "secrets/url-file"',
        'webhook_file = "drop/plan.csv"',
        'webhook_env = "PASSWORD_ENV"', 'webhook_credential = "token"', 'webhook = "{1}profile"',
        'webhook = "https://host.invalid/rest/1/{0}/"', 'webhook = "https://127.0.0.1:{2}/rest/1/{0}/"', "webhook = 5",
        'webhook = "{1}"\ntarrif = "x"', 'webhook = "{1}"\nwebhook_env = "{0}"',
    ],
)  # fmt: skip
def test_no_mistake_in_the_config_tells_a_secret(scene: Scene, webhook: str) -> None:
    scene.write(
        webhook.format(CODES["env"], scene.webhook(CODES["file"]), scene.site.port), {"good": sources(scene)["good"]}
    )
    assert scene.run("check") in (2, 3)
    assert scene.run("sync", "--json") in (2, 3)
    scene.look()


@pytest.mark.parametrize("key", ["password", "token", "url"])
@pytest.mark.parametrize("form", ["_env", "_file", "_credential"])
def test_no_secret_in_place_of_its_file_or_variable_is_told(scene: Scene, key: str, form: str) -> None:
    secret = SECRETS["url-file"] if key == "url" else SECRETS["password"]
    more = (
        "" if key == "url" else 'url = "https://host.invalid/x"\n' + ('username = "ann"\n' if key == "password" else "")
    )
    source = f'type = "ics"\n{more}{key}{form} = "{secret}"'
    scene.write(f'webhook = "{scene.webhook(CODES["given"])}"', {"wrong": source})
    assert scene.run("check") == 2
    assert scene.run("plan", "--json") == 2
    scene.look()


def test_a_wrong_command_line_is_told_without_its_secrets(scene: Scene) -> None:
    scene.write(f'webhook = "{scene.webhook(CODES["given"])}"', {"good": sources(scene)["good"]})
    for words in (
        ("init", "--webhok", scene.webhook(CODES["file"])),
        (scene.webhook(CODES["file"]),),
        ("undo", CODES["file"]),
    ):
        assert scene.run(*words) == 2
        scene.said = {
            f"{number}": text for number, text in enumerate(scene.said.values()) if CODES["file"] not in words
        }
    scene.run("init", "--webhook", scene.webhook(CODES["file"]), "-o", "/nowhere/syncd.toml")
    scene.said = {f"{number}": text for number, text in enumerate(scene.said.values())}
    scene.look()


def test_a_traceback_tells_no_secret_and_has_an_exit_code_of_its_own(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.write(f'webhook = "{scene.webhook(CODES["given"])}"', sources(scene))
    known = [secret for name, secret in SECRETS.items() if name != "url-file"]

    async def crash(_self: FileSource, _context: object) -> None:
        raise RuntimeError(f"inside: {known} {CODES['given']} password=hunter22")

    monkeypatch.setattr(FileSource, "fetch", crash)
    for words in (("sync",), ("plan", "--json"), ("check",)):
        assert scene.run(*words) == DEFECT
        assert "RuntimeError: inside: " in scene.said[f"{' '.join(words)}: stderr"]
        assert "hunter22" not in scene.said[f"{' '.join(words)}: stderr"]
    assert json.loads(scene.said["plan --json: stdout"])["exit_code"] == DEFECT
    scene.look()


@contextmanager
def notified(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(folder / "notify"))
        listening.setblocking(False)
        yield listening


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


QUICK_ALERTS = """
import sys
from syncd.cli import main
from syncd.service import host
host._ALERTS_EVERY_S = 0.5
sys.exit(main())
"""


async def test_the_service_tells_no_secret_on_its_page_to_systemd_or_in_an_alert(scene: Scene) -> None:
    """A whole `syncd run` at -vvv: all sources fail, the portal refuses, an alert is sent, a reload is refused."""
    port = _port()
    http = f'[http]\nlisten = "127.0.0.1:{port}"'
    quick = {name: source for name, source in sources(scene).items() if name not in ("failed", "nowhere")}
    config = scene.write(f'webhook = "{scene.webhook(CODES["given"])}"', quick, http)
    good = config.read_text()
    with notified(scene.folder) as listening:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", QUICK_ALERTS, "--config", str(config), "-vvv", "--log-format", "json", "run",
            env={**os.environ, "NOTIFY_SOCKET": str(scene.folder / "notify"), "WATCHDOG_USEC": "900000"},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None
        heard: list[str] = []
        await _lines(process.stderr, heard, "alert.failed")
        await _pages(scene, port, "passes have failed")
        scene.said["systemd at first"] = _datagrams(listening)  # the queue is short, and whoever finds it full gives up
        config.write_text(good.replace("webhook = ", "webhook_env = "))
        process.send_signal(signal.SIGHUP)
        await _lines(process.stderr, heard, "config.refused")
        await _pages(scene, port, "a reload was refused")
        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        scene.said["stdout"], scene.said["log"] = out.decode(), "".join(heard) + err.decode()
        scene.said["systemd"] = _datagrams(listening)
    assert "alert.said" in scene.said["log"]
    assert "STATUS=the new config is refused" in scene.said["systemd"]
    assert "config_refused" in scene.said["a reload was refused: /healthz"]
    scene.look()


async def _lines(stream: asyncio.StreamReader, heard: list[str], wanted: str) -> None:
    """Read the log up to the line with `wanted`."""
    while True:
        line = (await asyncio.wait_for(stream.readline(), 60)).decode()
        assert line, f"{wanted} was never logged: {heard[-5:]}"
        heard.append(line)
        if wanted in line:
            return


async def _pages(scene: Scene, port: int, when: str) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("/", "/healthz", "/metrics", "/nowhere"):
            async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                scene.said[f"{when}: {path}"] = await answer.text() + repr(answer.headers)


def _datagrams(listening: socket.socket) -> str:
    found = ""
    while True:
        try:
            found += listening.recv(65_536).decode()
        except BlockingIOError:
            return found
