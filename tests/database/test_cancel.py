"""Cancel: at once what was never sent; the rest is asked of fal.ai, and only its word ends a job."""

from uuid import uuid4

import pytest

from tests.database.books import (
    Books,
    cancelled,
    completed,
    creation,
    failed,
    refused,
)


def test_what_was_never_sent_is_cancelled_at_once(books: Books) -> None:
    user = books.person(1)
    job = books.create(user)
    row = books.call("request_cancel", p_user=user, p_job=job)
    assert (row["status"], row["verdict_source"], row["error_type"]) == ("cancelled", "person", "cancelled")
    assert (books.balance(user), books.moves(job)) == ((1, 0), ["hold", "release"])
    assert books.spent(user) == 0
    assert books.history(job) == ["created", "cancelled"]


@pytest.mark.parametrize("state", ["begun", "unclear", "submitted"])
def test_what_may_be_at_fal_is_only_marked(books: Books, state: str) -> None:
    user = books.person(1)
    job = books.create(user) if state == "begun" else getattr(books, state)(user)
    if state == "begun":
        books.begin(job)
    status = books.job(job)["status"]
    row = books.call("request_cancel", p_user=user, p_job=job)
    assert (row["status"], row["completed_at"]) == (status, None)
    assert row["next_check_at"] == row["cancel_requested_at"]
    assert (books.balance(user), books.moves(job)) == ((0, 1), ["hold"])
    assert books.history(job)[-1] == "cancel_requested"


def test_asking_twice_changes_nothing(books: Books) -> None:
    user = books.person()
    sent, never_sent = books.submitted(user), books.create(user)
    for job in (sent, never_sent):
        first = books.call("request_cancel", p_user=user, p_job=job)
        with books.unchanged():
            assert books.call("request_cancel", p_user=user, p_job=job) == first


def test_an_admin_who_stops_the_job_of_another_is_in_the_trail_once(books: Books) -> None:
    user = books.person()
    sent, own = books.submitted(user), books.submitted(user)
    for _ in range(2):
        books.call("request_cancel", p_user=books.admin, p_job=sent, p_reason="Wrong client")
        books.call("request_cancel", p_user=user, p_job=own)
    (line,) = books.all("select * from admin_actions where action = 'cancel_job'")
    assert (line["actor"], line["target"], line["reason"]) == (books.admin, str(sent), "Wrong client")
    assert line["before"] == {"status": "submitted", "cancel_requested": False}
    assert line["after"] == {"status": "submitted", "cancel_requested": True}


def test_asking_many_times_at_once_cancels_once(books: Books) -> None:
    user = books.person(1)
    job = books.create(user)
    rows = books.race(*[("request_cancel", {"p_user": user, "p_job": job})] * 8)
    assert {row["status"] for row in rows} == {"cancelled"}
    assert (books.balance(user), books.moves(job)) == ((1, 0), ["hold", "release"])


def test_fals_word_ends_it(books: Books) -> None:
    user = books.person(1)
    job = books.submitted(user)
    books.call("request_cancel", p_user=user, p_job=job)
    assert books.settle(job, cancelled(), "person")["status"] == "cancelled"
    assert (books.balance(user), books.moves(job)) == ((1, 0), ["hold", "release"])


def test_a_cancelled_job_that_fal_may_bill_is_counted(books: Books) -> None:
    user = books.person(1)
    job = books.submitted(user)
    books.settle(job, cancelled(billable=True))
    assert (books.balance(user), books.spent(user)) == ((1, 0), books.job(job)["estimated_usd"])


def test_an_output_that_came_before_the_cancel_is_kept_and_charged(books: Books) -> None:
    user = books.person(1)
    job = books.submitted(user)
    books.call("request_cancel", p_user=user, p_job=job)
    assert books.settle(job, completed())["status"] == "completed"
    assert (books.balance(user), books.moves(job)) == ((0, 0), ["hold", "capture"])


@pytest.mark.parametrize("verdict", [completed(), failed(), cancelled()])
def test_an_ended_job_stays_as_it_is(books: Books, verdict: dict[str, object]) -> None:
    user = books.person()
    job = books.submitted(user)
    books.settle(job, verdict)
    with books.unchanged():
        assert books.call("request_cancel", p_user=user, p_job=job)["status"] == verdict["outcome"]


def test_strangers_do_not_find_the_job(books: Books) -> None:
    job = books.submitted(books.person())
    for user in (books.person(), books.sign_up(), uuid4(), None):
        with books.unchanged(), refused(404, "NOT_FOUND"):
            books.call("request_cancel", p_user=user, p_job=job)
    with refused(404, "NOT_FOUND"):
        books.call("request_cancel", p_user=books.admin, p_job=uuid4())


def test_admins_may_cancel_while_they_are_active(books: Books) -> None:
    user = books.person()
    first, second = books.create(user), books.create(user)
    assert books.call("request_cancel", p_user=books.admin, p_job=first)["status"] == "cancelled"
    books.owner.execute("update profiles set is_active = false where user_id = %s", (books.admin,))
    with books.unchanged(), refused(404, "NOT_FOUND"):
        books.call("request_cancel", p_user=books.admin, p_job=second)


def test_a_cancel_against_a_submit_gives_one_of_them_the_job(books: Books) -> None:
    user = books.person(20)
    for _ in range(6):
        job = books.create(user)
        row, right = books.race(
            ("request_cancel", {"p_user": user, "p_job": job}), ("begin_submit", {"p_job": job, "p_start_seconds": 60})
        )
        if right is None:
            assert (row["status"], books.moves(job)) == ("cancelled", ["hold", "release"])
        else:
            assert books.job(job)["status"] == "pending"
            assert books.job(job)["cancel_requested_at"] is not None
            assert books.moves(job) == ["hold"]


def test_a_cancelled_hold_can_be_spent_again(books: Books) -> None:
    user = books.person(1)
    job = books.create(user)
    results = books.race(
        ("request_cancel", {"p_user": user, "p_job": job}),
        *[("create_job", creation(user)) for _ in range(4)],
    )
    assert results[0]["status"] == "cancelled"
    assert sum(isinstance(result, dict) for result in results[1:]) <= 1
    available, held = books.balance(user)
    assert available + held == 1
