"""Runs under any number of workers: leases, clips that wait, fail or are gone."""

from uuid import UUID, uuid4

import pytest

from tests.database.books import Books, Row, cancelled, completed, event, failed, refused
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
    new_campaign,
    send,
)


def test_clips_wait_with_a_reason_and_the_run_goes_on_when_a_person_says_so(books: Books) -> None:
    user = books.person(10)
    campaign = new_campaign(books, user, clips=3)
    run = start(books, user, campaign, amount=30)
    first, second, _ = claim(books)
    job = UUID(books.call("create_clip_job", **job_for(first))["id"])
    with refused(402, "INSUFFICIENT_CREDITS") as refusal:
        books.call("create_clip_job", **job_for(second))
    books.call(
        "postpone_run_clip",
        p_run=run,
        p_job=UUID(second["next_job_id"]),
        p_code="INSUFFICIENT_CREDITS",
        p_reason=refusal.sentence,
        p_all=True,
    )
    send(books, job)
    assert run_now(books, user, run)["state"] == "running"
    books.settle(job, completed())
    now = run_now(books, user, run)
    assert (now["state"], [clip["state"] for clip in now["clips"]]) == ("waiting", ["done", "waiting", "waiting"])
    assert [clip["reason"] for clip in now["clips"][1:]] == [refusal.sentence] * 2
    assert claim(books) == []
    books.call("grant_credits", p_actor=books.admin, p_user=user, p_amount=20, p_reason="More", p_key="k")
    assert claim(books) == [], "money alone starts nothing"
    books.call("resume_campaign_run", p_actor=user, p_run=run, p_confirmed_credits=30)
    for job in carry_on(books):
        books.settle(job, completed())
    assert run_now(books, user, run)["state"] == "finished"


def test_who_looks_at_jobs_hears_that_a_run_is_open(books: Books, user: UUID) -> None:
    def waiting() -> bool:
        work = books.call("claim_work", p_worker="looking", p_jobs=0, p_outputs=0, p_costs=0)
        return bool(work["waiting"]["runs"])

    campaign = new_campaign(books, user, clips=1)
    assert not waiting()
    start(books, user, campaign)
    assert waiting()
    (job,) = carry_on(books)
    books.settle(job, completed())
    assert waiting(), "whoever carries on runs has yet to see that it is over"
    assert claim(books) == []
    assert not waiting()


def test_a_clip_that_is_postponed_is_due_again_later(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=2)
    run = start(books, user, campaign)
    items = claim(books)
    arguments = {"p_run": run, "p_code": "TOO_MANY_OPEN_JOBS", "p_reason": "Later.", "p_check_seconds": 3600}
    books.call("postpone_run_clip", p_job=UUID(items[0]["next_job_id"]), **arguments)
    books.call("create_clip_job", **job_for(items[1]))
    assert claim(books) == []
    now = run_now(books, user, run)
    assert (now["state"], now["clips"][0]["state"], now["clips"][0]["tries"]) == ("running", "due", 1)
    books.owner.execute("update campaign_run_clips set due_at = now() where state = 'due'")
    (item,) = claim(books)
    assert item["clip_id"] == items[0]["clip_id"]


def test_a_stale_worker_postpones_nothing(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=1)
    run = start(books, user, campaign, "first_frame", "video")
    (item,) = claim(books)
    job = UUID(books.call("create_clip_job", **job_for(item))["id"])
    send(books, job)
    books.settle(job, completed())
    with books.unchanged():
        books.call("postpone_run_clip", p_run=run, p_job=UUID(item["next_job_id"]), p_code="X", p_reason="Old.")
    with refused(409, "NOT_DUE"):
        books.call("create_clip_job", **(job_for(item) | {"p_job": uuid4()}))


@pytest.mark.parametrize("verdict", [failed(), cancelled()])
def test_a_failure_stops_its_clip_and_no_other(books: Books, user: UUID, verdict: Row) -> None:
    campaign = new_campaign(books, user, clips=2)
    run = start(books, user, campaign, "first_frame", "voice")
    bad, good = carry_on(books)
    books.settle(bad, verdict)
    books.settle(good, completed())
    for job in carry_on(books) + carry_on(books):
        books.settle(job, completed())
    for job in carry_on(books):
        books.settle(job, completed())
    now = run_now(books, user, run)
    assert (now["state"], states(now)) == ("waiting", [("first_frame", "failed"), ("voice", "done")])
    assert (now["clips"][0]["reason_code"], now["clips"][0]["reason"]) == (
        verdict["error_type"],
        verdict["error_message"],
    )
    books.call("resume_campaign_run", p_actor=user, p_run=run, p_confirmed_credits=1000)
    for _ in range(3):
        for job in carry_on(books):
            books.settle(job, completed())
    assert run_now(books, user, run)["state"] == "finished"


def test_a_deleted_clip_leaves_its_run(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=2)
    first = clips_of(books, campaign)[0]
    run = start(books, user, campaign, "first_frame", "video")
    (job, _) = carry_on(books)
    books.call("delete_clip", p_actor=user, p_clip=first)
    books.settle(job, completed())
    assert states(run_now(books, user, run)) == [("first_frame", "done"), ("first_frame", "running")]


def test_any_number_of_workers_share_the_runs(books: Books, user: UUID) -> None:
    for _ in range(4):
        start(books, user, new_campaign(books, user, clips=2), "voice")
    for _ in range(12):  # the moment at which two may take the same one is short
        results = books.race(*[("claim_run_clips", {"p_runs": 2})] * 4)
        clips = [item["clip_id"] for items in results for item in items]
        assert len(clips) == len(set(clips))
        rest = claim(books)
        assert len(clips) + len(rest) == 8
        books.owner.execute("update campaign_run_clips set lease_until = null")


def test_a_lease_that_runs_out_is_free_for_others(books: Books, user: UUID) -> None:
    start(books, user, new_campaign(books, user, clips=1))
    (item,) = claim(books)
    assert claim(books) == []
    books.owner.execute("update campaign_run_clips set lease_until = now() - interval '1 second'")
    (again,) = claim(books)
    assert again["next_job_id"] == item["next_job_id"]
    results = books.race(("create_clip_job", job_for(item)), ("create_clip_job", job_for(again)))
    assert results[0]["id"] == results[1]["id"]
    assert books.balance(user) == (90, 10)


def test_a_worker_takes_a_part_of_a_long_run_in_order(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=5)
    start(books, user, campaign, "voice")
    taken = claim(books, clips=3)
    assert [UUID(item["clip_id"]) for item in taken] == clips_of(books, campaign)[:3]
    assert claim(books) == [], "the rest of the run waits for its first clips"
    for item in taken:
        books.call("create_clip_job", **job_for(item))
    assert [UUID(item["clip_id"]) for item in claim(books)] == clips_of(books, campaign)[3:]


def test_ends_of_two_runs_at_once(books: Books, user: UUID) -> None:
    jobs = []
    for _ in range(2):
        start(books, user, new_campaign(books, user, clips=3), "voice", "ambient")
        jobs.append(carry_on(books))
    mixed = [jobs[0][0], jobs[1][0], jobs[0][1]], [jobs[1][1], jobs[0][2], jobs[1][2]]
    results = books.race(*[("receive_fal_events", {"p_events": [event(job) for job in batch]}) for batch in mixed])
    assert {result for batch in results for result in batch.values()} == {"settled"}
    assert len(claim(books)) == 6
