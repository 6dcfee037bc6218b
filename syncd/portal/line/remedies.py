"""What the portal's refusals mean to its administrator: by code, or by the text where there is no code.

The errors that say so are made here as well. Advice for people only; nothing is ever decided by it. Texts are those of
the documentation in English and Russian, whose wording drifts (PORTAL.md 4, 6.1), so parts of them are looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from syncd.errors import PortalRefusedError, PortalUnreachableError, SyncdError
from syncd.lang.saying import Saying, say
from syncd.portal.line.wire import Done, Refused, Reply, Unknown

_NEW_WEBHOOK = say("create a new inbound webhook in the portal and put its address into the config")
_GONE = say(
    "the webhook was removed, mistyped or has expired, its code was made again because an administrator edited it, or"
    " the vendor has blocked it because its code was found in public: create a new inbound webhook in the portal and"
    " put its address into the config"
)
_PLAN = say(
    "REST needs a commercial plan and, where the vendor sells it apart, the Market subscription or its trial: in the"
    " portal, My plan > Market"
)
_SCOPES = say(
    "give the webhook, or the application, the scopes calendar, user_basic, sonet_group and, for activities, crm"
)
_REPORT = say("syncd and this portal disagree about the call: please report it with the portal's version")
_MAY_NOT_WRITE = say(
    "syncd's user may not write to this calendar: let syncd work as an administrator, or have the right to edit"
    " granted in the calendar's settings"
)
_CARD = say("syncd's user may not change this card: give them the right in the CRM")
_MAIL = say("this concerns e-mail activities, which syncd does not write: has TYPE_ID been set to 4 for them?")

_BY_CODE: Mapping[str, str] = {
    "INVALID_CREDENTIALS": _GONE,
    "NO_AUTH_FOUND": _GONE,
    "INVALID_TOKEN": _NEW_WEBHOOK,
    "EXPIRED_TOKEN": _NEW_WEBHOOK,
    "INSUFFICIENT_SCOPE": _SCOPES,
    "USER_ACCESS_ERROR": say("ask the portal's administrator to let syncd's user use the application"),
    "AUTHORIZATION_ERROR": say("syncd's user is dismissed: create a webhook of an active user"),
    "ACCESS_DENIED": _PLAN,
    "WRONG_LICENSE": say("the portal's licence does not allow this"),
    "ALLOWED_ONLY_INTRANET_USER": say("syncd's user is an extranet user: let syncd work as an employee"),
    "OVERLOAD_LIMIT": say("the vendor has blocked the REST API of this portal by hand: contact its support"),
    "QUERY_LIMIT_EXCEEDED": say(
        "another program that calls this portal from the same address takes all requests: find and"
        " slow it down, or set a lower rate in [portals.X.limits] and leave it some"
    ),
    "OPERATION_TIME_LIMIT": say("do other programs use up the portal's operating time? see `syncd portal limits`"),
    "PORTAL_DELETED": say(
        "the public part of the portal is closed for maintenance (main module, temporary closure of the"
        " public part), or the portal does not exist any more"
    ),
    "INVALID_REQUEST": say("use https:// in the webhook's address"),
    "ERROR_METHOD_NOT_FOUND": say("is the address that of a portal's webhook, and is the portal recent enough?"),
    "ERROR_MANIFEST_IS_NOT_AVAILABLE": say(
        "REST is not set up on this portal: has the rest module been installed, and /marketplace/ been made?"
    ),
    "ERROR_BATCH_METHOD_NOT_ALLOWED": _REPORT,
    "ERROR_BATCH_LENGTH_EXCEEDED": say("set a lower batch_size in [portals.X.limits]"),
    "BITRIX_REST_V3_EXCEPTION_ACCESSDENIEDEXCEPTION": say("syncd's user has no right to this"),
    "BITRIX_REST_V3_EXCEPTION_INSUFFICIENTSCOPEEXCEPTION": _SCOPES,
}


def _unknown_tokens(portal: str) -> str:
    return say(
        "the portal knows these tokens no more; was the application deleted? run `syncd portal authorize {portal}`",
        portal=portal,
    )


def _more_scopes(portal: str) -> str:
    return say(
        "tick calendar, user_basic, sonet_group and, for activities, crm in the application's settings in the portal,"
        " then run `syncd portal authorize {portal}`",
        portal=portal,
    )


_OF_APPLICATION: Mapping[str, Callable[[str], str]] = {
    "INVALID_CREDENTIALS": lambda portal: say(
        "the portal takes these tokens no more: run `syncd portal authorize {portal}`", portal=portal
    ),
    "INVALID_REQUEST": lambda _portal: say("use https:// in the application's address"),
    "ERROR_METHOD_NOT_FOUND": lambda _portal: say("is the address that of a portal, and is the portal recent enough?"),
    "BITRIX_REST_V3_EXCEPTION_INSUFFICIENTSCOPEEXCEPTION": _more_scopes,
    "NOT_AUTHORISED": lambda portal: say("run `syncd portal authorize {portal}`", portal=portal),
    "TOKENS_UNREADABLE": lambda portal: say(
        "give the token_key that they were kept with, or run `syncd portal authorize {portal}`", portal=portal
    ),
    "INVALID_GRANT": lambda portal: say(
        "the tokens are used up, revoked or older than 180 days: run `syncd portal authorize {portal}`", portal=portal
    ),
    "INVALID_CLIENT": lambda portal: say(
        "the portal knows no application with this client_id and client_secret: copy both again from its settings in"
        " the portal, then run `syncd portal authorize {portal}`",
        portal=portal,
    ),
    "APPLICATION_NOT_FOUND": lambda portal: say(
        "the application was deleted in the portal: make it again, then run `syncd portal authorize {portal}`",
        portal=portal,
    ),
    "ANOTHER_PORTAL": lambda portal: say(
        "a new portal under the same address? `syncd portal authorize {portal} --force`", portal=portal
    ),
    "PAYMENT_REQUIRED": lambda portal: say(
        "the portal's plan, or its Market subscription, has run out: it goes on by itself once that is renewed; if not,"
        " run `syncd portal authorize {portal}`",
        portal=portal,
    ),
    "NO_AUTH_FOUND": _unknown_tokens,
    "INVALID_TOKEN": _unknown_tokens,
    "EXPIRED_TOKEN": lambda portal: say(
        "the portal takes the new token for expired too: run `syncd portal authorize {portal}`", portal=portal
    ),
    "INSUFFICIENT_SCOPE": _more_scopes,
    "USER_ACCESS_ERROR": lambda _portal: say(
        "let the user who authorised it use the application, in its settings in the portal"
    ),
    "AUTHORIZATION_ERROR": lambda portal: say(
        "who authorised the application is dismissed: let another administrator run `syncd portal authorize {portal}`",
        portal=portal,
    ),
}


#: Parts of the texts of calendar methods, lower-case, English and Russian, with what to do. The first that fits counts.
_CALENDAR: tuple[tuple[tuple[str, ...], str], ...] = (
    (("required parameter", "обязательный параметр"), _REPORT),
    (
        ('"crm_fields"',),
        say("one of the CRM elements it is linked to does not exist: see crm in [sync.fields] and the entry's contact"),
    ),
    (('"name"',), say("the portal does not take this title: change it in the source")),
    (('"description"',), say("the portal does not take this description: change it in the source")),
    (("invalid value", "недопустимое значение"), _REPORT),
    (("access denied", "доступ запрещен"), _MAY_NOT_WRITE),
    (
        ("calendar section", "секции календаря", "cal_rest_section_error"),
        say("the section was deleted or is hidden from syncd's user; the next pass looks for it again, by its name"),
    ),
    (("editing type", "тип редактирования"), _REPORT),
    (("must be an array", "должен быть массивом"), _REPORT),
    (
        ("while creating the section", "создании секции"),
        say(
            "is the calendar switched on in this group or company? make the section by hand, or name another in section"
        ),
    ),
    (
        ("while creating the event", "создании события"),
        say("the portal gives no reason; most often {reason}, or so may not the host", reason=_MAY_NOT_WRITE),
    ),
    (
        ("while changing the event", "изменении события"),
        say("the portal gives no reason; most often {reason}, or the event is gone", reason=_MAY_NOT_WRITE),
    ),
    (("event id not", "id события"), _REPORT),
    (
        ("while deleting the event", "удалении события"),
        say("it is gone already, or {reason}", reason=_MAY_NOT_WRITE),
    ),
)

#: The same for crm.activity.*, whose texts are English on Russian portals too, but for the rights.
_CRM: tuple[tuple[tuple[str, ...], str], ...] = (
    (("could not find",), say("it was deleted in the CRM since it was looked up; the next try looks it up again")),
    (("could not build binding",), say("the client was deleted in the CRM since it was looked up")),
    (("access denied", "доступ запрещен"), _CARD),
    (("responsible_id",), say("set responsible in [sync.target], or the client's responsible person in the CRM")),
    (("the only one communication",), say("the client has no single phone or e-mail for this activity")),
    (("communications",), say("the client has no phone or e-mail the portal accepts for this kind of activity")),
    (("notify_value",), say("set remind in [sync.fields] to other values")),
    (("field subject",), say("the portal keeps nothing of the title; set name in [sync.fields]")),
    (("email send error",), _MAIL),
    (
        ("activity.configurable",),
        say("an app's configurable activity stands there; the portal lets only that app change it"),
    ),
    (("application context required",), say("this kind of activity is an app's, and no webhook may write it")),
    (("not supported in current context", "type_id"), say("this portal does not take such activities by REST")),
    (("is not found",), say("somebody deleted it in the portal")),
)


_ITEMS: Mapping[str, str] = {
    "NOT_FOUND": say("this portal has no such type of elements: see owner_type in [sync.target]"),
    "INVALID_ARG_VALUE": say("elements of this type cannot be found by this field: see owner_field in [sync.target]"),
}
"""What the codes of crm.item.list mean. Other methods give the same codes other meanings."""


def remedy_of(code: str) -> str:
    """Return what an administrator can do about a refusal with this code, "" if the refusal says enough itself."""
    return _BY_CODE.get(code.upper(), "")


def application_remedy(code: str, portal: str) -> str:
    """Return what can be done about a refusal of the application of [portals.`portal`], "" if only the portal knows."""
    own = _OF_APPLICATION.get(code.upper())
    return own(portal) if own is not None else remedy_of(code)


def meaning_of(method: str, code: str, description: str) -> str:
    """Return what a refusal of `method` means and what to do about it, "" if only the portal knows."""
    texts = _CRM if method.startswith("crm.") else _CALENDAR if method.startswith("calendar.") else ()
    if method == "crm.item.list" and code in _ITEMS:
        return _ITEMS[code]
    said = description.casefold().replace("ё", "е")
    found = next((meaning for parts, meaning in texts if any(part in said for part in parts)), "")
    return found or remedy_of(code)


def silence_of(reason: str) -> str:
    """Return what to do about a portal that does not answer, by what is known about the connection."""
    if "no secure connection" in reason:
        return say(
            "if its certificate is of an authority of your own, give that as ca_file in [portals.X]; if it wants to see"
            " one, give client_cert"
        )
    return say("is it up, and is the address right?")


def said_of(code: str, description: str) -> str:
    """Return the portal's own words, its code first."""
    if code and isinstance(description, Saying):  # what syncd says in its place, as of an application's tokens
        return say("{code}: {said}", code=code, said=description)
    if not code:
        return description or say("it gave no reason")
    return f"{code}: {description}" if description else code


