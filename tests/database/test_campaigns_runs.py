"""Runs: many clips at once and chains that go on by themselves, within an amount, with a reason for each that waits."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.database.books import Books, Row, cancelled, code_of, completed, event, failed, refused
from tests.database.campaigns import (
    COSTS,
    clip_job,
    clips_of,
    create,
    make,
    new_campaign,
    send,
    submitted,
    uuids,
    versions,
)


@pytest.fixture
def user(books: Books) -> UUID:
    return books.person(100)


def start(
    books: Books,
    user: UUID,
    campaign: UUID,
    first: str = "first_frame",
    last: str | None = None,
    *,
    amount: int = 1000,
    clips: Iterable[UUID] | None = None,
    run: UUID | None = None,
) -> UUID:
    run = run or uuid4()
    books.call(
        "start_campaign_run",
        p_run=run,
        p_actor=user,
        p_campaign=campaign,
        p_first_step=first,
        p_last_step=last or first,
        p_clips=uuids(clips_of(books, campaign) if clips is None else clips),
        p_confirmed_credits=amount,
    )
    return run


def claim(books: Books, runs: int = 4, clips: int = 8) -> list[Row]:
    claimed: list[Row] = books.call("claim_run_clips", p_runs=runs, p_clips=clips)
    return claimed


def job_for(item: Row, **more: Any) -> Row:
    """The arguments with which a worker creates the job of a claimed clip."""
    source = item["source"]
    return clip_job(
        UUID(item["user_id"]),
        UUID(item["clip_id"]),
        item["step"],
        UUID(item["next_job_id"]),
        run=UUID(item["run_id"]),
        made_from=UUID(source["id"]) if source else None,
        **more,
    )


def carry_on(books: Books) -> list[UUID]:
    """What a worker does at one beat; the jobs that it created and sent."""
    jobs = []
    for item in claim(books):
        row = books.call("create_clip_job", **job_for(item))
        jobs.append(UUID(row["id"]))
        send(books, jobs[-1])
    return jobs


def run_now(books: Books, user: UUID, run: UUID) -> Row:
    claim(books, 0)  # brings the states up to date
    now: Row = books.call("campaign_run", p_actor=user, p_run=run)
    return now


def states(run: Row) -> list[tuple[str, str]]:
    return [(clip["step"], clip["state"]) for clip in run["clips"]]


# Starting


def test_a_run_makes_one_step_for_every_clip_in_order(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=3)
    run = start(books, user, campaign)
    assert states(run_now(books, user, run)) == [("first_frame", "due")] * 3
    jobs = carry_on(books)
    assert [books.job(job)["clip_id"] for job in jobs] == clips_of(books, campaign)
    assert carry_on(books) == [], "each once"
    for job in jobs:
        books.settle(job, completed())
    ended = run_now(books, user, run)
    assert (ended["state"], ended["used_credits"], states(ended)) == ("finished", 30, [("first_frame", "done")] * 3)
    assert ended["ended_at"] is not None
    assert books.balance(user) == (70, 0)


def test_only_the_chosen_clips_that_want_the_step_are_in_a_run(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=3)
    clips = clips_of(books, campaign)
    books.call("edit_clip", p_actor=user, p_clip=clips[1], p_steps={"voice": None})
    run = start(books, user, campaign, "voice", clips=clips[:2])
    assert [clip["clip_id"] for clip in run_now(books, user, run)["clips"]] == [str(clips[0])]
    with refused(422, "INVALID_INPUT") as refusal, books.unchanged():
        start(books, user, new_campaign(books, user), "voice")
    assert refusal.detail == {"field": "clips"}


def test_the_same_run_is_started_once(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=2)
    run = start(books, user, campaign)
    with books.unchanged():
        start(books, user, campaign, run=run)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"first": "voice", "last": "video"}, "steps"),
        ({"first": "cut"}, "steps"),
        ({"amount": -1}, "confirmed_credits"),
        ({"amount": None}, "confirmed_credits"),
    ],
)
def test_a_run_that_makes_no_sense_is_refused(books: Books, user: UUID, more: dict[str, Any], field: str) -> None:
    campaign = new_campaign(books, user, clips=1)
    with refused(422, "INVALID_INPUT") as refusal, books.unchanged():
        start(books, user, campaign, **more)
    assert refusal.detail == {"field": field}


def test_one_run_at_a_time_in_a_campaign(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=2)
    run = start(books, user, campaign)
    with refused(409, "RUN_UNDER_WAY"):
        start(books, user, campaign)
    books.call("stop_campaign_run", p_actor=user, p_run=run)
    start(books, user, campaign, "voice")
    assert run_now(books, user, run)["state"] == "stopped"


def test_two_starts_at_once_start_one_run(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=2)
    arguments = {
        "p_actor": user,
        "p_campaign": campaign,
        "p_first_step": "voice",
        "p_last_step": "voice",
        "p_clips": uuids(clips_of(books, campaign)),
        "p_confirmed_credits": 10,
    }
    results = books.race(*[("start_campaign_run", arguments | {"p_run": uuid4()}) for _ in range(3)])
    assert sorted(map(str, map(code_of, results))) == ["None", "RUN_UNDER_WAY", "RUN_UNDER_WAY"]


# Chains


def test_a_chain_goes_on_by_itself_from_the_current_versions(books: Books) -> None:
    user = books.person(100)
    campaign = new_campaign(books, user, clips=2)
    first, second = clips_of(books, campaign)
    run = start(books, user, campaign, "first_frame", "transcript", amount=2 * sum(COSTS.values()))
    made = []
    for _ in range(5):
        for job in carry_on(books):
            books.settle(job, completed())
            made.append((books.job(job)["clip_id"], books.job(job)["clip_step"]))
    steps = ["first_frame", "video", "voice", "ambient", "transcript"]
    assert made == [(clip, step) for step in steps for clip in (first, second)]
    assert run_now(books, user, run)["state"] == "finished"
    sources = books.all(
        "select v.step, o.step as made_from from clip_versions v left join clip_versions o on o.id = v.made_from"
        " where v.clip_id = %s order by v.created_at",
        first,
    )
    assert [(row["step"], row["made_from"]) for row in sources] == [
        ("first_frame", None),
        ("video", "first_frame"),
        ("voice", "video"),
        ("ambient", "video"),
        ("transcript", "voice"),
    ]
    assert books.balance(user) == (48, 0)


def test_a_chain_leaves_out_what_a_clip_does_not_want(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=1, steps=("first_frame", "ambient"))
    clip = clips_of(books, campaign)[0]
    run = start(books, user, campaign, "first_frame", "transcript")
    for _ in range(3):
        for job in carry_on(books):
            books.settle(job, completed())
    assert (versions(books, clip), versions(books, clip, "ambient")) == ([(1, True)], [(1, True)])
    assert states(run_now(books, user, run)) == [("ambient", "done")]


def test_a_chain_begins_at_the_first_wanted_step(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=1, steps=("voice",))
    run = start(books, user, campaign, "first_frame", "transcript")
    assert states(run_now(books, user, run)) == [("voice", "due")]


def test_a_late_delivery_lets_the_chain_go_on(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=1)
    run = start(books, user, campaign, "first_frame", "voice")
    (item,) = claim(books)
    job = UUID(books.call("create_clip_job", **job_for(item))["id"])
    assert books.begin(job)
    books.call("record_unclear", p_job=job, p_message="No clear answer.", p_check_seconds=15)
    books.give_up(job)
    assert states(run_now(books, user, run)) == [("first_frame", "failed")]
    books.deliver(event(job))
    now = run_now(books, user, run)
    assert (now["state"], states(now)) == ("running", [("video", "due")])


# The amount


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


# Waiting


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


# Stopping


def test_stopping_starts_nothing_new_and_loses_nothing(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=2)
    first, second = clips_of(books, campaign)
    run = start(books, user, campaign, "first_frame", "video")
    item, waiting = claim(books)
    job = UUID(books.call("create_clip_job", **job_for(item))["id"])
    send(books, job)
    for _ in range(2):
        stopped = books.call("stop_campaign_run", p_actor=user, p_run=run)
        assert stopped["state"] == "stopped"
    with refused(409, "NOT_DUE"):
        books.call("create_clip_job", **job_for(waiting))
    books.settle(job, completed())
    assert states(run_now(books, user, run)) == [("first_frame", "done"), ("first_frame", "stopped")]
    assert (versions(books, first), versions(books, second)) == ([(1, True)], [])
    assert claim(books) == []
    with refused(409, "RUN_ENDED"):
        books.call("resume_campaign_run", p_actor=user, p_run=run, p_confirmed_credits=1000)


def test_archiving_a_campaign_stops_its_run(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=1)
    run = start(books, user, campaign)
    books.call("edit_campaign", p_actor=user, p_campaign=campaign, p_archived=True)
    assert run_now(books, user, run)["state"] == "stopped"
    assert claim(books) == []


def test_a_deleted_clip_leaves_its_run(books: Books, user: UUID) -> None:
    campaign = new_campaign(books, user, clips=2)
    first = clips_of(books, campaign)[0]
    run = start(books, user, campaign, "first_frame", "video")
    (job, _) = carry_on(books)
    books.call("delete_clip", p_actor=user, p_clip=first)
    books.settle(job, completed())
    assert states(run_now(books, user, run)) == [("first_frame", "done"), ("first_frame", "running")]


# Workers


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


def test_only_who_may_see_the_campaign_sees_its_run(books: Books, user: UUID) -> None:
    other = books.person()
    campaign = new_campaign(books, user, clips=1)
    run = start(books, user, campaign)
    for function, more in (
        ("campaign_run", {}),
        ("stop_campaign_run", {}),
        ("resume_campaign_run", {"p_confirmed_credits": 5}),
    ):
        with refused(404, "NOT_FOUND"):
            books.call(function, p_actor=other, p_run=run, **more)
    books.call("edit_campaign", p_actor=user, p_campaign=campaign, p_visibility="team")
    assert books.call("campaign_run", p_actor=other, p_run=run)["state"] == "running"
    with refused(403, "NOT_ALLOWED"):
        books.call("stop_campaign_run", p_actor=other, p_run=run)


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("run_keeps_to_its_amount", "update campaign_runs set confirmed_credits = 5"),
        ("run_waits_for_an_open_job", "update campaign_run_clips set state = 'running'"),
    ],
)
def test_the_audit_sees_what_is_wrong(broken_books: Books, rule: str, change: str) -> None:
    books = broken_books
    user = books.person(100)
    start(books, user, new_campaign(books, user, clips=1))
    (job,) = carry_on(books)
    books.settle(job, completed())
    assert books.audit() == []
    books.owner.execute("set session_replication_role = replica")
    assert books.owner.execute(change.encode()).rowcount > 0
    assert rule in {row["rule"] for row in books.audit()}


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
