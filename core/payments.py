"""Buying credits with Stripe Checkout: from the button to the books.

The order is written before Stripe is asked, its id is the idempotency key there. Credits are granted by one function
of the database, keyed by the checkout session and safe to call any number of times: by the webhook, by the success page
and by the worker, whichever comes first.

Source: Stripe's documentation, "Fulfill orders" and "Idempotent requests".
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID, uuid4

import stripe

from core.credits import standing
from core.database import get_database
from core.errors import NotFound, PaymentsRefused, PaymentsUnavailable, Refused
from core.log import get_logger
from core.models import Person
from core.packs import price_id
from core.purchases import Purchase, by_session, get, purchase_of
from core.settings import get_settings
from core.stripe_api import get_client, translated

log = get_logger(__name__)

SESSION_PLACEHOLDER: Final = "{CHECKOUT_SESSION_ID}"
# Counted from the order, so that asking again sends the very same request.
OPEN_FOR: Final = timedelta(hours=2)
OPEN_AT_LEAST: Final = timedelta(minutes=31)  # Stripe wants 30 when the page is made
Result = Literal["granted", "already_granted", "processing", "open", "expired", "payment_failed", "flagged", "not_ours"]
_SESSION_ID = re.compile(r"cs_[A-Za-z0-9_]{1,250}")
_EXPAND: Final = ["payment_intent.latest_charge"]


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """What came of a checkout. `available` is the balance now."""

    result: Result
    purchase: Purchase
    available: int

    @property
    def is_paid(self) -> bool:
        return self.result in ("granted", "already_granted")


def start_checkout(
    person: Person,
    pack: str,
    *,
    success_url: str,
    cancel_url: str,
    order_id: UUID | None = None,
    expected_cents: int | None = None,
) -> str:
    """Begin to buy a pack; returns the address of Stripe's pay page, for a redirect in the same tab.

    `success_url` holds the literal `{CHECKOUT_SESSION_ID}`. `order_id` is made by the caller: the same one again (a
    double click, a reload) gives the same page. `expected_cents` is the price that the person saw.
    Raises Refused (NOT_APPROVED, PACK_DISABLED, PRICE_CHANGED, TOO_MANY_CHECKOUTS, ALREADY_PAID, ORDER_PROCESSING,
    ORDER_CLOSED), PaymentsRefused, PaymentsUnavailable, DatabaseError. Nothing is charged before the person pays.
    """
    if SESSION_PLACEHOLDER not in success_url:
        raise ValueError(f"success_url must hold {SESSION_PLACEHOLDER}.")
    price = price_id(get_settings(), pack)
    database = get_database()
    order = database.call(
        "start_purchase",
        p_order=order_id or uuid4(),
        p_user=person.user_id,
        p_pack=pack,
        p_amount_cents=expected_cents,
    )
    _refuse_closed(order)
    session = _create_session(person, order, price, success_url, cancel_url)
    if (session.amount_total, session.currency) != (order["amount_cents"], order["currency"]):
        _close(session)
        raise PaymentsRefused(
            "The price at Stripe is not the price of this pack. Nothing was charged. Tell an admin.",
            detail={"order": order["id"], "price": price, "amount": session.amount_total, "currency": session.currency},
        )
    database.call(
        "attach_session",
        p_order=order["id"],
        p_session=session.id,
        p_expires_at=datetime.fromtimestamp(session.expires_at, UTC).isoformat(),
    )
    log.info("checkout_started", order=order["id"], session=session.id, pack=pack)
    if session.url is None:
        raise _closed()
    return session.url


def fulfil(person: Person, session_id: str) -> Fulfilment:
    """What the success page does: ask Stripe about the session and grant what was paid, at once.

    Safe to call again. Raises NotFound for a session that is not this person's, PaymentsUnavailable, DatabaseError;
    the credits come by webhook or by the worker all the same.
    """
    if not _SESSION_ID.fullmatch(session_id):
        raise NotFound("There is no such order.")
    purchase = by_session(person, session_id)
    if purchase.is_paid:
        return Fulfilment("already_granted", purchase, standing(person).available)
    return look_up(session_id, source="page", user_id=person.user_id)


def look_up(session_id: str, *, source: Literal["page", "worker"], user_id: UUID | None = None) -> Fulfilment:
    """Bring what Stripe says about a session into the books. Raises PaymentsRefused, PaymentsUnavailable, Refused."""
    with translated("checkout.sessions.retrieve"):
        session = get_client().v1.checkout.sessions.retrieve(session_id, {"expand": _EXPAND})
    outcome = get_database().call(
        "fulfil_checkout",
        p_session=session_facts(session),
        p_source=source,
        p_user=user_id,
        p_receipt_url=_receipt_of(session),
    )
    if outcome["purchase"] is None:
        raise NotFound("There is no such order.")
    log.info("checkout_looked_up", session=session_id, source=source, result=outcome["result"])
    return Fulfilment(outcome["result"], purchase_of(outcome["purchase"]), outcome["available"])


def receipt_url(person: Person, purchase_id: UUID) -> str:
    """The address of Stripe's receipt: fetched anew, because Stripe lets old ones run out.

    Raises NotFound without a payment or a receipt, PaymentsUnavailable, PaymentsRefused.
    """
    purchase = get(person, purchase_id)
    if purchase.payment_intent_id is None:
        raise NotFound("This order has no receipt, because it was not paid.")
    with translated("payment_intents.retrieve"):
        payment = get_client().v1.payment_intents.retrieve(purchase.payment_intent_id, {"expand": ["latest_charge"]})
    url = _receipt_of_payment(payment)
    if url is None:
        raise NotFound("Stripe has no receipt for this payment.")
    get_database().call("record_receipt", p_order=purchase.id, p_url=url)
    return url


def session_facts(session: stripe.checkout.Session) -> dict[str, Any]:
    """What the books need of a session, in Stripe's own names; nothing about the payer."""
    payment = session.payment_intent
    if isinstance(payment, stripe.PaymentIntent):
        payment_facts: Any = {"id": payment.id, "status": payment.status}
    else:
        payment_facts = payment
    return {
        "id": session.id,
        "mode": session.mode,
        "status": session.status,
        "payment_status": session.payment_status,
        "client_reference_id": session.client_reference_id,
        "metadata": session.metadata.to_dict() if session.metadata else {},
        "amount_total": session.amount_total,
        "currency": session.currency,
        "payment_intent": payment_facts,
        "expires_at": session.expires_at,
    }


