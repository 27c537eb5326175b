"""What arrives after a job had ended: an output is delivered and not charged, and what fal.ai bills is counted."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.database.books import VEO, Books, cancelled, completed, event, failed


def veo(books: Books, user: UUID) -> UUID:
    """A submitted video of six seconds: 12 credits, 0.90 USD."""
    return books.submitted(user, generation_type=VEO, quantity=6, units=Decimal(6), unit_price_usd=Decimal("0.15"))


def outputs(books: Books, job: UUID) -> list[dict[str, Any]]:
    return books.all("select * from job_outputs where job_id = %s order by position", job)


def test_a_late_success_is_delivered_and_not_charged(books: Books) -> None:
    user = books.person(20)
    job = veo(books, user)
    books.give_up(job)
    outcome = books.settle(job, completed(outputs=2))
    assert (outcome["applied"], outcome["result"], outcome["status"]) == (True, "delivered_late", "failed")
    row = books.job(job)
    assert (row["is_late"], row["credits_charged"], row["result_data"]) == (True, 0, {"seed": 7})
    assert (row["spent_usd"], row["cost_source"]) == (Decimal("0.9"), "estimated")
    assert row["cost_due_at"] is not None
    assert len(outputs(books, job)) == 2
    assert (books.balance(user), books.moves(job)) == ((20, 0), ["hold", "release"])
    daily = books.one("select * from spend_daily where user_id = %s", user)
    assert (daily["jobs"], daily["credits"], daily["spent_usd"]) == (1, 0, Decimal("0.9"))
    assert daily["estimated_usd"] == Decimal("0.9")


def test_a_late_success_is_delivered_once(books: Books) -> None:
    user = books.person(1)
    job = books.submitted(user)
    books.give_up(job)
    results = books.race(
        *[("settle_job", {"p_job": job, "p_verdict": completed(), "p_source": "poll"})] * 4,
        *[("receive_fal_events", {"p_events": [event(job)]})] * 2,
    )
    told = [result.get("result") or next(iter(result.values())) for result in results]
    assert told.count("delivered_late") == 1
    assert (books.history(job).count("delivered_late"), len(outputs(books, job))) == (1, 1)
    assert books.spent(user) == Decimal("0.003")


def test_a_late_success_adds_only_what_was_not_counted(books: Books) -> None:
    user = books.person(20)
    job = veo(books, user)
    books.settle(job, failed(billable=True))
    books.settle(job, completed())
    assert (books.job(job)["spent_usd"], books.spent(user)) == (Decimal("0.9"), Decimal("0.9"))
    daily = books.one("select * from spend_daily where user_id = %s", user)
    assert daily["estimated_usd"] == Decimal("0.9")


def test_a_late_success_brings_its_metered_cost(books: Books) -> None:
    user = books.person(20)
    job = veo(books, user)
    books.settle(job, failed(billable=True))
    books.settle(job, completed(units="4"))
    row = books.job(job)
    assert (row["cost_source"], row["billed_units"], row["actual_usd"]) == ("metered", 4, Decimal("0.6"))
    assert (row["spent_usd"], books.spent(user)) == (Decimal("0.6"), Decimal("0.6"))


def test_a_late_success_does_not_replace_a_confirmed_cost(books: Books) -> None:
    user = books.person(20)
    job = veo(books, user)
    books.settle(job, failed(billable=True))
    books.cost(job, "0.5", "confirmed")
    assert books.settle(job, completed())["result"] == "delivered_late"
    row = books.job(job)
    assert (row["cost_source"], row["actual_usd"], row["spent_usd"]) == ("confirmed", Decimal("0.5"), Decimal("0.5"))
    assert books.spent(user) == Decimal("0.5")


@pytest.mark.parametrize("late", [failed(billable=True), cancelled(billable=True)])
def test_a_late_failure_that_fal_may_bill_is_counted(books: Books, late: dict[str, Any]) -> None:
    user = books.person(20)
    job = veo(books, user)
    books.give_up(job)
    for _ in range(2):
        books.settle(job, late)
        row = books.job(job)
        assert (row["status"], row["error_type"], row["is_late"]) == ("failed", "submit_unconfirmed", False)
        assert (row["spent_usd"], books.spent(user)) == (Decimal("0.9"), Decimal("0.9"))
        assert row["cost_due_at"] is not None
    assert (books.balance(user), books.moves(job)) == ((20, 0), ["hold", "release"])


def test_a_late_cost_belongs_to_the_moment_the_job_was_closed(books: Books) -> None:
    """By then fal.ai had finished with it: a balance that was entered after that is without it already."""
    user = books.person(20)
    job = veo(books, user)
    books.give_up(job)
    books.call("set_team_balance", p_actor=books.admin, p_amount=Decimal(50))
    before = books.value("select private.budget_state(%s) ->> 'remaining'", user)
    books.settle(job, completed(units="6"))
    assert books.value("select private.budget_state(%s) ->> 'remaining'", user) == before
    assert books.spent(user) == Decimal("0.9")
    assert books.job(job)["billed_at"] == books.job(job)["completed_at"]
