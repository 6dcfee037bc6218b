"""What syncd says of entries and portals is told in Russian on the Russian page, with the same values."""

from __future__ import annotations

import re

import pytest

from syncd.errors import EntryError, GuardError, OutOfMemoryError
from syncd.html import Markup, tag
from syncd.lang.saying import Saying, restored, say, say_count, stored
from syncd.model.guard import Guard, Threshold
from syncd.model.item import Change, Key, Link, Place
from syncd.model.plan import Plan
from syncd.portal.line.remedies import portal_error
from syncd.portal.line.wire import Refused
from syncd.portal.people.directory import Caller, Directory, User
from syncd.web.sayings import phrase, shown

NAMES = re.compile(
    r"syncd|Anna|shifts|max_removed|--force|\[\[sync\]\]|on_unresolved|https?://\S+|MemoryMax|TasksMax|INVALID_CREDENTIALS"
    r"|Bad \w+|webhook"
)
"""What is no English on the page: names, keys of the config, options, and the portal's own words."""
NOBODY = Directory(
    read_at=0.0,
    caller=Caller(id=1, zone="UTC", admin=True),
    server_offset_s=0,
    users=(User(id=3, name="Anna", last_name="P", email="a@b.c", xml_id="", zone="", active=False),),
    sections={},
)
REFUSAL = Refused(code="INVALID_CREDENTIALS", description="Bad webhook", reach="portal")
HOSTILE = "<script>alert(1)</script>"


def stopped_by_a_guard() -> str:
    link = Link(
        key=Key(uid="1", place=Place(kind="user", owner=3), piece=""), remote_id=7, section="S", section_id=1,
        fingerprint="x", sent={}, version=1, title="Ранняя смена", where="shifts.csv:2", starts_on="2026-12-01",
        ends_on="2026-12-01", start="2026-12-01T06:00:00",
    )  # fmt: skip
    removed = Change(op="delete", key=link.key, link=link, reason=say("gone from the source"))
    plan = Plan(changes=(removed,), removed_uids=frozenset({"1"}), known_uids=5)
    with pytest.raises(GuardError) as raised:
        Guard(max_removed=Threshold.parse("10%"), max_changed=Threshold.parse("50%")).check(plan, "shifts")
    return str(raised.value)


def nobody() -> str:
    with pytest.raises(EntryError) as raised:
        NOBODY.user("Anna P")
    return str(raised.value)


@pytest.mark.parametrize(
    ("english", "russian"),
    [
        (nobody(), "Anna P"),
        (stopped_by_a_guard(), "shifts: из источника исчезла 1 запись"),
        (str(OutOfMemoryError()), "не хватило памяти"),
        (str(portal_error("https://school.example", REFUSAL)), "https://school.example не принимает вебхук"),
    ],
)
def test_a_message_keeps_its_values_and_nothing_else_of_its_english_also_through_the_ledger(
    english: str, russian: str
) -> None:
    for said in (english, restored(stored(english))):
        found = shown(said, "ru")
        assert isinstance(found, str)
        assert not isinstance(found, Markup)
        assert russian in found
        assert re.search("[а-яё]", found)
        assert not re.findall(r"[A-Za-z]{3,}", NAMES.sub("", found)), found
        assert shown(said, "en") == english


def test_what_is_there_in_english_only_is_marked_for_who_reads_it_by_ear() -> None:
    for text in ("a plugin says <something> else", Saying("a form of <something> older", "", {})):
        said = shown(text, "ru")
        assert isinstance(said, Markup)
        assert said.startswith('<span lang="en">')
        assert "<something>" not in said
        assert shown(text, "en") == text
    assert shown("Урок перенесён", "ru") == "Урок перенесён"
    assert shown("", "ru") == ""


def test_html_stands_in_a_sentence_where_its_language_wants_it_and_the_rest_is_escaped() -> None:
    message = say("{portal} ({host}) refuses syncd: {reason}", portal=HOSTILE, host="h", reason="")
    found = phrase(message, "ru", reason=tag("b", HOSTILE))
    escaped = "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert found == f"{escaped} (h) не принимает syncd: <b>{escaped}</b>"
    assert phrase(message, "en", reason="x") == f"{escaped} (h) refuses syncd: x"


@pytest.mark.parametrize(
    ("number", "said"), [(1, "1 изменение"), (3, "3 изменения"), (12_345, "12\u00a0345 изменений")]
)
def test_a_sentence_with_html_follows_the_rules_of_numbers(number: int, said: str) -> None:
    assert phrase(say_count("{count:,} change", "{count:,} changes", number), "ru") == said
