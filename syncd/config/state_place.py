"""Where the state of a config stands that names no `state`: its own place, the same whoever runs syncd.

    /etc/syncd/...    /var/lib/syncd/syncd.db, which is what systemd's StateDirectory=syncd gives the service
    anywhere else     the XDG state directory of the config's owner, in a file named after the config and its path

Version 0.1 took the place from who ran them. A file that stands there is used on, unless the config has a new
one already.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from syncd.places import home

SYSTEM_CONFIGS: Final = Path("/etc/syncd")
SYSTEM_STATE: Final = Path("/var/lib/syncd/syncd.db")
_DIGITS: Final = 10


def default_state(config: Path, environ: Mapping[str, str]) -> Path:
    """Return where the state of the config at `config` is, as a function of that path and its owner only."""
    if SYSTEM_CONFIGS in Path(os.path.normpath(config.absolute())).parents:
        return SYSTEM_STATE
    real = Path(os.path.realpath(config))  # the same file by another name is the same config
    digest = sha256(os.fsencode(real)).hexdigest()[:_DIGITS]
    return _state_home(real, environ) / "syncd" / f"{real.parent.name or 'root'}-{real.stem}-{digest}.db"


def earlier_state(environ: Mapping[str, str]) -> Path:
    """Return where version 0.1 kept the state of every config: it depended on the user who ran syncd."""
    # systemd names the service's directory; it may be a list, of which the first is meant.
    if environ.get("STATE_DIRECTORY"):
        return Path(environ["STATE_DIRECTORY"].split(":")[0]) / "syncd.db"
    if environ.get("XDG_STATE_HOME"):
        return Path(environ["XDG_STATE_HOME"]) / "syncd" / "syncd.db"
    return home(environ) / ".local" / "state" / "syncd" / "syncd.db"


def stands(state: Path) -> bool:
    """Return True if there is a state file at `state`, as far as this user may look."""
    try:
        return state.is_file()
    except OSError:
        return False


def owner_of(config: Path) -> int:
    """Return the id of the user who owns the config; the caller's if there is no such file."""
    try:
        return config.stat().st_uid
    except OSError:
        return os.geteuid()


def _state_home(config: Path, environ: Mapping[str, str]) -> Path:
    owner = owner_of(config)
    if owner != os.geteuid():
        try:
            return Path(pwd.getpwuid(owner).pw_dir) / ".local" / "state"
        except KeyError:  # a container's user without a name: nothing better is known than the caller's own
            pass
    if environ.get("XDG_STATE_HOME"):
        return Path(environ["XDG_STATE_HOME"])
    return home(environ) / ".local" / "state"
