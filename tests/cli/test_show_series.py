"""What the plan says of a series: what it became, once."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console

from syncd.cli.show import change_table, line
from syncd.model.became import Became
from syncd.model.item import Change, Item, Key, Place
from syncd.model.json_values import Json
from syncd.portal.people.directory import Caller, Directory, User

SAID = "weekly MO WE until 25 May 2026, 3 exceptions: 4 series, 1 event"
BECAME = Became(
    rules=("FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20260525T215959Z",), further_dates=0, exceptions=3, series=4, events=1
)


def create(uid: str, piece: str, owner: int = 5, summary: Became | None = BECAME) -> Change:
    key = Key(uid=uid, place=Place(kind="user", owner=owner), piece=piece)
    item = Item(
        key=key,
        section="Team",
        section_id=1,
        fields={},
        title=f"Lesson {uid}",
        where="team.ics:1",
        starts_on="2026-01-05",
        ends_on=None,
        start="2026-01-05T09:00:00+01:00",
        summary=summary,
    )
    return Change(op="create", key=key, item=item, reason="new in the source")


def shown(*changes: Change) -> str:
    text = StringIO()
    change_table(Console(file=text, width=160), changes, zone="Europe/Berlin")
    return text.getvalue()


def test_a_series_says_what_it_became_once_however_many_items_it_is() -> None:
    text = shown(*(create("a", piece) for piece in ("", "20260202", "20260309")))
    assert text.count(SAID) == 1
    assert text.index(SAID) < text.index("Lesson a", text.index(SAID))


def test_every_series_and_every_calendar_says_it_for_itself() -> None:
    text = shown(create("a", ""), create("a", "1"), create("b", ""), create("b", "1"), create("b", "", owner=6))
    assert text.count(SAID) == 3


def test_a_changed_rule_is_said_as_a_rule() -> None:
    rule: dict[str, Json] = {
        "freq": "WEEKLY",
        "interval": 1,
        "byday": ("MO", "WE"),
        "count": None,
        "until": "2027-02-01",
    }
    longer: dict[str, Json] = {**rule, "byday": ["MO", "WE"], "until": "2027-03-10"}
    change = replace(create("a", ""), op="update", fields={"rule": (rule, longer)})
    said = "FREQ=WEEKLY INTERVAL=1 BYDAY=MO,WE UNTIL=2027-0"
    text = " ".join(shown(change).replace("\n", " ").split())
    assert f"rule: {said}2-01 → {said}3-10" in text


def moved(own: str, **fields: tuple[Json, Json]) -> str:
    change = create("a", "", summary=None)
    assert change.item is not None
    item = replace(change.item, fields={"zone_from": own, "zone_to": own})
    return " ".join(shown(replace(change, op="update", item=item, fields=fields)).replace("\n", " ").split())


def test_times_before_and_after_are_in_the_zone_that_the_table_names() -> None:
    text = moved(
        "UTC",
        end=("2026-01-05T08:30:00", "2026-01-05T09:30:00"),
        name=("Old", "Lesson a"),
        start=("2026-01-05T08:00:00", "2026-01-05T09:00:00"),
    )
    said = ("name: Old → Lesson a", "start: 2026-01-05 09:00 → 2026-01-05 10:00", "end: 2026-01-05 09:30 →")
    assert [text.index(one) for one in said] == sorted(text.index(one) for one in said)


def test_a_time_in_a_zone_that_nobody_knows_or_that_is_the_same_moment_is_told_as_it_is_sent() -> None:
    assert "start: 2026-01-05T08:00:00 → 2026-01-05T09:00:00" in moved(
        "Nowhere/Land", start=("2026-01-05T08:00:00", "2026-01-05T09:00:00")
    )
    text = moved(
        "Europe/Berlin", start=("2026-01-05T08:00:00", "2026-01-05T09:00:00"), zone_from=("UTC", "Europe/Berlin")
    )
    assert "start: 2026-01-05T08:00:00 → 2026-01-05T09:00:00" in text
    assert "start: 2026-01-05 → 2026-01-06" in moved("", start=("2026-01-05", "2026-01-06"))


def test_a_plain_event_says_nothing_more() -> None:
    assert ":" not in shown(create("a", "", summary=None)).replace("09:00", "").replace("ics:1", "")


def test_a_reason_that_all_share_is_said_once_and_others_with_each_change() -> None:
    alike = shown(create("a", ""), create("b", ""))
    assert alike.count("new in the source") == 1
    mixed = shown(create("a", ""), replace(create("b", ""), reason="moved"), create("c", ""))
    assert (mixed.count("new in the source"), mixed.count("moved")) == (2, 1)


def test_calendars_go_by_the_names_of_their_holders() -> None:
    anna = User(id=5, name="Anna", last_name="Petrova", email="", xml_id="", zone="", active=True)
    directory = Directory(
        read_at=0, caller=Caller(id=1, zone="", admin=True), server_offset_s=0, users=(anna,), sections={}
    )
    text = StringIO()
    change_table(
        Console(file=text, width=160), [create("a", ""), create("a", "", owner=6)], zone=None, directory=directory
    )
    assert "Anna Petrova · Team" in text.getvalue()
    assert "user/6 · Team" in text.getvalue()


def test_a_line_that_does_not_fit_a_terminal_goes_on_further_in() -> None:
    text = StringIO()
    line(Console(file=text, width=24, force_terminal=True, color_system=None), "  a.csv:7: held: nobody called Petya")
    assert text.getvalue() == "  a.csv:7: held:\n      nobody called\n      Petya\n"
