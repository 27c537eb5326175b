"""Calls that meet in the middle: each waits for the other's locks in one order only, and clocks may disagree."""

from datetime import timedelta
from uuid import UUID

from tests.database.books import Books, creation, event, failed, request_of


def test_a_retry_while_its_first_job_is_settled_again_does_not_deadlock(books: Books) -> None:
    user = books.person(5)
    job = books.submitted(user)
    books.settle(job, failed())
    with books.holding("select from credit_accounts where user_id = %s for update", user):
        retry = books.start("create_job", **creation(user, retried_from=job))
        books.wait_until_blocked(1)
        repeat = books.start("settle_job", p_job=job, p_verdict=failed(), p_source="poll")
        books.wait_until_blocked(2)
    assert retry.result()["retried_from"] == str(job)
    assert repeat.result()["result"] == "already_settled"


def test_a_job_recorded_as_submitted_after_its_end_had_begun_to_wait_still_ends(books: Books) -> None:
    """The transaction that brings the end may be older than the one that records the submit: now() runs backwards."""
    user = books.person(5)
    earlier, job = books.submitted(user, job=UUID(int=1)), books.create(user, UUID(int=2))
    books.begin(job)
    with books.holding("select from generation_jobs where id = %s for update", earlier):
        batch = books.start("receive_fal_events", p_events=[event(earlier), event(job)])
        books.wait_until_blocked(1)
        books.accept(job)
    assert set(batch.result().values()) == {"settled"}
    assert books.job(job)["fal_request_id"] == request_of(job)
    seconds = books.value("select seconds from generation_logs where job_id = %s and event = 'completed'", job)
    assert seconds >= 0


def test_becoming_an_admin_while_creating_a_job_does_not_deadlock(books: Books) -> None:
    user = books.person(5)
    arguments = {
        "p_cookie_hash": "c" * 64,
        "p_user": user,
        "p_sealed_tokens": "sealed",
        "p_token_seconds": 60,
        "p_idle_seconds": 60,
        "p_absolute_seconds": 60,
        "p_user_agent": "",
        "p_address": "",
        "p_is_admin_email": True,
        "p_welcome_credits": 5,
    }
    with books.holding("select from credit_accounts where user_id = %s for update", user):
        create = books.start("create_job", **creation(user))
        books.wait_until_blocked(1)
        session = books.start("open_session", **arguments)
        books.wait_until_blocked(2)
    assert create.result()["status"] == "pending"
    session.result()
    assert books.value("select role from profiles where user_id = %s", user) == "admin"


def test_watching_while_a_worker_records_does_not_deadlock(books: Books) -> None:
    """The watcher meets the jobs in the order they were stored, a worker in the order of their ids."""
    user = books.person()
    cookie = books.open_session(user)
    jobs = [books.submitted(user, job=UUID(int=number)) for number in (3, 2, 1)]
    for number, job in enumerate(jobs, start=1):
        books.owner.execute(
            "update generation_jobs set created_at = now() - %s, submitted_at = now() - interval '1 minute'"
            " where id = %s",
            (timedelta(hours=number), job),
        )
    updates = [{"job": str(job), "state": "running", "check_seconds": 5} for job in jobs]
    with books.holding("select from generation_jobs where id = %s for update", jobs[1]):
        watching = books.start("session_context", p_cookie_hash=cookie, p_idle_seconds=60, p_watching=True)
        books.wait_until(lambda: watching.done() or books.blocked() == 1)
        recording = books.start("record_progress", p_updates=updates)
        books.wait_until(lambda: books.blocked() == 2 - watching.done())
    assert recording.result() == 3
    assert watching.result()["open_jobs"] == 3
