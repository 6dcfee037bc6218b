"""A probe finds out how a portal behaves, leaves nothing behind, and tells what it could not find out."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson
import pytest

from syncd.errors import PortalRefusedError
from syncd.portal.probe.bench import MARK
from syncd.portal.probe.facts import facts_from
from syncd.portal.probe.run import Probed
from syncd.portal.probe.statements import STATEMENTS
from syncd.sandbox.faults import parse_fault
from syncd.sandbox.methods import sections, users
from syncd.sandbox.seed.language_school import default_world
from syncd.sandbox.settings import SWITCHES, Settings, switched
from tests.portal.probe.probing import STAFF, Probing, telling_world, with_scopes
from tests.portal.probe.test_cut_off import cut_off

POSITIONS = [(name, position) for name, positions in SWITCHES.items() for position in positions]
UNTRIED = {"sections_for", "refresh_tokens", "offline_extended"}
"""Switches that cannot be told without touching other people's calendars, or tokens and events that are in use."""


def position_of(value: Any) -> str:
    return str(value) if not isinstance(value, bool) else "yes" if value else "no"


@pytest.mark.parametrize(("name", "position"), POSITIONS)
def test_a_probe_finds_each_switch_as_it_stands(name: str, position: str) -> None:
    settings = switched(Settings(), [(name, position)])
    found = Probing(settings).probe().facts
    for switch in SWITCHES.keys() - UNTRIED:
        standing = getattr(settings, switch)
        assert position_of(found.value(switch)) == position_of(standing), (switch, found.value(switch))
    assert found.value("sections_for") is None


def test_a_probe_of_a_portal_like_portal_md_contradicts_nothing() -> None:
    found = Probing().probe().facts
    assert found.contradictions == ()
    unknown = {fact.name for fact in found.facts if fact.value is None}
    assert unknown == {"plan", "page_size", "sections_for"}
    assert all(fact.why for fact in found.facts if fact.value is None)


@pytest.mark.parametrize(
    ("zone", "culture"),
    [
        ("Europe/Moscow", "ru"),
        ("America/New_York", "us"),
        ("UTC", "iso"),
        ("Europe/Berlin", "ru"),
        ("Asia/Tokyo", "us"),
    ],
)
def test_zone_and_culture_of_the_server_are_found(zone: str, culture: str) -> None:
    seed = msgspec.structs.replace(default_world(), server_zone=zone, culture=culture)
    found = Probing(seed=seed).probe().facts
    formats = {"ru": "DD.MM.YYYY HH:MI:SS", "us": "MM/DD/YYYY HH:MI:SS am", "iso": "YYYY-MM-DD HH:MI:SS"}
    assert (found.value("server_zone"), found.value("culture")) == (zone, formats[culture])
    assert found.contradictions == ()


def test_the_costs_found_are_those_of_the_portal() -> None:
    costs = {"calendar.event.add": 0.11, "calendar.event.update": 0.21}
    found = Probing(Settings(costs_s=costs, integer_stamps=False)).probe().facts.value("costs_s")
    assert isinstance(found, dict)
    assert found["calendar.event.add"] == pytest.approx(0.11, abs=0.005)
    assert found["calendar.event.update"] == pytest.approx(0.21, abs=0.005)


# What it leaves


def test_a_probe_leaves_the_portal_as_it_was() -> None:
    probing = Probing()
    before = probing.contents()
    probed = probing.probe()
    assert probing.contents() == before
    assert (probed.cleaned.removed, probed.cleaned.left, probed.kept) == (1, (), 0)
    assert probing.world.tables.notices == []


def test_the_scratch_section_stays_on_demand_until_the_next_probe() -> None:
    probing = Probing()
    before = probing.contents()
    kept = probing.probe(keep=True).kept
    assert probing.world.tables.sections[kept].name == "syncd probe 0123abcd"
    assert probing.probe().cleaned.left == ()
    assert probing.contents() == before


def test_a_person_s_event_in_the_scratch_section_stays_and_so_does_the_section() -> None:
    probing = Probing()
    kept = probing.probe(keep=True).kept
    row = next(iter(probing.world.tables.events_in(kept)))
    row.name, row.description = "Dentist", ""
    swept = probing.sweep()
    assert [event.name for event in probing.world.tables.events_in(kept)] == ["Dentist"]
    assert swept.removed == 0
    assert swept.left == (f"section {kept}: 1 event in it is not the probe's and stays",)


