"""Objects in the shape of Stripe's API: the fields that matter, with Stripe's names and defaults.

Source: Stripe's API reference, version 2026-10-28.endive. Amounts are in cents, times in Unix seconds.
"""

import secrets
import string
import time
from typing import Any

from local.stripe.store import Thing

API_VERSION = "2026-10-28.endive"
_LETTERS = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    return f"{prefix}_{''.join(secrets.choice(_LETTERS) for _ in range(length))}"


def now() -> int:
    return int(time.time())


def _thing(kind: str, thing_id: str, **fields: Any) -> Thing:
    return {"id": thing_id, "object": kind, "created": now(), "livemode": False, **fields}


def shown(thing: Any) -> Any:
    """A copy without what is ours."""
    if isinstance(thing, dict):
        return {name: shown(value) for name, value in thing.items() if not name.startswith("_")}
    return [shown(value) for value in thing] if isinstance(thing, list) else thing


def listed(things: list[Thing], url: str, has_more: bool = False) -> Thing:
    return {"object": "list", "url": url, "has_more": has_more, "data": things}


def product(product_id: str, name: str, metadata: dict[str, str], description: str | None = None) -> Thing:
    return _thing(
        "product", product_id, name=name, description=description, active=True, metadata=metadata, type="service"
    )


def account() -> Thing:
    return {
        "id": "acct_simulated",
        "object": "account",
        "charges_enabled": True,
        "country": "DE",
        "default_currency": "eur",
        "details_submitted": True,
        "email": None,
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": "Simulated studio", "timezone": "Etc/UTC"}},
        "type": "standard",
    }


def webhook_endpoint(url: str) -> Thing:
    """The one that events are sent to; its secret is told only when an endpoint is made, never afterwards."""
    return _thing(
        "webhook_endpoint",
        "we_simulated",
        api_version=None,
        enabled_events=["*"],
        status="enabled",
        url=url,
        metadata={},
    )


def price(price_id: str, product_id: str, unit_amount: int, currency: str, **more: Any) -> Thing:
    fields: dict[str, Any] = {
        "active": True,
        "billing_scheme": "per_unit",
        "currency": currency,
        "lookup_key": None,
        "metadata": {},
        "product": product_id,
        "recurring": None,
        "tax_behavior": "unspecified",
        "type": "one_time",
        "unit_amount": unit_amount,
        "unit_amount_decimal": str(unit_amount),
    }
    return _thing("price", price_id, **(fields | more))


def line_item(known: Thing, quantity: int, description: str) -> Thing:
    total = known["unit_amount"] * quantity
    return {
        "id": new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": known["currency"],
        "description": description,
        "price": known,
        "quantity": quantity,
    }


def session(session_id: str, items: list[Thing], **fields: Any) -> Thing:
    total = sum(item["amount_total"] for item in items)
    return _thing(
        "checkout.session",
        session_id,
        amount_subtotal=total,
        amount_total=total,
        currency=items[0]["currency"],
        mode="payment",
        payment_intent=None,
        payment_method_types=["card", "sepa_debit"],
        payment_status="unpaid",
        status="open",
        total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        ui_mode="hosted_page",
        **fields,
    )


def payment_intent(amount: int, currency: str, metadata: dict[str, str], description: str | None) -> Thing:
    return _thing(
        "payment_intent",
        new_id("pi"),
        amount=amount,
        amount_received=0,
        capture_method="automatic_async",
        currency=currency,
        description=description,
        last_payment_error=None,
        latest_charge=None,
        metadata=metadata,
        status="requires_payment_method",
    )


def charge(payment: Thing, receipt_url: str) -> Thing:
    return _thing(
        "charge",
        new_id("ch"),
        amount=payment["amount"],
        amount_captured=payment["amount"],
        amount_refunded=0,
        captured=True,
        currency=payment["currency"],
        description=payment["description"],
        disputed=False,
        metadata=payment["metadata"],
        paid=True,
        payment_intent=payment["id"],
        receipt_url=receipt_url,
        refunded=False,
        status="succeeded",
    )


def refund(known: Thing, amount: int, status: str, reason: str | None, metadata: dict[str, str]) -> Thing:
    return _thing(
        "refund",
        new_id("re"),
        amount=amount,
        charge=known["id"],
        currency=known["currency"],
        failure_reason=None,
        metadata=metadata,
        payment_intent=known["payment_intent"],
        reason=reason,
        status=status,
    )


def dispute(known: Thing, amount: int, reason: str) -> Thing:
    return _thing(
        "dispute",
        new_id("du"),
        amount=amount,
        balance_transactions=[],
        charge=known["id"],
        currency=known["currency"],
        is_charge_refundable=False,
        metadata={},
        payment_intent=known["payment_intent"],
        reason=reason,
        status="needs_response",
    )


def balance_transaction(amount: int, currency: str) -> Thing:
    return _thing("balance_transaction", new_id("txn"), amount=amount, currency=currency, type="adjustment")


def event(event_type: str, about: Thing) -> Thing:
    """A snapshot: the object as it is at this moment."""
    return _thing(
        "event",
        new_id("evt"),
        api_version=API_VERSION,
        data={"object": shown(about)},
        pending_webhooks=1,
        request={"id": None, "idempotency_key": None},
        type=event_type,
    )
