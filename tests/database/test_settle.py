"""The end of a job: once, whoever brings it, with the money that belongs to it; afterwards nothing changes it."""

from decimal import Decimal
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.errors import CheckViolation, RaiseException

from tests.database.books import (
    VEO,
    Books,
    cancelled,
    completed,
    event,
    failed,
    shared_books_fixture,  # noqa: F401
)

ENDS: dict[str, dict[str, Any]] = {"completed": completed(), "failed": failed(), "cancelled": cancelled()}


def veo(books: Books, user: UUID) -> UUID:
    """A submitted video of six seconds: 12 credits, 0.90 USD."""
    return books.submitted(user, generation_type=VEO, quantity=6, units=Decimal(6), unit_price_usd=Decimal("0.15"))


def outputs(books: Books, job: UUID) -> list[dict[str, Any]]:
    return books.all("select * from job_outputs where job_id = %s order by position", job)


def test_a_success_captures_the_hold_and_keeps_the_outputs(books: Books) -> None:
    user = books.person(20)
    job = veo(books, user)
    outcome = books.settle(job, completed(outputs=2))
    assert {key: outcome[key] for key in ("applied", "result", "status", "credits_charged")} == {
        "applied": True,
        "result": "settled",
        "status": "completed",
        "credits_charged": 12,
    }
    assert (outcome["job"]["id"], outcome["job"]["spent_usd"]) == (str(job), "0.900000")
    row = books.job(job)
    assert (row["status"], row["credits_charged"], row["verdict_source"]) == ("completed", 12, "poll")
    assert (row["result_data"], row["error_type"], row["error_message"]) == ({"seed": 7}, None, None)
    assert (row["progress"], row["queue_position"], row["lease_until"]) == (1, None, None)
    assert row["started_at"] is not None
    assert (books.balance(user), books.moves(job)) == ((8, 0), ["hold", "capture"])
    assert [(out["position"], out["user_id"], out["width"]) for out in outputs(books, job)] == [
        (0, user, 1024),
        (1, user, 1024),
    ]
    assert all(out["mirror_due_at"] and not out["mirrored_at"] for out in outputs(books, job))


def test_a_success_is_in_the_history_and_in_the_rollup(books: Books) -> None:
    user = books.person(20)
    job = veo(books, user)
    books.settle(job, completed())
    line = books.one("select * from generation_logs where job_id = %s and event = 'completed'", job)
    assert (line["credits"], line["ended"], line["failed"], line["source"]) == (12, 1, 0, "poll")
    assert (line["spent_usd"], line["estimated_usd"], line["cost_source"]) == (
        Decimal("0.9"),
        Decimal("0.9"),
        "estimated",
    )
    assert line["billed_at"] == books.job(job)["billed_at"] == books.job(job)["completed_at"]
    daily = books.one("select * from spend_daily where user_id = %s", user)
    assert (daily["jobs"], daily["failures"], daily["credits"]) == (1, 0, 12)
    assert (daily["estimated_usd"], daily["spent_usd"]) == (Decimal("0.9"), Decimal("0.9"))
    assert daily["seconds"] == line["seconds"]


@pytest.mark.parametrize(("outcome", "failures"), [("failed", 1), ("cancelled", 0)])
def test_any_other_end_returns_the_hold_and_says_why(books: Books, outcome: str, failures: int) -> None:
    user = books.person(20)
    job = veo(books, user)
    books.settle(job, ENDS[outcome])
    row = books.job(job)
    assert (row["status"], row["credits_charged"], row["spent_usd"], row["actual_usd"]) == (outcome, 0, 0, 0)
    assert (row["error_type"], row["error_message"]) == (
        ENDS[outcome]["error_type"],
        ENDS[outcome]["error_message"],
    )
    assert (row["result_data"], row["cost_due_at"], outputs(books, job)) == (None, None, [])
    assert (books.balance(user), books.moves(job)) == ((20, 0), ["hold", "release"])
    daily = books.one("select * from spend_daily where user_id = %s", user)
    assert (daily["jobs"], daily["failures"], daily["credits"], daily["spent_usd"]) == (1, failures, 0, 0)


