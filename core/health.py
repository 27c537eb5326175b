"""What a load balancer and a monitoring system ask the companion.

GET /health    alive: the process answers
GET /ready     the database is reached, a worker is beating and ours does not stumble: 200, else 503 with what is wrong
GET /metrics   Prometheus text, for who has the token; without a token for this machine only
"""

import asyncio
import hmac
import ipaddress
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core import metrics
from core.database import get_database
from core.errors import DatabaseError
from core.log import get_logger

log = get_logger(__name__)

LATE_SECONDS: Final = 60.0  # a worker without a beat for longer is not working
FRESH_SECONDS: Final = 2.0  # one look serves all who ask within: the address may be open to anybody
# What a proxy adds: a call that it passed on comes from this machine and is not.
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")


async def health(_request: Request) -> Response:
    """Alive: the process answers."""
    return JSONResponse({"status": "ok"})


class Readiness:
    """Whether work can be done here: 200 {"status": "ready"}, or 503 {"status": "not ready", "problems": [...]}."""

    def __init__(self, trouble: Callable[[], list[str]]) -> None:
        self._trouble = trouble
        self._lock = asyncio.Lock()
        self._looked_at = float("-inf")
        self._problems: list[str] = []

    async def answer(self, _request: Request) -> Response:
        async with self._lock:
            if time.monotonic() - self._looked_at >= FRESH_SECONDS:
                self._problems = [*await asyncio.to_thread(problems), *self._trouble()]
                self._looked_at = time.monotonic()
        if self._problems:
            return JSONResponse({"status": "not ready", "problems": self._problems}, 503)
        return JSONResponse({"status": "ready"})


def problems() -> list[str]:
    """Why nothing would be done with a job now; empty when all is well."""
    try:
        age: float | None = get_database().call("worker_beat_age")
    except DatabaseError as error:
        log.warning("not_ready", error=error.sentence, detail=error.detail)
        return ["The database cannot be reached."]
    if age is None:
        return ["No worker has ever run."]
    return [f"No worker has been seen for {age:.0f} s."] if age > LATE_SECONDS else []


class Metrics:
    """Prometheus text. `tokens`: any of these as a bearer token; none: callers on this machine, not passed on."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tuple(token.encode() for token in tokens)

    async def answer(self, request: Request) -> Response:
        if not self._may_see(request):
            return Response(status_code=401, headers={"www-authenticate": "Bearer"})
        try:
            told = await asyncio.to_thread(metrics.text)
        except DatabaseError as error:
            log.warning("metrics_not_told", error=error.sentence, detail=error.detail)
            return Response(status_code=503)
        return Response(told, headers={"content-type": metrics.CONTENT_TYPE, "cache-control": "no-store"})

    def _may_see(self, request: Request) -> bool:
        if self._tokens:
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            matches = [hmac.compare_digest(token, given.strip().encode()) for token in self._tokens]
            return scheme.lower() == "bearer" and any(matches)
        return _is_local(request.client) and not any(name in request.headers for name in _FORWARDED)


def _is_local(client: Any) -> bool:
    try:
        return client is not None and ipaddress.ip_address(client.host).is_loopback
    except ValueError:
        return False


def routes(metrics_tokens: Sequence[str] = (), trouble: Callable[[], list[str]] = list) -> list[Route]:
    """The three routes; `metrics_tokens` are the values of METRICS_TOKEN (several while one is being replaced),
    `trouble` tells what the worker of this process cannot do any more."""
    return [
        Route("/health", health),
        Route("/ready", Readiness(trouble).answer),
        Route("/metrics", Metrics(metrics_tokens).answer),
    ]
