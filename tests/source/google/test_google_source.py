"""Google calendars: what is asked, what is kept, and whose events they are."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from syncd.errors import ConfigError, SourceError
from syncd.model.entry import AllDay, Moment, Reminder, Timed
from syncd.source import open_source
from syncd.source.base import FileBacked
from syncd.source.conformance import CONTEXT
from syncd.source.google.google_api import directory_of
from tests.source.google.opened import ANNA, BORIS, MemoryCache, opened, starts, timed
from tests.source.google.server import ROBOT, FakeGoogle, serving
from tests.source.google.world import CalendarWorld, Item
from tests.source.web.serving import QuickClock

NINE, TEN = "2026-12-01T09:00", "2026-12-01T10:00"


@pytest.fixture
async def google() -> AsyncIterator[FakeGoogle]:
    async with serving(FakeGoogle()) as served:
        yield served


@pytest.fixture
def anna(google: FakeGoogle) -> CalendarWorld:
    return google.calendar(ANNA)


async def test_an_unchanged_pass_costs_one_request_per_calendar_and_reads_nothing_again(google: FakeGoogle) -> None:
    for number in range(5):
        google.calendar(f"p{number}@example.com").event("e", NINE, TEN)
    source = opened(google, calendars=[*google.calendars])
    first = await source.read(CONTEXT)
    before = google.token_requests
    google.counts.clear()
    assert await source.read(CONTEXT) is first
    assert (source.requests, dict(google.counts)) == (5, dict.fromkeys(google.calendars, 1))
    assert google.token_requests == before


async def test_another_process_goes_on_from_the_token_and_writes_nothing_that_has_not_changed(
    google: FakeGoogle, anna: CalendarWorld
) -> None:
    cache = MemoryCache()
    anna.event("e", NINE, TEN)
    context = replace(CONTEXT, cache=cache)
    first = await opened(google).read(context)
    again = await opened(google).read(context)
    assert again == first
    assert [("syncToken" in parse_qs(urlsplit(url).query)) for url in google.asked] == [False, True]
    assert cache.saved == 1


async def test_what_is_asked_is_the_same_each_time_and_never_expanded(google: FakeGoogle, anna: CalendarWorld) -> None:
    source = opened(google)
    await source.read(CONTEXT)
    anna.event("e", NINE, TEN)
    await source.read(CONTEXT)
    asked = [parse_qs(urlsplit(url).query) for url in google.asked]
    same = {"maxResults": ["2500"], "showDeleted": ["true"], "singleEvents": ["false"]}
    assert asked == [same, {**same, "syncToken": ["t0.0"]}]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_short_pages_are_all_read(google: FakeGoogle, anna: CalendarWorld, size: int) -> None:
    google.switches.page_size = size
    for number in range(7):
        anna.event(f"e{number}", NINE, TEN)
    assert len((await opened(google).read(CONTEXT)).entries) == 7


async def test_a_day_may_be_moved_cancelled_and_have_a_series_in_two_halves(
    google: FakeGoogle, anna: CalendarWorld
) -> None:
    anna.event("s", "2026-12-01T09:00", "2026-12-01T09:30", recurrence=["RRULE:FREQ=DAILY"], summary="Standup")
    anna.cancel("s", anna.at("2026-12-03T09:00"))
    anna.occurrence(
        "s", anna.at("2026-12-02T09:00"), start=anna.at("2026-12-02T15:00"), end=anna.at("2026-12-02T16:00")
    )
    anna.split("s", "2026-12-07T09:00", "20261207T055959Z", "RRULE:FREQ=DAILY;COUNT=3", summary="Standup, new")
    snapshot = await opened(google).read(CONTEXT)
    first, second = snapshot.entries
    assert [first.uid, second.uid] == [f"s@{ANNA}", f"s_R20261207T060000Z@{ANNA}"]
    assert first.recurrence is not None
    assert first.recurrence.rules == ("FREQ=DAILY;UNTIL=20261207T055959Z",)
    assert {(one.at.wall.day, one.details.status or "") for one in first.overrides} == {
        (2, "CONFIRMED"),
        (3, "CANCELLED"),
    }
    assert starts(snapshot) == {"Standup": "2026-12-01T09:00:00", "Standup, new": "2026-12-07T09:00:00"}
    assert snapshot.problems == ()


async def test_a_change_that_comes_later_finds_its_series(google: FakeGoogle, anna: CalendarWorld) -> None:
    source = opened(google)
    anna.event("s", NINE, TEN, recurrence=["RRULE:FREQ=DAILY;COUNT=5"])
    await source.read(CONTEXT)
    anna.cancel("s", anna.at("2026-12-02T09:00"))
    (entry,) = (await source.read(CONTEXT)).entries
    assert [(one.at, one.details.status) for one in entry.overrides] == [
        (Moment(wall=datetime(2026, 12, 2, 9), zone="Europe/Moscow"), "CANCELLED")
    ]
    # Put back: it is no longer cancelled, and comes as an occurrence like any other.
    anna.occurrence("s", anna.at("2026-12-02T09:00"))
    (entry,) = (await source.read(CONTEXT)).entries
    assert [one.details.status for one in entry.overrides] == ["CONFIRMED"]


async def test_a_series_that_is_deleted_takes_its_changed_days_along(google: FakeGoogle, anna: CalendarWorld) -> None:
    source = opened(google)
    anna.event("s", NINE, TEN, recurrence=["RRULE:FREQ=DAILY;COUNT=5"])
    anna.occurrence("s", anna.at("2026-12-02T09:00"), summary="Other")
    assert len((await source.read(CONTEXT)).entries) == 1
    anna.delete("s")
    snapshot = await source.read(CONTEXT)
    assert (snapshot.entries, snapshot.complete) == ((), True)


async def test_who_is_invited_to_one_day_of_a_series_sees_that_day(google: FakeGoogle, anna: CalendarWorld) -> None:
    day = anna.at("2026-12-02T09:00")
    anna.put({
        "id": "s_20261202T060000Z", "recurringEventId": "s", "originalStartTime": day, "summary": "One day",
        "start": day, "end": anna.at("2026-12-02T10:00"), "organizer": {"email": BORIS},
    })  # fmt: skip
    anna.cancel("s", anna.at("2026-12-03T09:00"))
    snapshot = await opened(google).read(CONTEXT)
    assert starts(snapshot) == {"One day": "2026-12-02T09:00:00"}
    assert snapshot.entries[0].recurrence is None


@pytest.mark.parametrize("middle", [False, True])
async def test_a_token_that_is_gone_has_the_calendar_read_whole(
    google: FakeGoogle, anna: CalendarWorld, *, middle: bool
) -> None:
    source = opened(google)
    for number in range(4):
        anna.event(f"e{number}", NINE, TEN)
    await source.read(CONTEXT)
    anna.delete("e0")
    del anna.items["e0"]  # a whole list does not tell of deletions for ever
    if middle:
        google.switches.page_size, google.switches.gone_at_page = 1, 2
        anna.event("e4", NINE, TEN)
        anna.event("e5", NINE, TEN)
    else:
        anna.epoch += 1
    snapshot = await source.read(CONTEXT)
    assert snapshot.complete
    assert {entry.uid for entry in snapshot.entries} == {
        f"e{number}@{ANNA}" for number in ((1, 2, 3, 4, 5) if middle else (1, 2, 3))
    }


async def test_what_a_list_of_changes_left_out_is_found_where_everything_is_asked_for(
    google: FakeGoogle, anna: CalendarWorld
) -> None:
    source = opened(google)
    anna.event("a", NINE, TEN)
    await source.read(CONTEXT)
    anna.event("b", NINE, TEN)
    anna.log.remove("b")
    assert len((await source.read(CONTEXT)).entries) == 1
    assert len((await source.read(replace(CONTEXT, whole=True))).entries) == 2
    google.asked.clear()
    assert len((await source.read(CONTEXT)).entries) == 2
    assert "syncToken" in google.asked[0]


async def test_each_event_has_its_own_zone_though_all_times_come_in_that_of_the_calendar(
    google: FakeGoogle, anna: CalendarWorld
) -> None:
    york = "America/New_York"
    anna.put(
        {
            "id": "e",
            "summary": "Call",
            "start": anna.at("2026-12-01T09:00", york),
            "end": anna.at("2026-12-01T10:00", york),
        }
    )
    assert anna.items["e"]["start"]["dateTime"] == "2026-12-01T17:00:00+03:00"
    span = timed(await opened(google).read(CONTEXT))
    assert span == Timed(start=datetime(2026, 12, 1, 9), end=datetime(2026, 12, 1, 10), zone=york, end_zone=york)


async def test_a_flight_ends_in_another_zone_than_it_begins(google: FakeGoogle, anna: CalendarWorld) -> None:
    end = anna.at("2026-12-01T11:00", "Europe/Berlin")
    anna.put({"id": "e", "summary": "Flight", "start": anna.at(NINE), "end": end})
    span = timed(await opened(google).read(CONTEXT))
    assert (span.start.hour, span.zone, span.end.hour, span.end_zone) == (9, "Europe/Moscow", 11, "Europe/Berlin")


async def test_a_time_without_a_zone_of_its_own_has_that_of_the_calendar(
    google: FakeGoogle, anna: CalendarWorld
) -> None:
    anna.put({"id": "e", "start": {"dateTime": "2026-12-01T06:00:00Z"}, "end": {"dateTime": "2026-12-01T07:00:00Z"}})
    span = timed(await opened(google).read(replace(CONTEXT, zone="Asia/Tokyo")))
    assert (span.start, span.zone) == (datetime(2026, 12, 1, 9), "Europe/Moscow")


async def test_whole_days_have_an_exclusive_end(google: FakeGoogle, anna: CalendarWorld) -> None:
    anna.event("e", "2026-12-10", "2026-12-12")
    snapshot = await opened(google).read(CONTEXT)
    assert snapshot.entries[0].span == AllDay(first=date(2026, 12, 10), end=date(2026, 12, 12))


async def test_an_unknown_zone_rejects_its_event_alone_and_can_be_given_a_meaning(
    google: FakeGoogle, anna: CalendarWorld
) -> None:
    odd = {"dateTime": "2026-12-01T09:00:00+03:00", "timeZone": "Our Office"}
    anna.put({"id": "bad", "start": odd, "end": odd})
    anna.event("good", NINE, TEN)
    snapshot = await opened(google).read(CONTEXT)
    assert [entry.uid for entry in snapshot.entries] == [f"good@{ANNA}"]
    assert set(snapshot.rejected_uids) == {f"bad@{ANNA}"}
    assert "'Our Office' is not known" in snapshot.problems[0].reason
    meant = await opened(google, zones={"our office": "Europe/Moscow"}).read(CONTEXT)
    assert timed(meant).zone == "Europe/Moscow"


async def test_somebody_who_may_only_see_busy_times_reads_them_with_the_title_that_is_configured(
    google: FakeGoogle, anna: CalendarWorld
) -> None:
    anna.event("e", NINE, TEN, summary="Dismissals", description="secret")
    anna.event("s", NINE, TEN, recurrence=["RRULE:FREQ=DAILY;COUNT=2"])
    anna.roles[ROBOT] = "freeBusyReader"
    snapshot = await opened(google, busy_title="Занято").read(CONTEXT)
    assert [(entry.details.title, entry.details.description) for entry in snapshot.entries] == [("Занято", "")] * 2
    assert snapshot.assumed == ("1 calendar shows only when people are busy",)


async def test_a_private_event_of_somebody_else_is_busy_and_an_untitled_one_is_untitled(
    google: FakeGoogle, anna: CalendarWorld
) -> None:
    anna.event("private", NINE, TEN, visibility="private")
    anna.put({"id": "untitled", "start": anna.at(NINE), "end": anna.at(TEN)})
    snapshot = await opened(google).read(CONTEXT)
    assert {entry.uid: entry.details.title for entry in snapshot.entries} == {
        f"private@{ANNA}": "Busy", f"untitled@{ANNA}": ""
    }  # fmt: skip


async def test_kinds_of_events_can_be_chosen_and_what_is_left_out_is_counted(
    google: FakeGoogle, anna: CalendarWorld
) -> None:
    for kind in ("birthday", "default", "focusTime", "fromGmail", "outOfOffice", "workingLocation"):
        anna.event(kind, NINE, TEN, eventType=kind)
    snapshot = await opened(google).read(CONTEXT)
    assert {entry.uid.partition("@")[0] for entry in snapshot.entries} == {
        "default", "focusTime", "fromGmail", "outOfOffice"
    }  # fmt: skip
    assert snapshot.assumed == ("left out: 1 birthday, 1 workingLocation",)
    only = await opened(google, event_types=["birthday"]).read(CONTEXT)
    assert [entry.uid for entry in only.entries] == [f"birthday@{ANNA}"]


async def test_a_meeting_of_two_people_is_an_entry_of_each_and_one_without_copies(google: FakeGoogle) -> None:
    guests: list[Item] = [{"email": ANNA, "organizer": True, "responseStatus": "accepted"}, {"email": BORIS}]
    for person in (ANNA, BORIS):
        seen = [{**one, "self": True} if one["email"] == person else one for one in guests]
        organizer = {"email": ANNA, **({"self": True} if person == ANNA else {})}
        google.calendar(person).event("m", NINE, TEN, attendees=seen, organizer=organizer)
    both = await opened(google, calendars=[ANNA, BORIS]).read(CONTEXT)
    assert [(entry.uid, entry.details.owner) for entry in both.entries] == [
        (f"m@{ANNA}", ANNA), (f"m@{BORIS}", BORIS)
    ]  # fmt: skip
    assert both.entries[0].details.attendees == (ANNA, BORIS)
    assert both.problems == ()
    one = await opened(google, calendars=[ANNA, BORIS], copies=False).read(CONTEXT)
    assert [entry.uid for entry in one.entries] == [f"m@{ANNA}"]
    shared = "c_1@group.calendar.google.com"
    google.calendar(shared)
    google.calendar(BORIS).event("of-a-calendar", NINE, TEN, organizer={"email": "c_2@group.calendar.google.com"})
    nobodys = await opened(google, calendars=[BORIS, shared], copies=False).read(CONTEXT)
    assert {entry.uid.partition("@")[0] for entry in nobodys.entries} == {"m", "of-a-calendar"}
    google.calendar(BORIS).delete("of-a-calendar")
    alone = await opened(google, calendars=[BORIS], copies=False).read(CONTEXT)
    assert [entry.uid for entry in alone.entries] == [f"m@{BORIS}"]


async def test_rooms_and_calendars_are_no_guests_and_the_conference_and_colour_are_kept(
    google: FakeGoogle, anna: CalendarWorld
) -> None:
    anna.event(
        "e", NINE, TEN, colorId="11", hangoutLink="https://meet.google.com/old", transparency="transparent",
        conferenceData={"entryPoints": [
            {"entryPointType": "phone", "uri": "tel:+1"}, {"entryPointType": "video", "uri": "https://zoom.example/j/1"},
        ]},
        attendees=[{"email": "room@resource.calendar.google.com", "resource": True}, {"email": "Eva@Example.com"}],
        organizer={"email": "c_1@group.calendar.google.com", "self": True},
        reminders={"overrides": [{"method": "popup", "minutes": 5}, {"method": "email", "minutes": 60}]},
    )  # fmt: skip
    details = (await opened(google).read(CONTEXT)).entries[0].details
    assert (details.attendees, details.organizer, details.color) == (("eva@example.com",), "", "#dc2127")
    assert dict(details.columns)["CONFERENCE"] == "https://zoom.example/j/1"
    assert details.transparent is True
    assert details.reminders == tuple(Reminder(before=timedelta(minutes=one)) for one in (5, 60))


@pytest.mark.parametrize(
    ("reminders", "minutes"),
    [({"useDefault": True}, (30,)), ({"useDefault": False}, ()), (None, None)],
)
async def test_usual_reminders_are_those_of_the_calendar(
    google: FakeGoogle, anna: CalendarWorld, reminders: object, minutes: tuple[int, ...] | None
) -> None:
    anna.event("e", NINE, TEN, **({"reminders": reminders} if reminders else {}))
    found = (await opened(google).read(CONTEXT)).entries[0].details.reminders
    wanted = None if minutes is None else tuple(Reminder(before=timedelta(minutes=one)) for one in minutes)
    assert found == wanted


async def test_calendars_come_from_a_file_that_is_read_anew_each_time(google: FakeGoogle, tmp_path: Path) -> None:
    for person in (ANNA, BORIS):
        google.calendar(person).event("e", NINE, TEN)
    shared = google.calendar("c_1@group.calendar.google.com", summary="Projects")
    shared.event("p", NINE, TEN)
    file = tmp_path / "users.csv"
    file.write_text(f"calendar,owner\n{ANNA},\n{shared.id},{BORIS}\n")
    source = opened(google, tmp_path, calendars="users.csv")
    assert isinstance(source, FileBacked)
    assert source.files() == (file,)
    snapshot = await source.read(CONTEXT)
    assert [(entry.where, entry.details.owner) for entry in snapshot.entries] == [
        (f"{ANNA}/e", ANNA), ("Projects/p", BORIS)
    ]  # fmt: skip
    file.write_text(f"{ANNA}\n{BORIS}\n")
    assert [entry.details.owner for entry in (await source.read(CONTEXT)).entries] == [ANNA, BORIS]
    file.unlink()
    with pytest.raises(SourceError, match=r"users\.csv"):
        await source.read(CONTEXT)


async def test_the_people_of_a_domain_are_asked_for_and_remembered_for_an_hour(google: FakeGoogle) -> None:
    people = [{"primaryEmail": f"P{number}@example.com", "suspended": number == 2} for number in range(5)]
    google.people["example.com"] = [*people, {"primaryEmail": "admin@example.com"}]
    for number in range(5):
        google.calendar(f"p{number}@example.com").event("e", NINE, TEN)
    google.calendar("admin@example.com")
    clock = QuickClock()
    source = opened(google, clock=clock, calendars="@example.com", subject="owner", admin="admin@example.com")
    snapshot = await source.read(CONTEXT)
    assert [entry.details.owner for entry in snapshot.entries] == [f"p{number}@example.com" for number in (0, 1, 3, 4)]
    assert snapshot.complete
    google.asked.clear()
    await source.read(CONTEXT)
    assert [url for url in google.asked if "/users" in url] == []
    clock.slept.append(3600.0)


async def test_each_server_of_google_gets_the_token_that_is_meant_for_it(google: FakeGoogle) -> None:
    source = opened(google, url="https://www.googleapis.com/calendar/v3")
    async with source._api() as api:
        assert api.client.trusts(api.url)
        assert directory_of(api.url).startswith("https://admin.googleapis.com/")
        assert api.directory_client.trusts(directory_of(api.url))
        assert not api.directory_client.trusts(api.url)
        assert api.token_client.trusts(api.tokens.uri)


async def test_a_calendar_may_have_any_name(google: FakeGoogle) -> None:
    name = "ru.russian#holiday@group.v.calendar.google.com"
    google.calendar(name, summary="Праздники").event("e", "2026-12-31", "2027-01-01")
    (entry,) = (await opened(google, calendars=[name]).read(CONTEXT)).entries
    assert (entry.where, entry.details.owner) == ("Праздники/e", "")


async def test_somebody_without_a_calendar_has_nothing_in_it(google: FakeGoogle, anna: CalendarWorld) -> None:
    anna.event("e", NINE, TEN)
    google.people["example.com"] = [{"primaryEmail": one} for one in (ANNA, "admin@example.com")]
    snapshot = await opened(google, calendars="@example.com", subject="owner", admin="admin@example.com").read(CONTEXT)
    assert (snapshot.complete, len(snapshot.entries)) == (True, 1)
    assert snapshot.assumed == ("1 person has no Google Calendar",)


async def test_a_person_reads_their_own_calendar_by_default(google: FakeGoogle, anna: CalendarWorld) -> None:
    anna.event("e", NINE, TEN)
    source = opened(google, token=google.token(), calendars=())
    (entry,) = (await source.read(CONTEXT)).entries
    assert (entry.uid, entry.details.owner) == (f"e@{ANNA}", ANNA)
    assert source.describe() == "google primary"


async def test_two_people_with_the_same_config_never_read_what_is_kept_of_the_other(
    google: FakeGoogle, anna: CalendarWorld
) -> None:
    anna.event("a", NINE, TEN)
    google.calendar(BORIS).event("b", NINE, TEN)
    context = replace(CONTEXT, cache=MemoryCache())
    for person, name in ((ANNA, "a"), (BORIS, "b"), (ANNA, "a")):
        source = opened(google, token=google.token(person), calendars=())
        assert [entry.uid for entry in (await source.read(context)).entries] == [f"{name}@{person}"]


async def test_of_the_busy_nothing_is_kept_but_their_time(google: FakeGoogle, anna: CalendarWorld) -> None:
    guests = [{"email": ANNA, "self": True, "responseStatus": "accepted"}, {"email": "secret@example.com"}]
    secret = dict.fromkeys(("summary", "description", "location", "hangoutLink"), "secret")
    anna.event("e", NINE, TEN, attendees=guests, recurrence=["RRULE:FREQ=DAILY;COUNT=2"], **secret)
    anna.occurrence("e", anna.at(NINE), summary="secret too")
    anna.event("no", NINE, TEN, attendees=[{"email": ANNA, "self": True, "responseStatus": "declined"}])
    cache = MemoryCache()
    source = opened(google, busy_only=True)
    (entry,) = (await source.read(replace(CONTEXT, cache=cache))).entries
    assert (entry.details.title, [one.details.title for one in entry.overrides]) == ("Busy", ["Busy"])
    (kept,) = cache.kept.values()
    assert b"RRULE" in zlib.decompress(kept)
    assert b"secret" not in zlib.decompress(kept)
    assert (await opened(google).read(replace(CONTEXT, cache=cache))).entries[0].details.title == "secret"


async def test_nothing_is_kept_of_people_who_are_not_read_any_more(google: FakeGoogle, tmp_path: Path) -> None:
    for person in (ANNA, BORIS):
        google.calendar(person).event("e", NINE, TEN)
    (tmp_path / "users.csv").write_text(f"{ANNA}\n{BORIS}\n")
    source = opened(google, tmp_path, calendars="users.csv")
    await source.read(CONTEXT)
    (tmp_path / "users.csv").write_text(f"{ANNA}\n")
    await source.read(CONTEXT)
    assert source._store is not None
    assert set(source._store.calendars) == {ANNA}


async def test_an_owner_may_be_called_as_in_the_portal_and_is_read_by_the_address_of_the_calendar(
    google: FakeGoogle, anna: CalendarWorld, tmp_path: Path
) -> None:
    anna.event("e", NINE, TEN, visibility="private", summary="Dentist")
    (tmp_path / "users.csv").write_text(f"calendar,owner\n{ANNA},Anna Petrova\n")
    (entry,) = (await opened(google, tmp_path, calendars="users.csv", subject="owner").read(CONTEXT)).entries
    assert (entry.details.owner, entry.details.title) == ("Anna Petrova", "Dentist")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"key": None}, "nothing says who reads"),
        ({"key": "{}"}, "key is of no known type"),
        ({"key": "not json"}, "key is not the JSON that Google gives"),
        ({"key": '{"type": "authorized_user", "refresh_token": "r"}'}, "key is of type 'authorized_user'"),
        ({"key": None, "token": "r"}, "a bare token goes with the client"),
        ({"key": None, "token": "{}"}, "token holds no refresh_token"),
        ({"key": None, "token_file": "not-there"}, "token_file names a file .*syncd source authorize"),
        ({"key": None, "key_env": "NOT_SET"}, "key_env names an environment variable that is not set"),
        ({"key": None, "key_credential": "robot"}, "key_credential names a systemd credential"),
        ({"key_file": "robot.json"}, "key is given more than once"),
        ({"token": "r"}, "key and token exclude each other"),
        ({"calendars": ()}, "missing key 'calendars'"),
        ({"calendars": "@example.com"}, "takes an administrator's name"),
        ({"calendars": "primary"}, "has no primary calendar"),
        ({"subject": "everybody"}, "subject = 'everybody' is no e-mail address, or \"owner\""),
        ({"event_types": ["focustime"]}, r"'focustime' is no type of event \(did you mean 'focusTime'\?\)"),
        ({"busy_onyl": True}, r"unknown key 'busy_onyl' \(did you mean 'busy_only'\?\)"),
        ({"url": "ftp://x"}, "url is not an address"),
        ({"url": "http://google.example/calendar/v3"}, "url is no address that a token may be sent to"),
        ({"timeout": "0s"}, "timeout"),
    ],
)
def test_a_config_that_cannot_work_is_refused_with_its_key(
    google: FakeGoogle, keys: dict[str, object], says: str
) -> None:
    given = {"type": "google", "url": google.api, "calendars": [ANNA], "key": google.key(), **keys}
    with pytest.raises(ConfigError, match=says) as caught:
        open_source({name: value for name, value in given.items() if value is not None}, Path(), where="test")
    assert str(caught.value).startswith("test: ")
    assert "PRIVATE" not in str(caught.value)