@pytest.mark.parametrize("year", [1990, 2025, 2045])
def test_a_person_s_event_in_the_scratch_section_stays_however_far_away_it_is(year: int) -> None:
    probing = Probing()
    kept = probing.probe(keep=True).kept
    row = next(iter(probing.world.tables.events_in(kept)))
    row.name, row.description = "Dentist", ""
    opens, closes = datetime(year, 5, 4, 9, tzinfo=UTC), datetime(year, 5, 4, 10, tzinfo=UTC)
    row.stored = replace(
        row.stored,
        date_from=opens.replace(tzinfo=None),
        date_to=closes.replace(tzinfo=None),
        from_ts=int(opens.timestamp()),
        to_ts=int(closes.timestamp()),
    )
    assert probing.sweep().removed == 0
    assert [event.name for event in probing.world.tables.events_in(kept)] == ["Dentist"]


def test_a_section_of_a_similar_name_that_no_probe_made_stays() -> None:
    probing = Probing()
    kept = probing.probe(keep=True).kept
    probing.world.tables.sections[kept].description = ""
    assert probing.sweep().removed == 0
    assert kept in probing.world.tables.sections
    probing.world.tables.sections[kept].description = MARK
    probing.world.tables.sections[kept].name = "syncd probe of mine"
    assert probing.sweep().removed == 0


