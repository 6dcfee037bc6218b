"""Messages in the reader's language: the catalogs, and which of them is in use.

The translations are in `<language>/<room>.po`, such as `ru/portal.po`, and are compiled to one file when the package is
built. In a checkout without that file, or with an older one, they are compiled when they are first needed.
"""

from __future__ import annotations

import errno
import gettext
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final, Literal

from syncd.lang.saying import ENGLISH, Formatter, Saying, say

Language = Literal["en", "ru"]
LANGUAGES: Final[Mapping[str, Language]] = {"en": "en", "ru": "ru"}
NAMES: Final[Mapping[Language, str]] = {"en": "English", "ru": "Русский"}
"""The name of each language in that language."""
ROOT: Final = Path(__file__).parent

_reader: ContextVar[Language | None] = ContextVar("reader", default=None)
_house: Language = "en"


def house() -> Language:
    """Return the language of this process: that of its log, its alerts, and of readers who ask for none."""
    return _house


def set_house(language: Language) -> None:
    """Make `language` that of this process."""
    global _house  # noqa: PLW0603 - there is one process; a setting passed on through every room would say no more
    _house = language


def reader() -> Language:
    """Return the language of the person who reads what is shown now."""
    return _reader.get() or _house


@contextmanager
def reading(language: Language) -> Iterator[None]:
    """Show everything in `language` within the block, also in tasks that start in it."""
    before = _reader.set(language)
    try:
        yield
    finally:
        _reader.reset(before)


def told(text: str, language: Language | None = None) -> str:
    """Return a message in `language`, by default the reader's; any other text unchanged."""
    if not isinstance(text, Saying):
        return text
    chosen = language or reader()
    if chosen == "en":
        return str(text)
    try:
        return formatter(chosen).vformat(form_in(text, chosen), (), text.values)
    except (ArithmeticError, KeyError, RecursionError, TypeError, ValueError):
        # A message of an older version, whose form takes other values now; or one nested beyond measure.
        return str(text)


def form_in(message: Saying, language: Language) -> str:
    """Return the form of a message in `language`, for its number."""
    forms, form = catalog(language), message.form
    if message.plural:
        count = message.values["count"]
        assert isinstance(count, int)
        return forms.ngettext(form, message.plural, abs(count))
    if message.context:
        return forms.pgettext(message.context, form)
    return forms.gettext(form) if form else form


@cache
def catalog(language: Language) -> gettext.NullTranslations:
    """Return the messages of `language`."""
    if language == "en":
        return gettext.NullTranslations()
    folder = ROOT / language
    ready = folder / "LC_MESSAGES" / "syncd.mo"
    if ready.is_file() and all(one.stat().st_mtime <= ready.stat().st_mtime for one in folder.glob("*.po")):
        try:
            with ready.open("rb") as file:
                return gettext.GNUTranslations(file)
        except (OSError, ValueError, struct.error):  # cut short, or not to be read: the texts are beside it
            pass
    from syncd.lang.compiling import compiled  # noqa: PLC0415 - an installation has it ready

    return gettext.GNUTranslations(BytesIO(compiled(folder)))


@cache
def formatter(language: Language) -> Formatter:
    """Return the formatter that puts values into messages of `language`."""
    return ENGLISH if language == "en" else _Local(language)


_SAID_BY_LIBRARIES: Final = (
    "Name or service not known",
    "No address associated with hostname",
    "Temporary failure in name resolution",
    "Non-recoverable failure in name resolution",
    "certificate has expired",
    "certificate is not yet valid",
    "self-signed certificate",
    "self-signed certificate in certificate chain",
    "unable to get local issuer certificate",
)
"""The commonest messages of the resolver and OpenSSL about a connection."""


@cache
def _said_by_system() -> frozenset[str]:
    """Return the system's messages about failed calls. They are values in our messages, in English."""
    return frozenset(os.strerror(number) for number in errno.errorcode).union(_SAID_BY_LIBRARIES)


class _Local(Formatter):
    """Formats values by the rules of a language, with Babel, which is loaded when a value first needs it."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def quoted(self, value: object) -> str:
        return f"«{repr(told(value, self.language))[1:-1]}»" if isinstance(value, str) else repr(value)

    def text(self, value: str) -> str:
        if not isinstance(value, Saying) and value in _said_by_system():
            return catalog(self.language).gettext(value)
        return told(value, self.language)

    def moment(self, value: datetime) -> str:
        from babel.dates import format_datetime  # noqa: PLC0415 - takes as long as the rest of a short command

        zone = value.strftime(" %z").rstrip()
        return format_datetime(value, "dd.MM.yyyy HH:mm", locale=self.language) + zone

    def day(self, value: date) -> str:
        from babel.dates import format_date  # noqa: PLC0415 - as above

        return format_date(value, "dd.MM.yyyy", locale=self.language)

    def measure(self, number: float, unit: str) -> str:
        return told(_UNITS[unit](number), self.language)

    def number(self, value: float, spec: str) -> str:
        plain = format(value, spec.replace(",", ""))
        if plain.isdecimal() and ("," not in spec or len(plain) < len("10000")):  # the first that Russian groups
            return plain
        try:
            return self._written_out(value, spec)
        except ArithmeticError:  # more digits than Babel reckons with
            return plain

    def _written_out(self, value: float, spec: str) -> str:
        from babel.numbers import format_decimal, format_percent  # noqa: PLC0415 - as above

        places = int(spec.partition(".")[2].rstrip("fg%") or "0")
        pattern = f"#,##0.{'0' * places}".rstrip(".")
        if spec.endswith("%"):
            return format_percent(value, f"{pattern}\u00a0%", self.language)
        if spec.endswith("f"):
            return format_decimal(value, pattern, self.language, group_separator="," in spec)
        return format_decimal(value, locale=self.language, group_separator="," in spec)


_UNITS: Final = {
    "s": lambda number: say("{number:g} s", number=number),
    "min": lambda number: say("{number:g} min", number=number),
    "h": lambda number: say("{number:g} h", number=number),
    "d": lambda number: say("{number:g} d", number=number),
}
