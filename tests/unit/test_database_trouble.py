"""What goes wrong with the database is told to it once it is reached again, once, and without a secret."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from core.database import Database
from core.errors import DatabaseError, DatabaseUnavailable, Refused
from core.settings import load


class Supabase:
    """Answers what it is told to; None is a server that is not there."""

    def __init__(self) -> None:
        self.answers: dict[str, httpx.Response | None] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        function = request.url.path.rpartition("/")[2]
        self.asked.append((function, json.loads(request.content)))
        found = self.answers.get(function, httpx.Response(200, json=1))
        if found is None:
            raise httpx.ReadTimeout("No answer to Bearer sb_secret_for_this_test")
        return found

    def told(self) -> list[dict[str, Any]]:
        return [parameters for function, parameters in self.asked if function == "note_database_trouble"]


@pytest.fixture
def supabase() -> Supabase:
    return Supabase()


@pytest.fixture
def database(supabase: Supabase) -> Iterator[Database]:
    settings = load({"SUPABASE_URL": "http://supabase.test", "SUPABASE_SECRET_KEY": "sb_secret_for_this_test"})
    with httpx.Client(transport=httpx.MockTransport(supabase.answer)) as http:
        yield Database(settings, http)


def test_trouble_is_told_afterwards_and_once(supabase: Supabase, database: Database) -> None:
    supabase.answers["claim_work"] = None
    began = datetime.now(UTC)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            database.call("claim_work")
    assert supabase.told() == []
    for _ in range(2):
        assert database.call("metrics") == 1
    (trouble,) = supabase.told()
    assert trouble["p_error"].startswith("claim_work: ReadTimeout(")
    assert "sb_secret" not in trouble["p_error"]
    assert began <= datetime.fromisoformat(trouble["p_at"]) <= datetime.now(UTC)


def test_a_call_that_breaks_inside_is_trouble_and_a_rule_is_none(supabase: Supabase, database: Database) -> None:
    supabase.answers["settle"] = httpx.Response(409, json={"code": "40P01", "message": "deadlock detected"})
    supabase.answers["set_role"] = httpx.Response(409, json={"code": "PT409", "message": "No.", "hint": "OWN_ROLE"})
    with pytest.raises(Refused):
        database.call("set_role")
    database.call("metrics")
    assert supabase.told() == []
    with pytest.raises(DatabaseError):
        database.call("settle")
    database.call("metrics")
    assert [trouble["p_error"] for trouble in supabase.told()] == ["settle: deadlock detected"]


def test_what_cannot_be_told_harms_nobody(supabase: Supabase, database: Database) -> None:
    supabase.answers |= {"claim_work": None, "note_database_trouble": None}
    with pytest.raises(DatabaseUnavailable):
        database.call("claim_work")
    assert [database.call("metrics") for _ in range(3)] == [1, 1, 1]
    assert len(supabase.told()) == 1
