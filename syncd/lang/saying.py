"""A message and the values that stand in it: English text to the program, and any language to a reader.

    say("no user {name} in the portal", name=name)
    say_count("{count:,} entry is held", "{count:,} entries are held", number)
    say_as("state of a sync", "new")

Each returns a `Saying`, which is the English text. Whoever shows it to a person calls `catalog.told`. So a message can
be made where the facts are, kept in the ledger, and read by one person in Russian and by the next in English.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from math import isfinite
from typing import Any, Final, Union

Value = Union[str, int, float, date, timedelta, "tuple[Value | None, ...]"]
"""What a message may contain. A tuple is a list, shown with commas; None in it is left out."""
_ROOM_BYTES: Final = 16 << 10
"""What is asked for before orjson is called, which may end the process where it gets nothing (`model/encoding.py`)."""
_LONGEST_SPEC: Final = len(",.2f")
"""In characters. A form may come from a ledger that anybody wrote, and `{count:>999999999}` would fill the memory."""
_MARK: Final = '{"say":'
"""The beginning of a text that `stored` made from a message. No message of ours begins like this."""


class Saying(str):
    """English text that knows its form and its values.

    `form` is its sentence with names in braces, `plural` the sentence for numbers other than one, and `values` are put
    in place of the names. The value `count` decides between the two. `context` tells translators, and nobody else, what
    a short form is about.
    """

    __slots__ = ("context", "form", "plural", "values")

    form: str
    plural: str
    values: Mapping[str, Value]
    context: str

    def __new__(cls, form: str, plural: str, values: Mapping[str, Value], context: str = "") -> Saying:
        """Return the message; raises KeyError or ValueError for a form that does not fit the values."""
        chosen = plural if plural and values["count"] != 1 else form
        made = super().__new__(cls, ENGLISH.vformat(chosen, (), values))
        made.form, made.plural, made.values, made.context = form, plural, values, context
        return made

    def __reduce__(self) -> tuple[type[Saying], tuple[str, str, Mapping[str, Value], str]]:
        return Saying, (self.form, self.plural, self.values, self.context)

    def mapped(self, change: Callable[[str], str]) -> Saying:
        """Return the same message with `change` applied to every text among its values, at any depth."""
        values = {name: _mapped(value, change) for name, value in self.values.items()}
        return Saying(self.form, self.plural, values, self.context)


def say(form: str, /, **values: Value) -> Saying:
    """Return a message; `form` is English, with names in braces for the `values`."""
    return Saying(form, "", values)


def say_as(context: str, form: str, /, **values: Value) -> Saying:
    """Return a message whose `form` alone would be ambiguous, such as "open" of a shop or of a question.

    Messages of equal form and different `context` have translations of their own.
    """
    return Saying(form, "", values, context)


def say_count(one: str, many: str, count: int, /, **values: Value) -> Saying:
    """Return a message with a number, which both forms call `count`."""
    return Saying(one, many, {"count": count, **values})


def joined(texts: Sequence[str]) -> str:
    """Return several messages in one line with semicolons between them, "" for none."""
    # In halves: one after another, messages would be nested as deep as there are many, and hundreds come of a portal.
    if len(texts) > 1:
        half = len(texts) // 2
        return say("{first}; {second}", first=joined(texts[:half]), second=joined(texts[half:]))
    return texts[0] if texts else ""


def stored(text: str) -> str:
    """Return `text` as a string from which `restored` makes the same message; plain texts are unchanged.

    It never raises: what is to be reported must not end a pass.
    """
    import orjson  # noqa: PLC0415 - what only speaks, as --help does, is quicker without it

    bytes(_ROOM_BYTES)
    if isinstance(text, Saying):
        try:
            return orjson.dumps(_document(text)).decode()
        except (TypeError, RecursionError):
            # Bytes that are no text, or messages nested deeper than JSON goes: its English can be kept.
            return stored(text.encode("utf-8", "backslashreplace").decode())
    return orjson.dumps({"say": "{text}", "values": {"text": text}}).decode() if text.startswith(_MARK) else text


def restored(text: str) -> str:
    """Return the message that `stored` wrote as `text`, or `text` itself if it wrote none. It never raises."""
    if not text.startswith(_MARK):
        return text
    import orjson  # noqa: PLC0415 - as above

    bytes(_ROOM_BYTES + 24 * len(text))

    try:
        message = _saying(orjson.loads(text))
        found = message.values["text"] if message.form == "{text}" else message  # see `stored`
    except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return text  # what another version wrote, or a stranger: an older version kept what a portal said as it came
    return found if isinstance(found, str) else text


class Formatter(string.Formatter):
    """Puts values into forms like `str.format`, but follows neither attributes nor indexes.

    A form comes from a catalog or a ledger, and must not reach further than the values that it was given. A number is
    grouped if the form says so (`{count:,}`).
    """

    def vformat(self, format_string: str, _args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Return the form with the values in it; a name is just a name."""
        # Forms are few and made of again and again, so each is taken apart once.
        said: list[str] = []
        for literal, name, spec, conversion in _parts(format_string):
            if literal:
                said.append(literal)
            if name is not None:
                value = kwargs[name]
                said.append(self.format_field(self.convert_field(value, conversion) if conversion else value, spec))
        return "".join(said)

    def convert_field(self, value: Any, conversion: str | None) -> Any:  # noqa: ANN401 - as the class above has it
        """Return a value as the form asks for it: `{text!r}` is quoted; of a list, each item is."""
        if conversion != "r":
            return value
        if isinstance(value, tuple):
            return tuple(None if one is None else self.quoted(one) for one in value)
        return self.quoted(value)

    def quoted(self, value: Any) -> str:  # noqa: ANN401 - as the class above has it
        """Return a text in quotation marks, with escapes for what cannot be seen; anything else without."""
        return repr(value)

    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: ANN401 - as the class above has it
        """Return one value as text; overridden for each language."""
        match value:
            case str():
                said = self.text(value)
            case tuple():
                said = self.listed([self.format_field(one, format_spec) for one in value if one is not None])
            case datetime():
                said = self.moment(value)
            case date():
                said = self.day(value)
            case timedelta():
                said = self.span(value)
            case int() | float():
                said = self.number(value, format_spec)
            case _:
                raise TypeError(f"a message cannot hold {type(value).__name__}")
        return said

    def text(self, value: str) -> str:
        """Return a text or a message within a message."""
        return str(value)

    def listed(self, values: Sequence[str]) -> str:
        """Return several values after each other."""
        return ", ".join(values)

    def moment(self, value: datetime) -> str:
        """Return a time to the minute, with its offset from UTC where it has a zone."""
        return value.strftime("%Y-%m-%d %H:%M %z").rstrip()

    def day(self, value: date) -> str:
        """Return a day."""
        return value.isoformat()

    def span(self, value: timedelta) -> str:
        """Return a duration in the largest unit that still gives at least one and a half: 89 s, 89 min, 35 h."""
        return self.measure(*in_units(value))

    def measure(self, number: float, unit: str) -> str:
        """Return so many of a unit that `in_units` gives."""
        return f"{number:g} {unit}"

    def number(self, value: float, spec: str) -> str:
        """Return a number as `spec` has it."""
        return format(value, spec)


