"""Calling as an admin: a refusal is noted whichever door was tried, and stays one whatever becomes of the note."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from core import limits
from core.admin import calls
from core.database import Database
from core.errors import NotAllowed, Refused
from core.models import Person
from core.settings import load
from tests.unit.ui.doubles import person

NOT_AN_ADMIN = {
    "code": "PT403",
    "message": "Only an admin can do this.",
    "details": '{"action": "set_role"}',
    "hint": "NOT_ALLOWED",
}


class Supabase:
    """Answers like the API in front of the database: refuses with `refusal`, and takes notes unless it is away."""

    def __init__(self) -> None:
        self.refusal: dict[str, str] | None = NOT_AN_ADMIN
        self.away = False
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        function = request.url.path.rpartition("/")[2]
        self.asked.append((function, json.loads(request.content)))
        if function == "note_refusal":
            if self.away:
                raise httpx.ConnectError("Away.")
            return httpx.Response(200, json=True)
        return httpx.Response(403, json=self.refusal) if self.refusal else httpx.Response(200, json={"done": True})


@pytest.fixture
def supabase() -> Supabase:
    return Supabase()


@pytest.fixture
def database(supabase: Supabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    settings = load({"SUPABASE_URL": "http://supabase.test", "SUPABASE_SECRET_KEY": "sb_secret_for_this_test"})
    with httpx.Client(transport=httpx.MockTransport(supabase.answer)) as http:
        database = Database(settings, http)
        for module in (calls, limits):
            monkeypatch.setattr(module, "get_database", lambda: database)
        yield database


@pytest.fixture
def marketer() -> Person:
    return person()


def note(user_id: UUID, action: str) -> tuple[str, dict[str, Any]]:
    return "note_refusal", {"p_person": str(user_id), "p_action": action}


@pytest.mark.usefixtures("database")
def test_the_acting_person_goes_along(supabase: Supabase, marketer: Person) -> None:
    supabase.refusal = None
    assert calls.as_admin(marketer, "set_role", p_role="admin") == {"done": True}
    assert supabase.asked == [("set_role", {"p_actor": str(marketer.user_id), "p_role": "admin"})]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("away", [False, True])
def test_a_refusal_is_noted_and_stays_one(supabase: Supabase, marketer: Person, away: bool) -> None:
    supabase.away = away
    with pytest.raises(NotAllowed, match="Only an admin"):
        calls.as_admin(marketer, "set_role", p_role="admin")
    assert supabase.asked[1:] == [note(marketer.user_id, "set_role")]


@pytest.mark.usefixtures("database")
def test_a_door_of_another_theme_leaves_the_same_trace(supabase: Supabase, marketer: Person) -> None:
    with pytest.raises(NotAllowed):
        limits.set_block_at_zero(marketer, True)
    assert [function for function, _ in supabase.asked] == ["set_block_at_zero", "note_refusal"]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "refusal",
    [
        {"message": "Not your own.", "hint": "OWN_ROLE"},
        {"message": "Waits for approval.", "hint": "NOT_APPROVED"},
        {"message": "Only the owner of this campaign and admins can change it.", "hint": "NOT_ALLOWED"},
    ],
    ids=lambda refusal: refusal["hint"],
)
def test_other_rules_are_no_attempt(supabase: Supabase, marketer: Person, refusal: dict[str, str]) -> None:
    supabase.refusal = {"code": "PT403", "details": "{}", **refusal}
    with pytest.raises(Refused, match=refusal["message"]):
        calls.as_admin(marketer, "set_role", p_role="admin")
    assert [function for function, _ in supabase.asked] == ["set_role"]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({"role": "admin"}, True),
        ({"role": "user"}, False),
        ({"role": "admin", "is_active": False}, False),
        ({"role": "admin", "is_approved": False}, False),
    ],
)
def test_work_before_the_call_is_for_admins_too(supabase: Supabase, changes: dict[str, Any], allowed: bool) -> None:
    who = person(**changes)
    if allowed:
        calls.only_admins(who, "mark_job_failed")
        assert supabase.asked == []
    else:
        with pytest.raises(NotAllowed):
            calls.only_admins(who, "mark_job_failed")
        assert supabase.asked == [note(who.user_id, "mark_job_failed")]
