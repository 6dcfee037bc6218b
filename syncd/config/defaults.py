"""`[defaults.sync]` and `[defaults.portal]`: keys that every sync and every portal starts with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from syncd.config.secrets import FORMS

_SECRETS: Final = ("username", "password", "token", "client_secret", "token_key")
_RIVALS: Final = (
    ("every", "cron"),
    ("path", *(f"url{form}" for form in FORMS)),
    ("end", "end_time", "duration"),
    ("owners", "owners_file"),
    (*(f"webhook{form}" for form in FORMS), "app"),
    *(tuple(f"{name}{form}" for form in FORMS) for name in _SECRETS),
)
"""Keys that say the same in different ways. If one is given, the defaults of the others are ignored."""


def with_defaults(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table `given` with the keys of `defaults` that it lacks; tables within it are joined likewise.

    A source or target of another type than the default's takes nothing from the default.
    """
    if "type" in given and "type" in defaults and given["type"] != defaults["type"]:
        return dict(given)
    joined = {key: value for key, value in defaults.items() if key not in set(_rivals(given))}
    for key, value in given.items():
        default = joined.get(key)
        joined[key] = with_defaults(value, default) if isinstance(value, dict) and isinstance(default, dict) else value
    return joined


def _rivals(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys whose defaults do not apply because `given` says it in another way."""
    for group in _RIVALS:
        if any(key in given for key in group):
            yield from (key for key in group if key not in given)
