"""The list of finished jobs, narrowed in every way, and all failed ones of a filter tried again."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from core import jobs, offers, people, retrying
from core.models import Job, JobFilter, Person
from core.settling import settle
from tests.integration.atelier import SCHNELL, Atelier
from tests.integration.hands import Hands, created

BROKEN = {"outcome": "failed", "error_type": "internal_error", "error_message": "It broke.", "billable": False}
MADE = {
    "outcome": "completed",
    "billable": True,
    "outputs": [{"url": "https://a.test/a.png", "media_type": "image/png"}],
}


def ended(person: Person, prompt: str, *verdicts: dict[str, Any]) -> Job:
    job = created(person, prompt)
    for verdict in verdicts:
        settle(str(job.id), verdict, "poll")
    return job


@pytest.fixture(autouse=True)
def _files_stay_where_they_are(atelier: Atelier) -> None:
    """No worker copies anything here: what a verdict names is at no address."""
    atelier.restart(PUBLIC_URL="")


def found(person: Person, **filters: Any) -> list[UUID]:
    return [job.id for job in jobs.list_finished(person, matching=JobFilter(**filters)).jobs]


def test_every_filter_narrows(atelier: Atelier) -> None:
    person = atelier.new_marketer()
    made = ended(person, "A hill at 100% by_night", MADE)
    broken = ended(person, "A hill by day", BROKEN)
    late = ended(person, "A lake", BROKEN, MADE)
    ended(atelier.new_marketer(), "A hill of somebody else", MADE)
    assert found(person) == [late.id, broken.id, made.id]
    assert found(person, status="completed") == [made.id]
    assert found(person, status="failed") == [broken.id]
    assert found(person, status="late") == [late.id]
    assert found(person, status="cancelled") == []
    assert found(person, text="HILL") == [broken.id, made.id]
    assert found(person, text="100% by_") == [made.id]
    assert found(person, media_kinds=("image", "video")) == [late.id, broken.id, made.id]
    assert found(person, media_kinds=("video",)) == []
    assert found(person, generation_type=SCHNELL, text="lake") == [late.id]
    assert found(person, generation_type="image_flux_dev") == []
    now = datetime.now(UTC)
    assert found(person, created_from=now - timedelta(hours=1), created_before=now + timedelta(hours=1)) != []
    assert found(person, created_from=now + timedelta(hours=1)) == []
    assert found(person, created_before=made.created_at) == []


def test_pages_go_on_where_the_last_one_ended(atelier: Atelier) -> None:
    """Also between jobs of the same moment, and whatever is made in between."""
    person = atelier.new_marketer()
    made = [ended(person, f"Number {number}", MADE) for number in range(7)]
    same = datetime.now(UTC)
    atelier.rows.execute("update generation_jobs set created_at = %s where user_id = %s", (same, person.user_id))
    first = jobs.list_finished(person, page_size=3)
    newer = ended(person, "Meanwhile", MADE)
    second = jobs.list_finished(person, after=first.older, page_size=3)
    third = jobs.list_finished(person, after=second.older, page_size=3)
    seen = [job.id for page in (first, second, third) for job in page.jobs]
    assert seen == sorted((job.id for job in made), reverse=True)
    assert third.older is None
    assert jobs.list_finished(person, page_size=1).jobs[0].id == newer.id


def test_a_campaign_narrows_and_has_a_name(atelier: Atelier) -> None:
    person = atelier.new_marketer()
    ended(person, "For nothing", MADE)
    campaign, clip = UUID(int=person.user_id.int ^ 1), UUID(int=person.user_id.int ^ 2)
    atelier.rows.execute(
        "insert into campaigns (id, owner_id, name) values (%s, %s, 'Spring')", (campaign, person.user_id)
    )
    atelier.rows.execute("insert into campaign_clips (id, campaign_id, position) values (%s, %s, 1)", (clip, campaign))
    job = created(person, "For spring")
    atelier.rows.execute(
        "update generation_jobs set campaign_id = %s, clip_id = %s, clip_step = 'first_frame' where id = %s",
        (campaign, clip, job.id),
    )
    settle(str(job.id), BROKEN, "poll")
    assert found(person, campaign_id=campaign) == [job.id]
    assert jobs.campaign_names(person)[campaign] == "Spring"
    assert campaign not in jobs.campaign_names(atelier.new_marketer())
    ours = jobs.get(person, job.id)
    assert (ours.campaign_id, ours.clip_id, ours.clip_step) == (campaign, clip, "first_frame")


def test_all_failed_ones_are_tried_again_and_sent_by_the_worker(atelier: Atelier, hands: Hands) -> None:
    person = atelier.new_marketer()
    broken = [ended(person, f"Hill {number}", BROKEN) for number in range(3)]
    ended(person, "Lake", BROKEN)
    ended(person, "Hill that came late", BROKEN, MADE)
    plan = retrying.plan_retries(person, JobFilter(text="hill", status="failed"))
    assert [retry.job.id for retry in plan.retries] == [job.id for job in reversed(broken)]
    assert (plan.credits, str(plan.usd), plan.impossible, plan.beyond) == (3, "0.018000", (), 0)
    outcome = retrying.carry_out(person, plan)
    assert (len(outcome.made), outcome.skipped, outcome.waiting) == (3, 0, ())
    assert atelier.balance(person) == (person.available - 3, 3)
    hands.look()
    for job in outcome.made:
        assert atelier.request(job)["submissions"] == 1
        atelier.finished_request(job)
        atelier.let_pass(job)
    hands.look()
    assert {jobs.get(person, job).status for job in outcome.made} == {"completed"}
    assert jobs.get(person, broken[0].id).retried_as in outcome.made
    assert retrying.plan_retries(person, JobFilter(text="hill")).retries == ()
    assert retrying.carry_out(person, plan) == outcome, "a second press finds what the first has made"


def test_what_cannot_be_paid_or_is_switched_off_is_named(atelier: Atelier) -> None:
    person = atelier.new_marketer()
    people.grant_credits(atelier.admin, person.user_id, 3 - person.available, "All but three", f"few:{person.user_id}")
    broken = [ended(person, f"Dear {number}", BROKEN) for number in range(2)]
    plan = retrying.plan_retries(person, JobFilter())
    atelier.rows.execute("update generation_types set credits = 2 where generation_type = %s", (SCHNELL,))
    offers.forget()
    try:
        told = retrying.carry_out(person, plan)
        assert [left.sentence for left in told.waiting] == [
            "The price has changed: this now costs 2 credits. Nothing was charged. Look at it and press again."
        ] * 2
        told = retrying.carry_out(person, retrying.plan_retries(person, JobFilter()))
        assert (len(told.made), [left.job.id for left in told.waiting]) == (1, [broken[0].id])
        assert told.waiting[0].sentence == "This needs 2 credits and you have 1. Nothing was charged."
        atelier.rows.execute("update generation_types set enabled = false where generation_type = %s", (SCHNELL,))
        offers.forget()
        plan = retrying.plan_retries(person, JobFilter())
        assert (plan.retries, [left.job.id for left in plan.impossible]) == ((), [broken[0].id])
        assert plan.impossible[0].sentence == "Its type is switched off at the moment."
    finally:
        atelier.rows.execute(
            "update generation_types set enabled = true, credits = 1 where generation_type = %s", (SCHNELL,)
        )
        offers.forget()


def test_a_plan_has_an_end(atelier: Atelier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "MOST_AT_ONCE", 2)
    person = atelier.new_marketer()
    broken = [ended(person, f"One of many {number}", BROKEN) for number in range(3)]
    plan = retrying.plan_retries(person, JobFilter())
    assert ([retry.job.id for retry in plan.retries], plan.beyond) == ([broken[2].id, broken[1].id], 1)
