"""The names of portals, for all configs that share the database: each portal has one name.

Leases, budgets and notes are kept by name. A portal with two names could have two holders at once, and two portals with
one name would share a budget and be taken for each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.state.base import PortalClaim
from syncd.state.postgres.connection import PostgresConnection

_STILL_USED_H: Final = 24
STILL_USED: Final = f"{_STILL_USED_H} hours"
"""For how long a name holds after a config has last begun to work with it, if another config has another."""
_ONE_AT_A_TIME: Final = "LOCK TABLE portals IN SHARE ROW EXCLUSIVE MODE"
_LIVE: Final = "EXISTS (SELECT 1 FROM leases WHERE portal = portals.name AND expires_at > clock_timestamp())"
_RECENT: Final = f"seen > clock_timestamp() - interval '{STILL_USED}'"
_OTHERS: Final = (
    f"SELECT name, config, host, {_LIVE}, {_RECENT} FROM portals"  # noqa: S608 - constants of this room
    " WHERE name != ?1 AND (origin = ?2 OR member_id = ?3)"
)
_SAME_NAME: Final = f"SELECT origin, member_id, config, host, {_LIVE}, {_RECENT} FROM portals WHERE name = ?"  # noqa: S608
_PUT: Final = (
    "INSERT INTO portals (name, origin, member_id, config, host) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (name) DO UPDATE SET origin = excluded.origin, config = excluded.config, host = excluded.host,"
    " member_id = coalesce(excluded.member_id, portals.member_id), seen = clock_timestamp()"
)


def claim_portals(connection: PostgresConnection, claims: Sequence[PortalClaim], config: str, host: str) -> None:
    """Note that `config` on the machine `host` works with the portals in `claims`; in a transaction.

    Raises ConfigError if another config knows one of them by another name, or another portal by the same name.
    """
    connection.execute(_ONE_AT_A_TIME)
    for claim in claims:
        _refuse_other_name(connection, claim, config)
        _refuse_other_portal(connection, claim, config)
        forget = "DELETE FROM portals WHERE name != ? AND (origin = ? OR member_id = ?)"
        connection.execute(forget, (claim.name, claim.origin, claim.member_id))
        connection.execute(_PUT, (claim.name, claim.origin, claim.member_id, config, host))


def _refuse_other_name(connection: PostgresConnection, claim: PortalClaim, config: str) -> None:
    for name, other, host, live, recent in connection.execute(_OTHERS, (claim.name, claim.origin, claim.member_id)):
        if live or (recent and other != config):
            raise ConfigError(
                say(
                    "{config}: the portal {name!r} at {origin} is known in this database as {known!r}, from {other} on"
                    " {host}",
                    config=config,
                    name=claim.name,
                    origin=claim.origin,
                    known=name,
                    other=other,
                    host=host,
                ),
                say(
                    "call it {name!r} here too; if that one is no longer used, it is free {hours} hours after its last"
                    " start",
                    name=name,
                    hours=_STILL_USED_H,
                ),
            )


def _refuse_other_portal(connection: PostgresConnection, claim: PortalClaim, config: str) -> None:
    found = connection.execute(_SAME_NAME, (claim.name,)).fetchone()
    if found is None:
        return
    origin, member_id, other, host, live, recent = found
    same = origin == claim.origin or (member_id is not None and member_id == claim.member_id)
    if not same and (live or (recent and other != config)):
        raise ConfigError(
            say(
                "{config}: the portal {name!r} goes to {origin}, but in this database that name belongs to"
                " {known}, from {other} on {host}",
                config=config,
                name=claim.name,
                origin=claim.origin,
                known=origin,
                other=other,
                host=host,
            ),
            say("give one of the two another name, or a `state_schema` of its own"),
        )
