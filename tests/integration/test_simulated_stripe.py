"""The simulated Stripe, driven by the official package: what Stripe would answer is what it answers."""

import time
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import stripe

from core.packs import Pack
from core.stripe_setup import ensure_price
from tests.integration.stripe_sim import (
    CANCEL,
    SUCCESS,
    new_session,
    shared_receiver_fixture,  # noqa: F401
    shared_sim_fixture,  # noqa: F401
    sim_fixture,  # noqa: F401
)
from tests.integration.stripe_stack import (
    Launcher,
    StripeSimulator,
    receiving,
    wait_for,
)


def test_a_session_is_what_was_asked_for(sim: StripeSimulator) -> None:
    session = new_session(sim)
    assert (session.status, session.payment_status, session.mode) == ("open", "unpaid", "payment")
    assert (session.amount_total, session.currency, session.client_reference_id) == (7900, "eur", "order-1")
    assert session.metadata is not None
    assert session.metadata.to_dict() == {"pack": "credits_500"}
    assert session.payment_intent is None
    assert session.url == f"{sim.url}/c/pay/{session.id}"
    items = sim.client.v1.checkout.sessions.line_items.list(session.id).data
    assert [(item.amount_total, item.quantity, item.description) for item in items] == [(7900, 1, "500 credits")]


def test_a_paid_session_leads_to_its_payment_charge_and_receipt(sim: StripeSimulator) -> None:
    session = new_session(sim)
    answer = sim.pay(session.id)
    assert (answer.status_code, answer.headers["location"]) == (303, SUCCESS.format(CHECKOUT_SESSION_ID=session.id))
    found = sim.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert (found.status, found.payment_status, found.url) == ("complete", "paid", None)
    payment = found.payment_intent
    assert isinstance(payment, stripe.PaymentIntent)
    assert (payment.status, payment.amount_received, payment.metadata["order"]) == ("succeeded", 7900, "order-1")
    charge = payment.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert charge.receipt_url
    assert "€79.00" in sim.http.get(charge.receipt_url).raise_for_status().text
    assert sim.pay(session.id).status_code == 400  # once


