"""Commands, the replies to them, and how commands are encoded.

Pure: no IO, no clock. A value that PHP or the macro substitution would change on the way never gets into a batch
(PORTAL.md 2.2, 2.3); its command travels alone, as JSON.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import msgspec

from syncd.lang.saying import say
from syncd.model.json_values import Json, dumps

Reach = Literal["command", "method", "rate", "portal"]
"""What a refusal applies to: this command, all commands of its method, the whole request, the caller."""

Success = Literal["anything", "true", "id", "object"]
"""Which result means that a command was done: any, exactly true, an id, or an object with the key id."""

NOT_SENT = "not_sent"
"""Code of a refusal made here: the command was certainly not executed and may be sent later."""

UNEXPECTED = "unexpected"
"""Code of a refusal made here: the answer is not the one that the command succeeds with; `description` is it."""

DEPENDENCY = "dependency"
"""Code of a refusal made here: the job that this one waits for was not done."""

UNSENDABLE = "unsendable"
"""Code of a refusal made here: the command cannot be written as a request at all."""

MAX_VARIABLES = 900
"""PHP silently drops variables after the 1000th (PORTAL.md 2.2)."""

MAX_DEPTH = 32
"""PHP drops values nested deeper than 64 in a query string."""

MAX_JSON_DEPTH = 320
"""PHP takes JSON deeper than 512 for malformed, and a malformed body for none (PORTAL.md 1.1)."""

MAX_BATCHED_BYTES = 200_000
"""A longer command travels alone, so that a batch stays far below any limit on the size of a request."""

# Words that the text filter looks for in pairs (PORTAL.md 1.5). Matching them inside others costs only a few bytes.
_FILTERED = re.compile(
    r"create|alter|drop|select|from|where|limit|union|update|insert|into|load_file|script|expression|data|on[a-z]+"
)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.~-]+")
"""What RFC 3986 has percent-encoded. Runs of it are written at once: `urllib.parse.quote` goes byte by byte."""

_SHORT = 40
_NO_UNICODE = say("text that is not valid Unicode")
_METHOD = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_]+")
_TOP_KEY = re.compile(r"[^\x00-\x20\x7f.\[\]]+")
_NESTED_KEY = re.compile(r"[^\x00-\x20\x7f\[\]][^\x00-\x1f\x7f\[\]]*")
# PORTAL.md 2.3, made a little wider: only the blanks that PHP knows end the run, and case is ignored beyond ASCII.
_MACRO = re.compile(r"\$(?:result|next|total|time|error)[^ \t\n\r\f]*?\[[^\]]+\]", re.IGNORECASE)


_lower = lru_cache(maxsize=256)(str.lower)
"""One text for each method, not one for each of a hundred thousand commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One call of a portal method; `params` as the method wants them, booleans already as Y/N or 1/0.

    `success` names the result that means that it was done: the portal puts some refusals into `result` (PORTAL.md 4.3).
    """

    method: str
    params: Mapping[str, Json] = field(default_factory=dict)
    success: Success = "anything"

    @property
    def budget_key(self) -> str:
        """Name under which the portal counts the method: names are lower-cased first (PORTAL.md 1.1)."""
        return _lower(self.method)


class CallTime(msgspec.Struct, frozen=True, kw_only=True):
    """The `time` of one answer; every number may be missing. Unix seconds of the portal, or seconds.

    `operating` and `operating_reset_at` are the absolute values of PORTAL.md 3.2.
    """

    start: float | None = None
    finish: float | None = None
    duration: float | None = None
    operating: float | None = None
    operating_reset_at: float | None = None
    date_start: str | None = None


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The portal executed the command; `believed` decides whether `result` means success.

    `total` and `next` are those of a list, None where they are missing. `doubt` says which of them is no number, or
    what is wrong with the shape of a reading; with a doubt nothing that was read is believed.
    """

    result: Json
    time: CallTime | None = None
    total: int | None = None
    next: int | None = None
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The portal answered with an error; `description` is its text, for people only, never for decisions."""

    code: str
    description: str
    reach: Reach = "command"
    transient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The command may or may not have been executed; `reason` is what was observed.

    `ended` is True if a complete answer came: the request is over, and reading the portal shows what it did. A request
    that was cut, or that a gateway gave up on, may still be running. `code` is the error code of a clear refusal of the
    whole request that nobody has documented, "" for any other.
    """

    reason: str
    ended: bool = False
    code: str = ""


Reply = Done | Refused | Unknown


def believed(command: Command, reply: Done) -> bool:
    """Return True if the answer to `command` means that it was done."""
    match command.success:
        case "anything":
            return True
        case "true":
            return reply.result is True
        case "id":
            return isinstance(reply.result, (int, str)) and created_id(reply) is not None
        case "object":
            return isinstance(reply.result, Mapping) and created_id(reply) is not None


