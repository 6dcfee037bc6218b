"""Refusals of the portal as errors for the operator: what it said, and what to do about it. Never a secret."""

from __future__ import annotations

from collections.abc import Mapping

from syncd.errors import PortalRefusedError, PortalUnreachableError, SyncdError
from syncd.portal.line.wire import Refused, Unknown

_NEW_WEBHOOK = "create a new inbound webhook in the portal and put its address into the config"
_REMEDIES: Mapping[str, str] = {
    "INVALID_CREDENTIALS": f"the webhook was removed or mistyped: {_NEW_WEBHOOK}",
    "NO_AUTH_FOUND": f"the webhook was removed or mistyped: {_NEW_WEBHOOK}",
    "INVALID_TOKEN": _NEW_WEBHOOK,
    "EXPIRED_TOKEN": _NEW_WEBHOOK,
    "INSUFFICIENT_SCOPE": "give the webhook the scopes calendar, user_basic, sonet_group and, for activities, crm",
    "USER_ACCESS_ERROR": "ask the portal's administrator to let the webhook's user use the application",
    "AUTHORIZATION_ERROR": "the webhook's user is dismissed: create a webhook of an active user",
    "ACCESS_DENIED": "the REST API needs a commercial plan or a subscription",
    "WRONG_LICENSE": "the portal's licence does not allow this",
    "OVERLOAD_LIMIT": "the vendor has blocked the REST API of this portal by hand: contact its support",
    "PORTAL_DELETED": "the portal does not exist any more",
    "INVALID_REQUEST": "use https:// in the webhook's address",
    "ERROR_METHOD_NOT_FOUND": "is the address that of a portal's webhook?",
}


class CommandRefusedError(SyncdError):
    """The portal refused one call, and would refuse it again; the others are not concerned."""

    exit_code = 3

    def __init__(self, method: str, refused: Refused) -> None:
        said = ": ".join(part for part in (refused.code, refused.description) if part)
        super().__init__(f"the portal refused {method}: {said or 'it gave no reason'}")
        self.method = method
        self.code = refused.code
        self.description = refused.description


def portal_error(origin: str, why: Refused | Unknown) -> SyncdError:
    """Return the error that tells why nothing more can be sent to the portal at `origin`."""
    if isinstance(why, Unknown):
        return PortalUnreachableError(f"{origin} does not answer: {why.reason}", "is it up, and is the address right?")
    said = ": ".join(part for part in (why.code, why.description) if part)
    if why.reach == "method":
        remedy = "do other programs use up the portal's operating time? see `syncd portal limits`"
        return PortalUnreachableError(f"{origin} does not let anything through: {said}", remedy)
    return PortalRefusedError(f"{origin} refuses the webhook: {said}", _REMEDIES.get(why.code.upper(), ""))