@lru_cache(maxsize=4096)
def _parts(form: str) -> tuple[tuple[str, str | None, str, str | None], ...]:
    """Return the texts of a form, each with the name behind it (None: no more), its specification and conversion."""
    parts = tuple(
        (text, name, spec or "", conversion) for text, name, spec, conversion in string.Formatter().parse(form)
    )
    if any(len(spec) > _LONGEST_SPEC for _, _, spec, _ in parts):
        raise ValueError("a specification as long as that is none of ours")
    return parts


ENGLISH: Final = Formatter()


def in_units(span: timedelta) -> tuple[float, str]:
    """Return a duration as a number and its unit, one of "s", "min", "h" and "d".

    The unit is the largest that gives at least one and a half.
    """
    seconds = span.total_seconds()
    if seconds < 1:
        return round(seconds, 1), "s"
    for most, size, unit in ((90, 1, "s"), (90 * 60, 60, "min"), (36 * 3600, 3600, "h")):
        if seconds < most:
            return round(seconds / size), unit
    return round(seconds / 86_400), "d"


def _mapped(value: Value, change: Callable[[str], str]) -> Value:
    match value:
        case Saying():
            return value.mapped(change)
        case str():
            return change(value)
        case tuple():
            return tuple(None if one is None else _mapped(one, change) for one in value)
    return value


def _document(message: Saying) -> dict[str, Any]:
    """Return a message as JSON; "say" comes first, which `restored` looks for."""
    found: dict[str, Any] = {"say": message.form}
    if message.context:
        found["as"] = message.context
    if message.plural:
        found["many"] = message.plural
    if message.values:
        found["values"] = {name: _stored_value(value) for name, value in message.values.items()}
    return found


def _saying(document: Mapping[str, Any]) -> Saying:
    values = {name: _restored_value(value) for name, value in document.get("values", {}).items()}
    if "many" in document and not isinstance(values["count"], int):
        raise TypeError("a count is a whole number")
    return Saying(document["say"], document.get("many", ""), values, document.get("as", ""))


def _stored_value(value: Value) -> Any:  # noqa: ANN401, PLR0911 - JSON; one return a kind
    match value:
        case Saying():
            return _document(value)
        case tuple():
            return [None if one is None else _stored_value(one) for one in value]
        case datetime():
            return {"moment": value.isoformat()}
        case date():
            return {"day": value.isoformat()}
        case timedelta():
            return {"span": value.total_seconds()}
        case int() | float() if not _in_json(value):
            return {"number": str(value)}
    return value


def _in_json(number: float) -> bool:
    return -(2**63) <= number < 2**64 if isinstance(number, int) else isfinite(number)


def _restored_value(value: Any) -> Value:  # noqa: ANN401, PLR0911 - JSON; one return a kind
    match value:
        case list():
            return tuple(None if one is None else _restored_value(one) for one in value)
        case {"say": _}:
            return _saying(value)
        case {"moment": text}:
            return datetime.fromisoformat(text)
        case {"day": text}:
            return date.fromisoformat(text)
        case {"span": seconds}:
            return timedelta(seconds=seconds)
        case {"number": str() as text}:  # one that JSON cannot have
            return int(text) if text.lstrip("-").isdecimal() else float(text)
        case str() | int() | float():
            return value
    raise TypeError("no value of a message")
