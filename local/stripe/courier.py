"""Events as Stripe sends them: signed, retried until answered 2xx, and here also late, twice, reversed or forged.

Source: Stripe's documentation, "Receive Stripe events in your webhook endpoint". Stripe tries for three days with
growing pauses; the pauses here are shorter, so that somebody who watches sees the second try.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import httpx

from local.stripe.behaviour import Behaviour
from local.stripe.store import Delivery, Store

RETRY_WAITS_S: Final = (1.0, 3.0, 10.0, 30.0, 60.0, 120.0)  # the last one again and again
GIVE_UP_AFTER_S: Final = 3 * 24 * 3600
REORDER_WINDOW_S: Final = 1.0
_TURN_S = 0.25
_TIMEOUT_S = 15.0
_AT_ONCE = 10


def signature(body: bytes, secrets: tuple[str, ...], timestamp: int) -> str:
    """The header Stripe-Signature: HMAC-SHA256 over `timestamp.body`, one `v1` for each secret."""
    signed = str(timestamp).encode() + b"." + body
    marks = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={timestamp}", *(f"v1={mark}" for mark in marks)])


class Courier:
    """Sends what the store says is owed, until it is told to stop; what is left is sent after the next start."""

    def __init__(
        self,
        store: Store,
        url: str,
        secrets: tuple[str, ...],
        behaviour: Callable[[], Behaviour],
        tick: Callable[[], None],
    ) -> None:
        """`tick` lets time pass in the till, before each look at what is owed."""
        self._store = store
        self._url = url
        self._secrets = secrets
        self._behaviour = behaviour
        self._tick = tick
        self._client = httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._client.aclose()

    def delay(self) -> float:
        """Seconds that a new event waits: the setting, and when reordering a moment for others to come."""
        behaviour = self._behaviour()
        return behaviour.delay_seconds + (REORDER_WINDOW_S if behaviour.reorder else 0)

    async def _run(self) -> None:
        while True:
            self._tick()
            due = self._store.due(time.time())
            if self._behaviour().reorder:
                for delivery in reversed(due):
                    await self._deliver(delivery)
            else:
                await asyncio.gather(*map(self._deliver, due[:_AT_ONCE]))
            await asyncio.sleep(_TURN_S)

    async def _deliver(self, delivery: Delivery) -> None:
        event = self._store.find("event", delivery.event_id)
        if event is None:
            raise LookupError(f"{delivery.event_id} is owed and does not exist.")
        behaviour = self._behaviour()
        if behaviour.lose:
            self._store.record_try(delivery.event_id, None, time.time(), None)
            return
        body = json.dumps(event, indent=2).encode()
        if behaviour.forge:
            await self._send(body, ("whsec_of_somebody_else",))
        status = await self._send(body, self._secrets)
        if status is not None and 200 <= status < 300:
            for _ in range(behaviour.repeat - 1):
                await self._send(body, self._secrets)
        wait = RETRY_WAITS_S[min(delivery.attempts, len(RETRY_WAITS_S) - 1)]
        now = time.time()
        next_at = None if now - event["created"] > GIVE_UP_AFTER_S else now + wait
        self._store.record_try(delivery.event_id, status, now, next_at)

    async def _send(self, body: bytes, secrets: tuple[str, ...]) -> int | None:
        """The status of the answer, None when there was none."""
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(body, secrets, int(time.time())),
            "User-Agent": "Stripe/1.0 (simulated)",
        }
        try:
            answer = await self._client.post(self._url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL):
            return None  # recorded by the caller; the next try is the remedy
        return answer.status_code
