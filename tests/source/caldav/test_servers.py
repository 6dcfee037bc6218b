"""The CalDAV source against real servers on loopback: Radicale and Xandikos, each in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from syncd.errors import SourceError
from syncd.model.entry import Snapshot
from syncd.source import Source, open_source
from syncd.source.base import ReadContext
from syncd.source.conformance import CONTEXT
from syncd.source.web.cache import DirectoryCache
from tests.source.calendars import calendar, event

_RADICALE = """
[server]
hosts = 127.0.0.1:{port}
[auth]
type = htpasswd
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
[storage]
filesystem_folder = {folder}/store
[logging]
level = error
"""
_MAKE = (
    '<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>'
    "<D:displayname>{}</D:displayname></D:prop></D:set></C:mkcalendar>"
)


class Dav:
    """A server that tests write to, each into calendars of its own."""

    def __init__(self, url: str, home: str, user: str) -> None:
        self.url = url
        self.home = home
        self.user = user

    def send(self, method: str, path: str, body: bytes = b"", kind: str = "text/calendar") -> int:
        headers = {"Content-Type": kind}
        if self.user:
            headers["Authorization"] = "Basic " + b64encode(f"{self.user}:s3cret".encode()).decode()
        request = urllib.request.Request(self.url + path, data=body or None, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def make(self, slug: str, name: str) -> str:
        path = f"{self.home}{slug}/"
        assert self.send("MKCALENDAR", path, _MAKE.format(name).encode(), "application/xml") == 201
        return path

    def put(self, path: str, uid: str, title: str, file: str = "") -> None:
        body = calendar(event("DTSTAMP:20261101T000000Z", "DTSTART:20261201T090000Z", f"SUMMARY:{title}", uid=uid),
                        head="VERSION:2.0\nPRODID:-//t//t//EN")  # fmt: skip
        assert self.send("PUT", path + quote(file or f"{uid}.ics"), body) in (201, 204)

    def delete(self, path: str, file: str) -> None:
        assert self.send("DELETE", path + quote(file)) in (200, 204)

    def source(self, *calendars: str, path: str = "", **options: object) -> Source:
        login = {"username": self.user, "password": "s3cret"} if self.user else {}
        keys = {"type": "caldav", "url": self.url + path, "calendars": list(calendars), **login, **options}
        return open_source(keys, Path(), where="test")


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {process.args!r}")


@pytest.fixture(scope="module", params=["radicale", "xandikos"])
def dav(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dav]:
    folder, port = tmp_path_factory.mktemp(request.param), _port()
    if request.param == "radicale":
        (folder / "users").write_text("ann:s3cret\n")
        (folder / "config").write_text(_RADICALE.format(port=port, folder=folder))
        command = ["-m", "radicale", "--config", str(folder / "config")]
        server = Dav(f"http://127.0.0.1:{port}", "/ann/", "ann")
    else:
        command = ["-m", "xandikos", "serve", "--directory", str(folder), "--listen-address", "127.0.0.1",
                   "--port", str(port), "--current-user-principal", "/ann/", "--autocreate"]  # fmt: skip
        server = Dav(f"http://127.0.0.1:{port}", "/ann/calendars/", "")
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, port)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=10)


def titles(snapshot: Snapshot) -> dict[str, str]:
    return {entry.uid: entry.details.title for entry in snapshot.entries}


def fetched(source: Source) -> int:
    return source.fetched  # type: ignore[attr-defined,no-any-return]


async def test_calendars_are_found_by_name_or_pattern_and_read(dav: Dav) -> None:
    for slug, name in (("one", "Team One"), ("two", "Team Two"), ("other", "Private")):
        dav.put(dav.make(slug, name), f"{slug}-1", f"In {name}")
    assert set(titles(await dav.source("Team*").read(CONTEXT))) == {"one-1", "two-1"}
    assert set(titles(await dav.source("private", "team one").read(CONTEXT))) == {"one-1", "other-1"}
    assert "other-1" in titles(await dav.source().read(CONTEXT))
    snapshot = await dav.source("Team One").read(CONTEXT)
    assert snapshot.complete
    assert snapshot.entries[0].where == "Team One/one-1.ics:4"


async def test_a_calendars_own_address_and_the_home_will_do(dav: Dav) -> None:
    path = dav.make("direct", "Direct")
    dav.put(path, "d-1", "Direct")
    assert titles(await dav.source(path=path).read(CONTEXT)) == {"d-1": "Direct"}
    assert titles(await dav.source("Direct", path=dav.home).read(CONTEXT)) == {"d-1": "Direct"}


async def test_only_what_has_changed_is_fetched_and_what_is_gone_goes(dav: Dav) -> None:
    path = dav.make("changing", "Changing")
    for number in range(5):
        dav.put(path, f"c-{number}", "First")
    source = dav.source("Changing")
    first = await source.read(CONTEXT)
    assert (len(first.entries), fetched(source)) == (5, 5)
    assert await source.read(CONTEXT) is first
    assert fetched(source) == 0
    dav.put(path, "c-1", "Second")
    dav.delete(path, "c-2.ics")
    dav.put(path, "c-9", "New")
    changed = await source.read(CONTEXT)
    assert titles(changed) == {"c-0": "First", "c-1": "Second", "c-3": "First", "c-4": "First", "c-9": "New"}
    assert changed.complete
    assert fetched(source) == 2


async def test_hrefs_with_odd_characters_are_read_changed_and_deleted(dav: Dav) -> None:
    path = dav.make("odd", "Odd")
    files = ["a b.ics", "пара@example.com.ics", "50%.ics", "a+b&c.ics", "(1).ics"]
    for number, file in enumerate(files):
        dav.put(path, f"o-{number}", "First", file)
    source = dav.source("Odd")
    assert len((await source.read(CONTEXT)).entries) == len(files)
    for number, file in enumerate(files[:-1]):
        dav.put(path, f"o-{number}", "Second", file)
    dav.delete(path, files[-1])
    changed = await source.read(CONTEXT)
    assert titles(changed) == {f"o-{number}": "Second" for number in range(len(files) - 1)}


async def test_the_next_process_goes_on_from_what_was_kept(dav: Dav, tmp_path: Path) -> None:
    path = dav.make("kept", "Kept")
    dav.put(path, "k-1", "First")
    cache = DirectoryCache(tmp_path / "feeds", writable=True)
    context = ReadContext(zone=CONTEXT.zone, window=CONTEXT.window, today=CONTEXT.today, cache=cache)
    await dav.source("Kept").read(context)
    dav.put(path, "k-2", "Second")
    source = dav.source("Kept")
    assert titles(await source.read(context)) == {"k-1": "First", "k-2": "Second"}
    assert fetched(source) == 1


async def test_an_empty_calendar_is_complete_and_one_that_is_not_there_is_told(dav: Dav) -> None:
    dav.make("empty", "Empty")
    snapshot = await dav.source("Empty").read(CONTEXT)
    assert (snapshot.entries, snapshot.complete) == ((), True)
    with pytest.raises(SourceError, match=r"no calendar 'Emptyy'.*did you mean 'Empty'"):
        await dav.source("Emptyy").read(CONTEXT)
    partly = await dav.source("Empty", "Gone").read(CONTEXT)
    assert not partly.complete
    assert "no calendar 'Gone'" in partly.incomplete_because


async def test_a_wrong_password_is_told_without_it(dav: Dav) -> None:
    if not dav.user:
        pytest.skip("this server asks for none")
    with pytest.raises(SourceError, match="wants other credentials") as caught:
        await dav.source(password="wr0ng").read(CONTEXT)
    assert "wr0ng" not in str(caught.value)
