"""Whom a schedule means: names in any order, with a patronymic or initials, and never one of two."""

from __future__ import annotations

import pytest

from syncd.errors import EntryError
from syncd.portal.people.directory import Caller, Directory, User


def directory(*names: str, zones: tuple[str, ...] = (), caller: str = "", country: str = "") -> Directory:
    """Return a portal of people called "First Second Last" or "First - Last"; a "!" before it dismisses one."""
    users = []
    for number, name in enumerate(names, start=1):
        first, second, last = name.removeprefix("!").split(maxsplit=2)
        users.append(
            User(
                id=number,
                name=first,
                second_name=second.strip("-"),
                last_name=last,
                email=f"user{number}@example.com",
                xml_id="",
                zone=dict(enumerate(zones, start=1)).get(number, ""),
                active=not name.startswith("!"),
            )
        )
    caller_of = Caller(id=1, zone=caller, admin=True)
    return Directory(
        read_at=1_780_000_000.0, caller=caller_of, server_offset_s=10_800, users=tuple(users), sections={},
        country=country,
    )  # fmt: skip


PEOPLE = ("Алексей - Макаров", "Анна Игоревна Королёва", "Иван - Петров", "Jan - van der Berg")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Алексей Макаров", 1),
        ("Макаров Алексей", 1),
        ("Макаров Алексей Иванович", 1),
        ("Алексей Иванович Макаров", 1),
        ("Макаров А.И.", 1),
        ("Макаров А. И.", 1),
        ("Макаров А.", 1),
        ("Макаров А", 1),
        ("А.И. Макаров", 1),
        ("МАКАРОВ А.И.", 1),
        ("Королева Анна", 2),
        ("Королёва А.И.", 2),
        ("Королева Анна Игоревна", 2),
        ("Иван Петров", 3),
        ("Петров  Иван", 3),
        ("van der Berg J.", 4),
        ("J. van der Berg", 4),
    ],
)
def test_a_name_finds_the_one_person_it_can_mean(text: str, number: int) -> None:
    people = directory(*PEOPLE)
    assert people.user(text).id == number
    found = people.find(text)
    assert found is not None
    assert found.id == number


@pytest.mark.parametrize(
    "text",
    ["Макаров", "Макаров Б.И.", "Макарова А.И.", "Королёва Анна Петровна", "Королёва А.П.", "А. И.", "Макаров А.И.О."],
)
def test_a_name_that_says_otherwise_finds_nobody(text: str) -> None:
    people = directory(*PEOPLE)
    with pytest.raises(EntryError, match="no user"):
        people.user(text)
    assert people.find(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Cмирнoвa Анна-Mария",  # Latin letters among Cyrillic ones
        "Смирнова, Анна‑Мария",
        "Смирнова А.М.",
        "Смирнова А.Л.",
        "Смирнова А.-М. Л.",
        "Смирнова АМ",
        "Смирнова Анна. Л.",
        "Смирнова А - М",
        "Анна Мария Смирнова",
        "Смирнова\u200bАнна\u200e Мария",
        "Anna <user1@example.com>",
        "mailto:USER1@example.com",
    ],
)
def test_a_name_is_read_however_it_was_typed(text: str) -> None:
    people = directory("Анна-Мария Львовна Смирнова", "Анна - Смирницкая")
    assert people.user(text).id == 1


def test_a_letter_and_its_accent_are_one_letter() -> None:
    people = directory("Андрей - Йорк")
    assert people.user("И\u0306орк Андреи\u0306").id == 1


def test_two_people_in_one_cell_are_nobody() -> None:
    people = directory("Дарья - Иванова", "Иван - Петров")
    for text in ("Иванова Дарья, Петров", "Иванова, Петров", "Иванова Д./Петров И.", ", Дарья", "Иванова,"):
        with pytest.raises(EntryError, match="no user"):
            people.user(text)


def test_the_nearest_names_are_shown_as_the_portal_has_them() -> None:
    with pytest.raises(EntryError, match="nearest: Фёдор Ёлкин "):
        directory("Фёдор - Ёлкин").user("Елкин Федер")


def test_initials_of_two_people_name_both() -> None:
    people = directory("Алексей - Макаров", "Андрей - Макаров")
    with pytest.raises(EntryError, match=r"Алексей Макаров \(id 1\), Андрей Макаров \(id 2\)"):
        people.user("Макаров А.И.")
    assert people.user("Макаров Андрей").id == 2


def test_a_known_patronymic_tells_namesakes_apart() -> None:
    people = directory("Алексей Иванович Макаров", "Алексей Петрович Макаров")
    assert people.user("Макаров А.П.").id == 2
    with pytest.raises(EntryError, match="more than one user"):
        people.user("Макаров Алексей")


def test_the_dismissed_one_of_two_is_not_meant() -> None:
    people = directory("!Алексей - Макаров", "Андрей - Макаров")
    assert people.user("Макаров А.И.").id == 2
    with pytest.raises(EntryError, match="dismissed"):
        directory("!Алексей - Макаров").user("Макаров А.И.")


@pytest.mark.parametrize(
    ("country", "caller", "zones", "expected"),
    [
        ("DE", "Europe/Moscow", (), "DE"),
        ("", "Asia/Almaty", (), "KZ"),
        ("", "Asia/Almaty", ("Europe/Moscow", "Europe/Moscow", "Asia/Almaty"), "RU"),
        ("", "UTC", ("Europe/Minsk", "Europe/Riga", "Europe/Minsk"), "BY"),
        ("", "", (), "RU"),
    ],
)
def test_phones_belong_to_the_country_named_or_lived_in(
    country: str, caller: str, zones: tuple[str, ...], expected: str
) -> None:
    people = directory("A - B", "C - D", "E - F", zones=zones, caller=caller, country=country)
    assert people.home_country == expected
