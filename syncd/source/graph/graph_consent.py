"""The consent of a person in Microsoft 365 by device code: a page in any browser, and a short code to enter there.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code. The application has to allow public client
flows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from syncd.clock import Clock
from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.source.accounts.consent import Show, Typed
from syncd.source.graph.graph_login import GraphLogin, needs_msal
from syncd.source.graph.graph_options import GraphOptions, read_login
from syncd.source.options import read_options


def open_consent(options: Mapping[str, object], base: Path, *, where: str, clock: Clock) -> GraphConsent:
    """Return the consent for a source of Microsoft 365; raises ConfigError beginning with `where`."""
    needs_msal(where)
    login, _ = read_login(read_options(GraphOptions, options, where=where), base, where=where)
    if not login.as_person:
        remedy = say("remove client_secret or private_key if a person shall log in")
        raise ConfigError(say("{where}: the application logs in by itself and needs no consent", where=where), remedy)
    return GraphConsent(GraphLogin(login))


class GraphConsent:
    """Asks one person, who logs in to one application."""

    def __init__(self, login: GraphLogin) -> None:
        self._login = login

    async def ask(self, show: Show, typed: Typed) -> str:
        """Return the refresh token with its account, once the person has entered the code that is shown."""
        flow = await asyncio.to_thread(self._login.begin_device)
        # Microsoft's own message is in the language of the tenant, or in English, whatever the person reads.
        address, code = flow.get("verification_uri"), flow.get("user_code")
        show(say("open {address} and enter {code}", address=str(address), code=str(code)))
        try:
            return await asyncio.to_thread(self._login.finish_device, flow)
        finally:
            # msal asks again and again until then; a thread cannot be cancelled.
            flow["expires_at"] = 0
