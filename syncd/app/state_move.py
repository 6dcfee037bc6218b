"""`syncd state move`: from where to where, and what the config has to say afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from syncd.config.database import Database, check_schema, database_at, secrets_in
from syncd.config.learn import Learn
from syncd.config.secrets import Secret, read_secret
from syncd.errors import ConfigError, StateError, message_of
from syncd.lang.saying import say
from syncd.state.ledger import postgres
from syncd.state.moving import Arriving, Leaving, Moved, move
from syncd.state.sqlite.moving import ArrivingFile, LeavingFile

_FORMS = {"file:": "target_file", "env:": "target_env", "credential:": "target_credential"}
_AS_WRITTEN = say('as in "postgresql://USER@HOST/DATABASE", or a path')


def target_of(text: str, schema: str, environ: Mapping[str, str], learn: Learn) -> Path | Database:
    """Return where `--to` points: a path, an address without a password, or file:, env: or credential: for one with.

    Raises ConfigError, which repeats no secret.
    """
    for prefix, key in _FORMS.items():
        if text.startswith(prefix):
            try:
                _, address, _ = read_secret("target", {key: text.removeprefix(prefix)}, base=Path(), environ=environ)
            except ValueError as error:
                raise ConfigError(say("--to {message}", message=message_of(error)), _AS_WRITTEN) from None
            for one in secrets_in(address.reveal()):
                learn(one)
            return _database(address, schema)
    if "://" not in text:
        if not text.strip():
            raise ConfigError(say("--to is empty"), _AS_WRITTEN)
        return Path(text).expanduser().absolute()
    for one in secrets_in(text):
        learn(one)
        raise ConfigError(
            say("--to holds a password, and every user of this machine can read a command line"),
            say("leave it to ~/.pgpass, or put the address into a file: --to file:PATH (or env:NAME)"),
        )
    return _database(Secret(text), schema)


def _database(address: Secret, schema: str) -> Database:
    try:
        check_schema(schema)
    except ValueError as error:
        raise ConfigError(say("--schema {message}", message=message_of(error))) from None
    try:
        return database_at(address, schema)
    except ValueError as error:
        raise ConfigError(say("--to {message}", message=message_of(error)), _AS_WRITTEN) from None


def move_state(source: Path | Database, target: Path | Database, booted_at: float) -> Moved:
    """Move the ledger at `source` to `target`, and make the old one refuse; blocks until it is done.

    Raises StateLockedError if somebody works with it, and StateError if it cannot be moved; then the old one is
    unchanged.
    """
    if source == target or (isinstance(source, Path) and isinstance(target, Path)):
        raise StateError(
            say("{place} cannot be moved there", place=str(source) if isinstance(source, Path) else source.shown),
            say("it moves between a file and a database; a file is moved by mv while syncd is stopped"),
        )
    with closing(_leaving(source, booted_at)) as left, closing(_arriving(target, booted_at)) as arrived:
        if isinstance(source, Path):
            return move(left, arrived, uuid4().hex)
        with postgres("trouble").translated(left.shown):
            return move(left, arrived, uuid4().hex)


def hint(target: Path | Database) -> str:
    """Return what the config has to say from now on."""
    if isinstance(target, Path):
        return f'state = "{target}"'
    if target.schema == "syncd":
        return say("state_url (or state_url_file, state_url_env, state_url_credential) with that address")
    return say(
        "state_url (or state_url_file, state_url_env, state_url_credential) with that address and"
        ' state_schema = "{schema}"',
        schema=target.schema,
    )


def _leaving(place: Path | Database, booted_at: float) -> Leaving:
    if isinstance(place, Path):
        return LeavingFile(place, booted_at)
    made: Leaving = postgres("moving").LeavingTables(place)
    return made


def _arriving(place: Path | Database, booted_at: float) -> Arriving:
    if isinstance(place, Path):
        return ArrivingFile(place, booted_at)
    made: Arriving = postgres("moving").ArrivingTables(place)
    return made
