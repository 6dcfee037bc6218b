"""Looking clients up: phones in every format, few calls, nobody taken for somebody else."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import EntryError
from syncd.portal.client import Portal
from syncd.portal.limits.pace import Limits
from syncd.portal.line.transport import Webhook
from syncd.portal.people.clients import CrmLookup, Sought, sought
from syncd.portal.people.crm import read_clients
from syncd.portal.people.phones import phones_in
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.seed.world_schema import SeedElement
from syncd.sandbox.settings import Settings
from syncd.sandbox.world import World
from tests.support.sandbox import WEBHOOK, SimClock, WorldTransport, run_inline


@pytest.mark.parametrize(
    ("text", "country", "numbers"),
    [
        ("+7 (916) 111-22-33", "", "79161112233"),
        ("8 916 111 22 33", "", "79161112233"),
        ("8 916 111 22 33", "RU", "79161112233"),
        ("(495) 123-45-67", "RU", "74951234567"),
        ("9161112233", "RU", "79161112233"),
        ("87011234567", "KZ", "77011234567"),
        ("030 123456", "DE", "4930123456"),
        ("00371 29123456", "RU", "37129123456"),
        ("007 916 111 22 33", "RU", "79161112233"),
        ("+8 916 111 22 33", "RU", "89161112233"),
        ("+371 29-123-456", "RU", "37129123456"),
        ("+44 (0)20 7946 0958", "", "442079460958"),
        ("+7 495 123-45-67 доб. 12", "", "74951234567;12"),
        ("8 (495) 123-45-67 (доб. 12)", "RU", "74951234567;12"),
        ("8 (495) 123-45-67 вн. 12", "RU", "74951234567;12"),
        ("+1 555 123 4567 ext 9", "", "15551234567;9"),
        ("+1 555 123 4567#9", "", "15551234567;9"),
        ("8 916 111-22-33, 8 495 123 45 67", "RU", "79161112233 74951234567"),
        ("89161112233/89161112234", "RU", "79161112233 79161112234"),
        ("+79161112233; +79161112233", "RU", "79161112233"),
        ("моб. 8-916-111-22-33 (мама)", "RU", "79161112233"),
        ("8 (495) 123-45-67 добавочный 12", "RU", "74951234567;12"),
        ("8 (495) 123-45-67 (12)", "RU", "74951234567;12"),
        ("8 (495) 123-45-67*12", "RU", "74951234567;12"),
        ("8-800-555-35-35", "RU", "78005553535"),
        ("8 916 111 22 33", "BY", "79161112233"),
        ("7 916 111 22 33", "BY", "79161112233"),
        ("8 029 123-45-67", "BY", "375291234567"),
        ("495 1234567", "BY", "3754951234567"),
        ("8-10-375-29-123-45-67", "", "375291234567"),
        ("8 916 111 22 33 8 916 111 22 44", "RU", "79161112233 79161112244"),
        ("89161112233 / 89161112244", "", "79161112233 79161112244"),
        ("01.02.1985 8 916 111 22 33", "RU", "79161112233"),
        ("8 916 111 2233 после 18:00", "", "79161112233"),
        ("79161112233.0", "KZ", "79161112233"),
        ("7,9161112233E+10", "", "79161112233"),
        ("7,91611E+10", "RU", ""),
        ("8 9I6 111 22 33", "RU", ""),
        ("8 916 ООО 22 33", "RU", ""),
        ("8 029 123-45-67", "RU", "375291234567"),
        ("8 (029) 123-45-67", "UA", "375291234567"),
        ("80501234567", "RU", "380501234567"),
        ("8 050 123-45-67", "UA", "380501234567"),
        ("8-044-123-45-67", "", "375441234567 380441234567"),
        ("8 044 123-45-67", "UA", "380441234567"),
        ("8 044 123-45-67", "BY", "375441234567"),
        ("8 044 123-45-67", "DE", "4980441234567"),
        ("123-45-67/68", "RU", "1234567 1234568"),
        ("8 (495) 123-45-67/68", "RU", "74951234567 74951234568"),
        ("+375 29 123-45-67 / 68", "BY", "375291234567 375291234568"),
        ("+7 495 123-45-67/123-45-68", "RU", "74951234567 74951234568"),
        ("8 (495) 123-45-67/1234", "RU", "74951234567;1234"),
        ("123-45-67", "RU", "1234567"),
        ("112", "RU", "112"),
        ("12", "RU", ""),
        ("call me", "RU", ""),
        ("", "", ""),
    ],
)
def test_phones_are_digits_with_the_countrys_code_and_the_extension(text: str, country: str, numbers: str) -> None:
    assert " ".join(map(str, phones_in(text, country))) == numbers


@pytest.mark.parametrize(
    ("text", "is_phone", "kind", "word", "owner_type"),
    [
        ("275", False, "id", "275", "contact"),
        ("275", True, "PHONE", "275", "contact"),
        ("2345678", False, "PHONE", "2345678", "contact"),
        ("C_1234567", False, "id", "1234567", "contact"),
        ("co_5", False, "id", "5", "company"),
        (" A@B.Example ", False, "EMAIL", "a@b.example", "contact"),
        ("mailto:a@b.example", False, "EMAIL", "a@b.example", "contact"),
        ("Vera <A@b.example>", False, "EMAIL", "a@b.example", "contact"),
        ("8 916 111-22-33, a@b.example", True, "EMAIL", "a@b.example", "contact"),
        ("a@b.example; c@b.example", False, "EMAIL", "a@b.example; c@b.example", "contact"),
    ],
)
def test_what_is_named_is_told_by_its_form(text: str, is_phone: bool, kind: str, word: str, owner_type: str) -> None:
    found = sought(text, "contact", is_phone=is_phone)
    assert (found.kind, found.word, found.type) == (kind, word, owner_type)


@pytest.mark.parametrize("text", ["", "none", "12 x", "  "])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(EntryError, match="is no phone, e-mail or id" if text.strip() else "no contact is named"):
        sought(text, "contact", is_phone=True)


def test_a_deal_is_found_by_its_id_only() -> None:
    assert sought("7", "deal").kind == "id"
    with pytest.raises(EntryError, match="name the deal by its id"):
        sought("+79161112233", "deal")


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading_of_a_phone(text: str) -> None:
    for country in ("", "RU", "DE"):
        for phone in phones_in(text, country):
            assert phone.number.isdigit()
            assert len(phone.number) >= 3


def looked_up(elements: tuple[SeedElement, ...], wanted: list[Sought]) -> tuple[CrmLookup, World]:
    world = World(Settings(integer_stamps=False), msgspec.structs.replace(default_world(), elements=elements))

    async def run() -> CrmLookup:
        clock = SimClock()
        portal = Portal(
            name="main",
            credential=Webhook(address=WEBHOOK),
            limits=Limits.tariff("standard"),
            clock=clock,
            random=Random(1).random,
            transport=WorldTransport(world, clock),
        )
        return await read_clients(portal, wanted)

    return run_inline(run()), world


def contacts(count: int, phone: Callable[[int], str]) -> tuple[SeedElement, ...]:
    return tuple(SeedElement(type="contact", id=n, name=f"N{n}", phones=(phone(n),)) for n in range(1, count + 1))


def test_three_hundred_phones_cost_twenty_two_commands() -> None:
    elements = contacts(300, lambda n: f"8 (916) {n:07}")
    wanted = [sought(f"+7916{n:07}", "contact") for n in range(1, 301)]
    clients, world = looked_up(elements, wanted)
    assert [clients.client(one).id for one in wanted] == list(range(1, 301))
    assert dict(world.traffic.commands) == {"crm.duplicate.findbycomm": 15, "crm.item.list": 6}


def test_values_of_one_call_are_told_apart_and_strangers_stay_strangers() -> None:
    elements = contacts(3, lambda n: f"+7916000000{n}")
    names = ["89160000002", "+4912345", "7 916 000 00 01"]
    clients, _ = looked_up(elements, [sought(name, "contact", is_phone=True) for name in names])
    assert clients.client(sought(names[0], "contact")).id == 2
    assert clients.client(sought(names[2], "contact")).id == 1
    with pytest.raises(EntryError, match=r"no contact with '\+4912345'"):
        clients.client(sought(names[1], "contact"))


def test_a_spelling_only_the_portal_understands_is_asked_for_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    elements = contacts(2, lambda n: f"+7916000000{n}")
    world_word = "syncd.sandbox.methods.crm_elements._normal"
    monkeypatch.setattr(world_word, lambda _kind, value: "".join(c for c in value if c.isdigit())[-7:])
    wanted = [sought("+79160000001", "contact"), sought("000-00-02", "contact", is_phone=True)]
    clients, world = looked_up(elements, wanted)
    assert [clients.client(one).id for one in wanted] == [1, 2]
    assert world.traffic.commands["crm.duplicate.findbycomm"] == 2


@pytest.mark.parametrize(
    ("card", "text", "country"),
    [
        ("8 (495) 123-45-67 доб. 12", "84951234567 доб 12", "RU"),
        ("8 (495) 123-45-67 доб. 12", "84951234567 доб 12", ""),
        ("495 123-45-67 доб. 12", "8 495 123 45 67 добавочный 12", "RU"),
        ("8 029 123-45-68", "+375291234568", "BY"),
        ("8 029 123-45-68", "8029 1234568", "RU"),
        ("8 050 123-45-68", "+380501234568", "RU"),
        ("+380441234567", "8 044 123-45-67", "RU"),
        ("123-45-68", "123-45-67/68", "RU"),
        ("+7 916 111-22-33", "8 916 111 22 33", "BY"),
    ],
)
def test_a_card_may_hold_a_number_as_it_is_dialled_at_home(card: str, text: str, country: str) -> None:
    wanted = sought(text, "contact", is_phone=True, country=country)
    clients, _ = looked_up(contacts(1, lambda _: card), [wanted])
    assert clients.client(wanted).id == 1


def russian(text: str) -> Sought:
    return sought(text, "contact", country="RU")


@pytest.mark.parametrize("stored", ["+7 (495) 123-45-67", "8 495 1234567", "(495) 123-45-67", "74951234567"])
@pytest.mark.parametrize("text", ["84951234567", "495 123 45 67", "+7 495 123-45-67", "+79160000000, 8 (495) 1234567"])
def test_a_client_is_found_however_source_and_card_write_the_number(stored: str, text: str) -> None:
    elements = (
        SeedElement(type="contact", id=5, name="Anna", phones=(stored,)),
        *contacts(3, lambda n: f"+7916000000{n}"),
    )
    clients, _ = looked_up(elements, [russian(text)])
    assert clients.client(russian(text)).id == 5


def test_an_extension_tells_people_at_one_number_apart() -> None:
    switchboard = "+7 495 123-45-67"
    phones = {1: switchboard, 2: f"{switchboard} доб. 12", 3: f"{switchboard} доб. 13"}
    elements = tuple(SeedElement(type="contact", id=n, name=f"N{n}", phones=(phone,)) for n, phone in phones.items())
    wanted = [russian(f"8 (495) 123-45-67 {extension}") for extension in ("", "доб. 12", "(доб.13)", "доб. 99")]
    clients, _ = looked_up(elements, wanted)
    assert [clients.client(one).id for one in wanted] == [1, 2, 3, 1]
    clients, _ = looked_up(elements[1:], wanted)
    with pytest.raises(EntryError, match=r"2 contacts have .*: contact 2 N2, contact 3 N3"):
        clients.client(wanted[0])
    with pytest.raises(EntryError, match="no contact with"):
        clients.client(wanted[3])


def test_two_numbers_of_two_clients_name_both() -> None:
    clients, _ = looked_up(contacts(2, lambda n: f"+7916000000{n}"), [russian("89160000001, 89160000002")])
    with pytest.raises(EntryError, match=r"2 contacts have .*: contact 1 N1, contact 2 N2"):
        clients.client(russian("89160000001, 89160000002"))


def test_a_deal_brings_its_contact_along() -> None:
    elements = (
        *contacts(1, lambda _: "+79160000001"),
        SeedElement(type="deal", id=9, name="Course", contact=1),
    )
    clients, _ = looked_up(elements, [sought("9", "deal")])
    assert (clients.client(sought("9", "deal")).name, clients.known["C_1"].phones) == ("Course", ("+79160000001",))


def test_a_dropped_filter_takes_nobody_in_by_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    def everything(*_: Any) -> None:
        return None

    monkeypatch.setattr("syncd.sandbox.crm.listing._test", everything)
    elements = contacts(60, lambda n: f"+7916000{n:04}")
    clients, _ = looked_up(elements, [sought("3", "contact")])
    assert set(clients.known) == {"C_3"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("8 044 123-45-67", "may be a number of Belarus or of Ukraine: write it with the country's code"),
        ("123-45-67", "1234567 is no whole number of any country .*: write it with the country's code"),
        ("8 116 111-22-33", "71161112233 is no whole number"),
        ("8 916 111-22-33", "see \\(add it in the CRM"),
    ],
)
def test_a_number_that_nobody_has_says_what_may_be_wrong_with_it(text: str, why: str) -> None:
    wanted = russian(text)
    clients, _ = looked_up(contacts(1, lambda _: "+79160000001"), [wanted])
    with pytest.raises(EntryError, match=why):
        clients.client(wanted)
