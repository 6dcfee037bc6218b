"""Files of credentials that Google gives, recognised for a first config: `syncd init --source robot.json`."""

from __future__ import annotations

import msgspec

from syncd.errors import SourceError
from syncd.lang.saying import say
from syncd.model.encoding import decoded

Keys = tuple[tuple[str, str, str], ...]
"""Keys of `[sync.source]` with their values and comments."""


class _File(msgspec.Struct, frozen=True, kw_only=True):
    type: str = ""
    client_email: str = ""
    installed: dict[str, object] | None = None
    web: dict[str, object] | None = None


def first_keys(content: bytes, place: str) -> Keys | None:
    """Return what a first config says of the file at `place`, None if it is none of Google's.

    Raises SourceError for one of the wrong kind, before anybody asks a person for consent by it.
    """
    if not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return None
    try:
        file = decoded(content, type=_File)
    except msgspec.DecodeError:
        return None
    if file.web is not None:
        remedy = say('make one of type "Desktop app": Google Auth Platform, Clients')
        raise SourceError(
            say("{place} is the client of a web application, which cannot lead back to this machine", place=place),
            remedy,
        )
    if file.type == "service_account":
        stand_in = say(
            "a stand-in: addresses, one a line; share them with {account}, or see subject", account=file.client_email
        )
        return (
            ("key_file", place, say("the key of a service account: keep it to yourself")),
            ("calendars", "users.csv", stand_in),
        )
    if file.installed is not None:
        return (
            ("client_secret_file", place, say("the client of an application")),
            ("token_file", "google.json", say("made by: syncd source authorize meetings")),
            ("calendars", "primary", say("your own; or addresses of calendars shared with you, in a list or a CSV")),
        )
    if file.type == "authorized_user":
        agreed = say("what a person has agreed to")
        return ("token_file", place, agreed), ("calendars", "primary", say("their own"))
    return None
