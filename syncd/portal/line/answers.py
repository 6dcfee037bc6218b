"""What an HTTP answer of the portal means for each command, and what a refusal means for the operator.

Pure. Decides by error code, never by message text, and by the status only where there is no code (PORTAL.md 1.3, 1.4).
Whatever cannot be read with certainty is Unknown: the command may have been executed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import urlsplit

import orjson

from syncd.errors import PortalRefusedError, PortalUnreachableError, SyncdError
from syncd.lang.saying import say
from syncd.portal.line.remedies import application_remedy, meaning_of, remedy_of, said_of, silence_of
from syncd.portal.line.wire import CallTime, Done, Json, Reach, Refused, Reply, Unknown
from syncd.scrub import within

_LONGEST_TEXT = 600
_MOST_ROWS = 1_000_000_000
_LATEST = 4_102_444_800  # the year 2100
_LONGEST_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """An HTTP answer as received; `headers` holds only the relevant ones, names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One reply per command in the order sent, and the envelope's own time.

    `whole` is set if the request as a whole failed; every reply is then equal to it. `faults` are what is wrong with
    the shape of each reading, where somebody has looked already. `status` is that of HTTP, which decides nothing.
    """

    replies: tuple[Reply, ...]
    time: CallTime | None = None
    whole: Refused | Unknown | None = None
    faults: tuple[str | None, ...] | None = None
    status: int | None = None


EXPIRED = "EXPIRED_TOKEN"
"""The code for an access token whose hour is over: it has to be renewed (PORTAL.md 1.4, 11.2)."""
_FATAL: tuple[Reach, bool] = ("portal", False)
_REACHES: Mapping[str, tuple[Reach, bool]] = {
    "QUERY_LIMIT_EXCEEDED": ("rate", True),
    "OPERATION_TIME_LIMIT": ("method", True),
    "OVERLOAD_LIMIT": _FATAL,
    EXPIRED: ("portal", True),
    "CONNECTION_ERROR": ("portal", True),
    "NO_AUTH_FOUND": _FATAL,
    "INVALID_TOKEN": _FATAL,
    "INVALID_CREDENTIALS": _FATAL,
    "INSUFFICIENT_SCOPE": _FATAL,
    "USER_ACCESS_ERROR": _FATAL,
    "AUTHORIZATION_ERROR": _FATAL,
    "APPLICATION_NOT_FOUND": _FATAL,
    "PORTAL_DELETED": _FATAL,
    "ERROR_MANIFEST_IS_NOT_AVAILABLE": _FATAL,
    "BITRIX_REST_V3_EXCEPTION_INSUFFICIENTSCOPEEXCEPTION": _FATAL,
    "ALLOWED_ONLY_INTRANET_USER": ("method", False),
    "WRONG_LICENSE": _FATAL,
    "INVALID_REQUEST": _FATAL,
    "ERROR_METHOD_NOT_FOUND": ("method", False),
    "ERROR_BATCH_LENGTH_EXCEEDED": ("command", True),
}
"""How far a refusal reaches, and whether it passes, by code (PORTAL.md 1.4). Any other code concerns the command alone,
permanently. `Exchange._decide` acts on it."""

_UNKNOWN_CODES = frozenset({"INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER", "WRONG_ENCODING"})
"""WRONG_ENCODING is about the answer, not the request: the commands have run (PORTAL.md 1.2)."""

_GATEWAY_GAVE_UP = frozenset({408, 499, 502, 503, 504, *range(520, 530)})
"""Statuses of a proxy between us and the portal: behind it the request may still be at work (PORTAL.md 1.1)."""

_FATAL_FOR_BATCH = frozenset({"ACCESS_DENIED", "ERROR_METHOD_NOT_FOUND"})
"""Codes that a method may also give for itself. When `batch` itself gets them, the caller is refused."""


def read_batch(raw: RawAnswer, keys: Sequence[str]) -> Answer:
    """Read the answer of a `batch` call; `keys` are those of its commands, in order.

    A key in neither map is Unknown: the request died before it, or the portal skipped it (PORTAL.md 2.1).
    """
    body, failure = _envelope(raw, batch=True)
    if failure is not None:
        return Answer(replies=(failure,) * len(keys), whole=failure)
    result = body.get("result")
    if not isinstance(result, Mapping):
        # Without a map nothing is known about any command; an empty PHP array comes as [].
        unknown = Unknown(reason=say("the batch was answered without results"), ended=True)
        return Answer(replies=(unknown,) * len(keys), time=call_time(body.get("time")), whole=unknown)
    maps = {name: _map(result.get(name)) for name in _MAPS}
    replies = tuple(_nested(key, maps) for key in keys)
    return Answer(replies=replies, time=_dated(call_time(body.get("time")), raw))


def read_single(raw: RawAnswer) -> Answer:
    """Read the answer of one method called by itself."""
    body, failure = _envelope(raw, batch=False)
    if failure is not None:
        # A failure of this command alone says nothing about the request or the caller.
        whole = failure if isinstance(failure, Unknown) or failure.reach in ("rate", "portal") else None
        return Answer(replies=(failure,), whole=whole)
    time = call_time(body.get("time"))
    done = _done(body["result"], time, total=body.get("total"), following=body.get("next"))
    return Answer(replies=(done,), time=_dated(time, raw))


def scrubbed(answer: Answer, scrub: Callable[[str], str]) -> Answer:
    """Return the answer with the caller's secret removed from every text that people may see."""
    if all(isinstance(reply, Done) for reply in answer.replies):
        return answer
    replies = tuple(o if isinstance(o, Done) else _scrubbed(o, scrub) for o in answer.replies)
    whole = None if answer.whole is None else _scrubbed(answer.whole, scrub)
    return replace(answer, replies=replies, whole=whole)


