"""What the queue of events says is read with care: a row that cannot be understood is counted, and harms no other."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import PortalUnreachableError
from syncd.model.json_values import Json
from syncd.portal.line.remedies import CommandRefusedError
from syncd.portal.line.wire import Refused
from syncd.portal.oauth.event_queue import CALENDAR_EVENTS, AnotherSyncdError, Hint, bind, claim, hints_in
from syncd.portal.oauth.grants import (
    Denied,
    Silent,
    code_in,
    endpoint_of,
    granted,
    link_of,
    token_answer,
)

ROW: dict[str, Json] = {
    "ID": "7", "EVENT_NAME": "ONCALENDARENTRYDELETE", "EVENT_DATA": {"id": "812"},
    "EVENT_ADDITIONAL": {"user_id": 3},
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "ID", "FIELDS", "x"]), inner),
    max_leaves=8,
)


def test_a_row_says_what_was_touched_by_whom() -> None:
    taken = hints_in({"process_id": None, "events": [ROW, {**ROW, "EVENT_DATA": {"FIELDS": {"ID": 5}},
                                                          "EVENT_NAME": "onCrmActivityUpdate"}]})  # fmt: skip
    assert taken.hints == (Hint(kind="event", id=812, user=3, deleted=True), Hint(kind="activity", id=5, user=3))
    assert (taken.malformed, taken.more, taken.rows) == (0, False, (7, 7))


@pytest.mark.parametrize(
    "row",
    [
        None, 5, "x", [], {}, {"EVENT_NAME": 5}, {**ROW, "EVENT_DATA": []}, {**ROW, "EVENT_DATA": {"id": "-1"}},
        {**ROW, "EVENT_DATA": {"id": "1" * 40}}, {**ROW, "EVENT_DATA": {"id": True}},
        {**ROW, "EVENT_NAME": "ONTASKADD"},
        {**ROW, "EVENT_DATA": {"id": "٣"}}, {**ROW, "EVENT_DATA": {"FIELDS": 5}},
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_understood_is_counted_and_the_others_count(row: Json) -> None:
    taken = hints_in({"events": [row, ROW]})
    assert taken.malformed == 1
    assert [hint.id for hint in taken.hints] == [812]


@pytest.mark.parametrize("answer", [None, [], "x", {"events": "x"}, {"events": 5}, {}])
def test_an_answer_that_is_no_queue_is_no_empty_one(answer: Json) -> None:
    with pytest.raises(PortalUnreachableError):
        hints_in(answer)


@given(st.lists(st.fixed_dictionaries({}, optional={
    "ID": JSON, "EVENT_NAME": JSON | st.sampled_from(["ONCALENDARENTRYADD"]), "EVENT_DATA": JSON,
    "EVENT_ADDITIONAL": JSON,
}) | JSON, max_size=5))  # fmt: skip
def test_no_row_breaks_the_reading(rows: list[Json]) -> None:
    taken = hints_in({"events": rows})
    assert taken.malformed <= len(rows)


def test_a_full_answer_asks_for_more() -> None:
    assert hints_in({"events": [ROW] * 50}).more
    assert not hints_in({"events": [ROW] * 49}).more


class Portal:
    """Answers as it is told, and notes what it was asked."""

    def __init__(self, **answers: Json) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Mapping[str, Json]]] = []

    async def read(self, method: str, params: Mapping[str, Json]) -> Json:
        self.asked.append((method, params))
        found = self.answers.get(method.replace(".", "_"), True)
        if isinstance(found, str) and found.startswith("!"):
            raise CommandRefusedError(method, Refused(code=found[1:], description=""))
        return found


async def test_only_what_is_missing_is_bound_and_what_is_bound_otherwise_is_unbound() -> None:
    rows: list[Json] = [{"event": name.upper(), "offline": 1, "handler": ""} for name in CALENDAR_EVENTS[:5]]
    rows.append({"event": CALENDAR_EVENTS[0].upper(), "offline": "0", "handler": "https://old.example/x"})
    rows.append({"event": "ONTASKADD", "offline": 0, "handler": "https://somebody.example/x"})
    portal = Portal(event_get=rows)
    assert await bind(portal, CALENDAR_EVENTS) == ()
    assert portal.asked[1:] == [
        ("event.unbind", {"event": CALENDAR_EVENTS[0].upper(), "handler": "https://old.example/x"}),
        ("event.bind", {"event": CALENDAR_EVENTS[5], "event_type": "offline"}),
    ]


async def test_an_event_that_the_portal_does_not_know_is_told_and_a_refusal_raised() -> None:
    assert await bind(Portal(event_get=[], event_bind="!ERROR_EVENT_NOT_FOUND"), ["OnX"]) == ("OnX",)
    assert await bind(Portal(event_get=[], event_bind="!ERROR_EVENT_BINDING_EXISTS"), ["OnX"]) == ()
    with pytest.raises(CommandRefusedError):
        await bind(Portal(event_get=[], event_bind="!ACCESS_DENIED"), ["OnX"])


@pytest.mark.parametrize("kept", ["", "me 1000 here", "other 90000 there", "other x there", 5, None, [], "other 1"])
async def test_an_application_that_nobody_else_uses_just_now_is_claimed(kept: Json) -> None:
    portal = Portal(app_option_get=kept)
    await claim(portal, holder="me", host="here", now=100_000.0 if kept == "other 90000 there" else 1000.0)
    assert portal.asked[-1][0] == "app.option.set"


async def test_one_that_somebody_else_uses_is_not() -> None:
    portal = Portal(app_option_get="other 1000 the\x1b[2J machine")
    with pytest.raises(AnotherSyncdError, match="on the") as caught:
        await claim(portal, holder="me", host="here", now=1200.0)
    assert "\x1b" not in str(caught.value)
    await claim(Portal(app_option_get="!ACCESS_DENIED"), holder="me", host="here", now=1200.0)


@pytest.mark.parametrize(
    "typed",
    ["abc", "  abc\n", "'abc'", "https://a.example/?code=abc&state=s", "code=abc", "?code=abc&state=s", "<abc>"],
)
def test_a_code_is_found_in_whatever_was_copied(typed: str) -> None:
    assert code_in(typed, state="s") == "abc"


@pytest.mark.parametrize("typed", ["", " ", "https://a.example/", "a b", "?code=abc&state=other", "?code=", "x\x00y"])
def test_what_holds_no_code_of_this_link_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"code|link"):
        code_in(typed, state="s")


def test_the_link_holds_what_it_must_and_no_secret() -> None:
    link = link_of("https://a.example/", client_id="local.1", state="s/?")
    assert link == "https://a.example/oauth/authorize/?client_id=local.1&state=s%2F%3F"


@pytest.mark.parametrize(
    "address", ["http://a.example/rest/", "ftp://a", "https://u:p@a/rest/", "https://a/rest/?x=1", "", "https://a:x/"]
)
def test_tokens_are_sent_to_no_unsafe_address(address: str) -> None:
    assert endpoint_of(address) is None
    said = {"access_token": "a", "refresh_token": "r", "member_id": "m", "client_endpoint": address}
    assert granted(said) is None


@given(st.binary(max_size=60))
def test_no_answer_of_the_server_breaks_the_reading(body: bytes) -> None:
    assert token_answer(200, body) is not None


@pytest.mark.parametrize(
    ("status", "decides"),
    [(400, True), (401, True), (402, True), (200, True), (429, False), (500, False), (503, False)],
)
def test_a_server_that_fails_by_itself_decides_nothing(status: int, decides: bool) -> None:
    answer = token_answer(status, b'{"error": "INTERNAL_SERVER_ERROR", "error_description": "x"}')
    assert isinstance(answer, Denied if decides else Silent)


@pytest.mark.parametrize(
    ("user", "number"),
    [(7, 7), ("7", 7), (True, 0), (-1, 0), ("9" * 5000, 0), (10**30, 0), ("\u0663", 0), (None, 0), ([7], 0)],
)
def test_tokens_that_came_are_not_lost_for_a_user_that_is_no_number(user: object, number: int) -> None:
    said = {
        "access_token": "a",
        "refresh_token": "r",
        "member_id": "m",
        "client_endpoint": "https://school.example/rest/",
    }
    given = granted({**said, "user_id": user})
    assert given is not None
    assert (given.refresh_token, given.user) == ("r", number)
