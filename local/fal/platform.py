"""fal's platform API, version 1: prices, balance, billing events, usage, analytics, request history.

Source: fal's "Platform APIs" pages. Amounts are JSON numbers there, so they are turned into floats at this last moment;
a decimal with up to 15 digits keeps its exact text that way.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from local.fal.behaviour import Behaviour
from local.fal.endpoints import ENDPOINTS, Endpoint
from local.fal.keys import Keys, platform_error
from local.fal.progress import iso
from local.fal.queries import MAX_IDS, Invalid, bounded, bucket_of, many, page, window
from local.fal.queue import Queue
from local.fal.records import Charge, QueuedRequest
from local.fal.store import Store

_MAX_DAYS = 90


class PlatformApi:
    def __init__(self, queue: Queue, store: Store, keys: Keys, behaviour: Callable[[], Behaviour]) -> None:
        self._queue = queue
        self._store = store
        self._keys = keys
        self._behaviour = behaviour

    def mount(self) -> Mount:
        calls: list[tuple[str, Callable[[Request], dict[str, Any]], str]] = [
            ("/models/pricing", self._pricing, "any"),
            ("/models/billing-events", self._billing_events, "admin"),
            ("/models/usage", self._usage, "admin"),
            ("/models/analytics", self._analytics, "any"),
            ("/models/requests/by-endpoint", self._requests, "any"),
            ("/models", self._models, "none"),
            ("/account/billing", self._billing, "admin"),
            ("/meta", self._meta, "none"),
        ]
        routes = [Route(path, self._guarded(call, key), methods=["GET"]) for path, call, key in calls]
        routes.append(Route("/models/pricing/estimate", self._estimate, methods=["POST"]))
        return Mount("/v1", routes=routes)

    def _guarded(self, call: Callable[[Request], dict[str, Any]], key: str) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            if refused := self._refusal(request, key):
                return refused
            try:
                return JSONResponse(call(request))
            except Invalid as invalid:
                return platform_error(invalid.status, invalid.error_type, str(invalid))

        return answer

    def _refusal(self, request: Request, key: str) -> Response | None:
        if self._behaviour().outage:
            return platform_error(503, "server_error", "Service temporarily unavailable")
        return None if key == "none" else self._keys.platform_refusal(request, admin=key == "admin")

    # Prices

    def _pricing(self, request: Request) -> dict[str, Any]:
        wanted = _known(many(request, "endpoint_id"))
        if not wanted:
            raise Invalid("endpoint_id is required")
        return page([_price(endpoint) for endpoint in wanted], "prices", request, default=MAX_IDS)

    async def _estimate(self, request: Request) -> Response:
        if refused := self._refusal(request, "any"):
            return refused
        try:
            wanted = await request.json()
            kind, endpoints = wanted["estimate_type"], wanted["endpoints"]
            quantity_name = {"unit_price": "unit_quantity", "historical_api_price": "call_quantity"}[kind]
            total = Decimal(0)
            for endpoint in _known(list(endpoints)):
                quantity = Decimal(str(endpoints[endpoint.endpoint_id][quantity_name]))
                total += quantity * (endpoint.unit_price if kind == "unit_price" else self._usual_cost(endpoint))
        except Invalid as invalid:
            return platform_error(invalid.status, invalid.error_type, str(invalid))
        except (ValueError, KeyError, TypeError, InvalidOperation):
            return platform_error(400, "validation_error", "Invalid estimate request")
        return JSONResponse({"estimate_type": kind, "total_cost": float(total), "currency": "USD"})

    def _usual_cost(self, endpoint: Endpoint) -> Decimal:
        costs = [charge.cost_usd for charge in self._charges() if charge.endpoint_id == endpoint.endpoint_id]
        return sum(costs, Decimal(0)) / len(costs) if costs else endpoint.unit_price

    # Money

    def _billing(self, request: Request) -> dict[str, Any]:
        content: dict[str, Any] = {"username": "simulated"}
        if "credits" in many(request, "expand"):
            content["credits"] = {"current_balance": float(self._store.balance()), "currency": "USD"}
        return content

    def _billing_events(self, request: Request) -> dict[str, Any]:
        request_ids, endpoint_ids = many(request, "request_id"), many(request, "endpoint_id")
        # Whether fal looks further back when requests are named, its documentation does not say.
        start, end = window(request, default=timedelta(days=1))
        if end - start > timedelta(days=_MAX_DAYS + 1).total_seconds():
            raise Invalid(f"The time range may span {_MAX_DAYS} days at most")
        events = [
            _event(charge)
            for charge in reversed(self._charges(request_ids or None))
            if start <= charge.charged_at < end and (not endpoint_ids or charge.endpoint_id in endpoint_ids)
        ]
        return page(events, "billing_events", request, default=1000, largest=10_000)

    def _charges(self, request_ids: list[str] | None = None) -> list[Charge]:
        until = time.time() - self._behaviour().billing_lag_s
        return [charge for charge in self._store.charges(request_ids) if charge.charged_at <= until]

    def _usage(self, request: Request) -> dict[str, Any]:
        start, end, timeframe = bounded(request, default=timedelta(days=1))
        wanted = many(request, "endpoint_id")
        buckets: dict[str, dict[str, list[Charge]]] = defaultdict(lambda: defaultdict(list))
        overall: dict[str, list[Charge]] = defaultdict(list)
        for charge in self._charges():
            if start <= charge.charged_at < end and (not wanted or charge.endpoint_id in wanted):
                buckets[bucket_of(charge.charged_at, timeframe)][charge.endpoint_id].append(charge)
                overall[charge.endpoint_id].append(charge)
        series = [
            {"bucket": bucket, "results": [_used(*item) for item in found.items()]} for bucket, found in buckets.items()
        ]
        content = page(series, "time_series", request, default=1000)
        if "summary" in many(request, "expand"):
            content["summary"] = [_used(*item) for item in overall.items()]
        return content

    # History

    def _own(self, request: Request, default: timedelta) -> list[QueuedRequest]:
        wanted = {endpoint.endpoint_id for endpoint in _known(many(request, "endpoint_id"))}
        if not wanted:
            raise Invalid("endpoint_id is required")
        start, end = window(request, default=default)
        return [
            queued
            for queued in self._queue.requests.values()
            if queued.endpoint_id in wanted and queued.ended_at is not None and start <= queued.ended_at < end
        ]

    def _requests(self, request: Request) -> dict[str, Any]:
        ids = many(request, "request_id")
        found = self._own(request, timedelta(days=_MAX_DAYS if ids else 1))
        status = request.query_params.get("status")
        kinds = {"success": (200, 399), "user_error": (400, 499), "error": (500, 599)}
        if status is not None:
            if status not in kinds:
                raise Invalid(f"status must be one of {', '.join(kinds)}")
            low, high = kinds[status]
            found = [queued for queued in found if low <= (queued.status_code or 0) <= high]
        if ids:
            found = [queued for queued in found if queued.request_id in ids]
        found = [queued for queued in found if "unlisted" not in queued.quirks]
        found.sort(key=lambda queued: queued.ended_at or 0, reverse=True)
        payloads = "payloads" in many(request, "expand")
        return page([_history(queued, payloads) for queued in found], "items", request, default=50, largest=100)

    def _analytics(self, request: Request) -> dict[str, Any]:
        by_endpoint: dict[str, list[QueuedRequest]] = defaultdict(list)
        for queued in self._own(request, timedelta(days=1)):
            by_endpoint[queued.endpoint_id].append(queued)
        rows = [_latency(endpoint_id, found) for endpoint_id, found in by_endpoint.items()]
        wanted = many(request, "expand") or ["request_count", "time_series"]
        kept = [{name: row[name] for name in row if name == "endpoint_id" or name in wanted} for row in rows]
        bucket = bucket_of(time.time(), "day")
        content = page([{"bucket": bucket, "results": kept}] if kept else [], "time_series", request, default=1000)
        if "summary" in wanted:
            content["summary"] = kept
        return content

    # Catalogue

    def _models(self, request: Request) -> dict[str, Any]:
        ids = many(request, "endpoint_id")
        text = request.query_params.get("q", "").lower()
        category = request.query_params.get("category")
        models = [
            _model(endpoint)
            for endpoint in (_known(ids) if ids else ENDPOINTS.values())
            if text in f"{endpoint.endpoint_id} {endpoint.title}".lower() and category in (None, endpoint.category)
        ]
        return page(models, "models", request, default=50)

    def _meta(self, request: Request) -> dict[str, Any]:  # noqa: ARG002
        return {"webhook_ip_ranges": ["127.0.0.1/32"]}


def _known(endpoint_ids: Iterable[str]) -> list[Endpoint]:
    wanted = list(dict.fromkeys(endpoint_ids))
    if unknown := [endpoint_id for endpoint_id in wanted if endpoint_id not in ENDPOINTS]:
        raise Invalid(f"Endpoint not found: {', '.join(unknown)}", 404, "not_found")
    return [ENDPOINTS[endpoint_id] for endpoint_id in wanted]


def _price(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "endpoint_id": endpoint.endpoint_id,
        "unit_price": float(endpoint.unit_price),
        "unit": endpoint.unit,
        "currency": "USD",
    }


def _event(charge: Charge) -> dict[str, Any]:
    return {
        "request_id": charge.request_id,
        "endpoint_id": charge.endpoint_id,
        "timestamp": iso(charge.charged_at),
        "output_units": float(charge.units),
        "unit_price": float(charge.unit_price),
        "percent_discount": 0,
        "cost_subtotal": float(charge.cost_usd),
        "cost_discount": 0,
        "cost_total": float(charge.cost_usd),
        "cost_estimate_nano_usd": int(charge.cost_usd * 1_000_000_000),
    }


def _used(endpoint_id: str, charges: list[Charge]) -> dict[str, Any]:
    endpoint = ENDPOINTS[endpoint_id]
    return {
        "endpoint_id": endpoint_id,
        "unit": endpoint.unit,
        "quantity": float(sum((charge.units for charge in charges), Decimal(0))),
        "unit_price": float(endpoint.unit_price),
        "cost_total": float(sum((charge.cost_usd for charge in charges), Decimal(0))),
        "currency": "USD",
    }


def _history(queued: QueuedRequest, payloads: bool) -> dict[str, Any]:
    started, ended = queued.started_at or queued.ended_at or 0.0, queued.ended_at or 0.0
    content: dict[str, Any] = {
        "request_id": queued.request_id,
        "endpoint_id": queued.endpoint_id,
        "started_at": iso(started),
        "sent_at": iso(queued.created_at),
        "ended_at": iso(ended),
        "status_code": queued.status_code,
        "duration": round(ended - started, 6),
    }
    if payloads and queued.store_io:
        content |= {"json_input": queued.inputs, "json_output": queued.body}
    return content


def _latency(endpoint_id: str, found: list[QueuedRequest]) -> dict[str, Any]:
    codes = [queued.status_code or 0 for queued in found]
    runs = sorted((queued.ended_at or 0) - queued.started_at for queued in found if queued.started_at is not None)
    waits = sorted(queued.started_at - queued.created_at for queued in found if queued.started_at is not None)
    row: dict[str, Any] = {
        "endpoint_id": endpoint_id,
        "request_count": len(found),
        "success_count": sum(code < 400 for code in codes),
        "user_error_count": sum(400 <= code < 500 for code in codes),
        "error_count": sum(code >= 500 for code in codes),
    }
    for percent in (50, 75, 90):
        row[f"p{percent}_duration"] = _percentile(runs, percent)
        row[f"p{percent}_prepare_duration"] = _percentile(waits, percent)
    return row


def _percentile(ordered: list[float], percent: int) -> float | None:
    return round(ordered[min(len(ordered) * percent // 100, len(ordered) - 1)], 6) if ordered else None


def _model(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "endpoint_id": endpoint.endpoint_id,
        "metadata": {
            "display_name": endpoint.title,
            "category": endpoint.category,
            "status": "active",
            "duration_estimate": round(endpoint.seconds / 60, 3),
        },
    }
