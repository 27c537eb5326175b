"""The trail: every admin action is in it, it is found by anything in it, and pages follow each other."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.database.admin import dead_letter, replay, second_admin
from tests.database.books import SCHNELL, Books, Row


def found(books: Books, **more: Any) -> list[Row]:
    lines: list[Row] = books.call("search_trail", p_actor=books.admin, **more)
    return lines


ACTIONS: dict[str, Callable[[Books, UUID], Any]] = {
    "approve_person": lambda books, _: books.person(0),
    "decline_person": lambda books, _: act(books, "decline_person", p_user=books.sign_up()),
    "set_role": lambda books, user: act(books, "set_role", p_user=user, p_role="admin"),
    "set_unmetered": lambda books, user: act(books, "set_unmetered", p_user=user, p_on=True),
    "set_monthly_cap": lambda books, user: act(books, "set_monthly_cap", p_user=user, p_cap=Decimal(5)),
    "deactivate_person": lambda books, user: act(books, "set_active", p_user=user, p_on=False),
    "sign_out_everywhere": lambda books, user: act(books, "sign_out_everywhere", p_user=user),
    "grant_credits": lambda books, user: act(
        books, "grant_credits", p_user=user, p_amount=5, p_reason="Thanks", p_key="1"
    ),
    "edit_generation_type": lambda books, _: act(
        books, "edit_generation_type", p_type=SCHNELL, p_changes={"credits": 7}
    ),
    "set_unit_price": lambda books, _: act(books, "set_unit_price", p_type=SCHNELL, p_price=Decimal(1)),
    "check_job_now": lambda books, user: act(books, "check_job_now", p_job=books.submitted(user)),
    "cancel_job": lambda books, user: act(books, "cancel_job", p_job=books.submitted(user)),
    "mark_job_failed": lambda books, user: act(
        books, "mark_job_failed", p_job=books.submitted(user), p_reason="Enough"
    ),
    "replay_event": lambda books, user: replay(books, dead_letter(books, books.submitted(user))),
    "run_audit": lambda books, _: act(books, "run_audit"),
    "hurry_chore": lambda books, _: (
        books.call("claim_chores", p_worker="one", p_names=["audit"], p_lease_seconds=60),
        act(books, "hurry_chore", p_name="audit"),
    ),
    "set_team_balance": lambda books, _: act(books, "set_team_balance", p_amount=Decimal(5)),
}


def act(books: Books, function: str, **arguments: Any) -> Any:
    return books.call(function, p_actor=books.admin, **arguments)


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_one_line_of_who_did_what(books: Books, action: str) -> None:
    user = books.person()
    before = found(books)
    ACTIONS[action](books, user)
    lines = found(books)
    (line,) = lines[: len(lines) - len(before)]
    assert (line["action"], line["actor"], line["actor_name"]) == (action, str(books.admin), "The Admin")
    assert line["target"]


REASONED: dict[str, Callable[[Books], Row]] = {
    "approve_person": lambda books: {"p_user": books.sign_up(), "p_welcome_credits": 0},
    "decline_person": lambda books: {"p_user": books.sign_up()},
    "approve_people": lambda books: {"p_users": [str(books.sign_up())], "p_welcome_credits": 0},
    "decline_people": lambda books: {"p_users": [str(books.sign_up())]},
    "set_role": lambda books: {"p_user": books.person(), "p_role": "admin"},
    "set_unmetered": lambda books: {"p_user": books.person(), "p_on": True},
    "set_active": lambda books: {"p_user": books.person(), "p_on": False},
    "set_monthly_cap": lambda books: {"p_user": books.person(), "p_cap": Decimal(5)},
    "sign_out_everywhere": lambda books: {"p_user": books.person()},
    "grant_credits": lambda books: {"p_user": books.person(), "p_amount": 5, "p_key": "1"},
    "edit_generation_type": lambda _: {"p_type": SCHNELL, "p_changes": {"credits": 7}},
    "set_unit_price": lambda _: {"p_type": SCHNELL, "p_price": Decimal(1)},
    "cancel_job": lambda books: {"p_job": books.submitted(books.person())},
    "mark_job_failed": lambda books: {"p_job": books.submitted(books.person())},
}


@pytest.mark.parametrize("function", REASONED)
def test_whoever_says_why_is_quoted(books: Books, function: str) -> None:
    act(books, function, **REASONED[function](books), p_reason=" Asked by finance ")
    assert found(books)[0]["reason"].strip() == "Asked by finance"


def test_credits_given_are_told_with_the_balance_before_and_after(books: Books) -> None:
    user = books.person(7)
    act(books, "grant_credits", p_user=user, p_amount=-3, p_reason="Too many", p_key="1")
    (line,) = found(books, p_action="grant_credits")
    assert (line["before"], line["after"]) == ({"available": 7}, {"available": 4, "amount": -3})


def test_the_trail_says_whom_and_what_by_name(books: Books) -> None:
    user = books.sign_up(full_name="Ada Lovelace")
    act(books, "approve_person", p_user=user, p_welcome_credits=9)
    act(books, "edit_generation_type", p_type=SCHNELL, p_changes={"label": "Quick"})
    act(books, "cancel_job", p_job=books.submitted(user, prompt="A red bridge"))
    act(books, "set_team_balance", p_amount=None)
    assert [line["target_name"] for line in found(books, p_limit=4)] == [None, "A red bridge", "Quick", "Ada Lovelace"]
    (configured,) = found(books, p_action="admin_by_configuration")
    assert (configured["actor"], configured["actor_name"], configured["target_name"]) == (None, None, "The Admin")


def test_lines_are_found_by_anything_in_them(books: Books) -> None:
    other = second_admin(books)
    user = books.sign_up(email="ada@example.com", full_name="Ada 100%")
    act(books, "approve_person", p_user=user, p_welcome_credits=0)
    books.call(
        "grant_credits", p_actor=other, p_user=user, p_amount=654321, p_reason="For the Lisbon shoot", p_key="lisbon"
    )
    (grant,) = found(books, p_action="grant_credits")
    searches: list[Row] = [
        {"p_text": "lisbon"},
        {"p_text": "654321"},
        {"p_text": "grant_cr"},
        {"p_by": other},
        {"p_target": str(user), "p_action": "grant_credits"},
        {"p_text": "Lisbon", "p_by": other, "p_from": datetime.now(UTC) - timedelta(hours=1)},
    ]
    for search in searches:
        assert found(books, **search) == [grant], search
    assert len(found(books, p_text="ada@EXAMPLE.com")) == len(found(books, p_text="100%")) == 2
    assert len(found(books, p_target=str(user))) == 2
    none: list[Row] = [
        {"p_text": "lis_on"},
        {"p_text": "Porto"},
        {"p_action": "grant"},
        {"p_by": user},
        {"p_to": datetime.now(UTC) - timedelta(hours=1)},
        {"p_from": datetime.now(UTC) + timedelta(hours=1)},
    ]
    for search in none:
        assert found(books, **search) == [], search


def test_pages_follow_each_other(books: Books) -> None:
    for _ in range(7):
        act(books, "run_audit")
    seen: list[int] = []
    while page := found(books, p_action="run_audit", p_limit=3, p_before=seen[-1] if seen else None):
        seen += [line["id"] for line in page]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 7


def test_what_can_be_chosen_is_what_occurs(books: Books) -> None:
    user = books.person()
    act(books, "set_unmetered", p_user=user, p_on=True)
    choices = books.call("trail_choices", p_actor=books.admin)
    assert choices["actions"] == ["admin_by_configuration", "approve_person", "set_unmetered"]
    assert choices["actors"] == [{"user_id": str(books.admin), "name": "The Admin"}]


def test_a_person_who_is_deleted_stays_in_the_trail(books: Books) -> None:
    user = books.person()
    act(books, "set_unmetered", p_user=user, p_on=True)
    books.owner.execute("delete from auth.users where id = %s", (user,))
    assert {line["target_name"] for line in found(books, p_target=str(user))} == {"Deleted person"}
