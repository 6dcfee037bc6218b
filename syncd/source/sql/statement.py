"""The query of `[sync.source]`: one statement that only reads, and the days of the window in it.

This is the first of several locks. Every database that can is also told that the transaction only reads, and a good
account may do nothing else; but some cannot be told, and a mistake is better seen when the config is checked.
"""

from __future__ import annotations

import re

from syncd.lang.saying import say

_TOKENS = re.compile(
    r"""
    --[^\n]*|/\*.*?\*/|\s+
    |(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|\[[^\]\n]*\])
    |(?P<parameter>(?<![:\w]):(?:first|last)\b)
    |(?P<word>[^\W\d]\w*)
    |(?P<sign>.)
    """,
    re.DOTALL | re.VERBOSE,
)
_BEGINS = frozenset({"SELECT", "WITH", "VALUES", "TABLE"})
_WRITES = frozenset(
    {"INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "EXEC", "EXECUTE"}
)
"""Words that only statements have which change something; they are reserved, so a column of such a name is quoted."""


def check_query(text: str) -> None:
    """Raise ValueError, with what is wrong and the remedy, for a text that is not one statement that only reads."""
    words = _words(text)
    if not words:
        raise ValueError(say("is empty: give a SELECT"))
    if words[0] not in _BEGINS:
        raise ValueError(
            say("begins with {word!r}, and syncd only reads: give a SELECT", word=words[0][:40])
            if words[0]
            else say("begins with 'a name', and syncd only reads: give a SELECT")
        )
    if ";" in words and any(word != ";" for word in words[words.index(";") :]):
        raise ValueError(say("holds more than one statement: give one SELECT"))
    for word in words:
        if word in _WRITES:
            raise ValueError(
                say("holds {word}, and syncd only reads (a column of that name has to stand in quotes)", word=word)
            )


def as_text(query: str) -> str:
    """Return a query as SQLAlchemy's `text` wants it, where every other colon than that of a parameter is escaped.

    A colon stands in casts (`x::date`), in slices and in texts, none of which name a parameter.
    """
    ended = query.rstrip().rstrip(";")
    return "".join(one[0] if one["parameter"] else one[0].replace(":", r"\:") for one in _TOKENS.finditer(ended))


def parameters_in(query: str) -> frozenset[str]:
    """Return which of the days of the window the query asks for: "first", "last"."""
    return frozenset(found["parameter"][1:] for found in _TOKENS.finditer(query) if found["parameter"])


def _words(text: str) -> list[str]:
    """Return the words of a query in capitals, "" for what is quoted, and signs but brackets as they are."""
    words = []
    for found in _TOKENS.finditer(text):
        if found["word"]:
            words.append(found["word"].upper())
        elif found["quoted"] or found["parameter"]:
            words.append("")
        elif found["sign"] and found["sign"] != "(":
            words.append(found["sign"])
    return words
