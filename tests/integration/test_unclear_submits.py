"""A submit that ends unclearly, or not at all: the job keeps its credits, is looked for, and is never sent twice."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest

from core import jobs, sending
from core.errors import DatabaseUnavailable
from core.fal.queue import FalQueue
from core.models import Job, Person
from core.sending import BUSY, UNCLEAR, WAITING, fresh, send
from core.settings import get_settings
from local.paths import ROOT
from tests.integration.atelier import SCHNELL, Atelier, until
from tests.integration.hands import at_once, created, without

pytestmark = pytest.mark.usefixtures("companion")
NOBODY = "http://127.0.0.1:9"  # the port of the discard protocol: nothing listens there

CRASH = """
import os, signal, sys
from core import sending
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
sending.{place} = die
sending.send(sending.fresh(sys.argv[1]))
"""


def submit(person: Person, prompt: str) -> Job:
    return jobs.submit(person, SCHNELL, {"prompt": prompt})


def sent_or_tried(atelier: Atelier, job: Job, tries: int) -> bool:
    row = atelier.row(job.id)
    return row["fal_request_id"] is not None or row["unsent_count"] > tries


def die_at(place: str, job: Job) -> None:
    """Send a job in a process that is killed at this place in `core.sending`."""
    command = [sys.executable, "-c", CRASH.format(place=place), str(job.id)]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ, stderr=subprocess.DEVNULL, timeout=30, check=False)
    assert ended.returncode == -signal.SIGKILL


def assert_looked_for_only(atelier: Atelier, job: Job) -> None:
    """Worker and person look as often as they like: nothing is sent."""
    before = atelier.state()["counts"]
    for _ in range(2):
        looks = atelier.row(job.id)["check_count"]
        atelier.let_pass(job.id)
        until(lambda: atelier.row(job.id)["check_count"] > looks, "the worker does not look")  # noqa: B023
    jobs.check_again(atelier.owner(job), job.id)
    assert send(fresh(str(job.id)))["status"] == "pending"
    after = atelier.state()["counts"]
    assert (after["accepted"], after["refused"]) == (before["accepted"], before["refused"])
    assert jobs.get(atelier.owner(job), job.id).is_unclear


@pytest.fixture
def impatient(atelier: Atelier, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process waits half a second for fal.ai, not twenty."""
    del atelier  # its settings come first
    with httpx.Client(timeout=0.5) as http:
        queue = FalQueue(get_settings(), http)
        monkeypatch.setattr(sending, "get_queue", lambda: queue)
        yield


