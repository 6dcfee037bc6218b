"""The caller's own files: the pinned plan that a command reads, and the report that it writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from syncd.errors import ConfigError
from syncd.lang.saying import say


def content(path: Path) -> bytes:
    """Return the content of the pinned plan at `path`; raises ConfigError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        remedy = say("pin one with `syncd plan --out FILE`, or correct the path")
        raise ConfigError(
            say("cannot read the plan {path}: {reason}", path=str(path), reason=error.strerror or ""), remedy
        ) from error


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """Open the report at `path` for the body; raises ConfigError if it cannot be written."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise ConfigError(
            say("cannot write the report to {path}: {reason}", path=str(path), reason=error.strerror or "")
        ) from error
