"""Calling as an admin: a refusal is noted and still a refusal, whatever becomes of the note."""

from typing import Any

import pytest

from core.admin import calls
from core.errors import DatabaseUnavailable, NotAllowed, Refused
from core.models import Person
from tests.unit.ui.doubles import person


class Database:
    """Stands in for the database: refuses with `refusal`, and takes notes unless it is away."""

    def __init__(self, refusal: Exception | None) -> None:
        self.refusal = refusal
        self.away = False
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def call(self, function: str, **parameters: Any) -> Any:
        self.asked.append((function, parameters))
        if function == "note_refusal":
            if self.away:
                raise DatabaseUnavailable("Away.")
            return True
        if self.refusal:
            raise self.refusal
        return {"done": True}


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    database = Database(NotAllowed("Only an admin can do this.", code="NOT_ALLOWED"))
    monkeypatch.setattr(calls, "get_database", lambda: database)
    return database


@pytest.fixture
def marketer() -> Person:
    return person()


def test_the_acting_person_goes_along(database: Database, marketer: Person) -> None:
    database.refusal = None
    assert calls.as_admin(marketer, "set_role", p_role="admin") == {"done": True}
    assert database.asked == [("set_role", {"p_actor": marketer.user_id, "p_role": "admin"})]


@pytest.mark.parametrize("away", [False, True])
def test_a_refusal_is_noted_and_stays_one(database: Database, marketer: Person, away: bool) -> None:
    database.away = away
    with pytest.raises(NotAllowed, match="Only an admin"):
        calls.as_admin(marketer, "set_role", p_role="admin")
    assert database.asked[1] == ("note_refusal", {"p_person": marketer.user_id, "p_action": "set_role"})


@pytest.mark.parametrize(
    "refusal", [Refused("Not your own.", code="OWN_ROLE"), NotAllowed("Waits for approval.", code="NOT_APPROVED")]
)
def test_other_rules_are_no_attempt(database: Database, marketer: Person, refusal: Refused) -> None:
    database.refusal = refusal
    with pytest.raises(Refused):
        calls.as_admin(marketer, "set_role", p_role="admin")
    assert [function for function, _ in database.asked] == ["set_role"]


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({"role": "admin"}, True),
        ({"role": "user"}, False),
        ({"role": "admin", "is_active": False}, False),
        ({"role": "admin", "is_approved": False}, False),
    ],
)
def test_work_before_the_call_is_for_admins_too(database: Database, changes: dict[str, Any], allowed: bool) -> None:
    who = person(**changes)
    if allowed:
        calls.only_admins(who, "mark_job_failed")
        assert database.asked == []
    else:
        with pytest.raises(NotAllowed):
            calls.only_admins(who, "mark_job_failed")
        assert database.asked == [("note_refusal", {"p_person": who.user_id, "p_action": "mark_job_failed"})]
