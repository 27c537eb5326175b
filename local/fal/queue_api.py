"""The queue over HTTP: submit, status, result, cancel.

Source: fal's "Queue" pages and fal-client 1.0.3. The URLs that a submit returns use `{owner}/{app}` only; the full
endpoint path, a `/response` suffix and a trailing slash are accepted as aliases.
"""

import asyncio
import hashlib
import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.fal.behaviour import Behaviour, UnknownQuirk
from local.fal.endpoints import ENDPOINTS
from local.fal.inputs import validated
from local.fal.keys import Keys
from local.fal.progress import log_lines
from local.fal.queue import Queue
from local.fal.records import ModelError, QueuedRequest
from local.fal.tally import Tally

_SOON = 0.15  # seconds in the queue at least, at speed 1
_RESULT_KEPT_S, _LARGE_RESULT_KEPT_S, _LARGE_RESULT_BYTES = 3600, 360, 10_000  # without payload storage


class QueueApi:
    """`balance_left` tells whether the account can pay for more."""

    def __init__(
        self,
        queue: Queue,
        keys: Keys,
        tally: Tally,
        behaviour: Callable[[], Behaviour],
        balance_left: Callable[[], bool],
    ) -> None:
        self._queue = queue
        self._keys = keys
        self._tally = tally
        self._behaviour = behaviour
        self._balance_left = balance_left

    def routes(self) -> list[Route]:
        return [Route("/{path:path}", self._dispatch, methods=["GET", "POST", "PUT"])]

    async def _dispatch(self, request: Request) -> Response:
        path = request.path_params["path"].strip("/")
        if self._behaviour().outage:
            return _infrastructure_error(503, "Service temporarily unavailable", "runner_scheduling_failure")
        if refused := self._keys.refusal(request):
            self._tally.refused(401)
            return refused
        if request.method == "POST":
            return await self._submit(request, path)
        found, verb = self._find(path)
        if found is None:
            return _reply({"status": "NOT_FOUND"} if verb == "cancel" else {"detail": "Request not found"}, 404)
        if request.method == "PUT" and verb == "cancel":
            return await self._cancel(found)
        if request.method == "GET" and verb == "status":
            return self._status(request, found)
        if request.method == "GET" and verb in ("", "response"):
            return self._result(found)
        return _reply({"detail": "Method Not Allowed"}, 405)

    def _find(self, path: str) -> tuple[QueuedRequest | None, str]:
        """The request that a URL path means, and what is asked of it."""
        app, marker, rest = path.partition("/requests/")
        request_id, _, verb = rest.partition("/")
        found = self._queue.requests.get(request_id) if marker else None
        if found is not None and app not in (found.endpoint_id, app_of(found.endpoint_id)):
            return None, verb
        return found, verb

    # Submit

    async def _submit(self, request: Request, endpoint_id: str) -> Response:
        endpoint = ENDPOINTS.get(endpoint_id)
        if endpoint is None:
            return self._refuse(404, f"Application '{endpoint_id}' not found")
        try:
            body = json.loads(await request.body())
        except ValueError:
            return self._refuse(400, "The request body is not valid JSON")
        if not isinstance(body, dict):
            return self._refuse(422, "The request body must be a JSON object")
        behaviour = self._behaviour()
        try:
            quirks = behaviour.decide(body, request.headers.get("x-sim", ""), self._tally.attempts + 1)
        except UnknownQuirk as unknown:
            return self._refuse(400, str(unknown))
        if refused := self._gate(request, quirks):
            return refused
        if behaviour.validate_at_submit:
            try:
                validated(endpoint.model, body)
            except ModelError as wrong:
                self._tally.refused(422)
                return _reply({"detail": wrong.detail}, 422)
        queued = self._accept(request, endpoint_id, body, quirks)
        return await self._answer_submit(request, queued)

    def _gate(self, request: Request, quirks: dict[str, str]) -> Response | None:
        """What is refused before anything is queued."""
        behaviour = self._behaviour()
        if behaviour.locked or "locked" in quirks:
            return self._refuse(403, f"User is locked. Reason: {behaviour.lock_reason}")
        if not self._balance_left():
            exhausted = "Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
            return self._refuse(403, f"User is locked. Reason: {exhausted}")
        if "429" in quirks:
            return self._refuse(429, "Too many requests")
        if "submit_500_dropped" in quirks:
            return self._refuse(500, "Internal Server Error")
        timeout = _start_timeout(request)
        if timeout is not None and not re.fullmatch(r"\d+(\.\d+)?", timeout):
            return self._refuse(400, "X-Fal-Request-Timeout must be a number of seconds")
        longest = request.query_params.get("fal_max_queue_length")
        if longest is not None and (not longest.isdigit() or self._queue.depth >= int(longest)):
            return self._refuse(429, "The queue is longer than fal_max_queue_length")
        return None

    def _refuse(self, status: int, detail: str) -> Response:
        self._tally.refused(status)
        return _reply({"detail": detail}, status)

    def _accept(
        self, request: Request, endpoint_id: str, body: dict[str, Any], quirks: dict[str, str]
    ) -> QueuedRequest:
        behaviour, now = self._behaviour(), time.time()
        request_id = str(uuid.uuid4())
        webhook = request.query_params.get("fal_webhook")
        timeout = _start_timeout(request)
        model = ENDPOINTS[endpoint_id].model
        queued = QueuedRequest(
            request_id=request_id,
            gateway_request_id=str(uuid.uuid4()) if "retried" in quirks else request_id,
            endpoint_id=endpoint_id,
            inputs=body,
            base_url=str(request.base_url).rstrip("/"),
            ordinal=self._tally.accepted(),
            submission_key=webhook or _fingerprint(endpoint_id, body),
            created_at=now,
            ready_at=now + float(quirks.get("queue", _SOON * behaviour.speed)),
            webhook_url=webhook,
            low_priority=request.headers.get("x-fal-queue-priority") == "low",
            start_timeout=float(timeout) if timeout else None,
            store_io=request.headers.get("x-fal-store-io") != "0",
            quirks=quirks,
            extra_fields=sorted(body.keys() - model.model_fields.keys()),
        )
        self._queue.add(queued)
        return queued

    async def _answer_submit(self, request: Request, queued: QueuedRequest) -> Response:
        if "submit_timeout" in queued.quirks:
            await _wait_for_hang_up(request, self._behaviour().submit_timeout_s)
        if "submit_reset" in queued.quirks:
            return await _drop_connection(request)
        if "submit_500_accepted" in queued.quirks:
            return _reply({"detail": "Internal Server Error"}, 500)
        return _reply(
            {
                "status": "IN_QUEUE",
                "request_id": queued.request_id,
                "gateway_request_id": queued.gateway_request_id,
                **_urls(queued),
                "queue_position": self._queue.position(queued) or 0,
                "logs": None,
                "metrics": {},
            },
            200,
            queued,
        )

    # Afterwards

    def _status(self, request: Request, queued: QueuedRequest) -> Response:
        queued.status_polls += 1
        if _counts_down(queued, "outage"):
            return _infrastructure_error(503, "Service temporarily unavailable", "runner_connection_error")
        content: dict[str, Any] = {
            "status": queued.status,
            "request_id": queued.request_id,
            **_urls(queued),
            "queue_position": self._queue.position(queued),
            "logs": None,
        }
        if _counts_down(queued, "paused"):
            return _reply({**content, "status": "PAUSED"}, 202, queued)
        if queued.status != "IN_QUEUE" and request.query_params.get("logs", "").lower() in ("1", "true"):
            content["logs"] = log_lines(queued, ENDPOINTS[queued.endpoint_id], time.time())
        if queued.status != "COMPLETED":
            return _reply(content, 202, queued)
        started, ended = queued.started_at, queued.ended_at
        ran = ended - started if started is not None and ended is not None else None
        content["metrics"] = {} if ran is None else {"inference_time": round(ran, 6)}
        if queued.error is not None:
            content |= {"error": queued.error, "error_type": queued.error_type}
        return _reply(content, 200, queued)

    def _result(self, queued: QueuedRequest) -> Response:
        queued.result_polls += 1
        if _counts_down(queued, "outage"):
            return _infrastructure_error(503, "Service temporarily unavailable", "runner_connection_error")
        if queued.status != "COMPLETED" or queued.ended_at is None:
            return _reply({"detail": "Request is still in progress"}, 400, queued)
        if "expired" in queued.quirks or (
            not queued.store_io and time.time() > queued.ended_at + _kept_seconds(queued)
        ):
            return _reply({"detail": "Request not found"}, 404, queued)
        if _counts_down(queued, "result_500"):
            return _infrastructure_error(500, "Internal server error", "internal_error")
        reply = _reply(queued.body, queued.status_code or 500, queued)
        if queued.units is not None:
            reply.headers["X-Fal-Billable-Units"] = queued.units
        if queued.error_type is not None:
            reply.headers["X-Fal-Error-Type"] = queued.error_type
        if queued.error_type == "request_timeout":
            reply.headers["X-Fal-Request-Timeout-Type"] = "user"
        return reply

    async def _cancel(self, queued: QueuedRequest) -> Response:
        answer = await self._queue.cancel(queued)
        status = {"ALREADY_COMPLETED": 400, "OK": 200}.get(answer, 202)
        return _reply({"status": answer}, status, queued)


