"""How a person lets syncd read their calendars: the vendor's page in a browser, and what has to be kept of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol

from syncd.clock import Clock
from syncd.errors import ConfigError
from syncd.lang.saying import say

Show = Callable[[str], None]
"""Shows a line to the person."""
Typed = Callable[[], Awaitable[str | None]]
"""Returns the next line that the person types, None where nobody can type."""


class Consent(Protocol):
    """Asks one person, once."""

    async def ask(self, show: Show, typed: Typed) -> str:
        """Return what is to be kept as the source's secret `token`, after the person has agreed in a browser.

        Raises SourceError with the remedy if they did not agree, or the vendor gives nothing.
        """
        ...


class OpenConsent(Protocol):
    """Makes a consent of the options of `[sync.source]`, where the token is not there yet."""

    def __call__(self, options: Mapping[str, object], base: Path, *, where: str, clock: Clock) -> Consent:
        """Return it; raises ConfigError beginning with `where`."""
        ...


_KINDS = {
    "google": "syncd.source.google.google_consent:open_consent",
    "graph": "syncd.source.graph.graph_consent:open_consent",
}


def open_consent(options: Mapping[str, object], base: Path, *, where: str, clock: Clock) -> Consent:
    """Return the consent that a source needs; raises ConfigError, beginning with `where`, if it needs none."""
    kind = str(options.get("type"))
    if kind not in _KINDS:
        raise ConfigError(
            say("{where}: a source of type {kind!r} is not authorized so", where=where, kind=kind),
            say("it is for: {kinds}", kinds=tuple(_KINDS)),
        )
    module, _, name = _KINDS[kind].partition(":")
    make: OpenConsent = getattr(import_module(module), name)
    return make(options, base, where=where, clock=clock)
