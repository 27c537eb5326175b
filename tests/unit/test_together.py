"""Reading together: one call for many parts, each answered once; a part that asks for something else gets that."""

from functools import partial
from typing import Any
from uuid import UUID

import pytest

from core import budget, chores, fal_account, together
from core.database import Database
from core.errors import NotAllowed
from core.models import Person
from tests.unit.ui import doubles

OTHER = UUID("00000000-0000-4000-8000-000000000002")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What reaches the database; every function answers with its name, a state for `answers`."""
    made: list[tuple[str, dict[str, Any]]] = []

    def called(_self: Database, function: str, parameters: dict[str, Any]) -> Any:
        made.append((function, parameters))
        if function == "answers":
            return [f"{each['function']} together" for each in parameters["p_questions"]]
        return f"{function} alone"

    monkeypatch.setattr(Database, "_called", called)
    database = object.__new__(Database)
    for module in (together, fal_account, budget, chores):
        monkeypatch.setattr(module, "get_database", lambda: database)
    return made


def pinned(person: Person) -> str | None:
    return fal_account.pinned(person)


def forgets(person: Person) -> bool:
    return fal_account.forget(person, "account")


def test_two_reads_are_one_call_and_each_has_its_own_answer(calls: list[tuple[str, dict[str, Any]]]) -> None:
    me = doubles.person(role="admin")
    with together.reading(me, partial(pinned, me), partial(forgets, me)):
        assert calls == [
            (
                "answers",
                {
                    "p_actor": me.user_id,
                    "p_questions": [
                        {"function": "fal_account", "parameters": {}},
                        {"function": "forget_fal_account", "parameters": {"p_account": "account"}},
                    ],
                },
            )
        ]
        assert pinned(me) == "fal_account together"
        assert len(calls) == 1


def test_what_is_asked_again_or_otherwise_or_for_somebody_else_goes_to_the_database(
    calls: list[tuple[str, dict[str, Any]]],
) -> None:
    me = doubles.person(role="admin")
    other = doubles.person(user_id=OTHER, role="admin")
    with together.reading(me, partial(pinned, me), partial(forgets, me)):
        assert pinned(other) == "fal_account alone"
        assert pinned(me) == "fal_account together"
        assert pinned(me) == "fal_account alone"
    assert [function for function, _ in calls] == ["answers", "fal_account", "fal_account"]
    assert pinned(me) == "fal_account alone"  # nothing is left after the block


def test_one_read_needs_no_company(calls: list[tuple[str, dict[str, Any]]]) -> None:
    me = doubles.person(role="admin")
    with together.reading(me, partial(pinned, me)):
        assert calls == []
        assert pinned(me) == "fal_account alone"


@pytest.mark.usefixtures("calls")
def test_what_refuses_before_it_asks_refuses_where_it_belongs() -> None:
    me = doubles.person(role="admin")

    def refuses() -> None:
        raise NotAllowed("No.")

    with together.reading(me, refuses, partial(pinned, me), partial(forgets, me)):
        assert pinned(me) == "fal_account together"
        with pytest.raises(NotAllowed):
            refuses()
