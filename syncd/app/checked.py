"""What `syncd check` reports: one line for each thing that was checked, and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncd.lang.saying import say, say_as, say_count
from syncd.model.json_values import Json

_SHOWN_NAMES = 8
_LABELS: Mapping[str, str] = {
    "config": say_as("check", "config"),
    "secrets": say_as("check", "secrets"),
    "state": say_as("check", "state"),
    "source": say_as("check", "source"),
    "entries": say_as("check", "entries"),
    "portal": say_as("check", "portal"),
    "facts": say_as("check", "facts"),
    "guard": say_as("check", "guard"),
    "clients": say_as("check", "clients"),
    "calendars": say_as("check", "calendars"),
    "owners": say_as("check", "owners"),
    "sections": say_as("check", "sections"),
    "target": say_as("check", "target"),
    "zone": say_as("check", "zone"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was checked: `detail` says what was found, `remedy` what to do if it is not ok.

    `exit_code` is what a sync would end with because of it, None if that follows from the name.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    exit_code: int | None = None

    @property
    def label(self) -> str:
        """What people call it: the name, whose first word is the kind of thing."""
        kind, _, thing = self.name.partition(" ")
        label = _LABELS.get(kind, kind)
        return say("{kind} {thing}", kind=label, thing=thing) if thing else label


def check_document(checks: tuple[Check, ...]) -> dict[str, Json]:
    """Return the JSON document of `syncd check --json`."""
    return {
        "ok": all(one.ok for one in checks),
        "problems": sum(not one.ok for one in checks),
        "checks": [{"name": one.name, "ok": one.ok, "detail": one.detail, "remedy": one.remedy} for one in checks],
    }


def summary(checks: Sequence[Check]) -> str:
    """Return in one line how many checks found nothing, and the names of the others."""
    number = say_count("{count:,} check", "{count:,} checks", len(checks))
    problems = [one.label for one in checks if not one.ok]
    if not problems:
        return say("{checks}, no problem", checks=number)
    named = Counter(problems)
    shown = tuple(
        name if count == 1 else say("{name} ({number})", name=name, number=count)
        for name, count in named.most_common(_SHOWN_NAMES)
    )
    more = (say("and {number} more", number=len(named) - len(shown)),) if len(named) > len(shown) else ()
    return say(
        "{checks}, {problems}: {names}",
        checks=number,
        problems=say_count("{count:,} problem", "{count:,} problems", len(problems)),
        names=(*shown, *more),
    )


def entries_of(number: int) -> str:
    """Return a number of entries in words."""
    return say_count("{count:,} entry", "{count:,} entries", number)