def created_id(reply: Done) -> int | None:
    """Return the id that a create answered with, by itself or in an object; None if there is none."""
    value = reply.result
    if not isinstance(value, (int, str)) and isinstance(value, Mapping):
        value = value.get("id")
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    # ASCII only: int() would read other digits that no portal writes.
    number = int(value) if isinstance(value, int) or (value.isascii() and value.isdecimal()) else 0
    return number if number > 0 else None


@dataclass(slots=True)
class Written:
    """A command's batch string, or the reason why it must travel alone or cannot be sent at all."""

    text: str | None = None
    alone: str | None = None
    unsendable: str | None = None


def encode_command(command: Command) -> str:
    """Return the command as a batch string `method?query`, keys and values percent-encoded (RFC 3986).

    Raises ValueError with the reason when the command may not travel in a batch (see `alone_because`) or cannot be
    sent at all (see `unsendable_because`).
    """
    text, reason = batch_form(command)
    if text is None:
        raise ValueError(f"{command.method} cannot go in a batch: {reason}")
    return text


def batch_form(command: Command) -> tuple[str | None, str | None]:
    """Return the batch string, or None and the reason why the command must travel alone or not at all."""
    form = written(command)
    return form.text, form.unsendable or form.alone


def written(command: Command) -> Written:
    """Return how the command can travel, after a single inspection."""
    if (text := _written_flat(command)) is not None:
        return Written(text=text)
    found = _inspect(command)
    if found.unsendable is not None or found.alone is not None:
        return found
    pairs: list[str] = []
    for name, value in command.params.items():
        leaves = _variables(name, value)
        pairs += [_short_pair(key, leaf) if len(leaf) <= _SHORT else _pair(key, leaf) for key, leaf in leaves]
    text = f"{command.method}?{'&'.join(pairs)}" if pairs else command.method
    if len(text) > MAX_BATCHED_BYTES:
        return Written(alone=f"longer than {MAX_BATCHED_BYTES} bytes")
    found.text = text
    return found


def _written_flat(command: Command) -> str | None:
    """Return the batch string of a command in which nothing can be wrong, None for any other.

    Nearly every command of a large push is one: its values are plain texts and whole numbers. This takes half the time
    of a look at all of it (`_inspect`) and of writing it afterwards, and says the same.
    """
    names, pairs, size = tuple(command.params), [], 0
    if not names or len(names) > MAX_VARIABLES or _name_faults(names, top=True) != (None, None):
        return None
    for name, value in command.params.items():
        if type(value) is str:
            if len(value) <= _SHORT:
                pair = _short_plain_pair(name, value)
            else:
                pair = _pair(name, value) if _is_plain(value) else None
        else:
            pair = _short_pair(name, str(value)) if type(value) is int else None
        if pair is None:
            return None
        pairs.append(pair)
        size += len(pair)
    if size > MAX_BATCHED_BYTES // 2 or not _METHOD.fullmatch(command.method):
        return None
    return f"{command.method}?{'&'.join(pairs)}"


def encode_single(command: Command, authorization: Mapping[str, str] | None = None) -> bytes:
    """Return the JSON body of a call of its own; raises ValueError when the command cannot be sent at all."""
    reason = unsendable_because(command)
    if reason is not None:
        raise ValueError(f"{command.method} cannot be sent: {reason}")
    return dumps(_plain({**command.params, **(authorization or {})}))


def encode_batch(commands: Mapping[str, str], authorization: Mapping[str, str] | None = None) -> bytes:
    """Return the JSON body of a `batch` call from encoded commands by their keys, which must not be numbers."""
    about_bytes = sum(map(len, commands.values()))
    return dumps({"halt": 0, "cmd": dict(commands), **(authorization or {})}, about_bytes=about_bytes)


def alone_because(command: Command) -> str | None:
    """Return why the command must travel as a single JSON call, or None when it may be batched.

    The reasons are those of PORTAL.md 2.2 and 2.3: what a query string cannot express, and what would be substituted.
    """
    return batch_form(command)[1]


def unsendable_because(command: Command) -> str | None:
    """Return why the command cannot be sent in any form, or None."""
    return _inspect(command).unsendable


def _inspect(command: Command) -> Written:
    """Look at every key and value once, without recursion: nesting comes from outside and may be deep."""
    found = Written()
    if not _METHOD.fullmatch(command.method):
        found.unsendable = say("the method's name is not one")
        return found
    leaves = 0
    stack: list[tuple[int, Json]] = [(1, command.params)]
    while stack:
        depth, value = stack.pop()
        if value is None or isinstance(value, (str, bool, int, float)):
            leaves += 1
            found.unsendable = found.unsendable or _never(value)
            found.alone = found.alone or _bad_value(value)
            continue
        if depth > MAX_JSON_DEPTH:
            found.unsendable = say("nested too deeply")
            return found
        if depth > MAX_DEPTH:
            found.alone = "nested too deeply for a query string"
        if not value and depth > 1:
            found.alone = "an empty list cannot be written in a query string"
        items: Iterable[Json]
        if isinstance(value, Mapping):
            never, bad = _name_faults(tuple(value), top=depth == 1)
            found.unsendable = found.unsendable or never
            found.alone = found.alone or bad
            items = value.values()
        else:
            items = value
        for item in items:
            # A bool is an int, too, but cannot be written in a query string.
            if type(item) is int or (isinstance(item, str) and _is_plain(item)):
                leaves += 1  # the common case, in which nothing can go wrong
            else:
                stack.append((depth + 1, item))
    if leaves > MAX_VARIABLES:
        found.alone = f"more than {MAX_VARIABLES} values"
    return found


