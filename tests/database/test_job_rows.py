"""The row of a job: what was agreed stays, what makes no sense is impossible, whoever writes."""

import pytest
from psycopg.errors import CheckViolation, ForeignKeyViolation

from tests.database.books import (
    SCHNELL,
    Books,
    shared_books_fixture,  # noqa: F401
)


@pytest.mark.parametrize(
    "change",
    ["credits_held = 2", "estimated_usd = 0.5", "user_id = (select user_id from profiles where role = 'admin')"],
)
def test_what_was_agreed_at_the_start_stays(shared_books: Books, change: str) -> None:
    job = shared_books.create(shared_books.person())
    with pytest.raises(CheckViolation, match="fixed"):
        shared_books.owner.execute(f"update generation_jobs set {change} where id = %s".encode(), (job,))


@pytest.mark.parametrize(
    "change",
    [
        "status = 'completed'",
        "status = 'failed', completed_at = now(), error_type = null, error_message = null",
        "status = 'submitted'",
        "status = 'in_progress'",
        "status = 'lost'",
        "completed_at = now()",
        "next_check_at = null",
        "credits_charged = 1",
        "credits_charged = 2",
        "credits_charged = -1",
        "is_late = true",
        "spent_usd = -0.01",
        "spent_usd = 'NaN'",
        "actual_usd = -0.01",
        "actual_usd = 'NaN'",
        "billed_units = -1",
        "billed_units = 'NaN'",
        "cost_source = 'guessed'",
        "progress = 1.1",
        "progress = 'NaN'",
        "verdict_source = 'somebody'",
        "quantity = 0",
    ],
)
def test_a_state_that_makes_no_sense_is_impossible(shared_books: Books, change: str) -> None:
    job = shared_books.create(shared_books.person())
    with pytest.raises(CheckViolation):
        shared_books.owner.execute(f"update generation_jobs set {change} where id = %s".encode(), (job,))


def test_a_job_cannot_be_removed(books: Books) -> None:
    job = books.create(books.person(0, unmetered=True))
    with pytest.raises(ForeignKeyViolation):
        books.owner.execute("delete from generation_jobs where id = %s", (job,))


@pytest.mark.parametrize(
    "change", ["credits = 0", "credits = -1", "unit_price_usd = 0", "unit_price_usd = -1", "unit_price_usd = 'NaN'"]
)
def test_every_price_is_more_than_nothing(shared_books: Books, change: str) -> None:
    with pytest.raises(CheckViolation):
        shared_books.owner.execute(
            f"update generation_types set {change} where generation_type = %s".encode(), (SCHNELL,)
        )
