"""The fields that a table can give, and what people call them."""

from __future__ import annotations

from collections.abc import Mapping

from syncd.lang.saying import say_as

LABELS: Mapping[str, str] = {
    "uid": say_as("field of a table", "uid"),
    "title": say_as("field of a table", "title"),
    "start": say_as("field of a table", "start"),
    "date": say_as("field of a table", "date"),
    "start_time": say_as("field of a table", "start_time"),
    "end": say_as("field of a table", "end"),
    "end_time": say_as("field of a table", "end_time"),
    "duration": say_as("field of a table", "duration"),
    "owner": say_as("field of a table", "owner"),
    "description": say_as("field of a table", "description"),
    "location": say_as("field of a table", "location"),
    "timezone": say_as("field of a table", "timezone"),
    "all_day": say_as("field of a table", "all_day"),
    "attendees": say_as("field of a table", "attendees"),
    "categories": say_as("field of a table", "categories"),
    "status": say_as("field of a table", "status"),
    "priority": say_as("field of a table", "priority"),
    "color": say_as("field of a table", "color"),
    "url": say_as("field of a table", "url"),
    "rrule": say_as("field of a table", "rrule"),
    "reminders": say_as("field of a table", "reminders"),
    "private": say_as("field of a table", "private"),
    "contact_phone": say_as("field of a table", "contact_phone"),
    "contact_email": say_as("field of a table", "contact_email"),
}
"""What whoever fills the table calls a field; in English its name in the config says it."""
FIELDS = frozenset(LABELS)
