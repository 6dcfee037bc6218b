"""Refusals in words an administrator can act on: every documented code and text, in English and in Russian."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from syncd.errors import PortalRefusedError, PortalUnreachableError, SyncdError
from syncd.lang.catalog import told
from syncd.lang.saying import say
from syncd.portal.line import remedies
from syncd.portal.line.answers import RawAnswer, read_batch, read_single
from syncd.portal.line.remedies import CommandRefusedError, meaning_of, portal_error, remedy_of, said_of
from syncd.portal.line.wire import Command, Refused, Unknown
from tests.portal.fake import FakePortal
from tests.portal.test_push import portal_of
from tests.support.simclock import run_virtual

UPDATE = "calendar.event.update"
ACTIVITY = "crm.activity.add"


def answer(error: Any, status: int = 403, text: str = "what the portal says") -> RawAnswer:
    body = {"error": error, "error_description": text} if not isinstance(error, dict) else {"error": error}
    return RawAnswer(status=status, body=json.dumps(body).encode())


def whole_error(error: Any, status: int, text: str = "what the portal says") -> SyncdError:
    """Return what a reading raises when its batch is answered like that."""
    whole = read_batch(answer(error, status, text), ("c0",)).whole
    assert whole is not None
    return portal_error("https://school.example", whole)


@pytest.mark.parametrize(
    ("code", "status", "advice"),
    [
        ("ACCESS_DENIED", 403, "commercial plan"),
        ("ACCESS_DENIED", 403, "trial"),
        ("PORTAL_DELETED", 500, "closed for maintenance"),
        ("INVALID_CREDENTIALS", 401, "found in public"),
        ("INVALID_CREDENTIALS", 401, "an administrator edited it"),
        ("INVALID_CREDENTIALS", 401, "expired"),
        ("ERROR_MANIFEST_IS_NOT_AVAILABLE", 404, "rest module"),
        ("QUERY_LIMIT_EXCEEDED", 503, "another program"),
        ("insufficient_scope", 401, "scopes calendar"),
        ("OVERLOAD_LIMIT", 503, "support"),
    ],
)
def test_a_refusal_of_everything_says_what_to_do(code: str, status: int, advice: str) -> None:
    error = whole_error(code, status)
    assert "what the portal says" in error.message
    assert advice in error.remedy
    assert "does not answer" not in error.message


@pytest.mark.parametrize("status", [400, 403, 404, 418, 500, 503])
@pytest.mark.parametrize("code", ["SOMETHING_NEW", "METHOD_CONFIRM_WAITING"])
def test_a_code_that_nobody_documented_is_told_in_the_portals_own_words(code: str, status: int) -> None:
    error = whole_error(code, status)
    assert f"{code}: what the portal says" in error.message
    assert "does not answer" not in error.message


def test_a_reading_that_meets_an_unknown_code_ends_at_once() -> None:
    fake = FakePortal(faults=lambda: '{"error": "X", "error_description": "no"}')

    async def main() -> None:
        with pytest.raises(PortalUnreachableError, match="refuses everything: HTTP 403 X: no"):
            await portal_of(fake).read_many([Command(method="profile"), Command(method="user.current")])

    run_virtual(main())
    assert fake.requests == 1


def test_a_single_call_refused_with_an_unknown_code_is_told_in_the_portals_own_words() -> None:
    (reply,) = read_single(answer("SOMETHING_NEW", 403)).replies
    assert isinstance(reply, Refused)
    assert "SOMETHING_NEW: what the portal says" in CommandRefusedError("scope", reply).message


# REST 3.0 (PORTAL.md 1.3)


def test_an_error_of_rest_3_is_read_with_its_details() -> None:
    code = "BITRIX_REST_V3_EXCEPTION_VALIDATION_REQUESTVALIDATIONEXCEPTION"
    error = {"code": code, "message": "bad request", "validation": [{"field": "id", "message": "is not specified"}]}
    (reply,) = read_single(answer(error, 400)).replies
    assert reply == Refused(code=code, description="bad request; id: is not specified")


def test_a_missing_scope_and_a_missing_right_of_rest_3_say_what_to_do() -> None:
    scope = {"code": "BITRIX_REST_V3_EXCEPTION_INSUFFICIENTSCOPEEXCEPTION", "message": "no scope"}
    error = whole_error(scope, 403)
    assert isinstance(error, PortalRefusedError)
    assert "scopes calendar" in error.remedy
    assert "no right" in remedy_of("BITRIX_REST_V3_EXCEPTION_ACCESSDENIEDEXCEPTION")


@pytest.mark.parametrize("error", [{"message": "no code"}, {"code": 5}, {}, [], {"code": None}])
def test_an_object_without_a_code_is_no_refusal_that_can_be_believed(error: Any) -> None:
    body = RawAnswer(status=400, body=json.dumps({"error": error}).encode())
    assert isinstance(read_single(body).whole, Unknown)


# Texts without a code

CALENDAR = [
    ('The required parameter "id" for the method "calendar.event.update" is not set.', "report"),
    ('Не задан обязательный параметр "ownerId" для метода "calendar.event.update"', "report"),
    ('The required parameter "type" for the method "calendar.event.update" is not set', "report"),
    ('Invalid value for the "name" parameter.', "title"),
    ('Недопустимое значение параметра "name"', "title"),
    ('Invalid value for the parameter "description"', "description"),
    ('Недопустимое значение параметра "description"', "description"),
    ('Недопустимое значение параметра "crm_fields"', "CRM elements"),
    ("Access denied.", "right to edit"),
    ("Доступ запрещен", "right to edit"),
    ("Доступ запрещён.", "right to edit"),
    ("You specified an invalid calendar section ID or the user does not have access to it.", "section was deleted"),
    ("Вы задали неверный ID секции календаря или у данного пользователя нет к ней доступа", "section was deleted"),
    ("CAL_REST_SECTION_ERROR", "section was deleted"),
    ("An invalid editing type for the recurring event is specified.", "report"),
    ("Указан несуществующий тип редактирования повторяемого события", "report"),
    ("The event's CRM links list must be an array.", "report"),
    ("Список связей события с CRM должен быть массивом", "report"),
    ("An error occurred while changing the event.", "gives no reason"),
    ("При изменении события произошла ошибка", "gives no reason"),
    ("An error occurred while creating the event", "host"),
    ("При создании события произошла ошибка", "host"),
    ("An error occurred while deleting the event", "gone already"),
    ("При удалении события произошла ошибка", "gone already"),
    ("An error occurred while creating the section", "switched on"),
    ("При создании секции произошла ошибка", "switched on"),
    ("Event id not specified", "report"),
    ("Не задан id события", "report"),
]


@pytest.mark.parametrize(("text", "advice"), CALENDAR)
def test_every_text_of_the_calendar_has_its_meaning(text: str, advice: str) -> None:
    assert advice in meaning_of(UPDATE, "", text)


CRM = [
    ("The field SUBJECT is not defined or empty.", "title"),
    ("The field RESPONSIBLE_ID is not defined or invalid.", "responsible"),
    ("RESPONSIBLE_ID is not assigned.", "responsible"),
    ("The field TYPE_ID is not defined or invalid", "does not take"),
    ("The field COMMUNICATIONS is not defined or invalid", "no phone or e-mail"),
    ("The only one communication is allowed for activity of specified type", "no single phone"),
    ("Could not build binding. Please ensure that owner info and communications are defined correctly", "was deleted"),
    ("Could not find 'CONTACT' with ID: 5", "looks it up again"),
    *(
        (f"Email send error. {detail}", "e-mail activities")
        for detail in (
            'Failed to load module "subscribe"', "Invalid data", "Invalid email is specified", '"From" is not found',
            '"To" is not found', "Failed to add posting. Please see details below",
            "Failed to save posting file. Please see details below", "Failed to update activity", "General error",
        )
    ),
    ("The custom activity without provider is not supported in current context", "does not take"),
    ("Use crm.activity.configurable.add for this activity provider", "configurable"),
    ("Use crm.activity.configurable.update for this activity provider", "configurable"),
    ("Access denied.", "right in the CRM"),
    ("Доступ запрещен.", "right in the CRM"),
    ("Application context required", "no webhook"),
    ("NOTIFY_VALUE is not assigned.", "remind"),
    ("Activity is not found.", "deleted it"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "advice"), CRM)
def test_every_text_of_activities_has_its_meaning(text: str, advice: str) -> None:
    assert advice in meaning_of(ACTIVITY, "", text)


def test_an_extranet_user_is_named_as_the_reason() -> None:
    refused = Refused(code="allowed_only_intranet_user", description="Action is allowed only for intranet users")
    assert "extranet" in CommandRefusedError("crm.item.list", refused).remedy


def test_what_nobody_knows_is_left_to_the_portals_own_words() -> None:
    assert meaning_of(UPDATE, "", "Something else") == ""
    assert meaning_of("user.get", "", "Access denied") == ""


@pytest.mark.parametrize("code", sorted({*remedies._BY_CODE, *remedies._OF_APPLICATION}))
def test_who_has_an_application_is_told_nothing_of_a_webhook(code: str) -> None:
    whys = (
        Refused(code=code, description="no", reach="portal"),
        Refused(code=code, description="no", reach="rate"),
        Unknown(reason="no", code=code),
    )
    for why in whys:
        assert "webhook" not in str(portal_error("https://school.example", why, application_of="main"))
    assert "`syncd portal authorize" not in str(portal_error("https://school.example", whys[0]))


@pytest.mark.parametrize("code", ["INVALID_GRANT", "INVALID_CREDENTIALS", "INSUFFICIENT_SCOPE", "NO_AUTH_FOUND"])
def test_who_has_an_application_is_told_the_command_that_mends_it(code: str) -> None:
    error = portal_error(
        "https://school.example", Refused(code=code, description="no", reach="portal"), application_of="main"
    )
    assert "`syncd portal authorize main`" in str(error)


@pytest.mark.parametrize(
    ("code", "status", "russian"),
    [
        (
            "INVALID_CREDENTIALS",
            401,
            "https://school.example не принимает вебхук: INVALID_CREDENTIALS: what the portal says (вебхук удалён",
        ),
        (
            "PORTAL_DELETED",
            500,
            "https://school.example не принимает вебхук: PORTAL_DELETED: what the portal says (публичная часть портала",
        ),
        ("SOMETHING_NEW", 500, "https://school.example отклоняет всё: HTTP 500 SOMETHING_NEW: what the portal says ("),
    ],
)
def test_a_refusal_is_quoted_as_it_is_and_explained_in_the_reader_s_language(
    code: str, status: int, russian: str
) -> None:
    assert told(str(whole_error(code, status)), "ru").startswith(russian)


def test_what_syncd_says_in_the_portal_s_place_is_told_in_the_reader_s_language() -> None:
    refused = Refused(code="NOT_AUTHORISED", description=say("nobody has authorised it yet"))
    assert said_of(refused.code, refused.description) == "NOT_AUTHORISED: nobody has authorised it yet"
    assert told(said_of(refused.code, refused.description), "ru") == "NOT_AUTHORISED: его ещё никто не авторизовал"


def test_a_line_without_an_answer_is_told_in_russian() -> None:
    error = portal_error("https://school.example", Unknown(reason=say("no answer within {seconds:g} s", seconds=60)))
    assert (
        told(str(error), "ru")
        == "https://school.example не отвечает: нет ответа за 60 с (он работает, и адрес верный?)"
    )


def test_every_documented_refusal_is_explained_in_russian() -> None:
    texts = ("Доступ запрещен", "Обязательный параметр", "При создании события", "При изменении события")
    for meaning in (meaning_of(UPDATE, "", text) for text in texts):
        assert re.search("[а-яё]", told(meaning, "ru"))
        assert told(meaning, "ru") != meaning
