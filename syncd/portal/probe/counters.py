"""How the portal counts operating time: whether, under which name, and for how long (PORTAL.md 3.2, 1.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from syncd.lang.saying import say
from syncd.portal.line.wire import Command, Done, Reply
from syncd.portal.probe.bench import Bench, done
from syncd.portal.probe.experiment import Experiment
from syncd.portal.probe.facts import Fact

_NO_EVENT = 2_147_483_000
_CALLS = 12
_NOTICED_S = 0.1
"""What a request uses below this is not counted at all."""


async def _run(bench: Bench) -> Iterable[Fact]:
    """Let a batch use up a little of one method, and see whose counters it moves."""
    read = Command(method="calendar.section.get", params={"type": "user", "ownerId": bench.scene.caller})
    other = Command(method="calendar.event.getbyid", params={"id": _NO_EVENT})
    alone = done(*await bench.ask([read], single=True))
    before = await bench.ask([read, other])
    spent_s = _spent_s(await bench.ask([read] * _CALLS))
    after = await bench.ask([read, other])
    alone_after = done(*await bench.ask([read], single=True))
    found = _Readings(
        single=_growth_s(alone, alone_after),
        nested=_growth_s(before[0], after[0]),
        other=_growth_s(*_ends(before, after)),
    )
    return (_counted(bench), _window(alone), _counter(found, spent_s))


COUNTERS = Experiment(
    facts=("operating", "operating_window_s", "batch_counter"),
    sends=say("a list of sections, a dozen times in a batch, and by itself before and after"),
    run=_run,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Readings:
    """By how much a batch moved three counters, in seconds: the method's own alone and in batches, another method's.

    None where the portal gave none.
    """

    single: float | None
    nested: float | None
    other: float | None


def _ends(before: Sequence[Reply], after: Sequence[Reply]) -> tuple[Reply, Reply]:
    return before[-1], after[-1]


def _operating(reply: Reply) -> float | None:
    return reply.time.operating if isinstance(reply, Done) and reply.time is not None else None


def _growth_s(before: Reply, after: Reply) -> float | None:
    first, second = _operating(before), _operating(after)
    return None if first is None or second is None else second - first


def _spent_s(replies: Iterable[Reply]) -> float:
    """Return how long commands took, by their own stamps; whole seconds are too rough, and count as a guess."""
    stamps = [reply.time for reply in replies if isinstance(reply, Done) and reply.time is not None]
    finishes = sorted(time.finish for time in stamps if time.finish is not None)
    return finishes[-1] - finishes[0] if len(finishes) > 1 else 0.0


def _counted(bench: Bench) -> Fact:
    return Fact(name="operating", value=bench.counted)


def _window(reply: Reply) -> Fact:
    """Return how long after a first call its seconds drop, rounded to a minute: the stamps may be whole seconds."""
    time = reply.time if isinstance(reply, Done) else None
    if time is None or time.operating_reset_at is None or time.start is None:
        return Fact(name="operating_window_s", why=say("the portal counts no operating time"))
    left = time.operating_reset_at - time.start
    # With earlier calls of the last ten minutes the oldest of them drops first.
    if time.operating or left < 540:
        return Fact(name="operating_window_s", why=say("calls of this method in the last ten minutes hide it"))
    return Fact(name="operating_window_s", value=round(left / 60) * 60)


def _counter(found: _Readings, spent_s: float) -> Fact:
    """Tell whose counter a batch moves. What it moves by is nearly what the batch took, but for the first command."""
    name = "batch_counter"
    if found.single is None or found.nested is None or found.other is None:
        return Fact(name=name, why=say("the portal counts no operating time"))
    least = max(_NOTICED_S, spent_s / 2)
    if spent_s <= _NOTICED_S or found.nested < least:
        return Fact(name=name, why=say("the calls were too quick to be counted"))
    if found.other >= least:
        return Fact(name=name, value="batch")
    return Fact(name=name, value="own" if found.single >= least else "shared")
