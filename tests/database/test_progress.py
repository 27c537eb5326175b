"""What a look at fal.ai's queue tells of running jobs."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.database.books import (
    Books,
    completed,
)


def look(job: Any, state: str, **more: Any) -> dict[str, Any]:
    return {"job": str(job), "state": state, "check_seconds": 5} | more


def test_progress_follows_fal(books: Books) -> None:
    job = books.submitted(books.person())
    assert books.call("record_progress", p_updates=[look(job, "queued", queue_position=2)]) == 1
    row = books.job(job)
    assert (row["status"], row["queue_position"], row["started_at"], row["check_count"]) == ("submitted", 2, None, 1)
    assert row["next_check_at"] - row["checked_at"] == timedelta(seconds=5)
    books.call("record_progress", p_updates=[look(job, "running", progress="0.25", message="Step 7 of 28")])
    row = books.job(job)
    assert (row["status"], row["queue_position"], str(row["progress"])) == ("in_progress", None, "0.2500")
    assert row["progress_message"] == "Step 7 of 28"
    started = row["started_at"]
    books.call("record_progress", p_updates=[look(job, "running")])
    row = books.job(job)
    assert (row["started_at"], str(row["progress"]), row["progress_message"]) == (started, "0.2500", "Step 7 of 28")


def test_a_running_job_never_goes_back_in_line(books: Books) -> None:
    job = books.submitted(books.person())
    books.call("record_progress", p_updates=[look(job, "running")])
    for state in ("queued", "unknown"):
        books.call("record_progress", p_updates=[look(job, state, queue_position=4)])
        assert books.job(job)["status"] == "in_progress"


def test_progress_leaves_ended_and_unknown_jobs_alone(books: Books) -> None:
    user = books.person()
    ended = books.submitted(user)
    books.settle(ended, completed())
    with books.unchanged():
        assert books.call("record_progress", p_updates=[look(ended, "running"), look(uuid4(), "running")]) == 0


def test_a_job_without_a_request_is_only_looked_for(books: Books) -> None:
    job = books.unclear(books.person())
    with books.unchanged():
        assert books.call("record_progress", p_updates=[look(job, "running"), look(job, "queued")]) == 0
    assert books.call("record_progress", p_updates=[look(job, "unknown")]) == 1
    assert books.job(job)["status"] == "pending"


@pytest.mark.parametrize(
    "nonsense",
    [{"progress": 2}, {"queue_position": -1}, {"check_seconds": None}, {"queue_position": "soon"}, {"job": "no id"}],
    ids=str,
)
def test_progress_that_makes_no_sense_leaves_the_others_of_its_batch_alone(
    books: Books, nonsense: dict[str, Any]
) -> None:
    user = books.person()
    odd, good = books.submitted(user), books.submitted(user)
    books.owner.execute("update generation_jobs set next_check_at = now() - interval '1 s'")
    updates = [look(odd, "queued") | nonsense, look(good, "running")]
    assert books.call("record_progress", p_updates=updates) == 1
    assert (books.job(odd)["status"], books.job(good)["status"]) == ("submitted", "in_progress")
    if "job" not in nonsense:
        later = books.job(odd)
        assert (later["next_check_at"] - later["checked_at"], later["check_count"]) == (timedelta(minutes=1), 1)


def test_progress_ends_the_lease(books: Books) -> None:
    job = books.submitted(books.person())
    books.owner.execute("update generation_jobs set next_check_at = now() where id = %s", (job,))
    books.call("claim_work", p_worker="one", p_jobs=1, p_outputs=0, p_costs=0)
    assert books.job(job)["lease_owner"] == "one"
    books.call("record_progress", p_updates=[look(job, "queued")])
    assert (books.job(job)["lease_owner"], books.job(job)["lease_until"]) == (None, None)


def test_progress_of_many_jobs_in_opposite_orders_at_once(books: Books) -> None:
    user = books.person()
    jobs = [books.submitted(user) for _ in range(12)]
    updates = [look(job, "running", progress="0.5") for job in jobs]
    for _ in range(3):
        counts = books.race(
            *[("record_progress", {"p_updates": batch}) for batch in (updates, updates[::-1], updates, updates[::-1])]
        )
        assert counts == [12] * 4
