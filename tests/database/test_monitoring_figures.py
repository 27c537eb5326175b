"""The figures for monitoring: of an empty studio, of a busy one, and of nobody in particular."""

from datetime import UTC, datetime, timedelta

from tests.database.admin import age, call_about, dead_letter
from tests.database.books import Books, failed


def test_figures_of_an_empty_studio(books: Books) -> None:
    found = books.call("metrics")
    assert (found["jobs"], found["ended_jobs"], found["webhook_calls"], found["audit"]) == ({}, [], [], None)
    assert found["workers"] == {"alive": 0, "beat_age_seconds": None}
    assert books.call("worker_beat_age") is None


def test_figures_of_a_busy_one(books: Books) -> None:
    user = books.person()
    books.open_session(user)
    books.create(user)
    books.unclear(user)
    waiting, dead = books.submitted(user), books.submitted(user)
    age(books, waiting, submitted_at="10 minutes", next_check_at="90 seconds")
    dead_letter(books, dead)
    signed_at = int((datetime.now(UTC) - timedelta(seconds=30)).timestamp())
    job = books.submitted(user)
    call = call_about(job)
    books.deliver(call | {"headers": call["headers"] | {"timestamp": signed_at}})
    books.settle(books.submitted(user), failed())
    books.call("request_cancel", p_user=user, p_job=books.create(user))
    books.call("claim_work", p_worker="one", p_jobs=0, p_outputs=0, p_costs=0)
    found = books.call("metrics")
    ends = {"completed": 1, "failed": 1, "cancelled": 1}
    assert found["jobs"] == {"pending": 1, "unclear": 1, "submitted": 2, **ends}
    assert found["stuck_jobs"] == {"unclear": 1, "slow": 1}
    (ended,) = found["ended_jobs"]
    assert (ended["jobs"], ended["failures"], ended["credits"]) == (3, 1, 1)
    assert set(found["job_seconds"]["image_flux_schnell"]) == {"0.5", "0.9", "0.99"}
    assert 29 <= found["webhook_seconds"]["fal"]["0.5"] < 600
    assert found["inbox"] == {"failed": 0, "dead": 1}
    assert found["workers"]["alive"] == 1
    assert found["due"]["jobs"]["count"] == 1
    assert found["due"]["jobs"]["lag_seconds"] >= 90
    assert found["due"]["outputs"]["count"] == 1
    assert found["sessions"] == 2
    assert books.call("worker_beat_age") < 60
    assert found["providers"] == [
        {"provider": "fal", "locked": False, "unwell": False},
        {"provider": "stripe", "locked": False, "unwell": False},
    ]


def test_figures_name_nobody(books: Books) -> None:
    user = books.sign_up(email="ada@example.com", full_name="Ada Lovelace")
    books.call("approve_person", p_actor=books.admin, p_user=user, p_welcome_credits=5)
    books.submitted(user, prompt="A very secret campaign")
    told = str(books.call("metrics")).lower()
    assert not [word for word in ("ada", "example.com", "secret", str(user)) if word in told]
