"""POST /webhooks/stripe: Stripe's events, verified, stored and applied, and only then answered 200."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from core.database import get_database
from core.errors import AtelierError, WebhookRefused
from core.log import get_logger
from core.request_body import BodyRefused, read_body
from core.settings import get_settings
from core.stripe_events import parse, verify

log = get_logger(__name__)


async def stripe_webhook(request: Request) -> Response:
    """Take one event of Stripe.

    200 done or known already, 400 signed but no event, 401 not verified (both leave no row), 408/413 body refused,
    500 stored but its effect failed, 503 not stored: Stripe calls again.
    """
    try:
        body = await read_body(request)
    except BodyRefused as error:
        log.warning("stripe_body_refused", reason=str(error))
        return Response(status_code=error.status)
    try:
        signed_at = verify(body, request.headers.get("stripe-signature"), get_settings().stripe_webhook_secrets)
        event = parse(body)
    except WebhookRefused as error:
        log.warning("stripe_event_refused", reason=error.reason)
        return Response(status_code=400 if error.reason == "not_an_event" else 401)
    call = {"payload": event, "headers": {"timestamp": signed_at}}
    try:
        results = await asyncio.to_thread(get_database().call, "receive_stripe_events", p_events=[call])
    except AtelierError as error:
        log.error("stripe_event_not_stored", event_id=event["id"], error=error.sentence, detail=error.detail)
        return Response(status_code=503)
    result = results[event["id"]]
    log.info("stripe_event", event_id=event["id"], event_type=event["type"], result=result)
    return Response(status_code=500 if result == "failed" else 200)
