"""What Stripe says and how it is set up: calls that are not its own, payments that are not what was ordered."""

import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import stripe

from core import (
    database,
    flagged_payments,
    operations,
    purchases,
    stripe_setup,
)
from core.errors import (
    DatabaseError,
    InvalidInput,
    NotAllowed,
    NotFound,
    PaymentsRefused,
)
from core.models import Person
from tests.integration.stripe_stack import SECRETS
from tests.integration.till import (
    Till,
    buyer_fixture,  # noqa: F401
    configure_fixture,  # noqa: F401
    endpoint_fixture,  # noqa: F401
    shared_sim_fixture,  # noqa: F401
    till_fixture,  # noqa: F401
)


def completed_event(till: Till, session: str, **tampered: Any) -> dict[str, Any]:
    """The event that Stripe would send when this session is paid."""
    about = till.http.get(f"{till.sim.url}/_sim/state").json()["sessions"]
    known = next(each for each in about if each["id"] == session)
    paid = {"status": "complete", "payment_status": "paid", "payment_intent": f"pi_{uuid4().hex}"}
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "type": "checkout.session.completed",
        "created": int(time.time()),
        "data": {"object": known | paid | tampered},
    }


def test_a_call_that_is_not_stripes_leaves_no_row(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    event = completed_event(till, till.start(person))
    body = json.dumps(event).encode()
    before = till.inbox()
    sign = stripe.WebhookSignature.generate_signature_header
    now = int(time.time())
    assert till.post(body, None) == 401
    assert till.post(body, "nonsense") == 401
    assert till.post(body, f"t={now},v1={'0' * 64}") == 401
    assert till.post_signed(event, secret="whsec_of_somebody_else") == 401
    assert till.post_signed(event, age=301) == 401
    assert till.post_signed(event, age=-400) == 401
    assert till.post(body.replace(b"500", b"501"), sign(body.decode(), SECRETS[0])) == 401
    assert till.post(body, sign(body.decode(), SECRETS[0]).replace("v1=", "v0=")) == 401
    assert till.post(b"\xff\xfe", f"t={now},v1={'0' * 64}") == 401
    for broken in ("{", "[]", '{"object": "event"}', json.dumps(event | {"data": {"object": None}})):
        assert till.post(broken.encode(), sign(broken, SECRETS[0])) == 400
    assert till.inbox() == before
    assert till.moves(person) == []
    assert till.post_signed(event, age=240) == 200
    assert till.moves(person) == [("purchase", 500)]


def test_without_a_secret_nothing_is_taken(
    till: Till, buyer: Callable[..., Person], configure: Callable[..., None]
) -> None:
    event = completed_event(till, till.start(buyer()))
    configure(STRIPE_WEBHOOK_SECRET="")
    assert till.post_signed(event) == 401
    assert till.post_signed(event, secret="") == 401


@pytest.mark.parametrize(
    "tampered",
    [
        {"amount_total": 79},
        {"currency": "usd"},
        {"metadata": {"pack": "credits_1000"}},
        {"client_reference_id": str(uuid4())},
        {"mode": "setup"},
    ],
)
def test_a_payment_that_is_not_what_was_ordered_grants_nothing(
    till: Till, buyer: Callable[..., Person], tampered: dict[str, Any]
) -> None:
    person, admin = buyer(), buyer("admin")
    session = till.start(person)
    event = completed_event(till, session, **tampered)
    assert till.post_signed(event) == 200
    assert till.moves(person) == []
    flagged = purchases.by_session(person, session)
    assert flagged.status == "flagged"
    assert till.inbox()[-1]["result"] == "flagged"
    waiting = next(known for known in flagged_payments.waiting(admin) if known.order_id == flagged.id)
    assert (waiting.email, waiting.credits, waiting.euros) == (person.email, 500, Decimal(79))
    assert operations.overview(admin).payments_flagged >= 1
    with pytest.raises(InvalidInput):
        flagged_payments.resolve(admin, waiting, " ")
    with pytest.raises(NotAllowed):
        flagged_payments.resolve(person, waiting, "Mine")
    flagged_payments.resolve(admin, waiting, "Refunded at Stripe")
    assert flagged.id not in {known.order_id for known in flagged_payments.waiting(admin)}
    with pytest.raises(NotFound):
        flagged_payments.resolve(admin, waiting, "Again")


def test_a_session_that_we_did_not_make_is_kept_and_grants_nothing(till: Till, buyer: Callable[..., Person]) -> None:
    person, admin = buyer(), buyer("admin")
    event = completed_event(till, till.start(person), id="cs_test_made_elsewhere", client_reference_id=str(uuid4()))
    before = till.moves(person)
    assert till.post_signed(event) == 200
    kept = till.inbox()[-1]
    assert (kept["status"], kept["result"], kept["event_type"]) == ("ignored", "not_ours", event["type"])
    assert "cs_test_made_elsewhere" in kept["error"]
    waiting = next(known for known in flagged_payments.waiting(admin) if known.event_id == kept["id"])
    assert (waiting.problem, waiting.payment_intent_id) == (kept["error"], event["data"]["object"]["payment_intent"])
    flagged_payments.resolve(admin, waiting, "Sold in the other shop")
    assert kept["id"] not in {known.event_id for known in flagged_payments.waiting(admin)}
    assert till.moves(person) == before


def test_a_wrong_price_at_stripe_is_noticed_before_anybody_pays(
    till: Till, buyer: Callable[..., Person], configure: Callable[..., None]
) -> None:
    wrong = till.sim.client.v1.prices.create({"product": "prod_credits_500", "unit_amount": 79, "currency": "eur"})
    configure(STRIPE_PRICE_CREDITS_500=wrong.id)
    person = buyer()
    with pytest.raises(PaymentsRefused, match="not the price of this pack"):
        till.start(person)
    closed = till.sim.state()["sessions"][0]
    assert closed["status"] == "expired"
    till.told("checkout.session.expired", closed["id"])
    configure(STRIPE_PRICE_CREDITS_500="")
    with pytest.raises(PaymentsRefused, match="no price at Stripe") as unset:
        till.start(person)
    assert unset.value.detail == {"setting": "STRIPE_PRICE_CREDITS_500"}


def test_a_wrong_key_is_said_plainly(till: Till, buyer: Callable[..., Person], configure: Callable[..., None]) -> None:
    configure(STRIPE_SECRET_KEY="sk_test_wrong")
    with pytest.raises(PaymentsRefused, match="refuses our key"):
        till.start(buyer())


def test_stripe_is_asked_to_call_again_when_the_database_is_away(
    till: Till, buyer: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    event = completed_event(till, till.start(buyer()))

    def away(*_arguments: Any, **_named: Any) -> Any:
        raise DatabaseError("The database is away.", detail={"error": "gone"})

    with monkeypatch.context() as broken:
        broken.setattr(database.Database, "call", away)
        assert till.post_signed(event) == 503
    assert till.post_signed(event) == 200


def test_the_setup_prints_the_settings(till: Till, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        stripe_setup.main()
    first, again = capsys.readouterr().out.split("STRIPE_PRICE_CREDITS_100=")[1:]
    assert first == again
    printed = dict(line.split("=") for line in f"STRIPE_PRICE_CREDITS_100={first}".splitlines() if "=" in line)
    assert list(printed) == ["STRIPE_PRICE_CREDITS_100", "STRIPE_PRICE_CREDITS_500", "STRIPE_PRICE_CREDITS_1000"]
    prices = [till.sim.client.v1.prices.retrieve(price).unit_amount for price in printed.values()]
    assert prices == [1900, 7900, 13900]
    assert "checkout.session.completed" in first