def test_a_failure_without_a_reason_says_so(books: Books) -> None:
    job = books.submitted(books.person())
    books.settle(job, {"outcome": "failed"})
    row = books.job(job)
    assert (row["error_type"], row["error_message"]) == ("unknown", "fal.ai gave no reason.")


def test_a_failure_that_fal_may_bill_is_spend_and_no_credits(books: Books) -> None:
    user = books.person(20)
    job = veo(books, user)
    books.settle(job, failed(billable=True))
    row = books.job(job)
    assert (row["spent_usd"], row["credits_charged"]) == (Decimal("0.9"), 0)
    assert row["cost_due_at"] is not None
    assert (books.balance(user), books.spent(user)) == ((20, 0), Decimal("0.9"))


def test_billable_units_make_the_cost_metered(books: Books) -> None:
    user = books.person(20)
    job = veo(books, user)
    books.settle(job, completed(units="5.5"))
    row = books.job(job)
    assert (row["cost_source"], row["billed_units"], row["actual_usd"]) == (
        "metered",
        Decimal("5.5"),
        Decimal("0.825"),
    )
    assert (row["spent_usd"], books.spent(user)) == (Decimal("0.825"), Decimal("0.825"))


def test_no_units_billed_is_no_spend(books: Books) -> None:
    user = books.person(20)
    job = veo(books, user)
    books.settle(job, completed(units="0"))
    assert (books.job(job)["spent_usd"], books.job(job)["cost_source"]) == (0, "metered")
    assert books.balance(user) == (8, 0)


def test_units_that_are_no_number_do_not_get_into_the_books(books: Books) -> None:
    job = veo(books, books.person(20))
    with books.unchanged(), pytest.raises(psycopg.DatabaseError):
        books.settle(job, completed(units="NaN"))


@pytest.mark.parametrize("state", ["pending", "unclear", "submitted", "in_progress"])
@pytest.mark.parametrize("outcome", ENDS)
def test_every_open_state_can_end_every_way(shared_books: Books, state: str, outcome: str) -> None:
    user = shared_books.person(1)
    if state == "pending":
        job = shared_books.create(user)
    elif state == "unclear":
        job = shared_books.unclear(user)
    else:
        job = shared_books.submitted(user)
    if state == "in_progress":
        shared_books.call("record_progress", p_updates=[{"job": str(job), "state": "running", "check_seconds": 5}])
    assert shared_books.settle(job, ENDS[outcome])["status"] == outcome
    assert shared_books.balance(user) == ((0, 0) if outcome == "completed" else (1, 0))


def test_files_are_added_once_and_zeros_are_unknown(books: Books) -> None:
    job = books.submitted(books.person())
    file = {"url": "https://v3.fal.media/a.glb", "size_bytes": 0, "width": 0, "height": 0, "duration_seconds": "1.5"}
    books.settle(job, completed() | {"outputs": [file]})
    (output,) = outputs(books, job)
    assert (output["size_bytes"], output["width"], output["height"]) == (None, None, None)
    assert (output["duration_seconds"], output["media_type"]) == (Decimal("1.5"), "application/octet-stream")


def test_an_unknown_job_is_said_to_be_unknown(books: Books) -> None:
    with books.unchanged():
        assert books.settle(uuid4(), completed()) == {"applied": False, "result": "unknown_job", "job": None}


@pytest.mark.parametrize("verdict", [{}, {"outcome": None}, {"outcome": "running"}, {"outcome": "COMPLETED"}])
def test_a_verdict_that_is_none_changes_nothing(shared_books: Books, verdict: dict[str, Any]) -> None:
    job = shared_books.submitted(shared_books.person())
    with shared_books.unchanged(), pytest.raises(RaiseException, match="A verdict is completed, failed or cancelled"):
        shared_books.settle(job, verdict)