class TestUnclear:
    @pytest.mark.usefixtures("impatient")
    @pytest.mark.parametrize("how", ["submit_timeout", "submit_reset", "submit_500_accepted"])
    def test_keeps_the_hold_until_the_webhook_finds_the_job(self, atelier: Atelier, how: str) -> None:
        person = atelier.marketer()
        job = submit(person, f"Unclear [sim:{how},delay=1]")
        assert job.is_unclear
        assert job.progress_message == UNCLEAR
        assert atelier.balance(person) == (person.available - 1, 1)
        assert atelier.provider()["unwell_since"] is not None
        assert atelier.request(job.id)["submissions"] == 1

        done = atelier.wait_for_files(person, atelier.wait(person, job, "completed"))
        assert done.fal_request_id == atelier.request(job.id)["request_id"]
        assert [output.storage_path is not None for output in done.outputs] == [True, True]
        assert atelier.history(job.id)[:4] == ["created", "unclear", "found", "completed"]
        assert [kind for kind, *_ in atelier.moves(job.id)] == ["hold", "capture"]
        assert atelier.wait_for_cost(job.id)["actual_usd"] == Decimal("0.006")
        assert atelier.request(job.id)["submissions"] == 1

    def test_a_failure_finds_the_job_too(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        job = submit(person, "Unclear and refused [sim:submit_reset,fail422]")
        atelier.wait(person, job, "failed")
        assert [kind for kind, *_ in atelier.moves(job.id)] == ["hold", "release"]

    def test_is_looked_for_and_closed_when_nothing_can_come_any_more(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        refused = atelier.state()["counts"]["refused"].get("500", 0)
        job = submit(person, "Dropped [sim:submit_500_dropped]")
        assert job.is_unclear
        deadline = atelier.row(job.id)
        assert (deadline["give_up_at"] - deadline["submit_attempted_at"]).total_seconds() == 1800 + 900
        assert_looked_for_only(atelier, job)
        assert atelier.balance(person) == (person.available - 1, 1)

        atelier.let_all_hope_pass(job.id)
        closed = atelier.wait(person, job, "failed")
        assert closed.error_type == "submit_unconfirmed"
        assert "Your credits are back" in (closed.error_message or "")
        assert [kind for kind, *_ in atelier.moves(job.id)] == ["hold", "release"]
        assert atelier.balance(person) == (person.available, 0)
        assert atelier.requests(job.id) == []
        assert atelier.state()["counts"]["refused"]["500"] == refused + 1
        assert atelier.all("select from generation_jobs where retried_from = %s", job.id) == []

    def test_a_success_after_that_is_delivered_marked_late_and_not_charged(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        job = submit(person, "Late [sim:submit_reset,lose,unlisted]")
        request = atelier.finished_request(job.id)["request_id"]
        assert_looked_for_only(atelier, job)
        atelier.let_all_hope_pass(job.id)
        assert atelier.wait(person, job, "failed").error_type == "submit_unconfirmed"
        assert atelier.row(job.id)["spent_usd"] == 0

        assert atelier.deliver(request, count=2) == [200, 200]
        late = atelier.wait_for_files(person, jobs.get(person, job.id))
        assert (late.status, late.is_late, len(late.outputs)) == ("failed", True, 2)
        assert all(output.url for output in late.outputs)
        assert late.credits_charged == 0
        assert [kind for kind, *_ in atelier.moves(job.id)] == ["hold", "release"]
        assert atelier.balance(person) == (person.available, 0)
        assert atelier.wait_for_cost(job.id)["spent_usd"] == Decimal("0.006")
        assert atelier.history(job.id).count("delivered_late") == 1
        (event,) = atelier.inbox(job.id)
        assert (event["result"], event["repeats"]) == ("delivered_late", 1)


class TestCrash:
    def test_before_the_right_to_send_was_taken_the_worker_sends_it(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        job = created(person, "The page died")
        assert not jobs.get(person, job.id).is_unclear
        atelier.let_pass(job.id)
        atelier.wait(person, job, "completed")
        assert atelier.request(job.id)["submissions"] == 1

    def test_between_the_right_to_send_and_the_sending_it_is_never_sent(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        job = created(person, "Killed before it was sent")
        die_at("FalQueue.submit", job)
        assert_looked_for_only(atelier, job)
        assert atelier.requests(job.id) == []
        atelier.let_all_hope_pass(job.id)
        assert atelier.wait(person, job, "failed").error_type == "submit_unconfirmed"
        assert atelier.balance(person) == (person.available, 0)

    def test_between_the_sending_and_the_writing_down_the_webhook_finds_it(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        job = created(person, "Killed after it was sent [sim:delay=0.5]")
        die_at("record", job)
        assert jobs.get(person, job.id).is_unclear
        atelier.wait(person, job, "completed")
        assert atelier.request(job.id)["submissions"] == 1
        assert [kind for kind, *_ in atelier.moves(job.id)] == ["hold", "capture"]

    def test_a_database_that_goes_away_before_it_is_sent_leaves_it_to_the_worker(
        self, atelier: Atelier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        person = atelier.marketer()
        job = created(person, "Not sent by whoever wanted to")
        without(monkeypatch, "begin_submit")
        with pytest.raises(DatabaseUnavailable):
            send(fresh(str(job.id)))
        assert not jobs.get(person, job.id).is_unclear
        atelier.let_pass(job.id)
        atelier.wait(person, job, "completed")
        assert atelier.request(job.id)["submissions"] == 1

    def test_a_page_and_a_worker_that_both_want_to_send_it_send_it_once(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        job = created(person, "Wanted by many")
        row = fresh(str(job.id))
        at_once(*(lambda: send(row),) * 5, lambda: atelier.let_pass(job.id))
        atelier.wait(person, job, "completed")
        assert atelier.request(job.id)["submissions"] == 1
        assert atelier.history(job.id).count("submitted") == 1

    def test_a_database_that_cannot_take_the_answer_leaves_the_job_to_be_found(
        self, atelier: Atelier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The job runs and its credits are held: a "nothing was charged, try again" would be a second paid run."""
        person = atelier.marketer()
        without(monkeypatch, "record_submitted")
        monkeypatch.setattr(sending, "RECORD_PAUSES", (0.0, 0.0))
        job = submit(person, "Not written down [sim:delay=1]")
        assert job.is_open
        assert jobs.get(person, job.id).is_unclear
        atelier.wait(person, job, "completed")
        assert atelier.request(job.id)["submissions"] == 1


class TestUnsent:
    """fal.ai was never reached, or said "later": nothing was queued, so sending again is no second run."""

    def test_what_never_left_this_machine_is_sent_when_fal_answers_again(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        atelier.restart(FAL_QUEUE_URL=NOBODY)
        job = submit(person, "No way out")
        assert (job.status, job.submit_attempted_at, job.progress_message) == ("pending", None, WAITING)
        assert not job.is_unclear
        assert atelier.provider()["unwell_since"] is not None
        assert atelier.balance(person) == (person.available - 1, 1)
        atelier.let_pass(job.id)  # the companion knows the right address
        atelier.wait(person, job, "completed")
        assert atelier.request(job.id)["submissions"] == 1
        assert atelier.provider()["unwell_since"] is None
        assert atelier.history(job.id)[:3] == ["created", "waiting", "submitted"]

    def test_a_busy_fal_is_asked_again_later(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        atelier.behaviour(busy=1.0)
        job = submit(person, "Too many requests")
        assert (job.status, job.submit_attempted_at, job.progress_message) == ("pending", None, BUSY)
        atelier.let_pass(job.id)
        until(lambda: atelier.row(job.id)["unsent_count"] == 2, "it is not sent again")
        atelier.behaviour()
        atelier.let_pass(job.id)
        atelier.wait(person, job, "completed")
        assert atelier.request(job.id)["submissions"] == 1

    def test_a_fal_that_is_busy_by_chance_is_not_busy_for_ever(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        atelier.behaviour(busy=0.6, seed=1)
        made = [submit(person, f"Sooner or later {number}") for number in range(6)]
        for job in made:
            while atelier.row(job.id)["fal_request_id"] is None:
                tries = atelier.row(job.id)["unsent_count"]
                atelier.let_pass(job.id)
                until(lambda: sent_or_tried(atelier, job, tries), "nobody sends it")  # noqa: B023
            atelier.wait(person, job, "completed")
            assert atelier.request(job.id)["submissions"] == 1
        assert any(atelier.row(job.id)["unsent_count"] for job in made)

    def test_a_cancel_while_it_waits_is_at_once(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        atelier.behaviour(busy=1.0)
        job = submit(person, "Cancelled while it waits")
        assert jobs.cancel(person, job.id).status == "cancelled"
        assert atelier.balance(person) == (person.available, 0)

    def test_a_cancel_while_it_is_being_sent_ends_it_when_it_was_not_sent(
        self, atelier: Atelier, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        person = atelier.marketer()
        atelier.behaviour(busy=1.0)
        job = created(person, "Cancelled in the middle")
        real = FalQueue.submit

        def cancelled_meanwhile(*arguments: object, **more: object) -> object:
            assert jobs.cancel(person, job.id).is_open  # it may be at fal.ai already, for all we know
            return real(*arguments, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(FalQueue, "submit", cancelled_meanwhile)
        send(fresh(str(job.id)))
        atelier.wait(person, job, "cancelled")
        assert atelier.balance(person) == (person.available, 0)

    def test_a_wrong_key_fails_the_job_and_says_whom_to_ask(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        atelier.restart(FAL_KEY="wrong-key-id:wrong-key-secret")
        job = submit(person, "Who are you?")
        assert (job.status, job.error_type) == ("failed", "bad_key")
        assert job.error_message == (
            "fal.ai did not accept the team's key. Nothing was charged and your credits are back."
            " Ask an admin to check it."
        )
        assert atelier.balance(person) == (person.available, 0)
