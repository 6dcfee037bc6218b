"""The portal's "proactive filter", which puts blanks into parameter text that looks like an attack (PORTAL.md 1.5).

Time grows linearly with the text. Only the simulated portal may apply it: a client that filtered too would hide what
the portal does to names.
"""

from __future__ import annotations

import re

from syncd.sandbox.php.scalars import PhpValue

_HARMLESS = re.compile(r"[A-Za-z0-9_.,\-]*\Z", re.ASCII)
_ENTITY = re.compile(r"&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|(colon|tab|newline));", re.ASCII | re.IGNORECASE)
_NAMED = {"colon": ":", "tab": "\t", "newline": "\n"}

# A whole word: SQL keywords do not count next to letters, `_`, `.` or `-`.
_NOT_AFTER = r"(?<![A-Za-z_.\-])"
_NOT_BEFORE = r"(?![A-Za-z_.\-])"

_DEFINITIONS = re.compile(
    rf"{_NOT_AFTER}(?:(cre)(ate)|(alt)(er)|(dr)(op))([\x00-\x20'\"`0-9]+)"
    rf"(database|table|function|procedure|server|event|view|index){_NOT_BEFORE}",
    re.ASCII | re.IGNORECASE,
)

# Two words with anything between them; "|" marks where each is split. Earlier rows go first.
_PAIRS = (
    ("sel|ect", "fr|om"),
    ("fr|om", "wh|ere"),
    ("fr|om", "lim|it"),
    ("uni|on", "sel|ect"),
    ("upd|ate", "se|t"),
    ("ins|ert", "val|ue"),
    ("ins|ert", "se|t"),
    ("ins|ert", "in|to"),
    ("ins|ert", "sel|ect"),
    ("in|to", "out|file"),
    ("in|to", "dump|file"),
)

_TAGS = (
    *("li|nk", "st|yle", "ht|ml", "met|a", "fo|rm", "sc|ript", "ap|plet", "em|bed", "fr|ame", "if|rame", "ob|ject"),
    *("is|index", "la|yer", "xm|l", "ba|se", "sv|g", "ma|th"),
)

_SUBSTITUTIONS = (
    (re.compile(r"(/\.)(\./)", re.ASCII), r"\1 \2"),
    (re.compile(r"(load_)(file\()", re.ASCII | re.IGNORECASE), r"\1 \2"),
    (re.compile(r"(jav)(ascript:)", re.ASCII | re.IGNORECASE), r"\1 * \2"),
    (re.compile(r"(vb)(script:)", re.ASCII | re.IGNORECASE), r"\1 * \2"),
    (re.compile(r"(ex)(pression\()", re.ASCII | re.IGNORECASE), r"\1 * \2"),
    (re.compile(r"(?<![^\s\"'/<])(on[a-z])([a-z]{2,}\s*=)", re.ASCII | re.IGNORECASE), r"\1 \2"),
    (re.compile(r"(;\s*dat)(a\s*:)", re.ASCII | re.IGNORECASE), r"\1 \2"),
)


def filter_text(s: str) -> str:
    """Return what the filter makes of one text; the text as it is, entities included, if no auditor fires."""
    if _HARMLESS.match(s):
        return s
    # The auditors see the decoded text, and that text replaces the value if one of them fires (PORTAL.md 1.5).
    decoded = _decoded(s)
    split = _split_until_stable(decoded)
    return s if split == decoded else split


def filter_params(p: PhpValue) -> PhpValue:
    """Filter every text of a parameter tree, keys as well as values; other scalars stay."""
    match p:
        case str():
            return filter_text(p)
        case list():
            return [filter_params(item) for item in p]
        case dict():
            return {filter_text(key): filter_params(item) for key, item in p.items()}
        case _:
            return p


def _decoded(text: str) -> str:
    return _ENTITY.sub(_entity, text).replace("\0", "")


def _entity(found: re.Match[str]) -> str:
    if found[3]:
        return _NAMED[found[3].lower()]
    code = int(found[1], 16) if found[1] else int(found[2])
    return chr(code) if code < 0xD800 or 0xE000 <= code < 0x110000 else found[0]


def _split_until_stable(text: str) -> str:
    while (split := _split_once(text)) != text:
        text = split
    return text


def _split_once(text: str) -> str:
    for pattern, replacement in _SUBSTITUTIONS:
        text = pattern.sub(replacement, text)
    text = _TAG.sub(
        lambda found: f"{found[0][: _TAG_CUT[found[1].lower()]]} {found[0][_TAG_CUT[found[1].lower()] :]}", text
    )
    text = _DEFINITIONS.sub(lambda found: " ".join(part for part in found.groups() if part is not None), text)
    for pattern, first_cut, second_cut in _PAIR_RULES:
        text = _split_pairs(text, pattern, first_cut, second_cut)
    return text


def _split_pairs(text: str, pattern: re.Pattern[str], first_cut: int, second_cut: int) -> str:
    """Split each first word that a second word follows, and that second word, in one walk over both."""
    cuts: list[int] = []
    opened: int | None = None
    for found in pattern.finditer(text):
        if found[1] is not None:
            opened = found.start() if opened is None else opened
        elif opened is not None:
            cuts += (opened + first_cut, found.start() + second_cut)
            opened = None
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return " ".join(pieces)


def _pair_rule(first: str, second: str) -> tuple[re.Pattern[str], int, int]:
    words = rf"(?:({first.replace('|', '')})|({second.replace('|', '')}))"
    pattern = re.compile(_NOT_AFTER + words + _NOT_BEFORE, re.ASCII | re.IGNORECASE)
    return pattern, first.index("|"), second.index("|")


_PAIR_RULES = tuple(_pair_rule(first, second) for first, second in _PAIRS)
_TAG_CUT = {tag.replace("|", ""): tag.index("|") + 1 for tag in _TAGS}
_TAG = re.compile(rf"<({'|'.join(_TAG_CUT)})", re.ASCII | re.IGNORECASE)
