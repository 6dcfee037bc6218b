"""A query is one statement that only reads, whatever stands in its texts, names and comments."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from syncd.source.sql.statement import as_text, check_query, parameters_in

READS = (
    "SELECT * FROM shifts",
    "select 1;",
    " -- of today; DELETE\n SELECT 1 /* DROP; */ ;\n",
    "WITH a AS (SELECT 1 AS x) SELECT x FROM a",
    "(SELECT 1) UNION (SELECT 2)",
    "VALUES (1, 2)",
    "TABLE shifts",
    "SELECT 'it''s; DELETE FROM x' AS \"update\", `insert`, [drop], $$; drop $$, $a$ into $$ $a$ FROM t",
    "SELECT updated_at, REPLACE(title, 'a', 'b') FROM shifts WHERE deleted = 0",
)
WRITES = (
    ("DELETE FROM shifts", "begins with 'DELETE'"),
    ("CALL refresh()", "begins with 'CALL'"),
    ("WITH a AS (DELETE FROM shifts RETURNING *) SELECT * FROM a", "holds DELETE"),
    ("SELECT * INTO other FROM shifts", "holds INTO"),
    ("SELECT * FROM shifts FOR UPDATE", "holds UPDATE"),
    ("SELECT 1; SELECT 2", "more than one statement"),
    ("SELECT 1 DROP TABLE shifts", "holds DROP"),
    ("SELECT ''; DROP TABLE shifts --'", "more than one statement"),
    ("", "is empty"),
    ("-- nothing", "is empty"),
    ('"SELECT"', "begins with 'a name'"),
)


@pytest.mark.parametrize("query", READS)
def test_a_query_that_reads_is_taken(query: str) -> None:
    check_query(query)


@pytest.mark.parametrize(("query", "says"), WRITES)
def test_a_query_that_writes_is_refused_with_the_word_that_does(query: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        check_query(query)


@given(st.text("'\"`-/*$;:\\ \nab[]("), st.sampled_from(["DELETE", "Update", "drop", "INTO"]))
def test_a_word_that_writes_is_found_behind_any_text_that_is_closed(inside: str, word: str) -> None:
    quoted = "'" + inside.replace("'", "''") + "'"
    check_query(f"SELECT {quoted} FROM t")
    with pytest.raises(ValueError, match="holds"):
        check_query(f"SELECT {quoted} FROM t {word} x")


@given(st.text("'\":ab1 \\", max_size=12), st.text("'\":ab1 ", max_size=12))
def test_no_colon_but_that_of_a_day_is_a_parameter(one: str, other: str) -> None:
    literal = "'" + (one + ":first " + other).replace("'", "''").replace("\\", "") + "'"
    query = f"SELECT {literal}, x::date, a[1:2] FROM t WHERE starts >= :first AND ends<:last"
    assert parameters_in(query) == {"first", "last"}
    made = text(as_text(query)).bindparams(first=1, last=2).compile()
    assert set(made.params) == {"first", "last"}
    assert str(made).replace(":first", "").count("'") == query.replace(":first", "").count("'")
    assert literal in str(made)


def test_a_query_without_days_has_no_parameters() -> None:
    assert parameters_in("SELECT ':first', x::first FROM t -- :last") == frozenset()
