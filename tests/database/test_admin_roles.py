"""Roles with the last-admin rule, unmetered people, and switching somebody off, also when two admins do it at once."""

from decimal import Decimal
from uuid import uuid4

import pytest

from tests.database.admin import last_line, profile, second_admin, trail
from tests.database.books import Books, Row, code_of, completed, creation, failed, refused

# Roles


def test_a_role_is_given_and_taken_with_a_line_each(books: Books) -> None:
    user = books.person()
    arguments = {"p_actor": books.admin, "p_user": user}
    told = books.call("set_role", **arguments, p_role="admin", p_reason="  Holiday cover ")
    assert told == {"user_id": str(user), "role": "admin", "is_unmetered": False, "state": "approved"}
    line = last_line(books)
    assert (line["actor"], line["target"], line["before"], line["after"], line["reason"]) == (
        books.admin,
        str(user),
        {"role": "user"},
        {"role": "admin"},
        "Holiday cover",
    )
    with books.unchanged():
        books.call("set_role", **arguments, p_role="admin")
    books.call("set_role", **arguments, p_role="user")
    assert profile(books, user)["role"] == "user"
    assert len(trail(books, "set_role")) == 2


def test_nobody_changes_their_own_role_or_switch(books: Books) -> None:
    second_admin(books)
    with books.unchanged():
        for role in ("user", "admin"):
            with refused(409, "OWN_ROLE"):
                books.call("set_role", p_actor=books.admin, p_user=books.admin, p_role=role)
        for on in (True, False):
            with refused(409, "OWN_ACCOUNT"):
                books.call("set_active", p_actor=books.admin, p_user=books.admin, p_on=on)


@pytest.mark.parametrize("role", [None, "", "owner", "ADMIN"])
def test_a_role_is_user_or_admin(books: Books, role: str | None) -> None:
    arguments = {"p_actor": books.admin, "p_user": books.person(), "p_role": role}
    with books.unchanged(), refused(422, "INVALID_INPUT"):
        books.call("set_role", **arguments)


def test_who_waits_or_is_off_or_gone_becomes_no_admin(books: Books) -> None:
    waiting, off, gone = books.sign_up(), books.person(), books.person()
    books.call("set_active", p_actor=books.admin, p_user=off, p_on=False)
    books.owner.execute("delete from auth.users where id = %s", (gone,))
    for user, http, code in ((waiting, 409, "NOT_YET"), (off, 409, "NOT_YET"), (gone, 404, "NOT_FOUND")):
        with books.unchanged(), refused(http, code):
            books.call("set_role", p_actor=books.admin, p_user=user, p_role="admin")
    with refused(404, "NOT_FOUND"):
        books.call("set_role", p_actor=books.admin, p_user=uuid4(), p_role="admin")


def test_an_admin_by_configuration_is_not_demoted_in_vain(books: Books) -> None:
    other = second_admin(books)
    arguments = {"p_actor": other, "p_user": books.admin, "p_role": "user"}
    with books.unchanged(), refused(409, "ADMIN_BY_CONFIGURATION"):
        books.call("set_role", **arguments, p_admin_emails=["admin@example.com"])
    books.call("set_role", **arguments, p_admin_emails=["somebody@example.com"])
    assert profile(books, books.admin)["role"] == "user"


def test_a_long_reason_is_refused(books: Books) -> None:
    arguments = {"p_actor": books.admin, "p_user": books.person(), "p_role": "admin", "p_reason": "x" * 501}
    with books.unchanged(), refused(422, "INVALID_INPUT"):
        books.call("set_role", **arguments)


@pytest.mark.parametrize("attempt", range(5))
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("set_role", {"p_role": "user"}), ("set_role", {"p_role": "user"})),
        (("set_active", {"p_on": False}), ("set_active", {"p_on": False})),
        (("set_role", {"p_role": "user"}), ("set_active", {"p_on": False})),
    ],
)
def test_two_admins_who_remove_each_other_leave_one(
    books: Books, first: tuple[str, Row], second: tuple[str, Row], attempt: int
) -> None:
    one, two = books.admin, second_admin(books)
    results = books.race(
        (first[0], first[1] | {"p_actor": one, "p_user": two}), (second[0], second[1] | {"p_actor": two, "p_user": one})
    )
    assert sorted(code_of(result) or "" for result in results) == ["", "NOT_ALLOWED"], attempt
    assert books.value("select count(*) from profiles where role = 'admin' and is_approved and is_active") == 1


