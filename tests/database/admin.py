"""What the tests of the admin functions share: who may not call them, dead letters, the trail."""

from typing import Any
from uuid import UUID

from tests.database.books import ACCOUNT, QUEUE_URL, Books, Row, completed, event

BROKEN: Row = {"outcome": "nonsense"}  # a verdict that no effect can follow


def second_admin(books: Books) -> UUID:
    """One more admin, made by the first."""
    user = books.person()
    books.call("set_role", p_actor=books.admin, p_user=user, p_role="admin")
    return user


def trail(books: Books, action: str) -> list[dict[str, Any]]:
    return books.all("select * from admin_actions where action = %s order by id", action)


def last_line(books: Books) -> dict[str, Any]:
    return books.one("select * from admin_actions order by id desc limit 1")


def profile(books: Books, user: UUID) -> dict[str, Any]:
    return books.one("select * from profiles where user_id = %s", user)


def call_about(job: UUID, verdict: Row | None = None, **more: Any) -> Row:
    """A call with the headers that the companion keeps."""
    call = event(job, verdict, **more)
    return call | {"headers": {"request_id": call["request_id"], "user_id": ACCOUNT, "timestamp": 1_700_000_000}}


def dead_letter(books: Books, job: UUID) -> int:
    """A call about a job whose effect failed until it was given up; returns the id of the event."""
    call = call_about(job, BROKEN)
    assert books.deliver(call, max_attempts=1) == "failed"
    assert books.deliver(call, max_attempts=2) == "dead"
    found: int = books.value("select id from webhook_events where event_key = %s", call["event_key"])
    return found


def replay(books: Books, event_id: int, verdict: Row | None = None, actor: UUID | None = None) -> Row:
    arguments = replay_arguments(books, event_id, verdict) | ({"p_actor": actor} if actor else {})
    done: Row = books.call("replay_fal_event", **arguments)
    return done


def replay_arguments(books: Books, event_id: int, verdict: Row | None = None) -> Row:
    return {
        "p_actor": books.admin,
        "p_event": event_id,
        "p_verdict": verdict or completed(),
        "p_queue_url": QUEUE_URL,
    }


def stored(books: Books, event_id: int) -> Row:
    return books.one("select * from webhook_events where id = %s", event_id)


def age(books: Books, job: UUID, **times: str) -> None:
    """Let moments of a job lie in the past: `age(books, job, next_check_at="20 minutes")`."""
    for column, ago in times.items():
        books.owner.execute(
            f"update generation_jobs set {column} = now() - %s::interval where id = %s".encode(), (ago, job)
        )
