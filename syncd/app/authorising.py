"""Opens the application that calls a portal, with its tokens from the ledger and the server that renews them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from syncd.clock import Clock
from syncd.config import AppConfig, PortalConfig
from syncd.config.certificates import make_context
from syncd.config.learn import Learn
from syncd.errors import held_elsewhere
from syncd.model.lease import described
from syncd.portal.oauth.application import Application, TokensUnreadableError
from syncd.portal.oauth.token_server import HttpTokenServer
from syncd.state.ledger import Ledger
from syncd.state.tokens import LedgerTokens


async def open_application(
    config: PortalConfig, app: AppConfig, ledger: Ledger, clock: Clock, learn: Learn
) -> Application:
    """Return the application of a portal; raises StateError if its tokens cannot be read, ConfigError for its key."""
    server = HttpTokenServer(
        app.server,
        client_id=app.client_id,
        client_secret=app.client_secret.reveal(),
        # The certificates of the config are those of the portal; the vendor's server has its own.
        tls=make_context(config.tls) if config.tls is not None and app.server == app.address else None,
    )
    application = Application(
        name=config.name,
        address=app.address,
        client_id=app.client_id,
        server=server,
        store=ledger_tokens(config, app, ledger, clock),
        clock=clock,
        learn=learn,
    )
    await application.open()
    return application


def ledger_tokens(config: PortalConfig, app: AppConfig, ledger: Ledger, clock: Clock) -> LedgerTokens:
    """Return the store for the tokens of a portal; raises ConfigError if its key cannot be used."""
    key = app.token_key.reveal() if app.token_key is not None else None
    return LedgerTokens(
        ledger, config.name, clock=clock, key=key, open_for_writing=lambda: _for_a_moment(ledger, config.name, clock)
    )


async def member_of(config: PortalConfig, ledger: Ledger, clock: Clock) -> str | None:
    """Return the number of a portal that has authorised its application; None if nothing that can be read tells it.

    Raises StateError if the state cannot be read, ConfigError if the key of the tokens is wrong.
    """
    if config.app is None:
        return None
    try:
        kept = await ledger_tokens(config, config.app, ledger, clock).load()
    except TokensUnreadableError:  # which is told where the portal is called
        return None
    return kept.member_id if kept is not None else None


@asynccontextmanager
async def _for_a_moment(looked: Ledger, portal: str, clock: Clock) -> AsyncIterator[Ledger]:
    """Open for writing the ledger that is being `looked` at: a file alone, or the portal's part of a database."""
    place = looked.database or looked.path
    ledger = await Ledger.open(place, now=clock.now(), booted_at=clock.booted_at())
    try:
        if looked.database is not None:
            assert looked.terms is not None, "who opens a database to look at it says by which terms it is shared"
            leases = await ledger.share(looked.terms, clock)
            if await leases.take(portal) is None:
                raise held_elsewhere(portal, described((await leases.look()).lease(portal)))
        yield ledger
    finally:
        await ledger.close()
