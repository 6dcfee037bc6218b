"""What Microsoft Graph means by an answer that is no success, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

from syncd.lang.saying import say
from syncd.model.encoding import decoded
from syncd.source.web.error import WebError
from syncd.source.web.web_client import WebAnswer, refusal

_SKEW_S = 240
"""A token is not valid before it is made; servers allow for five minutes."""
_MOST_SHOWN = 200
_STALE = frozenset({
    "syncstatenotfound", "syncstateinvalid", "resyncrequired", "resyncchangesapplydifferences",
    "resyncchangesuploaddifferences", "errorinvalidsyncstatedata", "errorsyncstatenotfound",
})  # fmt: skip
"""Codes that say of a link that it does not hold any more, whatever their status."""
_NO_MAILBOX = frozenset({"mailboxnotenabledforrestapi", "mailboxnotsupportedforrestapi"})
_GRANT = say(
    "grant the application Calendars.Read with an administrator's consent, and let its scope"
    " (RBAC for Applications, application access policy) hold this mailbox"
)


_PERMISSIONS = {"the people": "User.Read.All", "the rooms": "Place.Read.All"}


class GoneError(WebError):
    """A link to changes that does not hold any more: everything has to be listed again."""


class NoMailboxError(WebError):
    """Somebody who has no mailbox in Microsoft 365."""


class _Fault(msgspec.Struct, frozen=True, kw_only=True):
    code: str = ""
    message: str = ""


class _Body(msgspec.Struct, frozen=True, kw_only=True):
    error: _Fault = _Fault()


def graph_refusal(answer: WebAnswer, mailbox: str, now: float) -> WebError:
    """Return the error that stands for an answer; `mailbox` names what was asked for, `now` is this machine's time."""
    fault = _fault(answer.body)
    code = fault.code.lower()
    said = " ".join(fault.message.split())[:_MOST_SHOWN]
    if answer.status == 410 or code in _STALE:
        return GoneError(
            say("{name}: Graph does not know the state of the last reading any more", name=mailbox), status=410
        )
    text, remedy = _meaning(answer.status, code, said, mailbox)
    if answer.status == 401 and (off := _skew_s(answer.headers, now)) is not None:
        remedy = (
            say("this machine's clock is {minutes:.0f} minutes ahead: set it", minutes=off / 60)
            if off > 0
            else say("this machine's clock is {minutes:.0f} minutes behind: set it", minutes=-off / 60)
        )
    if not text:
        return refusal(answer, mailbox)
    kind = NoMailboxError if answer.status == 404 and code in _NO_MAILBOX else WebError
    return kind(say("{name}: {reason}", name=mailbox, reason=text), remedy, status=answer.status)


def _meaning(status: int, code: str, said: str, mailbox: str) -> tuple[str, str]:
    """Return what an answer means, and the remedy; "" where it is no other than any server's."""
    text, remedy, why = "", "", said or code
    match status:
        case 401:
            text = say("Graph refuses the login (401): {why}", why=why)
            remedy = say("check url, tenant and client_id")
        case 403 if (permission := _PERMISSIONS.get(mailbox.partition(" of ")[0])) is not None:
            text = say("they may not be listed: {why}", why=why)
            remedy = say("grant the application {permission}", permission=permission)
        case 403 if "quota" in code:
            text = say("a quota is exhausted: {why}", why=why)
            remedy = say("it may work again by itself; let the sync run less often")
        case 403:
            text, remedy = say("the application may not read this calendar: {why}", why=why), _GRANT
        case 404 if code in _NO_MAILBOX:
            text = say("it has no mailbox in Microsoft 365")
            remedy = say(
                "it needs a licence of Exchange Online; a mailbox on premises is read through DavMail (README)"
            )
        case 404:
            text = say("there is no such mailbox or calendar: {why}", why=why)
            remedy = say("check its address in calendars")
        case 400:
            text = say("Graph does not take the request: {why}", why=why)
            remedy = say("check url and calendars")
    return text, remedy


def _fault(body: bytes) -> _Fault:
    try:
        return decoded(body, type=_Body).error
    except msgspec.DecodeError:
        return _Fault()


def _skew_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return how far this machine's clock is ahead of the server's, None if it is right or not known."""
    try:
        off = now - parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, TypeError):
        return None
    return off if abs(off) > _SKEW_S else None
