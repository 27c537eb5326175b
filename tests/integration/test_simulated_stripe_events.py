"""The events of the simulated Stripe: signed, repeated, lost, reversed."""

import json

import pytest
import stripe

from tests.integration.stripe_sim import (
    new_session,
    shared_receiver_fixture,  # noqa: F401
    shared_sim_fixture,  # noqa: F401
    sim_fixture,  # noqa: F401
)
from tests.integration.stripe_stack import (
    SECRETS,
    Receiver,
    StripeSimulator,
    wait_for,
)


@pytest.fixture
def receiver(sim: StripeSimulator, shared_receiver: Receiver) -> Receiver:  # noqa: ARG001
    """What the simulator calls; it has not been called yet."""
    shared_receiver.calls.clear()
    shared_receiver.answers.clear()
    return shared_receiver


def types(events: Receiver) -> list[str]:
    return [json.loads(body)["type"] for body, _ in events.calls]


@pytest.mark.parametrize(
    ("button", "action", "ending"),
    [("later", "arrive", "async_payment_succeeded"), ("later-fails", "bounce", "async_payment_failed")],
)
def test_a_delayed_payment_is_decided_later(
    sim: StripeSimulator,
    receiver: Receiver,
    button: str,
    action: str,
    ending: str,
) -> None:
    session = new_session(sim)
    sim.pay(session.id, button)
    waiting = sim.client.v1.checkout.sessions.retrieve(session.id)
    assert (waiting.status, waiting.payment_status) == ("complete", "unpaid")
    sim.act(action, str(waiting.payment_intent))
    sim.settled(f"checkout.session.{ending}", session.id)
    assert set(types(receiver)) == {"checkout.session.completed", f"checkout.session.{ending}"}
    paid = sim.client.v1.checkout.sessions.retrieve(session.id).payment_status
    assert paid == ("paid" if action == "arrive" else "unpaid")


def test_refunds_and_disputes(sim: StripeSimulator, receiver: Receiver) -> None:
    session = new_session(sim)
    sim.pay(session.id)
    payment = str(sim.client.v1.checkout.sessions.retrieve(session.id).payment_intent)
    refund = sim.client.v1.refunds.create({"payment_intent": payment, "amount": 2000})
    assert (refund.status, refund.amount, refund.payment_intent) == ("succeeded", 2000, payment)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        sim.client.v1.refunds.create({"payment_intent": payment, "amount": 5901})
    sim.act("fail_refund", refund.id)
    assert sim.client.v1.refunds.retrieve(refund.id).status == "failed"
    dispute = sim.act("dispute", payment)["disputes"][0]
    sim.act("win", dispute["id"])
    assert sim.client.v1.disputes.retrieve(dispute["id"]).status == "won"
    sim.act("refund", payment)
    with pytest.raises(stripe.InvalidRequestError) as again:
        sim.client.v1.refunds.create({"payment_intent": payment})
    assert again.value.code == "charge_already_refunded"
    wait_for(lambda: len(receiver.calls) == 8, "eight events")
    assert sorted(types(receiver)) == [
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
        "checkout.session.completed",
        "refund.created",
        "refund.created",
        "refund.failed",
    ]


def test_events_are_signed_with_every_secret(sim: StripeSimulator, receiver: Receiver) -> None:
    session = new_session(sim)
    sim.pay(session.id)
    sim.settled("checkout.session.completed", session.id)
    body, header = receiver.calls[0]
    for secret in SECRETS:
        event = stripe.Webhook.construct_event(body, header, secret)
        assert (event.type, event.data.object["id"]) == ("checkout.session.completed", session.id)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, header, "whsec_of_somebody_else")


def test_an_event_is_sent_until_it_is_taken(sim: StripeSimulator, receiver: Receiver) -> None:
    receiver.answers = [500]
    session = new_session(sim)
    sim.pay(session.id)
    assert sim.settled("checkout.session.completed", session.id)["tries"] == 2
    ids = {json.loads(body)["id"] for body, _ in receiver.calls}
    assert (len(receiver.calls), len(ids)) == (2, 1)


def test_events_can_be_repeated_forged_and_reversed(sim: StripeSimulator, receiver: Receiver) -> None:
    sim.behave(repeat=2, forge=True, reorder=True)
    session = new_session(sim)
    sim.pay(session.id)
    payment = str(sim.client.v1.checkout.sessions.retrieve(session.id).payment_intent)
    sim.act("refund", payment)
    wait_for(lambda: len(receiver.calls) == 6, "two events, each forged once and sent twice")
    # Which of the two comes first depends on how soon the refund follows the payment.
    assert sorted(types(receiver)) == ["checkout.session.completed"] * 3 + ["refund.created"] * 3
    good = [header for body, header in receiver.calls if _is_good(body, header)]
    assert len(good) == 4


def test_events_can_be_lost_and_sent_again(sim: StripeSimulator, receiver: Receiver) -> None:
    sim.behave(lose=True)
    session = new_session(sim)
    sim.pay(session.id)
    lost = sim.settled("checkout.session.completed", session.id)
    assert (lost["state"], receiver.calls) == ("lost", [])
    sim.behave(lose=False)
    sim.act("send_again", lost["id"])
    wait_for(lambda: receiver.calls, "the event")


def _is_good(body: bytes, header: str) -> bool:
    try:
        stripe.Webhook.construct_event(body, header, SECRETS[0])
    except stripe.SignatureVerificationError:
        return False
    return True
