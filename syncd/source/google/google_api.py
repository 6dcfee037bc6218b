"""The requests of Google's API: pages of events, and what its refusals mean.

the answer                                          what becomes of it
200                                                 a page; the last one has a token for the next reading
401                                                 once with a new token
403 rateLimitExceeded, userRateLimitExceeded, 429   again after a pause that doubles
403 for the day, or the API is off                  nothing more is asked in this reading
404, other 403                                      this calendar cannot be read
410, 400 with a token                               the calendar is read whole
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from syncd.clock import Clock
from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.model.encoding import decoded
from syncd.source.google.credentials import CALENDAR_SCOPE, DIRECTORY_SCOPE, LoginError, Tokens
from syncd.source.google.event_item import Alarm
from syncd.source.web.error import WebError
from syncd.source.web.web_client import WebAnswer, WebClient, refusal

API = "https://www.googleapis.com/calendar/v3"
_DIRECTORY = "https://admin.googleapis.com/admin/directory/v1"
_PAGE, _USERS_A_PAGE, _MOST_PAGES = "2500", "500", 10_000
_THROTTLED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
_USED_UP = frozenset({"quotaExceeded", "dailyLimitExceeded", "dailyLimitExceededUnreg", "billingNotEnabled"})
_SWITCHED_OFF = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_NO_SCOPE = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})
_TRIES, _WAIT_S, _LONGEST_WAIT_S = 5, 1.0, 60.0
_MOST_SILENT = 4
"""After so many requests in a row without an answer the server is taken to be out of reach."""


Shape = TypeVar("Shape")


class GoneError(WebError):
    """The server does not know a token any more, so that everything has to be read again."""


class StopError(WebError):
    """A refusal that holds for every calendar, so that asking for the next one is useless."""


class NoCalendarError(WebError):
    """Somebody has no Google Calendar at all."""


class Page(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of events, each as its bytes, and what it says of the calendar."""

    items: tuple[msgspec.Raw, ...] = ()
    next_page_token: str = ""
    next_sync_token: str = ""
    time_zone: str = ""
    summary: str = ""
    access_role: str = ""
    default_reminders: tuple[Alarm, ...] = ()


