"""`syncd completion`: code that lets a shell complete commands, options, and the names in the config."""

from __future__ import annotations

import argparse
import asyncio

from argcomplete.shell_integration import shellcode


async def completion(arguments: argparse.Namespace, _stop: asyncio.Event) -> int:
    """Print the code for the shell named by `arguments`."""
    print(shellcode(["syncd"], shell=arguments.shell))
    return 0
