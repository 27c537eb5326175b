"""POST /webhooks/stripe: Stripe's events, verified, stored and applied, and only then answered 200."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from core.database import get_database
from core.errors import AtelierError, WebhookRefused
from core.log import get_logger
from core.request_body import BodyReader, BodyRefused
from core.settings import get_settings
from core.stripe_events import parse, verify

log = get_logger(__name__)

# There is no token in this address: anybody's body is read, so it is a small one. Stripe's events are some kilobytes.
LARGEST_EVENT: Final = 1024 * 1024
_bodies: Final = BodyReader(LARGEST_EVENT)


async def stripe_webhook(request: Request) -> Response:
    """Take one event of Stripe.

    200 done or known already, 400 signed but no event, 401 not verified (both leave no row), 400/408/413/415 body
    refused, 500 stored but its effect failed, 503 not stored: Stripe calls again.
    """
    signatures = request.headers.getlist("stripe-signature")
    if len(signatures) != 1:
        log.warning("stripe_event_refused", reason="no_signature" if not signatures else "duplicate_header")
        return Response(status_code=401)
    try:
        body = await _bodies.read(request)
    except BodyRefused as error:
        log.warning("stripe_body_refused", reason=str(error))
        return Response(status_code=error.status)
    try:
        signed_at = verify(body, signatures[0], get_settings().stripe_webhook_secrets)
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
