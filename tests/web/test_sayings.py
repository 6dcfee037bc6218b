"""What syncd says of entries and portals is told in Russian on the Russian page, with the same values."""

from __future__ import annotations

import re
import time

import pytest

from syncd.errors import EntryError, GuardError, OutOfMemoryError
from syncd.html import Markup
from syncd.model.guard import Guard, Threshold
from syncd.model.item import Change, Key, Link, Place
from syncd.model.plan import Plan
from syncd.portal.line.answers import portal_error
from syncd.portal.line.wire import Refused
from syncd.portal.people.directory import Caller, Directory, User
from syncd.web.messages_ru import FIELDS, MESSAGES
from syncd.web.sayings import fields_told, in_russian, shown

_VALUE = re.compile(r"\{(\w+)\}")
NAMES = re.compile(
    r"syncd|Anna|shifts|plan|max_(removed|changed)|--force|\[\[sync\]\]|on_unresolved|https?://\S+|adopt|MemoryMax|INVALID"
    r"|calendar|user_basic|sonet_group|crm|same-time|false|webhook|school|example|CREDENTIALS|Bad \w+"
    r"|shifts\.csv|csv|path|id|sync\.source|dates|dmy|mdy"
)
"""What is no English on the page: names, keys of the config, commands, and the portal's own words."""
NOBODY = Directory(
    read_at=0.0,
    caller=Caller(id=1, zone="UTC", admin=True),
    server_offset_s=0,
    users=(User(id=3, name="Anna", last_name="P", email="a@b.c", xml_id="", zone="", active=False),),
    sections={},
)


def stopped_by_a_guard() -> str:
    link = Link(
        key=Key(uid="1", place=Place(kind="user", owner=3), piece=""), remote_id=7, section="S", section_id=1,
        fingerprint="x", sent={}, version=1, title="Early", where="shifts.csv:2", starts_on="2026-12-01",
        ends_on="2026-12-01", start="2026-12-01T06:00:00",
    )  # fmt: skip
    removed = Change(op="delete", key=link.key, link=link, reason="gone from the source")
    plan = Plan(changes=(removed,), removed_uids=frozenset({"1"}), known_uids=5)
    with pytest.raises(GuardError) as raised:
        Guard(max_removed=Threshold.parse("10%"), max_changed=Threshold.parse("50%")).check(plan, "shifts")
    return str(raised.value)


def nobody() -> str:
    with pytest.raises(EntryError) as raised:
        NOBODY.user("Anna P")
    return str(raised.value)


REFUSAL = Refused(code="INVALID_CREDENTIALS", description="Bad webhook", reach="portal")


@pytest.mark.parametrize(
    ("english", "russian"),
    [
        (nobody(), "пользователь 'Anna P' (id 3) уволен (укажите другого владельца или псевдоним)"),
        (str(OutOfMemoryError()), "не хватило памяти, отведённой syncd"),
        (str(portal_error("https://school.example", REFUSAL)), "https://school.example не принимает вебхук: INVALID"),
        ("edited in the portal since: name, start", "с тех пор изменено на портале: название, начало"),
        ("waits for another piece of its entry: the portal refused it: Bad title",
         "ждёт другой части своей записи: портал отклонил: Bad title"),
        ("shifts.csv: No such file or directory (check path in [sync.source])", "shifts.csv: такого файла нет ("),
        ("gone from the source, but another event has its id in the portal now: that one is left alone",
         "исчезло из источника, но на портале этот id теперь у другого события: оно не тронуто"),
        ("'1/2/2026' could be read day first or month first (set dates = \"dmy\" or \"mdy\")", "'1/2/2026': непонятно"),
        ("no user 'X' in the portal; nearest: Anna (see on_unresolved)",
         "на портале нет пользователя 'X'; похожи: Anna (см. on_unresolved)"),
        ("no progress for 10 minutes", "нет движения уже 10 мин"),
    ],
)  # fmt: skip
def test_a_message_keeps_its_values_and_nothing_else_of_its_english(english: str, russian: str) -> None:
    found = shown(english, "ru")
    assert isinstance(found, str)
    assert not isinstance(found, Markup)
    assert found.startswith(russian)
    assert not re.findall(r"[A-Za-z]{3,}", NAMES.sub("", found)), found
    assert shown(english, "en") == english


def test_a_guard_that_stopped_a_pass_is_told_with_its_remedy() -> None:
    said = in_russian(stopped_by_a_guard())
    assert said is not None
    assert said.startswith("shifts: из источника исчезло 1 из 5 известных записей")
    assert said.endswith("(проверьте источник; если всё верно, запустите один раз с --force или увеличьте max_removed"
                         " в [[sync]] shifts)")  # fmt: skip


def test_every_value_of_a_message_is_one_of_the_english_one_and_each_message_is_known_once() -> None:
    for english, russian in MESSAGES:
        values = _VALUE.findall(english)
        assert set(_VALUE.findall(russian)) <= set(values), english
        assert len(values) == len(set(values)), english
    assert len({english for english, _ in MESSAGES}) == len(MESSAGES)


def test_no_message_is_hidden_by_one_that_stands_before_it() -> None:
    for english, russian in MESSAGES:
        filled = _VALUE.sub(lambda one: f"<{one[1]}>", english)
        wanted = _VALUE.sub(lambda one: f"<{one[1]}>", russian)
        assert in_russian(filled) == wanted, english


def test_what_is_not_known_stays_as_it_is_and_is_marked_for_who_reads_it_by_ear() -> None:
    assert 'lang="en"' in str(shown("a plugin says <something> else", "ru"))
    assert "<something>" not in str(shown("a plugin says <something> else", "ru"))
    assert shown("Урок перенесён", "ru") == "Урок перенесён"
    assert (fields_told("name, start", "en"), fields_told("name, other", "ru")) == ("name, start", "название, other")
    assert all(re.search("[а-яё]", name.lower()) for name in FIELDS.values())


def test_a_feed_cannot_make_the_page_slow_or_deep_with_what_looks_like_messages() -> None:
    began = time.process_time()
    in_russian("waits for another piece of its entry: " * 200)
    in_russian(f"{'(' * 900} ({'a (' * 300})")
    in_russian(f"{'x ' * 5000}")
    assert time.process_time() - began < 2.0


def test_a_message_takes_no_longer_for_the_many_ways_to_find_its_values() -> None:
    """A text that is no message for want of its end; there are 10 million ways to share it out among the values."""
    first = "{sync}: it has written {n} items to {old}, but {portal} is {new} now; nothing was sent"
    assert first in dict(MESSAGES)
    before, *middle, last = _VALUE.sub("\n", first).split("\n")[1:]
    text = "".join(piece * (450 // len(piece)) for piece in (before, *middle)) + last
    assert in_russian(text) is not None
    began = time.process_time()
    assert in_russian(f"{text}\n") is None
    assert time.process_time() - began < 1.0
