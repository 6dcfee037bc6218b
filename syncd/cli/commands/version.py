"""`syncd version`: the versions that a bug report needs."""

from __future__ import annotations

import argparse
import asyncio
import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

from syncd import __version__

_LIBRARIES = (
    "aiohttp", "asyncio-throttle", "icalendar", "msgspec", "orjson", "python-dateutil", "rich",
    "structlog", "tzdata",
)  # fmt: skip


async def version(_arguments: argparse.Namespace, _stop: asyncio.Event) -> int:
    """Print versions, one a line."""
    print(f"syncd {__version__}")
    print(f"python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in _LIBRARIES:
        try:
            print(f"{name} {version_of(name)}")
        except PackageNotFoundError:
            print(f"{name} missing")
    return 0
