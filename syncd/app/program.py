"""A mark of the program itself: its version, its files, the libraries it reads with, and its zone data."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from zoneinfo import TZPATH

import syncd

_LIBRARIES = (
    "charset-normalizer", "icalendar", "lxml", "msgspec", "phonenumberslite", "publicsuffixlist", "python-calamine",
    "python-dateutil", "tzdata",
)  # fmt: skip
"""The libraries of which another version may read something differently or make something else."""


def program_mark() -> str:
    """Return a mark that differs between programs, or zone data, that might make different plans.

    Zones are looked for in the system's directories before the package `tzdata`; an update of either changes the mark.
    It takes some ten milliseconds, so it is made once for each process: what a process has loaded does not change.
    """
    facts = [syncd.__version__, sys.version, *_versions(), *_files(Path(syncd.__file__).parent), *_zones()]
    return blake2b(repr(facts).encode(), digest_size=16).hexdigest()


def _versions() -> Iterator[str]:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - a start that needs it not is quicker

    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            yield f"{name} {version(name)}"


def _files(root: Path) -> Iterator[tuple[str, int, int]]:
    """Yield path, size and time of change of the program's files: a version number alone would hide a patch."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(one for one in folders if one != "__pycache__")
        for name in sorted(names):
            if name.endswith(".py"):
                found = Path(folder, name).stat()
                yield name, found.st_size, found.st_mtime_ns


def _zones() -> Iterator[object]:
    """Yield what an update of the system's zone data changes: its version, and the times of its directories."""
    for root in map(Path, TZPATH):
        for name in ("tzdata.zi", "+VERSION"):
            with suppress(OSError):
                yield blake2b((root / name).read_bytes(), digest_size=16).hexdigest()
        with suppress(OSError):
            yield from sorted((one.name, one.stat().st_mtime_ns) for one in os.scandir(root))
