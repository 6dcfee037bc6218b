"""Opens the source a sync names, through the one door that plugins use as well: the entry points `syncd.sources`.

The built-in ones are listed here too, so that a checkout runs without being installed, and that a daemon without
plugins need not search every installed package for them when it starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.errors import ConfigError
from syncd.source.base import ReadContext, Source, SourceFactory
from syncd.source.options import nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["ReadContext", "Source", "SourceFactory", "open_source"]

GROUP = "syncd.sources"
BUILT_IN = {
    "bitrix24": "syncd.source.bitrix24.source:open_bitrix24",
    "caldav": "syncd.source.caldav.source:open_caldav",
    "csv": "syncd.source.csv:open_csv",
    "ics": "syncd.source.ics:open_ics",
    "xlsx": "syncd.source.xlsx:open_xlsx",
}
"""The same lines as in pyproject.toml."""


def open_source(options: Mapping[str, object], base: Path, *, where: str) -> Source:
    """Return the source that `options` describes; relative paths start at `base`.

    Raises ConfigError, its message beginning with `where`, for an unknown type, key or value.
    """
    kind = options.get("type")
    if not isinstance(kind, str):
        raise ConfigError(f"{where}: missing key 'type'", 'e.g. type = "csv"')
    try:
        factory = _factory(kind)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{where}: the source {kind!r} cannot be loaded: {error}", "reinstall its package") from error
    if factory is None:
        raise ConfigError(f"{where}: unknown source type {kind!r}", nearest(kind, {*BUILT_IN, *_plugins()}))
    return factory(options, base, where=where)


def _factory(kind: str) -> SourceFactory | None:
    if kind in BUILT_IN:
        module, _, function = BUILT_IN[kind].partition(":")
        built_in: SourceFactory = getattr(import_module(module), function)
        return built_in
    plugin = _plugins().get(kind)
    return plugin.load() if plugin is not None else None


def _plugins() -> dict[str, EntryPoint]:
    """Return what installed packages offer, by the names of their types."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - see above

    return {point.name: point for point in entry_points(group=GROUP)}
