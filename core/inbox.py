"""Verified webhooks on their way into the database: several in one call, none acknowledged before it is committed."""

import asyncio
from typing import Any

from core.database import get_database
from core.log import get_logger

log = get_logger(__name__)

LARGEST_BATCH = 50
PRESSED = 10  # so many waiting for the next call: they come faster than one by one could be stored


class Inbox:
    """Collects events while a call is under way and sends them together with the next one.

    One caller waits for its own event only; an error of the call reaches every caller of that batch.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[dict[str, Any], asyncio.Future[str]]] = []
        self._sender: asyncio.Task[None] | None = None

    def is_pressed(self) -> bool:
        """Whether calls pile up. From any thread."""
        return len(self._waiting) >= PRESSED

    async def receive(self, event: dict[str, Any]) -> str:
        """Store and apply one event of `receive_fal_events`; returns its result. Raises DatabaseError."""
        result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, result))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())
        return await result

    async def _send(self) -> None:
        while self._waiting:
            batch: list[tuple[dict[str, Any], asyncio.Future[str]]] = []
            later: list[tuple[dict[str, Any], asyncio.Future[str]]] = []
            keys: set[str] = set()
            for event, result in self._waiting:
                # A repeat in the same batch would hide the first one's result: it goes with the next.
                if event["event_key"] in keys or len(batch) == LARGEST_BATCH:
                    later.append((event, result))
                else:
                    keys.add(event["event_key"])
                    batch.append((event, result))
            self._waiting = later
            try:
                events = [event for event, _ in batch]
                results = await asyncio.to_thread(get_database().call, "receive_fal_events", p_events=events)
            except Exception as error:
                log.warning("webhooks_not_stored", count=len(batch), error=str(error))
                for _, result in batch:
                    if not result.done():
                        result.set_exception(error)
                continue
            for event, result in batch:
                if not result.done():
                    result.set_result(results.get(event["event_key"], "failed"))