def _refuse_closed(order: dict[str, Any]) -> None:
    """An order that was begun before is gone on with only while its pay page can be open. Raises Refused."""
    if order["paid_at"]:
        raise Refused("This order is paid already. Your credits are in your balance.", code="ALREADY_PAID")
    if order["checkout_progress"] == "processing":
        raise Refused("Your payment is on its way. Its credits arrive by themselves.", code="ORDER_PROCESSING")
    closes_at = datetime.fromisoformat(order["created_at"]) + OPEN_FOR
    if order["stripe_session_id"] is None:
        closes_at -= OPEN_AT_LEAST  # Stripe makes no page that closes sooner
    if order["checkout_progress"] != "open" or datetime.now(UTC) >= closes_at:
        raise _closed()


def _closed() -> Refused:
    return Refused("This order is closed. Start again from the credits page.", code="ORDER_CLOSED")


def _create_session(
    person: Person, order: dict[str, Any], price: str, success_url: str, cancel_url: str
) -> stripe.checkout.Session:
    expires_at = datetime.fromisoformat(order["created_at"]) + OPEN_FOR
    marks = {"order": order["id"], "pack": order["pack"]}
    with translated("checkout.sessions.create"):
        return get_client().v1.checkout.sessions.create(
            {
                "mode": "payment",
                "line_items": [{"price": price, "quantity": 1}],
                "client_reference_id": order["id"],
                "customer_email": person.email,
                "metadata": marks,
                # Refunds and disputes arrive on the payment, so it carries the marks too.
                "payment_intent_data": {"metadata": marks, "description": f"{order['credits']} credits"},
                # The price is in euros and is compared to the cent: no conversion on the pay page.
                "adaptive_pricing": {"enabled": False},
                "success_url": success_url,
                "cancel_url": cancel_url,
                "expires_at": int(expires_at.timestamp()),
            },
            {"idempotency_key": f"atelier-order-{order['id']}"},
        )


def _close(session: stripe.checkout.Session) -> None:
    """So that nobody pays a wrong price. If even that fails, the payment would be flagged and not granted."""
    try:
        with translated("checkout.sessions.expire"):
            get_client().v1.checkout.sessions.expire(session.id)
    except (PaymentsRefused, PaymentsUnavailable) as error:
        log.error("checkout_not_closed", session=session.id, error=error.sentence, detail=error.detail)


def _receipt_of(session: stripe.checkout.Session) -> str | None:
    payment = session.payment_intent
    return _receipt_of_payment(payment) if isinstance(payment, stripe.PaymentIntent) else None


def _receipt_of_payment(payment: stripe.PaymentIntent) -> str | None:
    charge = payment.latest_charge
    return charge.receipt_url if isinstance(charge, stripe.Charge) else None
