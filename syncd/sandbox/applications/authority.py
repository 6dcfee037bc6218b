"""The OAuth server of the simulated portal: codes, chains of refresh tokens, access tokens (PORTAL.md 11.1, 11.2).

It knows who may call the portal as which application and user. Must never read a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from syncd.sandbox.call import Refusal
from syncd.sandbox.tables.database import AppAccess, Application

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syncd.sandbox.applications.event_queue import Delivery
    from syncd.sandbox.php.scalars import PhpValue
    from syncd.sandbox.settings import Settings
    from syncd.sandbox.tables.database import Tables

CODE_S = 30.0
ACCESS_S = 3600.0
REFRESH_S = 180 * 86_400.0


@dataclass(slots=True, kw_only=True)
class _Code:
    client_id: str
    user: int
    until: float


@dataclass(slots=True, kw_only=True)
class _Refresh:
    """A refresh token; `access` is the access token that was given beside it."""

    client_id: str
    user: int
    until: float
    access: str = field(repr=False)


@dataclass(slots=True, kw_only=True)
class _Token:
    client_id: str
    user: int
    until: float


@dataclass(slots=True, kw_only=True)
class Authority:
    """What was given out. `address` is where the portal is now, `seed` what its tokens are drawn from."""

    tables: Tables
    settings: Settings
    address: str
    paid: bool = True
    """False once the portal's plan has run out: nothing is renewed then."""
    refreshed: int = 0
    _codes: dict[str, _Code] = field(default_factory=dict, repr=False)
    _refresh: dict[str, _Refresh] = field(default_factory=dict, repr=False)
    _tokens: dict[str, _Token] = field(default_factory=dict, repr=False)
    _drawn: int = 0

    @property
    def member_id(self) -> str:
        """The portal's number, which a renaming leaves alone."""
        return sha256(f"member {self.tables.host}".encode()).hexdigest()[:32]

    def consent(self, client_id: str, user: int, now: float, *, state: str = "") -> str | None:
        """Return the address that the browser is sent to after `user` agreed, None for an unknown application."""
        application = self._application(client_id)
        if application is None:
            return None
        code = self._draw("code")
        self._codes[code] = _Code(client_id=client_id, user=user, until=now + CODE_S)
        query = {
            "code": code,
            "state": state,
            "domain": self.address.partition("://")[2],
            "member_id": self.member_id,
            "scope": ",".join(sorted(application.scopes)),
            "server_domain": "oauth.bitrix.info",
        }
        return f"{application.handler or f'{self.address}/oauth/shown/'}?{urlencode(query)}"

    def answer(self, params: Mapping[str, PhpValue], now: float) -> tuple[int, dict[str, PhpValue]]:
        """Return status and answer of the OAuth server to a request for tokens."""
        application = self._application(str(params.get("client_id", "")))
        if application is None or application.client_secret != params.get("client_secret"):
            return _denied(401, "invalid_client", "Invalid client")
        if not self.paid:
            return _denied(402, "PAYMENT_REQUIRED", "Payment required")
        match params.get("grant_type"):
            case "authorization_code":
                code = self._codes.pop(str(params.get("code", "")), None)
                if code is None or code.client_id != application.client_id or now > code.until:
                    return _denied(400, "invalid_grant", "Invalid code")
                return 200, self.grant(application, code.user, now)
            case "refresh_token":
                return self._renewed(application, str(params.get("refresh_token", "")), now)
            case _:
                return _denied(400, "invalid_request", "Unknown grant type")

    def grant(self, application: Application, user: int, now: float) -> dict[str, PhpValue]:
        """Begin a chain and return its first tokens as the server tells them."""
        access, refresh = self._draw("access"), self._draw("refresh")
        self._tokens[access] = _Token(client_id=application.client_id, user=user, until=now + ACCESS_S)
        self._refresh[refresh] = _Refresh(
            client_id=application.client_id, user=user, until=now + REFRESH_S, access=access
        )
        return {
            "access_token": access,
            "expires": int(now + ACCESS_S),
            "expires_in": int(ACCESS_S),
            "scope": ",".join(sorted(application.scopes)),
            "domain": "oauth.bitrix.info",
            "server_endpoint": "https://oauth.bitrix.info/rest/",
            "status": "L",
            "client_endpoint": f"{self.address}/rest/",
            "member_id": self.member_id,
            "user_id": user,
            "refresh_token": refresh,
        }

    def access(self, token: str, now: float) -> AppAccess:
        """Return as whom a request with this access token comes; raises Refusal."""
        found = self._tokens.get(token)
        application = self._application(found.client_id) if found is not None else None
        if found is None or application is None:
            raise Refusal("NO_AUTH_FOUND", "Wrong authorization data", 401)
        if now > found.until:
            raise Refusal("expired_token", "The access token provided has expired.", 401)
        return AppAccess(application=application, user=found.user)

    def form_of(self, delivery: Delivery) -> dict[str, str]:
        """Return what is posted to the handler of an application, names with brackets (PORTAL.md 11.1, 11.3)."""
        application = self.tables.applications[delivery.client_id]
        application.token = application.token or self._draw("application")
        form = {
            "ts": str(int(delivery.at)),
            "auth[domain]": self.address.partition("://")[2],
            "auth[member_id]": self.member_id,
            "auth[client_endpoint]": f"{self.address}/rest/",
            "auth[user_id]": str(delivery.user),
            "auth[application_token]": application.token,
        }
        if delivery.event is None:
            given = self.grant(application, delivery.user, delivery.at)
            tokens = {f"auth[{name}]": str(given[name]) for name in ("access_token", "refresh_token", "expires_in")}
            return {"event": "ONAPPINSTALL", **form, **tokens}
        number = str(delivery.event.id)
        name = "data[FIELDS][ID]" if "FIELDS" in delivery.event.data else "data[id]"
        return {"event": delivery.event.name, name: number, **form}

    def expire(self) -> None:
        """Let every access token run out."""
        for one in self._tokens.values():
            one.until = float("-inf")

    def remove(self, client_id: str) -> None:
        """Let an administrator delete the application."""
        del self.tables.applications[client_id]
        self.tables.queue.forget(client_id)

    def _renewed(self, application: Application, refresh: str, now: float) -> tuple[int, dict[str, PhpValue]]:
        found = self._refresh.get(refresh)
        if found is None or found.client_id != application.client_id or now > found.until:
            return _denied(400, "invalid_grant", "Invalid refresh token")
        if self.settings.refresh_tokens == "once":
            # As the vendor's course has it: the token and the access token beside it end with their first use.
            del self._refresh[refresh]
            self._tokens.pop(found.access, None)
        self.refreshed += 1
        return 200, self.grant(application, found.user, now)

    def _application(self, client_id: str) -> Application | None:
        return self.tables.applications.get(client_id)

    def _draw(self, kind: str) -> str:
        """Return a new token: as long as the real ones, and the same in each run of a world."""
        self._drawn += 1
        drawn = f"{self.settings.seed} {self.tables.host} {kind} {self._drawn}"
        return sha256(drawn.encode()).hexdigest() + f"{self._drawn:06x}"


def _denied(status: int, code: str, text: str) -> tuple[int, dict[str, PhpValue]]:
    return status, {"error": code, "error_description": text}
