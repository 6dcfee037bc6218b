"""The whole of syncd as an application of the simulated portal, on virtual time and without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson

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
from syncd.scrub import Scrubber
from syncd.service.host import Runtime, Service, open_service
from syncd.service.notify import Notifier
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
    scrubber: Scrubber = field(default_factory=Scrubber)

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
            learn=self.learn,
        )
        await application.open()
        return application

    def learn(self, secret: str) -> Callable[[], None]:
        """Hide a secret in texts; return what hides it no longer."""
        self.secrets.append(secret)
        return self.scrubber.add(secret)

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


class People:
    """Somebody at the portal's own page: edits events with an administrator's rights, past the application."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def _ask(self, method: str, **params: object) -> None:
        request = PortalRequest(
            path=f"/rest/1/sandboxadmin/{method}", content_type="application/json", body=orjson.dumps(params)
        )
        response = self.stage.world.handle(self.stage.clock.now(), request)
        assert response.status == 200, response.body

    def rename(self, event: int, name: str) -> None:
        row = self.stage.world.tables.event(event)
        assert row is not None
        self._ask(
            "calendar.event.update", id=event, name=name, section=row.section_id, type=row.cal_type,
            ownerId=row.owner_id, **{"from": "2026-12-24T10:00:00", "to": "2026-12-24T11:00:00"}, skip_time="N",
            timezone_from="Europe/Moscow", timezone_to="Europe/Moscow",
        )  # fmt: skip

    def delete(self, event: int) -> None:
        self._ask("calendar.event.delete", id=event)

    def delete_section(self, section: int) -> None:
        row = self.stage.world.tables.sections[section]
        self._ask("calendar.section.delete", id=section, type=row.cal_type, ownerId=row.owner_id)

    def add(self, number: int) -> None:
        """Add events that are nobody's business here."""
        for _ in range(number):
            self._ask(
                "calendar.event.add", type="user", ownerId=3, name="Lunch", section=3, skip_time="N",
                **{"from": "2026-12-24T10:00:00", "to": "2026-12-24T11:00:00"},
            )  # fmt: skip


class AppScene(AppStage):
    """A stage in which the whole service runs, and hears of people's edits."""

    def runtime(self) -> Runtime:
        return Runtime(
            clock=self.clock, notifier=Notifier(None), environ={"HOME": str(self.folder)},
            scrubber=Scrubber(), random=lambda: 0.0, connect=self._connected,
        )  # fmt: skip

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Service]:
        """Run the service while the body does."""
        stop = asyncio.Event()
        path = self.write("syncd.toml", self.config)
        async with open_service(path, self.runtime(), stop) as service:
            task = asyncio.create_task(service.run(asyncio.Event()))
            try:
                yield service
            finally:
                stop.set()
                await task

    def shown(self) -> dict[int, str]:
        """Return the names of the events of the sync's own section, by id."""
        sections = [one.id for one in self.world.tables.sections.values() if one.name == "Shifts"]
        return {row.id: row.name for section in sections for row in self.world.tables.events_in(section)}