def _scrubbed(failure: Refused | Unknown, scrub: Callable[[str], str]) -> Refused | Unknown:
    if isinstance(failure, Unknown):
        return replace(failure, reason=within(failure.reason, scrub))
    return replace(failure, code=scrub(failure.code), description=within(failure.description, scrub))


def call_time(value: Json) -> CallTime | None:
    """Read a `time` object; numbers may be int, float or text, and any of them may be missing or nonsense.

    Nonsense counts as missing. Believed, one stamp far away would leave every wait to a clock that is not the portal's,
    and one huge counter would keep its method waiting for ever.
    """
    if not isinstance(value, Mapping):
        return None
    date_start = value.get("date_start")
    return CallTime(
        start=_stamp(value.get("start")),
        finish=_stamp(value.get("finish")),
        duration=_seconds(value.get("duration")),
        operating=_seconds(value.get("operating")),
        operating_reset_at=_stamp(value.get("operating_reset_at")),
        date_start=date_start if isinstance(date_start, str) else None,
    )


def _dated(time: CallTime | None, raw: RawAnswer) -> CallTime | None:
    """Return `time`, with the moment in the answer's Date header (RFC 9110, 6.6.1) where it tells none itself."""
    if "date" not in raw.headers or (time is not None and (time.finish or time.start)):
        return time
    try:
        said = parsedate_to_datetime(raw.headers["date"]).timestamp()
    except (ValueError, OverflowError):
        return time
    return replace(time or CallTime(), finish=_stamp(said))


_MAPS = ("result", "result_error", "result_total", "result_next", "result_time")


def _nested(key: str, maps: Mapping[str, Mapping[str, Json]]) -> Reply:
    failed, done = key in maps["result_error"], key in maps["result"]
    if failed and done:
        return Unknown(reason=say("the batch gave both a result and an error for this command"), ended=True)
    if failed:
        return _refusal(maps["result_error"][key], status=None, batch=False)
    if not done:
        return Unknown(reason=say("the batch was answered without a word on this command"), ended=True)
    time, total, following = (maps[name].get(key) for name in ("result_time", "result_total", "result_next"))
    return _done(maps["result"][key], call_time(time), total=total, following=following)


def _done(result: Json, time: CallTime | None, *, total: Json, following: Json) -> Done:
    counts = {"total": (total, _count(total)), "next": (following, _count(following))}
    odd = [(name, _text(said)) for name, (said, read) in counts.items() if said is not None and read is None]
    doubt = say("{name} is {value}", name=odd[0][0], value=odd[0][1]) if odd else ""
    return Done(result=result, time=time, total=_count(total), next=_count(following), doubt=doubt)


def _envelope(raw: RawAnswer, *, batch: bool) -> tuple[Mapping[str, Json], Refused | Unknown | None]:
    """Return the body of a successful answer, or why there is none."""
    if 300 <= raw.status < 400:
        return {}, Unknown(reason=_elsewhere(raw), ended=_ended(raw))
    try:
        body: Json = orjson.loads(raw.body)
    except ValueError:
        return {}, Unknown(reason=_unreadable(raw), ended=_ended(raw))
    if not isinstance(body, Mapping):
        return {}, Unknown(
            reason=say("HTTP {status} with JSON that is not an answer", status=raw.status), ended=_ended(raw)
        )
    if "error" in body:
        return body, _refusal(body, status=raw.status, batch=batch)
    if "result" not in body or not 200 <= raw.status < 300:
        return body, Unknown(reason=say("HTTP {status} without a result", status=raw.status), ended=_ended(raw))
    return body, None


