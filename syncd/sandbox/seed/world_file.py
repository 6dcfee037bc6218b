"""World files: reading, checking and writing what a simulated portal contains."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.sandbox.seed.conversion import dump_seed
from syncd.sandbox.seed.world_schema import WorldSeed, check_world

if TYPE_CHECKING:
    from syncd.sandbox.tables.database import Tables


def read_world(path: Path) -> WorldSeed:
    """Read a world file; raise ConfigError that names the file and the key at fault."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(
            say("world file {path} cannot be read: {reason}", path=str(path), reason=reason),
            say("check the path given to --world"),
        ) from None
    try:
        seed = decode_world(raw)
    except ConfigError as error:
        raise ConfigError(
            say("world file {path}: {message}", path=str(path), message=error.message), error.remedy
        ) from None
    return seed


def decode_world(raw: bytes) -> WorldSeed:
    """Decode and check a world; raise ConfigError that names the key at fault."""
    try:
        seed = msgspec.json.decode(raw, type=WorldSeed)
    except msgspec.DecodeError as error:
        raise ConfigError(
            str(error), say("correct the JSON; `WorldSeed` in syncd/sandbox/seed/world_schema.py names the keys")
        ) from None
    check_world(seed)
    return seed


def encode_world(seed: WorldSeed) -> bytes:
    """Return a world as readable JSON."""
    return msgspec.json.format(msgspec.json.encode(seed), indent=2)


def dump_world(tables: Tables) -> bytes:
    """Return what a portal contains now as a world file."""
    return encode_world(dump_seed(tables))
