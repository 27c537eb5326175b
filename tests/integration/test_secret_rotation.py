"""APP_SECRET is replaced while people are signed in and jobs are on their way."""

import json
from pathlib import Path
from secrets import token_urlsafe

import pytest

from core import jobs, sessions
from core.sealing import Keyring, token_for
from local.fal.webhooks import Signer
from tests.conftest import FalSimulator
from tests.integration.atelier import PASSWORD, SCHNELL, Atelier, until
from tests.integration.companions import Companion
from tests.integration.test_fal_webhook import Call


@pytest.fixture
def signer(fal: FalSimulator, stack_directory: Path) -> Signer:
    del fal  # has made its key
    return Signer(stack_directory / "fal")


def start_companion(atelier: Atelier, secret: str) -> Companion:
    """The companion where fal.ai calls, with this APP_SECRET."""
    return atelier.start_companion(APP_SECRET=secret)


def owed(atelier: Atelier, signer: Signer) -> Call:
    """A job that was sent under the secret of now; its webhook is still to come."""
    person = atelier.marketer()
    job = jobs.submit(person, SCHNELL, {"prompt": "To be told [sim:lose]"})
    atelier.finished_request(job.id)
    atelier.rows.execute(
        "update generation_jobs set next_check_at = now() + interval '1 hour' where id = %s", (job.id,)
    )
    return Call(atelier, signer, job.id, atelier.request(job.id)["request_id"])


def test_a_new_secret_ends_nothing_and_the_old_one_can_go_later(atelier: Atelier, signer: Signer) -> None:
    old, new = atelier.environment["APP_SECRET"], token_urlsafe(48)
    person = atelier.marketer()
    cookie = atelier.cookies[person.user_id]
    in_time, too_late = owed(atelier, signer), owed(atelier, signer)

    # The new one first, the old one behind it: sessions and jobs of before go on.
    atelier.restart(APP_SECRET=f"{new},{old}")
    companion = start_companion(atelier, f"{new},{old}")
    try:
        assert sessions.current(cookie) is not None
        assert in_time.send().status_code == 200
        assert atelier.row(in_time.job)["status"] == "completed"
        # What is made now is made with the new one.
        fresh = sessions.sign_in(person.email, PASSWORD, address="", user_agent="").cookie_value
        assert token_for(in_time.job) == Keyring([new]).token_for(in_time.job)
        newer = owed(atelier, signer)
        # A session of before is sealed anew when its token is refreshed.
        query = "update private.app_sessions set token_expires_at = now() where user_id = %s"
        atelier.rows.execute(query, (person.user_id,))
        assert sessions.current(cookie) is not None
    finally:
        companion.stop()

    # The old one is taken out: what still hung on it ends, in order.
    stale = "select cookie_hash from private.app_sessions where user_id = %s"
    assert atelier.all(stale, person.user_id)
    unseen = atelier.new_marketer()
    sealed = "update private.app_sessions set sealed_tokens = %s where user_id = %s"
    forgotten = Keyring([old]).seal(json.dumps(["a", "b"]).encode(), sessions.PURPOSE)
    atelier.rows.execute(sealed, (forgotten, unseen.user_id))
    atelier.restart(APP_SECRET=new)
    companion = start_companion(atelier, new)
    try:
        assert sessions.current(cookie) is not None
        assert sessions.current(fresh) is not None
        assert sessions.current(atelier.cookies[unseen.user_id]) is None  # signs in again
        assert newer.send().status_code == 200
        assert too_late.send().status_code == 401
        assert atelier.row(too_late.job)["status"] == "submitted"
        atelier.let_pass(too_late.job)  # and the worker brings what the webhook may not
        until(lambda: atelier.row(too_late.job)["status"] == "completed", "the job is not done")
    finally:
        companion.stop()
        del atelier.cookies[unseen.user_id]
