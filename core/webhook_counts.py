"""Counting webhook calls, also those that are refused and leave no row: per hour, provider and outcome.

A companion counts in memory and adds its counts to the database every few seconds and at its end; one that is killed
loses what it counted since. While the database is away the counts wait.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import Response

from core.database import get_database
from core.errors import DatabaseError
from core.log import get_logger

log = get_logger(__name__)

Outcome = Literal["accepted", "refused", "failed", "not_stored"]
Endpoint = Callable[[Request], Awaitable[Response]]
TELL_SECONDS: Final = 10.0


def outcome_of(status: int) -> Outcome:
    """What an answer says about its call: 200 accepted, 503 not stored, 500 failed, anything else refused."""
    if 200 <= status < 300:
        return "accepted"
    if status == 503:
        return "not_stored"
    return "failed" if status >= 500 else "refused"


class WebhookCounts:
    """The counts of one companion that the database does not have yet. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[tuple[str, Outcome]] = Counter()

    def counted(self, provider: Literal["fal", "stripe"], endpoint: Endpoint) -> Endpoint:
        """The endpoint, with every call counted by what it was answered; an exception counts as failed."""

        async def answer(request: Request) -> Response:
            outcome: Outcome = "failed"
            try:
                response = await endpoint(request)
                outcome = outcome_of(response.status_code)
                return response
            finally:
                with self._lock:
                    self._calls[provider, outcome] += 1

        return answer

    def tell(self) -> None:
        """Add what was counted to the database; when that cannot be done the counts wait for the next time."""
        with self._lock:
            told, self._calls = self._calls, Counter()
        if not told:
            return
        rows = [{"provider": provider, "outcome": outcome, "calls": n} for (provider, outcome), n in told.items()]
        try:
            get_database().call("add_webhook_counts", p_counts=rows)
        except DatabaseError as error:
            with self._lock:
                self._calls += told
            log.warning("webhook_counts_wait", error=error.sentence, detail=error.detail)

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Tells every few seconds while the block lasts, and once more at its end."""
        task = asyncio.create_task(self._keep_telling())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.to_thread(self.tell)

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            await asyncio.to_thread(self.tell)
