"""`state_url` and `state_schema`: the database that a config names in place of a state file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from syncd.config.config_file import ConfigFile
from syncd.config.database import DEFAULT_SCHEMA, Database, check_schema, database_at
from syncd.config.secrets import read_secret
from syncd.errors import message_of
from syncd.lang.saying import say

_AS_WRITTEN: Final = say('as in "postgresql://USER@HOST/DATABASE"; its password is best kept in a file of its own')


def build_database(
    file: ConfigFile, forms: Mapping[str, str | None], schema: str, environ: Mapping[str, str]
) -> Database | None:
    """Return the database that `state_url`, in one of its `forms`, points to; None if the config names none."""
    given = [key for key, value in forms.items() if value is not None]
    if not given:
        if schema != DEFAULT_SCHEMA:
            raise file.error(
                ("state_schema",), say("is for a state in PostgreSQL"), say("add state_url, or leave it out")
            )
        return None
    try:
        key, url, _ = read_secret("state_url", forms, base=file.path.absolute().parent, environ=environ)
    except ValueError as error:
        raise file.error((given[0],), message_of(error)) from None
    with file.at("state_schema"):
        check_schema(schema)
    try:
        return database_at(url, schema)
    except ValueError as error:
        raise file.error((key,), message_of(error), _AS_WRITTEN) from None
