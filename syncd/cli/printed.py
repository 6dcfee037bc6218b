"""JSON documents as they are printed: texts for people in the reader's language, everything else as it is."""

from __future__ import annotations

from syncd.app.told_json import told_json
from syncd.cli.outlet import certain
from syncd.model.json_values import Json
from syncd.scrub import escaped_json, within


def document(value: Json) -> None:
    """Print the JSON document of a command, the only thing on stdout then."""
    print(document_text(value))


def document_text(value: Json) -> str:
    """Return the JSON document of a command as it is printed."""
    text = told_json(value).decode()
    if certain(text) != text:  # seldom: value by value, so that it stays JSON, but that takes its time
        text = told_json(within(value, certain)).decode()
    return escaped_json(text)
