"""The control API under `/_sim/`: see what happened, and make things go wrong. Loopback only, no key.

`GET /_sim/state`, `POST /_sim/behaviour|foreign|deliver|reset` (JSON), and a small page at `/_sim/`.
"""

import ipaddress
import json
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from local.fal.behaviour import Behaviour
from local.fal.control_page import render
from local.fal.endpoints import ENDPOINTS
from local.fal.queue import Queue
from local.fal.records import QueuedRequest, plain
from local.fal.store import STARTING_BALANCE, Store
from local.fal.tally import Tally
from local.fal.webhooks import ACCOUNT_USER_ID, Courier

_SHOWN_REQUESTS = 1000


class Wrong(Exception):
    """The control call makes no sense; the message says why."""


class Control:
    def __init__(self, queue: Queue, courier: Courier, store: Store, tally: Tally) -> None:
        self._queue = queue
        self._courier = courier
        self._store = store
        self._tally = tally
        self.behaviour = self._kept_behaviour()

    def current(self) -> Behaviour:
        return self.behaviour

    def balance_left(self) -> bool:
        return self._store.balance() > 0

    def mount(self) -> Mount:
        return Mount(
            "/_sim",
            routes=[
                Route("/", self._loopback(self._page)),
                Route("/state", self._loopback(self._state)),
                Route("/behaviour", self._loopback(self._show_behaviour), methods=["GET"]),
                Route("/behaviour", self._loopback(self._set_behaviour), methods=["POST"]),
                Route("/foreign", self._loopback(self._foreign), methods=["POST"]),
                Route("/deliver", self._loopback(self._deliver), methods=["POST"]),
                Route("/reset", self._loopback(self._reset), methods=["POST"]),
            ],
        )

    def _loopback(self, call: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            if request.client is None or not ipaddress.ip_address(request.client.host).is_loopback:
                return JSONResponse({"detail": "Only this machine may control the simulator"}, 403)
            # A page elsewhere cannot send this type without asking first, and it gets no permission.
            if request.method == "POST" and not request.headers.get("content-type", "").startswith("application/json"):
                return JSONResponse({"detail": "Send application/json"}, 415)
            try:
                return await call(request)
            except Wrong as wrong:
                return JSONResponse({"detail": str(wrong)}, 422)

        return answer

    # Behaviour

    def _kept_behaviour(self) -> Behaviour:
        kept = self._store.setting("behaviour")
        return Behaviour.model_validate_json(kept) if kept else Behaviour()

    def everything(self) -> dict[str, Any]:
        return {**self.behaviour.model_dump(mode="json"), "balance": plain(self._store.balance())}

    async def _show_behaviour(self, request: Request) -> Response:  # noqa: ARG002
        return JSONResponse(self.everything())

    async def _set_behaviour(self, request: Request) -> Response:
        wanted = await _json(request)
        balance = wanted.pop("balance", None)
        amount = None if balance is None else _decimal("balance", balance)
        try:
            self.behaviour = Behaviour.model_validate(self.behaviour.model_dump() | wanted)
        except ValidationError as refused:
            first = refused.errors()[0]
            raise Wrong(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from refused
        self._store.set_setting("behaviour", self.behaviour.model_dump_json())
        if amount is not None:
            self._store.set_balance(amount)
        self._queue.pump()
        return JSONResponse(self.everything())

    # State

    async def _state(self, request: Request) -> Response:
        newest = list(self._queue.requests.values())
        only = request.query_params.get("request_id")
        shown = [queued for queued in newest if only in (None, queued.request_id)][-_SHOWN_REQUESTS:]
        submissions = self._submissions()
        described = [_described(queued, submissions[queued.submission_key]) for queued in shown]
        return JSONResponse({**self._summary(), "requests": described})

    def _summary(self) -> dict[str, Any]:
        everything = self._queue.requests.values()
        submissions = self._submissions()
        return {
            "user_id": ACCOUNT_USER_ID,
            "behaviour": self.everything(),
            "counts": {
                "accepted": sum(not queued.foreign for queued in everything),
                "refused": {str(status): count for status, count in sorted(self._tally.refusals.items())},
                "submitted_twice": sum(count > 1 for count in submissions.values()),
                **{status: sum(queued.status == status for queued in everything) for status in _STATUSES},
                "failed": sum(queued.status == "COMPLETED" and queued.status_code != 200 for queued in everything),
                "foreign": sum(queued.foreign for queued in everything),
                "webhooks_sent": sum(queued.webhooks_sent for queued in everything),
                "webhooks_acknowledged": sum(queued.webhooks_acknowledged for queued in everything),
                "webhooks_owed": self._courier.open_deliveries,
                "status_polls": sum(queued.status_polls for queued in everything),
                "result_polls": sum(queued.result_polls for queued in everything),
                "cancel_calls": sum(queued.cancel_calls for queued in everything),
            },
            "billed_usd": plain(sum((charge.cost_usd for charge in self._store.charges()), Decimal(0))),
        }

    def _submissions(self) -> Counter[str]:
        return Counter(queued.submission_key for queued in self._queue.requests.values() if not queued.foreign)

    async def _page(self, request: Request) -> Response:  # noqa: ARG002
        newest = list(self._queue.requests.values())[-40:][::-1]
        return HTMLResponse(render(self._summary(), self.behaviour, newest))

    # Actions

    async def _foreign(self, request: Request) -> Response:
        """`{"endpoint_id", "count"=1, "quantity"="1", "ago_s"=0}`: billed, but not asked for by us."""
        wanted = await _json(request)
        endpoint = ENDPOINTS.get(str(wanted.get("endpoint_id", "fal-ai/flux/dev")))
        if endpoint is None:
            raise Wrong("endpoint_id is not one of ours")
        count, quantity = (
            int(_decimal("count", wanted.get("count", 1))),
            _decimal("quantity", wanted.get("quantity", 1)),
        )
        ended = time.time() - float(_decimal("ago_s", wanted.get("ago_s", 0)))
        made = [_foreign_request(endpoint.endpoint_id, ended, self._tally.accepted()) for _ in range(count)]
        for queued in made:
            queued.units, queued.cost_usd = plain(quantity), plain(quantity * endpoint.unit_price)
            self._queue.requests[queued.request_id] = queued
            self._store.add(queued)
            self._store.settle(queued, endpoint.unit_price)
        return JSONResponse({"request_ids": [queued.request_id for queued in made]})

    async def _deliver(self, request: Request) -> Response:
        """`{"request_id", "url"?, "timestamp"?, "user_id"?, "forged"?, "count"?}`: send its webhook now, once each."""
        wanted = await _json(request)
        queued = self._queue.requests.get(str(wanted.get("request_id")))
        url = wanted.get("url") or (queued and queued.webhook_url)
        if queued is None or queued.status != "COMPLETED" or not url:
            raise Wrong("request_id must name a completed request, with a webhook or a url here")
        timestamp = wanted.get("timestamp")
        statuses = [
            await self._courier.send(
                queued,
                kind="asked for",
                url=str(url),
                user_id=str(wanted.get("user_id", ACCOUNT_USER_ID)),
                timestamp=None if timestamp is None else int(timestamp),
                forged=bool(wanted.get("forged", False)),
            )
            for _ in range(int(_decimal("count", wanted.get("count", 1))))
        ]
        return JSONResponse({"status_code": statuses[-1] if statuses else None, "status_codes": statuses})

    async def _reset(self, request: Request) -> Response:  # noqa: ARG002
        """Forget requests, money and behaviour. The signing key and the files stay."""
        self._courier.forget()
        await self._queue.clear()
        self._store.clear()
        self._store.set_balance(STARTING_BALANCE)
        self._tally.clear()
        self.behaviour = Behaviour()
        return JSONResponse(self.everything())


_DESCRIBED = (
    "request_id",
    "endpoint_id",
    "ordinal",
    "status",
    "status_code",
    "error_type",
    "quirks",
    "extra_fields",
    "foreign",
    "webhook_url",
    "submission_key",
    "cancel_requested",
    "created_at",
    "started_at",
    "ended_at",
    "units",
    "cost_usd",
    "status_polls",
    "result_polls",
    "cancel_calls",
    "webhooks_sent",
    "webhooks_acknowledged",
    "webhook_settled",
    "deliveries",
)
_STATUSES = ("IN_QUEUE", "IN_PROGRESS", "COMPLETED")


def _described(queued: QueuedRequest, submissions: int) -> dict[str, Any]:
    """`submissions` counts the accepted ones that mean the same job: the same webhook URL, else the same inputs."""
    return {**{name: getattr(queued, name) for name in _DESCRIBED}, "submissions": submissions}


def _foreign_request(endpoint_id: str, ended: float, ordinal: int) -> QueuedRequest:
    request_id = str(uuid.uuid4())
    return QueuedRequest(
        request_id=request_id,
        gateway_request_id=request_id,
        endpoint_id=endpoint_id,
        inputs={"prompt": "made elsewhere"},
        base_url="",
        ordinal=ordinal,
        submission_key=f"foreign {request_id}",
        created_at=ended - 1,
        ready_at=ended - 1,
        foreign=True,
        status="COMPLETED",
        started_at=ended - 1,
        ended_at=ended,
        status_code=200,
        body={},
    )


def _decimal(name: str, value: Any) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation as wrong:
        raise Wrong(f"{name} must be a number") from wrong


async def _json(request: Request) -> dict[str, Any]:
    try:
        content = json.loads(await request.body() or b"{}")
    except ValueError as wrong:
        raise Wrong("the body is not valid JSON") from wrong
    if not isinstance(content, dict):
        raise Wrong("the body must be a JSON object")
    return content
