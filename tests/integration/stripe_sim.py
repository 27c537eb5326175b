"""A simulated Stripe, and somebody who receives its events."""

from collections.abc import Iterator

import httpx
import pytest
import stripe

from tests.integration.stripe_stack import (
    Launcher,
    Receiver,
    StripeSimulator,
    receiving,
)

SUCCESS = "http://127.0.0.1:9/credits?paid={CHECKOUT_SESSION_ID}"
CANCEL = "http://127.0.0.1:9/credits"


@pytest.fixture(name="shared_receiver", scope="module")
def shared_receiver_fixture() -> Iterator[Receiver]:
    with receiving() as received:
        yield received


@pytest.fixture(name="shared_sim", scope="module")
def shared_sim_fixture(
    tmp_path_factory: pytest.TempPathFactory, shared_receiver: Receiver
) -> Iterator[StripeSimulator]:
    folder = tmp_path_factory.mktemp("stripe")
    with httpx.Client(timeout=10) as http:
        launched = Launcher(folder / "data", folder / "stripe.log", http)
        yield launched.start(shared_receiver.url)
        launched.stop()


@pytest.fixture(name="sim")
def sim_fixture(shared_sim: StripeSimulator) -> StripeSimulator:
    """The one simulator of this file, behaving, with nothing left to send."""
    shared_sim.reset()
    return shared_sim


def params(**more: object) -> dict[str, object]:
    return {
        "mode": "payment",
        "line_items": [{"price": "price_credits_500", "quantity": 1}],
        "success_url": SUCCESS,
        "cancel_url": CANCEL,
        "client_reference_id": "order-1",
        "customer_email": "somebody@example.test",
        "metadata": {"pack": "credits_500"},
        "payment_intent_data": {"metadata": {"order": "order-1"}, "description": "500 credits"},
    } | more


def new_session(sim: StripeSimulator, key: str | None = None, **more: object) -> stripe.checkout.Session:
    options = {"idempotency_key": key} if key else {}
    return sim.client.v1.checkout.sessions.create(params(**more), options)  # type: ignore[arg-type]
