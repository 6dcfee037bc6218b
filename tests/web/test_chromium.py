"""The page in a real browser, where there is one: its policy lets all its own in, in both themes and widths."""

from __future__ import annotations

import asyncio
import shutil
import struct
from pathlib import Path

import pytest

from syncd.web.status_server import serving
from syncd.web.views import View
from tests.web.views import view

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