def test_the_same_key_is_the_same_session(sim: StripeSimulator) -> None:
    key = uuid4().hex
    first, again = new_session(sim, key), new_session(sim, key)
    assert first.id == again.id
    assert again.last_response is not None
    assert again.last_response.headers["idempotent-replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        new_session(sim, key, client_reference_id="order-2")


def test_a_refused_request_is_not_remembered(sim: StripeSimulator) -> None:
    key = uuid4().hex
    with pytest.raises(stripe.InvalidRequestError):
        new_session(sim, key, expires_at=int(time.time()) + 60)
    assert new_session(sim, key).status == "open"


def test_an_outcome_is_remembered_even_when_it_is_an_error(sim: StripeSimulator) -> None:
    session = new_session(sim)
    sim.pay(session.id)
    payment = str(sim.client.v1.checkout.sessions.retrieve(session.id).payment_intent)
    whole = sim.client.v1.refunds.create({"payment_intent": payment})
    options = {"idempotency_key": uuid4().hex}

    def refused() -> str | None:
        with pytest.raises(stripe.InvalidRequestError) as error:
            sim.client.v1.refunds.create({"payment_intent": payment}, options)  # type: ignore[arg-type]
        return error.value.code

    assert refused() == "charge_already_refunded"
    sim.act("fail_refund", whole.id)
    assert refused() == "charge_already_refunded"
    assert sim.client.v1.refunds.create({"payment_intent": payment}).status == "succeeded"  # asked anew


def test_an_answer_that_is_lost_is_given_again_under_its_key(sim: StripeSimulator) -> None:
    sim.behave(cut_off=True)
    key = uuid4().hex
    with pytest.raises(stripe.APIConnectionError):
        new_session(sim, key)
    made = new_session(sim, key, client_reference_id="order-1")
    assert made.last_response is not None
    assert made.last_response.headers["idempotent-replayed"] == "true"
    assert [each["id"] for each in sim.state()["sessions"][:2]].count(made.id) == 1


@pytest.mark.parametrize(
    ("wrong", "param", "code"),
    [
        ({"line_items": [{"price": "price_none", "quantity": 1}]}, "line_items[0][price]", "resource_missing"),
        ({"line_items": []}, "line_items", "parameter_missing"),
        ({"colour": "blue"}, "colour", "parameter_unknown"),
        ({"success_url": "not an address"}, "success_url", "url_invalid"),
        ({"expires_at": "soon"}, "expires_at", "parameter_invalid_integer"),
        ({"expires_at": 9_999_999_999}, "expires_at", None),
    ],
)
def test_what_stripe_would_refuse_is_refused(
    sim: StripeSimulator, wrong: dict[str, object], param: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        new_session(sim, **wrong)
    assert (refused.value.http_status, refused.value.param, refused.value.code) == (400, param, code)
    assert refused.value.request_id


def test_errors_have_the_classes_that_the_package_knows(sim: StripeSimulator) -> None:
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        sim.client.v1.checkout.sessions.retrieve("cs_test_none")
    assert (unknown.value.http_status, unknown.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key"):
        sim.client_with("sk_test_wrong").v1.prices.list()
    sim.behave(api_down=True)
    with pytest.raises(stripe.APIError) as down:
        sim.client.v1.prices.list()
    assert down.value.http_status == 503


def test_a_declined_card_leaves_the_session_open(sim: StripeSimulator) -> None:
    session = new_session(sim)
    page = sim.pay(session.id, "decline")
    assert page.status_code == 200
    assert 'role="alert"' in page.text
    assert sim.client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert sim.pay(session.id).status_code == 303


def test_an_expired_session_cannot_be_paid(sim: StripeSimulator) -> None:
    session = new_session(sim)
    assert sim.client.v1.checkout.sessions.expire(session.id).status == "expired"
    assert sim.pay(session.id).status_code == 400
    with pytest.raises(stripe.InvalidRequestError, match="can be expired"):
        sim.client.v1.checkout.sessions.expire(session.id)


def test_everything_survives_a_restart(tmp_path: Path, http: httpx.Client) -> None:
    launcher = Launcher(tmp_path / "stripe", tmp_path / "stripe.log", http)
    with receiving() as received:
        try:
            sim = launcher.start(received.url)
            sim.behave(delay_seconds=2)
            session = new_session(sim, "order-1")
            sim.pay(session.id)
            before = sim.state()
            launcher.stop()
            assert received.calls == []
            sim = launcher.start(received.url, int(sim.url.rpartition(":")[2]))
            assert new_session(sim, "order-1").id == session.id
            wait_for(lambda: received.calls, "the event that was owed")
            after = sim.state()
        finally:
            launcher.stop()
    assert (after["sessions"], after["charges"]) == (before["sessions"], before["charges"])


def test_a_button_pressed_on_another_page_is_refused(sim: StripeSimulator) -> None:
    session = new_session(sim)
    for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert sim.http.post(f"{sim.url}/c/pay/{session.id}/pay", headers=headers).status_code == 403
        wanted = {"action": "expire", "id": session.id}
        assert sim.http.post(f"{sim.url}/_sim/act", data=wanted, headers=headers).status_code == 403
    assert sim.client.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_the_pages_show_what_can_be_done(sim: StripeSimulator) -> None:
    session = new_session(sim, customer_email="<b>@example.test")
    page = sim.http.get(str(session.url)).text
    assert "Pay €79.00" in page
    assert CANCEL in page
    assert "<b>@" not in page
    assert "Expire" in sim.http.get(f"{sim.url}/_sim/").text
    sim.pay(session.id)
    console = sim.http.get(f"{sim.url}/_sim/").text
    assert "Refund that fails" in console
    assert "<b>@" not in console
    wrong = sim.http.post(f"{sim.url}/_sim/act", data={"action": "refund", "id": "pi_none", "amount": "1.00"})
    assert (wrong.status_code, "No such payment_intent" in wrong.text) == (422, True)


def test_setting_up_prices_again_makes_nothing_new(sim: StripeSimulator) -> None:
    pack = Pack("credits_500", 500, 7900, "eur", is_best_value=True)
    first = ensure_price(sim.client, pack)
    assert ensure_price(sim.client, pack) == first
    dearer = Pack("credits_500", 500, 8900, "eur", is_best_value=True)
    second = ensure_price(sim.client, dearer)
    assert second != first
    assert ensure_price(sim.client, dearer) == second
    assert not sim.client.v1.prices.retrieve(first).active
    found = sim.client.v1.prices.retrieve(second)
    assert (found.unit_amount, found.currency, found.lookup_key) == (8900, "eur", "atelier_credits_500")
