"""Sending a job: the right to send is given once, and what happened on the way is recorded, whoever was quicker."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.errors import UniqueViolation

from tests.database.books import (
    QUEUE_URL,
    Books,
    Row,
    acceptance,
    creation,
    event,
    failed,
    refused,
    request_of,
)


def test_the_right_to_send_is_stamped_before_anything_is_sent(books: Books) -> None:
    job = books.create(books.person())
    right = books.call("begin_submit", p_job=job, p_start_seconds=1800, p_check_seconds=30)
    row = books.job(job)
    assert (right["id"], row["status"], row["fal_request_id"]) == (str(job), "pending", None)
    assert row["give_up_at"] - row["submit_attempted_at"] == timedelta(seconds=1800 + 600)
    assert row["next_check_at"] - row["submit_attempted_at"] == timedelta(seconds=30)


def test_the_right_to_send_is_given_once(books: Books) -> None:
    job = books.create(books.person())
    assert books.begin(job)
    with books.unchanged():
        assert books.begin(job) is None


def test_the_right_to_send_is_given_to_one_of_many(books: Books) -> None:
    job = books.create(books.person())
    rights = books.race(*[("begin_submit", {"p_job": job, "p_start_seconds": 1800})] * 8)
    assert sum(right is not None for right in rights) == 1


def test_who_makes_a_job_may_take_the_right_to_send_it_at_once(books: Books) -> None:
    user = books.person()
    job = books.create(user, start_seconds=1800)
    row = books.job(job)
    assert row["give_up_at"] - row["submit_attempted_at"] == timedelta(seconds=1800 + 600)
    assert row["next_check_at"] - row["submit_attempted_at"] == timedelta(seconds=30)
    with books.unchanged():
        assert books.begin(job) is None
        books.create(user, job, start_seconds=1800)
    books.accept(job)
    assert books.job(job)["status"] == "submitted"


def test_of_many_that_make_the_same_job_one_may_send_it(books: Books) -> None:
    user, job = books.person(), uuid4()
    made = books.race(*[("create_job", creation(user, job, start_seconds=1800))] * 8)
    assert [row.get("may_send") for row in made].count(True) == 1
    assert books.moves(job) == ["hold"]
    assert "may_send" not in books.call("create_job", **creation(user, uuid4()))


def test_nothing_is_sent_that_is_not_wanted_or_not_there(books: Books) -> None:
    user = books.person()
    ended, sent = books.create(user), books.submitted(user)
    books.call("request_cancel", p_user=user, p_job=ended)
    with books.unchanged():
        assert [books.begin(job) for job in (ended, sent, uuid4())] == [None, None, None]


def test_an_accepted_job_knows_its_request_and_addresses(books: Books) -> None:
    job = books.create(books.person())
    books.begin(job)
    books.accept(job)
    row = books.job(job)
    assert (row["status"], row["fal_request_id"], row["queue_position"]) == ("submitted", request_of(job), 3)
    assert row["status_url"].endswith(f"/{request_of(job)}/status")
    assert row["response_url"].endswith(f"/{request_of(job)}")
    assert row["cancel_url"].endswith(f"/{request_of(job)}/cancel")
    assert row["next_check_at"] - row["submitted_at"] == timedelta(seconds=10)
    assert books.history(job) == ["created", "submitted"]


def test_recording_the_acceptance_twice_changes_nothing(books: Books) -> None:
    job = books.submitted(books.person())
    with books.unchanged():
        books.accept(job)


def test_a_job_never_belongs_to_two_requests(books: Books) -> None:
    job = books.submitted(books.person())
    with books.unchanged(), refused(409, "ALREADY_SUBMITTED") as refusal:
        books.accept(job, p_request_id="another")
    assert refusal.detail == {"request_id": request_of(job), "other": "another"}


def test_a_request_never_belongs_to_two_jobs(books: Books) -> None:
    user = books.person()
    first, second = books.submitted(user), books.create(user)
    books.begin(second)
    with books.unchanged(), pytest.raises(UniqueViolation):
        books.accept(second, p_request_id=request_of(first))


def test_accepting_an_unknown_job_is_refused(books: Books) -> None:
    with books.unchanged(), refused(404, "NOT_FOUND"):
        books.accept(uuid4())


def test_a_webhook_that_was_quicker_than_the_answer_keeps_its_end(books: Books) -> None:
    user = books.person(1)
    job = books.create(user)
    books.begin(job)
    assert books.deliver(event(job)) == "settled"
    ended = books.job(job)
    books.accept(job)
    row = books.job(job)
    assert (row["status"], row["completed_at"], row["submitted_at"]) == (
        "completed",
        ended["completed_at"],
        ended["submitted_at"],
    )
    assert (row["queue_position"], books.moves(job), books.balance(user)) == (None, ["hold", "capture"], (0, 0))


def test_acceptance_and_webhook_at_once_end_the_job_once(books: Books) -> None:
    user = books.person(5)
    for _ in range(5):
        job = books.create(user)
        books.begin(job)
        books.race(("record_submitted", acceptance(job)), ("receive_fal_events", {"p_events": [event(job)]}))
        assert books.job(job)["status"] == "completed"
    assert books.balance(user) == (0, 0)


def test_an_acceptance_opens_the_lock_and_ends_the_outage(books: Books) -> None:
    job = books.create(books.person())
    books.begin(job)
    books.call("report_provider", p_provider="fal", p_ok=False, p_locked_reason="Exhausted balance.")
    books.call("report_provider", p_provider="fal", p_ok=False, p_error="No answer.")
    books.accept(job)
    state = books.one("select * from private.provider_state where provider = 'fal'")
    assert (state["locked_at"], state["locked_reason"], state["probe_at"], state["probe_count"]) == (
        None,
        None,
        None,
        0,
    )
    assert state["unwell_since"] is None


def test_a_job_whose_cancel_was_asked_while_it_was_sent_is_looked_at_now(books: Books) -> None:
    user = books.person()
    job = books.create(user)
    books.begin(job)
    books.call("request_cancel", p_user=user, p_job=job)
    books.accept(job, p_check_seconds=450)
    assert books.value("select next_check_at <= now() from generation_jobs where id = %s", job)


def unsent(books: Books, job: Any) -> Any:
    return books.call("record_unsent", p_job=job, p_message="fal.ai is busy.", p_check_seconds=6)


def test_an_unsent_job_may_be_sent_again(books: Books) -> None:
    job = books.create(books.person(1))
    for count in (1, 2, 3):
        assert books.begin(job)
        row = unsent(books, job)
        assert (row["unsent_count"], row["submit_attempted_at"], row["give_up_at"]) == (count, None, None)
        assert row["progress_message"] == "fal.ai is busy."
    assert books.history(job) == ["created", "waiting"]
    assert books.moves(job) == ["hold"]


def test_unsent_leaves_alone_what_was_sent_or_has_ended(books: Books) -> None:
    user = books.person()
    sent, ended, never_begun = books.submitted(user), books.submitted(user), books.create(user)
    books.settle(ended, failed())
    with books.unchanged():
        assert [unsent(books, job)["status"] for job in (sent, ended, never_begun)] == [
            "submitted",
            "failed",
            "pending",
        ]


def test_what_became_of_an_unknown_job_is_refused(books: Books) -> None:
    with books.unchanged(), refused(404, "NOT_FOUND"):
        unsent(books, uuid4())
    with books.unchanged(), refused(404, "NOT_FOUND"):
        books.call("record_unclear", p_job=uuid4(), p_message="No clear answer.", p_check_seconds=15)


def test_a_cancel_asked_while_the_job_could_not_be_sent_ends_it(books: Books) -> None:
    user = books.person(1)
    job = books.create(user)
    books.begin(job)
    books.call("request_cancel", p_user=user, p_job=job)
    assert unsent(books, job)["status"] == "cancelled"
    assert (books.balance(user), books.moves(job)) == ((1, 0), ["hold", "release"])


def test_an_unclear_end_keeps_the_hold_and_is_never_sent_again(books: Books) -> None:
    user = books.person(1)
    job = books.unclear(user)
    row = books.job(job)
    assert (row["status"], row["progress_message"], row["lease_until"]) == ("pending", "No clear answer.", None)
    assert (books.balance(user), books.moves(job)) == ((0, 1), ["hold"])
    assert books.history(job) == ["created", "unclear"]
    assert books.begin(job) is None


def test_an_unclear_job_may_still_be_accepted(books: Books) -> None:
    job = books.unclear(books.person())
    assert books.accept(job)["status"] == "submitted"


def test_unclear_leaves_alone_what_is_known(books: Books) -> None:
    user = books.person()
    sent, found = books.submitted(user), books.create(user)
    books.begin(found)
    books.deliver(event(found))
    with books.unchanged():
        for job in (sent, found):
            books.call("record_unclear", p_job=job, p_message="No clear answer.", p_check_seconds=15)


def found(books: Books, job: UUID, request: str | None = None) -> Row:
    row: Row = books.call("record_found", p_job=job, p_request_id=request or request_of(job), p_queue_url=QUEUE_URL)
    return row


def test_an_unclear_job_whose_request_is_found_goes_on(books: Books) -> None:
    user = books.person()
    job = books.unclear(user)
    row = found(books, job)
    base = f"{QUEUE_URL}/fal-ai/flux/requests/{request_of(job)}"
    assert (row["status"], row["fal_request_id"], row["progress_message"]) == ("submitted", request_of(job), None)
    assert [row[name] for name in ("status_url", "response_url", "cancel_url")] == [
        f"{base}/status",
        base,
        f"{base}/cancel",
    ]
    assert row["next_check_at"] == row["submitted_at"], "it is looked at now"
    assert books.history(job) == ["created", "unclear", "found"]
    assert found(books, job) == row, "finding it again changes nothing"
    assert books.balance(user) == (99, 1)


def test_a_request_that_is_anothers_or_a_job_that_looks_for_none_is_left_alone(books: Books) -> None:
    user = books.person()
    taken, unclear, unsent = books.submitted(user), books.unclear(user), books.create(user)
    with refused(409, "ALREADY_SUBMITTED"):
        found(books, unclear, request_of(taken))
    assert books.job(unclear)["fal_request_id"] is None
    assert found(books, unsent)["fal_request_id"] is None
    books.give_up(unclear)
    assert found(books, unclear)["status"] == "failed"
    with refused(404, "NOT_FOUND"):
        found(books, uuid4(), "anything")


def test_webhook_and_list_at_once_find_it_once(books: Books) -> None:
    job = books.unclear(books.person())
    arguments = {"p_job": job, "p_request_id": request_of(job), "p_queue_url": QUEUE_URL}
    books.race(*[("record_found", arguments)] * 3, *[("receive_fal_events", {"p_events": [event(job)]})] * 3)
    assert books.history(job).count("found") == 1
    assert books.job(job)["status"] == "completed"
    assert books.moves(job) == ["hold", "capture"]


def test_giving_up_returns_the_hold_and_says_why(books: Books) -> None:
    user = books.person(1)
    job = books.unclear(user)
    assert books.give_up(job)["status"] == "failed"
    row = books.job(job)
    assert (row["error_type"], row["verdict_source"], row["spent_usd"]) == ("submit_unconfirmed", "worker", 0)
    assert books.balance(user) == (1, 0)
