"""People: following the sign-in, approval, roles; and that the books outlive them."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.errors import CheckViolation, UniqueViolation

from tests.database.books import Books, completed, refused


def profile(books: Books, user: UUID) -> dict[str, Any]:
    return books.one("select * from profiles where user_id = %s", user)


def approval(books: Books, user: UUID, credits: int = 20) -> dict[str, Any]:
    return {"p_actor": books.admin, "p_user": user, "p_welcome_credits": credits}


def trail(books: Books, action: str) -> list[dict[str, Any]]:
    return books.all("select * from admin_actions where action = %s order by id", action)


# Following auth.users


def test_a_new_person_waits_with_an_empty_account(books: Books) -> None:
    user = books.sign_up(email="ada@example.com", full_name="  Ada  ")
    row = profile(books, user)
    assert (row["email"], row["full_name"], row["role"]) == ("ada@example.com", "Ada", "user")
    assert (row["is_approved"], row["is_active"], row["is_unmetered"]) == (False, True, False)
    assert (row["approved_at"], row["declined_at"], row["monthly_cap_usd"]) == (None, None, None)
    assert books.balance(user) == (0, 0)


@pytest.mark.parametrize(("metadata", "name"), [(None, ""), ("{}", ""), ('{"full_name": null}', "")])
def test_a_person_without_a_name_or_an_email_is_possible(books: Books, metadata: str | None, name: str) -> None:
    user = uuid4()
    books.owner.execute("insert into auth.users (id, raw_user_meta_data) values (%s, %s)", (user, metadata))
    assert (profile(books, user)["email"], profile(books, user)["full_name"]) == ("", name)


def test_a_long_name_is_cut(books: Books) -> None:
    assert profile(books, books.sign_up(full_name="x" * 500))["full_name"] == "x" * 120


def test_nobody_signs_up_as_an_admin(books: Books) -> None:
    user = uuid4()
    books.owner.execute(
        "insert into auth.users (id, email, raw_user_meta_data) values (%s, 'eve@example.com', %s)",
        (user, '{"role": "admin", "is_approved": true, "is_unmetered": true}'),
    )
    row = profile(books, user)
    assert (row["role"], row["is_approved"], row["is_unmetered"]) == ("user", False, False)


def test_the_email_follows_the_sign_in(books: Books) -> None:
    user = books.sign_up(email="old@example.com")
    books.owner.execute("update auth.users set email = 'new@example.com' where id = %s", (user,))
    assert profile(books, user)["email"] == "new@example.com"


def test_a_deleted_person_is_anonymised_and_the_books_stay(books: Books) -> None:
    user = books.person(5)
    job = books.submitted(user)
    books.settle(job, completed())
    running = books.submitted(user)
    cookie = books.open_session(user)
    before = {name: rows for name, rows in books.contents().items() if name not in ("profiles", "app_sessions")}
    books.owner.execute("delete from auth.users where id = %s", (user,))
    row = profile(books, user)
    assert (row["email"], row["full_name"], row["role"]) == ("", "Deleted person", "user")
    assert (row["is_approved"], row["is_active"]) == (False, False)
    assert books.call("session_context", p_cookie_hash=cookie, p_idle_seconds=60) is None
    after = {name: rows for name, rows in books.contents().items() if name not in ("profiles", "app_sessions")}
    assert after == before
    assert books.settle(running, completed())["status"] == "completed", "what is open still ends"
    with refused(403, "NOT_APPROVED"):
        books.create(user)


def test_a_deleted_admin_is_none(books: Books) -> None:
    books.owner.execute("delete from auth.users where id = %s", (books.admin,))
    with refused(403, "NOT_ALLOWED"):
        books.call("admin_overview", p_actor=books.admin)


# Approval


def test_approval_lets_a_person_work_with_welcome_credits(books: Books) -> None:
    user = books.sign_up()
    row = books.call("approve_person", **approval(books, user))
    assert (row["is_approved"], row["approved_by"]) == (True, str(books.admin))
    assert profile(books, user)["approved_at"] is not None
    entry = books.one("select * from credit_entries where user_id = %s", user)
    assert (entry["kind"], entry["amount"], entry["actor"]) == ("welcome", 20, books.admin)
    (line,) = trail(books, "approve_person")
    assert (line["actor"], line["target"]) == (books.admin, str(user))
    assert (line["before"], line["after"]) == ({"is_approved": False}, {"is_approved": True})
    books.create(user)


@pytest.mark.parametrize("action", ["approve_person", "decline_person"])
def test_nobody_decides_about_a_deleted_person(books: Books, action: str) -> None:
    admin, user = books.admin, books.sign_up()
    books.owner.execute("delete from auth.users where id = %s", (user,))
    more = {"p_welcome_credits": 5} if action == "approve_person" else {}
    with books.unchanged(), refused(404, "NOT_FOUND"):
        books.call(action, p_actor=admin, p_user=user, **more)


def test_approving_again_changes_nothing(books: Books) -> None:
    user = books.sign_up()
    books.call("approve_person", **approval(books, user))
    with books.unchanged():
        books.call("approve_person", **approval(books, user, 50))


def test_approving_many_times_at_once_welcomes_once(books: Books) -> None:
    user = books.sign_up()
    books.race(*[("approve_person", approval(books, user))] * 8)
    assert (books.balance(user), len(trail(books, "approve_person"))) == ((20, 0), 1)


def test_no_welcome_credits_are_no_entry(books: Books) -> None:
    user = books.sign_up()
    books.call("approve_person", **approval(books, user, 0))
    assert (books.balance(user), profile(books, user)["is_approved"]) == ((0, 0), True)


@pytest.mark.parametrize("action", ["approve_person", "decline_person"])
def test_only_admins_decide_and_only_about_people(books: Books, action: str) -> None:
    waiting = books.sign_up()
    more = {"p_welcome_credits": 5} if action == "approve_person" else {}
    for actor in (waiting, books.person(), uuid4(), None):
        with books.unchanged(), refused(403, "NOT_ALLOWED"):
            books.call(action, p_actor=actor, p_user=waiting, **more)
    for nobody in (uuid4(), None):
        with books.unchanged(), refused(404, "NOT_FOUND"):
            books.call(action, p_actor=books.admin, p_user=nobody, **more)


def test_declining_takes_a_person_off_the_list(books: Books) -> None:
    user = books.sign_up()
    books.call("decline_person", p_actor=books.admin, p_user=user)
    assert profile(books, user)["declined_at"] is not None
    with books.unchanged():
        books.call("decline_person", p_actor=books.admin, p_user=user)
    with refused(403, "NOT_APPROVED"):
        books.create(user)
    books.call("approve_person", **approval(books, user))
    assert profile(books, user)["declined_at"] is None
    assert [len(trail(books, action)) for action in ("decline_person", "approve_person")] == [1, 1]


def test_an_approved_person_is_not_declined(books: Books) -> None:
    user = books.person()
    with books.unchanged(), refused(409, "ALREADY_APPROVED"):
        books.call("decline_person", p_actor=books.admin, p_user=user)


# Admins by configuration


def test_a_confirmed_address_of_the_configuration_becomes_an_admin(books: Books) -> None:
    user = books.sign_up()
    books.open_session(user, is_admin_email=True, p_welcome_credits=20)
    row = profile(books, user)
    assert (row["role"], row["is_approved"], row["approved_by"]) == ("admin", True, None)
    (line,) = trail(books, "admin_by_configuration")
    assert (line["actor"], line["target"], line["reason"]) == (None, str(user), "ADMIN_EMAILS")
    assert books.balance(user) == (20, 0)
    books.open_session(user, is_admin_email=True, p_welcome_credits=20)
    assert (len(trail(books, "admin_by_configuration")), books.balance(user)) == (1, (20, 0))


def test_an_unconfirmed_address_does_not(books: Books) -> None:
    user = books.sign_up(confirmed=False)
    books.open_session(user, is_admin_email=True, p_welcome_credits=20)
    assert (profile(books, user)["role"], profile(books, user)["is_approved"]) == ("user", False)
    assert (books.balance(user), trail(books, "admin_by_configuration")) == ((0, 0), [])


def test_who_is_switched_off_does_not(books: Books) -> None:
    user = books.sign_up()
    books.owner.execute("update profiles set is_active = false where user_id = %s", (user,))
    books.open_session(user, is_admin_email=True)
    assert profile(books, user)["role"] == "user"


def test_an_approved_person_who_becomes_an_admin_is_welcomed_once(books: Books) -> None:
    user = books.person(7)
    books.open_session(user, is_admin_email=True, p_welcome_credits=20)
    assert (profile(books, user)["role"], books.balance(user)) == ("admin", (7, 0))
    assert profile(books, user)["approved_by"] == books.admin


def test_a_welcome_that_has_become_larger_is_not_paid_again(books: Books) -> None:
    user = books.person(7)
    books.owner.execute("update profiles set is_approved = false where user_id = %s", (user,))
    books.call("approve_person", p_actor=books.admin, p_user=user, p_welcome_credits=20)
    assert books.balance(user) == (7, 0)


# What not even the superuser's SQL can do


@pytest.mark.parametrize(
    "change",
    ["role = 'admin'", "role = 'owner'", "is_approved = true", "full_name = repeat('x', 121)", "monthly_cap_usd = 0"],
)
def test_a_profile_that_makes_no_sense_is_impossible(books: Books, change: str) -> None:
    user = books.sign_up()
    with pytest.raises(CheckViolation):
        books.owner.execute(f"update profiles set {change} where user_id = %s".encode(), (user,))


def test_a_person_has_one_profile_and_one_account(books: Books) -> None:
    user = books.sign_up()
    for insert in (
        "insert into profiles (user_id, email) values (%s, '')",
        "insert into credit_accounts (user_id) values (%s)",
    ):
        with pytest.raises(UniqueViolation):
            books.owner.execute(insert.encode(), (user,))
