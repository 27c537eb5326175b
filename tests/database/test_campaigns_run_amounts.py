"""Runs: the amount that was confirmed is never passed."""

from uuid import UUID, uuid4

from tests.database.books import Books, code_of, completed, failed, refused
from tests.database.campaign_runs import (
    carry_on,
    claim,
    job_for,
    run_now,
    start,
    states,
    user_fixture,  # noqa: F401
)
from tests.database.campaigns import (
    clips_of,
    create,
    make,
    new_campaign,
    send,
    submitted,
    versions,
)


def test_a_run_never_passes_the_confirmed_amount(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=3)
    run = start(books, user, campaign, amount=25)
    first, second, third = claim(books)
    for item in (first, second):
        books.call("create_clip_job", **job_for(item))
    with refused(402, "RUN_AMOUNT") as refusal, books.unchanged():
        books.call("create_clip_job", **job_for(third))
    assert refusal.detail == {"confirmed": 25, "used": 20, "needed": 10}
    assert run_now(books, user, run)["used_credits"] == 20


def test_clips_that_compete_for_the_last_of_the_amount(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=4)
    start(books, user, campaign, amount=20)
    results = books.race(*[("create_clip_job", job_for(item)) for item in claim(books)])
    assert sorted(map(str, map(code_of, results))) == ["None", "None", "RUN_AMOUNT", "RUN_AMOUNT"]


def test_the_amount_counts_also_for_whom_jobs_cost_nothing(books: Books) -> None:
    user = books.person(0, unmetered=True)
    campaign = new_campaign(books, user, clips=2)
    run = start(books, user, campaign, amount=10)
    first, second = claim(books)
    assert books.call("create_clip_job", **job_for(first))["credits_held"] == 0
    with refused(402, "RUN_AMOUNT"):
        books.call("create_clip_job", **job_for(second))
    assert run_now(books, user, run)["used_credits"] == 10


def test_what_failed_gives_its_part_of_the_amount_back(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=2)
    run = start(books, user, campaign, amount=10)
    first, second = claim(books)
    job = UUID(books.call("create_clip_job", **job_for(first))["id"])
    send(books, job)
    books.settle(job, failed())
    assert run_now(books, user, run)["used_credits"] == 0
    books.call("create_clip_job", **job_for(second))


def test_an_automatic_retry_stays_in_its_run(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=1)
    run = start(books, user, campaign, "first_frame", "video", amount=22)
    (job,) = carry_on(books)
    books.settle(job, failed("runner_server_error", retryable=True))
    again = books.one("select * from generation_jobs where retried_from = %s", job)
    now = run_now(books, user, run)
    assert (now["state"], now["used_credits"], states(now)) == ("running", 10, [("first_frame", "running")])
    assert now["clips"][0]["job_id"] == str(again["id"])
    send(books, again["id"])
    books.settle(again["id"], completed())
    assert states(run_now(books, user, run)) == [("video", "due")]
    carry_on(books)
    assert run_now(books, user, run)["used_credits"] == 22


def test_what_a_person_makes_by_hand_counts_for_the_run(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=1)
    clip = clips_of(books, campaign)[0]
    run = start(books, user, campaign, "first_frame", "video")
    (job,) = carry_on(books)
    books.settle(job, failed())
    make(books, user, clip)
    now = run_now(books, user, run)
    assert (now["state"], states(now)) == ("running", [("video", "due")])


def test_the_amount_can_be_raised_and_not_lowered(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=1)
    run = start(books, user, campaign, amount=5)
    with refused(422, "INVALID_INPUT"):
        books.call("resume_campaign_run", p_actor=user, p_run=run, p_confirmed_credits=4)
    books.call("resume_campaign_run", p_actor=user, p_run=run, p_confirmed_credits=10)
    assert len(carry_on(books)) == 1
    with refused(404, "NOT_FOUND"):
        books.call("resume_campaign_run", p_actor=user, p_run=uuid4(), p_confirmed_credits=10)


def test_a_job_outside_a_run_does_not_touch_it(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=1)
    clip = clips_of(books, campaign)[0]
    run = start(books, user, campaign)
    (job,) = carry_on(books)
    other = submitted(books, user, clip)
    books.settle(other, completed())
    assert states(run_now(books, user, run)) == [("first_frame", "running")]
    books.settle(job, completed())
    assert versions(books, clip) == [(1, True), (2, False)]
    assert create(books, user, clip)
