"""The endpoints of a small Microsoft 365 on loopback, over https: Entra ID, Graph's calendars, users and rooms."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from aiohttp import web

from tests.source.graph.graph_world import Box, Event, Json, Tenant
from tests.source.web.authority import Authority

SECRET = "cl1ent-s3cret"
TENANT = "example.com"
CLIENT = "00000000-1111-2222-3333-444444444444"


class RefusedError(Exception):
    """An answer of Graph that is an error."""

    def __init__(self, status: int, code: str, message: str = "", **headers: str) -> None:
        super().__init__(code)
        self.status, self.code, self.headers = status, code, headers
        self.message = message or code


@dataclass(slots=True)
class GraphSite:
    """The server: its address, what it was asked, and how Entra ID answers.

    `refusal` is what Entra ID says in place of a token: its code and sentence. With `down` it fails instead. `refresh`
    is the token that counts.
    """

    tenant: Tenant = field(default_factory=Tenant)
    url: str = ""
    ca_file: str = ""
    asked: list[str] = field(default_factory=list)
    prefers: list[str] = field(default_factory=list)
    logins: list[dict[str, str]] = field(default_factory=list)
    refusal: tuple[str, str] | None = None
    down: bool = False
    refresh: str = "r3fresh-0"
    pending: int = 1
    tokens: set[str] = field(default_factory=set)
    issued: int = 0

    @property
    def listed(self) -> list[str]:
        """The requests for views of calendars, in short: "full" or "delta", and "page"."""
        return [_kind(one) for one in self.asked if "/delta" in one]

    def options(self, **more: object) -> dict[str, object]:
        """Return the keys of a source that reads this server as an application."""
        keys = {
            "type": "graph", "tenant": TENANT, "client_id": CLIENT, "client_secret": SECRET,
            "url": f"{self.url}/v1.0", "authority": self.url, "ca_file": self.ca_file, "calendars": ["ann@example.com"],
        }  # fmt: skip
        return keys | more

    async def handle(self, request: web.Request) -> web.StreamResponse:
        date_header = {"Date": formatdate(time.time() + self.tenant.traps.skew_s, usegmt=True)}
        try:
            found = await self._answer(request)
        except RefusedError as refused:
            body = {"error": {"code": refused.code, "message": refused.message, "innerError": {"request-id": "1"}}}
            return web.json_response(body, status=refused.status, headers={**date_header, **refused.headers})
        if isinstance(found, web.StreamResponse):
            return found
        text = json.dumps(found)
        if "/delta" in request.path and self.tenant.traps.cut_pages:
            self.tenant.traps.cut_pages -= 1
            text = text[: len(text) * 2 // 3]
        return web.Response(text=text, content_type="application/json", headers=date_header)

    async def _answer(self, request: web.Request) -> Json | web.StreamResponse:
        if "/oauth2/" in request.path or ".well-known" in request.path:
            return await self._entra(request)
        self.asked.append(f"{request.method} {request.path_qs}")
        self.prefers.append(request.headers.get("Prefer", ""))
        self._admit(request)
        if request.path == "/v1.0/$batch":
            if self.tenant.traps.no_batch:
                raise RefusedError(405, "UnsupportedMethod")
            return await self._batch(request)
        return self._graph(request.path_qs)

    def _admit(self, request: web.Request) -> None:
        traps = self.tenant.traps
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens or traps.tokens_die:
            traps.tokens_die = max(0, traps.tokens_die - 1)
            raise RefusedError(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
        for name, status, code in (
            ("throttled", 429, "ApplicationThrottled"), ("unavailable", 503, "serviceNotAvailable")
        ):  # fmt: skip
            if getattr(traps, name):
                setattr(traps, name, getattr(traps, name) - 1)
                raise RefusedError(status, code, "Application is over its limit.", **{"Retry-After": traps.retry_after})

    async def _batch(self, request: web.Request) -> Json:
        answers = []
        for one in (await request.json())["requests"]:
            try:
                answers.append(
                    {"id": one["id"], "status": 200, "headers": {}, "body": self._graph("/v1.0" + one["url"])}
                )
            except RefusedError as refused:
                body = {"error": {"code": refused.code, "message": refused.message}}
                answers.append({"id": one["id"], "status": refused.status, "headers": {}, "body": body})
        return {"responses": list(reversed(answers))}  # in any order, as the documentation says

    def _graph(self, path_qs: str) -> Json:
        path, query = urlsplit(path_qs).path, {k: v[0] for k, v in parse_qs(urlsplit(path_qs).query).items()}
        if path == "/v1.0/users":
            ending = re.search(r"endsWith\(mail,'(@[^']+)'\)", query["$filter"])
            assert ending is not None
            return {"value": [{"mail": one} for one in self.tenant.boxes if one.endswith(ending[1])]}
        if path == "/v1.0/places/microsoft.graph.room":
            return {"value": [{"emailAddress": one, "displayName": one} for one in self.tenant.rooms]}
        found = re.fullmatch(r"/v1\.0/(?:me|users/([^/]+))(?:/calendars/([^/]+))?(/.*)?", path)
        if found is None:
            raise RefusedError(400, "BadRequest", f"Resource not found for the segment {path!r}.")
        mailbox = unquote(found[1] or "me")
        self._check(mailbox)
        boxes = self.tenant.boxes[mailbox]
        box = boxes.get(unquote(found[2] or ""))
        rest = found[3] or ""
        if found[2] is None and rest == "/calendars":
            return {"value": [{"id": key or "own", "name": box.name} for key, box in boxes.items()]}
        if found[2] == "own":
            box = boxes[""]
        if box is None:
            raise RefusedError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        if rest == "/calendarView/delta":
            return self._delta(box, path, query)
        return self._event(list(boxes.values()), path.removesuffix(rest), rest, query)

    def _check(self, mailbox: str) -> None:
        traps = self.tenant.traps
        if mailbox in traps.forbidden:
            raise RefusedError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        if mailbox in traps.not_here:
            text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
            raise RefusedError(404, "MailboxNotEnabledForRESTAPI", text)
        if mailbox not in self.tenant.boxes:
            raise RefusedError(404, "ErrorInvalidUser", f"The requested user '{mailbox}' is invalid.")

    def _delta(self, box: Box, path: str, query: dict[str, str]) -> Json:
        traps = self.tenant.traps
        if "$deltatoken" in query or "$skiptoken" in query:
            token = json.loads(base64.urlsafe_b64decode(query.get("$deltatoken") or query["$skiptoken"]))
            trap = "gone_in_pages" if "$skiptoken" in query else "gone"
            if getattr(traps, trap):
                setattr(traps, trap, getattr(traps, trap) - 1)
                raise RefusedError(410, "SyncStateNotFound", "The sync state generation is not found; generation=149.")
        else:
            token = {"start": query["startDateTime"], "end": query["endDateTime"], "since": 0, "at": 0}
            token["until"] = self.tenant.generation
        first, end = (datetime.fromisoformat(token[name].removesuffix("Z")[:19]) for name in ("start", "end"))
        if (end - first).days > 1825:
            raise RefusedError(
                400, "ErrorInvalidRequest", "Your request can't be completed. Maximum number of days: 1825"
            )
        rows = list(self._rows(box, token["since"], first, end))
        page = rows[token["at"] : token["at"] + traps.page_size]
        answer: Json = {"@odata.context": f"{self.url}/v1.0/$metadata#Collection(event)", "value": page}
        if token["at"] + traps.page_size < len(rows):
            token["at"] += traps.page_size
            answer["@odata.nextLink"] = self._link(path, "$skiptoken", token)
        else:
            token |= {"since": self.tenant.generation, "at": 0}
            answer["@odata.deltaLink"] = self._link(path, "$deltatoken", token)
        if traps.no_links:
            traps.no_links -= 1
            return {"value": page}
        return answer

    def _link(self, path: str, name: str, token: Json) -> str:
        root = "https://graph.example.net" if self.tenant.traps.foreign_links else self.url
        return f"{root}{path}?{name}={base64.urlsafe_b64encode(json.dumps(token).encode()).decode()}"

    def _rows(self, box: Box, since: int, first: datetime, end: datetime) -> Any:
        """Yield what has changed since a generation: a changed series whole, without its cancelled occurrences."""
        for identity, generation in box.deleted.items():
            if since and generation > since and identity not in box.events:
                yield {"id": identity, "@removed": {"reason": "deleted"}}
        for event in box.events.values():
            if event.changed <= since:
                continue
            if self.tenant.traps.names_removed:
                for day in sorted(event.cancelled)[-1:]:
                    yield {"id": f"{event.body['id']}-{day:%Y%m%d}", "@removed": {"reason": "deleted"}}
            rows = list(self._listed(event, first, end))
            if not rows:
                if since:  # what is outside of the range and was changed comes as removed
                    yield {"id": event.body["id"], "@removed": {"reason": "deleted"}}
                continue
            yield from rows * (2 if self.tenant.traps.repeats else 1)

    def _listed(self, event: Event, first: datetime, end: datetime) -> Any:
        traps = self.tenant.traps
        if not event.is_series:
            if _touches(event.body, first, end):
                yield event.body
            return
        rows = list(self.tenant.occurrences(event, first, end))
        if rows and not traps.no_masters:
            yield event.body
        for row in rows:
            day = date.fromisoformat(f"{row['id'][-8:-4]}-{row['id'][-4:-2]}-{row['id'][-2:]}")
            if row["type"] == "exception" or (event.body["id"], day) not in traps.skipped:
                yield row

    def _event(self, boxes: list[Box], place: str, rest: str, query: dict[str, str]) -> Json:
        found = re.fullmatch(r"/events/([^/]+)(/instances|/exceptionOccurrences)?", rest)
        assert found is not None, rest
        event = next((box.events[one] for box in boxes if (one := unquote(found[1])) in box.events), None)
        if event is None:
            raise RefusedError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        if found[2] == "/exceptionOccurrences":
            at = int(query["$skip"])
            named = self.tenant.exceptions(event)
            more = {"@odata.nextLink": f"{self.url}{place}{rest}?$skip={at + 1}"} if at + 1 < len(named) else {}
            return {"value": named[at : at + 1], **more}
        if found[2]:
            span = [
                datetime.fromisoformat(query[one].removesuffix("Z")[:19]) for one in ("startDateTime", "endDateTime")
            ]
            return {"value": list(self.tenant.occurrences(event, *span))}
        answer = dict(event.body)
        if "cancelledOccurrences" in query.get("$select", ""):
            if self.tenant.traps.refuses_select:
                raise RefusedError(
                    400, "RequestBroker--ParseUri", "Could not find a property named 'cancelledOccurrences'."
                )
            if not self.tenant.traps.no_cancelled:
                identity = event.body["id"]
                answer["cancelledOccurrences"] = [f"OID.{identity}.{day}" for day in sorted(event.cancelled)]
                answer["exceptionOccurrences"] = named = self.tenant.exceptions(event)
                if self.tenant.traps.exceptions_by_one and len(named) > 1:
                    link = f"{self.url}{place}{rest}/exceptionOccurrences?$skip=1"
                    answer |= {"exceptionOccurrences": named[:1], "exceptionOccurrences@odata.nextLink": link}
        return answer

    async def _entra(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("openid-configuration"):
            if not request.path.startswith(f"/{TENANT}/"):
                said = {"error": "invalid_tenant", "error_description": "AADSTS90002: Tenant not found."}
                return web.json_response(said, status=400)
            root = f"{self.url}/{TENANT}"
            return web.json_response({
                "issuer": f"{root}/v2.0", "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "token_endpoint": f"{root}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
            })  # fmt: skip
        form: dict[str, str] = {name: str(value) for name, value in (await request.post()).items()}
        if request.path.endswith("devicecode"):
            return web.json_response({
                "user_code": "AB12CD", "device_code": "d3vice", "verification_uri": "https://microsoft.com/devicelogin",
                "expires_in": 900, "interval": 1, "message": "open https://microsoft.com/devicelogin and enter AB12CD",
            })  # fmt: skip
        self.logins.append(form)
        if self.down:
            return web.json_response({"error": "temporarily_unavailable"}, status=503)
        wrong = self._wrong(form)
        if wrong is not None:
            sentence = f"{wrong[1]} Trace ID: 11 Correlation ID: 22 Timestamp: {datetime.now(UTC)}"
            return web.json_response({"error": wrong[0], "error_description": sentence}, status=400)
        return web.json_response(self._token(form))

    def _wrong(self, form: dict[str, str]) -> tuple[str, str] | None:
        if self.refusal is not None:
            return self.refusal
        grant = form.get("grant_type", "")
        if "device" in grant and self.pending:
            self.pending -= 1
            return "authorization_pending", "AADSTS70016: OAuth 2.0 device flow error. Authorization is pending."
        if grant == "refresh_token" and form.get("refresh_token") != self.refresh:
            return "invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity."
        if grant == "client_credentials" and "client_assertion" not in form and form.get("client_secret") != SECRET:
            return "invalid_client", "AADSTS7000215: Invalid client secret provided."
        return None

    def _token(self, form: dict[str, str]) -> Json:
        self.issued += 1
        token = f"t0ken-{self.issued}"
        self.tokens.add(token)
        answer: Json = {"token_type": "Bearer", "expires_in": 3599, "access_token": token}
        if form.get("grant_type") == "client_credentials":
            return answer
        self.refresh = f"r3fresh-{self.issued}"
        claims: Json = {"preferred_username": "ann@example.com", "oid": "1", "tid": "2", "iss": f"{self.url}/2/v2.0"}
        claims |= {"aud": CLIENT, "exp": int(time.time()) + 3600, "iat": int(time.time()), "sub": "1"}
        parts = [_b64({"alg": "none"}), _b64(claims), "x"]
        return answer | {
            "refresh_token": self.refresh, "scope": form.get("scope", ""), "id_token": ".".join(parts),
            "client_info": _b64({"uid": "1", "utid": "2"}),
        }  # fmt: skip


def _touches(event: Json, first: datetime, end: datetime) -> bool:
    """Return True if an event is in a span; one with a time that is none is listed by its other end."""
    times = []
    for name in ("start", "end"):
        with suppress(ValueError):
            times.append(datetime.fromisoformat(event[name]["dateTime"][:19]))
    return bool(times) and min(times) < end and max(times) >= first


def _b64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _kind(asked: str) -> str:
    return "delta" if "deltatoken" in asked else "page" if "skiptoken" in asked else "full"


@asynccontextmanager
async def microsoft(folder: Path) -> AsyncIterator[GraphSite]:
    """Serve a tenant whose only mailbox is ann@example.com."""
    authority = Authority(folder, "entra")
    site = GraphSite(ca_file=authority.ca_file)
    site.tenant.box("ann@example.com")
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", site.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server("127.0.0.1"))
    await listener.start()
    site.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield site
    finally:
        await runner.cleanup()
