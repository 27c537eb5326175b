"""Calls whose effect fails: recorded, undone, tried again, a dead letter at last; the others of the batch go on."""

from typing import Any
from uuid import uuid4

import pytest

from tests.database.books import Books, completed, event

BROKEN = {"outcome": "nonsense"}  # a verdict whose effect fails in the database


def test_a_failing_effect_is_recorded_and_undone(books: Books) -> None:
    job = books.unclear(books.person())
    before = books.contents()
    call = event(job, BROKEN)
    assert books.deliver(call) == "failed"
    row = books.stored(call["event_key"])
    assert (row["status"], row["attempts"], row["job_id"], row["processed_at"]) == ("failed", 1, job, None)
    assert "not nonsense" in row["error"]
    assert (row["payload"], row["headers"]) == (call["payload"], call["headers"])
    after = books.contents()
    before.pop("webhook_events"), after.pop("webhook_events")
    assert after == before, "neither adopted nor pinned"


def test_a_failing_effect_leaves_the_others_of_its_batch_alone(books: Books) -> None:
    user = books.person(5)
    jobs = [books.submitted(user) for _ in range(5)]
    calls = [event(job, BROKEN if job == jobs[2] else completed()) for job in jobs]
    results = books.deliver(*calls)
    assert [results[call["event_key"]] for call in calls] == ["settled", "settled", "failed", "settled", "settled"]
    assert [books.job(job)["status"] for job in jobs].count("completed") == 4


@pytest.mark.parametrize("nonsense", ["not an id", "", None, {"a": 1}])
def test_a_call_that_makes_no_sense_leaves_the_others_of_its_batch_alone(books: Books, nonsense: Any) -> None:
    job = books.submitted(books.person())
    odd = event(uuid4(), payload=None, headers=None) | {"job": nonsense}
    good = event(job)
    assert books.deliver(odd, good)[good["event_key"]] == "settled"
    assert books.job(job)["status"] == "completed"


def test_a_failing_effect_becomes_a_dead_letter_after_so_many_tries(books: Books) -> None:
    job = books.submitted(books.person(1))
    call = event(job, BROKEN)
    assert [books.deliver(call, max_attempts=3) for _ in range(4)] == ["failed", "failed", "dead", "dead"]
    row = books.stored(call["event_key"])
    assert (row["status"], row["attempts"], row["repeats"]) == ("dead", 3, 1)
    assert books.deliver(call | {"verdict": completed()}, max_attempts=3) == "dead"
    assert books.job(job)["status"] == "submitted"


def test_a_later_success_after_failures_processes_the_call(books: Books) -> None:
    user = books.person(1)
    job = books.submitted(user)
    call = event(job, BROKEN)
    assert [books.deliver(call), books.deliver(call)] == ["failed", "failed"]
    assert books.deliver(call | {"verdict": completed()}) == "settled"
    row = books.stored(call["event_key"])
    assert (row["status"], row["attempts"], row["error"], row["result"]) == ("processed", 3, None, "settled")
    assert row["processed_at"] is not None
    assert (books.balance(user), books.deliver(call)) == ((0, 0), "repeat")


def test_a_failing_effect_many_times_at_once_counts_every_try(books: Books) -> None:
    call = event(books.submitted(books.person()), BROKEN)
    results = books.race(*[("receive_fal_events", {"p_events": [call], "p_max_attempts": 4})] * 6)
    told = sorted(result[call["event_key"]] for result in results)
    assert told == ["dead"] * 3 + ["failed"] * 3
    assert (books.stored(call["event_key"])["attempts"], books.stored(call["event_key"])["repeats"]) == (4, 2)