def _refusal(error: Json, *, status: int | None, batch: bool) -> Refused | Unknown:
    """Classify one error object by its code; `status` is None inside a batch, where there is no status."""
    if isinstance(error, str) and error:
        return Refused(code="", description=_text(error))
    said = error.get("error") if isinstance(error, Mapping) else None
    if isinstance(error, Mapping) and isinstance(said, Mapping) and isinstance(said.get("code"), str):
        error, said = _third_version(said), said["code"]
    if not isinstance(error, Mapping) or isinstance(said, bool) or not isinstance(said, (str, int)):
        # Not even a refusal can be believed: a create that is taken for refused would be sent again.
        return Unknown(reason=say("an error without a code: {text}", text=_text(error)), ended=True)
    code, description = _text(said), _text(error.get("error_description"))
    upper = code.upper()
    # An exception may come after the row was written; only a 400 means that it was thrown on purpose.
    thrown = upper == "ERROR_CORE" and (status is None or status >= 500)
    if thrown or upper in _UNKNOWN_CODES:
        return Unknown(reason=f"{code}: {description}", ended=True)
    if batch and upper in _FATAL_FOR_BATCH:
        return Refused(code=code, description=description, reach="portal")
    if upper not in _REACHES and status is not None and (batch or status >= 500):
        # An undocumented code for a whole batch, or with a 5xx: commands may have run.
        return Unknown(
            reason=f"HTTP {status} {code}: {description}",
            ended=True,
            code=code,
        )
    reach, transient = _REACHES.get(upper, ("command", False))
    return Refused(code=code, description=description, reach=reach, transient=transient)


def _third_version(error: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return an error of REST 3.0 in the older form, its details behind its text (PORTAL.md 1.3)."""
    details = [one for one in rows_of(error.get("validation")) if isinstance(one, Mapping)]
    texts = [
        _text(error.get("message")),
        *(f"{_text(one.get('field'))}: {_text(one.get('message'))}" for one in details),
    ]
    return {"error": error.get("code"), "error_description": "; ".join(filter(None, texts))}


_WRAPPERS = frozenset({"items", "workgroups"})


def rows_of(result: Json) -> Sequence[Json]:
    """Return the rows of a list result; PHP writes a list with gaps as an object (PORTAL.md 1.2).

    Newer methods have them under a name of their own.
    """
    if isinstance(result, Mapping) and len(result) == 1 and (own := next(iter(result))) in _WRAPPERS:
        result = result[own]
    if isinstance(result, Mapping):
        return list(result.values())
    if isinstance(result, Sequence) and not isinstance(result, str):
        return result
    return ()


def _map(value: Json) -> Mapping[str, Json]:
    """Return a PHP array as a map: a list when its keys are 0..n-1, [] when it is empty (PORTAL.md 1.2)."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, Sequence) and not isinstance(value, str):
        return {str(index): item for index, item in enumerate(value)}
    return {}


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _count(value: Json) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number <= _MOST_ROWS else None


def _stamp(value: Json) -> float | None:
    """Return a unix time up to the end of this century, None for any other value."""
    number = _number(value)
    return number if number is not None and number < _LATEST else None


def _seconds(value: Json) -> float | None:
    """Return a duration of at most a day, None for any other value: no request or counter lasts longer."""
    number = _number(value)
    return number if number is not None and number <= _LONGEST_S else None


def _text(value: Json) -> str:
    """Return untrusted text fit for one line of a message."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    printable = "".join(char if char.isprintable() else " " for char in text[: 2 * _LONGEST_TEXT])
    return " ".join(printable.split())[:_LONGEST_TEXT]


def _ended(raw: RawAnswer) -> bool:
    """Return True if the portal itself has finished; after a gateway timeout it may still be working."""
    return raw.status not in _GATEWAY_GAVE_UP


def _elsewhere(raw: RawAnswer) -> str:
    """Return where a redirect that was not followed leads: the host only, as the rest may contain a secret."""
    try:
        host = urlsplit(raw.headers.get("location", "")).hostname
    except ValueError:
        host = None
    if host:
        return say(
            "HTTP {status}: the portal redirects to {host}; check its address in the config",
            status=raw.status,
            host=_text(host),
        )
    return say(
        "HTTP {status}: the portal redirects to another page; check its address in the config", status=raw.status
    )


def _unreadable(raw: RawAnswer) -> str:
    kind = raw.headers.get("content-type", "").partition(";")[0].strip()
    if kind and "json" not in kind:
        return say("HTTP {status} without readable JSON ({kind})", status=raw.status, kind=_text(kind))
    return say("HTTP {status} without readable JSON", status=raw.status)


class CommandRefusedError(SyncdError):
    """The portal refused one call and would refuse it again; other calls are not affected."""

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
