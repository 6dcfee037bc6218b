"""Sends one alert by mail, through the server that `[alerts.smtp]` names."""

from __future__ import annotations

import asyncio
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import aiosmtplib

from syncd.config import AlertsConfig, SmtpConfig
from syncd.lang.saying import say

_TIMEOUT_S = 30.0
_WHOLE_S = 60.0
"""Time for the whole mail. A server may stay below the time-out with every single answer; the next alert does not wait
longer than this."""
_LONGEST_SUBJECT = 120


async def send_mail(config: AlertsConfig, subject: str, text: str) -> str:
    """Send `text` to all addresses of `config`; return why that failed, "" if it did not.

    `subject` and `text` are one line each. A mail that the server refused for some of the addresses counts as failed;
    the answer names them.
    """
    smtp = config.smtp
    assert smtp is not None  # addresses come with a server
    try:
        async with asyncio.timeout(_WHOLE_S):
            refused, _ = await aiosmtplib.send(
                _message(config, smtp, subject, text),
                recipients=list(config.email),
                hostname=smtp.host,
                port=smtp.port,
                username=smtp.username,
                password=None if smtp.password is None else smtp.password.reveal(),
                use_tls=smtp.security == "tls",
                start_tls=smtp.security == "starttls",
                tls_context=_context(smtp),
                timeout=_TIMEOUT_S,
            )
    except aiosmtplib.SMTPException as error:
        return say("{server}: {reason}", server=smtp.host, reason=str(error).strip() or type(error).__name__)
    except TimeoutError:
        return say("{server} did not take it within {seconds:.0f} s", server=smtp.host, seconds=_WHOLE_S)
    except OSError as error:
        return say("{server}: {reason}", server=smtp.host, reason=error.strerror or str(error))
    if not refused:
        return ""
    whom = tuple(say("{address} ({reason})", address=who, reason=str(why)) for who, why in refused.items())
    return say("{server} refused {whom}", server=smtp.host, whom=whom)


def _context(smtp: SmtpConfig) -> ssl.SSLContext | None:
    """Return the context that checks the server's certificate, None if nothing is encrypted."""
    return None if smtp.security == "none" else ssl.create_default_context(cafile=smtp.ca_file)


def _message(config: AlertsConfig, smtp: SmtpConfig, subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = smtp.sender
    message["To"] = ", ".join(config.email)
    message["Subject"] = subject if len(subject) <= _LONGEST_SUBJECT else subject[: _LONGEST_SUBJECT - 1] + "…"
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=smtp.sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answer comes back
    message.set_content(text + "\n")
    return message
