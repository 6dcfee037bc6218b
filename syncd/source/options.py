"""Checks the keys of `[sync.source]` against a struct; an unknown key is an error that names the nearest known one.

Public: plugins use it, so that mistakes in their options give the same messages as in those of built-in sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import TypeVar

import msgspec

from syncd.config.durations import parse_duration
from syncd.config.wrong_values import explained
from syncd.errors import ConfigError
from syncd.lang.saying import say
from syncd.source.reasons import reason_of

Options = TypeVar("Options", bound=msgspec.Struct)


def read_options(kind: type[Options], options: Mapping[str, object], *, where: str) -> Options:
    """Return `options` as a `kind`; raises ConfigError, beginning with `where`, for an unknown key or a wrong value."""
    # Unknown keys are checked first and by hand: msgspec names the key, but not the one that was meant.
    known = kind.__struct_fields__
    for key in options:
        if key not in known:
            raise ConfigError(say("{where}: unknown key {key!r}", where=where, key=key), nearest(key, known))
    try:
        # TOML has types of its own, so nothing is converted leniently: "7" is not a number.
        return msgspec.convert(dict(options), kind)
    except msgspec.ValidationError as error:
        raise _explained(kind, options, where, str(error)) from None


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a remedy that names the nearest known word, or all of them if none is near; "" if there are none."""
    words = sorted(known)
    by_folded = {known_word.casefold(): known_word for known_word in words}
    close = get_close_matches(word.casefold(), by_folded, n=3, cutoff=0.5)
    # Swapped letters come first, as the likeliest slip.
    close.sort(key=lambda known_word: sorted(known_word) != sorted(word.casefold()))
    if close:
        return say("did you mean {word!r}?", word=by_folded[close[0]])
    return say("there are: {names}", names=tuple(words)) if words else ""


def _explained(kind: type[msgspec.Struct], options: Mapping[str, object], where: str, message: str) -> ConfigError:
    path, said, remedy = explained(kind, options, message)
    key = ".".join(step for step in path if isinstance(step, str))
    if message.startswith("Object missing required field"):
        return ConfigError(say("{where}: missing key {key!r}", where=where, key=key))
    return ConfigError(say("{where}: {key} {said}", where=where, key=key, said=said), remedy)


def default_length(text: str, *, where: str) -> timedelta:
    """Return `default_duration`; raises ConfigError, beginning with `where`, if it is not a duration."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(say("{where}: default_duration {reason}", where=where, reason=reason_of(error))) from None


def unit_length(text: str, *, where: str) -> timedelta | None:
    """Return `duration_unit`, None for "auto"; raises ConfigError, beginning with `where`, if it is not a duration."""
    if text == "auto":
        return None
    try:
        unit = parse_duration(text)
    except ValueError as error:
        raise ConfigError(
            say("{where}: duration_unit {reason}", where=where, reason=reason_of(error)), say('or leave it at "auto"')
        ) from None
    if not unit:
        raise ConfigError(
            say("{where}: duration_unit = {text!r} is no length", where=where, text=text), say('e.g. "1h"')
        )
    return unit
