"""A server that answers as Google's Calendar API, its directory and its token endpoint do, with the traps as switches.

python -m tests.source.google.server --port 8800 --folder /tmp/google      writes key.json and client.json there
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.source.google.world import CalendarWorld, Item, as_json, error

ROBOT = "robot@project.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/"
_MAX_PAGE = 2500
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_NOT_WITH_TOKEN = (
    *("iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty"),
    *("timeMin", "timeMax", "updatedMin"),
)
_CHALLENGE = "S256"


@dataclass(slots=True)
class Switches:
    """What the server does otherwise than on a good day; counted ones are used up one by one."""

    page_size: int = _MAX_PAGE
    refuse: list[tuple[int, Item]] = field(default_factory=list)
    """Answers to the next requests for events."""
    retry_after: str = ""
    cut_bytes: int = 0
    """So many bytes of the next answer are sent."""
    no_token: bool = False
    """The last page has no nextSyncToken."""
    gone_at_page: int = 0
    """The page of that number (from 2) is gone, once."""
    hangs: str = ""
    """This calendar is never answered."""
    same_page: bool = False
    """A page leads to itself."""
    circle: bool = False
    """Two pages lead to each other."""
    expired: int = 0
    """So many access tokens are refused, as if they had ended early."""
    revoked: bool = False
    blocked: str = ""
    """Nobody gets a token, and this is why."""
    key_deleted: bool = False
    delegated: bool = True
    granted: str = f"{SCOPE}calendar.readonly"
    now: Callable[[], float] = lambda: 1_795_251_600.0


@dataclass(slots=True)
class FakeGoogle:
    """The server's world: calendars by id, people by domain, and what it was asked."""

    calendars: dict[str, CalendarWorld] = field(default_factory=dict)
    people: dict[str, list[Item]] = field(default_factory=dict)
    switches: Switches = field(default_factory=Switches)
    url: str = ""
    asked: list[str] = field(default_factory=list)
    token_requests: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    _tokens: dict[str, tuple[str, str]] = field(default_factory=dict)
    _codes: dict[str, str] = field(default_factory=dict)

    def calendar(self, name: str, **more: object) -> CalendarWorld:
        """Return a calendar, made when it is first asked for, that its owner owns and the robot may read."""
        if name not in self.calendars:
            made = CalendarWorld(name, **more)  # type: ignore[arg-type] # fields of the dataclass
            made.summary = made.summary or name
            made.roles = {name: "owner", ROBOT: "reader"}
            self.calendars[name] = made
        return self.calendars[name]

    @property
    def api(self) -> str:
        return f"{self.url}/calendar/v3"

    def key(self) -> str:
        """Return the JSON key of the service account."""
        pem = _KEY.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return json.dumps({
            "type": "service_account", "project_id": "project", "private_key_id": "k1", "private_key": pem.decode(),
            "client_email": ROBOT, "client_id": "1", "token_uri": f"{self.url}/token",
        })  # fmt: skip

    def client(self) -> str:
        """Return the JSON of an installed application's client."""
        return json.dumps({"installed": {
            "client_id": "app.apps.googleusercontent.com", "client_secret": "app-s3cret",
            "auth_uri": f"{self.url}/o/oauth2/v2/auth", "token_uri": f"{self.url}/token",
            "redirect_uris": ["http://localhost"],
        }})  # fmt: skip

    def token(self, person: str = "anna@example.com") -> str:
        """Return the JSON of a person who has agreed."""
        return json.dumps({
            "type": "authorized_user", "client_id": "app.apps.googleusercontent.com", "client_secret": "app-s3cret",
            "refresh_token": f"1//refresh-{person}", "token_uri": f"{self.url}/token",
        })  # fmt: skip

    async def give_token(self, request: web.Request) -> web.Response:
        self.token_requests += 1
        form = {name: str(value) for name, value in (await request.post()).items()}
        if self.switches.blocked:
            return _oauth_error("org_internal", self.switches.blocked, status=403)
        match form.get("grant_type"):
            case "urn:ietf:params:oauth:grant-type:jwt-bearer":
                return self._by_assertion(form["assertion"])
            case "refresh_token":
                return self._by_refresh(form)
            case "authorization_code":
                return self._by_code(form)
        return _oauth_error("unsupported_grant_type", "Invalid grant_type")

    def _by_assertion(self, assertion: str) -> web.Response:
        head, body, signature = assertion.split(".")
        claims = json.loads(_b64(body))
        try:
            _KEY.public_key().verify(_b64(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return _oauth_error("invalid_grant", "Invalid JWT Signature.")
        if self.switches.key_deleted or claims["iss"] != ROBOT:
            return _oauth_error("invalid_grant", "Invalid JWT Signature.")
        now = self.switches.now()
        if not (claims["iat"] - 300 <= now <= claims["exp"] and claims["exp"] - claims["iat"] <= 3600):
            said = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
            return _oauth_error("invalid_grant", said, {"Date": _http_date(now)})
        if claims["aud"] != f"{self.url}/token":
            return _oauth_error("invalid_grant", "Invalid JWT: Failed audience check.")
        subject = claims.get("sub", ROBOT)
        if subject != ROBOT and not self.switches.delegated:
            said = (
                "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any"
            )
            return _oauth_error("unauthorized_client", said, status=401)
        known = {*self.calendars, *(one["primaryEmail"] for users in self.people.values() for one in users)}
        if subject != ROBOT and (subject not in known or subject.endswith("calendar.google.com")):
            return _oauth_error("invalid_grant", "Invalid email or User ID")
        return self._granted(subject, claims["scope"])

    def _by_refresh(self, form: dict[str, str]) -> web.Response:
        if form.get("client_secret") != "app-s3cret":
            return _oauth_error("invalid_client", "The OAuth client was not found.", status=401)
        if self.switches.revoked or not form["refresh_token"].startswith("1//refresh-"):
            return _oauth_error("invalid_grant", "Token has been expired or revoked.")
        return self._granted(form["refresh_token"].removeprefix("1//refresh-"), self.switches.granted)

    def _by_code(self, form: dict[str, str]) -> web.Response:
        challenge = self._codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if challenge is None or challenge != base64.urlsafe_b64encode(verifier).rstrip(b"=").decode():
            return _oauth_error("invalid_grant", "Bad Request")
        return self._granted("anna@example.com", self.switches.granted, refresh="1//refresh-anna@example.com")

    def _granted(self, who: str, scope: str, refresh: str = "") -> web.Response:
        token = f"ya29.{len(self._tokens)}"
        self._tokens[token] = (who, scope)
        more = {"refresh_token": refresh} if refresh else {}
        said = {"access_token": token, "expires_in": 3599, "scope": scope, "token_type": "Bearer", **more}
        return web.json_response(said)

    async def consent(self, request: web.Request) -> web.Response:
        """Agree at once, as a person would on Google's page, and lead back to the application."""
        asked = request.query
        if asked.get("code_challenge_method") != _CHALLENGE or asked.get("access_type") != "offline":
            return web.Response(status=400, text="Error 400: invalid_request")
        code = f"4/code-{len(self._codes)}"
        self._codes[code] = asked["code_challenge"]
        back = urlencode({"state": asked["state"], "code": code, "scope": asked["scope"]})
        raise web.HTTPFound(f"{asked['redirect_uri']}?{back}")

    async def list_events(self, request: web.Request) -> web.Response:
        self.asked.append(str(request.rel_url))
        self.counts[request.match_info["calendar"]] += 1
        if request.match_info["calendar"] == self.switches.hangs:
            await asyncio.Event().wait()
        refused = self._who(request)
        if isinstance(refused, web.Response):
            return refused
        if self.switches.refuse:
            status, body = self.switches.refuse.pop(0)
            headers = {"Retry-After": self.switches.retry_after} if self.switches.retry_after else {}
            return web.Response(status=status, body=as_json(body), content_type="application/json", headers=headers)
        who, scope = refused
        if "calendar" not in scope:
            said = "Request had insufficient authentication scopes."
            return _refused(*error(403, "insufficientPermissions", said))
        calendar = self.calendars.get(request.match_info["calendar"])
        everybody = {one["primaryEmail"] for users in self.people.values() for one in users}
        if calendar is None and request.match_info["calendar"] in everybody:
            said = "The user must be signed up for Google Calendar."
            return _refused(*error(403, "notACalendarUser", said, "calendar"))
        role = calendar.roles.get(who) if calendar is not None else None
        if calendar is None or role is None:
            return _refused(*error(404, "notFound", "Not Found"))
        return self._page(calendar, role, request)

    def _page(self, calendar: CalendarWorld, role: str, request: web.Request) -> web.Response:
        query = request.query
        token, page = query.get("syncToken", ""), query.get("pageToken", "")
        if token and any(name in query for name in _NOT_WITH_TOKEN):
            return _refused(*error(400, "syncTokenWithRequestRestrictions", "The sync token cannot be used with these"))
        found = re.fullmatch(r"t(\d+)\.(\d+)", token) if token else None
        if token and (found is None or int(found[1]) != calendar.epoch):
            said = "Sync token is no longer valid, a full sync is required."
            return _refused(*error(410, "fullSyncRequired", said, "calendar"))
        ids = calendar.since(int(found[2])) if found else calendar.all(show_deleted=query.get("showDeleted") == "true")
        size = min(int(query.get("maxResults", "250")), self.switches.page_size)
        first = int(page.removeprefix("p")) if page else 0
        if self.switches.gone_at_page and first // max(size, 1) + 1 == self.switches.gone_at_page:
            self.switches.gone_at_page = 0
            return _refused(*error(410, "fullSyncRequired", "Sync token is no longer valid", "calendar"))
        answer: Item = {
            "kind": "calendar#events", "etag": '"x"', "summary": calendar.summary, "timeZone": calendar.zone,
            "accessRole": role, "updated": "2026-11-20T00:00:00.000Z",
            "defaultReminders": [{"method": "popup", "minutes": one} for one in calendar.reminders],
            "items": [calendar.shown(name, role) for name in ids[first : first + size]],
        }  # fmt: skip
        if self.switches.same_page:
            answer["nextPageToken"] = page or "p0"
        elif self.switches.circle:
            answer["nextPageToken"] = "p0" if page == "p1" else "p1"
        elif first + size < len(ids):
            answer["nextPageToken"] = f"p{first + size}"
        elif not self.switches.no_token:
            answer["nextSyncToken"] = f"t{calendar.epoch}.{len(calendar.log)}"
        body = as_json(answer)
        if self.switches.cut_bytes:
            body, self.switches.cut_bytes = body[: self.switches.cut_bytes], 0
        return web.Response(body=body, content_type="application/json")

    def _who(self, request: web.Request) -> tuple[str, str] | web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        known = self._tokens.get(token)
        if known is None or self.switches.expired:
            self.switches.expired = max(0, self.switches.expired - 1)
            self._tokens.pop(token, None)
            return _refused(*error(401, "authError", "Invalid Credentials"))
        return known

    async def own(self, request: web.Request) -> web.Response:
        who = self._who(request)
        if isinstance(who, web.Response):
            return who
        return web.json_response({"kind": "calendar#calendar", "id": who[0], "summary": who[0], "timeZone": "UTC"})

    async def users(self, request: web.Request) -> web.Response:
        self.asked.append(str(request.rel_url))
        who = self._who(request)
        if isinstance(who, web.Response):
            return who
        if "admin.directory.user" not in who[1] or not who[0].startswith("admin@"):
            return _refused(*error(403, "forbidden", "Not Authorized to access this resource/api"))
        people = self.people.get(request.query["domain"], [])
        first = int(request.query.get("pageToken", "0"))
        answer: Item = {"kind": "admin#directory#users", "users": people[first : first + 2]}
        if first + 2 < len(people):
            answer["nextPageToken"] = str(first + 2)
        return web.json_response(answer)


def _refused(status: int, body: Item) -> web.Response:
    return web.Response(status=status, body=as_json(body), content_type="application/json")


def _oauth_error(code: str, said: str, headers: dict[str, str] | None = None, *, status: int = 400) -> web.Response:
    return web.json_response({"error": code, "error_description": said}, status=status, headers=headers)


def _b64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _http_date(seconds: float) -> str:
    from email.utils import formatdate  # noqa: PLC0415 - used here only

    return formatdate(seconds, usegmt=True)


@asynccontextmanager
async def serving(google: FakeGoogle, port: int = 0) -> AsyncIterator[FakeGoogle]:
    """Serve a world on loopback."""
    app = web.Application()
    app.router.add_post("/token", google.give_token)
    app.router.add_get("/o/oauth2/v2/auth", google.consent)
    app.router.add_get("/calendar/v3/calendars/primary", google.own)
    app.router.add_get("/calendar/v3/calendars/{calendar}/events", google.list_events)
    app.router.add_get("/admin/directory/v1/users", google.users)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    google.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield google
    finally:
        await runner.cleanup()


def sample() -> FakeGoogle:
    """Return two people with a series, a changed and a cancelled occurrence, a whole day and a private meeting."""
    google = FakeGoogle()
    anna = google.calendar("anna@example.com")
    anna.event("standup", "2026-11-30T09:00", "2026-11-30T09:15", recurrence=["RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR"])
    anna.cancel("standup", anna.at("2026-12-04T09:00"))
    anna.occurrence("standup", anna.at("2026-12-02T09:00"), summary="Standup, later",
                    start=anna.at("2026-12-02T11:00"), end=anna.at("2026-12-02T11:15"))  # fmt: skip
    anna.event("holiday", "2026-12-10", "2026-12-12")
    boris = google.calendar("boris@example.com")
    boris.event("talk", "2026-12-03T14:00", "2026-12-03T15:00", visibility="private")
    declined = [{"email": "boris@example.com", "self": True, "responseStatus": "declined"}]
    boris.event("party", "2026-12-05T18:00", "2026-12-05T20:00", attendees=declined)
    return google


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8800)
    parser.add_argument("--folder", type=Path, default=Path())
    arguments = parser.parse_args()
    google = sample()
    import time  # noqa: PLC0415 - only a server for people has the time of day

    google.switches.now = time.time
    async with serving(google, arguments.port):
        for name, text in (("key.json", google.key()), ("client.json", google.client())):
            (arguments.folder / name).write_text(text)
        print(f'url = "{google.api}"', flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
