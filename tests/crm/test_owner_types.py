"""Cards of every type: quotes, invoices and the types that a portal's people have made themselves."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from syncd.app.check import check_all
from syncd.app.checked import Check
from syncd.errors import EntryError
from syncd.model.item import Place
from syncd.portal.people.clients import sought
from syncd.portal.people.owner_types import called, code_of, number_of, owner_type_of, type_in
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.seed.world_schema import SeedElement, SeedType, WorldSeed
from syncd.sandbox.settings import Settings
from tests.crm.stage import HEADER, VISITS, activities
from tests.support.sandbox import Stage, run_inline

ORDER_NO = "UF_CRM_5_1700000000"
DEAL = SeedElement(type="deal", id=8, name="Summer", assigned_by=9, contact=2)


def school(*elements: SeedElement) -> WorldSeed:
    """The language school with a quote, an invoice and two elements of a dynamic type."""
    world = default_world()
    others = (
        SeedElement(type="quote", id=11, name="Quote for the course", assigned_by=5, contact=2),
        SeedElement(type="smart_invoice", id=12, name="Invoice 12", assigned_by=5, company=1),
        SeedElement(type="dynamic_177", id=1, name="Rental", assigned_by=9, contact=1, fields={ORDER_NO: "A-100"}),
        SeedElement(type="dynamic_177", id=2, name="Rental", assigned_by=9, fields={ORDER_NO: ("B-7", "B-8")}),
        SeedElement(type="dynamic_177", id=3, name="Rental", assigned_by=9, contact=2, fields={ORDER_NO: "B-8"}),
        *elements,
    )
    types = (SeedType(id=177, name="Rentals"),)
    return msgspec.structs.replace(world, crm_types=types, elements=(*world.elements, *others))


def staged(folder: Path, target: str, named: str, settings: Settings | None = None, kind: str = "activity") -> Stage:
    config = VISITS.replace('type = "activity"', f'type = "{kind}"').replace(
        'contact = "{contact_phone}"', f'contact = "{{Phone}}"\n{target}'
    )
    stage = Stage(folder, config, settings=settings or Settings(), seed=school(DEAL))
    rows = "".join(
        f"{at},{one},2026-12-0{at} 10:00,30,Visit {at},anna.petrova@school.example,,\n"
        for at, one in enumerate(named.split(), 1)
    )
    stage.write("visits.csv", HEADER + rows)
    return stage


@pytest.mark.parametrize(
    ("target", "named", "owner", "met"),
    [
        ('owner_type = "quote"', "11", (7, 11), (3, 2)),
        ('owner_type = "quote"', "Q_11", (7, 11), (3, 2)),
        ('owner_type = "invoice"', "12", (31, 12), (4, 1)),
        ('owner_type = "contact"', "SI_12", (31, 12), (4, 1)),
        ("owner_type = 177", "1", (177, 1), (3, 1)),
        ("owner_type = 177", "2", (177, 2), (177, 2)),
        ("owner_type = 177", "Tb1_1", (177, 1), (3, 1)),
        ('owner_type = 177\nowner_field = "ufCrm5_1700000000"', "A-100", (177, 1), (3, 1)),
        ('owner_type = 177\nowner_field = "UF_CRM_5_1700000000"', "B-7", (177, 2), (177, 2)),
        ('owner_type = "deal"\nowner_field = "title"', "Summer", (2, 8), (3, 2)),
    ],
)
@pytest.mark.parametrize("kind", ["activity", "todo"])
def test_an_entry_goes_to_the_card_of_its_element(
    kind: str, target: str, named: str, owner: tuple[int, int], met: tuple[int, int], tmp_path: Path
) -> None:
    stage = staged(tmp_path, target, named, kind=kind)
    result = run_inline(stage.one_pass("visits"))
    assert result.exit_code == 0, result.record.problems
    (made,) = activities(stage)
    assert (made.owner_type_id, made.owner_id) == owner
    if kind == "activity":
        assert [(one.entity_type_id, one.entity_id) for one in made.communications] == [met]
    again = run_inline(stage.one_pass("visits", verify=True))
    counts = again.record.counts
    assert (counts["unchanged"], counts["updated"], counts["created"], counts["conflict"]) == (1, 0, 0, 0)


def test_a_value_that_two_elements_have_is_told_with_both(tmp_path: Path) -> None:
    stage = staged(tmp_path, 'owner_type = 177\nowner_field = "ufCrm5_1700000000"', "B-8 C-1")
    result = run_inline(stage.one_pass("visits"))
    doubtful, unknown = (problem.reason for problem in result.record.problems)
    assert "2 items of type 177 have 'B-8': item of type 177 2 Rental, item of type 177 3 Rental" in doubtful
    assert "no item of type 177 with ufCrm5_1700000000 'C-1' that syncd's user may see" in unknown
    assert activities(stage) == []


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("owner_type = 200", "this portal has no such type of elements: see owner_type"),
        ('owner_type = 177\nowner_field = "ufCrm5_1"', "cannot be found by this field: see owner_field"),
    ],
)
def test_a_type_or_field_that_the_portal_has_not_is_told_with_the_key(target: str, says: str, tmp_path: Path) -> None:
    stage = staged(tmp_path, target, "1")
    error = run_inline(stage.one_pass("visits")).error
    assert error is not None
    assert says in error.remedy

    async def checked() -> list[Check]:
        async with stage.opened() as (_, app):
            return [one async for one in check_all(app, offline=False)]

    (told,) = (one for one in run_inline(checked()) if one.name == "clients visits")
    assert not told.ok
    assert says in told.remedy


@pytest.mark.parametrize("items", ["full", "bare", "none"])
@pytest.mark.parametrize(
    ("target", "named", "value"),
    [
        ('owner_type = "contact"', "+37129123456 zimin@mail.example 3", "+371 29 123 456"),
        ('owner_type = "company"', "CO_1", "+371 67 000 111"),
        ('owner_type = "deal"', "7", "+371 29 123 456"),
        ('owner_type = "quote"', "11", "+371 29 123 456"),
    ],
)
def test_clients_are_the_same_by_the_newer_and_the_older_lists(
    items: str, target: str, named: str, value: str, tmp_path: Path
) -> None:
    stage = staged(tmp_path, target, named, Settings(crm_items=items))  # type: ignore[arg-type]
    result = run_inline(stage.one_pass("visits"))
    assert result.exit_code == 0, result.record.problems
    assert activities(stage)[0].communications[0].value == value
    asked = {method for method in stage.world.traffic.commands if method.endswith(".list")} - {"crm.activity.list"}
    # The older lists are asked only for what the newer one lacks.
    assert "crm.item.list" in asked
    assert ("crm.contact.list" in asked) == (items != "full" and "company" not in target)


def test_dynamic_types_need_the_newer_list(tmp_path: Path) -> None:
    stage = staged(tmp_path, "owner_type = 177", "1", Settings(crm_items="none"))
    assert "refused crm.item.list" in str(run_inline(stage.one_pass("visits")).error)


def test_types_by_name_number_and_letters_are_the_same() -> None:
    names = ("lead", "deal", "contact", "company", "quote", "invoice", "128", "1001")
    for name in names:
        assert owner_type_of(number_of(name)) == name
        assert type_in(code_of(name, 5).partition("_")[0]) == name
    assert [code_of(one, 5) for one in ("invoice", "177")] == ["SI_5", "Tb1_5"]
    assert (called("177"), called("company", several=True), called("quote", several=True)) == (
        "item of type 177", "companies", "quotes",
    )  # fmt: skip
    assert type_in("T5") is None
    with pytest.raises(ValueError, match="no cards of type 14"):
        owner_type_of(14)


def test_places_on_cards_of_any_type_survive_the_ledger() -> None:
    for kind in ("meeting-177", "call-quote", "custom-invoice", "todo-1001", "company_calendar"):
        assert Place.parse(str(Place(kind=kind, owner=5))) == Place(kind=kind, owner=5)
    for text in ("meeting-cat/5", "mail-deal/5", "meeting-5/5", "meeting-/5"):
        with pytest.raises(ValueError, match="not a calendar"):
            Place.parse(text)


def test_an_element_without_phones_is_named_by_its_id_however_long() -> None:
    assert sought("12345678", "deal").word == "12345678"
    with pytest.raises(EntryError, match="an item of type 177 cannot be found by"):
        sought("+7 916 111-22-33", "177")
