"""Opens what the config asks for, as most commands begin; apart from `execute`, which must start quickly."""

from __future__ import annotations

import argparse
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from syncd.app.wiring import App, open_app
from syncd.cli.execute import config_path
from syncd.scrub import Scrubber


def opened(
    arguments: argparse.Namespace, *, readonly: bool, path: Path | None = None
) -> AbstractAsyncContextManager[App]:
    """Open what the config asks for, as `open_app` does; the config is the command line's unless `path` names one."""
    scrubber: Scrubber = arguments.scrubber
    return open_app(
        path or config_path(arguments), readonly=readonly, learn_secret=scrubber.add, clean=scrubber.certain
    )
