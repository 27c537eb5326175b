"""What is found out about Stripe: key, prices, endpoint, signing secret."""

from typing import Any

import pytest

from core.connections.context import Calls
from core.stripe_events import EVENT_TYPES
from tests.unit.connection_answers import (
    Answers,
    found,
    names_fixture,  # noqa: F401
)


@pytest.mark.parametrize(
    ("part", "answers", "changes", "state", "says"),
    [
        ("Secret key", {"/v1/account": (401, {"error": {}})}, {}, "refused", "does not know the key …mTnR"),
        ("Secret key", {"/v1/account": (401, {"error": {"code": "api_key_expired"}})}, {}, "refused", "has expired"),
        ("Secret key", {"/v1/account": (403, {"error": {}})}, {}, "works", "restricted key"),
        ("Secret key", {"/v1/account": (429, {})}, {}, "unreachable", "too often"),
        ("Secret key", {"/v1/account": (500, {})}, {}, "unreachable", "in trouble (HTTP 500)"),
        ("Secret key", {}, {"stripe_secret_key": "pk_test_51Kq8ZxW"}, "refused", "publishable key, made for browsers"),
        ("Secret key", {}, {"stripe_secret_key": "0123456789"}, "refused", "no key of Stripe"),
        ("Secret key", {}, {"stripe_secret_key": ""}, "missing", "cannot be bought"),
        ("Secret key", {}, {"stripe_secret_key": "sk_live_" + "51Kq8ZxW"}, "warns", "real cards are charged"),
        ("Secret key", {}, {"app_env": "production"}, "warns", "It is a test key"),
        ("Secret key", {}, {"app_env": "production", "stripe_secret_key": "sk_live_" + "51Kq8Z"}, "works", "live mode"),
        (
            "Secret key",
            {"/v1/account": (200, {"id": "acct_1", "charges_enabled": False})},
            {"stripe_secret_key": "sk_live_" + "51Kq8Z"},
            "refused",
            "may not take payments yet",
        ),
        (
            "Prices of the packs",
            {"/v1/prices": (200, {"data": [{"id": "price_1"}]})},
            {},
            "refused",
            "no active price with the id in STRIPE_PRICE_CREDITS_500 and STRIPE_PRICE_CREDITS_1000",
        ),
        ("Prices of the packs", {}, {"stripe_price_credits_500": ""}, "missing", "STRIPE_PRICE_CREDITS_500 is not set"),
        ("Prices of the packs", {"/v1/prices": (403, {})}, {}, "refused", "may not read prices"),
        ("Webhook endpoint", {"/v1/webhook_endpoints": (200, {"data": []})}, {}, "missing", "has no endpoint at"),
        ("Webhook endpoint", {"/v1/webhook_endpoints": (403, {})}, {}, "unproved", "may not read webhook endpoints"),
        ("Webhook endpoint", {}, {"public_url": ""}, "warns", "purchases are found by asking"),
    ],
)
def test_what_stripe_answers_is_told_apart(
    part: str, answers: Answers, changes: dict[str, Any], state: str, says: str
) -> None:
    finding = found("Stripe", part, answers, **changes)
    assert finding.state == state
    assert says in finding.sentence


def test_an_endpoint_that_is_off_or_sends_too_little_says_what_to_do() -> None:
    endpoint = {"url": "https://studio.company.com/webhooks/stripe/", "enabled_events": list(EVENT_TYPES[1:])}
    off = found(
        "Stripe", "Webhook endpoint", {"/v1/webhook_endpoints": (200, {"data": [{**endpoint, "status": "disabled"}]})}
    )
    assert (off.state, "switched off" in off.sentence) == ("refused", True)
    little = found(
        "Stripe", "Webhook endpoint", {"/v1/webhook_endpoints": (200, {"data": [{**endpoint, "status": "enabled"}]})}
    )
    assert little.state == "warns"
    assert little.sentence.endswith(f"does not send {EVENT_TYPES[0]}.")


@pytest.mark.parametrize(
    ("calls", "state", "says"),
    [
        (Calls(0, 4), "refused", "Of 4 calls of Stripe in the last 24 hours none was signed with …zW71"),
        (Calls(2, 1), "works", "2 calls of Stripe of the last 24 hours proved it; 1 other was not"),
        (Calls(0, 0), "unproved", "No call has come in the last 24 hours"),
    ],
)
def test_the_signing_secret_is_proved_by_the_calls_that_came(calls: Calls, state: str, says: str) -> None:
    finding = found("Stripe", "Signing secret", stripe_calls=calls)
    assert finding.state == state
    assert says in finding.sentence


def test_a_signing_secret_that_is_tried_is_not_called_right() -> None:
    tried = found("Stripe", "Signing secret", stripe_calls=Calls(0, 9), tried=("STRIPE_WEBHOOK_SECRET",))
    assert (tried.state, "Only a call that Stripe signs can prove it" in tried.sentence) == ("unproved", True)
    assert found("Stripe", "Signing secret", stripe_webhook_secret="sk_test_0123456789").state == "refused"
    assert found("Stripe", "Signing secret", stripe_webhook_secret="").state == "missing"
