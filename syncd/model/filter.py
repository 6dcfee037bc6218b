"""Which entries belong to a sync: "title ~ (?i)lesson", "status = CANCELLED", "categories != private".

    condition = name ("~" | "!~") regex | name ("=" | "!=") text       a name with an operator in it: in "quotes"

The expressions come from the config and are trusted, so nothing guards against one that backtracks for ever. The texts
are not trusted, so only their first 10,000 characters are searched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.model.entry import Entry
from syncd.model.names import Value, as_text, lookup

SEARCHED_LENGTH = 10_000

_CONDITION = re.compile(
    r'\s*(?:"(?P<quoted>[^"]+)"|(?P<plain>[^"=~!]+?))\s*(?P<operator>!~|!=|~|=)(?P<value>.*)', re.DOTALL
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One comparison. `pattern` is set for a search, `value` (casefolded) for an equality.

    If there are several values (categories, attendees), it is enough that one of them matches. A negated condition
    holds if none does.
    """

    name: str
    operator: Literal["~", "!~", "=", "!="]
    value: str
    pattern: re.Pattern[str] | None = None

    def holds(self, entry: Entry) -> bool:
        """Return True if `entry` meets the condition. Raises EntryError if it has no field or column of that name."""
        return self.holds_for(lookup(self.name, entry, entry.details, entry.span))

    def holds_for(self, value: Value) -> bool:
        """Return True if the value of the name meets the condition."""
        texts = (value or ("",)) if isinstance(value, tuple) else (as_text(value),)
        return any(self._matches(text) for text in texts) != self.operator.startswith("!")

    def _matches(self, text: str) -> bool:
        if self.pattern is not None:
            return self.pattern.search(text, 0, SEARCHED_LENGTH) is not None
        return text.strip().casefold() == self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions for entries: one passes if every `include` holds and no `exclude` does."""

    include: tuple[Condition, ...] = ()
    exclude: tuple[Condition, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the conditions, each once, in the order of the config."""
        return tuple(dict.fromkeys(condition.name for condition in (*self.include, *self.exclude)))

    def passes(self, entry: Entry) -> bool:
        """Return True if `entry` belongs to the sync. Raises EntryError if it lacks a field or column."""
        return all(condition.holds(entry) for condition in self.include) and not any(
            condition.holds(entry) for condition in self.exclude
        )

    def leaves_out(self, known: Callable[[str], Value | None]) -> bool:
        """Return True if a row that is no entry is certainly left out: an exclude holds, or an include does not.

        `known` returns the value of a name in the row, None if it is not known. Such a condition decides nothing.
        """
        values = {name: known(name) for name in self.names}
        return any(
            condition.holds_for(value) == leaves_out
            for conditions, leaves_out in ((self.exclude, True), (self.include, False))
            for condition in conditions
            if (value := values[condition.name]) is not None
        )


NO_FILTER = Filter()
"""Lets every entry pass."""


def compile_condition(text: str, *, where: str) -> Condition:
    """Return the condition that `text` describes. Raises ConfigError, which begins with `where`, if it is none."""
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise ConfigError(
            say('{where}: "{text}" is not a condition', where=where, text=text),
            say('write "field = value", "field != value", "field ~ regex" or "field !~ regex"'),
        )
    name = found["quoted"] or found["plain"].strip()
    value = found["value"].strip()
    match found["operator"]:
        case "~" | "!~" as operator:
            return Condition(name=name, operator=operator, value=value, pattern=_pattern(text, value, where))
        case "!=":
            return Condition(name=name, operator="!=", value=value.casefold())
        case _:
            return Condition(name=name, operator="=", value=value.casefold())


def _pattern(text: str, regex: str, where: str) -> re.Pattern[str]:
    try:
        return re.compile(regex)
    except re.error as error:
        at = text.rindex(regex) + (error.pos or 0) + 1
        raise ConfigError(
            say(
                '{where}: "{text}" has a bad regular expression at character {at}: {msg}',
                where=where,
                text=text,
                at=at,
                msg=error.msg,
            )
        ) from None
