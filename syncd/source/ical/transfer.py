"""Transfer encodings of vCalendar 1.0 and RFC 2445 that programs still write: QUOTED-PRINTABLE and BASE64 texts."""

from __future__ import annotations

import base64
import quopri
import re
from collections.abc import Mapping

_HEAD = rb"^[A-Za-z0-9-]+;(?:[^:\n]*;)?[ \t]*(?:ENCODING[ \t]*=[ \t]*\"?)?QUOTED-PRINTABLE\b[^:\n]*:"
_NAMES = (
    rb"BEGIN|END|UID|DT[A-Z]+|SUMMARY|LOCATION|DESCRIPTION|[RE]X?RULE|[RE]X?DATE|DURATION|CLASS|STATUS|TRANSP|SEQUENCE|"
    rb"PRIORITY|CATEGORIES|CREATED|LAST-MODIFIED|RECURRENCE-ID|URL|ATTACH|ATTENDEE|ORGANIZER|COMMENT|CONTACT|GEO|"
    rb"RESOURCES|[DAMP]ALARM|X-[A-Z0-9-]+"
)
"""What may begin the line after a value, so that a value ending in "=" does not swallow it."""
_SOFT = rb"=[ \t]*\r?\n(?!(?:" + _NAMES + rb")[;:])[ \t]?"
_QUOTED = re.compile(_HEAD + rb"(?:[^\n]*?(?:" + _SOFT + rb"|\r?\n[ \t]))+", re.IGNORECASE | re.MULTILINE)
_SOFT_BREAK = re.compile(_SOFT, re.IGNORECASE)


def fold_soft_breaks(content: bytes) -> bytes:
    """Return the stream with the soft line breaks of QUOTED-PRINTABLE values ("=" at the end of a line) as folds.

    A value that merely ends in "=", with the next property on the next line, stays as it is.
    """
    if b"QUOTED-PRINTABLE" not in content and b"quoted-printable" not in content:
        return content
    # As a fold, the break still counts where messages name lines.
    return _QUOTED.sub(lambda found: _SOFT_BREAK.sub(b"\r\n ", found[0]), content)


def decoded(value: str, params: Mapping[str, str]) -> str | None:
    """Return a value without its transfer encoding, None if it does not fit the encoding that its parameters name."""
    # vCalendar 1.0 also allows the bare word, without ENCODING=.
    encoding = "QUOTED-PRINTABLE" if "QUOTED-PRINTABLE" in params else params.get("ENCODING", "").strip('"').upper()
    charset = params.get("CHARSET", "").strip('"') or "utf-8"
    if encoding not in ("QUOTED-PRINTABLE", "BASE64", "B") or params.get("VALUE", "").upper() == "BINARY":
        return value
    try:
        # What stands there unencoded is already text, and only what is encoded is in the charset.
        if encoding == "QUOTED-PRINTABLE":
            return quopri.decodestring(value.encode(charset)).decode(charset)
        return base64.b64decode("".join(value.split()), validate=True).decode(charset)
    except (LookupError, ValueError):
        return None
