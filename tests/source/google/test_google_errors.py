"""What goes wrong at Google is told with its remedy, and never takes an event off the portal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from syncd.errors import SourceError
from syncd.scrub import Scrubber
from syncd.source.conformance import CONTEXT
from tests.source.google.opened import ANNA, BORIS, opened
from tests.source.google.server import ROBOT, FakeGoogle, Switches, serving
from tests.source.google.world import error
from tests.source.web.serving import QuickClock

NINE, TEN = "2026-12-01T09:00", "2026-12-01T10:00"
THROTTLED = error(403, "userRateLimitExceeded", "User Rate Limit Exceeded", "usageLimits")
NEW_QUOTA = (
    429,
    {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"reason": "RATE_LIMIT_EXCEEDED"}]}},
)
USED_UP = error(403, "quotaExceeded", "Calendar usage limits exceeded.", "usageLimits")
OFF = error(403, "accessNotConfigured", "Google Calendar API has not been used in project 1 before", "usageLimits")


@pytest.fixture
async def google() -> AsyncIterator[FakeGoogle]:
    async with serving(FakeGoogle()) as served:
        for person in (ANNA, BORIS):
            served.calendar(person).event("e", NINE, TEN)
        yield served


async def test_throttling_is_waited_out_with_pauses_that_double(google: FakeGoogle) -> None:
    google.switches.refuse = [THROTTLED] * 3
    clock = QuickClock()
    snapshot = await opened(google, clock=clock).read(CONTEXT)
    assert (snapshot.complete, clock.slept) == (True, [1.0, 2.0, 4.0])


async def test_the_pause_is_the_one_that_google_asks_for(google: FakeGoogle) -> None:
    google.switches.refuse, google.switches.retry_after = [THROTTLED], "17"
    clock = QuickClock()
    assert (await opened(google, clock=clock).read(CONTEXT)).complete
    assert clock.slept == [17.0]


@pytest.mark.parametrize("refusal", [THROTTLED, NEW_QUOTA, USED_UP, OFF])
async def test_a_quota_that_is_used_up_ends_the_reading_and_keeps_what_is_known(
    google: FakeGoogle, refusal: tuple[int, dict[str, object]]
) -> None:
    people = [ANNA, BORIS, *(f"p{number}@example.com" for number in range(20))]
    for person in people:
        google.calendar(person)
    source = opened(google, calendars=people)
    await source.read(CONTEXT)
    google.switches.refuse = [refusal] * 1000
    google.asked.clear()
    snapshot = await source.read(CONTEXT)
    assert len(google.asked) <= 20  # four at once, each with a few tries, and none of the rest
    assert (snapshot.complete, len(snapshot.entries)) == (False, 2)
    google.switches.refuse = []
    assert (await source.read(CONTEXT)).complete


@pytest.mark.parametrize("refusal", [error(503, "backendError", "Backend Error"), None])
async def test_a_server_out_of_reach_is_not_asked_for_every_calendar(
    google: FakeGoogle, refusal: tuple[int, dict[str, object]] | None
) -> None:
    people = [f"p{number}@example.com" for number in range(40)]
    for person in people:
        google.calendar(person)
    clock = QuickClock()
    source = opened(google, clock=clock, calendars=people)
    await source.read(CONTEXT)
    if refusal is not None:
        google.switches.refuse = [refusal] * 1000
    else:
        source._access = replace(source._access, url="http://127.0.0.1:1/calendar/v3")
    google.asked.clear()
    snapshot = await source.read(CONTEXT)
    assert not snapshot.complete
    assert len(google.asked) <= 24
    assert sum(clock.slept) < 60


async def test_what_was_not_read_for_want_of_quota_comes_first_the_next_time(google: FakeGoogle) -> None:
    source = opened(google, calendars=[ANNA])
    await source.read(CONTEXT)
    both = opened(google, calendars=[ANNA, BORIS])
    both._store = source._store
    google.asked.clear()
    await both.read(CONTEXT)
    assert "boris" in google.asked[0]


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        (THROTTLED, "asks to be left alone for a while"),
        (USED_UP, "the quota of the Google project is used up"),
        (OFF, "is not switched on in the project"),
        (error(403, "forbidden", "Forbidden"), f"{ROBOT} may not read calendar {ANNA} .403, forbidden"),
        (error(403, "insufficientPermissions", "scopes"), "scope missing"),
        (error(500, "backendError", "Backend Error"), r"failed \(500\)"),
        (error(400, "badRequest", "Bad Request"), "answered 400: Bad Request"),
        ((302, {}), "redirects, but does not say where to"),
    ],
)
async def test_a_first_reading_that_is_refused_is_an_error_with_its_reason(
    google: FakeGoogle, refusal: tuple[int, dict[str, object]], says: str
) -> None:
    google.switches.refuse = [refusal] * 100
    with pytest.raises(SourceError, match=says) as caught:
        await opened(google).read(CONTEXT)
    assert caught.value.remedy


async def test_a_calendar_that_is_not_shared_is_told_with_whom_to_share_it_and_keeps_what_it_held(
    google: FakeGoogle,
) -> None:
    source = opened(google, calendars=[ANNA, BORIS])
    assert len((await source.read(CONTEXT)).entries) == 2
    del google.calendar(BORIS).roles[ROBOT]
    google.calendar(ANNA).event("new", NINE, TEN)
    snapshot = await source.read(CONTEXT)
    assert (snapshot.complete, len(snapshot.entries)) == (False, 3)
    assert f"share it with {ROBOT}" in snapshot.incomplete_because
    assert BORIS in snapshot.incomplete_because


async def test_a_calendar_that_was_never_read_makes_the_first_reading_incomplete(google: FakeGoogle) -> None:
    del google.calendar(BORIS).roles[ROBOT]
    snapshot = await opened(google, calendars=[ANNA, BORIS]).read(CONTEXT)
    assert (snapshot.complete, len(snapshot.entries)) == (False, 1)


async def test_a_token_that_ended_early_is_renewed_once(google: FakeGoogle) -> None:
    source = opened(google)
    await source.read(CONTEXT)
    google.switches.expired = 1
    before = google.token_requests
    assert (await source.read(CONTEXT)).complete
    assert google.token_requests == before + 1


async def test_a_token_that_is_never_accepted_is_told(google: FakeGoogle) -> None:
    google.switches.expired = 100
    with pytest.raises(SourceError, match=rf"does not accept the token of {ROBOT} \(401\)"):
        await opened(google).read(CONTEXT)


async def test_a_token_is_renewed_before_it_ends(google: FakeGoogle) -> None:
    clock = QuickClock()
    clock.now = lambda: 1_795_251_600.0 + sum(clock.slept)  # type: ignore[method-assign] # as time goes by
    source = opened(google, clock=clock)
    google.switches.now = clock.now
    await source.read(CONTEXT)
    clock.slept.append(3000.0)
    await source.read(CONTEXT)
    assert google.token_requests == 1
    clock.slept.append(400.0)
    await source.read(CONTEXT)
    assert google.token_requests == 2


def _deleted(switches: Switches) -> None:
    switches.key_deleted = True


def _not_delegated(switches: Switches) -> None:
    switches.delegated = False


def _fast(switches: Switches) -> None:
    switches.now = lambda: 1_795_251_600.0 - 600


def _slow(switches: Switches) -> None:
    switches.now = lambda: 1_795_251_600.0 + 7200


@pytest.mark.parametrize(
    ("turn", "keys", "says", "remedy"),
    [
        (_deleted, {}, "Google knows no such key", "make a new key"),
        (_not_delegated, {"subject": "owner"}, f"may not read in the name of {ANNA}", "Domain-wide delegation"),
        (_fast, {}, "this machine's clock is 600 s fast", "NTP"),
        (_slow, {}, "this machine's clock is 7200 s slow", "NTP"),
        (None, {"subject": "nobody@example.com"}, "there is nobody called nobody@example.com", "correct the address"),
    ],
)
async def test_why_a_service_account_gets_no_token_is_told(
    google: FakeGoogle, turn: Callable[[Switches], None] | None, keys: dict[str, str], says: str, remedy: str
) -> None:
    if turn is not None:
        turn(google.switches)
    with pytest.raises(SourceError, match=says) as caught:
        await opened(google, subject=keys.get("subject", "")).read(CONTEXT)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("robot", [False, True])
async def test_what_google_says_of_a_refused_login_is_not_taken_for_a_secret(
    google: FakeGoogle, *, robot: bool
) -> None:
    google.switches.blocked = "This client is restricted to users within its organization."
    source = opened(google) if robot else opened(google, token=google.token())
    with pytest.raises(SourceError) as caught:
        await source.read(CONTEXT)
    assert google.switches.blocked in Scrubber().text(str(caught.value))


async def test_a_key_that_is_refused_is_not_tried_for_every_calendar(google: FakeGoogle) -> None:
    people = [f"p{number}@example.com" for number in range(40)]
    for person in people:
        google.calendar(person)
    google.switches.key_deleted = True
    with pytest.raises(SourceError, match="Google knows no such key"):
        await opened(google, calendars=people, subject="owner").read(CONTEXT)
    assert google.token_requests <= 4


async def test_an_address_that_cannot_be_stood_for_keeps_nobody_else_from_being_read(google: FakeGoogle) -> None:
    snapshot = await opened(google, calendars=["x@elsewhere.example", ANNA], subject="owner").read(CONTEXT)
    assert (snapshot.complete, len(snapshot.entries)) == (False, 1)
    assert "x@elsewhere.example" in snapshot.incomplete_because


async def test_a_key_that_cannot_sign_is_told_without_it(google: FakeGoogle) -> None:
    key = google.key().replace("PRIVATE KEY-----\\n", "PRIVATE KEY-----\\nAAAA", 1)
    with pytest.raises(SourceError, match="the private key in key cannot be read") as caught:
        await opened(google, key=key).read(CONTEXT)
    assert "AAAA" not in str(caught.value)


async def test_a_person_who_has_revoked_is_told_to_agree_again(google: FakeGoogle) -> None:
    google.switches.revoked = True
    with pytest.raises(SourceError, match="has expired or was revoked") as caught:
        await opened(google, token=google.token()).read(CONTEXT)
    assert "syncd source authorize" in caught.value.remedy
    assert "seven days" in caught.value.remedy


async def test_a_person_who_has_not_ticked_the_calendar_is_told_so(google: FakeGoogle) -> None:
    google.switches.granted = "openid https://www.googleapis.com/auth/userinfo.email"
    with pytest.raises(SourceError, match="has not agreed that its calendars are read"):
        await opened(google, token=google.token()).read(CONTEXT)


async def test_an_application_with_another_secret_is_told_without_it(google: FakeGoogle) -> None:
    token = google.token().replace("app-s3cret", "old-s3cret")
    with pytest.raises(SourceError, match="its secret is another one") as caught:
        await opened(google, token=token).read(CONTEXT)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("turn", "says"),
    [
        (lambda switches: setattr(switches, "cut_bytes", 200), "the answer was cut short"),
        (lambda switches: setattr(switches, "no_token", True), "the list was cut short, it ends without a token"),
        (lambda switches: setattr(switches, "same_page", True), "the list was cut short"),
        (lambda switches: setattr(switches, "circle", True), "the list was cut short"),
    ],
)
async def test_a_list_that_is_cut_short_is_never_taken_for_a_shorter_one(
    google: FakeGoogle, turn: Callable[[Switches], None], says: str
) -> None:
    source = opened(google)
    before = await source.read(CONTEXT)
    google.calendar(ANNA).event("new", NINE, TEN)
    turn(google.switches)
    snapshot = await source.read(CONTEXT)
    assert (snapshot.complete, snapshot.entries) == (False, before.entries)
    assert says in snapshot.incomplete_because
    fresh = opened(google)
    google.switches = Switches()
    turn(google.switches)
    with pytest.raises(SourceError, match=says):
        await fresh.read(CONTEXT)


async def test_an_event_that_is_none_is_rejected_alone_and_one_without_an_id_ends_the_list(google: FakeGoogle) -> None:
    anna = google.calendar(ANNA)
    anna.put({"id": "odd", "start": "tomorrow"})
    snapshot = await opened(google).read(CONTEXT)
    assert (snapshot.complete, set(snapshot.rejected_uids)) == (True, {f"odd@{ANNA}"})
    assert "it is no event as Google's API gives them" in snapshot.problems[0].reason
    anna.items["odd"] = {"kind": "calendar#event", "status": "confirmed"}
    with pytest.raises(SourceError, match="holds an event without an id"):
        await opened(google).read(CONTEXT)


async def test_a_reading_that_takes_too_long_keeps_what_came_in_time(google: FakeGoogle) -> None:
    source = opened(google, calendars=[ANNA, BORIS])
    await source.read(CONTEXT)
    google.calendar(ANNA).event("new", NINE, TEN)
    google.switches.hangs = BORIS
    source._access = replace(source._access, total_s=0.3)
    snapshot = await source.read(CONTEXT)
    assert (snapshot.complete, len(snapshot.entries)) == (False, 3)
    assert "did not send everything within 0.3 s" in snapshot.incomplete_because
    assert [problem.where for problem in snapshot.problems] == [BORIS]


async def test_a_domain_that_cannot_be_listed_keeps_its_people(google: FakeGoogle) -> None:
    google.people["example.com"] = [{"primaryEmail": ANNA}]
    google.calendar("admin@example.com")
    clock = QuickClock()
    clock.now = lambda: 1_795_251_600.0 + sum(clock.slept)  # type: ignore[method-assign] # as time goes by
    google.switches.now = clock.now
    source = opened(google, clock=clock, calendars="@example.com", subject="owner", admin="admin@example.com")
    assert (await source.read(CONTEXT)).complete
    google.people["example.com"] = []
    clock.slept.append(4000.0)
    snapshot = await source.read(CONTEXT)
    assert (snapshot.complete, len(snapshot.entries)) == (False, 1)
    assert "@example.com has nobody who is active" in snapshot.incomplete_because
    with pytest.raises(SourceError, match=r"may not read the people of example\.com"):
        await opened(google, clock=clock, calendars="@example.com", subject="owner", admin=BORIS).read(CONTEXT)
