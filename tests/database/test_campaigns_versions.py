"""Results become versions by themselves: once each, whoever brings them, however late, and two at once both stay."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.errors import CheckViolation, UniqueViolation

from tests.database.books import SCHNELL, Books, cancelled, code_of, completed, creation, event, failed, refused
from tests.database.campaigns import (
    MODELS,
    STEPS,
    clip_job,
    clips_of,
    create,
    make,
    new_campaign,
    new_clip,
    send,
    submitted,
    version_of,
    versions,
)


@pytest.fixture
def user(books: Books) -> UUID:
    return books.person(500)


@pytest.fixture
def clip(books: Books, user: UUID) -> UUID:
    return new_clip(books, user, new_campaign(books, user))


def broken_machine() -> dict[str, Any]:
    return failed("runner_server_error", retryable=True)


# Creating


@pytest.mark.parametrize("step", STEPS)
def test_a_job_for_a_step_knows_what_it_is_for(books: Books, user: UUID, clip: UUID, step: str) -> None:
    job = create(books, user, clip, step)
    row = books.job(job)
    campaign = books.value("select campaign_id from campaign_clips where id = %s", clip)
    assert (row["campaign_id"], row["clip_id"], row["clip_step"]) == (campaign, clip, step)
    assert (row["generation_type"], row["status"], books.moves(job)) == (MODELS[step][0], "pending", ["hold"])


def test_the_same_job_is_created_once(books: Books, user: UUID, clip: UUID) -> None:
    arguments = clip_job(user, clip)
    first = books.call("create_clip_job", **arguments)
    assert books.call("create_clip_job", **arguments) == first
    other = new_clip(books, user, new_campaign(books, user))
    with refused(404, "NOT_FOUND"):
        books.call("create_clip_job", **(arguments | {"p_clip": other}))
    with refused(404, "NOT_FOUND"):
        books.call("create_clip_job", **(arguments | {"p_user": books.person()}))


def test_the_same_job_asked_for_at_once_is_created_once(books: Books, user: UUID, clip: UUID) -> None:
    arguments = clip_job(user, clip)
    results = books.race(*[("create_clip_job", arguments)] * 4)
    assert len({str(result["id"]) for result in results}) == 1
    assert books.balance(user) == (490, 10)


@pytest.mark.parametrize(
    ("step", "model"), [("video", "first_frame"), ("first_frame", "video"), ("voice", "video"), ("cut", "video")]
)
def test_a_model_that_does_not_fit_the_step_is_refused(
    books: Books, user: UUID, clip: UUID, step: str, model: str
) -> None:
    with refused(422, "INVALID_INPUT") as refusal, books.unchanged():
        books.call("create_clip_job", **(clip_job(user, clip, model) | {"p_step": step}))
    assert refusal.detail == {"field": "generation_type"}


def test_what_create_job_refuses_leaves_nothing(books: Books) -> None:
    poor = books.person(5)
    own = new_clip(books, poor, new_campaign(books, poor))
    with refused(402, "INSUFFICIENT_CREDITS"), books.unchanged():
        create(books, poor, own)
    with refused(409, "PRICE_CHANGED"), books.unchanged():
        books.call("create_clip_job", **clip_job(poor, own, "voice", expected_credits=3))


def test_a_step_is_made_from_an_earlier_step_of_the_same_clip(books: Books, user: UUID, clip: UUID) -> None:
    frame = make(books, user, clip)
    job = create(books, user, clip, "video", made_from=frame["id"])
    row = books.job(job)
    assert (row["clip_made_from"], row["clip_made_from_output"]) == (frame["id"], 0)
    other = new_clip(books, user, new_campaign(books, user))
    for step, wrong in ((("voice"), clip), ("video", other), ("first_frame", clip)):
        with refused(422, "INVALID_INPUT"):
            create(books, user, wrong, step, made_from=frame["id"])
    with refused(422, "INVALID_INPUT"):
        create(books, user, clip, "video", made_from=uuid4())


def test_what_a_job_is_for_never_changes(books: Books, user: UUID, clip: UUID) -> None:
    job = create(books, user, clip)
    other = new_clip(books, user, new_campaign(books, user))
    with pytest.raises(CheckViolation):
        books.owner.execute("update generation_jobs set clip_step = 'video' where id = %s", (job,))
    with pytest.raises(CheckViolation):
        books.owner.execute("update generation_jobs set clip_id = %s where id = %s", (other, job))
    plain = books.submitted(user)
    with pytest.raises(CheckViolation):
        books.owner.execute(
            "update generation_jobs set clip_id = k.id, campaign_id = k.campaign_id, clip_step = 'video'"
            " from campaign_clips k where k.id = %s and generation_jobs.id = %s",
            (clip, plain),
        )


# Becoming a version


def test_a_result_becomes_the_current_version(books: Books, user: UUID, clip: UUID) -> None:
    first, second = make(books, user, clip), make(books, user, clip)
    assert versions(books, clip) == [(1, False), (2, True)]
    assert (first["step"], first["clip_id"], second["output_position"]) == ("first_frame", clip, 0)
    frame = version_of(books, second["job_id"])
    video = make(books, user, clip, "video", made_from=frame["id"])
    assert (video["number"], video["made_from"], video["made_from_output"]) == (1, frame["id"], 0)


@pytest.mark.parametrize("verdict", [failed(), cancelled()])
def test_only_a_result_becomes_a_version(books: Books, user: UUID, clip: UUID, verdict: dict[str, Any]) -> None:
    job = submitted(books, user, clip)
    books.settle(job, verdict)
    assert versions(books, clip) == []


def test_a_job_of_no_clip_becomes_no_version(books: Books, user: UUID) -> None:
    books.settle(books.submitted(user), completed())
    assert books.value("select count(*) from clip_versions") == 0


def test_the_same_verdict_again_makes_no_second_version(books: Books, user: UUID, clip: UUID) -> None:
    job = submitted(books, user, clip)
    call = event(job)
    books.deliver(call)
    books.deliver(call)
    books.settle(job, completed())
    assert versions(books, clip) == [(1, True)]


def test_two_that_finish_at_once_both_stay(books: Books, user: UUID, clip: UUID) -> None:
    jobs = [submitted(books, user, clip) for _ in range(4)]
    books.race(*[("settle_job", {"p_job": job, "p_verdict": completed(), "p_source": "poll"}) for job in jobs])
    assert [number for number, _ in versions(books, clip)] == [1, 2, 3, 4]
    current = books.one("select job_id from clip_versions where is_current")
    assert current["job_id"] == jobs[-1], "what was asked for last is shown"


def test_two_batches_with_the_same_clips_in_opposite_orders_at_once(books: Books, user: UUID) -> None:
    """Owner and admin work on the same clips: their accounts differ, so only the clips can make the batches wait."""
    campaign = new_campaign(books, user, clips=6)
    clips = clips_of(books, campaign)
    books.call("grant_credits", p_actor=books.admin, p_user=books.admin, p_amount=500, p_reason="Work", p_key="k")
    for _ in range(3):
        batches = [
            [event(submitted(books, person, clip)) for clip in order]
            for person, order in ((user, clips), (books.admin, clips[::-1]))
        ]
        results = books.race(*[("receive_fal_events", {"p_events": batch}) for batch in batches])
        assert {result for batch in results for result in batch.values()} == {"settled"}
    assert all(len(versions(books, clip)) == 6 for clip in clips)


def test_what_was_asked_for_earlier_and_comes_later_is_kept_and_replaces_nothing(
    books: Books, user: UUID, clip: UUID
) -> None:
    slow, quick = submitted(books, user, clip), submitted(books, user, clip)
    books.settle(quick, completed())
    books.settle(slow, completed())
    assert version_of(books, quick)["is_current"]
    assert versions(books, clip) == [(1, True), (2, False)]


def test_a_late_delivery_becomes_a_version(books: Books, user: UUID, clip: UUID) -> None:
    job = create(books, user, clip)
    assert books.begin(job)
    books.call("record_unclear", p_job=job, p_message="No clear answer.", p_check_seconds=15)
    books.give_up(job)
    assert versions(books, clip) == []
    assert books.deliver(event(job)) == "delivered_late"
    assert versions(books, clip) == [(1, True)]
    assert books.balance(user) == (500, 0)


def test_a_result_for_a_deleted_clip_is_kept(books: Books, user: UUID, clip: UUID) -> None:
    job = submitted(books, user, clip)
    books.call("delete_clip", p_actor=user, p_clip=clip)
    books.settle(job, completed())
    books.call("restore_clip", p_actor=user, p_clip=clip)
    assert versions(books, clip) == [(1, True)]


# Retries


def test_an_automatic_retry_is_for_the_same_step(books: Books, user: UUID, clip: UUID) -> None:
    frame = make(books, user, clip)
    job = submitted(books, user, clip, "video", made_from=frame["id"])
    books.settle(job, broken_machine())
    again = books.one("select * from generation_jobs where retried_from = %s", job)
    assert (again["is_automatic_retry"], again["clip_id"], again["clip_step"]) == (True, clip, "video")
    assert again["clip_made_from"] == frame["id"]
    send(books, again["id"])
    books.settle(again["id"], completed())
    assert version_of(books, again["id"])["is_current"]


def test_a_retry_by_hand_is_for_the_same_step_too(books: Books, user: UUID, clip: UUID) -> None:
    job = submitted(books, user, clip)
    books.settle(job, failed())
    again = books.create(user, generation_type="first_frame", retried_from=job)
    row = books.job(again)
    assert (row["clip_id"], row["clip_step"], row["campaign_run_id"]) == (clip, "first_frame", None)


@pytest.mark.parametrize("reason", ["another model", "deleted", "archived", "no rights"])
def test_a_retry_by_hand_that_may_not_change_the_clip_is_a_job_of_its_own(
    books: Books, user: UUID, clip: UUID, reason: str
) -> None:
    campaign = books.value("select campaign_id from campaign_clips where id = %s", clip)
    books.call("grant_credits", p_actor=books.admin, p_user=books.admin, p_amount=50, p_reason="Work", p_key="k")
    job = submitted(books, books.admin if reason == "no rights" else user, clip)
    books.settle(job, failed())
    person, model = user, "first_frame"
    if reason == "another model":
        model = SCHNELL
    elif reason == "deleted":
        books.call("delete_clip", p_actor=user, p_clip=clip)
    elif reason == "archived":
        books.call("edit_campaign", p_actor=user, p_campaign=campaign, p_archived=True)
    else:
        person = books.admin
        books.owner.execute("update profiles set role = 'user' where user_id = %s", (person,))
    again = books.call("create_job", **creation(person, None, generation_type=model, retried_from=job))
    assert (again["clip_id"], again["campaign_id"]) == (None, None)


# Choosing


def test_going_back_and_forth_loses_nothing(books: Books, user: UUID, clip: UUID) -> None:
    first, second = make(books, user, clip), make(books, user, clip)
    for version, expected in ((first, [(1, True), (2, False)]), (second, [(1, False), (2, True)])):
        for _ in range(2):
            books.call("make_version_current", p_actor=user, p_version=version["id"])
        assert versions(books, clip) == expected


def test_one_of_several_pictures_stands_for_the_version(books: Books, user: UUID, clip: UUID) -> None:
    version = make(books, user, clip, outputs=2)
    chosen = books.call("make_version_current", p_actor=user, p_version=version["id"], p_output=1)
    assert chosen["output_position"] == 1
    with refused(404, "NOT_FOUND"), books.unchanged():
        books.call("make_version_current", p_actor=user, p_version=version["id"], p_output=2)
    kept = books.call("make_version_current", p_actor=user, p_version=version["id"])
    assert kept["output_position"] == 1
    with refused(404, "NOT_FOUND"):
        books.call("make_version_current", p_actor=user, p_version=uuid4())


def test_choosing_while_results_arrive_leaves_one_current(books: Books, user: UUID, clip: UUID) -> None:
    first = make(books, user, clip)
    second = make(books, user, clip)
    for _ in range(3):
        job = submitted(books, user, clip)
        results = books.race(
            ("make_version_current", {"p_actor": user, "p_version": first["id"]}),
            ("settle_job", {"p_job": job, "p_verdict": completed(), "p_source": "poll"}),
            ("make_version_current", {"p_actor": user, "p_version": second["id"]}),
        )
        assert [code_of(result) for result in results] == [None] * 3
        assert sum(current for _, current in versions(books, clip)) == 1


def test_two_current_versions_are_impossible(books: Books, user: UUID, clip: UUID) -> None:
    make(books, user, clip)
    make(books, user, clip)
    with pytest.raises(UniqueViolation):
        books.owner.execute("update clip_versions set is_current = true")


# The audit


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("result_is_a_version", "delete from clip_versions where number = 2"),
        ("version_agrees_with_job", "update clip_versions set step = 'voice' where number = 2"),
        ("versions_are_numbered", "update clip_versions set number = 5 where number = 2"),
        ("versions_are_numbered", "update clip_versions set is_current = false"),
        ("clips_stand_in_order", "update campaign_clips set position = 7"),
        ("rollup_is_sum_of_history", "update spend_daily set campaign_id = null"),
    ],
)
def test_the_audit_sees_what_is_wrong(broken_books: Books, rule: str, change: str) -> None:
    books = broken_books
    user = books.person(100)
    clip = new_clip(books, user, new_campaign(books, user))
    make(books, user, clip)
    make(books, user, clip)
    assert books.audit() == []
    books.owner.execute("set session_replication_role = replica")
    assert books.owner.execute(change.encode()).rowcount > 0
    assert rule in {row["rule"] for row in books.audit()}
