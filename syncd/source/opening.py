"""Files in a place or behind an address: one choice for every source that reads a file format."""

from __future__ import annotations

from pathlib import Path

import msgspec

from syncd.clock import SystemClock
from syncd.errors import ConfigError
from syncd.source.base import Source
from syncd.source.options import FileOptions
from syncd.source.reading import Assembly, Begin, FileSource
from syncd.source.web.access import WEB_KEYS, is_given, read_access

_NOT_READ_BY = frozenset({*WEB_KEYS, "path"})


def open_files(
    options: FileOptions,
    base: Path,
    *,
    where: str,
    suffix: str,
    begin: Begin,
    charset_counts: bool,
    by_file: bool = False,
) -> Source:
    """Return a source of the files that `options` name by path or url; raises ConfigError beginning with `where`.

    `charset_counts` lets a server name the encoding; `by_file` as in Assembly.
    """
    settings = {key: value for key, value in msgspec.to_builtins(options).items() if key not in _NOT_READ_BY}
    assembly = Assembly(begin=begin, settings=msgspec.json.encode(settings, order="sorted").decode(), by_file=by_file)
    if is_given(options):
        if options.path is not None:
            raise ConfigError(f"{where}: path and url exclude each other", "keep one of them")
        from syncd.source.web.feed import WebSource  # noqa: PLC0415 - files need none of it

        access = read_access(options, base, where=where)
        return WebSource(
            kind=suffix[1:],
            access=access,
            assembly=assembly,
            clock=SystemClock(),
            charset_counts=charset_counts,
        )
    if options.path is None:
        raise ConfigError(f"{where}: missing key 'path'", "a file, a glob or a directory; or url for an address")
    if options.path.lower().startswith(("http://", "https://", "webcal://")):
        raise ConfigError(f"{where}: path holds an address", "give it as url")
    for key in WEB_KEYS:
        if getattr(options, key) != getattr(_NOTHING_GIVEN, key):
            raise ConfigError(f"{where}: {key} goes with url, and here is a path", f"remove {key}")
    return FileSource(path=options.path, base=base, suffix=suffix, assembly=assembly)


_NOTHING_GIVEN = FileOptions(type="")
