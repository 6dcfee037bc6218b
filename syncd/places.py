"""Where the config is looked for. It loads nothing, because the language of the first word depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def config_places(environ: Mapping[str, str], cwd: Path) -> tuple[Path, ...]:
    """Return where the config may be that no command line names, in the order in which it is looked for."""
    return (
        *([Path(environ["SYNCD_CONFIG"])] if environ.get("SYNCD_CONFIG") else []),
        cwd / "syncd.toml",
        *(one / ".config" / "syncd" / "config.toml" for one in _homes(environ)),
        Path("/etc/syncd/config.toml"),
    )


def home(environ: Mapping[str, str]) -> Path:
    """Return the home of whoever runs syncd."""
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def _homes(environ: Mapping[str, str]) -> tuple[Path, ...]:
    try:
        return (home(environ),)
    except RuntimeError:  # a user whom nothing names, as a number given to a container
        return ()
