"""The life of a job from the button to the file, with fal.ai's verdicts arriving as webhooks."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from core import jobs, media, sessions
from core.errors import AccountLocked, InsufficientCredits, NotFound, Refused
from core.models import Job
from tests.integration.atelier import DEV, PASSWORD, SCHNELL, VEO, Atelier, until
from tests.integration.hands import at_once, created

pytestmark = pytest.mark.usefixtures("companion")


class TestSuccess:
    @pytest.mark.parametrize(
        ("kind", "inputs", "credits", "files", "usd"),
        [
            (SCHNELL, {}, 1, 2, "0.006"),
            (DEV, {"num_images": 3}, 15, 3, "0.075"),
            (VEO, {"duration": 6}, 12, 1, "0.9"),
        ],
    )
    def test_a_webhook_ends_it_charges_it_and_brings_its_files(
        self, atelier: Atelier, kind: str, inputs: dict[str, Any], credits: int, files: int, usd: str
    ) -> None:
        person = atelier.new_marketer(credits=50)
        had = person.available
        if kind == VEO:
            inputs = {**inputs, "image_url": f"{atelier.fal.url}/media/files/none/none.png"}
            first = atelier.wait(person, jobs.submit(person, SCHNELL, {"prompt": "Its first frame"}), "completed")
            inputs["image_url"], had = first.outputs[0].source_url, had - 1
        job = jobs.submit(person, kind, {"prompt": "Green hills", **inputs}, expected_credits=credits)
        assert (job.status, atelier.balance(person)) == ("submitted", (had - credits, credits))

        atelier.wait(person, job, "completed")
        done = atelier.wait_for_files(person, job)
        assert atelier.row(job.id)["verdict_source"] == "webhook"
        assert atelier.moves(job.id) == [
            ("hold", credits, had - credits, credits),
            ("capture", credits, had - credits, 0),
        ]
        assert atelier.balance(person) == (had - credits, 0)
        assert len(done.outputs) == files
        for output in done.outputs:
            original = atelier.http.get(output.source_url or "").content
            assert media.download(output)[0] == original
            assert output.url is not None
            assert output.url.startswith(atelier.environment["SUPABASE_URL"])
            signed = atelier.http.get(output.url)
            assert (signed.content, signed.headers["content-type"]) == (original, output.media_type)
            assert output.size_bytes == len(original)

        cost = atelier.wait_for_cost(job.id)
        assert (cost["actual_usd"], cost["spent_usd"], cost["estimated_usd"]) == (Decimal(usd),) * 3
        assert atelier.history(job.id) == ["created", "submitted", "completed", "cost_metered"]
        assert atelier.request(job.id)["submissions"] == 1

    def test_the_same_id_again_is_the_same_job(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        job_id = uuid4()
        answers = at_once(*(lambda: jobs.submit(person, SCHNELL, {"prompt": "Once"}, job_id=job_id),) * 5)
        assert {answer.id for answer in answers} == {job_id}
        atelier.wait(person, job_id, "completed")
        assert atelier.request(job_id)["submissions"] == 1
        assert [kind for kind, *_ in atelier.moves(job_id)] == ["hold", "capture"]


class TestFailure:
    def test_a_refused_prompt_gives_the_credits_back_and_says_why(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        job = jobs.submit(person, SCHNELL, {"prompt": "A famous actor [sim:fail422]"})
        failed = atelier.wait(person, job, "failed")
        assert failed.error_type == "content_policy_violation"
        assert failed.error_message == (
            "fal.ai refused this prompt. It may show a real person, a brand or something that is not allowed."
            " Nothing was charged and your credits are back. Change the prompt or the picture and try again."
        )
        assert [kind for kind, *_ in atelier.moves(job.id)] == ["hold", "release"]
        assert atelier.balance(person) == (person.available, 0)
        assert atelier.history(job.id) == ["created", "submitted", "failed"]

    def test_what_is_refused_at_submit_fails_at_once(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        job = jobs.submit(person, SCHNELL, {"prompt": "[sim:no such word]"})
        assert job.status == "failed"
        assert "Nothing was charged" in (job.error_message or "")
        assert atelier.requests(job.id) == []
        assert atelier.balance(person) == (person.available, 0)

    @pytest.mark.parametrize("how", ["infra", "infra=request_timeout", "fail"])
    def test_a_broken_machine_is_tried_once_more_as_a_job_of_its_own(self, atelier: Atelier, how: str) -> None:
        person = atelier.marketer()
        job = jobs.submit(person, SCHNELL, {"prompt": f"Broken [sim:{how}]"})
        atelier.wait(person, job, "failed")
        again = atelier.one("select * from generation_jobs where retried_from = %s", job.id)
        assert (again["is_automatic_retry"], again["retry_count"], again["credits_held"]) == (True, 1, 1)
        assert atelier.row(job.id)["spent_usd"] == 0
        ended = atelier.wait(person, again["id"], "failed")
        assert ended.retried_from == job.id
        assert atelier.all("select from generation_jobs where retried_from = %s", ended.id) == []
        for each in (job.id, ended.id):
            assert [kind for kind, *_ in atelier.moves(each)] == ["hold", "release"]
            assert atelier.request(each)["submissions"] == 1
        assert atelier.balance(person) == (person.available, 0)

    def test_a_lock_fails_one_job_refuses_the_next_and_is_opened_by_a_probe(self, atelier: Atelier) -> None:
        person, colleague = atelier.marketer(), atelier.new_marketer()
        atelier.behaviour(locked=True, lock_reason="Exhausted balance. Top up your balance.")
        job = jobs.submit(person, SCHNELL, {"prompt": "No money left"})
        assert (job.status, job.error_type) == ("failed", "account_locked")
        assert "Exhausted balance. Top up your balance." in (job.error_message or "")
        assert atelier.balance(person) == (person.available, 0)
        assert atelier.now(colleague).fal_lock_reason == "Exhausted balance. Top up your balance."

        atelier.behaviour(locked=False)
        entries = "select count(*) as n from credit_entries where user_id = %s"
        before = atelier.one(entries, colleague.user_id)
        with pytest.raises(AccountLocked, match=r"Exhausted balance.*Nothing was charged"):
            jobs.submit(colleague, SCHNELL, {"prompt": "Refused up front"})
        assert atelier.one(entries, colleague.user_id) == before

        atelier.rows.execute("update private.provider_state set probe_at = now() where provider = 'fal'")
        probe, *others = at_once(*(lambda: jobs.submit(colleague, SCHNELL, {"prompt": "Is it open?"}),) * 3)
        made = [one for one in (probe, *others) if isinstance(one, Job)]
        assert made, "one of them had to be let through"
        assert atelier.now(person).fal_lock_reason is None
        for one in made:
            atelier.wait(colleague, one, "completed")
        assert atelier.row(jobs.submit(person, SCHNELL, {"prompt": "Open again"}).id)["fal_request_id"]

    def test_a_probe_that_finds_the_lock_waits_longer(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        atelier.behaviour(locked=True)
        waits = []
        for _ in range(3):
            assert jobs.submit(person, SCHNELL, {"prompt": "Locked"}).error_type == "account_locked"
            waits.append(
                atelier.one(
                    "select extract(epoch from probe_at - now()) as s from private.provider_state"
                    " where provider = 'fal'"
                )["s"]
            )
            atelier.rows.execute("update private.provider_state set probe_at = now() where provider = 'fal'")
        assert waits[0] < waits[1] < waits[2]

    def test_a_balance_for_one_pays_for_one(self, atelier: Atelier) -> None:
        person = atelier.new_marketer(credits=1)
        four = {"prompt": "Four", "num_images": person.available // 5}
        results = at_once(*(lambda: jobs.submit(person, DEV, four),) * 4)
        (made,) = (one for one in results if isinstance(one, Job))
        assert all(isinstance(one, InsufficientCredits) for one in results if one is not made)
        atelier.wait(person, made, "completed")
        assert atelier.balance(person) == (person.available % 5, 0)


class TestCancel:
    def test_what_was_never_sent_is_cancelled_at_once(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        job = created(person, "Never sent")
        assert jobs.cancel(person, job.id).status == "cancelled"
        atelier.let_pass(job.id)
        assert atelier.requests(job.id) == []
        assert [kind for kind, *_ in atelier.moves(job.id)] == ["hold", "release"]

    @pytest.mark.parametrize("says_ok", [False, True])
    def test_what_is_in_line_ends_by_fals_word(self, atelier: Atelier, says_ok: bool) -> None:
        person = atelier.marketer()
        atelier.behaviour(cancel_says_ok=says_ok)
        job = jobs.submit(person, SCHNELL, {"prompt": "In line [sim:queue=60]"})
        asked = jobs.cancel(person, job.id)
        assert asked.cancel_requested_at is not None
        atelier.wait(person, job, "cancelled")
        assert [kind for kind, *_ in atelier.moves(job.id)] == ["hold", "release"]
        assert atelier.balance(person) == (person.available, 0)

    def test_what_runs_is_asked_to_stop(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        job = jobs.submit(person, SCHNELL, {"prompt": "Running [sim:slow=60]"})
        until(lambda: atelier.request(job.id)["status"] == "IN_PROGRESS", "it does not run")
        jobs.cancel(person, job.id)
        atelier.wait(person, job, "cancelled")
        assert atelier.balance(person) == (person.available, 0)

    @pytest.mark.parametrize("how", ["slow=1,cancel_ignored", "slow=60,cancel_too_late"])
    def test_what_fal_finishes_all_the_same_is_delivered_and_charged(self, atelier: Atelier, how: str) -> None:
        person = atelier.marketer()
        job = jobs.submit(person, SCHNELL, {"prompt": f"Too late [sim:{how}]"})
        jobs.cancel(person, job.id)
        done = atelier.wait(person, job, "completed")
        assert len(done.outputs) == 2
        assert [kind for kind, *_ in atelier.moves(job.id)] == ["hold", "capture"]

    def test_a_cancel_against_the_completion_at_the_same_instant_ends_one_way(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        job = jobs.submit(person, SCHNELL, {"prompt": "At the same instant [sim:lose]"})
        request = atelier.finished_request(job.id)["request_id"]
        cancelled, answers = atelier.collide(
            job.id, lambda: jobs.cancel(person, job.id), lambda: atelier.deliver(request)
        )
        assert answers == [200]
        ended = atelier.wait(person, job, "completed")
        assert cancelled.status in ("submitted", "completed")
        assert len(ended.outputs) == 2
        assert [kind for kind, *_ in atelier.moves(job.id)] == ["hold", "capture"]

    def test_cancels_in_a_race_with_fal_leave_money_that_matches(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        made = [jobs.submit(person, SCHNELL, {"prompt": f"Race {number}"}) for number in range(6)]
        at_once(*((lambda job=job: jobs.cancel(person, job.id)) for job in made))
        ended = [atelier.wait(person, job) for job in made]
        charged = sum(job.status == "completed" for job in ended)
        assert {job.status for job in ended} <= {"completed", "cancelled"}
        assert atelier.balance(person) == (person.available - charged, 0)

    def test_nobody_cancels_what_is_not_theirs(self, atelier: Atelier) -> None:
        person, stranger = atelier.marketer(), atelier.new_marketer()
        job = jobs.submit(person, SCHNELL, {"prompt": "Mine"})
        with pytest.raises(NotFound):
            jobs.cancel(stranger, job.id)
        atelier.wait(person, job, "completed")


class TestRetry:
    def test_is_a_new_job_with_the_same_inputs_and_its_own_hold(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        atelier.behaviour(fail422=1.0)
        job = jobs.submit(person, SCHNELL, {"prompt": "Again", "seed": 7})
        failed = atelier.wait(person, job, "failed")
        atelier.behaviour()
        again = jobs.retry(person, failed.id)
        done = atelier.wait(person, again, "completed")
        assert (done.retried_from, done.input_params) == (failed.id, failed.input_params)
        assert atelier.row(again.id)["retry_count"] == 1
        assert [kind for kind, *_ in atelier.moves(job.id)] == ["hold", "release"]
        assert [kind for kind, *_ in atelier.moves(again.id)] == ["hold", "capture"]

    def test_pressing_twice_makes_one(self, atelier: Atelier) -> None:
        person = atelier.marketer()
        job = atelier.wait(person, jobs.submit(person, SCHNELL, {"prompt": "Twice [sim:fail422]"}), "failed")
        new_id = uuid4()
        at_once(*(lambda: jobs.retry(person, job.id, new_id=new_id),) * 3)
        atelier.wait(person, new_id)
        assert len(atelier.all("select from generation_jobs where retried_from = %s", job.id)) == 1
        assert atelier.request(new_id)["submissions"] == 1

    def test_is_not_for_what_runs_or_is_somebody_elses(self, atelier: Atelier) -> None:
        person, stranger = atelier.marketer(), atelier.new_marketer()
        job = jobs.submit(person, SCHNELL, {"prompt": "Still running [sim:slow=1]"})
        with pytest.raises(Refused, match="still running"):
            jobs.retry(person, job.id)
        with pytest.raises(NotFound):
            jobs.retry(stranger, job.id)
        with pytest.raises(NotFound):
            jobs.retry(atelier.admin, job.id)
        atelier.wait(person, job, "completed")


class TestResume:
    def test_a_job_goes_on_through_a_restart_and_is_there_on_another_device(self, atelier: Atelier) -> None:
        person = atelier.new_marketer()
        job = jobs.submit(person, SCHNELL, {"prompt": "Close the tab [sim:slow=1]"})
        atelier.restart()
        assert atelier.now(person).user_id == person.user_id  # the same cookie still opens the session
        elsewhere = sessions.sign_in(person.email, PASSWORD, address="127.0.0.2", user_agent="another device")
        there = sessions.current(elsewhere.cookie_value, watching=True)
        assert there is not None
        assert [open_job.id for open_job in there.running] == [job.id]
        atelier.wait(there, job, "completed")
        later = sessions.current(elsewhere.cookie_value)
        assert later is not None
        assert later.running == ()
        assert [done.id for done in jobs.list_finished(there).jobs] == [job.id]

    def test_an_expired_token_is_refreshed_in_the_middle_of_a_job(self, atelier: Atelier) -> None:
        person = atelier.new_marketer()
        job = jobs.submit(person, SCHNELL, {"prompt": "A long wait [sim:slow=1]"})
        atelier.rows.execute(
            "update private.app_sessions set token_expires_at = now() - interval '1 minute' where user_id = %s",
            (person.user_id,),
        )
        many = at_once(*(lambda: atelier.now(person),) * 4)  # several tabs look at once: one refreshes
        assert len({one.access_token for one in many}) == 1
        version = "select token_version from private.app_sessions where user_id = %s"
        assert atelier.one(version, person.user_id)["token_version"] == 2
        atelier.wait(many[0], job, "completed")
        assert atelier.now(person).access_token == many[0].access_token
