"""Open jobs for admins: stuck ones first, look now, cancel, and giving up with a reason."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.database.admin import age, call_about, last_line, second_admin, trail
from tests.database.books import VEO, Books, Row, cancelled, code_of, completed, failed, refused


def seen(books: Books, **more: Any) -> Row:
    found: Row = books.call("open_jobs", p_actor=books.admin, **more)
    return found


def stuck(books: Books, job: UUID) -> list[str]:
    (reasons,) = [row["stuck"] for row in seen(books)["jobs"] if row["id"] == str(job)]
    return list(reasons)


def mark(books: Books, job: UUID, reason: str = "fal.ai lost it") -> Row:
    row: Row = books.call("mark_job_failed", p_actor=books.admin, p_job=job, p_reason=reason)
    return row


# The list


def test_a_job_that_goes_its_way_is_not_stuck(books: Books) -> None:
    user = books.person()
    for job in (books.create(user), books.submitted(user)):
        assert stuck(books, job) == []


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ({"give_up_at": "1 second"}, "past_give_up"),
        ({"submitted_at": "3 minutes"}, "slow"),
        ({"next_check_at": "11 minutes"}, "not_looked_at"),
        ({"cancel_requested_at": "11 minutes"}, "cancel_unanswered"),
    ],
)
def test_what_makes_a_sent_job_stuck(books: Books, times: dict[str, str], reason: str) -> None:
    job = books.submitted(books.person())
    age(books, job, **times)
    assert stuck(books, job) == [reason]


def test_slow_is_five_times_the_usual(books: Books) -> None:
    job = books.submitted(books.person(), generation_type=VEO, quantity=4)
    usual = books.job(job)["expected_seconds"]
    age(books, job, submitted_at=f"{usual * 5 - 60} seconds")
    assert stuck(books, job) == []
    age(books, job, submitted_at=f"{usual * 5 + 60} seconds")
    assert stuck(books, job) == ["slow"]


def test_an_unclear_and_an_unsent_job_are_stuck(books: Books) -> None:
    user = books.person()
    unclear, unsent = books.unclear(user), books.create(user)
    assert stuck(books, unclear) == ["unclear"]
    age(books, unsent, created_at="6 minutes")
    assert stuck(books, unsent) == ["not_sent"]


def test_a_job_that_workers_take_again_and_again_is_told_apart(books: Books) -> None:
    job = books.submitted(books.person())
    age(books, job, next_check_at="20 minutes")
    for worker in ("one", "two"):
        books.call("claim_work", p_worker=worker, p_jobs=5, p_outputs=0, p_costs=0, p_lease_seconds=-1)
    assert stuck(books, job) == ["lease_loops"]


def test_stuck_ones_come_first_then_the_oldest(books: Books) -> None:
    user, other = books.person(), books.person()
    young, old, slow, ended = (books.submitted(each) for each in (user, other, user, user))
    waiting = books.create(user)
    books.settle(ended, completed())
    age(books, old, created_at="4 minutes")
    age(books, slow, submitted_at="3 minutes")
    found = seen(books)
    assert [UUID(row["id"]) for row in found["jobs"]] == [slow, old, young, waiting]
    assert {state: (row["count"], row["stuck"]) for state, row in found["states"].items()} == {
        "submitted": (3, 1),
        "pending": (1, 0),
    }
    assert [UUID(row["id"]) for row in seen(books, p_only_stuck=True)["jobs"]] == [slow]
    assert [UUID(row["id"]) for row in seen(books, p_state="pending")["jobs"]] == [waiting]
    assert [UUID(row["id"]) for row in seen(books, p_user=other)["jobs"]] == [old]
    assert [UUID(row["id"]) for row in seen(books, p_limit=1)["jobs"]] == [slow]
    assert seen(books, p_limit=1)["states"] == found["states"]


def test_a_row_says_whose_it_is_and_what_it_costs(books: Books) -> None:
    user = books.person()
    books.submitted(user, quantity=2)
    (row,) = seen(books)["jobs"]
    assert (row["person"], row["prompt"], row["credits_held"], row["estimated_usd"]) == (
        "Somebody",
        "A hill",
        2,
        "0.003000",
    )
    assert row["fal_request_id"]
    assert row["age_seconds"] >= 0


def test_without_open_jobs_the_list_is_empty(books: Books) -> None:
    assert seen(books) == {"states": {}, "jobs": []}


# Look now


def test_a_look_is_due_at_once(books: Books) -> None:
    job = books.submitted(books.person())
    assert books.call("claim_work", p_worker="w", p_jobs=5, p_outputs=0, p_costs=0)["jobs"] == []
    books.call("check_job_now", p_actor=books.admin, p_job=job)
    work = books.call("claim_work", p_worker="w", p_jobs=5, p_outputs=0, p_costs=0)
    assert [row["id"] for row in work["jobs"]] == [str(job)]
    assert (last_line(books)["action"], last_line(books)["target"]) == ("check_job_now", str(job))


@pytest.mark.parametrize("function", ["check_job_now", "cancel_job", "mark_job_failed"])
def test_what_has_ended_or_never_was_is_left_alone(books: Books, function: str) -> None:
    job = books.submitted(books.person())
    books.settle(job, completed())
    more = {"p_reason": "Why not"} if function == "mark_job_failed" else {}
    with books.unchanged():
        with refused(409, "ALREADY_ENDED"):
            books.call(function, p_actor=books.admin, p_job=job, **more)
        with refused(404, "NOT_FOUND"):
            books.call(function, p_actor=books.admin, p_job=uuid4(), **more)


# Cancel


def test_an_admin_cancels_as_its_person_would_and_it_is_told(books: Books) -> None:
    user = books.person(5)
    unsent, sent = books.create(user), books.submitted(user)
    arguments = {"p_actor": books.admin, "p_reason": "Wrong picture"}
    assert books.call("cancel_job", p_job=unsent, **arguments)["status"] == "cancelled"
    row = books.call("cancel_job", p_job=sent, **arguments)
    assert (row["status"], row["cancel_requested_at"] is not None) == ("submitted", True)
    assert books.balance(user) == (4, 1)
    lines = trail(books, "cancel_job")
    assert [(line["target"], line["after"], line["reason"]) for line in lines] == [
        (str(unsent), {"status": "cancelled", "cancel_requested": True}, "Wrong picture"),
        (str(sent), {"status": "submitted", "cancel_requested": True}, "Wrong picture"),
    ]


# Giving up


def test_giving_up_returns_the_credits_once_and_says_why(books: Books) -> None:
    user = books.person(5)
    job = books.unclear(user, quantity=3)
    row = mark(books, job)
    assert (row["status"], row["error_type"], row["verdict_source"]) == ("failed", "closed_by_admin", "admin")
    assert row["error_message"] == (
        "An admin has closed this job: fal.ai lost it. Your credits are back. "
        "If the result still arrives, it is yours at no charge."
    )
    assert (books.balance(user), books.moves(job)) == ((5, 0), ["hold", "release"])
    line = last_line(books)
    assert (line["action"], line["target"], line["reason"]) == ("mark_job_failed", str(job), "fal.ai lost it")
    assert line["before"] == {"status": "pending", "stuck": ["unclear"]}
    assert line["after"] == {"status": "failed", "credits_returned": 3}
    with books.unchanged(), refused(409, "ALREADY_ENDED"):
        mark(books, job)


@pytest.mark.parametrize("reason", ["", "   ", None, "x" * 501])
def test_giving_up_needs_a_reason(books: Books, reason: str | None) -> None:
    job = books.submitted(books.person())
    with books.unchanged(), refused(422, "INVALID_INPUT") as refusal:
        books.call("mark_job_failed", p_actor=books.admin, p_job=job, p_reason=reason)
    assert refusal.detail == {"field": "reason"}


def test_what_fal_has_may_be_billed_and_what_it_never_confirmed_may_not(books: Books) -> None:
    user = books.person()
    confirmed, unconfirmed = books.submitted(user), books.unclear(user)
    for job in (confirmed, unconfirmed):
        mark(books, job)
    assert [books.job(job)["spent_usd"] > 0 for job in (confirmed, unconfirmed)] == [True, False]
    books.cost(confirmed, "0", source="confirmed")
    assert books.spent(user) == 0


def test_an_unmetered_person_is_told_that_nothing_was_charged(books: Books) -> None:
    assert "Nothing was charged." in mark(books, books.submitted(books.person(unmetered=True)))["error_message"]


@pytest.mark.parametrize("sent", [True, False])
def test_a_result_that_comes_after_giving_up_is_delivered_and_not_charged(books: Books, sent: bool) -> None:
    user = books.person(1)
    job = books.submitted(user) if sent else books.unclear(user)
    mark(books, job)
    spent = books.spent(user)
    assert books.deliver(call_about(job, completed())) == "delivered_late"
    row = books.job(job)
    assert (row["status"], row["is_late"], row["credits_charged"]) == ("failed", True, 0)
    assert (books.balance(user), books.spent(user)) == ((1, 0), max(spent, row["estimated_usd"]))


def test_giving_up_and_the_verdict_at_once_end_a_job_once(books: Books) -> None:
    for verdict in (completed(), failed(), cancelled()):
        user = books.person(1)
        job = books.submitted(user)
        results = books.race(
            ("mark_job_failed", {"p_actor": books.admin, "p_job": job, "p_reason": "Slow"}),
            ("settle_job", {"p_job": job, "p_verdict": verdict, "p_source": "poll"}),
            ("receive_fal_events", {"p_events": [call_about(job, verdict)]}),
        )
        assert len(books.moves(job)) == 2
        won = code_of(results[0]) is None
        assert (books.job(job)["verdict_source"] == "admin") == won


def test_two_admins_give_up_at_once(books: Books) -> None:
    user, other = books.person(1), second_admin(books)
    job = books.submitted(user)
    results = books.race(
        *[("mark_job_failed", {"p_actor": actor, "p_job": job, "p_reason": "Slow"}) for actor in (books.admin, other)]
    )
    assert sorted(code_of(result) or "" for result in results) == ["", "ALREADY_ENDED"]
    assert len(trail(books, "mark_job_failed")) == 1
