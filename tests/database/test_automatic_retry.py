"""One more try by itself, after a failure of fal.ai's machines that it does not bill."""

from typing import Any
from uuid import UUID

import pytest

from tests.database.books import SCHNELL, Books, cancelled, failed


def retries(books: Books, job: UUID) -> list[dict[str, Any]]:
    return books.all("select * from generation_jobs where retried_from = %s", job)


def broken(**more: Any) -> dict[str, Any]:
    """A failure of fal.ai's machines, which it does not bill."""
    return failed("runner_disconnected", retryable=True, **more)


def test_a_broken_machine_is_worth_one_more_try(books: Books) -> None:
    user = books.person(1)
    job = books.submitted(user, prompt="A hill", input_params={"prompt": "A hill", "seed": 3})
    books.settle(job, broken())
    (again,) = retries(books, job)
    assert (again["status"], again["is_automatic_retry"], again["retry_count"]) == ("pending", True, 1)
    assert (again["input_params"], again["prompt"]) == ({"prompt": "A hill", "seed": 3}, "A hill")
    assert again["next_check_at"] == again["created_at"]
    assert (books.job(job)["status"], books.balance(user)) == ("failed", (0, 1))
    books.begin(again["id"])
    books.accept(again["id"])
    books.settle(again["id"], broken())
    assert retries(books, again["id"]) == []
    assert books.balance(user) == (1, 0)


@pytest.mark.parametrize("verdict", [failed("content_policy_violation"), broken(billable=True), cancelled()])
def test_other_ends_are_not_tried_again(books: Books, verdict: dict[str, Any]) -> None:
    job = books.submitted(books.person())
    books.settle(job, verdict)
    assert retries(books, job) == []


def test_what_was_to_be_cancelled_is_not_tried_again(books: Books) -> None:
    user = books.person()
    job = books.submitted(user)
    books.call("request_cancel", p_user=user, p_job=job)
    books.settle(job, broken())
    assert retries(books, job) == []


def test_trying_again_can_be_switched_off(books: Books) -> None:
    books.owner.execute("update private.team_settings set auto_retry = false")
    job = books.submitted(books.person())
    books.settle(job, broken())
    assert retries(books, job) == []


def test_a_try_that_a_rule_refuses_leaves_the_failure_and_says_so(books: Books) -> None:
    user = books.person(1)
    job = books.submitted(user)
    books.owner.execute("update generation_types set enabled = false where generation_type = %s", (SCHNELL,))
    assert books.settle(job, broken())["status"] == "failed"
    assert retries(books, job) == []
    assert books.history(job) == ["created", "submitted", "failed", "not_retried"]
    assert books.balance(user) == (1, 0)
