"""Which files a path means, and their bytes: the only place of the file sources that touches the disk.

A file that changes while it is read is read once more and then called unfinished; nothing is guessed about its rest.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

from syncd.errors import SourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBytes:
    """One file as it was read; `unsettled` says why its bytes may be only a part of it, or is empty."""

    name: str
    content: bytes
    unsettled: str = ""


def locate(path: str, base: Path, suffix: str) -> tuple[str, ...]:
    """Return the files that `path` means, sorted, as given in the config (relative ones stay relative to `base`).

    A directory means all its files ending in `suffix`, in any case. Raises SourceError when there is none.
    """
    place = base / path
    if place.is_dir():
        try:
            names = sorted(found.name for found in place.iterdir() if found.suffix.lower() == suffix)
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}", "let syncd read the directory") from error
        found = tuple(str(Path(path) / name) for name in names)
        wanted = f"a file ending in {suffix}"
    elif has_magic(path) and not place.exists():
        found = tuple(sorted(_files_only(glob(path, root_dir=base, recursive=True), base)))  # noqa: PTH207 - Path.glob takes no absolute pattern
        wanted = "a file that matches"
    else:
        return (path,)
    if not found:
        raise SourceError(f"{path}: there is not {wanted}", "check path in [sync.source]")
    return found


def read(name: str, base: Path) -> FileBytes:
    """Return the file's bytes; raises SourceError naming the file and the remedy when it cannot be read."""
    try:
        content, settled = _read_once(base / name)
        if not settled:
            content, settled = _read_once(base / name)
    except OSError as error:
        remedy = "check path in [sync.source]" if isinstance(error, FileNotFoundError) else "let syncd read the file"
        raise SourceError(f"{name}: {error.strerror or error}", remedy) from error
    return FileBytes(
        name=name, content=content, unsettled="" if settled else f"{name} was being written while it was read"
    )


def _files_only(names: list[str], base: Path) -> list[str]:
    return [name for name in names if not (base / name).is_dir()]


def _read_once(path: Path) -> tuple[bytes, bool]:
    """Read the file and say whether it stayed the same file, of the same size and time, meanwhile."""
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        content = file.read()
    after = path.stat()
    same = (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns)
    return content, same and len(content) == after.st_size
