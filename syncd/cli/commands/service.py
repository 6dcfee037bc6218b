"""`syncd service install`: the units, the user and the directories, written for this very installation."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

from syncd.app.units import install_units, next_steps
from syncd.cli.outlet import tell
from syncd.errors import ConfigError
from syncd.lang.saying import say

_CONFIG = Path("etc/syncd/config.toml")
_MAKE = (  # the user first: the directories are given to its group
    ("systemd-sysusers", "syncd.conf"),
    ("systemd-tmpfiles", "--create", "syncd.conf"),
)
_ACTIONS = {
    "written": say("written  "),
    "replaced": say("replaced "),
    "unchanged": say("unchanged"),
    "kept": say("kept     "),
    "done": say("done     "),
}
"""What was done with each file, of one width in each language."""
_RELOAD = ("systemctl", "daemon-reload")
_RUNNING = Path("/run/systemd/system")
"""Exists only while systemd runs (sd_booted(3)): when an image is built there is nothing to reload."""


async def service(arguments: argparse.Namespace, _stop: asyncio.Event) -> int:
    """Install the units, tell what was done and what is left to do, and return the exit code."""
    root = arguments.root or Path("/")
    program = Path(sys.executable).with_name("syncd")  # not resolved: a virtual environment's Python is a link
    placed = install_units(program=program, root=root, force=arguments.force)
    for one in placed:
        tell(say("{action} {path}", action=_ACTIONS[one.action], path=str(one.path)))
    if arguments.root is None:
        _make_user_and_directories()
    print()
    tell(say("left to do:"))
    for line in next_steps(placed, root / _CONFIG):
        tell(say("  {line}", line=line))
    return 0


def _make_user_and_directories() -> None:
    for command in (*_MAKE, _RELOAD) if _RUNNING.is_dir() else _MAKE:
        _make(command)


def _make(command: tuple[str, ...]) -> None:
    """Run one of systemd's own programs; raises ConfigError if it is missing or fails."""
    said = " ".join(command)
    found = shutil.which(command[0])
    if found is None:
        raise ConfigError(
            say("the files are written, but there is no {program} here", program=command[0]),
            say("run `{command}` on the machine", command=said),
        )
    done = subprocess.run([found, *command[1:]], capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    if done.returncode:
        raise ConfigError(
            say("the files are written, but `{command}` failed: {said}", command=said, said=done.stderr.strip()),
            say("mend that, then run `{command}`", command=said),
        )
    tell(say("{action} {path}", action=_ACTIONS["done"], path=said))
