"""Opens the source a sync names, through the one door that plugins use as well: the entry points `syncd.sources`.

The built-in ones are listed here too, so that a checkout runs without being installed, and that a daemon without
plugins does not search every installed package for them when it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING

from syncd.clock import Clock, SystemClock
from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.source.base import ReadContext, Source, SourceFactory
from syncd.source.options import nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["SOURCE_API", "ReadContext", "Source", "SourceFactory", "open_source"]

SOURCE_API = 1
"""Version of the interface for plugins: `syncd.source`, its modules base, options and conformance, and the model's
entries.

It is raised when a plugin can rely on something new, or can no longer rely on something. A plugin says which version it
was written for by `SOURCE_API = 1` in the module of its entry point; without it, it was written for 1.
"""
GROUP = "syncd.sources"
BUILT_IN = {
    "bitrix24": "syncd.source.bitrix24.portal_source:open_bitrix24",
    "caldav": "syncd.source.caldav.caldav_source:open_caldav",
    "csv": "syncd.source.table.csv:open_csv",
    "google": "syncd.source.google.google_source:open_google",
    "graph": "syncd.source.graph.graph_options:open_graph",
    "ics": "syncd.source.ical.ics:open_ics",
    "json": "syncd.source.json.json_source:open_json",
    "sql": "syncd.source.sql.sql_source:open_sql",
    "xlsx": "syncd.source.table.xlsx:open_xlsx",
}
"""The same lines as in pyproject.toml."""


def open_source(options: Mapping[str, object], base: Path, *, where: str, clock: Clock | None = None) -> Source:
    """Return the source that `options` describes; relative paths start at `base`, `clock` is the machine's by default.

    Raises ConfigError, its message beginning with `where`, for an unknown type, key or value, and for a plugin that
    was written for a newer `SOURCE_API`.
    """
    kind = options.get("type")
    if not isinstance(kind, str):
        raise ConfigError(say("{where}: missing key 'type'", where=where), say('e.g. type = "csv"'))
    try:
        factory = _built_in(kind) if kind in BUILT_IN else _plugin(kind, where)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            say("{where}: the source {kind!r} cannot be loaded: {error}", where=where, kind=kind, error=str(error)),
            say("reinstall its package"),
        ) from error
    # Only a source that waits or measures needs a clock, and factories of plugins may have been written without it.
    if "clock" in signature(factory).parameters:
        return factory(options, base, where=where, clock=clock or SystemClock())
    return factory(options, base, where=where)


def _built_in(kind: str) -> Callable[..., Source]:
    module, _, function = BUILT_IN[kind].partition(":")
    factory: Callable[..., Source] = getattr(import_module(module), function)
    return factory


def _plugin(kind: str, where: str) -> Callable[..., Source]:
    plugins = _plugins()
    if kind not in plugins:
        raise ConfigError(
            say("{where}: unknown source type {kind!r}", where=where, kind=kind), nearest(kind, {*BUILT_IN, *plugins})
        )
    factory: Callable[..., Source] = plugins[kind].load()
    written_for = getattr(import_module(plugins[kind].module), "SOURCE_API", 1)
    if not isinstance(written_for, int) or written_for > SOURCE_API:
        raise ConfigError(
            say(
                "{where}: the source {kind!r} is written for version {written_for} of syncd.source, and this is version"
                " {own}",
                where=where,
                kind=kind,
                written_for=str(written_for),
                own=SOURCE_API,
            ),
            say("update syncd, or install an older version of the source's package"),
        )
    return factory


def _plugins() -> dict[str, EntryPoint]:
    """Return the sources that installed packages offer, by the names of their types."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow, see the top of this file

    return {point.name: point for point in entry_points(group=GROUP)}
