"""Webhooks lost, late, repeated, out of order, forged, too early, or met by a poll: one verdict, one movement."""

from decimal import Decimal
from uuid import UUID

import pytest

from core import catalog, jobs
from core.database import get_database
from core.models import Person
from core.reconcile import look_at
from core.sending import fresh, get_queue, record, webhook_url
from tests.integration.atelier import SCHNELL, Atelier, until
from tests.integration.hands import at_once, created

pytestmark = pytest.mark.usefixtures("companion")


def assert_one_success(atelier: Atelier, job: UUID) -> None:
    """One verdict and one capture, whatever came how often."""
    assert [kind for kind, *_ in atelier.moves(job)] == ["hold", "capture"]
    assert atelier.history(job).count("completed") == 1
    assert len(atelier.all("select from job_outputs where job_id = %s", job)) == 2
    assert atelier.request(job)["submissions"] == 1


def finished_unheard(atelier: Atelier, person: Person) -> tuple[UUID, str]:
    """A job that fal.ai has finished, and of which nothing has been heard: (job, request id)."""
    job = jobs.submit(person, SCHNELL, {"prompt": "Unheard of [sim:lose]"})
    return job.id, atelier.finished_request(job.id)["request_id"]


def test_a_lost_webhook_is_made_up_for_by_a_look(atelier: Atelier) -> None:
    person = atelier.marketer()
    job, _ = finished_unheard(atelier, person)
    # with webhooks on, nobody looks before one should have come
    assert atelier.one(
        "select next_check_at > now() + interval '10 s' as later from generation_jobs where id = %s", job
    )["later"]
    atelier.let_pass(job)
    atelier.wait(person, job, "completed")
    assert atelier.row(job)["verdict_source"] == "poll"
    assert atelier.inbox(job) == []
    assert_one_success(atelier, job)


def test_somebody_who_watches_has_it_looked_at_sooner(atelier: Atelier) -> None:
    person = atelier.marketer()
    job, _ = finished_unheard(atelier, person)
    atelier.rows.execute("update generation_jobs set submitted_at = now() - interval '5 s' where id = %s", (job,))
    assert jobs.check_again(person, job).status == "completed"
    assert_one_success(atelier, job)


def test_a_late_webhook_finds_the_job_settled_by_polling(atelier: Atelier) -> None:
    person = atelier.marketer()
    job, request = finished_unheard(atelier, person)
    jobs.check_again(person, job)
    assert atelier.deliver(request) == [200]
    (event,) = atelier.inbox(job)
    assert (event["status"], event["result"]) == ("processed", "already_settled")
    assert_one_success(atelier, job)


def test_a_repeated_webhook_changes_nothing(atelier: Atelier) -> None:
    person = atelier.marketer()
    job = jobs.submit(person, SCHNELL, {"prompt": "Three times [sim:repeat=3]"})
    atelier.wait(person, job, "completed")
    until(lambda: atelier.request(job.id)["webhook_settled"], "fal.ai is still calling")
    assert [call["status"] for call in atelier.request(job.id)["deliveries"]] == [200, 200, 200]
    (event,) = atelier.inbox(job.id)
    assert (event["result"], event["repeats"]) == ("settled", 2)
    assert_one_success(atelier, job.id)


def test_many_repeats_at_once_are_one(atelier: Atelier) -> None:
    person = atelier.marketer()
    job, request = finished_unheard(atelier, person)
    answers = at_once(*(lambda: atelier.deliver(request),) * 6)
    assert answers == [[200]] * 6
    (event,) = atelier.inbox(job)
    assert (event["result"], event["repeats"]) == ("settled", 5)
    assert_one_success(atelier, job)


def test_webhooks_out_of_order_end_each_its_own_job(atelier: Atelier) -> None:
    person = atelier.marketer()
    first = jobs.submit(person, SCHNELL, {"prompt": "First [sim:delay=1]"})
    second = jobs.submit(person, SCHNELL, {"prompt": "Second"})
    atelier.wait(person, second, "completed")
    assert jobs.get(person, first.id).is_open
    atelier.wait(person, first, "completed")
    for job in (first, second):
        assert_one_success(atelier, job.id)


def test_a_forged_webhook_is_turned_away_and_the_real_one_counts(atelier: Atelier) -> None:
    person = atelier.marketer()
    job = jobs.submit(person, SCHNELL, {"prompt": "Forged [sim:forge]"})
    atelier.wait(person, job, "completed")
    until(lambda: atelier.request(job.id)["webhook_settled"], "fal.ai is still calling")
    calls = [(call["kind"], call["status"]) for call in atelier.request(job.id)["deliveries"]]
    assert calls == [("forged", 401), ("try 1", 200)]
    assert len(atelier.inbox(job.id)) == 1
    assert_one_success(atelier, job.id)


