"""What the progress bar says: the time left, and what a wait is for and until when."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from typing import cast

import pytest

from syncd.cli.progress import note, shown
from syncd.portal.client import Portal, Progress

UNTIL = datetime(2026, 11, 21, 12, 34, 56).timestamp()


def progress_of(eta_s: float | None, waiting_for: str | None = None, until: float | None = None) -> Progress:
    return Progress(
        done=1, total=9, requests=2, refused_rate=0, waiting_for=waiting_for, waiting_until=until, eta_s=eta_s
    )


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (progress_of(None), ""),
        (progress_of(0.2), "0:00:00 left"),
        (progress_of(59.7), "0:01:00 left"),
        (progress_of(119.9), "0:02:00 left"),
        (progress_of(61.0), "0:01:01 left"),
        (progress_of(3_599.9), "1:00:00 left"),
        (progress_of(36_123.0), "10:02:03 left"),
        (
            progress_of(700.0, "operating time of calendar.event.add", UNTIL),
            "0:11:40 left, waiting for operating time of calendar.event.add until 12:34:56",
        ),
        (progress_of(None, "the request rate", UNTIL), "waiting for the request rate until 12:34:56"),
        (progress_of(5.0, "answers", None), "0:00:05 left"),
    ],
)
def test_the_note_tells_the_time_left_and_the_wait(now: Progress, text: str) -> None:
    assert note(now) == text


async def test_what_is_printed_meanwhile_does_not_meet_the_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    portal = cast(Portal, _Still())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    async with shown(portal, "shifts") as bar:
        await asyncio.sleep(0)
        with bar.aside():
            sys.stderr.write("the plan\n")
    before = capsys.readouterr().err.partition("the plan")[0]
    assert "shifts" in before
    assert before.endswith("\x1b[2K")  # the bar's line was wiped before anything else was written


class _Still:
    """A portal at which nothing happens."""

    def progress(self) -> Progress:
        return progress_of(None)
