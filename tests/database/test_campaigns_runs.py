"""Runs: many clips at once and chains that go on by themselves, within an amount, with a reason for each that waits."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.database.books import Books, code_of, completed, event, refused
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
    COSTS,
    clips_of,
    new_campaign,
    send,
    uuids,
    versions,
)


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
