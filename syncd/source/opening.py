"""Files in a directory or behind an address: the keys and the choice that all sources of a file format share."""

from __future__ import annotations

from pathlib import Path

import msgspec

from syncd.clock import Clock
from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.model.encoding import encoded_sorted
from syncd.source.base import Source
from syncd.source.encodings import known_encoding
from syncd.source.file_source import FileSource
from syncd.source.files import Assembly, FileFormat
from syncd.source.web.access import WEB_KEYS, WebOptions, is_given, read_access


class FileOptions(WebOptions, frozen=True, kw_only=True):
    """Keys of every source that reads files: `path` is a file, a glob or a directory; or url as in WebOptions.

    With `follow_links`, files may be links to anywhere.
    """

    type: str
    path: str | None = None
    follow_links: bool = False


class TextOptions(FileOptions, frozen=True, kw_only=True):
    """Keys of a source of text files; `encoding` is "auto" or a codec's name."""

    encoding: str = "auto"


_NOT_READ_BY = frozenset({*WEB_KEYS, "path", "follow_links"})
"""Keys that do not change what the same bytes are read as."""
_NOTHING_GIVEN = FileOptions(type="")


def open_files(options: FileOptions, base: Path, *, where: str, file_format: FileFormat, clock: Clock) -> Source:
    """Return a source of the files that `options` name by path or url; raises ConfigError beginning with `where`."""
    encoding = options.encoding if isinstance(options, TextOptions) else ""
    if encoding and not known_encoding(encoding):
        raise ConfigError(
            say("{where}: unknown encoding {encoding!r}", where=where, encoding=encoding),
            say('e.g. "auto", "utf-8" or "cp1251"'),
        )
    settings = {key: value for key, value in msgspec.to_builtins(options).items() if key not in _NOT_READ_BY}
    assembly = Assembly(file_format, settings=encoded_sorted(settings).decode())
    if is_given(options):
        if options.path is not None:
            raise ConfigError(say("{where}: path and url exclude each other", where=where), say("keep one of them"))
        if options.follow_links:
            raise ConfigError(
                say("{where}: follow_links goes with path, and here is a url", where=where), say("remove follow_links")
            )
        from syncd.source.web.web_source import WebSource  # noqa: PLC0415 - files need none of it

        access = read_access(options, base, where=where)
        kind = file_format.suffix[1:]
        # A server may name the encoding, but what the config says is believed first.
        return WebSource(kind=kind, access=access, assembly=assembly, clock=clock, charset_counts=encoding == "auto")
    if options.path is None:
        raise ConfigError(
            say("{where}: missing key 'path'", where=where), say("a file, a glob or a directory; or url for an address")
        )
    # Such a path would be looked for as a file, and the message "no such file" would not help.
    if options.path.lower().startswith(("http://", "https://", "webcal://")):
        raise ConfigError(say("{where}: path holds an address", where=where), say("give it as url"))
    if options.max_bytes < 1:
        raise ConfigError(
            say("{where}: max_bytes = {max_bytes} lets nothing through", where=where, max_bytes=options.max_bytes),
            say("e.g. 100_000_000"),
        )
    for key in WEB_KEYS:
        # A key with its default value cannot be told from one that is not given, and does no harm.
        if key != "max_bytes" and getattr(options, key) != getattr(_NOTHING_GIVEN, key):
            raise ConfigError(
                say("{where}: {key} goes with url, and here is a path", where=where, key=key),
                say("remove {key}", key=key),
            )
    return FileSource(
        path=options.path,
        base=base,
        suffix=file_format.suffix,
        assembly=assembly,
        follow_links=options.follow_links,
        max_bytes=options.max_bytes,
    )
