"""The tables of a database with their first rows, for `syncd init`; a person checks which one is meant."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.source.field_values import clean
from syncd.source.sql.database_address import open_database
from syncd.source.sql.database_failures import failure
from syncd.source.sql.query_reading import ReadingLimits, SqlDatabase, prepare
from syncd.source.sql.statement import as_text
from syncd.source.table.headings import find_fields
from syncd.source.table.typed_values import text_of

_ADDRESS = re.compile(r"(?:postgres(?:ql)?|mysql|mariadb|mssql|oracle|sqlite)(?:\+\w+)?://", re.IGNORECASE)
_FILE = b"SQLite format 3\x00"
_MOST_TABLES, _SAMPLE = 200, 200
_LIMITS = ReadingLimits(timeout_s=60.0, total_s=60.0, rows=_SAMPLE, size=100_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableGuess:
    """A query of a table or view, and its first rows."""

    query: str
    titles: Sequence[str]
    rows: Sequence[Sequence[str]]


def is_database(source: str) -> bool:
    """Return True for the address of a database, and for a file of SQLite."""
    if _ADDRESS.match(source):
        return True
    try:
        with Path(source).open("rb") as file:
            return file.read(len(_FILE)) == _FILE
    except (OSError, ValueError):
        return False


def address_of(source: str) -> str:
    """Return the address of a database that is given by it, or as a file of SQLite."""
    return source if _ADDRESS.match(source) else f"sqlite:///{source}"


def placed(source: str, folder: Path) -> str:
    """Return the address of a database as a config in `folder` has to name it."""
    address = address_of(source)
    kind, _, name = address.partition(":///")
    if not kind.startswith("sqlite") or Path(name).is_absolute():
        return address
    return f"{kind}:///{os.path.relpath(Path(name).absolute(), folder.absolute())}"


def database_name(source: str) -> str:
    """Return the name of a database, or of its file without folder and ending; "" for one that has none."""
    name = re.split(r"[/\\]", address_of(source).partition("?")[0].partition("://")[2])[-1]
    return "" if "@" in name else name.rpartition(".")[0] or name


def guess_table_of(source: str) -> TableGuess:
    """Return the table that looks most like a schedule; raises SourceError if there is none. Blocking."""
    from sqlalchemy import inspect  # noqa: PLC0415 - an extra
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    database = open_database(address_of(source), None, None, base=Path.cwd(), isolation=None, where="--source")
    found: list[TableGuess] = []
    names: list[str] | None = None
    wrong: Exception | None = None
    try:
        with database.engine.connect() as connection:
            tables = inspect(connection)
            names = sorted({*tables.get_table_names(), *tables.get_view_names()})[:_MOST_TABLES]
    except SQLAlchemyError as error:
        wrong = error
    for name in names or ():
        try:
            found.append(_sample(database, name))
        except SQLAlchemyError as error:
            wrong = error  # this account may not read every table
    if not found and wrong is not None:
        told = failure(
            wrong, database.shown, database.secrets, connected=names is not None, timeout_s=_LIMITS.timeout_s
        )
        raise told from None
    if not found:
        raise SourceError(
            say("{name} holds no table that this account may see", name=database.shown),
            say("name a database with one"),
        )
    return max(found, key=_merit)


def _sample(database: SqlDatabase, name: str) -> TableGuess:
    """Return the first rows of a table; raises SQLAlchemyError."""
    from sqlalchemy import text  # noqa: PLC0415 - an extra

    query = f"SELECT * FROM {database.engine.dialect.identifier_preparer.quote(name)}"  # noqa: S608 - a quoted name
    with database.engine.connect() as connection:
        prepare(connection, database, _LIMITS)
        with connection.execution_options(stream_results=True).execute(text(as_text(query))) as rows:
            titles = [str(key) for key in rows.keys()]  # noqa: SIM118 - no dict
            cells = [[clean(text_of(value)) for value in row] for row in rows.fetchmany(_SAMPLE)]
    return TableGuess(query=query, titles=titles, rows=cells)


def _merit(table: TableGuess) -> tuple[bool, int, bool]:
    """Return how much a table looks like a schedule: it has titles and days, what else it has, and any rows at all."""
    columns = find_fields(table.titles, table.rows).columns
    return "title" in columns and bool({"start", "date"} & columns.keys()), len(columns), bool(table.rows)
