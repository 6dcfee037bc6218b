"""The simulated portal as a pure world: (state, now, request) -> response and the seconds the server took for it.

A request is executed as a whole when it arrives. What it used of the operating budget counts for others only when its
duration has passed, so requests may overlap in time. Must never read a clock; random numbers come from a seed.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from heapq import heappop, heappush
from random import Random
from typing import TYPE_CHECKING, Protocol

from syncd.sandbox.applications.authority import Authority
from syncd.sandbox.applications.event_queue import Delivery
from syncd.sandbox.call import Refusal
from syncd.sandbox.dispatch import BATCH, Credentials, Execution, RequestCut
from syncd.sandbox.faults import Fault, FaultLine
from syncd.sandbox.limits import OperatingLimiter, OperatingRequest, RequestBucket, Traffic
from syncd.sandbox.methods import all_methods
from syncd.sandbox.php.query import parse_command
from syncd.sandbox.php.scalars import PhpValue, PortalCrash, as_list
from syncd.sandbox.php.wire import PortalRequest, PortalResponse, encode, request_params
from syncd.sandbox.seed.conversion import build_tables
from syncd.sandbox.seed.world_schema import WorldSeed, check_world
from syncd.sandbox.series.series import occurrences, selected

if TYPE_CHECKING:
    from syncd.sandbox.settings import Settings
    from syncd.sandbox.tables.database import CalendarId, Event, Message, Notice

_WEBHOOK = re.compile(r"/rest/(\d+)/([^/]+)/([^/]*?)(?:\.json)?/?\Z")
_BARE = re.compile(r"/rest/([^/]*?)(?:\.json)?/?\Z")
_HTML = "text/html; charset=utf-8"
_REFUSAL_S = 0.002
TOKEN_REQUEST = "oauth.token"  # noqa: S105 - a name
"""What faults call a request to the OAuth server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLine:
    """One line of the request log; addresses only, never the webhook's code."""

    at: float
    address: str
    method: str
    commands: int
    status: int
    duration_s: float
    cut: bool


_Target = tuple[Credentials, str, dict[str, PhpValue]]
"""Who asks, lower-case method and parameters of a request."""


class _Due(Protocol):
    """Something to be done at a later time."""

    def __call__(self) -> None: ...


