"""Several questions of a page in one round trip: each answered as if it had been asked alone, and nothing else."""

import json
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.database.books import Books


def ask(books: Books, actor: object, *questions: tuple[str, dict[str, Any]]) -> list[Any]:
    asked = [{"function": function, "parameters": parameters} for function, parameters in questions]
    found: list[Any] = books.value("select public.answers(%s, %s)", actor, Jsonb(asked))
    return found


def test_answers_are_those_of_the_functions_themselves_in_the_order_asked(books: Books) -> None:
    admin = books.admin
    days = {"p_from": "2026-11-01", "p_to": "2026-11-20"}
    together = ask(
        books,
        admin,
        ("spend_by_campaign", days),
        ("list_people", {"p_search": "", "p_filter": None, "p_limit": 5}),
        ("trail_choices", {}),
        ("fal_account", {}),
    )
    alone = [
        books.value("select public.spend_by_campaign(%s, '2026-11-01', '2026-11-20')", admin),
        books.value("select public.list_people(%s, p_search => '', p_filter => null, p_limit => 5)", admin),
        books.value("select public.trail_choices(%s)", admin),
        books.value("select to_jsonb(public.fal_account(%s))", admin),
    ]
    assert json.dumps(together) == json.dumps(alone)


def test_a_question_decides_about_the_acting_person_as_it_does_alone(books: Books) -> None:
    with pytest.raises(psycopg.Error, match="Only an admin") as refused:
        ask(
            books,
            books.person(),
            ("spend_by_campaign", {"p_from": "2026-11-01", "p_to": "2026-11-20"}),
            ("trail_choices", {}),
        )
    assert refused.value.sqlstate == "PT403"


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        ("set_block_at_zero", {"p_on": True}),  # writes
        ("session_context", {"p_cookie_hash": "x"}),  # not for an acting person
        ("answers", {"p_questions": "[]"}),
        ("no_such_function", {}),
        ("trail_choices", {"p_actor": str(uuid4())}),  # somebody else
        ("trail_choices", {"p_nothing": "1"}),
        ("trail_choices(null); drop table public.profiles; --", {}),
    ],
)
def test_only_what_reads_for_the_acting_person_may_be_asked(
    books: Books, function: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(psycopg.Error, match="There is no question"):
        ask(books, books.admin, (function, parameters))


def test_a_value_is_a_value_whatever_is_in_it(books: Books) -> None:
    hostile = "'); drop table public.profiles; --"
    found = ask(books, books.admin, ("list_people", {"p_search": hostile}))
    assert found[0]["people"] == []
