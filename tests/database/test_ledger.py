"""The ledger of credits: what an entry moves, that asking twice moves it once, and that no balance goes below zero."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation

from tests.database.books import (
    Books,
    code_of,
    completed,
    failed,
    refused,
    shared_books_fixture,  # noqa: F401
)


def grant(books: Books, user: UUID, amount: int | None, key: str | None = None, reason: str = "A bonus") -> Any:
    return books.call("grant_credits", **grant_arguments(books, user, amount, key, reason))


def grant_arguments(
    books: Books, user: UUID, amount: int | None, key: str | None = None, reason: str = "A bonus"
) -> dict[str, Any]:
    return {
        "p_actor": books.admin,
        "p_user": user,
        "p_amount": amount,
        "p_reason": reason,
        "p_key": key or uuid4().hex,
    }


def test_a_grant_adds_and_says_what_is_there_after(books: Books) -> None:
    user = books.person(10)
    entry = grant(books, user, 5, "spring")
    assert (entry["kind"], entry["amount"], entry["available_change"], entry["held_change"]) == ("grant", 5, 5, 0)
    assert (entry["available_after"], entry["held_after"], entry["version"]) == (15, 0, 2)
    assert (entry["reason"], entry["actor"]) == ("A bonus", str(books.admin))
    assert books.balance(user) == (15, 0)


def test_a_negative_grant_takes_back(books: Books) -> None:
    user = books.person(10)
    entry = grant(books, user, -4)
    assert (entry["kind"], entry["amount"], entry["available_change"]) == ("adjustment", 4, -4)
    assert books.balance(user) == (6, 0)


def test_a_grant_is_on_the_trail(books: Books) -> None:
    user = books.person(10)
    grant(books, user, 5, reason="Won the contest")
    line = books.one("select * from admin_actions where action = 'grant_credits'")
    assert (line["actor"], line["target"], line["reason"]) == (books.admin, str(user), "Won the contest")
    assert line["after"] == {"amount": 5, "available": 15}


@pytest.mark.parametrize("amount", [None, 0, 1_000_001, -1_000_001])
def test_an_amount_out_of_range_is_refused(shared_books: Books, amount: int | None) -> None:
    user = shared_books.person()
    with shared_books.unchanged(), refused(422, "INVALID_INPUT") as refusal:
        grant(shared_books, user, amount)
    assert refusal.detail == {"field": "amount"}


@pytest.mark.parametrize("reason", ["", "   ", None])
def test_a_grant_without_a_reason_is_refused(books: Books, reason: Any) -> None:
    user = books.person()
    with books.unchanged(), refused(422, "INVALID_INPUT") as refusal:
        grant(books, user, 5, reason=reason)
    assert refusal.detail == {"field": "reason"}


def test_only_active_admins_grant(books: Books) -> None:
    user, other = books.person(), books.person()
    arguments = grant_arguments(books, user, 5)
    for actor in (other, uuid4(), None):
        with books.unchanged(), refused(403, "NOT_ALLOWED"):
            books.call("grant_credits", **(arguments | {"p_actor": actor}))
    books.owner.execute("update profiles set is_active = false where user_id = %s", (books.admin,))
    with books.unchanged(), refused(403, "NOT_ALLOWED"):
        books.call("grant_credits", **arguments)


def test_nobody_can_be_granted_who_is_not_there(books: Books) -> None:
    _ = books.admin
    with books.unchanged(), refused(404, "NOT_FOUND"):
        grant(books, uuid4(), 5)


def test_taking_back_more_than_there_is_is_refused(books: Books) -> None:
    user = books.person(3)
    with books.unchanged(), refused(402, "INSUFFICIENT_CREDITS") as refusal:
        grant(books, user, -5)
    assert refusal.detail == {"needed": 5, "available": 3}


def test_what_is_held_cannot_be_taken_back(books: Books) -> None:
    user = books.person(3)
    books.create(user, quantity=2)
    with refused(402, "INSUFFICIENT_CREDITS"):
        grant(books, user, -2)
    assert books.balance(user) == (1, 2)


def test_the_same_key_again_gives_the_first_entry(books: Books) -> None:
    user = books.person(0)
    first = grant(books, user, 5, "spring")
    with books.unchanged():
        assert grant(books, user, 5, "spring") == first


def test_a_key_that_belongs_to_another_grant_is_refused(books: Books) -> None:
    user, other = books.person(9), books.person(9)
    grant(books, user, 5, "spring")
    for person, amount in ((user, 9), (user, -5), (other, 5)):
        with books.unchanged(), refused(409, "KEY_REUSED"):
            grant(books, person, amount, "spring")


def test_the_same_key_at_once_is_one_entry_and_one_line_of_the_trail(books: Books) -> None:
    user = books.person(0)
    entries = books.race(*[("grant_credits", grant_arguments(books, user, 5, "spring"))] * 8)
    assert len({entry["id"] for entry in entries}) == 1
    assert books.balance(user) == (5, 0)
    assert books.value("select count(*) from admin_actions where action = 'grant_credits'") == 1


def test_a_repeat_that_waited_for_the_first_leaves_no_second_line_on_the_trail(books: Books) -> None:
    user = books.person(0)
    arguments = grant_arguments(books, user, 5, "spring")
    with books.holding("select from credit_accounts where user_id = %s for update", user):
        both = [books.start("grant_credits", **arguments) for _ in range(2)]
        books.wait_until_blocked(2)
    assert both[0].result() == both[1].result()
    assert books.value("select count(*) from admin_actions where action = 'grant_credits'") == 1


def test_grants_at_once_all_count(books: Books) -> None:
    user = books.person(0)
    entries = books.race(*[("grant_credits", grant_arguments(books, user, amount)) for amount in range(1, 9)])
    assert books.balance(user) == (36, 0)
    assert sorted(entry["version"] for entry in entries) == list(range(1, 9))


def test_a_balance_for_one_is_taken_once(books: Books) -> None:
    user = books.person(1)
    results = books.race(*[("grant_credits", grant_arguments(books, user, -1)) for _ in range(8)])
    assert sorted(map(code_of, results), key=str) == ["INSUFFICIENT_CREDITS"] * 7 + [None]
    assert books.balance(user) == (0, 0)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amounts=st.lists(st.integers(-20, 20).filter(bool), min_size=1, max_size=8))
def test_any_sequence_of_grants_ends_at_its_sum(books: Books, amounts: list[int]) -> None:
    user = books.person(0)
    expected = 0
    for amount in amounts:
        if expected + amount < 0:
            with refused(402, "INSUFFICIENT_CREDITS"):
                grant(books, user, amount)
        else:
            expected += amount
            assert grant(books, user, amount)["available_after"] == expected
    assert books.balance(user) == (expected, 0)


# What not even the superuser's SQL can do

ENTRY = (
    "insert into credit_entries (user_id, kind, amount, available_change, held_change, available_after, held_after,"
    " version, job_id, idempotency_key) values (%s, %s, %s, %s, %s, %s, %s, 99, %s, %s)"
)


def insert_entry(
    books: Books, user: UUID, kind: str, moves: tuple[int, int, int], job: UUID | None = None, key: str | None = None
) -> None:
    """`moves`: amount, change of what is available, change of what is held."""
    books.owner.execute(ENTRY, (user, kind, *moves, 50, 50, job, key or uuid4().hex))


@pytest.mark.parametrize(
    ("kind", "moves"),
    [
        *[(kind, (5, change, 0)) for kind in ("welcome", "grant", "purchase", "reversal") for change in (-5, 0, 4, 6)],
        *[(kind, (5, 5, 5)) for kind in ("welcome", "grant", "purchase", "reversal", "adjustment")],
        *[("refund", moves) for moves in [(5, 5, 0), (5, 0, 0), (5, -5, -5)]],
        *[("hold", moves) for moves in [(5, -5, 0), (5, 0, 5), (5, 5, -5), (5, -4, 4)]],
        *[("capture", moves) for moves in [(5, 0, 0), (5, -5, 0), (5, 0, -4), (5, 0, 5), (5, 5, -5)]],
        *[("release", moves) for moves in [(5, 5, 0), (5, 0, -5), (5, 6, -5), (5, 5, -4), (5, -5, 5)]],
        *[("adjustment", moves) for moves in [(5, 4, 0), (5, 0, 0), (5, 5, -5)]],
        ("gift", (5, 5, 0)),
        ("", (5, 5, 0)),
    ],
)
def test_an_entry_moves_what_its_kind_says(shared_books: Books, kind: str, moves: tuple[int, int, int]) -> None:
    job = shared_books.create(shared_books.person())
    with pytest.raises(CheckViolation, match="entry_moves_what_its_kind_says"):
        insert_entry(shared_books, shared_books.job(job)["user_id"], kind, moves, job)


@pytest.mark.parametrize(("kind", "moves"), [("hold", (5, -5, 5)), ("capture", (5, 0, -5)), ("release", (5, 5, -5))])
def test_holds_and_their_ends_belong_to_a_job(shared_books: Books, kind: str, moves: tuple[int, int, int]) -> None:
    user = shared_books.person()
    with pytest.raises(CheckViolation):
        insert_entry(shared_books, user, kind, moves)
    with pytest.raises(ForeignKeyViolation):
        insert_entry(shared_books, user, kind, moves, uuid4())


@pytest.mark.parametrize("amount", [0, -5])
def test_amounts_are_positive(shared_books: Books, amount: int) -> None:
    with pytest.raises(CheckViolation):
        insert_entry(shared_books, shared_books.person(), "grant", (amount, amount, 0))


@pytest.mark.parametrize("verdict", [completed(), failed()])
@pytest.mark.parametrize(("kind", "moves"), [("hold", (1, -1, 1)), ("capture", (1, 0, -1)), ("release", (1, 1, -1))])
def test_a_job_is_held_once_and_ends_once_whatever_the_key(
    shared_books: Books, verdict: dict[str, Any], kind: str, moves: tuple[int, int, int]
) -> None:
    user = shared_books.person()
    job = shared_books.submitted(user)
    shared_books.settle(job, verdict)
    with pytest.raises(UniqueViolation, match="one_hold" if kind == "hold" else "one_end"):
        insert_entry(shared_books, user, kind, moves, job)


@pytest.mark.parametrize("column", ["available", "held"])
def test_a_balance_below_zero_is_impossible(shared_books: Books, column: str) -> None:
    user = shared_books.person(1)
    with pytest.raises(CheckViolation):
        shared_books.owner.execute(f"update credit_accounts set {column} = -1 where user_id = %s".encode(), (user,))


@pytest.mark.parametrize("column", ["available_after", "held_after"])
def test_an_entry_after_which_a_balance_is_below_zero_is_impossible(shared_books: Books, column: str) -> None:
    user = shared_books.person(1)
    after = {"available_after": 0, "held_after": 0} | {column: -1}
    with pytest.raises(CheckViolation):
        shared_books.owner.execute(ENTRY, (user, "grant", 1, 1, 0, *after.values(), None, uuid4().hex))


def test_versions_and_keys_are_unique(books: Books) -> None:
    user = books.person(1)
    entry = books.one("select version, idempotency_key from credit_entries where user_id = %s", user)
    with pytest.raises(UniqueViolation, match="idempotency_key"):
        insert_entry(books, user, "grant", (1, 1, 0), key=entry["idempotency_key"])
    with pytest.raises(UniqueViolation, match="version"):
        books.owner.execute(
            ENTRY.replace("99", str(entry["version"])).encode(), (user, "grant", 1, 1, 0, 2, 0, None, uuid4().hex)
        )


def test_an_entry_has_an_account_and_a_key(books: Books) -> None:
    with pytest.raises(ForeignKeyViolation):
        insert_entry(books, uuid4(), "grant", (1, 1, 0))
    with pytest.raises(NotNullViolation):
        books.owner.execute(ENTRY, (books.person(1), "grant", 1, 1, 0, 2, 0, None, None))


def test_an_account_with_entries_cannot_be_removed(books: Books) -> None:
    user = books.person(1)
    for table in ("credit_accounts", "profiles"):
        with pytest.raises(psycopg.IntegrityError):
            books.owner.execute(f"delete from {table} where user_id = %s".encode(), (user,))
