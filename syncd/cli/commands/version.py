"""`syncd version`: the versions that a bug report needs."""

from __future__ import annotations

import argparse
import asyncio
import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

from syncd import __version__
from syncd.cli.outlet import tell
from syncd.lang.saying import say

_LIBRARIES = (
    "aiohttp", "asyncio-throttle", "icalendar", "msgspec", "orjson", "python-dateutil", "rich",
    "structlog", "tzdata",
)  # fmt: skip


async def version(_arguments: argparse.Namespace, _stop: asyncio.Event) -> int:
    """Print versions, one a line."""
    print(f"syncd {__version__}")
    tell(
        say(
            "python {version} on {system} {machine}",
            version=platform.python_version(),
            system=platform.system(),
            machine=platform.machine(),
        )
    )
    for name in _LIBRARIES:
        try:
            print(f"{name} {version_of(name)}")
        except PackageNotFoundError:
            tell(say("{name} missing", name=name))
    return 0