def explained(said: str, meaning: str) -> str:
    """Return what the portal `said`, in its own words, and its `meaning`, if that is known, in the reader's."""
    return say("{said} ({meaning})", said=said, meaning=meaning) if meaning else said


class CommandRefusedError(SyncdError):
    """The portal refused one call and would refuse it again. Other calls are not affected."""

    exit_code = 3

    def __init__(self, method: str, refused: Refused) -> None:
        super().__init__(
            say(
                "the portal refused {method}: {said}",
                method=method,
                said=said_of(refused.code, refused.description),
            ),
            meaning_of(method, refused.code, refused.description),
        )
        self.method = method
        self.code = refused.code
        self.description = refused.description


def unread(what: str, reply: Reply) -> PortalUnreachableError:
    """Return the error for a reading that got `reply` in place of a usable answer; `what` begins its sentence."""
    said: str
    match reply:
        case Done():
            said, remedy = say("the answer is not of the documented form"), ""
        case Refused():
            said, remedy = said_of(reply.code, reply.description), remedy_of(reply.code)
        case Unknown():
            said, remedy = reply.reason, ""
    return PortalUnreachableError(
        say("{what} could not be read: {said}", what=what, said=said), remedy or say("the next pass tries again")
    )


def portal_error(origin: str, why: Refused | Unknown, *, application_of: str = "") -> SyncdError:
    """Return the error that explains why nothing more can be sent to the portal at `origin`.

    `application_of` is what the config calls a portal whose caller is an application, "" for a webhook.
    """
    remedy_for = partial(application_remedy, portal=application_of) if application_of else remedy_of
    match why:
        case Unknown(code=code) if code:
            remedy = remedy_for(code) or say(
                "the next pass tries again; the portal's vendor or administrator knows the code"
            )
            return PortalUnreachableError(
                say("{origin} refuses everything: {reason}", origin=origin, reason=why.reason), remedy
            )
        case Unknown():
            return PortalUnreachableError(
                say("{origin} does not answer: {reason}", origin=origin, reason=why.reason), silence_of(why.reason)
            )
        case Refused(reach="method" | "rate"):
            said = say(
                "{origin} does not let anything through: {said}",
                origin=origin,
                said=said_of(why.code, why.description),
            )
            return PortalUnreachableError(said, remedy_for(why.code))
        case Refused(code=code) if application_of and code.upper() == "NOT_AUTHORISED":
            said = say(
                "[portals.{portal}]: nobody has authorised its application at {origin} yet",
                portal=application_of,
                origin=origin,
            )
            return PortalRefusedError(said, application_remedy(code, application_of))
        case Refused():
            words = said_of(why.code, why.description)
            if application_of:
                said = say("{origin} refuses the application: {said}", origin=origin, said=words)
                return PortalRefusedError(said, remedy_for(why.code))
            said = say("{origin} refuses the webhook: {said}", origin=origin, said=words)
            return PortalRefusedError(said, remedy_for(why.code))


def must_be_done(method: str, reply: Reply) -> Done:
    """Return the reply to a call that only read; raises CommandRefusedError or PortalUnreachableError for any other."""
    match reply:
        case Done():
            return reply
        case Refused():
            raise CommandRefusedError(method, reply)
        case Unknown():
            said = say("{method} was not answered: {reason}", method=method, reason=reply.reason)
            if reply.code:
                said = say("{method} was refused: {reason}", method=method, reason=reply.reason)
            raise PortalUnreachableError(said, say("try again later"))
