"""Creating a job: the checks, the row and the hold together, or nothing at all."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.errors import UniqueViolation

from tests.database.books import (
    SCHNELL,
    VEO,
    Books,
    code_of,
    completed,
    creation,
    failed,
    refused,
    shared_books_fixture,  # noqa: F401
)


def test_the_row_and_the_hold_come_together(books: Books) -> None:
    user = books.person(100)
    job = books.create(user, generation_type=VEO, quantity=6, units=Decimal(6), unit_price_usd=Decimal("0.15"))
    row = books.job(job)
    assert (row["status"], row["user_id"], row["generation_type"]) == ("pending", user, VEO)
    assert (row["media_kind"], row["fal_endpoint"]) == ("video", "fal-ai/veo3.1/fast/image-to-video")
    assert (row["quantity"], row["credits_held"], row["credits_charged"]) == (6, 12, 0)
    assert (row["estimated_usd"], row["spent_usd"], row["actual_usd"]) == (Decimal("0.900000"), 0, None)
    assert row["input_params"] == {"prompt": "A hill"}
    assert (row["submit_attempted_at"], row["fal_request_id"], row["retried_from"]) == (None, None, None)
    assert row["next_check_at"] - row["created_at"] == timedelta(seconds=20)
    assert books.balance(user) == (88, 12)
    assert books.moves(job) == ["hold"]
    assert books.history(job) == ["created"]
    assert books.spent(user) == 0


def test_money_is_returned_as_text(books: Books) -> None:
    row = books.call("create_job", **creation(books.person(), units=Decimal("1.5")))
    assert (row["estimated_usd"], row["unit_price_usd"], row["estimated_units"]) == ("0.004500", "0.003000", "1.500000")
    assert (row["spent_usd"], row["actual_usd"]) == ("0.000000", None)


def test_credits_are_the_price_of_the_catalogue_times_the_quantity(books: Books) -> None:
    books.owner.execute("update generation_types set enabled = true")
    user = books.person(1000)
    for kind in books.all("select generation_type, credits from generation_types"):
        job = books.create(user, generation_type=kind["generation_type"], quantity=3)
        assert books.job(job)["credits_held"] == 3 * kind["credits"]


def test_the_smallest_estimate_is_not_nothing(books: Books) -> None:
    job = books.create(books.person(), units=Decimal("0.000001"))
    assert books.job(job)["estimated_usd"] == Decimal("0.000001")


def test_an_unmetered_person_pays_no_credits(books: Books) -> None:
    user = books.person(0, unmetered=True)
    job = books.submitted(user, expected_credits=1)
    assert (books.job(job)["credits_held"], books.balance(user), books.moves(job)) == (0, (0, 0), [])
    books.settle(job, completed())
    assert (books.job(job)["status"], books.moves(job)) == ("completed", [])
    assert books.spent(user) == Decimal("0.003")


def test_a_long_prompt_is_kept_in_part(books: Books) -> None:
    user = books.person()
    assert len(books.job(books.create(user, prompt="ü" * 6000))["prompt"]) == 5000
    assert books.job(books.create(user, prompt=None))["prompt"] == ""


# The same id again


def test_the_same_id_gives_the_same_job(books: Books) -> None:
    user = books.person(1)
    arguments = creation(user)
    first = books.call("create_job", **arguments)
    with books.unchanged():
        assert books.call("create_job", **arguments) == first
        assert books.call("create_job", **(arguments | {"p_quantity": 7, "p_expected_credits": 99})) == first


def test_the_same_id_after_the_end_gives_the_ended_job(books: Books) -> None:
    user = books.person(1)
    job = books.submitted(user)
    books.settle(job, completed())
    with books.unchanged():
        assert books.call("create_job", **creation(user, job))["status"] == "completed"


def test_the_same_id_at_once_is_one_job(books: Books) -> None:
    user = books.person(10)
    rows = books.race(*[("create_job", creation(user, uuid4()))] * 8)
    assert all(row == rows[0] for row in rows)
    assert books.balance(user) == (9, 1)
    assert books.history(UUID(rows[0]["id"])) == ["created"]


def test_the_id_of_somebody_else_is_not_found(books: Books) -> None:
    job = books.create(books.person())
    stranger = books.person()
    with books.unchanged(), refused(404, "NOT_FOUND") as refusal:
        books.create(stranger, job)
    assert refusal.detail == {}


# Refusals leave nothing


def test_nobody_creates_before_approval(books: Books) -> None:
    waiting = books.sign_up()
    for user in (waiting, uuid4()):
        with books.unchanged(), refused(403, "NOT_APPROVED"):
            books.create(user)


def test_nobody_creates_who_is_switched_off(books: Books) -> None:
    user = books.person()
    books.owner.execute("update profiles set is_active = false where user_id = %s", (user,))
    with books.unchanged(), refused(403, "NOT_ACTIVE"):
        books.create(user)


@pytest.mark.parametrize("kind", ["image_hd", "no_such_type"])
def test_a_type_that_is_off_or_unknown_is_refused(books: Books, kind: str) -> None:
    user = books.person()
    books.owner.execute("update generation_types set enabled = false where generation_type = 'image_hd'")
    with books.unchanged(), refused(409, "TYPE_DISABLED"):
        books.create(user, generation_type=kind)


def test_a_changed_price_is_refused_and_told(books: Books) -> None:
    user = books.person()
    books.owner.execute("update generation_types set credits = 3 where generation_type = %s", (SCHNELL,))
    with books.unchanged(), refused(409, "PRICE_CHANGED") as refusal:
        books.create(user, quantity=2, expected_credits=2)
    assert refusal.detail == {"credits": 6}
    books.create(user, quantity=2, expected_credits=6)


def test_too_few_credits_are_refused(books: Books) -> None:
    user = books.person(2)
    with books.unchanged(), refused(402, "INSUFFICIENT_CREDITS") as refusal:
        books.create(user, quantity=3)
    assert refusal.detail == {"needed": 3, "available": 2}
    assert refusal.sentence == "This needs 3 credits and you have 2. Nothing was charged."


def test_too_many_open_jobs_are_refused(books: Books) -> None:
    books.owner.execute("update private.team_settings set max_open_jobs = 2")
    user = books.person()
    first, _ = books.create(user), books.create(user)
    with books.unchanged(), refused(429, "TOO_MANY_OPEN_JOBS") as refusal:
        books.create(user)
    assert refusal.detail == {"limit": 2}
    books.create(books.person())
    books.call("request_cancel", p_user=user, p_job=first)
    books.create(user)


@pytest.mark.parametrize(
    "wrong",
    [
        *[{"quantity": quantity} for quantity in (0, -1, None)],
        *[{"units": units} for units in (Decimal(0), Decimal(-1), Decimal("NaN"), None)],
        *[{"unit_price_usd": price} for price in (Decimal(0), Decimal(-1), Decimal("NaN"), None)],
        *[{"input_params": value} for value in (None, [1])],
        {"longest_seconds": 0},
        {"quantity": 2**31 - 1, "generation_type": VEO},
    ],
)
def test_values_that_make_no_sense_are_refused(shared_books: Books, wrong: dict[str, Any]) -> None:
    user = shared_books.person()
    with shared_books.unchanged(), pytest.raises((psycopg.IntegrityError, psycopg.DataError)):
        shared_books.create(user, **wrong)


def lock_account(books: Books) -> None:
    books.call(
        "report_provider", p_provider="fal", p_ok=False, p_error=None, p_locked_reason="Exhausted balance. Top up."
    )


def test_a_locked_account_refuses_with_the_reason(books: Books) -> None:
    user = books.person()
    lock_account(books)
    with books.unchanged(), refused(423, "ACCOUNT_LOCKED") as refusal:
        books.create(user)
    assert refusal.detail == {"reason": "Exhausted balance. Top up."}
    assert refusal.sentence == (
        "fal.ai has locked the team's account: Exhausted balance. Top up. Nothing was charged. "
        "Ask an admin to settle it with fal.ai."
    )


def test_after_the_pause_one_job_tries_the_lock(books: Books) -> None:
    people = [books.person() for _ in range(6)]
    lock_account(books)
    books.owner.execute("update private.provider_state set probe_at = now() - interval '1 s' where provider = 'fal'")
    results = books.race(*[("create_job", creation(user)) for user in people])
    assert sorted(map(code_of, results), key=str) == ["ACCOUNT_LOCKED"] * 5 + [None]


def test_a_probe_that_is_refused_for_another_reason_leaves_the_try_to_others(books: Books) -> None:
    poor, rich = books.person(0), books.person()
    lock_account(books)
    books.owner.execute("update private.provider_state set probe_at = now() - interval '1 s' where provider = 'fal'")
    with refused(402, "INSUFFICIENT_CREDITS"):
        books.create(poor)
    books.create(rich)


# All at once


def test_a_balance_for_one_makes_one_job(books: Books) -> None:
    user = books.person(1)
    results = books.race(*[("create_job", creation(user)) for _ in range(8)])
    assert sorted(map(code_of, results), key=str) == ["INSUFFICIENT_CREDITS"] * 7 + [None]
    assert books.balance(user) == (0, 1)
    assert books.value("select count(*) from generation_jobs") == 1


def test_a_limit_of_open_jobs_lets_through_what_fits(books: Books) -> None:
    books.owner.execute("update private.team_settings set max_open_jobs = 3")
    user = books.person()
    results = books.race(*[("create_job", creation(user)) for _ in range(8)])
    assert sorted(map(code_of, results), key=str) == [None] * 3 + ["TOO_MANY_OPEN_JOBS"] * 5


# Retries


def test_a_retry_counts_and_has_its_own_hold(books: Books) -> None:
    user = books.person(10)
    first = books.submitted(user)
    books.settle(first, failed())
    second = books.create(user, retried_from=first)
    third = books.create(user, retried_from=second)
    assert [books.job(job)["retry_count"] for job in (first, second, third)] == [0, 1, 2]
    assert [books.job(job)["retried_from"] for job in (second, third)] == [first, second]
    assert books.balance(user) == (8, 2)


def test_a_retry_of_somebody_elses_job_is_not_found(books: Books) -> None:
    job = books.create(books.person())
    stranger = books.person()
    with books.unchanged(), refused(404, "NOT_FOUND"):
        books.create(stranger, retried_from=job)


def test_a_retry_of_nothing_is_impossible(books: Books) -> None:
    user = books.person()
    with books.unchanged(), pytest.raises(psycopg.DatabaseError):
        books.create(user, retried_from=uuid4())


def test_a_job_is_retried_by_itself_once(books: Books) -> None:
    user = books.person(10)
    first = books.submitted(user)
    books.settle(first, failed())
    books.create(user, retried_from=first, automatic=True)
    with books.unchanged(), pytest.raises(UniqueViolation, match="one_automatic_retry"):
        books.create(user, retried_from=first, automatic=True)


# What not even the superuser's SQL can do
