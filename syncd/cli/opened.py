"""Opens what the config asks for, as most commands begin; apart from `execute`, which must start quickly."""

from __future__ import annotations

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from syncd.app.application import App
from syncd.app.configured import read_config
from syncd.cli.execute import config_path
from syncd.clock import SystemClock
from syncd.scrub import Scrubber
from syncd.state.ledger import Ledger


def opened(
    arguments: argparse.Namespace, *, readonly: bool, path: Path | None = None
) -> AbstractAsyncContextManager[App]:
    """Open what the config asks for, as `open_app` does; the config is the command line's unless `path` names one."""
    from syncd.app.wiring import open_app  # not by what only looks

    scrubber: Scrubber = arguments.scrubber
    return open_app(
        path or config_path(arguments), readonly=readonly, learn_secret=scrubber.add, clean=scrubber.certain
    )


@asynccontextmanager
async def looked(arguments: argparse.Namespace) -> AsyncIterator[App]:
    """Open config and ledger only, to look at them: neither sources nor portals are made ready."""
    scrubber: Scrubber = arguments.scrubber
    config = read_config(config_path(arguments), os.environ, scrubber.add, looks=True)
    ledger = await Ledger.open_readonly(config.ledger)
    try:
        yield App(config, ledger, clock=SystemClock(), learn_secret=scrubber.add)
    finally:
        await ledger.close()
