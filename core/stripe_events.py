"""Is this call from Stripe, and what does it say? HMAC-SHA256 over the raw bytes, as in Stripe's documentation,
"Verify webhook signatures manually".

Several secrets may be set at once, which is how one is replaced without losing an event.
"""

import re
import time
from collections.abc import Sequence
from typing import Any, Final

import stripe

from core.errors import WebhookRefused
from core.fal.bodies import BadBody, decode

TOLERANCE_S: Final = 300
# What the endpoint in Stripe's dashboard has to send; anything else is stored and ignored.
EVENT_TYPES: Final = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
_EVENT_ID = re.compile(r"evt_[A-Za-z0-9_]{1,250}")


def verify(body: bytes, header: str | None, secrets: Sequence[str]) -> int:
    """The time that a valid signature vouches for, Unix seconds.

    Raises WebhookRefused: no_secret, no_signature, signature, stale (more than 300 s from now, either way).
    """
    if not secrets:
        raise WebhookRefused("no_secret")
    if not header:
        raise WebhookRefused("no_signature")
    if not header.isascii() or not any(_is_signed_with(secret, body, header) for secret in secrets):
        raise WebhookRefused("signature")
    # The package accepts any time to come; a clock that far off is not Stripe's.
    signed_at = int(next(part.split("=")[1] for part in header.split(",") if part.startswith("t=")))
    if abs(time.time() - signed_at) > TOLERANCE_S:
        raise WebhookRefused("stale")
    return signed_at


def parse(body: bytes) -> dict[str, Any]:
    """The event in a verified body. Raises WebhookRefused("not_an_event") for anything else: broken JSON, numbers that
    are none, what is nested too deep; what a database cannot hold is replaced."""
    try:
        event = decode(body)
    except BadBody as error:
        raise WebhookRefused("not_an_event") from error
    if (
        not isinstance(event, dict)
        or event.get("object") != "event"
        or not _EVENT_ID.fullmatch(str(event.get("id")))
        or not isinstance(event.get("type"), str)
        or type(event.get("created")) is not int
        or not isinstance(event.get("data"), dict)
        or not isinstance(event["data"].get("object"), dict)
    ):
        raise WebhookRefused("not_an_event")
    return event


def _is_signed_with(secret: str, body: bytes, header: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, header, secret)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True
