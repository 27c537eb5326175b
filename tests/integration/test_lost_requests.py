"""A submit whose answer was lost and whose webhook does not come: fal.ai's own list tells which request is its own."""

import pytest

from core import finding, jobs
from core.models import Job, Person
from tests.integration.atelier import SCHNELL, Atelier
from tests.integration.hands import Hands, created
from tests.integration.test_polling import look
from tests.integration.test_unclear_submits import die_at


@pytest.fixture(autouse=True)
def _every_question_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "FRESH", finding.FRESH * 0)


def submit(person: Person, prompt: str) -> Job:
    return jobs.submit(person, SCHNELL, {"prompt": prompt})


def test_is_found_by_its_inputs_and_its_time(atelier: Atelier, hands: Hands) -> None:
    person = atelier.marketer()
    job = submit(person, "In the list [sim:submit_reset,lose]")
    assert job.is_unclear
    request = atelier.finished_request(job.id)["request_id"]
    assert look(atelier, hands, job).fal_request_id == request
    done = look(atelier, hands, job)
    assert done.status == "completed"
    assert atelier.history(job.id)[:4] == ["created", "unclear", "found", "completed"]
    assert (atelier.row(job.id)["verdict_source"], atelier.inbox(job.id)) == ("poll", [])
    assert [kind for kind, *_ in atelier.moves(job.id)] == ["hold", "capture"]
    assert atelier.request(job.id)["submissions"] == 1


def test_is_found_by_a_person_who_checks_again(atelier: Atelier, hands: Hands) -> None:
    person = atelier.marketer()
    job = submit(person, "Found by hand [sim:submit_500_accepted,lose]")
    atelier.finished_request(job.id)
    assert jobs.check_again(person, job.id).fal_request_id is not None
    assert look(atelier, hands, job).status == "completed"


def test_what_could_be_either_of_two_is_nobodys(atelier: Atelier, hands: Hands) -> None:
    """One died before it was sent and one after: which of them the one request belongs to, nobody can tell."""
    person = atelier.marketer()
    never, sent = (created(person, "Alike [sim:lose]") for _ in range(2))
    die_at("FalQueue.submit", never)
    die_at("record", sent)
    atelier.finished_request(sent.id)
    for job in (never, sent):
        assert look(atelier, hands, job).is_unclear
    for job in (never, sent):
        atelier.let_all_hope_pass(job.id)
        hands.look()
        assert jobs.get(person, job.id).error_type == "submit_unconfirmed"
    assert atelier.balance(person) == (person.available, 0)


def test_what_belongs_to_another_job_is_not_taken(atelier: Atelier, hands: Hands) -> None:
    person = atelier.marketer()
    known, never = submit(person, "The same again [sim:lose]"), created(person, "The same again [sim:lose]")
    die_at("FalQueue.submit", never)
    atelier.finished_request(known.id)
    assert look(atelier, hands, never).is_unclear
    assert look(atelier, hands, known).status == "completed"


def test_what_was_sent_at_another_time_is_not_taken(atelier: Atelier, hands: Hands) -> None:
    person = atelier.marketer()
    job = submit(person, "Long ago [sim:submit_reset,lose]")
    atelier.finished_request(job.id)
    atelier.rows.execute(
        "update generation_jobs set submit_attempted_at = submit_attempted_at - interval '2 min' where id = %s",
        (job.id,),
    )
    assert look(atelier, hands, job).is_unclear


def test_while_fal_does_not_answer_nothing_is_closed_for_an_hour(atelier: Atelier, hands: Hands) -> None:
    person = atelier.marketer()
    job = submit(person, "Asked in an outage [sim:submit_reset,lose]")
    atelier.finished_request(job.id)
    atelier.behaviour(outage=True)
    atelier.let_all_hope_pass(job.id)
    hands.look()
    assert jobs.get(person, job.id).is_unclear
    atelier.behaviour()
    look(atelier, hands, job)
    assert look(atelier, hands, job).status == "completed"


def test_after_that_hour_it_is_closed_all_the_same(atelier: Atelier, hands: Hands) -> None:
    person = atelier.marketer()
    job = submit(person, "Asked for too long [sim:submit_500_dropped]")
    atelier.behaviour(outage=True)
    atelier.rows.execute("update generation_jobs set give_up_at = now() - interval '61 min' where id = %s", (job.id,))
    assert look(atelier, hands, job).error_type == "submit_unconfirmed"
    assert atelier.balance(person) == (person.available, 0)


def test_a_key_that_may_not_read_the_list_leaves_it_to_time(
    atelier: Atelier, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = atelier.marketer()
    job = submit(person, "Not ours to list [sim:submit_reset,lose]")
    atelier.finished_request(job.id)
    monkeypatch.setattr(finding.get_account(), "_key", "not:a-key")
    assert look(atelier, hands, job).is_unclear
    atelier.let_all_hope_pass(job.id)
    hands.look()
    assert jobs.get(person, job.id).error_type == "submit_unconfirmed"
