"""Faults of the simulated portal that can be switched on, and when they strike.

    KIND[:key=value,...]      e.g.  storm:request=3-5   cut-during:method=calendar.event.add,keep=7   slow:seconds=4

Conditions (all must hold): request=N | N-M | N- (HTTP requests counted from 1), every=N, method=NAME (one of the
request's commands), chance=0..1 (seeded), times=N (at most N times).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from random import Random
from types import MappingProxyType

from syncd.errors import ConfigError
from syncd.lang.saying import say

#: Kind -> (what it does, options of its own with their defaults).
KINDS = MappingProxyType(
    {
        "storm": (say("503 QUERY_LIMIT_EXCEEDED, nothing executed"), {}),
        "error-before": (say("500 INTERNAL_SERVER_ERROR, nothing executed"), {}),
        "error-after": (say("500 INTERNAL_SERVER_ERROR after everything was executed"), {}),
        "cut-before": (say("connection cut, nothing executed"), {}),
        "cut-during": (say("connection cut after `keep` commands of a batch (half of them by default)"), {"keep": ""}),
        "cut-after": (say("connection cut after everything was executed"), {}),
        "late": (say("connection cut, and everything executed `seconds` later"), {"seconds": "30"}),
        "queue": (
            say("waits `seconds` before it is executed, and 504 comes then, however soon the caller gives up"),
            {"seconds": "100"},
        ),
        "html": (say("an HTML page with `status` instead of JSON, nothing executed"), {"status": "200"}),
        "half": (say("executed, but only the first half of the JSON arrives"), {}),
        "redirect": (say("302 to `to`, nothing executed"), {"to": "https://renamed.bitrix24.com"}),
        "block": (say("OPERATION_TIME_LIMIT for every command of `method`"), {}),
        "crash": (
            say("a PHP Error at the first command of `method`: 500 without JSON, the rest of a batch not run"),
            {},
        ),
        "slow": (say("every command of `method` takes `seconds` longer"), {"seconds": "5"}),
        "hang": (say("executed, but the answer takes `seconds`"), {"seconds": "3600"}),
        "credentials": (say("INVALID_CREDENTIALS; with request=N- from a request on"), {}),
    }
)
_CONDITIONS = ("request", "every", "method", "chance", "times")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault and its conditions; `last` None means without end, `times` None without limit."""

    kind: str
    first: int = 1
    last: int | None = None
    every: int = 1
    method: str | None = None
    chance: float = 1.0
    times: int | None = None
    keep: int | None = None
    seconds: float = 0.0
    status: int = 200
    to: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(say("unknown fault {kind!r}", kind=self.kind), _known(self.kind))

    def concerns(self, method: str) -> bool:
        """Return True if the fault is about commands of this method."""
        return self.method is None or self.method == method


def parse_fault(text: str) -> Fault:
    """Read `KIND[:key=value,...]`; raise ConfigError that names the word at fault and the known ones."""
    kind, _, rest = text.strip().partition(":")
    if kind not in KINDS:
        raise ConfigError(say("unknown fault {kind!r} in {text!r}", kind=kind, text=text), _known(kind))
    own = KINDS[kind][1]
    words = dict(own)
    for word in filter(None, (part.strip() for part in _options(rest))):
        key, equals, value = word.partition("=")
        if not equals or (key not in _CONDITIONS and key not in own):
            raise ConfigError(
                say("fault {kind!r} has no option {word!r}", kind=kind, word=word),
                say("known: {names}", names=(*_CONDITIONS, *own)),
            )
        words[key] = value
    first, last = _number_range(words.get("request", "1-"), text)
    return Fault(
        kind=kind,
        first=first,
        last=last,
        every=_whole(words.get("every", "1"), "every", text, least=1),
        method=words["method"].lower() if words.get("method") else None,
        chance=_share(words.get("chance", "1"), text),
        times=_whole(words["times"], "times", text, least=1) if "times" in words else None,
        keep=_whole(words["keep"], "keep", text, least=0) if words.get("keep") else None,
        seconds=_seconds(words.get("seconds", "0"), text),
        status=_whole(words.get("status", "200"), "status", text, least=200),
        to=words.get("to", ""),
    )


def _options(rest: str) -> list[str]:
    return rest.split(",") if rest else []


def _known(kind: str) -> str:
    near = get_close_matches(kind, KINDS, n=1)
    known = say("known faults: {names}", names=tuple(KINDS))
    return say("did you mean {name}? {known}", name=near[0], known=known) if near else known


def _whole(value: str, key: str, text: str, *, least: int) -> int:
    if not value.isascii() or not value.isdigit() or int(value) < least:
        raise ConfigError(
            say(
                "{key}={value} in fault {text!r} is no whole number from {least} on",
                key=key,
                value=value,
                text=text,
                least=least,
            ),
            say("as in {key}=3", key=key),
        )
    return int(value)


def _number_range(value: str, text: str) -> tuple[int, int | None]:
    low, dash, high = value.partition("-")
    first = _whole(low, "request", text, least=1)
    if not dash:
        return first, first
    return first, _whole(high, "request", text, least=first) if high else None


def _share(value: str, text: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise ConfigError(
            say("chance={value} in fault {text!r} is no share", value=value, text=text),
            say("a number from 0 to 1, as in chance=0.1"),
        )
    return share


def _seconds(value: str, text: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds < float("inf"):
        raise ConfigError(
            say("seconds={value} in fault {text!r} is no duration", value=value, text=text),
            say("a number of seconds, as in seconds=2.5"),
        )
    return seconds


@dataclass(slots=True)
class FaultLine:
    """Decides for each request which faults strike, and keeps all the state that faults have."""

    faults: tuple[Fault, ...]
    random: Random
    requests: int = 0
    named: dict[str, int] = field(default_factory=dict)
    _struck: dict[int, int] = field(default_factory=dict)

    def strike(self, methods: Callable[[], frozenset[str]]) -> tuple[Fault, ...]:
        """Count a request and return the faults that strike it, in the order given.

        `methods` returns the methods of the request's commands; it is called only if a fault has a method.
        """
        self.requests += 1
        faults, number = enumerate(self.faults), self.requests
        return tuple(fault for place, fault in faults if self._strikes(place, fault, methods, number))

    def strike_only(self, method: str) -> tuple[Fault, ...]:
        """Count a request to `method` by itself and return the faults that strike it by its name."""
        self.named[method] = number = self.named.get(method, 0) + 1
        named = ((place, fault) for place, fault in enumerate(self.faults) if fault.method == method)
        return tuple(one for place, one in named if self._strikes(place, one, lambda: frozenset({method}), number))

    def _strikes(self, place: int, fault: Fault, methods: Callable[[], frozenset[str]], number: int) -> bool:
        if number < fault.first or (fault.last is not None and number > fault.last):
            return False
        if (number - fault.first) % fault.every:
            return False
        if fault.method is not None and fault.method not in methods():
            return False
        if fault.times is not None and self._struck.get(place, 0) >= fault.times:
            return False
        # Drawn last, so that requests which another condition rules out do not use up random numbers.
        if fault.chance < 1.0 and self.random.random() >= fault.chance:
            return False
        self._struck[place] = self._struck.get(place, 0) + 1
        return True
