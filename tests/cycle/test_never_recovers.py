"""A portal that never recovers: the pass fails with a reason that `status` shows, asks rarely, and loses nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.config import load_config
from syncd.cycle.run import PassOptions, PassResult, run_pass
from syncd.errors import PortalUnreachableError
from syncd.sandbox.settings import Settings
from syncd.service.status import read_status, status_document
from tests.cycle.test_faults import expected, faulty, run_until_done
from tests.support.sandbox import Stage, run_inline

FOR_EVER = (
    ("block:method=calendar.event.add", "OPERATION_TIME_LIMIT"),
    ("storm:request=5-", "QUERY_LIMIT_EXCEEDED: Too many requests"),
    ("cut-before:method=calendar.event.add", "connection"),
    ("error-before:method=calendar.event.add", "INTERNAL_SERVER_ERROR"),
    ("html:method=calendar.event.add,status=502", "HTTP 502"),
)


async def failing_pass(stage: Stage) -> tuple[str, dict[str, object], float]:
    """Run one pass; return the error that ended it ("" if none), the status document then, and how long it took."""
    async with stage.opened() as (syncs, app):
        began = stage.clock.now()
        said = ""
        try:
            result: PassResult = await run_pass(app.open_pass(syncs["shifts"], asyncio.Event()), PassOptions())
            said = result.record.error
        except PortalUnreachableError as error:
            said = str(error)
        config = load_config(stage.folder / "syncd.toml", {})
        document = status_document(await read_status(config, app.ledger, stage.clock))
        return said, document["syncs"][0], stage.clock.now() - began  # type: ignore[index,return-value] # JSON


@pytest.mark.parametrize(("fault", "reason"), FOR_EVER)
def test_the_pass_ends_with_a_reason_and_everything_comes_once_the_portal_is_back(
    tmp_path: Path, fault: str, reason: str
) -> None:
    stage = faulty(tmp_path, fault)
    for number in range(3):
        before = stage.transport.requests
        said, sync, lasted_s = run_inline(failing_pass(stage))
        last = sync["last_run"]
        assert isinstance(last, dict)
        assert last["state"] == "failed"
        assert reason in said
        assert last["error"] in said
        assert stage.transport.requests - before < 50, "no hot loop"
        assert lasted_s < 3600
        assert number > 0 or lasted_s > 60, "at first it is given time; later one look tells that nothing changed"
        stage.clock.advance(3600)
    assert stage.names() == []
    stage.set_faults(replace(Settings(integer_stamps=False)))
    stage.clock.advance(4 * 3600)
    run_until_done(stage)
    assert stage.names() == expected(40)
