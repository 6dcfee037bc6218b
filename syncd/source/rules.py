"""Whether an RRULE can be read at all; what it expands to, and what the portal can hold of it, is decided elsewhere."""

from __future__ import annotations

_LIMITS = (
    ("INTERVAL", 1, 100_000),
    ("COUNT", 1, 100_000),
    ("BYMONTH", 1, 12),
    ("BYMONTHDAY", 1, 31),
    ("BYYEARDAY", 1, 366),
    ("BYWEEKNO", 1, 53),
    ("BYSETPOS", 1, 366),
    ("BYHOUR", 0, 23),
    ("BYMINUTE", 0, 59),
    ("BYSECOND", 0, 60),
)
"""RFC 5545, 3.3.10; those of INTERVAL and COUNT are ours, far beyond any schedule."""

_FREQUENCIES = frozenset({"SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"})


def read_rule(text: str) -> str:
    """Return the rule as given, without blanks and the property's name; raises ValueError for what is no RRULE."""
    from icalendar import vRecur  # noqa: PLC0415 - slow, and many a schedule has no rule

    rule = "".join(text.split()).upper().removeprefix("RRULE:").strip(";")
    pieces = [piece.partition("=") for piece in rule.split(";")]
    names = [name for name, _, _ in pieces]
    if len(set(names)) < len(names) or not all(value for _, _, value in pieces):
        raise ValueError(f"{text!r} is not a recurrence rule (write it like FREQ=WEEKLY;BYDAY=MO,WE)")
    frequency = dict(zip(names, (value for _, _, value in pieces), strict=True)).get("FREQ", "")
    if frequency not in _FREQUENCIES:
        raise ValueError(f"{text!r} is not a recurrence rule: it has no FREQ (DAILY, WEEKLY, MONTHLY or YEARLY)")
    try:
        parsed = vRecur.from_ical(rule)
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(f"{text!r} is not a recurrence rule: {error}") from None
    for name, lowest, highest in _LIMITS:
        if not all(lowest <= abs(int(number)) <= highest for number in parsed.get(name, ())):
            raise ValueError(f"{text!r} is not a recurrence rule: {name} is not between {lowest} and {highest}")
    return rule
