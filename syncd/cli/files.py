"""The caller's own files: the pinned plan that a command reads, and the report that it writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from syncd.errors import ConfigError


def content(path: Path) -> bytes:
    """Return the content of the pinned plan at `path`; raises ConfigError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        remedy = "pin one with `syncd plan --out FILE`, or correct the path"
        raise ConfigError(f"cannot read the plan {path}: {error.strerror}", remedy) from error


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """Open the report at `path` for the body; raises ConfigError if it cannot be written."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise ConfigError(f"cannot write the report to {path}: {error.strerror}") from error