@pytest.mark.parametrize("outputs", [[], None])
def test_a_success_with_nothing_in_it_is_no_success(shared_books: Books, outputs: list[Any] | None) -> None:
    """Nobody is charged for nothing, and it is not delivered late either."""
    user = shared_books.person(2)
    empty = completed() | {"outputs": outputs, "result_data": None}
    running, closed = shared_books.submitted(user), shared_books.submitted(user)
    shared_books.give_up(closed)
    for job in (running, closed):
        with shared_books.unchanged(), pytest.raises(RaiseException, match="has something in it"):
            shared_books.settle(job, empty)
    assert shared_books.settle(running, empty | {"result_data": {"text": ""}})["status"] == "completed"


# Once


@pytest.mark.parametrize(("first", "second"), list(product(ENDS, ENDS)))
def test_the_first_end_stays(shared_books: Books, first: str, second: str) -> None:
    user = shared_books.person(1)
    job = shared_books.submitted(user)
    shared_books.settle(job, ENDS[first])
    balance, moves = shared_books.balance(user), shared_books.moves(job)
    again = shared_books.settle(job, ENDS[second])
    late = second == "completed" != first
    assert (again["applied"], again["status"]) == (late, first)
    assert again["result"] == ("delivered_late" if late else "already_settled")
    assert (shared_books.balance(user), shared_books.moves(job)) == (balance, moves)


def test_many_ends_at_once_are_one_end(books: Books) -> None:
    user = books.person(10)
    for round_ in range(3):
        job = books.submitted(user)
        results = books.race(
            ("receive_fal_events", {"p_events": [event(job)]}),
            ("receive_fal_events", {"p_events": [event(job)]}),
            ("settle_job", {"p_job": job, "p_verdict": completed(), "p_source": "poll"}),
            ("settle_job", {"p_job": job, "p_verdict": cancelled(), "p_source": "person"}),
            ("settle_job", {"p_job": job, "p_verdict": failed(), "p_source": "poll"}),
            ("request_cancel", {"p_user": user, "p_job": job}),
            ("settle_job", {"p_job": job, "p_verdict": failed("submit_unconfirmed"), "p_source": "worker"}),
        )
        told = [result.get("result") or next(iter(result.values())) for result in results[:5]] + [results[6]["result"]]
        assert told.count("settled") == 1, round_
        row = books.job(job)
        assert books.moves(job) == ["hold", "capture" if row["status"] == "completed" else "release"]
        assert sum(name in ENDS for name in books.history(job)) == 1
        assert books.value("select count(*) from job_outputs where job_id = %s", job) == (
            1 if row["status"] == "completed" or row["is_late"] else 0
        )


def test_many_jobs_of_one_person_ending_at_once_all_count(books: Books) -> None:
    user = books.person(8)
    jobs = [books.submitted(user) for _ in range(8)]
    books.race(*[("settle_job", {"p_job": job, "p_verdict": completed(), "p_source": "poll"}) for job in jobs])
    assert (books.balance(user), books.spent(user)) == ((0, 0), Decimal("0.024"))
    assert books.value("select jobs from spend_daily where user_id = %s", user) == 8


@pytest.mark.parametrize("outcome", ENDS)
@pytest.mark.parametrize(
    "change",
    [
        "status = 'pending', completed_at = null, next_check_at = now()",
        "status = 'in_progress', completed_at = null, next_check_at = now()",
        "status = 'completed', credits_charged = credits_held, is_late = false",
        "status = 'failed', error_type = 'x', error_message = 'x', credits_charged = 0",
        "status = 'cancelled', credits_charged = 0",
        "credits_charged = credits_held - credits_charged",
        "completed_at = completed_at + interval '1 s'",
        "completed_at = null",
    ],
)
def test_an_end_never_changes(shared_books: Books, outcome: str, change: str) -> None:
    job = shared_books.submitted(shared_books.person())
    shared_books.settle(job, ENDS[outcome])
    if f"status = '{outcome}'" in change:
        change = "status = 'submitted', completed_at = null, next_check_at = now()"
    with pytest.raises(CheckViolation):
        shared_books.owner.execute(f"update generation_jobs set {change} where id = %s".encode(), (job,))
