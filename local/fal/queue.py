"""The queue's state machine: IN_QUEUE → IN_PROGRESS → COMPLETED. There is no FAILED and no CANCELLED.

Source: fal's "Queue" pages. A failed request is COMPLETED with `error` and `error_type` (infrastructure), or COMPLETED
without either and the model's own status code on the result call.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

from local.fal.behaviour import INFRASTRUCTURE_STATUS, Behaviour
from local.fal.endpoints import ENDPOINTS, Endpoint
from local.fal.inputs import ModelInput, validated
from local.fal.records import ModelError, QueuedRequest, Verdict, plain
from local.fal.store import Store

_log = logging.getLogger(__name__)
_CONTENT_CHECKER = "The content could not be processed because it contained material flagged by a content checker."
_INFRASTRUCTURE_MESSAGES = {
    "request_timeout": "Request timed out",
    "startup_timeout": "Runner startup timed out",
    "runner_disconnected": "Runner disconnected",
    "client_cancelled": "Request was cancelled by the client",
    "internal_error": "Internal server error",
}
_ERROR_SHARE = 0.4  # of a run, after which a failing model fails
_CANCEL_SECONDS = 0.2  # until a runner notices that it should stop

Produce = Callable[[QueuedRequest, Endpoint, ModelInput], Awaitable[tuple[dict[str, Any], Decimal]]]
"""Makes the output: gives the JSON for the caller and the quantity in the endpoint's price unit. Raises ModelError."""


