"""What a probe found is told in the reader's language, also from the ledger; its document keeps its words."""

from __future__ import annotations

import re

import orjson

from syncd.lang.catalog import told
from syncd.lang.saying import say
from syncd.portal.probe.facts import Fact, Facts, facts_from, ordered
from syncd.portal.probe.found_words import answer_told, answers_told
from syncd.portal.probe.statements import STATEMENTS

CODES = re.compile(
    r"`[^`]*`|IS_ADMIN|PORTAL\.md|DATE|FORMATTED|calendar|CRM|syncd|source|docs|host|id|resultat|null|#9dcf00"
)


def test_why_something_is_not_known_is_kept_as_a_message() -> None:
    why = say("the portal counts no operating time")
    facts = Facts(probed_at=1.0, facts=ordered([Fact(name="operating", why=why)], say("no experiment told it")))
    read = facts_from(orjson.loads(orjson.dumps(facts.kept())))
    assert read is not None
    whys = {fact.name: told(fact.why, "ru") for fact in read.facts}
    assert whys["operating"] == "портал не считает оперативное время"
    assert whys["waf"] == "ни один опыт этого не показал"


def test_a_document_of_facts_is_as_it_was_for_programs() -> None:
    facts = Facts(probed_at=1.0, facts=(Fact(name="page_past_end", value="first page"),))
    (row,) = orjson.loads(orjson.dumps(facts.document()))["facts"]
    assert (row["documented"], row["found"], row["use"]) == ("the first page again", "first page", "never asked for")


def test_every_statement_and_its_answers_are_told_in_russian() -> None:
    for statement in STATEMENTS.values():
        for said in (statement.says, statement.use):
            assert re.findall(r"[A-Za-z]{3,}", CODES.sub("", told(said, "ru"))) == []
    assert told(answer_told("first page"), "ru") == "первая страница"
    assert answer_told("Europe/Moscow") == "Europe/Moscow"
    numbers = ("moved by -3 h", "2 days later", "60000 or more")
    assert [answer_told(one) for one in numbers] == list(numbers)
    assert [told(answer_told(one), "ru") for one in numbers] == [
        "сдвигается на -3 ч",
        "на 2 дня позже",
        "60000 или больше",
    ]
    series = {"monthly on the 31st": "portal", "daily, plain": "both"}
    assert answers_told(series) == "monthly on the 31st: portal, daily, plain: both"
    assert told(answers_told(series), "ru") == "ежемесячно 31-го: арифметика портала, ежедневно: и то, и другое"
