"""The address of a database, as SQLAlchemy has them, to a `SqlDatabase`: which driver, and what of it may be shown.

The address is a secret as a whole; messages name the kind of database and its host, or the name of its file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.source.sql.query_reading import SqlDatabase

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

_DRIVERS: Mapping[str, tuple[str, ...]] = {
    "postgresql": ("psycopg", "psycopg2", "pg8000"),
    "mysql": ("mysqldb", "pymysql", "mysqlconnector"),
    "mariadb": ("mariadbconnector", "mysqldb", "pymysql"),
    "mssql": ("pyodbc", "pymssql"),
    "oracle": ("oracledb", "cx_oracle"),
}
"""Drivers of an address that names none: whichever is installed, the first of them before the others."""
_PACKAGES = {
    "psycopg": "'psycopg[binary]'",
    "mysqldb": "mysqlclient",
    "mysqlconnector": "mysql-connector-python",
    "mariadbconnector": "mariadb",
}
_EXAMPLE = say("postgresql://user:password@host/database, or sqlite:///file.db")
_PART = re.compile(r"([^;=]*)=([^;]*)")
_HOLDS_SECRET = re.compile(r"pass|pwd|secret|token|key", re.IGNORECASE)


def open_database(
    address: str, username: str | None, password: str | None, *, base: Path, isolation: str | None, where: str
) -> SqlDatabase:
    """Return the database behind an address; `username` and `password`, if given, take the place of those in it.

    Nothing is connected yet. Raises ConfigError, beginning with `where`, for an address that is none, and where
    SQLAlchemy or the driver is not installed.
    """
    url = _url(address, where)
    if username is not None:
        url = url.set(username=username)
    if password is not None:
        url = url.set(password=password)
    kind = url.get_backend_name()
    shown = f"{kind} {url.host or ''}".rstrip()
    file: Path | None = None
    if kind == "sqlite":
        url, file = _read_only(url, base, where)
        shown = f"{kind} {file.name}" if file is not None else kind
    secrets = tuple(_secrets(url, address))
    return SqlDatabase(engine=_engine(url, where), shown=shown, secrets=secrets, isolation=isolation, file=file)


def _url(address: str, where: str) -> URL:
    try:
        from sqlalchemy.engine import make_url  # noqa: PLC0415 - an extra
        from sqlalchemy.exc import ArgumentError  # noqa: PLC0415
    except ImportError:
        remedy = say("pip install 'syncd[sql]' and the driver of your database, into the same environment")
        raise ConfigError(say("{where}: SQL needs SQLAlchemy", where=where), remedy) from None
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        remedy = say(
            "e.g. {example}; a password with signs such as @ or / may stand beside it, as password", example=_EXAMPLE
        )
        raise ConfigError(say("{where}: url is not the address of a database", where=where), remedy) from None
    # Hosting services write it so, and SQLAlchemy knows the full name only.
    return url.set(drivername=url.drivername.replace("postgres", "postgresql", 1)) if _is_short(url) else url


def _is_short(url: URL) -> bool:
    return url.drivername.partition("+")[0] == "postgres"


def _read_only(url: URL, base: Path, where: str) -> tuple[URL, Path | None]:
    """Return the address under which SQLite opens a file for reading, and never makes one, and the file if it says."""
    if not url.database or url.database == ":memory:":
        raise ConfigError(
            say("{where}: url names no file of SQLite", where=where), say("e.g. sqlite:///shifts.db, beside the config")
        )
    query = {**url.query, "mode": "ro", "uri": "true"}
    if url.database.startswith("file:"):
        return url.set(query=query), None
    place = base / Path(url.database).expanduser()
    return url.set(database="file:" + quote(str(place.absolute())), query=query), place


def _engine(url: URL, where: str) -> Engine:
    from sqlalchemy import create_engine  # noqa: PLC0415 - an extra
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError  # noqa: PLC0415
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    kind, _, named = url.drivername.partition("+")
    drivers = (named,) if named else _DRIVERS.get(kind, ("",))
    unknown = False
    for driver in drivers:
        full = _in_utf8(url.set(drivername=f"{kind}+{driver}" if driver else kind))
        try:
            # A connection for each reading: they are minutes apart, and one that was left open may be dead.
            engine = create_engine(full, poolclass=NullPool, hide_parameters=True)
        except (ImportError, NoSuchModuleError) as error:
            unknown = isinstance(error, NoSuchModuleError)
            continue
        except (ArgumentError, TypeError, ValueError) as error:
            raise ConfigError(
                say("{where}: url cannot be used: {error}", where=where, error=type(error).__name__),
                say("e.g. {example}", example=_EXAMPLE),
            ) from None
        if engine.dialect.is_async:
            raise ConfigError(
                say("{where}: url names {driver}, a driver for asyncio", where=where, driver=driver),
                say("leave it out, or name another"),
            )
        return engine
    if unknown:
        raise ConfigError(
            say("{where}: SQLAlchemy knows no database {kind!r}", where=where, kind=url.drivername),
            say("install its dialect"),
        )
    package = _PACKAGES.get(drivers[0], drivers[0])
    raise ConfigError(
        say("{where}: the driver of {kind} is not installed", where=where, kind=kind),
        say("pip install {package}, into the same environment", package=package),
    )


def _in_utf8(url: URL) -> URL:
    """Return an address of PostgreSQL under which its driver gives texts, of a database in SQL_ASCII too."""
    if url.drivername not in ("postgresql+psycopg", "postgresql+psycopg2"):
        return url
    return url.set(query={"client_encoding": "utf8", **url.query})


def _secrets(url: URL, address: str) -> Iterator[str]:
    """Yield what of an address must not be in a message."""
    yield address
    if url.password:
        yield str(url.password)
        yield quote(str(url.password), safe="")
    for key, values in url.query.items():
        for value in (values,) if isinstance(values, str) else values:
            for name, text in ((key, value), *_PART.findall(value)):
                # A word such as "require" is no secret, and masking it would spoil messages.
                if len(text) > len("verify-full") or (text and _HOLDS_SECRET.search(name)):
                    yield text
