"""What the portal's refusals mean to whoever looks after it: by code, and where there is none by what the text says.

Advice for people only; nothing is ever decided by it. Texts are those of the documentation in English and Russian,
whose wording drifts (PORTAL.md 4, 6.1), so parts of them are looked for.
"""

from __future__ import annotations

from collections.abc import Mapping

_NEW_WEBHOOK = "create a new inbound webhook in the portal and put its address into the config"
_GONE = (
    "the webhook was removed, mistyped or has expired, its code was made anew because an administrator edited it, or"
    f" the vendor has blocked it because its code was found in public: {_NEW_WEBHOOK}"
)
_PLAN = (
    "REST needs a commercial plan and, where the vendor sells it apart, the Market subscription or its trial: in the"
    " portal, My plan > Market"
)
_SCOPES = "give the webhook, or the application, the scopes calendar, user_basic, sonet_group and, for activities, crm"
_REPORT = "syncd and this portal disagree about the call: please report it with the portal's version"
_MAY_NOT_WRITE = (
    "syncd's user may not write to this calendar: let syncd work as an administrator, or have the right to edit"
    " granted in the calendar's settings"
)
_CARD = "syncd's user may not change this card: give them the right in the CRM"
_MAIL = "this concerns e-mail activities, which syncd does not write: has TYPE_ID been set to 4 for them?"

_BY_CODE: Mapping[str, str] = {
    "INVALID_CREDENTIALS": _GONE,
    "NO_AUTH_FOUND": _GONE,
    "INVALID_TOKEN": _NEW_WEBHOOK,
    "EXPIRED_TOKEN": _NEW_WEBHOOK,
    "INSUFFICIENT_SCOPE": _SCOPES,
    "USER_ACCESS_ERROR": "ask the portal's administrator to let syncd's user use the application",
    "AUTHORIZATION_ERROR": "syncd's user is dismissed: create a webhook of an active user",
    "ACCESS_DENIED": _PLAN,
    "WRONG_LICENSE": "the portal's licence does not allow this",
    "ALLOWED_ONLY_INTRANET_USER": "syncd's user is an extranet user: let syncd work as an employee",
    "OVERLOAD_LIMIT": "the vendor has blocked the REST API of this portal by hand: contact its support",
    "QUERY_LIMIT_EXCEEDED": "another program that calls this portal from the same address takes all requests: find and"
    " slow it down, or set a lower rate in [portals.X.limits] and leave it some",
    "OPERATION_TIME_LIMIT": "do other programs use up the portal's operating time? see `syncd portal limits`",
    "PORTAL_DELETED": "the public part of the portal is closed for maintenance (main module, temporary closure of the"
    " public part), or the portal does not exist any more",
    "INVALID_REQUEST": "use https:// in the webhook's address",
    "ERROR_METHOD_NOT_FOUND": "is the address that of a portal's webhook, and is the portal recent enough?",
    "ERROR_MANIFEST_IS_NOT_AVAILABLE": "REST is not set up on this portal: has the rest module been installed, and"
    " /marketplace/ been made?",
    "ERROR_BATCH_METHOD_NOT_ALLOWED": _REPORT,
    "ERROR_BATCH_LENGTH_EXCEEDED": "set a lower batch_size in [portals.X.limits]",
    "BITRIX_REST_V3_EXCEPTION_ACCESSDENIEDEXCEPTION": "syncd's user has no right to this",
    "BITRIX_REST_V3_EXCEPTION_INSUFFICIENTSCOPEEXCEPTION": _SCOPES,
}

_AUTHORISE = "`syncd portal authorize {}`"
_TICK = (
    "tick calendar, user_basic, sonet_group and, for activities, crm in the application's settings in the portal, then"
    " run"
)
_OF_APPLICATION: Mapping[str, str] = {
    "NOT_AUTHORISED": f"run {_AUTHORISE}",
    "TOKENS_UNREADABLE": f"give the token_key that they were kept with, or run {_AUTHORISE}",
    "INVALID_CREDENTIALS": f"the portal takes these tokens no more: run {_AUTHORISE}",
    "INVALID_REQUEST": "use https:// in the application's address",
    "ERROR_METHOD_NOT_FOUND": "is the address that of a portal, and is the portal recent enough?",
    "BITRIX_REST_V3_EXCEPTION_INSUFFICIENTSCOPEEXCEPTION": f"{_TICK} {_AUTHORISE}",
    "INVALID_GRANT": f"the tokens are used up, revoked or older than 180 days: run {_AUTHORISE}",
    "INVALID_CLIENT": "the portal knows no application with this client_id and client_secret: copy both again from its"
    f" settings in the portal, then run {_AUTHORISE}",
    "APPLICATION_NOT_FOUND": f"the application was deleted in the portal: make it again, then run {_AUTHORISE}",
    "ANOTHER_PORTAL": "a new portal under the same address? `syncd portal authorize {} --force`",
    "PAYMENT_REQUIRED": "the portal's plan, or its Market subscription, has run out: it goes on by itself once that is"
    f" renewed; if not, run {_AUTHORISE}",
    "NO_AUTH_FOUND": f"the portal knows these tokens no more; was the application deleted? run {_AUTHORISE}",
    "INVALID_TOKEN": f"the portal knows these tokens no more; was the application deleted? run {_AUTHORISE}",
    "EXPIRED_TOKEN": f"the portal takes the new token for expired too: run {_AUTHORISE}",
    "INSUFFICIENT_SCOPE": f"{_TICK} {_AUTHORISE}",
    "USER_ACCESS_ERROR": "let the user who authorised it use the application, in its settings in the portal",
    "AUTHORIZATION_ERROR": f"who authorised the application is dismissed: let another administrator run {_AUTHORISE}",
}