def test_a_circle_of_admins_who_remove_each_other_leaves_one_at_least(books: Books) -> None:
    circle = [books.admin, *(second_admin(books) for _ in range(4))]
    removals = zip(circle, circle[1:] + circle[:1], strict=True)
    books.race(*[("set_role", {"p_actor": one, "p_user": two, "p_role": "user"}) for one, two in removals])
    assert books.value("select count(*) from profiles where role = 'admin' and is_approved and is_active") >= 1


# Unmetered


def test_unmetered_counts_for_the_next_job_and_not_for_open_ones(books: Books) -> None:
    user = books.person(5)
    before = books.submitted(user)
    books.call("set_unmetered", p_actor=books.admin, p_user=user, p_on=True)
    after = books.submitted(user)
    for job in (before, after):
        books.settle(job, completed())
    assert [books.job(job)["credits_charged"] for job in (before, after)] == [1, 0]
    assert books.spent(user) > 0
    with books.unchanged():
        books.call("set_unmetered", p_actor=books.admin, p_user=user, p_on=True)
    assert last_line(books)["after"] == {"is_unmetered": True}
    with refused(422, "INVALID_INPUT"):
        books.call("set_unmetered", p_actor=books.admin, p_user=user, p_on=None)


# Switching off


def test_who_is_switched_off_starts_nothing_and_open_jobs_finish(books: Books) -> None:
    user = books.person(5)
    running, waiting = books.submitted(user), books.create(user)
    books.call("set_active", p_actor=books.admin, p_user=user, p_on=False, p_reason="Left the company")
    with refused(403, "NOT_ACTIVE"):
        books.create(user)
    assert books.begin(waiting), "what was waiting is still sent"
    books.accept(waiting)
    for job in (running, waiting):
        books.settle(job, completed())
        assert books.job(job)["status"] == "completed"
    assert books.balance(user) == (3, 0)
    assert (last_line(books)["action"], last_line(books)["reason"]) == ("deactivate_person", "Left the company")
    books.call("set_active", p_actor=books.admin, p_user=user, p_on=True)
    books.create(user)
    assert last_line(books)["action"] == "reactivate_person"


def test_a_failure_of_somebody_switched_off_is_not_tried_again_by_itself(books: Books) -> None:
    user = books.person(5)
    running = books.submitted(user)
    books.call("set_active", p_actor=books.admin, p_user=user, p_on=False)
    books.settle(running, failed("runner_disconnected", retryable=True))
    assert books.value("select count(*) from generation_jobs where user_id = %s", user) == 1
    assert books.balance(user) == (5, 0)


def test_a_job_that_is_being_created_and_a_switch_off_do_not_deadlock(books: Books) -> None:
    user = books.person(5)
    switch = {"p_actor": books.admin, "p_user": user, "p_on": False}
    with books.holding("select from credit_accounts where user_id = %s for update", user):
        off = books.start("set_active", **switch)
        books.wait_until_blocked(1)
        create = books.start("create_job", **creation(user))
        books.wait_until_blocked(2)
    assert off.result()["state"] == "off"
    assert code_of(create.exception()) == "NOT_ACTIVE"


@pytest.mark.parametrize("function", ["approve_person", "approve_people"])
def test_approving_and_capping_at_once_do_not_deadlock(books: Books, function: str) -> None:
    for _ in range(5):
        user = books.sign_up()
        who = {"p_users": [str(user)]} if function == "approve_people" else {"p_user": user}
        books.race(
            (function, {"p_actor": books.admin, "p_welcome_credits": 5} | who),
            ("set_monthly_cap", {"p_actor": books.admin, "p_user": user, "p_cap": Decimal(9)}),
            ("set_unmetered", {"p_actor": books.admin, "p_user": user, "p_on": True}),
        )
        assert books.balance(user) == (5, 0)
