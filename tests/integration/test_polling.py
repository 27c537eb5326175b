"""Without a public address fal.ai cannot call: the worker asks. It asks with manners, and no trouble fails a job."""

from decimal import Decimal

import pytest

from core import jobs
from core.fal.queue import FalQueue, Result
from core.models import Job, Person
from core.settling import settle
from tests.integration.atelier import SCHNELL, Atelier, until
from tests.integration.hands import Hands, at_once, created


@pytest.fixture(autouse=True)
def _not_reachable(atelier: Atelier) -> None:
    atelier.restart(PUBLIC_URL="")


def submit(person: Person, prompt: str) -> Job:
    return jobs.submit(person, SCHNELL, {"prompt": prompt})


def look(atelier: Atelier, hands: Hands, job: Job) -> Job:
    """What the job is after one look at it."""
    atelier.let_pass(job.id)
    hands.look()
    return jobs.get(atelier.owner(job), job.id)


def finished(atelier: Atelier, person: Person, prompt: str) -> Job:
    """A job that fal.ai has finished and nobody has looked at."""
    job = submit(person, prompt)
    atelier.finished_request(job.id)
    return job


class TestVerdicts:
    def test_a_success_comes_with_its_cost_and_its_files(self, atelier: Atelier, hands: Hands) -> None:
        person = atelier.marketer()
        job = finished(atelier, person, "Asked for")
        assert atelier.request(job.id)["webhook_url"] is None
        done = look(atelier, hands, job)
        assert (done.status, done.cost_source, done.actual_usd) == ("completed", "metered", Decimal("0.006"))
        assert [output.url for output in done.outputs] == [output.source_url for output in done.outputs]
        hands.copy()
        mirrored = jobs.get(person, job.id)
        assert all(output.storage_path for output in mirrored.outputs)
        assert all(output.url != output.source_url for output in mirrored.outputs)
        assert atelier.row(job.id)["verdict_source"] == "poll"
        assert [kind for kind, *_ in atelier.moves(job.id)] == ["hold", "capture"]

    def test_a_refused_prompt_is_only_seen_on_its_result(self, atelier: Atelier, hands: Hands) -> None:
        person = atelier.marketer()
        failed = look(atelier, hands, finished(atelier, person, "A famous actor [sim:fail422]"))
        assert (failed.status, failed.error_type) == ("failed", "content_policy_violation")
        assert atelier.balance(person) == (person.available, 0)

    def test_a_broken_machine_is_tried_once_more_and_looked_at_soon(self, atelier: Atelier, hands: Hands) -> None:
        person = atelier.marketer()
        job = finished(atelier, person, "Broken [sim:infra]")
        assert look(atelier, hands, job).status == "failed"
        again = atelier.one("select id from generation_jobs where retried_from = %s", job.id)["id"]
        hands.look()  # sends it
        row = atelier.row(again)
        assert (row["status"], row["lease_until"]) == ("submitted", None)
        assert (row["next_check_at"] - row["submitted_at"]).total_seconds() < 15
        atelier.finished_request(again)
        assert look(atelier, hands, jobs.get(person, again)).status == "failed"
        assert atelier.all("select from generation_jobs where retried_from = %s", again) == []
        assert atelier.balance(person) == (person.available, 0)

    def test_a_cancel_ends_by_fals_word(self, atelier: Atelier, hands: Hands) -> None:
        person = atelier.marketer()
        job = submit(person, "In line [sim:queue=60]")
        assert jobs.cancel(person, job.id).is_open
        assert look(atelier, hands, job).status == "cancelled"
        assert atelier.balance(person) == (person.available, 0)

    def test_a_cancel_that_fal_did_not_hear_is_asked_again(self, atelier: Atelier, hands: Hands) -> None:
        person = atelier.marketer()
        job = submit(person, "Deaf [sim:queue=60]")
        atelier.behaviour(outage=True)
        assert jobs.cancel(person, job.id).cancel_requested_at is not None
        atelier.behaviour()
        assert atelier.request(job.id)["cancel_calls"] == 0
        assert look(atelier, hands, job).status == "cancelled"

    def test_a_result_that_is_gone_is_waited_for_and_then_given_up(self, atelier: Atelier, hands: Hands) -> None:
        person = atelier.marketer()
        job = finished(atelier, person, "Gone [sim:expired]")
        assert look(atelier, hands, job).is_open
        atelier.let_all_hope_pass(job.id)
        hands.look()
        assert jobs.get(person, job.id).error_type == "request_lost"
        assert atelier.balance(person) == (person.available, 0)

    def test_an_unclear_submit_is_never_sent_again(self, atelier: Atelier, hands: Hands) -> None:
        person = atelier.marketer()
        accepted = atelier.state()["counts"]["accepted"]
        job = submit(person, "Nobody can tell [sim:submit_reset,unlisted]")
        for _ in range(3):
            assert look(atelier, hands, job).is_unclear
        assert atelier.state()["counts"]["accepted"] == accepted + 1
        atelier.let_all_hope_pass(job.id)
        hands.look()
        assert jobs.get(person, job.id).error_type == "submit_unconfirmed"

    def test_a_late_result_with_nothing_in_it_is_no_delivery(
        self, atelier: Atelier, hands: Hands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = finished(atelier, atelier.marketer(), "Made after all?")
        settle(str(job.id), {"outcome": "failed", "billable": True, "error_message": "Closed."}, "poll")
        empty = Result(ok=True, status_code=200, payload={"images": []}, billable_units=None)
        monkeypatch.setattr(FalQueue, "result", lambda *_: empty)
        hands.look()
        row = atelier.row(job.id)
        assert (row["status"], row["is_late"], row["cost_tries"]) == ("failed", False, 1)


class TestManners:
    def test_what_a_person_sees_while_it_runs(self, atelier: Atelier, hands: Hands) -> None:
        person = atelier.marketer()
        atelier.behaviour(concurrency=1)
        job = submit(person, "On stage [sim:slow=60]")
        until(lambda: atelier.request(job.id)["status"] == "IN_PROGRESS", "it does not run")
        queued = submit(person, "In the wings")
        running, waiting = look(atelier, hands, job), look(atelier, hands, queued)
        assert (running.status, running.queue_position) == ("in_progress", None)
        assert running.started_at is not None
        assert (waiting.status, waiting.queue_position) == ("submitted", 0)
        jobs.cancel(person, job.id)
        atelier.finished_request(job.id)
        assert look(atelier, hands, job).status == "cancelled"
        atelier.finished_request(queued.id)
        assert look(atelier, hands, queued).status == "completed"

    def test_pauses_grow(self, atelier: Atelier, hands: Hands) -> None:
        person = atelier.marketer()
        job = submit(person, "For hours [sim:slow=60]")
        pauses = []
        for _ in range(12):
            look(atelier, hands, job)
            row = atelier.row(job.id)
            pauses.append((row["next_check_at"] - row["checked_at"]).total_seconds())
        assert max(pauses[:3]) < min(pauses[-3:]) <= 20
        jobs.cancel(person, job.id)
        look(atelier, hands, job)

    def test_a_status_that_fal_may_invent_later_counts_as_running(self, atelier: Atelier, hands: Hands) -> None:
        person = atelier.marketer()
        job = finished(atelier, person, "Paused [sim:paused=1]")
        assert look(atelier, hands, job).status == "in_progress"
        assert look(atelier, hands, job).status == "completed"

    @pytest.mark.parametrize("how", ["outage=1", "result_500=1"])
    def test_one_answer_that_is_none_is_asked_for_again(self, atelier: Atelier, hands: Hands, how: str) -> None:
        person = atelier.marketer()
        job = finished(atelier, person, f"Hiccup [sim:{how}]")
        assert look(atelier, hands, job).is_open
        assert atelier.provider()["unwell_since"] is not None
        assert look(atelier, hands, job).status == "completed"
        assert atelier.provider()["unwell_since"] is None

    def test_an_outage_slows_us_down_and_fails_nobody(self, atelier: Atelier, hands: Hands) -> None:
        person = atelier.marketer()
        made = [finished(atelier, person, f"Through the outage {number}") for number in range(3)]
        atelier.behaviour(outage=True)
        pauses = []
        for _ in range(4):
            for job in made:
                atelier.let_pass(job.id)
            hands.look()
            assert all(jobs.get(person, job.id).is_open for job in made)
            row = atelier.row(made[0].id)
            pauses.append((row["next_check_at"] - row["checked_at"]).total_seconds())
        assert pauses == sorted(pauses)
        assert atelier.provider()["unwell_since"] is not None
        # what is wanted meanwhile keeps its place: unclear, as a 503 to a submit does not say that nothing was taken
        wanted = submit(person, "Wanted in the outage")
        assert wanted.is_unclear

        atelier.behaviour()
        assert {look(atelier, hands, job).status for job in made} == {"completed"}
        assert atelier.provider()["unwell_since"] is None
        atelier.let_all_hope_pass(wanted.id)
        hands.look()
        assert atelier.balance(person) == (person.available - 3, 0)


class TestManyWorkers:
    def test_two_share_the_work_and_do_nothing_twice(self, atelier: Atelier, hands: Hands) -> None:
        person = atelier.marketer()
        made = [finished(atelier, person, f"Shared {number}") for number in range(8)]
        unsent = [created(person, f"To be sent {number}") for number in range(8)]
        for job in made + unsent:
            atelier.let_pass(job.id)
        at_once(hands.look, Hands().look, Hands().look)
        for job in made:
            assert jobs.get(person, job.id).status == "completed"
            assert atelier.history(job.id).count("completed") == 1
            assert (atelier.request(job.id)["status_polls"], atelier.request(job.id)["result_polls"]) == (1, 1)
        for job in unsent:
            assert atelier.history(job.id).count("submitted") == 1
            atelier.finished_request(job.id)
            assert look(atelier, hands, job).status == "completed"
        assert sum(request["submissions"] for job in unsent for request in atelier.requests(job.id)) == len(unsent)
        assert atelier.balance(person) == (person.available - 16, 0)

    def test_what_a_dead_worker_had_claimed_is_free_when_its_lease_ends(self, atelier: Atelier, hands: Hands) -> None:
        person = atelier.marketer()
        job = finished(atelier, person, "Claimed by the dead")
        atelier.let_pass(job.id)
        claimed = atelier.claim("a worker that was killed")
        assert str(job.id) in [row["id"] for row in claimed["jobs"]]
        hands.look()
        assert jobs.get(person, job.id).is_open
        assert look(atelier, hands, job).status == "completed"
