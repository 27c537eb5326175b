"""Companions that are killed, started again, and several at once on one database: every job ends right, once."""

from collections.abc import Iterator

import pytest

from core import jobs, worker
from core.models import Job, Person
from tests.integration.atelier import SCHNELL, Atelier, until
from tests.integration.companions import Companion
from tests.integration.hands import created, without


@pytest.fixture
def started(atelier: Atelier) -> Iterator[list[Companion]]:
    """The companions of a test, to be stopped at its end."""
    del atelier  # outlives them
    companions: list[Companion] = []
    yield companions
    for one in companions:
        one.stop()


def assert_ended_once(atelier: Atelier, person: Person, made: list[Job]) -> None:
    for job in made:
        done = atelier.wait_for_files(person, atelier.wait(person, job, "completed"))
        assert len(done.outputs) == 2
        assert atelier.history(job.id).count("completed") == 1
        assert [kind for kind, *_ in atelier.moves(job.id)] == ["hold", "capture"]
        assert atelier.request(job.id)["submissions"] == 1


def test_a_companion_that_is_killed_leaves_nothing_undone(atelier: Atelier, started: list[Companion]) -> None:
    started.append(atelier.start_companion())
    person = atelier.marketer()
    running = [jobs.submit(person, SCHNELL, {"prompt": f"Under way {number} [sim:slow=1]"}) for number in range(3)]
    lost = [jobs.submit(person, SCHNELL, {"prompt": f"Unheard {number} [sim:slow=1,lose]"}) for number in range(3)]
    started[0].kill()
    unsent = [created(person, f"Nobody sends it {number}") for number in range(2)]
    for job in (*running, *lost):
        atelier.finished_request(job.id)
    assert all(jobs.get(person, job.id).is_open for job in (*running, *lost, *unsent))

    started.append(atelier.start_companion())
    assert_ended_once(atelier, person, running)  # fal.ai calls again by itself
    for job in (*lost, *unsent):
        atelier.let_pass(job.id)
    assert_ended_once(atelier, person, lost + unsent)
    assert atelier.balance(person) == (person.available - 8, 0)


def test_a_companion_that_is_killed_with_work_in_its_hands(atelier: Atelier, started: list[Companion]) -> None:
    """What it had claimed, jobs to look at and files to copy, is done by another when the lease is over."""
    person = atelier.marketer()
    atelier.behaviour(lose=1.0)
    made = [jobs.submit(person, SCHNELL, {"prompt": f"In its hands {number}"}) for number in range(4)]
    for job in made:
        atelier.finished_request(job.id)
        atelier.let_pass(job.id)
    jobs.check_again(person, made[0].id)  # this one has files to copy already
    claimed = atelier.claim("killed while it worked")
    assert {job["id"] for job in claimed["jobs"]} >= {str(job.id) for job in made[1:]}
    assert {output["job_id"] for output in claimed["outputs"]} >= {str(made[0].id)}

    started.append(atelier.start_companion())
    until(
        lambda: atelier.one("select count(*) as n from private.workers where beat_at > now() - interval '1 s'")["n"], ""
    )
    assert all(jobs.get(person, job.id).is_open for job in made[1:])
    for job in made:
        atelier.let_pass(job.id)
    atelier.rows.execute("update job_outputs set lease_until = now() where job_id = %s", (made[0].id,))
    assert_ended_once(atelier, person, made)


def test_a_worker_outlives_its_database(
    atelier: Atelier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "TROUBLE_SECONDS", 0.05)
    beats = "select count(*) as n from private.workers where worker = %s"
    own = worker.Worker()
    try:
        with pytest.MonkeyPatch.context() as outage:
            without(outage, "claim_work")
            own.start()
            until(lambda: caplog.messages.count("worker_waits") >= 4, "it does not wait for its database")
        until(lambda: atelier.one(beats, own.name)["n"], "it has not come back")
    finally:
        own.stop()


def test_two_companions_share_the_work(atelier: Atelier, started: list[Companion]) -> None:
    person = atelier.marketer()
    atelier.behaviour(lose=1.0)
    made = [jobs.submit(person, SCHNELL, {"prompt": f"Shared {number}"}) for number in range(10)]
    for job in made:
        atelier.finished_request(job.id)
    unsent = [created(person, f"To be sent {number}") for number in range(6)]
    started += [atelier.start_companion(), atelier.start_another_companion()]
    with atelier.rows.transaction():
        for job in made + unsent:
            atelier.let_pass(job.id)
    assert_ended_once(atelier, person, made)
    for job in unsent:
        atelier.finished_request(job.id)
        atelier.let_pass(job.id)
    assert_ended_once(atelier, person, unsent)
    polls = [atelier.request(job.id)["status_polls"] for job in made]
    assert polls == [1] * len(made)  # nobody asked about what another was asking about
    assert atelier.balance(person) == (person.available - 16, 0)


def test_both_companions_take_webhooks(atelier: Atelier, started: list[Companion]) -> None:
    started += [atelier.start_companion(), atelier.start_another_companion()]
    person = atelier.marketer()
    job = jobs.submit(person, SCHNELL, {"prompt": "Called at both [sim:lose]"})
    request = atelier.finished_request(job.id)["request_id"]
    other = atelier.webhook_url(job.id).replace(started[0].url, started[1].url)
    assert atelier.deliver(request, url=other) == [200]
    assert atelier.deliver(request) == [200]
    (event,) = atelier.inbox(job.id)
    assert (event["result"], event["repeats"]) == ("settled", 1)
    assert_ended_once(atelier, person, [job])
