"""`syncd source authorize`: a person lets a sync read their calendars, and their token is kept in a file."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from syncd.app.configured import read_config
from syncd.cli.execute import config_path
from syncd.cli.outlet import reveal, tell
from syncd.cli.question import typed
from syncd.clock import SystemClock
from syncd.config import Config, SyncConfig
from syncd.config.secrets import write_secret
from syncd.errors import ConfigError
from syncd.lang.catalog import told
from syncd.lang.saying import say
from syncd.source.accounts.consent import open_consent

_OTHER_FILE = say("name a file that can be written with --out")


async def source(arguments: argparse.Namespace, stop: asyncio.Event) -> int:
    """Ask the person at the keyboard for consent, and keep the token in `token_file` or the file of --out."""
    config = read_config(config_path(arguments), os.environ, arguments.scrubber.add, looks=True)
    sync = _sync(config, arguments.name)
    given = sync.source
    consent = open_consent(given.options, given.base, where=given.where, clock=SystemClock())
    file = _file(sync, arguments.out)

    async def line() -> str | None:
        return await typed(stop)

    waits = asyncio.ensure_future(consent.ask(_say, line))
    stops = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((waits, stops), return_when=asyncio.FIRST_COMPLETED)
        if not waits.done():
            tell(say("stopped; nothing was written"), stderr=True)
            return 130
        token = waits.result()
    finally:
        waits.cancel()
        stops.cancel()
    arguments.scrubber.add(token)
    await asyncio.to_thread(_write, file, token)
    # The name of a file that was not there when the config was read could have been a secret; now it is a file.
    done = say(
        "{file} is written; next: syncd check {name} (a running daemon reads it with its config, at a reload)",
        file=str(file),
        name=sync.name,
    )
    reveal(told(done))
    return 0


def _say(line: str) -> None:
    # On stderr, as questions are. The address holds nothing that is secret for longer than this call.
    print(line, file=sys.stderr, flush=True)


def _sync(config: Config, name: str) -> SyncConfig:
    for sync in config.syncs:
        if sync.name == name:
            return sync
    raise config.unknown(name)


def _file(sync: SyncConfig, out: Path | None) -> Path:
    """Return where to keep the token; raises ConfigError, before a person is asked, if it cannot be kept there."""
    named = sync.source.options.get("token_file")
    if out is None and not isinstance(named, str):
        raise ConfigError(
            say("{where}: nothing says where the token is kept", where=sync.source.where),
            say("give token_file there, or --out FILE"),
        )
    file = out if out is not None else sync.source.base / Path(str(named)).expanduser()
    if file.is_dir():
        raise ConfigError(say("{file} is a directory", file=str(file)), _OTHER_FILE)
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        raise ConfigError(say("no file can be written in {folder}", folder=str(file.parent)), _OTHER_FILE)
    return file


def _write(file: Path, token: str) -> None:
    """Write the token for its owner alone, in place of an earlier one; raises ConfigError if that fails."""
    try:
        write_secret(file, token + "\n")
    except OSError as error:
        raise ConfigError(say("{file}: {reason}", file=str(file), reason=error.strerror or ""), _OTHER_FILE) from None
