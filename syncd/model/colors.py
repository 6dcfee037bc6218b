"""Names of colours, as in CSS and so in RFC 7986 COLOR; the portal itself knows only `#rrggbb` (PORTAL.md 4.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

COLORS: Mapping[str, str] = MappingProxyType(
    {
        "black": "#000000", "blue": "#0000ff", "brown": "#a52a2a", "coral": "#ff7f50", "crimson": "#dc143c",
        "cyan": "#00ffff", "gold": "#ffd700", "gray": "#808080", "green": "#008000", "grey": "#808080",
        "indigo": "#4b0082", "khaki": "#f0e68c", "lavender": "#e6e6fa", "lightblue": "#add8e6",
        "lightgreen": "#90ee90", "lime": "#00ff00", "magenta": "#ff00ff", "maroon": "#800000", "navy": "#000080",
        "olive": "#808000", "orange": "#ffa500", "orchid": "#da70d6", "pink": "#ffc0cb", "plum": "#dda0dd",
        "purple": "#800080", "red": "#ff0000", "salmon": "#fa8072", "silver": "#c0c0c0", "skyblue": "#87ceeb",
        "steelblue": "#4682b4", "tan": "#d2b48c", "teal": "#008080", "tomato": "#ff6347", "turquoise": "#40e0d0",
        "violet": "#ee82ee", "white": "#ffffff", "yellow": "#ffff00",
    }
)  # fmt: skip
_HEX = re.compile(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3}|[0-9a-fA-F]{8})")


def color_of(text: str) -> str | None:
    """Return `text`, a name or a hex number with #, as "#rrggbb"; "" for nothing, None if it is no colour.

    Three digits are doubled, and of eight (Apple's) those for transparency are dropped.
    """
    word = text.strip().casefold()
    if not word:
        return ""
    if word in COLORS:
        return COLORS[word]
    if not _HEX.fullmatch(word):
        return None
    return "#" + "".join(one * 2 for one in word[1:]) if len(word) == 4 else word[:7]
