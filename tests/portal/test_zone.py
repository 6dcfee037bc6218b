"""What the server's own zone is taken to be, when the config does not name it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from syncd.portal.people.directory import Caller, Directory, User, server_zone

WINTER, SUMMER = datetime(2026, 12, 1, tzinfo=ZoneInfo("UTC")), datetime(2026, 7, 1, tzinfo=ZoneInfo("UTC"))


def directory(server: str, at: datetime, caller: str, *people: str, active: bool = True) -> Directory:
    offset = at.astimezone(ZoneInfo(server)).utcoffset()
    assert offset is not None
    users = tuple(
        User(id=number, name="", last_name="", email="", xml_id="", zone=zone, active=active)
        for number, zone in enumerate(people, start=1)
    )
    return Directory(
        read_at=at.timestamp(),
        caller=Caller(id=1, zone=caller, admin=True),
        server_offset_s=int(offset.total_seconds()),
        users=users,
        sections={},
    )


def test_a_caller_who_shares_the_servers_offset_lives_where_the_server_stands() -> None:
    assert server_zone(directory("Europe/Berlin", WINTER, "Africa/Lagos", "Europe/Berlin")) == "Africa/Lagos"


def test_elsewhere_it_is_where_most_people_live_who_share_its_offset() -> None:
    people = ("Europe/Moscow", "Europe/Moscow", "Europe/Moscow", "Africa/Tunis", "Europe/Vienna", "Europe/Vienna")
    assert server_zone(directory("Europe/Berlin", WINTER, "Europe/Moscow", *people)) == "Europe/Vienna"


def test_dismissed_people_and_unknown_zones_say_nothing() -> None:
    assert server_zone(directory("Europe/Berlin", WINTER, "", "Africa/Tunis", active=False)) == "Europe/Berlin"
    assert server_zone(directory("Europe/Berlin", WINTER, "Nowhere/Else", "", "Nowhere/Else")) == "Europe/Berlin"


@pytest.mark.parametrize("at", [WINTER, SUMMER])
@pytest.mark.parametrize("server", ["Europe/Moscow", "Europe/Berlin", "America/New_York", "Pacific/Auckland", "UTC"])
def test_a_likely_zone_is_guessed_the_same_in_both_seasons(server: str, at: datetime) -> None:
    assert server_zone(directory(server, at, "Asia/Vladivostok")) == server


def test_an_offset_of_no_likely_zone_is_taken_as_lasting() -> None:
    offset = ZoneInfo(server_zone(directory("Asia/Kamchatka", WINTER, "Europe/Moscow")))
    assert {at.astimezone(offset).strftime("%z") for at in (WINTER, SUMMER)} == {"+1200"}


@pytest.mark.parametrize(
    ("server", "offset"),
    [("Asia/Tehran", "+0330"), ("Asia/Kathmandu", "+0545"), ("Australia/Darwin", "+0930"), ("Asia/Yangon", "+0630")],
)
def test_a_zone_is_guessed_to_the_minute(server: str, offset: str) -> None:
    guess = ZoneInfo(server_zone(directory(server, WINTER, "Europe/Moscow")))
    assert {at.astimezone(guess).strftime("%z") for at in (WINTER, SUMMER)} == {offset}


def test_an_offset_that_only_zones_with_summer_time_have_is_theirs() -> None:
    assert server_zone(directory("America/St_Johns", WINTER, "Europe/Moscow")) == "America/St_Johns"
