"""`status` is quick for a hundred syncs: it loads little, and asks the ledger a few questions for each."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from syncd.clock import SystemClock
from syncd.config import load_config
from syncd.service.status import Status, read_status
from syncd.state.ledger import Ledger

_SYNC = """[[sync]]
name = "s{number}"
[sync.source]
type = "csv"
path = "shifts.csv"
[sync.target]
owner = "1"
section = "S{number}"
"""
_HEAVY = (
    "aiohttp", "cronsim", "icalendar", "phonenumbers", "rich.progress", "syncd.cycle.plan", "syncd.model.recurrence",
    "syncd.portal.client", "syncd.target.make",
)  # fmt: skip


def config_of(folder: Path, syncs: int) -> Path:
    path = folder / "syncd.toml"
    portal = 'state = "syncd.db"\n[portals.main]\nwebhook = "http://127.0.0.1:9/rest/1/code/"\n'
    path.write_text(portal + "".join(_SYNC.format(number=number) for number in range(syncs)), encoding="utf-8")
    path.chmod(0o600)
    return path


async def made(path: Path) -> None:
    await (await Ledger.open(path, now=1.0)).close()


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_status_loads_nothing_that_only_passes_need(more: list[str], tmp_path: Path) -> None:
    path = config_of(tmp_path, 3)
    asyncio.run(made(tmp_path / "syncd.db"))
    program = (
        "import sys; from syncd.cli import main\n"
        f"code = main({['--config', str(path), 'status', *more]!r})\n"
        f"print(code, [name for name in {_HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "s2" in done.stdout
    assert done.stderr.splitlines()[-1] == "0 []"


def test_status_asks_the_ledger_for_each_sync_no_more_often_than_it_has_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def count(syncs: int) -> Status:
        nonlocal asked
        config = load_config(config_of(tmp_path, syncs), {"HOME": "/h"})
        ledger = await Ledger.open(tmp_path / f"{syncs}.db", now=1.0)
        do: Callable[..., Awaitable[Any]] = ledger.thread.do

        async def counted(work: Callable[[], Any], **how: bool) -> Any:
            nonlocal asked
            asked += 1
            return await do(work, **how)

        monkeypatch.setattr(ledger.thread, "do", counted)
        asked = 0
        try:
            return await read_status(config, ledger, SystemClock())
        finally:
            await ledger.close()

    numbers = {}
    for syncs in (10, 100):
        found = asyncio.run(count(syncs))
        assert len(found.syncs) == syncs
        numbers[syncs] = asked
    # All at once; what is held and gone is asked for only where something is.
    assert numbers[100] == numbers[10]
