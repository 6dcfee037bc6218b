"""A portal that answers with wrong values: one value of its answers is replaced before the client reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import orjson

from syncd.portal.line.answers import RawAnswer
from syncd.sandbox.world import World
from tests.support.sandbox import SimClock, WorldTransport

WRONG: tuple[Any, ...] = (
    *(None, False, True, 0, -7, 12, 1.5, 1e308, "", "0", "Доступ запрещен", "Access denied", [], {}, [None], ["x"]),
    *([[]], {"x": 1}, {"error": "x"}, [{"ID": "x"}], [{}]),
)
"""What may stand where something else belongs. JSON knows neither NaN nor infinity."""

Path = tuple[str | int, ...]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every value in a JSON document, the outermost first; of a list the first two items."""
    yield path
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from places(one, (*path, key))
    elif isinstance(value, list):
        for index, one in enumerate(value[:2]):
            yield from places(one, (*path, index))


def put(document: Any, path: Path, value: Any) -> Any:
    """Return `document` with another value at `path`; LEAVE_OUT takes it away."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    changed = cast(Any, list(document) if isinstance(document, list) else dict(document))
    if not rest and value is LEAVE_OUT:
        del changed[head]
    else:
        changed[head] = put(document[head], rest, value)
    return changed


LEAVE_OUT = object()


@dataclass(slots=True)
class Mutation:
    """Which value of which answers becomes what.

    `method` is the method whose answers are struck, "" for the envelope of any. `pick` chooses one of the paths of the
    struck part. The first `skip` such answers are let through, then `times` are struck.
    """

    method: str
    pick: Callable[[list[Path]], Path]
    value: Any
    skip: int = 0
    times: int = 1
    struck: list[tuple[Path, Any]] = field(default_factory=list)

    def strike(self, part: Any) -> Any:
        """Return `part` of an answer, spoiled if it is its turn."""
        if self.skip > 0:
            self.skip -= 1
            return part
        if self.times <= 0:
            return part
        path = self.pick(list(places(part)))
        before = part
        for step in path:
            before = before[step]
        if _alike(before, self.value, path) or (self.value is LEAVE_OUT and (not path or isinstance(path[-1], int))):
            return part  # not a wrong value here
        self.times -= 1
        self.struck.append((path, before))
        return put(part, path, self.value)


def _alike(before: Any, value: Any, path: Path) -> bool:
    """Return True if a value may be the right one there, so that no reader could tell that it is wrong.

    In a row, what is empty varies, and an empty column does not show of which type its values are (PORTAL.md 4.6).
    """
    if value is LEAVE_OUT:
        return False
    if path and (before is None or before is False or before in ("", [])):
        return True
    return _kind(before) == _kind(value)


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "number" if value.isascii() and value.isdecimal() else "text"
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float):
        return "number" if isinstance(value, int) and value >= 0 else "odd number"
    if isinstance(value, list):
        return "list" if not value or isinstance(value[0], Mapping) else "odd list"
    return "object"


class MutatingTransport(WorldTransport):
    """Carries answers of a simulated world, and spoils them."""

    def __init__(self, world: World, clock: SimClock) -> None:
        super().__init__(world, clock)
        self.mutation: Mutation | None = None

    async def post(self, method: str, body: bytes, timeout_s: float) -> RawAnswer:
        answer = await super().post(method, body, timeout_s)
        try:
            said = orjson.loads(answer.body) if self.mutation is not None else None
        except orjson.JSONDecodeError:  # a fault has cut or replaced it already
            said = None
        if self.mutation is None or not isinstance(said, dict):
            return answer
        return replace(answer, body=orjson.dumps(self._spoiled(self.mutation, method, body, said)))

    def _spoiled(self, mutation: Mutation, method: str, body: bytes, said: Any) -> Any:
        if not mutation.method:
            return mutation.strike(said)
        if method != "batch":
            if method == mutation.method and "result" in said:
                said["result"] = mutation.strike(said["result"])
            return said
        results = said.get("result", {}).get("result")
        for key, command in orjson.loads(body).get("cmd", {}).items():
            if command.partition("?")[0] == mutation.method and isinstance(results, dict) and key in results:
                results[key] = mutation.strike(results[key])
        return said