@lru_cache(maxsize=256)
def _name_faults(names: tuple[str, ...], *, top: bool) -> tuple[str | None, str | None]:
    """Return why the names of parameters can never be sent, and why not in a batch; commands have the same ones."""
    # Nearly every name is a plain word, in which nothing can be wrong.
    odd = [name for name in names if not _PLAIN_KEY.fullmatch(name)]
    never, bad = (_never(name) for name in odd), (_bad_key(name, top=top) for name in odd)
    return next(filter(None, never), None), next(filter(None, bad), None)


def _never(value: bool | int | float | str | None) -> str | None:
    """Return why JSON cannot express the value, None if it can."""
    if isinstance(value, str):
        return None if value.isascii() or not _has_surrogate(value) else _NO_UNICODE
    if isinstance(value, float) and not math.isfinite(value):
        return say("a number that is not finite")
    return None


def _bad_key(key: str, *, top: bool) -> str | None:
    wanted = _TOP_KEY if top else _NESTED_KEY
    if not wanted.fullmatch(key):
        return f"PHP would rename the parameter {key!r}"
    return "a parameter's name looks like a macro" if _has_macro(key) else None


def _bad_value(value: bool | int | float | str | None) -> str | None:
    if isinstance(value, str):
        return "the batch would substitute text that looks like a macro" if _has_macro(value) else None
    if value is None:
        return "null cannot be written in a query string"
    if isinstance(value, bool):
        return "true and false cannot be written in a query string"
    return None


def _has_macro(text: str) -> bool:
    if "$" not in text and "&" not in text:
        return False
    # The filter decodes HTML entities before it checks a text (PORTAL.md 1.5), and may pass on the decoded one.
    return _MACRO.search(text) is not None or ("&" in text and _MACRO.search(html.unescape(text)) is not None)


def _is_plain(text: str) -> bool:
    """Return True for a text, in any script, in which neither PHP nor the macro substitution nor JSON can find a thing.

    A macro begins with a dollar sign, or with an ampersand before HTML's entities are read (`_has_macro`).
    """
    return "$" not in text and "&" not in text and (text.isascii() or not _has_surrogate(text))


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _quoted(text: str) -> str:
    """Percent-encode for a command string so that the text filter finds nothing in it.

    The filter sees the whole command string as one text before it is taken apart: a title with "select" and the key
    "from" further on would make it split the key, and the portal would miss a parameter (PORTAL.md 1.5, 2.4).
    """
    quoted = _UNSAFE.sub(_percent, text)
    if _FILTERED.search(quoted.lower()) is None:
        return quoted
    return _escaped(text)


def _percent(unsafe: re.Match[str]) -> str:
    return _escaped(unsafe[0])


def _escaped(text: str) -> str:
    return f"%{text.encode('utf-8', 'replace').hex('%').upper()}"


def _pair(key: str, text: str) -> str:
    return f"{_quoted_short(key)}={_quoted(text)}"


_quoted_short = lru_cache(maxsize=1024)(_quoted)
_short_pair = lru_cache(maxsize=4096)(_pair)
_short_plain_pair = lru_cache(maxsize=4096)(lambda key, text: _pair(key, text) if _is_plain(text) else None)
"""For texts up to _SHORT characters, which repeat from command to command: names, dates, zones, colours."""


def _variables(prefix: str, value: Json) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield prefix, value
    elif isinstance(value, (int, float)) or value is None:
        yield prefix, str(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _variables(f"{prefix}[{key}]", item)
    else:
        for index, item in enumerate(value):
            yield from _variables(f"{prefix}[{index}]", item)


def _plain(value: Json) -> Json:
    """Return `value` with dict and list for any mapping and sequence, as the JSON writer requires."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


__all__ = [
    "DEPENDENCY",
    "MAX_VARIABLES",
    "NOT_SENT",
    "UNEXPECTED",
    "UNSENDABLE",
    "CallTime",
    "Command",
    "Done",
    "Json",
    "Reach",
    "Refused",
    "Reply",
    "Success",
    "Unknown",
    "Written",
    "alone_because",
    "batch_form",
    "believed",
    "created_id",
    "encode_batch",
    "encode_command",
    "encode_single",
    "unsendable_because",
    "written",
]