class _User(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    primary_email: str
    suspended: bool = False
    archived: bool = False


class _Users(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    users: tuple[_User, ...] = ()
    next_page_token: str = ""


class _CalendarId(msgspec.Struct, frozen=True, kw_only=True):
    id: str


class _Reason(msgspec.Struct, frozen=True, kw_only=True):
    reason: str = ""


class _Error(msgspec.Struct, frozen=True, kw_only=True):
    message: str = ""
    errors: tuple[_Reason, ...] = ()
    details: tuple[_Reason, ...] = ()


class _Refusal(msgspec.Struct, frozen=True, kw_only=True):
    error: _Error


@dataclass(slots=True, kw_only=True)
class GoogleApi:
    """The API for the time of one reading, at `url`; tokens and people stand at other servers, with their own clients.

    After a refusal that holds for every calendar nothing is asked any more: `stopped` is that refusal. `requests` is
    the number of those to the API, `silent` how many in a row got no answer.
    """

    url: str
    client: WebClient
    directory_client: WebClient
    token_client: WebClient
    tokens: Tokens
    clock: Clock
    stopped: StopError | None = None
    silent: int = 0
    requests: int = 0

    async def page(self, calendar: str, subject: str, *, token: str = "", page: str = "") -> Page:
        """Return a page of what a calendar holds, of what has changed since `token` if there is one.

        Raises GoneError if the token, or that of the page, is not known any more, StopError for what concerns every
        calendar, and SourceError for what concerns this one.
        """
        # The same in every request, as a token stands for a list that was asked for in the same way. Deleted events and
        # cancelled occurrences are wanted. Kinds are told apart later, so that another config needs no new list.
        asked = {"maxResults": _PAGE, "showDeleted": "true", "singleEvents": "false"}
        asked |= {name: value for name, value in (("syncToken", token), ("pageToken", page)) if value}
        answer = await self._get(f"{self.url}/calendars/{quote(calendar, safe='')}/events?{urlencode(asked)}", subject)
        if answer.status == 410 or (answer.status == 400 and (token or page)):
            raise GoneError(
                say("{calendar}: Google does not know the token of the last reading any more", calendar=calendar),
                status=410,
            )
        if answer.status != 200:
            raise self._refused(answer, say("calendar {calendar}", calendar=calendar), subject)
        return _decoded(answer, Page, say("calendar {calendar}", calendar=calendar))

    async def primary(self, subject: str) -> str:
        """Return the address of somebody's own calendar; raises SourceError."""
        answer = await self._get(f"{self.url}/calendars/primary", subject)
        if answer.status != 200:
            raise self._refused(answer, say("calendar {calendar}", calendar="primary"), subject)
        return _decoded(answer, _CalendarId, say("calendar {calendar}", calendar="primary")).id

    async def people(self, domain: str, admin: str) -> tuple[str, ...]:
        """Return the addresses of a domain's active users; raises SourceError, also for a list that is cut short."""
        found: list[str] = []
        page = ""
        for _ in range(_MOST_PAGES):
            asked = {"domain": domain, "maxResults": _USERS_A_PAGE, **({"pageToken": page} if page else {})}
            answer = await self._get(f"{directory_of(self.url)}/users?{urlencode(asked)}", admin, DIRECTORY_SCOPE)
            if answer.status != 200:
                raise self._refused(answer, say("the people of {domain}", domain=domain), admin, _NO_ADMIN)
            users = _decoded(answer, _Users, say("the people of {domain}", domain=domain))
            found += [one.primary_email.lower() for one in users.users if not (one.suspended or one.archived)]
            if not users.next_page_token:
                break
            page = users.next_page_token
        else:
            raise SourceError(
                say("the list of the people of {domain} has no end", domain=domain), say("name them in a CSV file")
            )
        # An empty list would take everybody's events off the portal.
        if not found:
            raise SourceError(
                say("@{domain} has nobody who is active", domain=domain), say("check the domain in calendars")
            )
        return tuple(dict.fromkeys(found))

    async def _get(self, url: str, subject: str, scope: str = CALENDAR_SCOPE) -> WebAnswer:
        """Return an answer that is no throttling and, if a new token helps, no 401."""
        renewed = False
        wait_s = _WAIT_S
        for attempt in range(1, _TRIES + 1):
            if self.stopped is not None:
                raise self.stopped
            token, answer = await self._answered(url, subject, scope)
            if answer.status == 401 and not renewed:
                self.tokens.forget(subject, scope, token)
                renewed = True
            elif answer.status != 403 or attempt == _TRIES or not _THROTTLED & _reasons(answer)[0]:
                return answer
            else:
                asked_s = refusal(answer, "").wait_s
                if asked_s > _LONGEST_WAIT_S:
                    return answer
                await self.clock.sleep(max(asked_s, wait_s))
                wait_s *= 2
        return answer

    async def _answered(self, url: str, subject: str, scope: str) -> tuple[str, WebAnswer]:
        """Return a token and what is answered to a request with it; raises WebError if nothing is."""
        try:
            token = await self.tokens.token(self.token_client, subject, scope)
            self.requests += 1
            client = self.client if scope == CALENDAR_SCOPE else self.directory_client
            answer = await client.ask("GET", url, secrets={"Authorization": f"Bearer {token}"})
        except LoginError as error:
            if error.for_all:
                self.stopped = StopError(error.message, error.remedy)
            raise
        except WebError as error:
            self._note(error)
            raise
        self.silent = 0
        return token, answer

    def _note(self, error: WebError) -> None:
        """Decide whether to go on after a request without an answer; the client has waited and tried again already."""
        self.silent += error.transient
        if error.status == 429:
            self.stopped = StopError(*_BE_QUIET, status=429)
        elif self.silent >= _MOST_SILENT:
            # Each calendar would wait as long for the same server.
            self.stopped = StopError(error.message, error.remedy, status=error.status)

    def _refused(self, answer: WebAnswer, name: str, subject: str, remedy: str = "") -> SourceError:
        """Return what a refusal means; one that holds for all calendars ends the reading."""
        reasons, said = _reasons(answer)
        reader = subject or self.tokens.reader or say("the account that has agreed")
        for known, *said_of_all in _FOR_ALL:
            if known & reasons:
                self.stopped = StopError(*said_of_all, status=answer.status)
                return self.stopped
        if "notACalendarUser" in reasons:
            return NoCalendarError(
                say("{name}: that account has no Google Calendar", name=name), say("leave it out"), status=answer.status
            )
        if answer.status in (403, 404):
            why = ", ".join((str(answer.status), *sorted(reasons)))
            return WebError(
                say(
                    "there is no such calendar, or {reader} may not read {name} ({why})",
                    reader=reader,
                    name=name,
                    why=why,
                )
                if answer.status == 404
                else say("{reader} may not read {name} ({why})", reader=reader, name=name, why=why),
                remedy or say("share it with {reader}, or check its name", reader=reader),
                status=answer.status,
            )
        if answer.status == 401:
            text = say("Google does not accept the token of {reader} (401)", reader=reader)
            return WebError(
                text, say("see that the account is active, and that this machine's clock is right"), status=401
            )
        error = refusal(answer, say("Google, asked for {name},", name=name))
        message = say("{message}: {said}", message=error.message, said=said[:200]) if said else error.message
        return WebError(message, error.remedy, status=answer.status)


_NO_ADMIN = say(
    "admin in [sync.source] has to be an administrator who may list users, or name the calendars in a CSV file"
)
_BE_QUIET = (
    say("Google asks to be left alone for a while (rateLimitExceeded)"),
    say(
        "calendars that were not read follow in the next pass; let the sync run less often (every), or raise the quota"
    ),
)
_FOR_ALL: tuple[tuple[frozenset[str], str, str], ...] = (
    (_THROTTLED, *_BE_QUIET),
    (
        _USED_UP,
        say("the quota of the Google project is used up (403)"),
        say("wait until tomorrow, let the sync run less often (every), or raise the quota: APIs & Services, Quotas"),
    ),
    (
        _SWITCHED_OFF,
        say("the Google Calendar API is not switched on in the project (403)"),
        say("switch it on: APIs & Services, Library (for a domain also the Admin SDK)"),
    ),
    (
        _NO_SCOPE,
        say("the token may not read calendars (403, scope missing)"),
        say("syncd source authorize, or add calendar.readonly to the delegation of the service account"),
    ),
)


def _reasons(answer: WebAnswer) -> tuple[frozenset[str], str]:
    """Return the reasons of a refusal, and what it says."""
    try:
        error = decoded(answer.body, type=_Refusal).error
    except msgspec.DecodeError:
        return frozenset(), ""
    return frozenset(filter(None, (one.reason for one in (*error.errors, *error.details)))), error.message


def _decoded(answer: WebAnswer, kind: type[Shape], name: str) -> Shape:
    try:
        return decoded(answer.body, type=kind)
    except msgspec.DecodeError as error:
        text = say(
            "{name}: the answer was cut short, or is not what Google's API gives ({error})", name=name, error=str(error)
        )
        raise WebError(text, say("it may work again by itself; check url if one is given"), transient=True) from None


def directory_of(url: str) -> str:
    """Return where people are listed: elsewhere at Google, beside the calendars at what stands in for it."""
    if urlsplit(url).hostname == urlsplit(API).hostname:
        return _DIRECTORY
    return url.removesuffix("/calendar/v3") + "/admin/directory/v1"
