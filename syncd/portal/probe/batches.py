"""How the portal reads the text of a batch, and what it puts in place of its macros (PORTAL.md 2.2, 2.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from syncd.lang.saying import say
from syncd.portal.exchange.session import Question
from syncd.portal.line.wire import Command, Done, encode_command
from syncd.portal.probe.bench import MARK, Bench, Row, UnaskedError, text
from syncd.portal.probe.experiment import Experiment
from syncd.portal.probe.facts import Fact

_LOST = say("the event could not be made or read back")


async def _run(bench: Bench) -> Iterable[Fact]:
    """Make two events in a batch whose text is not what syncd would write, behind a command for macros to name."""
    texts = ("server.time", *(f"{_encoded(bench, name)}&{rest}" for name, rest in _AWKWARD))
    commands = (Command(method="server.time"), *(bench.making({}) for _ in _AWKWARD))
    answer = await bench.answer(Question(commands=commands, texts=texts))
    clock, *made = answer.replies
    keys = [name for name, _ in _AWKWARD]
    rows = await bench.rows(bench.ids(dict(zip(keys, made, strict=True))))
    if not rows:
        raise UnaskedError(_LOST)
    known = isinstance(clock, Done) and isinstance(clock.result, str)
    return (*_parsing(rows.get("parsing", {})), *_macros(rows.get("macros", {}), known=known))


BATCHES = Experiment(
    facts=("macros", "macro_prefixes", "batch_plus", "batch_hash", "batch_newline", "batch_broken_escape"),
    sends=say("two events in a batch with characters and macros that syncd itself never puts into one"),
    run=_run,
    events=2,
)

_AWKWARD = (
    ("parsing", f"description={MARK}a+b&location=x\ny%zzz&name=syncd%20probe#cut"),
    ("macros", f"description={MARK}%20%24result[c0]%20end&location=a%24resultat[c0]"),
)
"""By key: what is written in place of some parameters. `c0` is the command before."""


def _encoded(bench: Bench, key: str) -> str:
    """Return a command's text without the parameters that are written by hand."""
    by_hand: Mapping[str, None] = {"description": None} | ({"name": None} if key == "parsing" else {})
    return encode_command(bench.making(by_hand))


def _parsing(row: Row) -> tuple[Fact, ...]:
    plus, place, name = text(row, "DESCRIPTION"), text(row, "LOCATION"), text(row, "NAME")
    if not row:
        return tuple(Fact(name=one, why=_LOST) for one in BATCHES.facts[2:])
    blank = {f"{MARK}a b": "blank", f"{MARK}a+b": "kept"}.get(plus, "changed")
    line = {"x_y": "_", "x\ny": "kept", "x": "rest lost"}.get(place.split("%", 1)[0], "changed")
    return (
        Fact(name="batch_plus", value=blank),
        Fact(name="batch_hash", value="rest lost" if name == "syncd probe" else "kept"),
        Fact(name="batch_newline", value=line),
        Fact(name="batch_broken_escape", value="kept" if place.endswith("%zzz") else "changed"),
    )


def _macros(row: Row, *, known: bool) -> tuple[Fact, Fact]:
    """Tell whether the answer of the command before stands in the event, instead of the macro."""
    if not row or not known:
        return Fact(name="macros", why=_LOST), Fact(name="macro_prefixes", why=_LOST)
    inside, longer = text(row, "DESCRIPTION"), text(row, "LOCATION")
    return (
        Fact(name="macros", value="$result[c0]" not in inside),
        Fact(name="macro_prefixes", value="$resultat[c0]" not in longer),
    )
