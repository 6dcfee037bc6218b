"""The whole of syncd as an application of the simulated portal, on virtual time and without sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from urllib.parse import parse_qs, urlencode, urlsplit

from syncd.app.authorising import ledger_tokens
from syncd.clock import Clock
from syncd.config import PortalConfig
from syncd.portal.client import Portal
from syncd.portal.limits.tariff import limits_of
from syncd.portal.line.answers import RawAnswer
from syncd.portal.oauth.application import Application
from syncd.portal.oauth.grants import Granted, Silent, TokenAnswer, token_answer
from syncd.sandbox.php.wire import PortalRequest
from syncd.sandbox.seed.language_school import CLIENT_ID, CLIENT_SECRET
from syncd.sandbox.world import World
from syncd.state.ledger import Ledger
from tests.support.sandbox import SHIFTS, SimClock, Stage, WorldTransport

ADDRESS = "https://school.example"
APP = f'app = {{ address = "{ADDRESS}", client_id = "{CLIENT_ID}", client_secret = "{CLIENT_SECRET}" }}'
APP_SHIFTS = SHIFTS.replace(SHIFTS.partition("\n[portals.main]\n")[2].partition("\n")[0], APP)
"""The shift plan of `SHIFTS`, by application."""


@dataclass
class WorldTokens:
    """The OAuth server of a simulated world. `lost` is asked before each answer whether it gets lost on its way."""

    world: World
    clock: SimClock
    lost: Callable[[], bool] = lambda: False
    asked: int = 0

    async def exchange(self, code: str) -> TokenAnswer:
        return self._ask(grant_type="authorization_code", code=code)

    async def refresh(self, refresh_token: str) -> TokenAnswer:
        return self._ask(grant_type="refresh_token", refresh_token=refresh_token)

    def _ask(self, **query: str) -> TokenAnswer:
        self.asked += 1
        query |= {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        request = PortalRequest(http_method="GET", path="/oauth/token/", query=urlencode(query))
        response = self.world.handle(self.clock.now(), request)
        if self.lost() or response.cut:
            return Silent(reason="the connection broke")
        return token_answer(response.status, response.body)


class AppTransport(WorldTransport):
    """Carries requests to the world's REST interface without a webhook: the token is in the body."""

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        self.webhook = "http://127.0.0.1:9/rest/"
        return await super().post(method, body, timeout_s)


@dataclass(slots=True)
class AppStage(Stage):
    """A stage whose portal is called by an application; `authorise` is what an administrator does once."""

    config: str = APP_SHIFTS
    tokens: WorldTokens = field(init=False)
    secrets: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super(AppStage, self).__post_init__()
        self.transport = AppTransport(self.world, self.clock)
        self.tokens = WorldTokens(self.world, self.clock)

    @asynccontextmanager
    async def _connected(
        self, config: PortalConfig, ledger: Ledger, clock: Clock, _learn_secret: Callable[[str], object]
    ) -> AsyncIterator[Portal]:
        application = await self.application(config, ledger)
        yield Portal(
            name=config.name,
            credential=application,
            limits=limits_of(config),
            clock=clock,
            random=Random(7).random,
            transport=self.transport,
            state=await ledger.of_portal(config.name).budget(),
        )

    async def application(self, config: PortalConfig, ledger: Ledger) -> Application:
        assert config.app is not None
        self.tokens.world = self.world
        application = Application(
            name=config.name,
            address=config.app.address,
            client_id=config.app.client_id,
            server=self.tokens,
            store=ledger_tokens(config, config.app, ledger, self.clock),
            clock=self.clock,
            learn=self.secrets.append,
        )
        await application.open()
        return application

    def code(self) -> str:
        """Return the code that the browser of the administrator gets."""
        place = self.world.authority.consent(CLIENT_ID, 1, self.clock.start + self.clock.offset_s + self.clock._last)
        assert place is not None
        return parse_qs(urlsplit(place).query)["code"][0]

    async def authorise(self, *, spare: bool = True) -> None:
        """Authorise the application as `syncd portal authorize` does."""
        async with self.opened() as (_, app):
            application = app.portal("main").application
            assert application is not None
            for reserve in (False, True)[: 2 if spare else 1]:
                given = await application.exchange(self.code())
                assert isinstance(given, Granted)
                await application.take(given, spare=reserve)