def app_of(endpoint_id: str) -> str:
    """`owner/app` of `owner/app/sub/path`."""
    return "/".join(endpoint_id.split("/")[:2])


def _start_timeout(request: Request) -> str | None:
    return request.headers.get("x-fal-request-start-timeout") or request.headers.get("x-fal-request-timeout")


def _urls(queued: QueuedRequest) -> dict[str, str]:
    base = f"{queued.base_url}/{app_of(queued.endpoint_id)}/requests/{queued.request_id}"
    return {"response_url": base, "status_url": f"{base}/status", "cancel_url": f"{base}/cancel"}


def _reply(content: Any, status: int, queued: QueuedRequest | None = None) -> JSONResponse:
    request_id = str(uuid.uuid4()) if queued is None else queued.request_id
    return JSONResponse(content, status, headers={"x-fal-request-id": request_id})


def _infrastructure_error(status: int, detail: str, error_type: str) -> JSONResponse:
    reply = _reply({"detail": detail, "error_type": error_type}, status)
    reply.headers["X-Fal-Error-Type"] = error_type
    return reply


def _fingerprint(endpoint_id: str, body: dict[str, Any]) -> str:
    content = json.dumps([endpoint_id, body], sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def _counts_down(queued: QueuedRequest, quirk: str) -> bool:
    """True for as many calls as the quirk says."""
    left = float(queued.quirks.get(quirk, 0))
    if left < 1:
        return False
    queued.quirks[quirk] = str(left - 1)
    return True


def _kept_seconds(queued: QueuedRequest) -> int:
    large = len(json.dumps(queued.body)) >= _LARGE_RESULT_BYTES
    return _LARGE_RESULT_KEPT_S if large else _RESULT_KEPT_S


async def _wait_for_hang_up(request: Request, seconds: float) -> None:
    async def hung_up() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(hung_up(), seconds)
    except TimeoutError:
        return  # the caller was patient; it gets its answer after all


async def _drop_connection(request: Request) -> Response:
    transport: asyncio.Transport | None = request.scope.get("transport")
    if transport is None:
        raise ConnectionResetError("the simulator was asked to drop the connection")
    transport.abort()
    await asyncio.sleep(0.05)  # the server notices on its next turn, and then sends nothing
    return Response()