#: Parts of the texts of calendar methods, lower-case, English and Russian, with what to do. The first that fits counts.
_CALENDAR: tuple[tuple[tuple[str, ...], str], ...] = (
    (("required parameter", "обязательный параметр"), _REPORT),
    (
        ('"crm_fields"',),
        "one of the CRM elements it is linked to does not exist: see crm in [sync.fields] and the entry's contact",
    ),
    (('"name"',), "the portal does not take this title: change it in the source"),
    (('"description"',), "the portal does not take this description: change it in the source"),
    (("invalid value", "недопустимое значение"), _REPORT),
    (("access denied", "доступ запрещен"), _MAY_NOT_WRITE),
    (
        ("calendar section", "секции календаря", "cal_rest_section_error"),
        "the section was deleted or is hidden from syncd's user; the next pass looks for it again, by its name",
    ),
    (("editing type", "тип редактирования"), _REPORT),
    (("must be an array", "должен быть массивом"), _REPORT),
    (
        ("while creating the section", "создании секции"),
        "is the calendar switched on in this group or company? make the section by hand, or name another in section",
    ),
    (
        ("while creating the event", "создании события"),
        f"the portal gives no reason; most often {_MAY_NOT_WRITE}, or so may not the host",
    ),
    (
        ("while changing the event", "изменении события"),
        f"the portal gives no reason; most often {_MAY_NOT_WRITE}, or the event is gone",
    ),
    (("event id not", "id события"), _REPORT),
    (("while deleting the event", "удалении события"), f"it is gone already, or {_MAY_NOT_WRITE}"),
)

#: The same for crm.activity.*, whose texts are English on Russian portals too, but for the rights.
_CRM: tuple[tuple[tuple[str, ...], str], ...] = (
    (("could not find",), "it was deleted in the CRM since it was looked up; the next try looks it up again"),
    (("could not build binding",), "the client was deleted in the CRM since it was looked up"),
    (("access denied", "доступ запрещен"), _CARD),
    (("responsible_id",), "set responsible in [sync.target], or the client's responsible person in the CRM"),
    (("the only one communication",), "the client has no single phone or e-mail for this activity"),
    (("communications",), "the client has no phone or e-mail the portal accepts for this kind of activity"),
    (("notify_value",), "set remind in [sync.fields] to other values"),
    (("field subject",), "the portal keeps nothing of the title; set name in [sync.fields]"),
    (("email send error",), _MAIL),
    (
        ("activity.configurable",),
        "an app's configurable activity stands there; the portal lets only that app change it",
    ),
    (("application context required",), "this kind of activity is an app's, and no webhook may write it"),
    (("not supported in current context", "type_id"), "this portal does not take such activities by REST"),
    (("is not found",), "somebody deleted it in the portal"),
)


_ITEMS: Mapping[str, str] = {
    "NOT_FOUND": "this portal has no such type of elements: see owner_type in [sync.target]",
    "INVALID_ARG_VALUE": "elements of this type cannot be found by this field: see owner_field in [sync.target]",
}
"""What the codes of crm.item.list mean; others give them other meanings."""


def remedy_of(code: str) -> str:
    """Return what an administrator can do about a refusal with this code, "" for one that says enough itself."""
    return _BY_CODE.get(code.upper(), "")


def application_remedy(code: str, portal: str) -> str:
    """Return what can be done about a refusal of the application of [portals.`portal`], "" if only the portal knows."""
    own = _OF_APPLICATION.get(code.upper())
    return own.format(portal) if own is not None else remedy_of(code)


def meaning_of(method: str, code: str, description: str) -> str:
    """Return what a refusal of `method` means and what to do about it, "" if only the portal knows."""
    texts = _CRM if method.startswith("crm.") else _CALENDAR if method.startswith("calendar.") else ()
    if method == "crm.item.list" and code in _ITEMS:
        return _ITEMS[code]
    said = description.casefold().replace("ё", "е")
    found = next((meaning for parts, meaning in texts if any(part in said for part in parts)), "")
    return found or remedy_of(code)


def silence_of(reason: str) -> str:
    """Return what to do about a portal that does not answer, by what is known of the line to it."""
    if "no secure connection" in reason:
        return (
            "if its certificate is of an authority of your own, give that as ca_file in [portals.X]; if it wants to see"
            " one, give client_cert"
        )
    return "is it up, and is the address right?"


def said_of(code: str, description: str) -> str:
    """Return the portal's own words, its code first."""
    return ": ".join(part for part in (code, description) if part) or "it gave no reason"
