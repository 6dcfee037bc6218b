"""What a database or a JSON document gives for a value, as the text that a cell of a CSV would have.

given                                 text
NULL                                  nothing, like an empty text
a time without a zone                 2026-12-01 09:00:00, so it is a time of the sync's `timezone`
a time with one                       the same with its offset, so it stays the same moment whatever the zone
a date                                2026-12-01, so without a time beside it the entry takes whole days
an interval, a TIME of MySQL          1:30:00, from a hundred hours on P4DT5H
a decimal                             as written, 12.50; a whole one without its zeros, so that 7.00 is the user 7
yes and no                            true, false
bytes                                 in hexadecimal: keys of 1C and others are binary
an array                              its items with commas
a JSON value                          as JSON
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from syncd.model.encoding import encoded_short

_MOST_DIGITS = 60
_HALF_SECOND_US = 500_000
_LONGEST_CLOCK = timedelta(hours=100)
_ENCODE = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode


def text_of(value: object) -> str:
    """Return the text of a value as the table above has it."""
    read = _BY_TYPE.get(type(value))
    return read(value) if read is not None else _odd(value)


def encoded(value: object) -> bytes:
    """Return the JSON of a value; equal values give equal bytes."""
    try:
        return encoded_short(value, _ENCODE)
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(value, default=str).encode()


def _odd(value: object) -> str:
    """Return the text of a value of a type that is no plain one: a driver's own, or one derived from a plain one."""
    for kind, read in _BY_TYPE.items():
        if isinstance(value, kind):
            return read(value)
    return str(value)


def _nothing(_value: object) -> str:
    return ""


def _moment(value: datetime) -> str:
    # SQL Server's datetime counts in steps of 3.33 ms, so that nine o'clock may come as 08:59:59.997.
    if value.microsecond:
        up = value.microsecond >= _HALF_SECOND_US and value < value.replace(year=9999, month=12, day=31, hour=0)
        value = value.replace(microsecond=0) + timedelta(seconds=1 if up else 0)
    # With a T nobody takes an offset for the end of a span: 09:00-05:00.
    return value.isoformat("T" if value.tzinfo is not None else " ")


def _clock(value: time) -> str:
    return value.replace(microsecond=0).isoformat()


def _length(value: timedelta) -> str:
    seconds = round(value.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    if abs(value) < _LONGEST_CLOCK:
        return f"{sign}{hours}:{minutes:02}:{seconds:02}"
    return f"{sign}P{hours // 24}DT{hours % 24}H{minutes}M{seconds}S"


def _decimal(value: Decimal) -> str:
    # 1e999999999 is short as it is written, and would take a gigabyte without its exponent.
    if not value.is_finite() or abs(value.adjusted()) > _MOST_DIGITS:
        return str(value)
    return str(int(value)) if value == value.to_integral_value() else format(value, "f")


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _bytes(value: bytes | bytearray | memoryview) -> str:
    return bytes(value).hex()


def _items(value: list[Any] | tuple[Any, ...]) -> str:
    if any(isinstance(one, dict | list | tuple) for one in value):
        return _json(value)
    return ", ".join(text_of(one) for one in value)


def _json(value: object) -> str:
    return encoded(value).decode()


_BY_TYPE: Mapping[type, Callable[[Any], str]] = {
    str: str,
    int: str,
    type(None): _nothing,
    datetime: _moment,
    date: date.isoformat,
    time: _clock,
    timedelta: _length,
    bool: lambda value: "true" if value else "false",
    Decimal: _decimal,
    float: _number,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    list: _items,
    tuple: _items,
    dict: _json,
}
"""By type; of related ones the derived first, as a datetime is a date and a bool an int."""
