"""What a server is asked for `syncd check`: how it keeps commits, who may do what, and how its clock stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from syncd.clock import Clock
from syncd.config.database import Database
from syncd.state.postgres.opening import check_server
from syncd.state.postgres.schema import STEPS, version_of
from syncd.state.postgres.store import first_connection
from syncd.state.postgres.trouble import translated

_SERVER: Final = (
    "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('full_page_writes'),"
    " current_setting('synchronous_commit'), pg_is_in_recovery(), current_user::text"
)
_STANDBYS: Final = "SELECT count(*), count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) FROM pg_stat_replication"
_MAY_MAKE: Final = (
    "SELECT CASE WHEN to_regnamespace(?1) IS NULL THEN has_database_privilege(current_database(), 'CREATE')"
    " ELSE has_schema_privilege(?1, 'CREATE') AND has_schema_privilege(?1, 'USAGE') END"
)
_LACKING: Final = (
    "SELECT tablename::text FROM pg_tables WHERE schemaname = ? AND NOT"
    " (has_table_privilege(format('%I.%I', schemaname, tablename), 'SELECT')"
    " AND has_table_privilege(format('%I.%I', schemaname, tablename), 'INSERT')"
    " AND has_table_privilege(format('%I.%I', schemaname, tablename), 'UPDATE')"
    " AND has_table_privilege(format('%I.%I', schemaname, tablename), 'DELETE')) ORDER BY 1"
)
_TIME: Final = "SELECT extract(epoch FROM clock_timestamp())::float8"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What was found out about a server.

    `tls` says whether the way there is encrypted; `local` is True if no network lies between. `ahead_s` is how far its
    clock is ahead of this machine's. `standbys` are those that can be seen, `synchronous` those of them that a commit
    waits for. `may_make` and `lacking` say whether `user` may make tables, and which of them it may not work with.
    """

    version: str
    user: str
    tls: bool
    local: bool
    pooled: bool
    read_only: bool
    fsync: bool
    full_pages: bool
    synchronous_commit: str
    standbys: int
    synchronous: int
    ahead_s: float
    tables: bool
    may_make: bool
    lacking: tuple[str, ...]


def look_at(database: Database, clock: Clock) -> ServerFacts:
    """Return what can be found out about the server of `database`; blocks. Raises StateError if it cannot be used."""
    connection = first_connection(database)
    try:
        with translated(database.shown):
            check_server(connection, database.shown)
            raw = connection.raw
            connection.begin(writes=False)
            version = version_of(connection, database.schema, database.shown, newest=len(STEPS))
            number, fsync, full_pages, commits, recovers, user = connection.execute(_SERVER).fetchone()
            standbys, synchronous = connection.execute(_STANDBYS).fetchone()
            (may_make,) = connection.execute(_MAY_MAKE, (database.schema,)).fetchone()
            lacking = tuple(name for (name,) in connection.execute(_LACKING, (database.schema,)))
            before = clock.now()
            (there,) = connection.execute(_TIME).fetchone()
            between = (before + clock.now()) / 2
            connection.commit()
            return ServerFacts(
                version=number.split()[0],
                user=user,
                tls=bool(raw.pgconn.ssl_in_use),
                local=_is_local(raw.info.hostaddr, raw.info.host),
                pooled=connection.pooled,
                read_only=recovers,
                fsync=fsync == "on",
                full_pages=full_pages == "on",
                synchronous_commit=commits,
                standbys=standbys,
                synchronous=synchronous,
                ahead_s=there - between,
                tables=version > 0,
                may_make=bool(may_make),
                lacking=lacking,
            )
    finally:
        connection.close()


def _is_local(address: str, host: str) -> bool:
    """Return True for a socket in the file system and for this machine's own addresses."""
    return host.startswith("/") or address.startswith("127.") or address == "::1" or (not address and not host)