def test_a_webhook_before_we_wrote_down_the_request_id(atelier: Atelier) -> None:
    person = atelier.marketer()
    job = created(person, "Quicker than we are")
    database = get_database()
    database.call("begin_submit", p_job=job.id, p_start_seconds=1800)
    submitted = get_queue().submit(
        "fal-ai/flux/schnell", catalog.request_body(SCHNELL, job.input_params), webhook_url=webhook_url(job.id)
    )
    atelier.wait(person, job, "completed")
    assert atelier.row(job.id)["fal_request_id"] == submitted.request_id
    row = record(str(job.id), submitted, 5)  # and now our own answer is written down
    assert (row["status"], row["status_url"]) == ("completed", submitted.status_url)
    assert_one_success(atelier, job.id)
    assert "found" in atelier.history(job.id)


def test_the_webhook_and_our_own_writing_down_at_the_same_instant(atelier: Atelier) -> None:
    person = atelier.marketer()
    job = created(person, "At the same instant [sim:lose]")
    get_database().call("begin_submit", p_job=job.id, p_start_seconds=1800)
    submitted = get_queue().submit(
        "fal-ai/flux/schnell", catalog.request_body(SCHNELL, job.input_params), webhook_url=webhook_url(job.id)
    )
    atelier.finished_request(job.id)
    row, answers = atelier.collide(
        job.id, lambda: record(str(job.id), submitted, 5), lambda: atelier.deliver(submitted.request_id)
    )
    assert answers == [200]
    assert row["fal_request_id"] == submitted.request_id
    atelier.wait(person, job, "completed")
    assert_one_success(atelier, job.id)


def test_a_poll_and_a_webhook_at_the_same_instant(atelier: Atelier) -> None:
    person = atelier.marketer()
    job, request = finished_unheard(atelier, person)
    row = fresh(str(job))
    update, answers = atelier.collide(job, lambda: look_at(row), lambda: atelier.deliver(request))
    assert (update, answers) == (None, [200])
    atelier.wait(person, job, "completed")
    (event,) = atelier.inbox(job)
    source = atelier.row(job)["verdict_source"]
    assert (source, event["result"]) in [("poll", "already_settled"), ("webhook", "settled")]
    assert_one_success(atelier, job)


def test_a_webhook_without_its_payload_sends_us_to_fetch_the_result(atelier: Atelier) -> None:
    """fal.ai says `payload_error` when the result is too odd for a webhook; it is made, billed and at the queue."""
    person = atelier.marketer()
    job = jobs.submit(person, SCHNELL, {"prompt": "Not in the webhook [sim:unserialisable]"})
    atelier.wait(person, job, "completed")
    assert atelier.row(job.id)["verdict_source"] == "poll"
    (event,) = atelier.inbox(job.id)
    assert (event["status"], event["result"]) == ("processed", "to_fetch")
    assert_one_success(atelier, job.id)


def test_a_webhook_without_its_payload_for_a_job_that_was_never_confirmed(atelier: Atelier) -> None:
    person = atelier.marketer()
    job = jobs.submit(person, SCHNELL, {"prompt": "Found, then fetched [sim:submit_reset,unserialisable,delay=0.5]"})
    assert job.is_unclear
    atelier.wait(person, job, "completed")
    assert atelier.history(job.id)[:4] == ["created", "unclear", "found", "completed"]
    assert_one_success(atelier, job.id)


def test_a_webhook_without_its_payload_after_we_had_given_up_is_fetched_and_delivered_late(atelier: Atelier) -> None:
    person = atelier.marketer()
    job = jobs.submit(
        person, SCHNELL, {"prompt": "Late and to be fetched [sim:submit_reset,unserialisable,lose,unlisted]"}
    )
    request = atelier.finished_request(job.id)["request_id"]
    atelier.let_all_hope_pass(job.id)
    atelier.wait(person, job, "failed")
    assert atelier.deliver(request) == [200]
    until(lambda: atelier.row(job.id)["is_late"], "it is not delivered")
    assert len(atelier.wait_for_files(person, job).outputs) == 2
    assert [kind for kind, *_ in atelier.moves(job.id)] == ["hold", "release"]
    assert atelier.wait_for_cost(job.id)["spent_usd"] == Decimal("0.006")
