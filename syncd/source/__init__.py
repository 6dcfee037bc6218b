"""Opens the source a sync names, through the one door that plugins use as well: the entry points `syncd.sources`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from syncd.errors import ConfigError
from syncd.source.base import ReadContext, Source, SourceFactory
from syncd.source.options import nearest

__all__ = ["ReadContext", "Source", "SourceFactory", "open_source"]

GROUP = "syncd.sources"
BUILT_IN = (
    EntryPoint(name="bitrix24", value="syncd.source.bitrix24.source:open_bitrix24", group=GROUP),
    EntryPoint(name="caldav", value="syncd.source.caldav.source:open_caldav", group=GROUP),
    EntryPoint(name="csv", value="syncd.source.csv:open_csv", group=GROUP),
    EntryPoint(name="ics", value="syncd.source.ics:open_ics", group=GROUP),
    EntryPoint(name="xlsx", value="syncd.source.xlsx:open_xlsx", group=GROUP),
)
"""The same lines as in pyproject.toml, for a checkout that runs without being installed."""


def open_source(options: Mapping[str, object], base: Path, *, where: str) -> Source:
    """Return the source that `options` describes; relative paths start at `base`.

    Raises ConfigError, its message beginning with `where`, for an unknown type, key or value.
    """
    kind = options.get("type")
    if not isinstance(kind, str):
        raise ConfigError(f"{where}: missing key 'type'", 'e.g. type = "csv"')
    points = {point.name: point for point in (*BUILT_IN, *entry_points(group=GROUP))}
    if kind not in points:
        raise ConfigError(f"{where}: unknown source type {kind!r}", nearest(kind, points))
    try:
        factory: SourceFactory = points[kind].load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{where}: the source {kind!r} cannot be loaded: {error}", "reinstall its package") from error
    return factory(options, base, where=where)