class World:
    """One simulated portal. Requests must come in the order of their `now`."""

    def __init__(self, settings: Settings, seed: WorldSeed) -> None:
        check_world(seed)
        self.settings = settings
        self.tables = build_tables(seed)
        self.authority = Authority(tables=self.tables, settings=settings, address=f"https://{self.tables.host}")
        self.traffic = Traffic()
        self.log: deque[RequestLine] = deque(maxlen=500)
        self._methods = all_methods()
        self._random = Random(settings.seed)  # noqa: S311 - a simulation has to repeat itself
        self._line = FaultLine(settings.faults, Random(settings.seed + 1))  # noqa: S311 - likewise
        self._limiter = self._new_limiter()
        self._buckets: dict[str, RequestBucket] = {}
        self._due: list[tuple[float, int, _Due]] = []
        self._due_count = 0

    def handle(self, now: float, request: PortalRequest) -> PortalResponse:
        """Answer one HTTP request that arrives at unix time `now`.

        The answer is due `duration_s` later; the caller lets that time pass (a server sleeps, a test moves its clock
        on). Effects are visible at once, to later requests too.
        """
        self.settle(now)
        if request.path.startswith("/oauth/"):
            return self._oauth(now, request)
        self.traffic.requests += 1
        target = _target(request)
        if target is None:
            unauthorized = self._without_webhook(request.path)
            self._note(now, request, "", 0, unauthorized)
            return unauthorized
        _, method, params = target
        names = _names(method, params)
        struck = self._line.strike(lambda: frozenset(names))
        early = self._refused_early(now, request, struck, target)
        response = early or self._answered(self._run(now, struck), target, struck)
        self._note(now, request, method, len(names), response)
        return response

    def _oauth(self, now: float, request: PortalRequest) -> PortalResponse:
        """Answer a browser that asks for a code, as which the first administrator sits, and who asks for tokens."""
        params = request_params(request)
        match request.path.removeprefix("/oauth/").strip("/"):
            case "authorize":
                place = self.authority.consent(
                    str(params.get("client_id", "")), self._administrator(), now, state=str(params.get("state", ""))
                )
                if place is None:
                    return PortalResponse(status=404, body=b"<h1>Application not found</h1>", content_type=_HTML)
                return PortalResponse(status=302, headers=(("Location", place),), content_type=_HTML)
            case "shown":
                said = b"<h1>Authorised</h1><p>The code is in the address of this page; it is valid for 30 s.</p>"
                return PortalResponse(status=200, body=said, content_type=_HTML)
            case "install":  # as an administrator does in the application's settings
                client_id, handler = str(params.get("client_id", "")), str(params.get("to", ""))
                if client_id not in self.tables.applications or not handler:
                    return PortalResponse(status=404, body=b"<h1>Application not found</h1>", content_type=_HTML)
                self.tables.queue.deliveries.append(
                    Delivery(client_id=client_id, handler=handler, event=None, user=self._administrator(), at=now)
                )
                return PortalResponse(status=200, body=b"<h1>Installed</h1>", content_type=_HTML)
            case "token":
                struck = self._line.strike_only(TOKEN_REQUEST)
                for fault in struck:
                    if fault.kind == "cut-before":
                        return PortalResponse(status=0, cut=True, duration_s=_REFUSAL_S)
                status, said_value = self.authority.answer(params, now)
                return _spoiled(PortalResponse(status=status, body=encode(said_value), duration_s=_REFUSAL_S), struck)
            case _:
                return PortalResponse(status=404, body=b"<h1>404 Not Found</h1>", content_type=_HTML)

    def _administrator(self) -> int:
        users = self.tables.users.values()
        return next((one.id for one in users if one.admin and one.active), next(iter(self.tables.users)))

    def settle(self, now: float) -> None:
        """Do everything that is due by `now`: charge requests that have ended, execute late ones."""
        while self._due and self._due[0][0] <= now:
            heappop(self._due)[2]()

    def _later(self, at: float, due: _Due) -> None:
        self._due_count += 1
        heappush(self._due, (at, self._due_count, due))

    def _new_limiter(self) -> OperatingLimiter:
        return OperatingLimiter(limit_s=self.settings.operating_limit_s)

    def _begin_operating(self, now: float) -> OperatingRequest | None:
        """Open the request at the limiter; a self-hosted portal has a new one for each request, or none (3.2)."""
        if self.settings.cloud:
            return self._limiter.begin(now)
        return self._new_limiter().begin(now) if self.settings.load_limiter else None

    def _run(self, now: float, struck: tuple[Fault, ...]) -> Execution:
        return Execution(
            tables=self.tables,
            settings=self.settings,
            authority=self.authority,
            methods=self._methods,
            random=self._random,
            traffic=self.traffic,
            operating=self._begin_operating(now),
            faults=struck,
            started=now,
        )

    def _without_webhook(self, path: str) -> PortalResponse:
        """Answer a path that is not a webhook's; the method is checked before the credentials (PORTAL.md 1.3)."""
        found = _BARE.match(path)
        if found is None:
            return PortalResponse(status=404, body=b"<h1>404 Not Found</h1>", content_type=_HTML)
        if found[1].lower() not in self._methods and found[1].lower() != BATCH:
            return self._refusal(Refusal("ERROR_METHOD_NOT_FOUND", "Method not found!", 404))
        return self._refusal(Refusal("NO_AUTH_FOUND", "Wrong authorization data", 401))

    def _refusal(self, refusal: Refusal, duration_s: float = _REFUSAL_S) -> PortalResponse:
        return PortalResponse(status=refusal.status, body=encode(refusal.envelope()), duration_s=duration_s)

    def _counted(self, refusal: Refusal) -> PortalResponse:
        self.traffic.refused[refusal.code] += 1
        return self._refusal(refusal)

    def _refused_early(
        self, now: float, request: PortalRequest, struck: tuple[Fault, ...], target: _Target
    ) -> PortalResponse | None:
        """Return the answer of the rate limiter or of a fault that prevents execution, None if there is none."""
        # The rate limiter sits in front of everything, and counts requests per source address (PORTAL.md 1.3, 3.1).
        if not self._bucket(request.address).take(now):
            return self._counted(Refusal("QUERY_LIMIT_EXCEEDED", "Too many requests", 503))
        for fault in struck:
            match fault.kind:
                case "storm":
                    return self._counted(Refusal("QUERY_LIMIT_EXCEEDED", "Too many requests", 503))
                case "error-before":
                    return self._counted(Refusal("INTERNAL_SERVER_ERROR", "Internal server error", 500))
                case "cut-before":
                    return PortalResponse(status=0, cut=True, duration_s=_REFUSAL_S)
                case "html":
                    page = b"<!DOCTYPE html><html><body><h1>Please sign in</h1></body></html>"
                    return PortalResponse(status=fault.status, body=page, content_type=_HTML, duration_s=_REFUSAL_S)
                case "redirect":
                    location = ("Location", fault.to.rstrip("/") + request.path)
                    return PortalResponse(status=302, headers=(location,), content_type=_HTML, duration_s=_REFUSAL_S)
                case "late":
                    at = now + fault.seconds
                    self._later(at, partial(self._execute_late, at, target))
                    return PortalResponse(status=0, cut=True, duration_s=_REFUSAL_S)
                case "queue":
                    at = now + fault.seconds
                    self._later(at, partial(self._execute_late, at, target))
                    return PortalResponse(status=504, content_type=_HTML, duration_s=fault.seconds + _REFUSAL_S)
        return None

    def _bucket(self, address: str) -> RequestBucket:
        rate = self.settings.request_rate
        if address not in self._buckets:
            capacity, leak = rate or (0.0, 0.0)
            self._buckets[address] = RequestBucket(
                capacity=capacity, leak=leak, count_refused=self.settings.count_refused, active=rate is not None
            )
        return self._buckets[address]

    def _execute_late(self, now: float, target: _Target) -> None:
        """Execute a request whose caller saw the connection break long before."""
        self._answered(self._run(now, ()), target, ())

    def _answered(self, run: Execution, target: _Target, struck: tuple[Fault, ...]) -> PortalResponse:
        """Execute a request and return its answer, spoiled by faults that strike after execution."""
        try:
            body = encode(run.execute(*target))
            response = PortalResponse(status=200, body=body, duration_s=run.elapsed_s)
        except Refusal as refusal:
            response = self._refusal(refusal, run.elapsed_s)
        except PortalCrash:  # PHP dies without an envelope, and earlier commands of a batch have run (PORTAL.md 1.3)
            self.traffic.refused["crash"] += 1
            response = PortalResponse(status=500, content_type=_HTML, duration_s=run.elapsed_s)
        except RequestCut as cut:
            self.traffic.refused["cut"] += 1
            page = b"<html><head><title>504 Gateway Time-out</title></head></html>"
            response = PortalResponse(
                status=cut.status, body=page, content_type=_HTML, duration_s=run.elapsed_s, cut=cut.status == 0
            )
        if run.operating is not None:
            self._later(run.started + run.elapsed_s, run.operating.end)
        return _spoiled(response, struck)

    def _note(self, now: float, request: PortalRequest, method: str, commands: int, response: PortalResponse) -> None:
        self.log.append(
            RequestLine(
                at=now,
                address=request.address,
                method=method,
                commands=commands,
                status=response.status,
                duration_s=response.duration_s,
                cut=response.cut,
            )
        )

    # What tests and the calendar page read.

    def calendars(self) -> tuple[CalendarId, ...]:
        """Return every calendar that has a section or an event, in order."""
        return self.tables.calendars()

    def events(self, cal_type: str, owner: int, section: int | None = None) -> tuple[Event, ...]:
        """Return the undeleted rows of a calendar, or of one of its sections, by id."""
        rows = self.tables.events_of((cal_type, owner))
        return tuple(row for row in rows if section is None or row.section_id == section)

    def occurrences(
        self, cal_type: str, owner: int, opens: datetime, closes: datetime
    ) -> tuple[tuple[Event, datetime, datetime], ...]:
        """Return what the calendar shows in a window of server time, by start: row, wall start, wall end."""
        zone_name, exact = self.tables.server_zone, self.settings.exact_expansion
        found = [
            (row, first, last)
            for row in self.events(cal_type, owner)
            if selected(row.stored, opens, closes, zone_name)
            for first, last in occurrences(row.stored, opens, closes, zone_name, exact=exact)
        ]
        return tuple(sorted(found, key=lambda item: (item[1], item[0].id)))

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Every notice people got so far, oldest first."""
        return tuple(self.tables.notices)

    @property
    def messages(self) -> tuple[Message, ...]:
        """Every message that people and chats were sent so far, oldest first."""
        return tuple(self.tables.messages)

    def budgets(self, now: float) -> tuple[tuple[str, float, int], ...]:
        """Return limiter key, used seconds and reset time of every live operating budget."""
        self.settle(now)
        return tuple((str(key), used, reset_at) for key, used, reset_at in self._limiter.gauges(now))


def _target(request: PortalRequest) -> _Target | None:
    """Return who asks for which method: a webhook in the path, or a token among the parameters (PORTAL.md 1.1)."""
    if found := _WEBHOOK.match(request.path):
        return (int(found[1]), found[2]), found[3].lower(), request_params(request)
    found = _BARE.match(request.path)
    params = request_params(request) if found is not None else {}
    token = params.get("auth") or params.get("access_token")
    if found is None or not isinstance(token, str):
        return None
    return token, found[1].lower(), params


def _names(method: str, params: dict[str, PhpValue]) -> tuple[str, ...]:
    """Return the methods of a request's commands; its own method if it is not a batch."""
    if method != BATCH:
        return (method,)
    commands = next((value for key, value in params.items() if key.lower() == "cmd"), None)
    return tuple(parse_command(item)[0].lower() for item in as_list(commands) if isinstance(item, str))


def _spoiled(response: PortalResponse, struck: tuple[Fault, ...]) -> PortalResponse:
    """Return what arrives of an answer if a fault strikes after execution."""
    for fault in struck:
        match fault.kind:
            case "error-after":
                refusal = Refusal("INTERNAL_SERVER_ERROR", "Internal server error", 500)
                return PortalResponse(status=500, body=encode(refusal.envelope()), duration_s=response.duration_s)
            case "cut-after":
                return PortalResponse(status=0, cut=True, duration_s=response.duration_s)
            case "half":
                body = response.body[: len(response.body) // 2]
                return PortalResponse(status=response.status, body=body, duration_s=response.duration_s)
            case "hang":
                return PortalResponse(status=504, content_type=_HTML, duration_s=response.duration_s + fault.seconds)
    return response
