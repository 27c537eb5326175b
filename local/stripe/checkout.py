"""Creating a Checkout Session: what Stripe checks, and refuses with the same words."""

import time
from typing import Any
from urllib.parse import urlsplit

from local.stripe import forms, objects
from local.stripe.failures import invalid, missing, no_such, unknown
from local.stripe.store import Store, Thing

MINUTES_OPEN_AT_LEAST = 30
HOURS_OPEN_AT_MOST = 24
_KNOWN = frozenset(
    {
        *("mode", "line_items", "success_url", "cancel_url", "client_reference_id", "customer_email", "metadata"),
        *("payment_intent_data", "expires_at", "adaptive_pricing", "locale", "submit_type", "ui_mode", "expand"),
        *("allow_promotion_codes", "automatic_tax", "billing_address_collection", "payment_method_types"),
    }
)


def create(store: Store, params: dict[str, Any], base_url: str) -> Thing:
    """An open session with its pay page under `base_url`. Raises ApiError."""
    for name in params:
        if name not in _KNOWN:
            raise unknown(name)
    if params.get("mode") != "payment":
        raise missing("mode") if "mode" not in params else invalid("Only mode payment is simulated.", "mode")
    if "success_url" not in params:
        raise missing("success_url")
    for name in ("success_url", "cancel_url"):
        if name in params and urlsplit(params[name]).scheme not in ("http", "https"):
            raise invalid("Not a valid URL", name, "url_invalid")
    payment = params.get("payment_intent_data") or {}
    items = _line_items(store, params.get("line_items"))
    session_id = objects.new_id("cs_test", 58)
    made = objects.session(
        session_id,
        items,
        adaptive_pricing={"enabled": forms.flag(params.get("adaptive_pricing") or {}, "enabled", True)},
        cancel_url=params.get("cancel_url"),
        client_reference_id=params.get("client_reference_id"),
        customer_email=params.get("customer_email"),
        expires_at=_expires_at(params),
        metadata=forms.texts(params, "metadata"),
        success_url=params["success_url"],
        url=f"{base_url}/c/pay/{session_id}",
    )
    made["_items"] = items
    made["_payment_data"] = {"metadata": forms.texts(payment, "metadata"), "description": payment.get("description")}
    made["_base_url"] = base_url
    return store.save(made)


def _line_items(store: Store, wanted: Any) -> list[Thing]:
    if not isinstance(wanted, list) or not wanted:
        raise missing("line_items")
    items = []
    for number, item in enumerate(wanted):
        if "price" not in item:
            raise missing(f"line_items[{number}][price]")
        known = store.find("price", item["price"])
        if known is None:
            raise no_such("price", item["price"], f"line_items[{number}][price]")
        if not known["active"]:
            raise invalid("The price specified is inactive. This field only accepts active prices.", "price")
        product = store.find("product", known["product"])
        name = product["name"] if product else known["product"]
        items.append(objects.line_item(known, forms.whole_number(item, "quantity", minimum=1) or 1, name))
    if len({item["currency"] for item in items}) > 1:
        raise invalid("All prices on a Checkout Session must be in the same currency.", "line_items")
    return items


def _expires_at(params: dict[str, Any]) -> int:
    moment = time.time()
    wanted = forms.whole_number(params, "expires_at", minimum=0)
    if wanted is None:
        return int(moment) + HOURS_OPEN_AT_MOST * 3600
    if wanted < moment + MINUTES_OPEN_AT_LEAST * 60 - 60:
        raise invalid(
            f"The `expires_at` timestamp must be at least {MINUTES_OPEN_AT_LEAST} minutes"
            " from Checkout Session creation.",
            "expires_at",
        )
    if wanted > moment + HOURS_OPEN_AT_MOST * 3600 + 60:
        raise invalid(
            f"The `expires_at` timestamp must be less than {HOURS_OPEN_AT_MOST} hours from Checkout Session creation.",
            "expires_at",
        )
    return wanted
