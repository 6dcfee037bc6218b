"""What can be found out about a portal: each fact with what PORTAL.md says of it and what syncd makes of it. Pure.

A fact holds no name, no text of a person and no address, so that a list of them can be given to anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from syncd.lang.saying import restored, say, stored
from syncd.model.json_values import Json
from syncd.portal.probe.statements import STATEMENTS, Statement

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One answer of a portal: `value`, or None with the reason in `why`. `expected` is what PORTAL.md foretells.

    Where PORTAL.md leaves several answers open, its statement lists them, and `expected` is None.
    """

    name: str
    value: Json = None
    why: str = ""
    expected: Json = None

    @property
    def statement(self) -> Statement:
        """What PORTAL.md says of it."""
        return STATEMENTS[self.name]

    @property
    def contradicts(self) -> bool:
        """True if PORTAL.md says something else."""
        if self.value is None:
            return False
        if self.expected is not None:
            return self.value != self.expected
        return bool(self.statement.answers) and self.value not in self.statement.answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a portal was found to do, at unix time `probed_at`; one fact per name, in the order of the statements."""

    probed_at: float
    facts: tuple[Fact, ...]

    def value(self, name: str) -> Json:
        """Return the value of a fact, None if it is not known."""
        return next((fact.value for fact in self.facts if fact.name == name), None)

    def text(self, name: str) -> str:
        """Return the value of a fact if it is a text, else ""."""
        value = self.value(name)
        return value if isinstance(value, str) else ""

    @property
    def known(self) -> int:
        """How many facts were found out."""
        return sum(fact.value is not None for fact in self.facts)

    @property
    def contradictions(self) -> tuple[Fact, ...]:
        """The facts of which PORTAL.md says something else."""
        return tuple(fact for fact in self.facts if fact.contradicts)

    def document(self) -> dict[str, Json]:
        """Return the facts as JSON for people, whose texts are messages."""
        return self._document(lambda text: text)

    def kept(self) -> dict[str, Json]:
        """Return the facts as JSON for the ledger, in the form that `facts_from` reads."""
        return self._document(stored)

    def _document(self, written: Callable[[str], str]) -> dict[str, Json]:
        rows: list[Json] = [
            {
                "fact": fact.name,
                "section": fact.statement.section,
                "documented": written(fact.statement.says),
                "found": fact.value,
                "expected": fact.expected,
                "contradicts": fact.contradicts,
                "use": written(fact.statement.use),
                "reason": written(fact.why) or None,
            }
            for fact in self.facts
        ]
        return {"version": VERSION, "probed_at": round(self.probed_at), "facts": rows}


def ordered(facts: Iterable[Fact], otherwise: str) -> tuple[Fact, ...]:
    """Return one fact for every statement, in their order; the last one of a name counts.

    What no experiment has told has the reason `otherwise`.
    """
    found = {fact.name: fact for fact in facts}
    return tuple(found.get(name, Fact(name=name, why=otherwise)) for name in STATEMENTS)


def facts_from(document: Json) -> Facts | None:
    """Return the facts in a document, None if it is none that this version can read.

    Facts of other versions of syncd are left out.
    """
    if not isinstance(document, Mapping) or document.get("version") != VERSION:
        return None
    rows, at = document.get("facts"), document.get("probed_at")
    if not isinstance(rows, list) or isinstance(at, bool) or not isinstance(at, int | float):
        return None
    facts = [
        Fact(
            name=name, value=row.get("found"), why=restored(str(row.get("reason") or "")), expected=row.get("expected")
        )
        for row in rows
        if isinstance(row, Mapping) and isinstance(name := row.get("fact"), str) and name in STATEMENTS
    ]
    return Facts(probed_at=float(at), facts=ordered(facts, say("not asked by the version of syncd that probed")))
