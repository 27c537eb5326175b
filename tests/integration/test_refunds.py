"""What comes after the payment: delay, refund, dispute, receipt, and the figures that admins see."""

from collections.abc import Callable
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from core import (
    credits,
    database,
    margins,
    packs,
    payments,
    purchases,
    revenue,
)
from core.errors import (
    InvalidInput,
    NotAllowed,
    NotFound,
)
from core.models import Person
from tests.integration.till import (
    Till,
    buyer_fixture,  # noqa: F401
    configure_fixture,  # noqa: F401
    endpoint_fixture,  # noqa: F401
    shared_sim_fixture,  # noqa: F401
    till_fixture,  # noqa: F401
)


@pytest.mark.parametrize(
    ("button", "ending", "result", "status", "moves"),
    [
        ("later", "async_payment_succeeded", "already_granted", "paid", [("purchase", 500)]),
        ("later-fails", "async_payment_failed", "payment_failed", "failed", []),
    ],
)
def test_a_delayed_payment(
    till: Till,
    buyer: Callable[..., Person],
    button: str,
    ending: str,
    result: str,
    status: str,
    moves: list[tuple[str, int]],
) -> None:
    person = buyer()
    session = till.start(person)
    till.sim.pay(session, button)
    assert payments.fulfil(person, session).result == "processing"
    assert till.moves(person) == []
    till.sim.act("arrive" if button == "later" else "bounce", till.payment_of(session))
    till.told(f"checkout.session.{ending}", session)
    assert purchases.by_session(person, session).status == status
    assert till.moves(person) == moves
    assert payments.fulfil(person, session).result == result


def test_refunds_take_back_in_proportion(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    session = till.buy(person, "credits_100")
    payment = till.payment_of(session)
    refund = till.sim.act("refund", payment, 950)["refunds"][0]
    till.told("refund.created", refund["id"])
    assert till.account(person) == (50, 0, 0)
    till.sim.act("fail_refund", refund["id"])
    till.told("refund.failed", refund["id"])
    assert till.account(person) == (100, 0, 0)
    refund = till.sim.act("refund", payment)["refunds"][0]
    till.told("refund.created", refund["id"])
    assert till.account(person) == (0, 0, 0)
    assert purchases.by_session(person, session).status == "refunded"
    assert till.moves(person) == [("purchase", 100), ("refund", 50), ("reversal", 50), ("refund", 100)]


@pytest.mark.parametrize(("action", "left", "status"), [("win", 100, "paid"), ("lose", 0, "dispute_lost")])
def test_disputes_freeze_until_they_are_decided(
    till: Till, buyer: Callable[..., Person], action: str, left: int, status: str
) -> None:
    person = buyer()
    session = till.buy(person, "credits_100")
    dispute = till.sim.act("dispute", till.payment_of(session))["disputes"][0]
    till.told("charge.dispute.created", dispute["id"])
    assert till.account(person) == (0, 100, 0)
    till.sim.act(action, dispute["id"])
    till.told("charge.dispute.closed", dispute["id"])
    assert till.account(person) == (left, 0, 0)
    assert purchases.by_session(person, session).status == status


def test_the_receipt_is_stripes(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    session = till.buy(person)
    known = purchases.by_session(person, session)
    url = payments.receipt_url(person, known.id)
    assert url.startswith(f"{till.sim.url}/receipts/ch_")
    with pytest.raises(NotFound):
        payments.receipt_url(buyer(), known.id)
    unpaid = purchases.by_session(person, till.start(person))
    with pytest.raises(NotFound):
        payments.receipt_url(person, unpaid.id)


def test_admins_see_the_figures_and_others_do_not(till: Till, buyer: Callable[..., Person]) -> None:
    person, admin = buyer(), buyer("admin")
    packs.note_seen(person, "visit-1")
    packs.note_seen(person, "visit-1")
    session = till.buy(person)
    found = revenue.payment_metrics(admin)
    mine = next(each for each in found.people if each.user_id == person.user_id)
    assert (mine.purchases, mine.credits, mine.gross_cents, mine.revenue_cents) == (1, 500, 7900, 7900)
    assert found.purchases <= found.checkouts
    assert found.webhook("stripe").is_on_target
    report = margins.margins(admin)
    schnell = next(each for each in report.types if each.generation_type == "image_flux_schnell")
    assert report.eur_per_credit == Decimal("0.139")
    assert schnell.quoted is not None
    assert schnell.quoted_margin is not None
    assert report.sale(schnell.quoted) == Decimal("0.139")
    saved = margins.save_settings(admin, usd_per_eur=Decimal("1.2345"), low_balance_credits=7)
    assert (saved.usd_per_eur, packs.terms().low_balance_credits) == (Decimal("1.2345"), 7)
    listed, older = purchases.every(admin, show="paid", page_size=100)
    bought = next(known for known in listed if known.stripe_session_id == session)
    assert (older, bought.email) == (None, person.email)
    assert str(bought.payment_intent_id) in str(purchases.payment_link(bought.payment_intent_id))
    for call in (revenue.payment_metrics, margins.margins):
        with pytest.raises(NotAllowed):
            call(person)
    with pytest.raises(NotAllowed):
        margins.save_settings(person, low_balance_credits=0)
    assert {known.user_id for known in purchases.every(person)[0]} == {person.user_id}


def test_owed_credits_are_seen_and_can_be_forgiven(till: Till, buyer: Callable[..., Person]) -> None:
    person, admin = buyer(), buyer("admin")
    session = till.buy(person, "credits_100")
    database.get_database().call(
        "grant_credits",
        p_actor=admin.user_id,
        p_user=person.user_id,
        p_amount=-100,
        p_reason="Spent elsewhere",
        p_key=uuid4().hex,
    )
    refund = till.sim.act("refund", till.payment_of(session))["refunds"][0]
    till.told("refund.created", refund["id"])
    assert credits.standing(person) == credits.Standing(available=0, held=0, owed=100, frozen=0, used_this_month=0)
    key = UUID(int=1).hex + str(person.user_id)
    purchases.waive_owed(admin, person.user_id, 40, "A gift", key)
    purchases.waive_owed(admin, person.user_id, 40, "A gift", key)
    assert credits.standing(person).owed == 60
    assert (person.email, 60) in [(debt.email, debt.owed) for debt in purchases.who_owe(admin)]
    with pytest.raises(InvalidInput):
        purchases.waive_owed(admin, person.user_id, 61, "Too much", uuid4().hex)
