"""The inbox: every verified call stored and applied once; calls that are not ours leave no row."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.errors import CheckViolation, UniqueViolation

from tests.database.books import ACCOUNT, QUEUE_URL, Books, cancelled, completed, creation, event, failed, request_of


def pinned(books: Books) -> str | None:
    account: str | None = books.value("select account_id from private.provider_state where provider = 'fal'")
    return account


@pytest.mark.parametrize("verdict", [completed(), failed(), cancelled()])
def test_a_call_is_stored_and_applied_together(books: Books, verdict: dict[str, Any]) -> None:
    user = books.person(1)
    job = books.submitted(user)
    call = event(job, verdict)
    assert books.deliver(call) == "settled"
    row = books.stored(call["event_key"])
    assert (row["provider"], row["status"], row["result"], row["job_id"]) == ("fal", "processed", "settled", job)
    assert (row["attempts"], row["repeats"], row["error"]) == (1, 0, None)
    assert (row["headers"], row["payload"]) == (call["headers"], call["payload"])
    assert row["event_type"] == call["event_type"]
    assert row["processed_at"] == row["received_at"] == books.job(job)["completed_at"]
    assert books.job(job)["status"] == verdict["outcome"]
    assert books.job(job)["verdict_source"] == "webhook"
    assert books.job(job)["webhook_received_at"] is not None


def test_a_repeat_changes_nothing_but_its_count(books: Books) -> None:
    job = books.submitted(books.person())
    call = event(job)
    books.deliver(call)
    before = books.contents()
    assert [books.deliver(call) for _ in range(3)] == ["repeat"] * 3
    after = books.contents()
    assert books.stored(call["event_key"])["repeats"] == 3
    before.pop("webhook_events"), after.pop("webhook_events")
    assert after == before


def test_a_repeat_with_another_verdict_changes_nothing(books: Books) -> None:
    user = books.person(1)
    job = books.submitted(user)
    call = event(job, failed())
    books.deliver(call)
    assert books.deliver(call | {"verdict": completed()}) == "repeat"
    assert (books.job(job)["status"], books.balance(user)) == ("failed", (1, 0))


def test_a_second_kind_of_call_finds_the_job_settled(books: Books) -> None:
    job = books.submitted(books.person())
    books.deliver(event(job))
    call = event(job, failed())
    assert books.deliver(call) == "already_settled"
    assert (books.stored(call["event_key"])["status"], books.job(job)["status"]) == ("processed", "completed")


def test_a_call_after_a_poll_finds_the_job_settled(books: Books) -> None:
    job = books.submitted(books.person())
    books.settle(job, completed())
    assert books.deliver(event(job)) == "already_settled"
    assert books.moves(job) == ["hold", "capture"]


def test_the_same_call_many_times_at_once_is_processed_once(books: Books) -> None:
    user = books.person(5)
    for _ in range(3):
        job = books.submitted(user)
        call = event(job)
        results = books.race(*[("receive_fal_events", {"p_events": [call]})] * 8)
        told = [result[call["event_key"]] for result in results]
        assert sorted(told) == ["repeat"] * 7 + ["settled"]
        assert (books.stored(call["event_key"])["repeats"], books.moves(job)) == (7, ["hold", "capture"])


def test_a_call_about_an_unknown_job_at_once_is_one_row(books: Books) -> None:
    call = event(uuid4())
    results = books.race(*[("receive_fal_events", {"p_events": [call]})] * 6)
    assert {result[call["event_key"]] for result in results} == {"unknown_job"}
    assert books.stored(call["event_key"])["status"] == "ignored"


def test_an_unknown_job_is_matched_once_it_is_there(books: Books) -> None:
    user, job = books.person(1), uuid4()
    call = event(job)
    assert books.deliver(call) == "unknown_job"
    row = books.stored(call["event_key"])
    assert (row["status"], row["result"], row["job_id"]) == ("ignored", "unknown_job", None)
    assert pinned(books) is None
    books.submitted(user, job=job)
    assert books.deliver(call) == "settled"
    row = books.stored(call["event_key"])
    assert (row["status"], row["job_id"], row["attempts"]) == ("processed", job, 2)
    assert books.balance(user) == (0, 0)


# Not ours: no row, no effect


def test_another_account_leaves_no_row(books: Books) -> None:
    user = books.person()
    books.deliver(event(books.submitted(user)))
    job = books.submitted(user)
    with books.unchanged():
        assert books.deliver(event(job, account_id="somebody-else")) == "wrong_account"
        assert books.deliver(event(uuid4(), account_id="somebody-else")) == "wrong_account"


def test_a_call_without_an_account_leaves_no_row(books: Books) -> None:
    user = books.person()
    books.deliver(event(books.submitted(user)))
    job = books.submitted(user)
    with books.unchanged():
        assert books.deliver(event(job, account_id=None)) == "wrong_account"


def test_another_request_leaves_no_row(books: Books) -> None:
    job = books.submitted(books.person())
    with books.unchanged():
        assert books.deliver(event(job, request_id="another")) == "wrong_request"


def test_a_call_without_a_request_leaves_no_row(books: Books) -> None:
    job = books.submitted(books.person())
    with books.unchanged():
        assert books.deliver(event(job, event_key="k", request_id=None)) == "wrong_request"


def test_a_job_that_was_never_sent_leaves_no_row(books: Books) -> None:
    user = books.person()
    waiting, dropped = books.create(user), books.create(user)
    books.call("request_cancel", p_user=user, p_job=dropped)
    with books.unchanged():
        assert books.deliver(event(waiting)) == "never_sent"
        assert books.deliver(event(dropped)) == "never_sent"


# Our account is pinned


def test_the_account_is_pinned_by_the_first_call_about_our_request(books: Books) -> None:
    assert pinned(books) is None
    books.deliver(event(books.submitted(books.person())))
    assert pinned(books) == ACCOUNT


def test_two_accounts_at_once_pin_one(books: Books) -> None:
    calls = [event(books.submitted(books.person()), account_id=account) for account in ("one", "two")]
    with books.holding("select from private.provider_state where provider = 'fal' for update"):
        both = [books.start("receive_fal_events", p_events=[call]) for call in calls]
        books.wait_until_blocked(2)
    assert sorted(next(iter(each.result().values())) for each in both) == ["settled", "wrong_account"]
    assert books.value("select count(*) from webhook_events") == 1


# Adoption: the webhook finds a job whose submit ended unclearly


@pytest.mark.parametrize("state", ["begun", "unclear"])
def test_a_call_adopts_a_job_whose_request_was_never_told(books: Books, state: str) -> None:
    user = books.person(1)
    job = books.create(user) if state == "begun" else books.unclear(user)
    if state == "begun":
        books.begin(job)
    assert books.deliver(event(job)) == "settled"
    row = books.job(job)
    base = f"{QUEUE_URL}/fal-ai/flux/requests/{request_of(job)}"
    assert (row["status"], row["fal_request_id"]) == ("completed", request_of(job))
    assert (row["status_url"], row["response_url"], row["cancel_url"]) == (f"{base}/status", base, f"{base}/cancel")
    assert row["submitted_at"] is not None
    assert books.history(job)[-2:] == ["found", "completed"]
    assert (books.balance(user), books.begin(job)) == ((0, 0), None)


def test_a_late_success_after_giving_up_is_delivered_and_not_charged(books: Books) -> None:
    user = books.person(1)
    job = books.unclear(user)
    books.give_up(job)
    call = event(job)
    assert books.deliver(call) == "delivered_late"
    row = books.job(job)
    assert (row["status"], row["error_type"], row["is_late"]) == ("failed", "submit_unconfirmed", True)
    assert (row["fal_request_id"], row["response_url"] is None) == (request_of(job), False)
    assert (books.balance(user), books.moves(job)) == ((1, 0), ["hold", "release"])
    assert books.spent(user) == row["estimated_usd"]
    assert books.value("select count(*) from job_outputs where job_id = %s", job) == 1
    assert (books.stored(call["event_key"])["status"], books.deliver(call)) == ("processed", "repeat")


# Failing effects


def test_an_empty_batch_is_nothing(books: Books) -> None:
    with books.unchanged():
        assert books.call("receive_fal_events", p_events=[]) == {}


# Locks


def test_batches_of_the_same_people_in_opposite_orders_never_deadlock(books: Books) -> None:
    people = [books.person() for _ in range(4)]
    for _ in range(3):
        jobs = [books.submitted(user) for user in people for _ in range(3)]
        calls = [event(job, completed() if number % 3 else failed()) for number, job in enumerate(jobs)]
        by_person = [calls[offset::3] for offset in range(3)]
        results = books.race(
            ("receive_fal_events", {"p_events": calls}),
            ("receive_fal_events", {"p_events": calls[::-1]}),
            *[("receive_fal_events", {"p_events": batch[::-1]}) for batch in by_person],
            ("settle_job", {"p_job": jobs[-1], "p_verdict": failed(), "p_source": "poll"}),
        )
        assert {books.job(job)["status"] for job in jobs} <= {"completed", "failed"}
        told = [value for result in results[:5] for value in result.values()]
        settled_by_poll = results[5]["result"] == "settled"
        assert told.count("settled") + settled_by_poll == len(jobs)
    assert [books.balance(user)[1] for user in people] == [0, 0, 0, 0]


def test_batches_and_creates_of_the_same_people_at_once(books: Books) -> None:
    people = [books.person() for _ in range(3)]
    jobs = [books.submitted(user) for user in people for _ in range(4)]
    calls = [event(job, failed("runner_disconnected", retryable=True)) for job in jobs]
    books.race(
        ("receive_fal_events", {"p_events": calls}),
        ("receive_fal_events", {"p_events": calls[::-1]}),
        *[("create_job", creation(user)) for user in people for _ in range(2)],
    )
    automatic = books.value("select count(*) from generation_jobs where is_automatic_retry")
    assert automatic == len(jobs)
    assert [books.balance(user) for user in people] == [(94, 6)] * 3


# What not even the superuser's SQL can do


def test_a_key_is_unique_for_good(books: Books) -> None:
    call = event(books.submitted(books.person()))
    books.deliver(call)
    with pytest.raises(UniqueViolation):
        books.owner.execute(
            "insert into webhook_events (provider, event_key, payload, status) values ('stripe', %s, '{}', 'ignored')",
            (call["event_key"],),
        )


@pytest.mark.parametrize("change", ["status = 'maybe'", "attempts = 0", "provider = 'somebody'"])
def test_a_row_that_makes_no_sense_is_impossible(books: Books, change: str) -> None:
    books.deliver(event(UUID(int=1)))
    with pytest.raises(CheckViolation):
        books.owner.execute(f"update webhook_events set {change}".encode())
