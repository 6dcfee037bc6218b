"""JSON that contains texts for people: messages are written in the reader's language, everything else as it is."""

from __future__ import annotations

import orjson

from syncd.lang.catalog import reader, told
from syncd.model.json_values import Json, dumps

_SAMPLE = 64
_INDENTED_BYTES = 16


def told_json(value: Json) -> bytes:
    """Return the JSON document of `value`, indented."""
    if reader() == "en":  # a message is its English text already
        return dumps(value, option=orjson.OPT_INDENT_2, about_bytes=_about_bytes(value))
    passed = orjson.OPT_INDENT_2 | orjson.OPT_PASSTHROUGH_SUBCLASS
    return dumps(value, _plain, passed, about_bytes=_about_bytes(value))


def _about_bytes(value: object) -> int:
    """Return about how long the JSON of a value will be; of a long list some elements tell."""
    match value:
        case str():
            return _INDENTED_BYTES + 2 * len(value)
        case dict():
            return sum(_INDENTED_BYTES + len(name) + _about_bytes(one) for name, one in value.items())
        case list():
            some = value[:: len(value) // _SAMPLE + 1]
            return sum(map(_about_bytes, some)) * len(value) // max(len(some), 1)
        case _:
            return _INDENTED_BYTES


def _plain(value: object) -> object:
    """Return a value for orjson: a message in the reader's language, any other subclass as its base type."""
    match value:
        case str():
            return str(told(value))
        case dict():
            return dict(value)
        case list():
            return list(value)
        case int():
            return int(value)
    raise TypeError(f"no JSON: {type(value).__name__}")
