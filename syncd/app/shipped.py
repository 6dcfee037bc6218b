"""The files that come with syncd beside its code: the example config, the guide, the units for systemd.

A wheel holds them in `syncd/shipped/`; in a checkout they are where they are kept.
"""

from __future__ import annotations

from pathlib import Path

from syncd.errors import ConfigError
from syncd.lang.saying import say

_PACKAGE = Path(__file__).resolve().parents[1]
_KEPT_IN = {"README.md": "", "config.example.toml": ""}
"""Where a checkout keeps the files that are not in `deploy/`, below its top."""


def shipped(name: str) -> Path:
    """Return the path of a shipped file; raises ConfigError if this installation lacks it."""
    places = (_PACKAGE / "shipped" / name, _PACKAGE.parent / _KEPT_IN.get(name, "deploy") / name)
    for place in places:
        if place.is_file():
            return place
    raise ConfigError(
        say("{name} is missing beside syncd: {place}", name=name, place=str(places[0])), say("install syncd again")
    )
