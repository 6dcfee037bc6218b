"""What the answers of a portal are called where people read of them; in documents they stay as they are here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from syncd.lang.saying import say, say_as, say_count

_MOVED: Final = re.compile(r"moved by (-?[\d.]+) h")
_LATER: Final = re.compile(r"(-?\d+) days later")
_OR_MORE: Final = re.compile(r"(\d+) or more")
_ANSWERS: Final[Mapping[str, str]] = {
    str(one): one
    for one in (
        say_as("answer", "refused"),
        say_as("answer", "kept"),
        say_as("answer", "changed"),
        say_as("answer", "replaced"),
        say_as("answer", "cut to six"),
        say_as("answer", "another colour"),
        say_as("answer", "emptied"),
        say_as("answer", "all"),
        say_as("answer", "some"),
        say_as("answer", "none"),
        say_as("answer", "full"),
        say_as("answer", "bare"),
        say_as("answer", "first page"),
        say_as("answer", "another page"),
        say_as("answer", "empty"),
        say_as("answer", "start"),
        say_as("answer", "server zone"),
        say_as("answer", "another zone"),
        say_as("answer", "inclusive"),
        say_as("answer", "exclusive"),
        say_as("answer", "source"),
        say_as("answer", "docs"),
        say_as("answer", "anybody"),
        say_as("answer", "anyone"),
        say_as("answer", "admins"),
        say_as("answer", "asked"),
        say_as("answer", "always"),
        say_as("answer", "accepted"),
        say_as("answer", "still shown"),
        say_as("answer", "sentence"),
        say_as("answer", "portal"),
        say_as("answer", "exact"),
        say_as("answer", "neither"),
        say_as("answer", "both"),
        say_as("answer", "blank"),
        say_as("answer", "rest lost"),
        say_as("answer", "shared"),
        say_as("answer", "own"),
        say_as("answer", "batch"),
        say_as("answer", "moved by today's difference"),
        say_as("answer", "monthly on the 31st"),
        say_as("answer", "monthly on the 30th"),
        say_as("answer", "yearly on 29 February"),
        say_as("answer", "daily from midnight until"),
        say_as("answer", "weekly on 3 days, counted"),
        say_as("answer", "fortnightly on 2 days, late window"),
        say_as("answer", "daily, counted without interval"),
        say_as("answer", "daily of 26 hours, counted"),
        say_as("answer", "weekly without a day"),
        say_as("answer", "daily, plain"),
        say_as("answer", "monthly with a day of the month"),
        say_as("answer", "weekly until a late day"),
    )
}


def answer_told(answer: str) -> str:
    """Return a text that was found out, or the name of a series, as it is told to people; others are as they are."""
    if found := _MOVED.fullmatch(answer):
        return say("moved by {hours:g} h", hours=float(found[1]))
    if found := _LATER.fullmatch(answer):
        return say_count("{count} day later", "{count} days later", int(found[1]))
    if found := _OR_MORE.fullmatch(answer):
        return say("{number} or more", number=int(found[1]))
    return _ANSWERS.get(answer, answer)


def answers_told(answers: Mapping[str, object]) -> str:
    """Return answers by name, as those of the series, as they are told to people."""
    told = tuple(
        say(
            "{name}: {answer}",
            name=answer_told(name),
            answer=one if isinstance(one, float) else answer_told(str(one)),
        )
        for name, one in answers.items()
    )
    return say("{answers}", answers=told)
