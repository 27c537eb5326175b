"""After a backup was brought back: nothing is done a second time, and everything under way goes on."""

from uuid import uuid4

from tests.database.books import Books, completed, event
from tests.database.campaigns import clips_of, new_campaign, uuids


def after_restore(books: Books) -> dict[str, int]:
    found: dict[str, int] = books.value("select private.after_restore()")
    return found


def test_what_may_have_been_sent_since_is_looked_for_and_never_sent_again(books: Books) -> None:
    user = books.person()
    unsent, never, unclear, running = books.create(user), books.create(user), books.unclear(user), books.submitted(user)
    books.settle(books.submitted(user), completed())
    history = books.history(unclear)
    books.owner.execute(
        "update generation_jobs set next_check_at = now() + interval '1 hour' where id = %s", (running,)
    )
    assert after_restore(books) == {"unclear": 2, "runs_stopped": 0, "to_look_at": 1}
    for job in (unsent, never):
        assert books.begin(job) is None
        assert books.history(job)[-1] == "unclear"
        assert books.job(job)["give_up_at"] is not None
    assert books.history(unclear) == history
    assert books.job(running)["next_check_at"] <= books.value("select now()")
    # fal.ai's call finds it: it was sent after the backup, and is not paid for twice.
    assert books.deliver(event(unsent)) == "settled"
    assert books.job(unsent)["status"] == "completed"
    # The other never was: its credits come back when nothing has been heard for long enough.
    books.give_up(never)
    assert books.moves(never) == ["hold", "release"]
    assert after_restore(books)["unclear"] == 0


def test_runs_wait_for_a_person(books: Books) -> None:
    user = books.person(100)
    campaign, run = new_campaign(books, user, clips=2), uuid4()
    books.call(
        "start_campaign_run",
        p_run=run,
        p_actor=user,
        p_campaign=campaign,
        p_first_step="first_frame",
        p_last_step="video",
        p_clips=uuids(clips_of(books, campaign)),
        p_confirmed_credits=1000,
    )
    assert after_restore(books)["runs_stopped"] == 1
    assert books.value("select state from campaign_runs where id = %s", run) == "stopped"
    assert books.call("claim_run_clips", p_runs=4, p_clips=8) == []
