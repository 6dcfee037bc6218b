"""JSON that contains texts for people: messages are written in the reader's language, everything else as it is."""

from __future__ import annotations

import orjson

from syncd.lang.catalog import reader, told
from syncd.model.json_values import Json


def told_json(value: Json) -> bytes:
    """Return the JSON document of `value`, indented."""
    if reader() == "en":  # a message is its English text already
        return orjson.dumps(value, option=orjson.OPT_INDENT_2)
    return orjson.dumps(value, _plain, orjson.OPT_INDENT_2 | orjson.OPT_PASSTHROUGH_SUBCLASS)


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
