"""Telephone numbers as people write them: with or without the country, several in one cell, with extensions.

What a number means in which country is the knowledge of `phonenumbers`. What is no possible number there, such as an
internal one of three digits, is compared digit by digit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import (
    Leniency,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberMatcher,
    ValidationResult,
)

_FEWEST_DIGITS = 3
_INTERNATIONAL = re.compile(r"\+[1-9]\d{7,14}")
_BRACKETED = re.compile(r"\(\s*((?:доб|вн|ext|x)[^()\d]{0,12}\d{1,8})\s*\)", re.IGNORECASE)
_INTERNAL = re.compile(r"(?:\bвн(?:утр\w*)?|\bдобав\w*|(?<=\d)\s*\*)\.?:?(?=\s*\d)", re.IGNORECASE)
_LAST_BRACKET = re.compile(r"(?<=\d)\s*\(\s*(\d{1,5})\s*\)\s*\Z")
_NUMERIC = re.compile(r"(\d{7,15})[.,]0+")
_SCIENTIFIC = re.compile(r"(\d)[.,](\d+)e\+?(\d+)", re.IGNORECASE)
_RUSSIAN = re.compile(r"(?<![\d+])(?:\+?7|8)(?:[\s().-]*\d){10}(?!\d)")
_LETTER_INSIDE = re.compile(r"\d[\s()-]*[^\W\d_]+[\s()-]*\d")
_FEWEST_OF_A_NUMBER = 10
_FROM_ABROAD = re.compile(r"\A(?:00|8[\s~-]*10)[\s~-]*(?=[1-9](?:\D*\d){8})")
_EXTENSION = re.compile(r"[#;,]|доб|ext|x", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A number as digits, its extension ("" for none), and whether the country's code is certainly part of it."""

    number: str
    extension: str = ""
    is_international: bool = False

    def __str__(self) -> str:
        return f"{self.number};{self.extension}" if self.extension else self.number

    @property
    def spellings(self) -> tuple[str, ...]:
        """What the portal is asked for: the number, and the number with the extension's digits after it.

        The portal compares digits (PORTAL.md 6.8), and a card may hold the extension as part of the number.
        """
        dialled = f"+{self.number}" if self.is_international else self.number
        return (dialled, dialled + self.extension) if self.extension else (dialled,)

    @property
    def home_spellings(self) -> tuple[str, ...]:
        """What else a card may hold: the number without the country's code, and with what is dialled before it at home.

        The portal knows "8 495 123-45-67" for a Russian number, but not with the digits of an extension behind it.
        """
        if not self.is_international:
            return ()
        try:
            number = phonenumbers.parse(f"+{self.number}")
        except NumberParseException:
            return ()
        short = phonenumbers.national_significant_number(number)
        dialled = _only_digits(phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))
        homes = dict.fromkeys((short, dialled))
        return (*homes, *(home + self.extension for home in homes)) if self.extension else tuple(homes)

    def likeness(self, other: Phone) -> int:
        """Return 2 if `other` is the same to the extension, 1 if one of them has none, 0 if it is another number."""
        if self.number != other.number:
            return 0
        if self.extension == other.extension:
            return 2
        return 0 if self.extension and other.extension else 1


# A pass asks for the same cells several times: to look people up, to find their cards, and to shape their entries.
@lru_cache(maxsize=65_536)
def phones_in(text: str, country: str) -> tuple[Phone, ...]:
    """Return the numbers in `text`, each once, in order; () if there is none of at least three digits.

    `country` is the ISO 3166 code of the country whose numbers may lack its code, "" where it is not known.
    """
    if _INTERNATIONAL.fullmatch(text):  # as in most exports, and much cheaper
        return (Phone(number=text[1:], is_international=True),)
    spelled = _spelled(text)
    # Ten digits after an 8 are a number of Russia or Kazakhstan, which have one code, wherever they are written.
    region = country or ("RU" if _RUSSIAN.search(spelled) else None)
    matches = PhoneNumberMatcher(spelled, region, leniency=Leniency.POSSIBLE)
    found = [_phone(_likelier(match.number, match.raw_string)) for match in matches if not _lacks_area(match.number)]
    # Numbers with nothing but blanks between them, and without a country, are one long row of digits to the library.
    found = found or [
        Phone(number=f"7{_only_digits(one)[-10:]}", is_international=True) for one in _RUSSIAN.findall(spelled)
    ]
    if not found:
        digits = _digits(spelled)
        found = [Phone(number=digits)] if len(digits) >= _FEWEST_DIGITS else []
    return tuple(dict.fromkeys(found))


def _spelled(text: str) -> str:
    """Return `text` with extensions and calls from abroad in a form that the library knows.

    A spreadsheet's number, such as 79161112233.0, is what it was; of one that it has rounded nothing is left.
    """
    if (numeric := _NUMERIC.fullmatch(text.strip())) is not None:
        return numeric[1]
    if (rounded := _SCIENTIFIC.fullmatch(text.strip())) is not None:
        first, others, exponent = rounded.groups()
        return first + others.ljust(int(exponent), "0") if len(others) >= int(exponent) - 1 > 0 else ""
    spelled = _BRACKETED.sub(r" \1", text)
    bracket = _LAST_BRACKET.search(spelled)
    if bracket is not None and len(_only_digits(spelled[: bracket.start()])) >= _FEWEST_OF_A_NUMBER:
        spelled = f"{spelled[: bracket.start()]} доб. {bracket[1]}"
    return _FROM_ABROAD.sub("+", _INTERNAL.sub(" доб.", spelled))


def _likelier(number: PhoneNumber, text: str) -> PhoneNumber:
    """Return the number of another country where `text` is none of the home country, but surely one of the other.

    In Minsk "8 916 111-22-33" is a number of Moscow.
    """
    if text.lstrip().startswith("+") or phonenumbers.is_valid_number(number):
        return number
    digits = _digits(text)
    if len(digits) < _FEWEST_OF_A_NUMBER + 1:  # shorter ones are valid somewhere too often
        return number
    try:
        abroad = phonenumbers.parse(f"+{digits}")
    except NumberParseException:
        return number
    abroad.extension = number.extension
    return abroad if phonenumbers.is_valid_number(abroad) else number


def _phone(number: PhoneNumber) -> Phone:
    digits = f"{number.country_code}{phonenumbers.national_significant_number(number)}"
    return Phone(number=digits, extension=number.extension or "", is_international=True)


def _lacks_area(number: PhoneNumber) -> bool:
    """Return True for a number that can be dialled within its town only: which town is not known."""
    return phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE_LOCAL_ONLY


def _digits(text: str) -> str:
    """Return the digits before an extension. Ten of them after an 8 can only be a Russian number, dialled at home.

    With a letter among them, as for a mistyped digit, it is not known which number it is.
    """
    number = _EXTENSION.split(text, maxsplit=1)[0]
    digits = _only_digits(number) if _LETTER_INSIDE.search(number) is None else ""
    has_eight = len(digits) == 11 and digits[0] == "8" and not number.strip().startswith("+")
    return f"7{digits[1:]}" if has_eight else digits


def _only_digits(text: str) -> str:
    return "".join(one for one in text if one.isascii() and one.isdigit())
