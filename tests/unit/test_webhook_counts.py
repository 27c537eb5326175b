"""Counting calls: what an answer means, nothing lost while the database is away, nothing told twice."""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from core import webhook_counts
from core.errors import DatabaseUnavailable
from core.webhook_counts import WebhookCounts, outcome_of


class Database:
    """Stands in for the database and adds up what it is told; `away` refuses, `in_between` runs during a call."""

    def __init__(self) -> None:
        self.told: Counter[tuple[str, str]] = Counter()
        self.calls = 0
        self.away = False
        self.in_between: Callable[[], object] = lambda: None

    def call(self, function: str, p_counts: list[dict[str, Any]]) -> None:
        assert function == "add_webhook_counts"
        self.calls += 1
        self.in_between()
        if self.away:
            raise DatabaseUnavailable("Away.")
        for row in p_counts:
            self.told[row["provider"], row["outcome"]] += row["calls"]


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    database = Database()
    monkeypatch.setattr(webhook_counts, "get_database", lambda: database)
    return database


def call(counts: WebhookCounts, status: int) -> None:
    async def endpoint(_request: Request) -> Response:
        return Response(status_code=status)

    asyncio.run(send(counts, endpoint))


async def send(counts: WebhookCounts, endpoint: webhook_counts.Endpoint) -> None:
    await counts.counted("fal", endpoint)(Request({"type": "http", "headers": []}))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "accepted"),
        (400, "refused"),
        (401, "refused"),
        (408, "refused"),
        (413, "refused"),
        (500, "failed"),
        (503, "not_stored"),
    ],
)
def test_what_an_answer_says_about_its_call(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome


def test_calls_are_told_once(database: Database) -> None:
    counts = WebhookCounts()
    for status in (200, 200, 401, 500):
        call(counts, status)
    counts.tell()
    counts.tell()
    assert database.calls == 1
    assert database.told == {("fal", "accepted"): 2, ("fal", "refused"): 1, ("fal", "failed"): 1}


def test_an_endpoint_that_breaks_is_counted_and_still_breaks(database: Database) -> None:
    async def broken(_request: Request) -> Response:
        raise RuntimeError("broken")

    counts = WebhookCounts()
    with pytest.raises(RuntimeError, match="broken"):
        asyncio.run(send(counts, broken))
    counts.tell()
    assert database.told == {("fal", "failed"): 1}


def test_while_the_database_is_away_the_counts_wait(database: Database) -> None:
    counts = WebhookCounts()
    database.away = True
    database.in_between = lambda: call(counts, 401)  # comes in while the first are under way
    call(counts, 200)
    counts.tell()
    assert not database.told
    database.away = False
    database.in_between = lambda: None
    counts.tell()
    assert database.told == {("fal", "accepted"): 1, ("fal", "refused"): 1}


def test_counts_from_many_threads_are_all_told(database: Database) -> None:
    counts = WebhookCounts()

    def many() -> None:
        for _ in range(20):
            call(counts, 200)

    with ThreadPoolExecutor(4) as threads:
        for _ in range(4):
            threads.submit(many)
            threads.submit(counts.tell)
    counts.tell()
    assert database.told == {("fal", "accepted"): 80}


def test_what_was_counted_is_told_while_it_runs_and_at_the_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_counts, "TELL_SECONDS", 0.001)
    counts = WebhookCounts()

    async def answer(_request: Request) -> Response:
        return Response()

    async def run() -> None:
        async with counts.telling():
            await send(counts, answer)
            while not database.told:  # the test would hang, and so fail, if nobody told
                await asyncio.sleep(0.001)
            monkeypatch.setattr(webhook_counts, "TELL_SECONDS", 3600.0)
            await asyncio.sleep(0.01)
            await send(counts, answer)
        assert database.told == {("fal", "accepted"): 2}

    asyncio.run(asyncio.wait_for(run(), 30))
