"""Where experiments are made: asks the portal within the probe's own small budget, and keeps track of what it made."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from syncd.clock import Clock
from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.portal.client import Portal
from syncd.portal.exchange.session import Question
from syncd.portal.line.answers import Answer
from syncd.portal.line.remedies import said_of
from syncd.portal.line.shapes import rows_of
from syncd.portal.line.wire import Command, Done, Refused, Reply, created_id, encode_command

MARK = "[syncd:probe]"
"""Stands in the description of everything that a probe makes, or in its name: by it the next one finds what is left."""
SHARE = 0.01
"""How much of the operating limit of a method a probe may use up."""
LONGEST_S = 110.0
_BATCH = 12
_TRIES = 3

Row = Mapping[str, Any]


class UnaskedError(Exception):
    """An experiment cannot be made; the text is the reason, fit for a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where the probe works: the webhook's user, the scratch section, and the leap year in which its events lie.

    `section` is 0 while there is none. `now_offset_s` is what PORTAL.md calls the now-offset, None if it is not known.
    """

    caller: int
    admin: bool
    scopes: frozenset[str]
    year: int
    section: int = 0
    now_offset_s: int | None = None
    server_offset_s: int | None = None

    def require(self, *scopes: str) -> None:
        """Raise UnaskedError unless the webhook has one of these scopes."""
        if not self.scopes & set(scopes):
            raise UnaskedError(say("syncd lacks the scope {scope}", scope=scopes[0]))

    @property
    def event(self) -> dict[str, Json]:
        """What every event of the probe is made with: private, free, an hour long, in UTC."""
        return {
            "type": "user",
            "ownerId": self.caller,
            "section": self.section,
            "name": "syncd probe",
            "description": MARK,
            "from": f"{self.year}-01-12T10:00:00",
            "to": f"{self.year}-01-12T11:00:00",
            "skip_time": "N",
            "timezone_from": "UTC",
            "timezone_to": "UTC",
            "private_event": "Y",
            "accessibility": "free",
        }


@dataclass(slots=True, kw_only=True)
class Bench:
    """Asks the portal for the experiments. `stop` ends it between two requests.

    `integer` tells whether the stamps of answers are whole seconds, None before the first.
    """

    portal: Portal
    clock: Clock
    scene: Scene
    stop: asyncio.Event
    limit_s: float
    zone: str = ""
    """The server's zone, once an experiment has found it."""
    integer: bool | None = None
    counted: bool = False
    requests: int = 0
    began: float = 0.0
    free: bool = False
    """While cleaning up there is no budget: what was made goes."""
    spent_s: dict[str, float] = field(default_factory=dict)
    blocked: dict[str, str] = field(default_factory=dict)

    async def ask(self, commands: Sequence[Command], *, single: bool = False) -> tuple[Reply, ...]:
        """Return the replies to commands of one batch, or to one single call. Raises UnaskedError."""
        texts = () if single else tuple(map(encode_command, commands))
        return (await self.answer(Question(commands=tuple(commands), texts=texts))).replies

    async def call(self, method: str, params: Mapping[str, Json] | None = None) -> Reply:
        """Return the reply to a single call. Raises UnaskedError."""
        (reply,) = await self.ask([Command(method=method, params=params or {})], single=True)
        return reply

    async def result(self, method: str, params: Mapping[str, Json] | None = None) -> Json:
        """Return the result of a single call. Raises UnaskedError with the portal's refusal."""
        return done(await self.call(method, params)).result

    async def answer(self, question: Question) -> Answer:
        """Send one request; a refusal for its rate is sent again, because none of it ran. Raises UnaskedError."""
        for _ in range(_TRIES):
            self._check(question)
            self.requests += 1
            answer = await self.portal.ask(question)
            self._note(question, answer)
            if not (isinstance(answer.whole, Refused) and answer.whole.reach == "rate"):
                return answer
            await self.clock.sleep(2.0)
        return answer

    def _check(self, question: Question) -> None:
        if self.free:
            return
        if self.stop.is_set():
            raise UnaskedError(say("the probe was stopped"))
        if self.clock.monotonic() - self.began > LONGEST_S:
            raise UnaskedError(say("the probe's two minutes were over"))
        counts = Counter(command.budget_key for command in question.commands)
        for method, count in counts.items():
            if method in self.blocked:
                raise UnaskedError(say("{method} is blocked: {reason}", method=method, reason=self.blocked[method]))
            cost = self.portal.cost_s(method) or 0.0
            if self.spent_s.get(method, 0.0) + count * cost > self.limit_s * SHARE:
                raise UnaskedError(
                    say("more calls of {method} would pass one per cent of its operating time", method=method)
                )

    def _note(self, question: Question, answer: Answer) -> None:
        for command, reply in zip(question.commands, answer.replies, strict=True):
            if isinstance(reply, Refused) and reply.reach == "method":
                self.blocked[command.budget_key] = said_of(reply.code, reply.description)
            if not isinstance(reply, Done) or reply.time is None:
                continue
            time = reply.time
            if time.start is not None:
                self.integer = (self.integer is not False) and time.start.is_integer()
            self.counted = self.counted or time.operating is not None
            key = command.budget_key
            self.spent_s[key] = self.spent_s.get(key, 0.0) + (self.portal.cost_s(key) or 0.0)

    def room(self, method: str) -> int:
        """Return how many more calls of a method the budget allows, by what they have cost so far."""
        cost_s = max(self.portal.cost_s(method) or 0.0, 0.001)
        return max(0, int((self.limit_s * SHARE - self.spent_s.get(method, 0.0)) / cost_s))

    async def add(self, events: Mapping[str, Mapping[str, Json]]) -> dict[str, int]:
        """Make events; return the ids of those that were made, by key. Raises UnaskedError if none can be sent."""
        ids: dict[str, int] = {}
        keys = list(events)
        for first in range(0, len(keys), _BATCH):
            some = keys[first : first + _BATCH]
            replies = await self.ask([self.making(events[key]) for key in some])
            ids |= self.ids(dict(zip(some, replies, strict=True)))
        return ids

    @staticmethod
    def ids(replies: Mapping[str, Reply]) -> dict[str, int]:
        """Return the ids in replies to creates, by key; what was refused or is not known has none."""
        made = {key: created_id(reply) for key, reply in replies.items() if isinstance(reply, Done)}
        return {key: number for key, number in made.items() if number is not None}

    def making(self, params: Mapping[str, Json]) -> Command:
        """Return the command that makes an event of the probe with these parameters; None takes one away."""
        given = {name: value for name, value in {**self.scene.event, **params}.items() if value is not None}
        return Command(method="calendar.event.add", params=given, success="id")

    async def rows(self, ids: Mapping[str, int]) -> dict[str, Row]:
        """Return the events with these ids that can be read, by key. Raises UnaskedError."""
        found: dict[str, Row] = {}
        keys = list(ids)
        for first in range(0, len(keys), 2 * _BATCH):
            some = keys[first : first + 2 * _BATCH]
            replies = await self.ask(
                [Command(method="calendar.event.getbyid", params={"id": ids[key]}) for key in some]
            )
            for key, reply in zip(some, replies, strict=True):
                if isinstance(reply, Done) and isinstance(reply.result, Mapping):
                    found[key] = reply.result
        return found

    async def listed(self, first: date, last: date, section: int | None = None) -> tuple[Row, ...]:
        """Return what calendar.event.get shows of a section in a window. Raises UnaskedError."""
        result = await self.result("calendar.event.get", {
            "type": "user",
            "ownerId": self.scene.caller,
            "from": first.isoformat(),
            "to": last.isoformat(),
            "section": [section or self.scene.section],
        })  # fmt: skip
        return tuple(row for row in rows_of(result) if isinstance(row, Mapping))


def done(reply: Reply) -> Done:
    """Return a reply that is an answer; raises UnaskedError with the reason for any other."""
    match reply:
        case Done():
            return reply
        case Refused():
            raise UnaskedError(say("refused: {reason}", reason=said_of(reply.code, reply.description)))
        case _:
            raise UnaskedError(say("no usable answer: {reason}", reason=reply.reason))


def text(row: Row, name: str) -> str:
    """Return a field of an event as text, "" if it is missing or empty."""
    value = row.get(name)
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
