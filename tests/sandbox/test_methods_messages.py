"""Messages and notices of the simulated portal (PORTAL.md 10)."""

from __future__ import annotations

import msgspec
import pytest

from tests.sandbox.asking import Caller, command, company, portal
from tests.support.bbcode import active_parts


@pytest.fixture
def caller() -> Caller:
    return portal()


def test_a_notice_has_the_caller_or_no_sender_and_its_id_is_returned(caller: Caller) -> None:
    ids = [
        caller.ask("im.notify.system.add", USER_ID=3, MESSAGE="  by the system "),
        caller.ask("im.notify.personal.add", user_id="3", message="by a person"),
        caller.ask("im.notify", TO=3, TYPE="SYSTEM", MESSAGE="either"),
        caller.ask("im.notify", USER_ID=3, MESSAGE="by default a person's"),
    ]
    assert ids == [1, 2, 3, 4]
    messages = caller.world.messages
    assert [(one.to, one.sender, one.notice) for one in messages] == [("3", n, True) for n in (0, 1, 0, 1)]
    assert messages[0].text == "by the system"


def test_a_notice_to_an_unknown_user_gives_false_and_no_error(caller: Caller) -> None:
    assert caller.ask("im.notify.system.add", USER_ID=999, MESSAGE="x") is False
    assert caller.world.messages == ()


@pytest.mark.parametrize(
    ("method", "params", "answer"),
    [
        ("im.notify.system.add", {"MESSAGE": "x"}, (400, "USER_ID_EMPTY")),
        ("im.notify.system.add", {"USER_ID": "-1", "MESSAGE": ""}, (400, "USER_ID_EMPTY")),
        ("im.notify.personal.add", {"USER_ID": 3, "MESSAGE": "  "}, (400, "MESSAGE_EMPTY")),
        ("im.message.add", {"DIALOG_ID": "chat999"}, (400, "MESSAGE_EMPTY")),
        ("im.message.add", {"MESSAGE": "x"}, (400, "PARAMS_ERROR")),
        ("im.message.add", {"DIALOG_ID": "anna", "MESSAGE": "x"}, (400, "USER_ID_EMPTY")),
        ("im.message.add", {"DIALOG_ID": 999, "MESSAGE": "x"}, (400, "USER_NOT_FOUND")),
        ("im.message.add", {"DIALOG_ID": "chat", "MESSAGE": "x"}, (400, "CHAT_ID_EMPTY")),
        ("im.message.add", {"DIALOG_ID": "chat999", "MESSAGE": "x"}, (403, "ACCESS_ERROR")),
    ],
)
def test_a_message_that_cannot_be_sent_is_refused_as_documented(
    caller: Caller, method: str, params: dict[str, object], answer: tuple[int, str]
) -> None:
    assert caller.refused(method, **params)[:2] == answer
    assert caller.world.messages == ()


def test_only_members_write_into_a_chat(caller: Caller) -> None:
    assert caller.ask("im.message.add", DIALOG_ID="chat42", MESSAGE="x", URL_PREVIEW="N") == 1
    assert caller.ask("im.message.add", DIALOG_ID="sg1", MESSAGE="x") == 2
    assert [(one.to, one.sender, one.previews) for one in caller.world.messages] == [
        ("chat42", 1, False),
        ("sg1", 1, True),
    ]
    caller.user = 2
    assert caller.refused("im.message.add", DIALOG_ID="chat42", MESSAGE="x")[:2] == (403, "ACCESS_ERROR")
    assert caller.ask("im.message.add", DIALOG_ID="5", MESSAGE="x") == 3


def test_messages_need_the_scope_im_also_inside_a_batch() -> None:
    world = company()
    hooks = tuple(msgspec.structs.replace(hook, scopes=("calendar", "user")) for hook in world.webhooks)
    caller = portal(msgspec.structs.replace(world, webhooks=hooks))
    assert caller.refused("im.message.add", DIALOG_ID="3", MESSAGE="x")[1] == "insufficient_scope"
    maps = caller.batch({"a": command("im.notify.system.add", USER_ID=3, MESSAGE="x")})
    assert maps["result_error"]["a"]["error"] == "insufficient_scope"


def test_a_chat_may_only_name_people_who_are_there() -> None:
    with pytest.raises(Exception, match="members names 99"):
        portal(company(chats=(msgspec.convert({"id": 1, "members": [1, 99]}, type=type(company().chats[0])),)))


def test_the_active_parts_of_a_text_are_found() -> None:
    text = ">>quote\n[USER=5]Anna[/USER] #BR# [send=/x]y[/send] https://evil.example/a.png [not a code] a[0]"
    assert active_parts(text) == (">>", "\n", "[USER=5]", "[/USER]", "#BR#", "[send=/x]", "[/send]", "https://")
