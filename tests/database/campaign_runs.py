"""A run in tests: started, claimed, its jobs made and ended."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.database.books import Books, Row
from tests.database.campaigns import (
    clip_job,
    clips_of,
    send,
    uuids,
)


@pytest.fixture(name="user")
def user_fixture(books: Books) -> UUID:
    return books.person(100)


def start(
    books: Books,
    user: UUID,
    campaign: UUID,
    first: str = "first_frame",
    last: str | None = None,
    *,
    amount: int = 1000,
    clips: Iterable[UUID] | None = None,
    run: UUID | None = None,
) -> UUID:
    run = run or uuid4()
    books.call(
        "start_campaign_run",
        p_run=run,
        p_actor=user,
        p_campaign=campaign,
        p_first_step=first,
        p_last_step=last or first,
        p_clips=uuids(clips_of(books, campaign) if clips is None else clips),
        p_confirmed_credits=amount,
    )
    return run


def claim(books: Books, runs: int = 4, clips: int = 8) -> list[Row]:
    claimed: list[Row] = books.call("claim_run_clips", p_runs=runs, p_clips=clips)
    return claimed


def job_for(item: Row, **more: Any) -> Row:
    """The arguments with which a worker creates the job of a claimed clip."""
    source = item["source"]
    return clip_job(
        UUID(item["user_id"]),
        UUID(item["clip_id"]),
        item["step"],
        UUID(item["next_job_id"]),
        run=UUID(item["run_id"]),
        made_from=UUID(source["id"]) if source else None,
        **more,
    )


def carry_on(books: Books) -> list[UUID]:
    """What a worker does at one beat; the jobs that it created and sent."""
    jobs = []
    for item in claim(books):
        row = books.call("create_clip_job", **job_for(item))
        jobs.append(UUID(row["id"]))
        send(books, jobs[-1])
    return jobs


def run_now(books: Books, user: UUID, run: UUID) -> Row:
    claim(books, 0)  # brings the states up to date
    now: Row = books.call("campaign_run", p_actor=user, p_run=run)
    return now


def states(run: Row) -> list[tuple[str, str]]:
    return [(clip["step"], clip["state"]) for clip in run["clips"]]
