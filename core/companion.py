"""The companion: receives what Streamlit cannot, and runs the worker.

    POST /webhooks/fal?job=<id>&token=<HMAC>   fal.ai's verdicts, signed (Ed25519)
    POST /webhooks/stripe                      Stripe's events, signed (HMAC)
    GET  /health, /ready, /metrics             for load balancers and monitoring

A call is tied to the job by the token in its address, read raw and limited in size, verified, stored and settled in one
transaction, and only then answered 200. What cannot be verified gets 401 and leaves no row; an effect that failed gets
500, so that fal.ai calls again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core import health
from core.errors import AtelierError, WebhookRefused
from core.fal.verdict import Verdict, verdict_of_webhook
from core.fal.webhooks import VerifiedCall, WebhookVerifier, parse_call
from core.inbox import Inbox
from core.log import configure, get_logger
from core.request_body import BodyReader, BodyRefused
from core.sealing import token_matches
from core.settings import settings_or_exit
from core.settling import verdict_row
from core.stripe_webhook import stripe_webhook
from core.webhook_counts import WebhookCounts
from core.worker import Worker

log = get_logger(__name__)

REFUSED = {"wrong_account", "wrong_request", "never_sent"}


async def fal_webhook(request: Request) -> Response:
    """Take one call of fal.ai. 200 done or known already, 401 not ours, 400, 408, 413, 415 body refused, 500, 503 call
    again."""
    state = request.app.state
    job_id, token = request.query_params.get("job", ""), request.query_params.get("token", "")
    try:
        # The cheap check first: a stranger without the token is not even listened to.
        job_id = str(UUID(job_id))
        if not token_matches(job_id, token):
            raise WebhookRefused("token")
        body = await state.fal_bodies.read(request)
        call, parsed, verdict = await asyncio.to_thread(_believed, state.verifier, body, request.headers.items())
    except BodyRefused as error:
        log.warning("webhook_body_refused", reason=str(error), job_id=job_id)
        return Response(status_code=error.status)
    except (WebhookRefused, ValueError) as error:
        log.warning("webhook_refused", reason=str(error), job_id=job_id[:36])
        return Response(status_code=401)
    event = {
        "event_key": f"fal:{call.request_id}:{parsed.get('status')}",
        "event_type": str(parsed.get("status", ""))[:40],
        "request_id": call.request_id,
        "job": job_id,
        "account_id": call.user_id,
        "verdict": verdict_row(verdict) if verdict else None,
        "headers": {"timestamp": call.timestamp, "user_id": call.user_id, "request_id": call.request_id},
        "payload": parsed,
        "queue_url": state.settings.fal_queue_url.rstrip("/"),
    }
    try:
        result = await state.inbox.receive(event)
    except AtelierError as error:
        log.error("webhook_not_stored", job_id=job_id, request_id=call.request_id, error=error.sentence)
        return Response(status_code=503)
    log.info("webhook", job_id=job_id, request_id=call.request_id, result=result)
    if result in REFUSED:
        return Response(status_code=401)
    return Response(status_code=500 if result == "failed" else 200)


def _believed(
    verifier: WebhookVerifier, body: bytes, headers: Iterable[tuple[str, str]]
) -> tuple[VerifiedCall, dict[str, Any], Verdict | None]:
    """Who calls, what they say, and what that means. Raises WebhookRefused. Large bodies take a while: not for the
    event loop."""
    call = verifier.verify(body, headers)
    parsed = parse_call(body)
    if parsed.get("request_id") != call.request_id:
        raise WebhookRefused("request id")
    return call, parsed, verdict_of_webhook(parsed)


def create_app(*, with_worker: bool = True) -> Starlette:
    """The ASGI app. Ends the process when a setting is wrong; connects to nothing until it is called."""
    settings = settings_or_exit()
    configure(secrets=settings.secrets)
    counts = WebhookCounts()
    workers: list[Worker] = []  # ours, while it runs

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.settings = settings
        app.state.verifier = WebhookVerifier(settings)
        app.state.inbox = Inbox()
        app.state.fal_bodies = BodyReader()
        workers[:] = [Worker(app.state.inbox.is_pressed)] if with_worker else []
        for worker in workers:
            worker.start()
        async with counts.telling():
            yield
        for worker in workers:
            await asyncio.to_thread(worker.stop)

    return Starlette(
        routes=[
            Route("/webhooks/fal", counts.counted("fal", fal_webhook), methods=["POST"]),
            Route("/webhooks/stripe", counts.counted("stripe", stripe_webhook), methods=["POST"]),
            *health.routes(settings.metrics_tokens, lambda: [each for worker in workers for each in worker.trouble()]),
        ],
        lifespan=lifespan,
    )
