"""What an HTTP answer of the portal means for each command. What it means to people stands in `remedies`.

Pure. Decides by error code, never by message text, and by the status only where there is no code (PORTAL.md 1.3, 1.4).
Whatever cannot be read with certainty is Unknown: the command may have been executed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from syncd.lang.saying import say
from syncd.model.json_values import loads
from syncd.portal.line.shapes import fault_in, rows_of
from syncd.portal.line.wire import CallTime, Done, Json, Reach, Refused, Reply, Unknown
from syncd.scrub import within

_LONGEST_TEXT = 600
_MOST_ROWS = 1_000_000_000
_LATEST = math.nextafter(4_102_444_800, 0)
"""The end of this century. No stamp is later."""

_LONGEST_S = 86_400
"""No request and no counter lasts longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """An HTTP answer as received; `headers` holds only the relevant ones, names in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One reply per command in the order sent, and the envelope's own time.

    `whole` is set if the request as a whole failed; every reply is then equal to it. `status` is that of HTTP, which
    decides nothing.
    """

    replies: tuple[Reply, ...]
    time: CallTime | None = None
    whole: Refused | Unknown | None = None
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

_FATAL_FOR_BATCH = frozenset({"ACCESS_DENIED", "ALLOWED_ONLY_INTRANET_USER", "ERROR_METHOD_NOT_FOUND"})
"""Codes that a method may also give for itself. When `batch` itself gets them, the caller is refused: waiting for
operating time, as after any other refusal of a method, would have no end."""


def read_batch(raw: RawAnswer, keys: Sequence[str], reading: Sequence[str] | None = None) -> Answer:
    """Read the answer of a `batch` call; `keys` are those of its commands, in order.

    `reading` are the methods of the commands where these only read: then results of another shape than documented are
    doubted. A key in neither map is Unknown: the request died before it, or the portal skipped it (PORTAL.md 2.1).
    """
    body, failure = _envelope(raw, batch=True)
    if failure is not None:
        return Answer(replies=(failure,) * len(keys), whole=failure, status=raw.status)
    time, result = call_time(body.get("time"), date=raw.headers.get("date")), body.get("result")
    if not isinstance(result, Mapping):
        # Without a map nothing is known about any command; an empty PHP array comes as [].
        unknown = Unknown(reason=say("the batch was answered without results"), ended=True)
        return Answer(replies=(unknown,) * len(keys), time=time, whole=unknown, status=raw.status)
    maps = _Maps(*(_map(result.get(name)) for name in _Maps._fields))
    methods = reading if reading is not None else [None] * len(keys)
    replies = tuple(_nested(key, maps, method) for key, method in zip(keys, methods, strict=True))
    return Answer(replies=replies, time=time, status=raw.status)


def read_single(raw: RawAnswer, reading: Sequence[str] | None = None) -> Answer:
    """Read the answer of one method called by itself; `reading` holds its name if it only reads (see `read_batch`)."""
    body, failure = _envelope(raw, batch=False)
    if failure is not None:
        # A failure of this command alone says nothing about the request or the caller.
        whole = failure if isinstance(failure, Unknown) or failure.reach in ("rate", "portal") else None
        return Answer(replies=(failure,), whole=whole, status=raw.status)
    done = _done(
        body["result"],
        call_time(body.get("time")),
        total=body.get("total"),
        following=body.get("next"),
        method=reading[0] if reading else None,
    )
    return Answer(replies=(done,), time=call_time(body.get("time"), date=raw.headers.get("date")), status=raw.status)


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


def call_time(value: Json, *, date: str | None = None) -> CallTime | None:
    """Read a `time` object; numbers may be int, float or text, and any of them may be missing or nonsense.

    Nonsense counts as missing. If it were believed, one stamp far away would set every wait by a clock that is not the
    portal's, and one huge counter would keep its method waiting for ever. If no moment is given, that of the Date
    header counts (RFC 9110, 6.6.1).
    """
    time = None
    if isinstance(value, Mapping):
        date_start = value.get("date_start")
        time = CallTime(
            start=_number(value.get("start"), _LATEST),
            finish=_number(value.get("finish"), _LATEST),
            duration=_number(value.get("duration"), _LONGEST_S),
            operating=_number(value.get("operating"), _LONGEST_S),
            operating_reset_at=_number(value.get("operating_reset_at"), _LATEST),
            date_start=date_start if isinstance(date_start, str) else None,
        )
    if date is None or (time is not None and (time.finish or time.start)):
        return time
    try:
        said = parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return time
    return msgspec.structs.replace(time or CallTime(), finish=_number(said, _LATEST))


class _Maps(NamedTuple):
    """The maps of a batch's answer, in each of which a command has its key; named as the portal names them."""

    result: Mapping[str, Json]
    result_error: Mapping[str, Json]
    result_total: Mapping[str, Json]
    result_next: Mapping[str, Json]
    result_time: Mapping[str, Json]


def _nested(key: str, maps: _Maps, method: str | None) -> Reply:
    failed, done = key in maps.result_error, key in maps.result
    if failed and done:
        return Unknown(reason=say("the batch gave both a result and an error for this command"), ended=True)
    if failed:
        return _refusal(maps.result_error[key], status=None, batch=False)
    if not done:
        return Unknown(reason=say("the batch was answered without a word on this command"), ended=True)
    return _done(
        maps.result[key],
        call_time(maps.result_time.get(key)),
        total=maps.result_total.get(key),
        following=maps.result_next.get(key),
        method=method,
    )


def _done(result: Json, time: CallTime | None, *, total: Json, following: Json, method: str | None) -> Done:
    if method is None and total is None and following is None:
        return Done(result=result, time=time)  # as every write is answered
    doubt = fault_in(method, result) if method is not None else None
    counts = [_number(said, _MOST_ROWS) for said in (total, following)]
    for name, said, count in zip(("total", "next"), (total, following), counts, strict=True):
        if doubt is None and said is not None and count is None:
            doubt = say("{name} is {value}", name=name, value=_text(said))
    rows, start = (None if count is None else int(count) for count in counts)
    return Done(result=result, time=time, total=rows, next=start, doubt=doubt or "")


def _envelope(raw: RawAnswer, *, batch: bool) -> tuple[Mapping[str, Json], Refused | Unknown | None]:
    """Return the body of a successful answer, or why there is none."""
    if 300 <= raw.status < 400:
        return {}, Unknown(reason=_elsewhere(raw), ended=_ended(raw))
    try:
        body: Json = loads(raw.body)
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


def _map(value: Json) -> Mapping[str, Json]:
    """Return a PHP array as a map: a list when its keys are 0..n-1, [] when it is empty (PORTAL.md 1.2)."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, Sequence) and not isinstance(value, str):
        return {str(index): item for index, item in enumerate(value)}
    return {}


def _number(value: Json, most: float) -> float | None:
    """Return a number from 0 to `most`, None for any other value."""
    if type(value) is float:  # what nearly all are
        return value if 0 <= value <= most else None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= most else None


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
