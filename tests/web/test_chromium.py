"""The page in a real browser, where there is one: its policy lets all its own in, in both themes and widths."""

from __future__ import annotations

import asyncio
import shutil
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from syncd.web.status_server import Details, serving
from syncd.web.views import RunView, SyncView, View
from tests.web.test_russian_pages import LEFT, PLAN, PROBLEMS, STATES, one, whole
from tests.web.views import NOW, run, view, well

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium)")
@pytest.mark.parametrize(("theme", "width", "language"), [("light", 1280, "en"), ("dark", 500, "ru")])
async def test_the_browser_draws_the_page_and_has_nothing_to_complain_of(
    tmp_path: Path, theme: str, width: int, language: str
) -> None:
    async def read() -> View:
        return view()

    shot = tmp_path / "page.png"
    assert CHROMIUM is not None
    async with serving(read, host="127.0.0.1", port=0) as port:
        process = await asyncio.create_subprocess_exec(
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
            f"--user-data-dir={tmp_path}/profile", f"--accept-lang={language}", f"--window-size={width},900",
            f"--blink-settings=preferredColorScheme={int(theme == 'light')}", f"--screenshot={shot}",
            f"http://127.0.0.1:{port}/",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, said
    assert b"CONSOLE" not in said, said
    picture = shot.read_bytes()
    assert struct.unpack(">II", picture[16:24]) == (width, 900)
    assert len(picture) > 20_000  # an unstyled or empty page is far smaller


def many() -> View:
    calm = replace(well().syncs[0], runs=well().syncs[0].runs[:1], in_full=False)
    names = [(f"client-{number:02}", f"portal-{number % 2}") for number in range(20)]
    return replace(well(), syncs=tuple(
        replace(calm, name=name, portal=portal, paused=NOW if name == "client-07" else None) for name, portal in names
    ))  # fmt: skip


async def evaluated(address: str, folder: Path, *scripts: str, width: int = 1280) -> list[object]:
    """Open a page so wide, and return what each of `scripts` gives there, by the browser's own protocol."""
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile",
        "--remote-debugging-port=0", "--remote-allow-origins=*", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            while not (line := (await process.stderr.readline()).decode()).startswith("DevTools listening on ws://"):
                assert line
            place = line.split("ws://")[1].partition("/")[0]
            async with aiohttp.ClientSession() as session:
                pages: list[dict[str, str]] = []
                while not (pages := [one for one in pages if one["type"] == "page"]):
                    pages = await (await session.get(f"http://{place}/json/list")).json()
                async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], origin="http://127.0.0.1") as devtools:
                    phone = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
                    await _asked(devtools, 0, "Emulation.setDeviceMetricsOverride", **phone)
                    await _asked(devtools, 1, "Page.navigate", url=address)
                    loaded = f"location.href === '{address}' && document.readyState === 'complete'"
                    while await _evaluate(devtools, 2, loaded) is not True:  # while it navigates there is no document
                        pass
                    return [await _evaluate(devtools, number, script) for number, script in enumerate(scripts, 3)]
    finally:
        process.terminate()
        await process.communicate()


async def _evaluate(devtools: aiohttp.ClientWebSocketResponse, number: int, script: str) -> object:
    answer = await _asked(
        devtools, number, "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
    )
    return answer.get("result", {}).get("result", {}).get("value")


async def _asked(
    devtools: aiohttp.ClientWebSocketResponse, number: int, method: str, **params: object
) -> dict[str, Any]:
    await devtools.send_json({"id": number, "method": method, "params": params})
    while (answer := await devtools.receive_json()).get("id") != number:
        pass
    return dict(answer)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium)")
@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("path", ["/", "/syncs/shifts", "/syncs/shifts/runs/7"])
async def test_no_page_is_wider_than_a_phone_and_no_word_is_broken(tmp_path: Path, path: str, language: str) -> None:
    seen = [replace(one(**STATES[state]), name=state.replace(" ", "-")) for state in STATES]
    record = run(7, counts=LEFT, problems=PROBLEMS, problem_count=40)

    async def read() -> View:
        return whole(*seen, *(replace(each, in_full=False) for each in seen))

    async def sync_read(_name: str) -> SyncView | None:
        return seen[-2]

    async def run_read(_name: str, _number: int) -> RunView | None:
        return RunView(record=record, changes=PLAN.changes, more=True)

    # A line of its own for each word, at most: more, and one was broken in its middle.
    broken = (
        "document.querySelectorAll('details').forEach((each) => each.open = true);"
        " const range = document.createRange(), found = [];"
        " for (const each of document.querySelectorAll('dt, dd, th, h2, h3, .pill, .op, .kind, .overall, summary')) {"
        " range.selectNodeContents(each); const lines = new Set([...range.getClientRects()].map((at) => at.top)).size;"
        " if (each.children.length === 0 && lines > each.textContent.trim().split(/\\s+/).length)"
        " found.push(each.textContent); } found"
    )
    async with serving(
        read, host="127.0.0.1", port=0, details=Details(sync=sync_read, run=run_read)
    ) as port:  # fmt: skip
        address = f"http://127.0.0.1:{port}{path}?lang={language}"
        found = await evaluated(address, tmp_path, broken, "document.documentElement.scrollWidth", width=390)
    assert found == [[], 390]


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium)")
async def test_typing_narrows_the_table_down_and_a_refresh_keeps_it_so(tmp_path: Path) -> None:
    async def read() -> View:
        return many()

    seen = "[...document.querySelectorAll('.many tbody tr:not(.portal)')].filter((one) => one.offsetParent).length"

    def enter(field: str, text: str) -> str:
        event = "input" if field == "find" else "change"
        return f"{{const one = document.getElementById('{field}'); one.value = '{text}';" \
               f" one.dispatchEvent(new Event('{event}'));}} {seen}"  # fmt: skip

    refreshed = (
        "new Promise((done) => { const old = document.querySelector('main');"
        " document.dispatchEvent(new Event('visibilitychange'));"
        f" const look = () => document.querySelector('main') === old ? setTimeout(look, 20) : done({seen}); look(); }})"
    )
    async with serving(read, host="127.0.0.1", port=0) as port:
        found = await evaluated(
            f"http://127.0.0.1:{port}/", tmp_path, seen, enter("find", "PORTAL-1"), refreshed,
            enter("find", "client-0"), enter("kind", "paused"), enter("find", "nobody"),
            "document.getElementById('none').hidden",
        )  # fmt: skip
    assert found == [20, 10, 10, 10, 1, 0, False]