def test_where_sections_show_no_description_they_are_known_by_their_name(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sections._shown

    def shown(call: Any, section: Any) -> Any:
        return {name: value for name, value in whole(call, section).items() if name != "DESCRIPTION"}  # type: ignore[union-attr]

    monkeypatch.setattr(sections, "_shown", shown)
    probing = Probing()
    before = probing.contents()
    assert probing.probe().cleaned.removed == 1
    assert probing.contents() == before
    cut_off(probing, 20)
    assert probing.sweep().removed == 1
    assert probing.contents() == before


def test_the_section_of_this_very_probe_goes_whatever_the_list_shows() -> None:
    probing = Probing()
    before = probing.contents()

    def rename(number: int) -> None:
        for section in probing.world.tables.sections.values():
            section.name = section.name.replace("syncd probe", "scratch")

    assert probing.probe(before=rename).cleaned.removed == 1
    assert probing.contents() == before


def test_a_stopped_probe_cleans_up_and_tells_what_it_had_found() -> None:
    probing, stop = Probing(), asyncio.Event()
    before = probing.contents()
    probed = probing.probe(stop=stop, before=lambda number: stop.set() if number == 15 else None)
    assert probing.contents() == before
    assert probed.facts.value("version_step") == 1
    assert probed.facts.value("series") is None
    assert reasons(probed)["series"] == "the probe was stopped"


# What it costs


def test_a_probe_stays_within_two_minutes_and_one_per_cent_of_the_operating_time() -> None:
    for cost in (0.05, 0.3, 2.0):
        costs = dict.fromkeys(("calendar.event.add", "calendar.event.getbyid", "calendar.event.get"), cost)
        probed = Probing(Settings(costs_s=costs, integer_stamps=False)).probe()
        assert probed.seconds < 120
        assert max(probed.operating_s.values()) <= 4.8 + cost
        assert probed.facts.known > 8


def test_what_the_budget_leaves_no_room_for_is_told() -> None:
    probed = Probing(Settings(costs_s={"calendar.event.add": 0.4}, integer_stamps=False)).probe()
    assert probed.facts.value("version_step") == 1
    assert "one per cent" in reasons(probed)["series"]


def test_where_the_budget_is_small_what_syncd_uses_is_asked_first() -> None:
    found = Probing(Settings(costs_s={"calendar.event.add": 0.3}, integer_stamps=False)).probe().facts
    used = ("host_rule", "crm_fields", "server_zone")
    assert [found.value(name) for name in used] == ["source", True, "Europe/Moscow"]


# What it may not


def reasons(probed: Probed) -> dict[str, str]:
    return {fact.name: fact.why for fact in probed.facts.facts}


def test_without_the_scope_for_calendars_only_the_rest_is_found_and_said_so() -> None:
    probed = Probing(seed=with_scopes(telling_world(), "user", "sonet_group")).probe()
    assert probed.facts.value("admin_groups") == "asked"
    assert probed.facts.value("host_rule") is None
    assert reasons(probed)["host_rule"] == "there is no scratch section: syncd lacks the scope calendar"


def test_without_other_scopes_their_facts_are_missing_and_said_so() -> None:
    probed = Probing(seed=with_scopes(telling_world(), "calendar")).probe()
    assert probed.facts.value("host_rule") == "source"
    assert reasons(probed)["page_past_end"] == "syncd lacks the scope crm"
    assert reasons(probed)["private_hidden"] == "syncd lacks the scope user_basic"


def test_an_employee_s_webhook_finds_everything_but_what_makes_a_difference_for_administrators() -> None:
    probed = Probing(webhook=STAFF).probe()
    assert probed.facts.value("admin") is False
    assert probed.facts.value("host_rule") == "source"
    assert probed.facts.value("deleted_update") == "sentence"
    assert probed.facts.value("writable_calendars") == "none"
    assert reasons(probed)["private_hidden"] == "it makes a difference for administrators only"


@pytest.mark.parametrize("method", ["calendar.event.add", "calendar.event.getbyid", "calendar.event.get"])
def test_a_blocked_method_costs_its_facts_only_and_the_reason_is_told(method: str) -> None:
    probing = Probing(Settings(faults=(parse_fault(f"block:method={method}"),)))
    before = probing.contents()
    probed = probing.probe()
    assert probed.facts.value("scopes")
    assert any("blocked" in why for why in reasons(probed).values())
    assert all(fact.value is not None or fact.why for fact in probed.facts.facts)
    assert probing.contents() == before


def test_an_answer_that_makes_no_sense_costs_the_facts_of_its_experiment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = users._group_shown

    def odd(group: Any) -> Any:
        return {**shown(group), "OWNER_ID": "nobody"}  # type: ignore[dict-item]

    monkeypatch.setattr(users, "_group_shown", odd)
    probed = Probing().probe()
    assert probed.facts.value("admin_groups") == "asked"
    assert probed.facts.value("page_past_end") == "first page"


def test_a_portal_that_refuses_the_webhook_is_an_error_and_nothing_is_made() -> None:
    probing = Probing(webhook=(1, "wrong"))
    before = probing.contents()
    with pytest.raises(PortalRefusedError):
        probing.probe()
    assert probing.contents() == before


# What it tells


def test_a_portal_that_contradicts_portal_md_is_told_with_the_section() -> None:
    found = Probing(Settings(name_length=100)).probe().facts
    (fact,) = found.contradictions
    assert (fact.name, fact.statement.section, fact.value) == ("name_length", "4.2", 100)


def doubled(call: Any, row: Any) -> None:
    row.version += 2
    row.changed_at = call.now


@pytest.mark.parametrize(
    ("where", "what", "value", "fact", "section", "found"),
    [
        ("events.stored_fields", "DEFAULT_COLOR", "#ffffff", "color_empty", "4.2", "#ffffff"),
        ("methods.event_update", "_touch", doubled, "version_step", "4.3", 2),
        ("limits", "RESET_S", 1200, "operating_window_s", "3.2", 1200),
        ("methods.event_read", "_refuse_extranet", lambda _call: None, "", "", None),
        ("methods.event_add", "cut_name", lambda name, _settings: name[:50], "name_length", "4.2", 50),
        ("dispatch", "substitute", lambda params, _maps: params, "macros", "2.3", False),
    ],
)
def test_a_deviation_of_any_kind_is_found(
    monkeypatch: pytest.MonkeyPatch, where: str, what: str, value: Any, fact: str, section: str, found: Any
) -> None:
    monkeypatch.setattr(f"syncd.sandbox.{where}.{what}", value)
    odd = Probing().probe().facts.contradictions
    told = [(one.name, one.statement.section, one.value) for one in odd if one.name != "macro_prefixes"]
    assert told == ([(fact, section, found)] if fact else [])


def test_facts_are_the_same_after_being_written_and_read() -> None:
    found = Probing().probe().facts
    document = orjson.loads(orjson.dumps(found.document()))
    read = facts_from(document)
    assert read is not None
    assert [(fact.name, fact.value, fact.contradicts) for fact in read.facts] == [
        (fact.name, fact.value, fact.contradicts) for fact in found.facts
    ]
    assert {row["fact"] for row in document["facts"]} == set(STATEMENTS)
    assert facts_from({**document, "version": 2}) is None
    assert facts_from([]) is None


def test_facts_hold_no_names_no_texts_of_people_and_no_webhook() -> None:
    probing = Probing()
    text = orjson.dumps(probing.probe().facts.document()).decode()
    seed = probing.seed
    private = [user.last_name for user in seed.users] + [user.email for user in seed.users]
    private += [group.name for group in seed.groups if group.name != "Timetable"]
    private += ["Doctor", "Board", "sandboxadmin", "127.0.0.1", "portal.example", "My calendar"]
    assert [word for word in private if word and word in text] == []


def test_events_of_a_probe_are_private_and_years_away() -> None:
    probing = Probing()
    kept = probing.probe(keep=True).kept
    rows = list(probing.world.tables.events_in(kept))
    assert len(rows) > 20
    assert all(row.private for row in rows)
    assert min(row.stored.date_from for row in rows) >= datetime(2028, 1, 1)