class Queue:
    """Every request, and the tasks that move them on. `on_completed` is told of each verdict, once."""

    def __init__(
        self,
        store: Store,
        behaviour: Callable[[], Behaviour],
        produce: Produce,
        on_completed: Callable[[QueuedRequest], None],
    ) -> None:
        self._store = store
        self._behaviour = behaviour
        self._produce = produce
        self._on_completed = on_completed
        self.requests: dict[str, QueuedRequest] = {}
        self._waiting: list[QueuedRequest] = []
        self._running: dict[str, asyncio.Task[None]] = {}
        self._nudges: dict[str, asyncio.Event] = {}  # set to end the simulated run time of a request early
        self._timers: set[asyncio.TimerHandle] = set()

    # Life

    def resume(self) -> None:
        """Take up what the last run of the simulator left: runs that were cut off start again."""
        self.requests = {request.request_id: request for request in self._store.load()}
        for request in self.requests.values():
            if request.status != "COMPLETED":
                request.status, request.started_at = "IN_QUEUE", None
                self._await_start(request)
            elif not request.webhook_settled:
                self._on_completed(request)
        self._begin_waiting()

    async def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._waiting.clear()  # before the running ones end, or they would let the next ones start
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for request in self.requests.values():
            self._store.save(request)  # the poll counters are saved with the state only

    async def clear(self) -> None:
        await self.close()
        self.requests.clear()

    # What callers ask for

    def add(self, request: QueuedRequest) -> None:
        self.requests[request.request_id] = request
        self._store.add(request)
        self._enqueue(request)

    def position(self, request: QueuedRequest) -> int | None:
        """How many requests wait in front of it; None when it does not wait."""
        return self._waiting.index(request) if request in self._waiting else None

    @property
    def depth(self) -> int:
        return len(self._waiting)

    async def cancel(self, request: QueuedRequest) -> str:
        """What fal answers: CANCELLATION_REQUESTED, OK or ALREADY_COMPLETED."""
        request.cancel_calls += 1
        if request.status == "COMPLETED":
            return "ALREADY_COMPLETED"
        if "cancel_too_late" in request.quirks:
            await self._finish_now(request)
            return "ALREADY_COMPLETED"
        request.cancel_requested = True
        if request.status == "IN_QUEUE" and "cancel_ignored" not in request.quirks:
            self._waiting.remove(request)
            self._complete(request, infrastructure("client_cancelled"))
            return "OK" if self._behaviour().cancel_says_ok else "CANCELLATION_REQUESTED"
        self._nudge(request)
        self._store.save(request)
        return "CANCELLATION_REQUESTED"

    def pump(self) -> None:
        """Start what may start: in order, as far as the account's concurrency goes."""
        now = time.time()
        room = self._behaviour().concurrency - len(self._running)
        for request in [request for request in self._waiting if request.ready_at <= now][: max(room, 0)]:
            self._waiting.remove(request)
            task = asyncio.create_task(self._run(request))
            self._running[request.request_id] = task
            task.add_done_callback(partial(self._ended, request.request_id))

    # What happens by itself

    def _enqueue(self, request: QueuedRequest) -> None:
        self._await_start(request)
        self._begin_waiting()

    def _begin_waiting(self) -> None:
        self._waiting.sort(key=lambda waiting: (waiting.low_priority, waiting.ordinal))
        asyncio.get_running_loop().call_soon(self.pump)

    def _await_start(self, request: QueuedRequest) -> None:
        self._waiting.append(request)
        now = time.time()
        if request.ready_at > now:
            self._later(request.ready_at - now, self.pump)
        if request.start_timeout is not None:
            self._later(max(request.created_at + request.start_timeout - now, 0), lambda: self._expire(request))

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        def run() -> None:
            self._timers.discard(timer)
            action()

        timer = asyncio.get_running_loop().call_later(seconds, run)
        self._timers.add(timer)

    def _expire(self, request: QueuedRequest) -> None:
        if request in self._waiting:
            self._waiting.remove(request)
            self._complete(request, infrastructure("request_timeout"))

    def _ended(self, request_id: str, _: asyncio.Task[None]) -> None:
        self._running.pop(request_id, None)
        self._nudges.pop(request_id, None)
        self.pump()

    def _nudge(self, request: QueuedRequest) -> None:
        if event := self._nudges.get(request.request_id):
            event.set()

    async def _finish_now(self, request: QueuedRequest) -> None:
        request.ready_at = 0.0
        request.quirks.pop("slow", None)
        while request.status != "COMPLETED":
            self.pump()
            self._nudge(request)
            await asyncio.sleep(0.01)

    async def _run(self, request: QueuedRequest) -> None:
        endpoint = ENDPOINTS[request.endpoint_id]
        behaviour = self._behaviour()
        nudge = self._nudges[request.request_id] = asyncio.Event()
        request.status, request.started_at = "IN_PROGRESS", time.time()
        jitter = behaviour.rng(request.ordinal, "run time").uniform(0.85, 1.15)
        request.planned_seconds = endpoint.seconds * jitter * behaviour.speed + float(request.quirks.get("slow", 0))
        self._store.save(request)
        outcome = asyncio.create_task(self._outcome(request, endpoint))
        try:
            nudged = await _nudged(nudge, request.planned_seconds * _share_of_run(request))
            if nudged and request.cancel_requested and "cancel_ignored" not in request.quirks:
                await asyncio.sleep(_CANCEL_SECONDS * behaviour.speed)
                self._complete(request, infrastructure("client_cancelled"))
            else:
                self._complete(request, await outcome)
        finally:
            outcome.cancel()

    async def _outcome(self, request: QueuedRequest, endpoint: Endpoint) -> Verdict:
        quirks = request.quirks
        given: ModelInput | None = None
        if "infra" in quirks:
            return infrastructure(quirks["infra"])
        try:
            given = validated(endpoint.model, request.inputs)
            if "fail" in quirks:
                raise ModelError.one(500, ["body"], "internal_server_error", "Internal server error")
            if "fail422" in quirks or "refuse" in quirks:
                place = "text" if "text" in request.inputs else "prompt"
                raise ModelError.one(422, ["body", place], "content_policy_violation", _CONTENT_CHECKER)
            output, quantity = await self._produce(request, endpoint, given)
        except ModelError as refused:
            verdict = Verdict(refused.status_code, {"detail": refused.detail})
            if given is not None and refused.status_code == 422 and "billed" in quirks:
                units, cost = endpoint.charge(given, Decimal(1))
                verdict = replace(verdict, units=units, cost_usd=cost)
            return verdict
        except Exception:
            _log.exception("The simulator could not produce %s", request.request_id)
            return infrastructure("internal_error")
        if "large" in quirks:
            output["debug"] = "0123456789abcdef" * int(float(quirks["large"]) * 65536)
        units, cost = endpoint.charge(given, quantity)
        return Verdict(200, output, units=units, cost_usd=cost)

    def _complete(self, request: QueuedRequest, verdict: Verdict) -> None:
        if request.status == "COMPLETED":
            return
        request.status, request.ended_at = "COMPLETED", time.time()
        request.status_code, request.body = verdict.status_code, verdict.body
        request.error, request.error_type = verdict.error, verdict.error_type
        if verdict.cost_usd is not None and verdict.units is not None:
            request.units, request.cost_usd = plain(verdict.units), plain(verdict.cost_usd)
        request.webhook_settled = request.webhook_url is None
        self._store.settle(request, ENDPOINTS[request.endpoint_id].unit_price)
        if not request.webhook_settled:
            self._on_completed(request)


def _share_of_run(request: QueuedRequest) -> float:
    """How far a run gets before it ends: a failing one ends early."""
    if "refuse" in request.quirks:
        return 0.0
    return _ERROR_SHARE if {"fail", "fail422", "infra"} & request.quirks.keys() else 1.0


async def _nudged(event: asyncio.Event, seconds: float) -> bool:
    """Wait for so long, or until the event; True when it was the event."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def infrastructure(error_type: str) -> Verdict:
    """The verdict of a run that fal itself could not bring to its end; never billed."""
    message = _INFRASTRUCTURE_MESSAGES.get(error_type, error_type.replace("_", " ").capitalize())
    body = {"detail": message, "error_type": error_type}
    return Verdict(INFRASTRUCTURE_STATUS[error_type], body, error=message, error_type=error_type)
