"""Buying credits through everything that is real but Stripe itself: page functions, the endpoint, the database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from core import (
    credits,
    database,
    packs,
    payments,
    purchases,
)
from core.errors import (
    NotAllowed,
    NotFound,
    PriceChanged,
    Refused,
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


def test_a_pack_is_bought_and_the_webhook_grants_it(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    session = till.buy(person)
    assert till.account(person) == (500, 0, 0)
    known = purchases.by_session(person, session)
    assert (known.status, known.paid_through, known.euros) == ("paid", "webhook", Decimal(79))
    done = payments.fulfil(person, session)
    assert (done.result, done.is_paid, done.available) == ("already_granted", True, 500)
    assert till.moves(person) == [("purchase", 500)]
    assert [known.id for known in purchases.own(person)] == [known.id]


def test_a_person_reads_their_lines_and_takes_every_entry(
    till: Till, buyer: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    person = buyer()
    session = till.buy(person, "credits_100")
    refund = till.sim.act("refund", till.payment_of(session), 950)["refunds"][0]
    till.told("refund.created", refund["id"])
    till.buy(buyer())  # somebody else
    (back,), older = credits.lines(person, page_size=1)
    assert (back.kind, back.change, back.balance, older) == ("refund", -50, 50, back.id)
    (bought,), oldest = credits.lines(person, group="purchases", before=older, page_size=1)
    assert (bought.kind, bought.has_receipt, oldest) == ("purchase", True, None)
    assert bought.purchase_id == purchases.by_session(person, session).id
    assert credits.lines(person, group="jobs") == ((), None)
    assert credits.lines(person, since=datetime.now(UTC) + timedelta(minutes=1)) == ((), None)
    for page in (1, 500):
        monkeypatch.setattr(credits, "_FILE_PAGE", page)
        assert [(entry.kind, entry.available_after) for entry in credits.entries(person)] == [
            ("refund", 50),
            ("purchase", 100),
        ]


def test_the_success_page_grants_when_the_webhook_does_not_come(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    till.sim.behave(lose=True)
    session = till.start(person, "credits_100")
    assert payments.fulfil(person, session).result == "open"
    till.sim.pay(session)
    done = payments.fulfil(person, session)
    assert (done.result, done.available, done.purchase.paid_through) == ("granted", 100, "page")
    lost = till.sim.settled("checkout.session.completed", session)
    till.sim.behave(lose=False)
    till.sim.act("send_again", lost["id"])
    till.told("checkout.session.completed", session)
    assert till.moves(person) == [("purchase", 100)]


def test_webhook_and_success_page_at_once_grant_once(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    till.sim.behave(repeat=3, reorder=True)
    session = till.start(person)
    till.sim.pay(session)
    with ThreadPoolExecutor(6) as threads:
        done = list(threads.map(lambda _: payments.fulfil(person, session), range(6)))
    till.told("checkout.session.completed", session)
    assert {each.available for each in done} == {500}
    assert till.moves(person) == [("purchase", 500)]


def test_the_same_order_is_the_same_pay_page(till: Till, buyer: Callable[..., Person]) -> None:
    person, order = buyer(), uuid4()
    session = till.start(person, order_id=order)
    assert till.start(person, order_id=order) == session
    with pytest.raises(NotFound):
        till.start(buyer(), order_id=order)
    till.sim.pay(session, "later")
    payments.fulfil(person, session)
    refusals = [refusal(till, person, order)]
    till.sim.act("arrive", till.payment_of(session))
    payments.fulfil(person, session)
    assert [*refusals, refusal(till, person, order)] == ["ORDER_PROCESSING", "ALREADY_PAID"]


def refusal(till: Till, person: Person, order: UUID) -> str:
    """Why an order cannot be gone on with."""
    with pytest.raises(Refused) as refused:
        till.start(person, order_id=order)
    return refused.value.code


def test_an_old_order_is_not_gone_on_with(till: Till, buyer: Callable[..., Person]) -> None:
    person, order, unsent = buyer(), uuid4(), uuid4()
    till.start(person, order_id=order)
    database.get_database().call("start_purchase", p_order=unsent, p_user=person.user_id, p_pack="credits_100")
    till.rows.execute(
        "update credit_purchases set created_at = created_at - interval '100 minutes' where user_id = %s",
        (person.user_id,),
    )
    assert refusal(till, person, unsent) == "ORDER_CLOSED"  # no page could be open for half an hour
    till.rows.execute(
        "update credit_purchases set created_at = created_at - interval '20 minutes' where user_id = %s",
        (person.user_id,),
    )
    assert refusal(till, person, order) == "ORDER_CLOSED"


def test_an_order_is_refused_before_stripe_is_asked(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    with pytest.raises(PriceChanged, match="€79"):
        till.start(person, expected_cents=7800)
    till.rows.execute("update profiles set is_approved = false where user_id = %s", (person.user_id,))
    with pytest.raises(NotAllowed):
        till.start(person)
    assert purchases.every(person) == ((), None)


def test_an_abandoned_checkout_changes_nothing(till: Till, buyer: Callable[..., Person]) -> None:
    person = buyer()
    session = till.start(person)
    till.sim.pay(session, "decline")
    assert payments.fulfil(person, session).result == "open"
    till.sim.act("expire", session)
    till.told("checkout.session.expired", session)
    assert purchases.by_session(person, session).status == "expired"
    assert (till.moves(person), purchases.own(person)) == ([], ())


def test_another_persons_session_is_refused(till: Till, buyer: Callable[..., Person]) -> None:
    person, stranger = buyer(), buyer("admin")
    session = till.start(person)
    till.sim.behave(lose=True)
    till.sim.pay(session)
    for wrong in (session, "cs_test_unknown", "cs_test/../../x", ""):
        with pytest.raises(NotFound):
            payments.fulfil(stranger, wrong)
    with pytest.raises(NotFound):
        payments.look_up(session, source="page", user_id=stranger.user_id)
    assert (till.moves(person), till.moves(stranger)) == ([], [])
    assert payments.fulfil(person, session).result == "granted"


def test_what_a_pack_buys(till: Till) -> None:  # noqa: ARG001
    on_sale = packs.packs()
    assert [(pack.credits, pack.euros, pack.is_best_value) for pack in on_sale] == [
        (100, Decimal(19), False),
        (500, Decimal(79), True),
        (1000, Decimal(139), False),
    ]
    assert packs.worth(on_sale[0]) == packs.Worth(batches=100, videos=6)
    assert [packs.smallest_for(missing) for missing in (1, 101, 5000)] == list(on_sale)
    assert on_sale[1].euros_per_credit == Decimal("0.158")
