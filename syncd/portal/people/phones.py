"""Telephone numbers as people write them: with or without the country, several in one cell, with extensions.

What a number means in which country is the knowledge of `phonenumbers`. What is no possible number there, such as an
internal one of three digits, is compared digit by digit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
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

from syncd.lang.saying import say

_FEWEST_DIGITS, _FEWEST_LOCAL = 3, 5
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
_EIGHT_AND_ZERO = re.compile(r"(?<![\d+])8[\s(.~-]*0(?:[\s().-]*\d){9}(?!\d)")
_ABROAD: Mapping[str, int] = {"BY": 375, "UA": 380}
"""Where an 8 is or was dialled before the 0 of a town; in Russia and Kazakhstan nothing begins with 8 0."""
_OTHER_END = re.compile(r"(?<!\d)(\+?\d(?:[\s().-]*\d){5,14})\s*[/\\]\s*(\d(?:[\s-]*\d){0,6})(?![\s().-]*\d)")
_SLASH = re.compile(r"[/|]")
_LIKE_EXTENSIONS = range(3, 5)
"""As many digits behind a slash are an extension or the end of a second number; fewer are no extension."""
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
        """What the portal is asked for: the number, and the number followed by the digits of the extension.

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
        if number.country_code == _ABROAD["UA"]:
            homes[f"8{dialled}"] = None  # as it was dialled until 2009, and is written still
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
    spelled = _EIGHT_AND_ZERO.sub(lambda found: _neighbours(found[0], country), _spelled(text))
    # Ten digits after an 8 are a number of Russia or Kazakhstan, which have one code, wherever they are written.
    region = country or ("RU" if _RUSSIAN.search(spelled) else None)
    matches = PhoneNumberMatcher(spelled, region, leniency=Leniency.POSSIBLE)
    found = [_phone(_likelier(match.number, match.raw_string)) for match in matches if not _lacks_area(match.number)]
    # Numbers with nothing but blanks between them, and without a country, are one long row of digits to the library.
    found = found or [
        Phone(number=f"7{_only_digits(one)[-10:]}", is_international=True) for one in _RUSSIAN.findall(spelled)
    ]
    if not found:
        parts = [digits for part in _SLASH.split(spelled) if len(digits := _digits(part)) >= _FEWEST_LOCAL]
        numbers = parts if len(parts) > 1 else [_digits(spelled)]
        found = [Phone(number=one) for one in numbers if len(one) >= _FEWEST_DIGITS]
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
    return _OTHER_END.sub(_with_other_end, _FROM_ABROAD.sub("+", _INTERNAL.sub(" доб.", spelled)))


def _with_other_end(found: re.Match[str]) -> str:
    """Return 123-45-67/68 as both of the numbers that it stands for."""
    first, end = found[1], _only_digits(found[2])
    if len(end) >= len(_only_digits(first)):
        return found[0]
    if len(end) in _LIKE_EXTENSIONS:
        return f"{first} доб. {end}"
    digits = list(end)
    second = "".join(reversed([digits.pop() if one.isdigit() and digits else one for one in reversed(first)]))
    return f"{first} | {second}"


def _neighbours(text: str, country: str) -> str:
    """Return a number after 8 0 with the code of Belarus or Ukraine: the home country's if it can be, else all."""
    nine = _only_digits(text)[-9:]
    numbers = {region: f"+{code}{nine}" for region, code in _ABROAD.items() if _is_valid(f"+{code}{nine}")}
    if country and country not in ("RU", "KZ", *_ABROAD):
        return text
    return numbers.get(country) or " | ".join(numbers.values()) or text


def _is_valid(number: str) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse(number))


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


def doubt(phones: Collection[Phone]) -> str:
    """Return why numbers that nobody has may have been misread, "" if they are complete and valid."""
    wrong = [phone for phone in phones if not phone.is_international or not _is_possible(phone.number)]
    if wrong:
        return say("{number} is no whole number of any country that is known here", number=wrong[0].number)
    ends = {phone.number[3:] for phone in phones if phone.number.startswith(tuple(map(str, _ABROAD.values())))}
    return say("it may be a number of Belarus or of Ukraine") if len(phones) > len(ends) == 1 else ""


def _is_possible(digits: str) -> bool:
    try:
        return _is_valid(f"+{digits}")
    except NumberParseException:
        return False
