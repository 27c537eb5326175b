"""Money that goes back: in proportion, by refund id, owed when it was used, frozen while it is disputed."""

import pytest

from tests.database.books import cancelled, refused
from tests.database.payments import NOON, Order, Row, Shop, event, paid, shop_fixture  # noqa: F401


def refund(shop: Shop, order: Order, cents: int | None = None) -> Row:
    """A refund that is told; returns it."""
    made = order.refund(cents)
    assert shop.deliver(event("refund.created", made)) == "applied"
    return made


def dispute(shop: Shop, order: Order, cents: int | None = None) -> Row:
    made = order.dispute(cents=cents)
    assert shop.deliver(event("charge.dispute.created", made)) == "applied"
    return made


def decide(shop: Shop, made: Row, status: str, created: int = NOON + 60, **more: object) -> str:
    return str(shop.deliver(event("charge.dispute.closed", made | {"status": status} | more, created)))


@pytest.mark.parametrize(
    ("pack", "cents", "taken"),
    [
        ("credits_100", 1900, 100),
        ("credits_100", 950, 50),
        ("credits_100", 1, 0),
        ("credits_100", 10, 1),  # 0.53 of a credit
        ("credits_500", 2633, 167),  # 166.65
        ("credits_1000", 13899, 1000),  # 999.93
    ],
)
def test_a_refund_takes_back_in_proportion(shop: Shop, pack: str, cents: int, taken: int) -> None:
    order = shop.bought(shop.person(), pack)
    refund(shop, order, cents)
    bought = shop.purchase(order)
    assert (bought["taken_credits"], bought["refunded_cents"]) == (taken, cents)
    assert bought["status"] == ("refunded" if cents == order.cents else "partially_refunded")
    assert shop.account(order.user) == (order.credits - taken, 0, 0, 0)


def test_parts_add_up_to_the_whole(shop: Shop) -> None:
    order = shop.bought(shop.person())
    for _ in range(19):
        refund(shop, order, 100)
    assert shop.account(order.user) == (0, 0, 0, 0)
    entries = shop.books.all("select idempotency_key, reason from credit_entries where kind = 'refund'")
    assert len({entry["idempotency_key"] for entry in entries}) == 19
    assert entries[0]["reason"] == "Refund of €1"


def test_more_than_was_paid_takes_no_more_than_was_granted(shop: Shop) -> None:
    order = shop.bought(shop.person(30))
    refund(shop, order)
    refund(shop, order, 500)
    made = dispute(shop, order)
    assert decide(shop, made, "lost") == "applied"
    assert shop.account(order.user) == (30, 0, 0, 0)
    assert shop.purchase(order)["taken_credits"] == 100


def test_a_refund_id_reverses_once(shop: Shop) -> None:
    order = shop.bought(shop.person())
    made = refund(shop, order, 950)
    for name, status in (("updated", "succeeded"), ("created", "pending"), ("updated", "succeeded")):
        assert shop.deliver(event(f"refund.{name}", made | {"status": status})) == "no_change"
    assert shop.moves(order.user) == [("purchase", 100), ("refund", 50)]


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_refund_that_fails_gives_back(shop: Shop, status: str) -> None:
    order = shop.bought(shop.person())
    shop.use(order.user, 70)
    made = refund(shop, order)
    assert shop.account(order.user) == (0, 0, 0, 70)
    assert shop.deliver(event("refund.failed", made | {"status": status})) == "applied"
    assert shop.account(order.user) == (30, 0, 0, 0)
    assert shop.moves(order.user)[2:] == [("capture", 70), ("refund", 100), ("reversal", 100), ("settlement", 70)]
    assert shop.purchase(order)["status"] == "paid"
    assert shop.deliver(event("refund.updated", made)) == "no_change"


def test_what_was_used_is_owed_and_settled_from_the_next_purchase(shop: Shop) -> None:
    user = shop.person()
    order = shop.bought(user)
    shop.use(user, 60)
    refund(shop, order)
    entry = shop.books.one("select * from credit_entries where kind = 'refund'")
    assert (entry["amount"], entry["available_change"], entry["owed_change"]) == (100, -40, 60)
    assert shop.account(user) == (0, 0, 0, 60)
    shop.bought(user, "credits_500")
    assert shop.account(user) == (440, 0, 0, 0)
    assert shop.moves(user)[-2:] == [("purchase", 500), ("settlement", 60)]


def test_a_small_purchase_settles_a_part(shop: Shop) -> None:
    user = shop.person()
    order = shop.bought(user, "credits_500")
    shop.use(user, 500)
    refund(shop, order)
    shop.bought(user)
    assert shop.account(user) == (0, 0, 0, 400)


def test_a_gift_is_not_used_for_what_is_owed(shop: Shop) -> None:
    user = shop.person()
    order = shop.bought(user)
    shop.use(user, 100)
    refund(shop, order)
    shop.books.call(
        "grant_credits", p_actor=shop.books.admin, p_user=user, p_amount=25, p_reason="To go on", p_key="gift"
    )
    assert shop.account(user) == (25, 0, 0, 100)


def test_credits_that_were_set_aside_are_taken_when_they_come_back(shop: Shop) -> None:
    user = shop.person()
    order = shop.bought(user)
    job = shop.books.submitted(user, quantity=100)
    refund(shop, order)
    assert shop.account(user) == (0, 100, 0, 100)
    shop.books.settle(job, cancelled())
    assert shop.account(user) == (0, 0, 0, 0)
    assert shop.moves(user)[-2:] == [("release", 100), ("settlement", 100)]


def test_what_comes_back_settles_no_more_than_itself(shop: Shop) -> None:
    user = shop.person()
    order = shop.bought(user)
    shop.use(user, 95)
    job = shop.books.submitted(user, quantity=5)
    refund(shop, order)
    shop.books.call(
        "grant_credits", p_actor=shop.books.admin, p_user=user, p_amount=50, p_reason="A gift", p_key="gift"
    )
    shop.books.settle(job, cancelled())
    assert shop.account(user) == (50, 0, 0, 95)


def test_owed_credits_can_be_forgiven(shop: Shop) -> None:
    user = shop.person()
    order = shop.bought(user)
    shop.use(user, 100)
    refund(shop, order)
    arguments = {"p_actor": shop.books.admin, "p_user": user, "p_amount": 30, "p_reason": "Our mistake", "p_key": "one"}
    shop.books.race(*[("waive_owed", arguments)] * 4)
    assert shop.account(user) == (0, 0, 0, 70)
    assert shop.books.value("select count(*) from admin_actions where action = 'waive_owed'") == 1
    (debt,) = shop.books.call("who_owe", p_actor=shop.books.admin)
    assert (debt["user_id"], debt["owed"]) == (str(user), 70)
    for wrong in ({"p_amount": 71}, {"p_amount": 0}, {"p_amount": None}, {"p_reason": " "}):
        with shop.books.unchanged(), refused(422, "INVALID_INPUT"):
            shop.books.call("waive_owed", **(arguments | {"p_key": "two"} | wrong))
    with refused(403, "NOT_ALLOWED"):
        shop.books.call("waive_owed", **(arguments | {"p_actor": user, "p_key": "two"}))


def test_a_refund_that_came_before_its_payment_waits_for_it(shop: Shop) -> None:
    order = shop.order(shop.person())
    assert shop.deliver(event("refund.created", order.refund(950))) == "unknown_payment"
    assert shop.deliver(paid(order)) == "granted"
    assert shop.account(order.user) == (50, 0, 0, 0)


@pytest.mark.parametrize("refund_first", [True, False])
def test_money_in_another_currency_is_for_an_admin(shop: Shop, refund_first: bool) -> None:
    order = shop.order(shop.person())
    told = [event("refund.created", order.refund(currency="usd")), paid(order)]
    for each in told if refund_first else told[::-1]:
        shop.deliver(each)
    bought = shop.purchase(order)
    assert (bought["flagged_reason"], bought["status"]) == ("Money went back in USD.", "paid")
    assert shop.account(order.user) == (100, 0, 0, 0)
    (flagged,) = shop.books.call("flagged_payments", p_actor=shop.books.admin)
    assert flagged["granted_credits"] == 100
    shop.deliver(event("refund.created", order.refund(currency="gbp")))
    assert shop.purchase(order)["flagged_reason"] == "Money went back in GBP.\nMoney went back in USD."


# Disputes


def test_a_dispute_freezes_what_is_left(shop: Shop) -> None:
    user = shop.person(10)
    order = shop.bought(user)
    shop.use(user, 30)
    dispute(shop, order)
    assert shop.account(user) == (0, 0, 80, 0)
    bought = shop.purchase(order)
    assert (bought["status"], bought["frozen_credits"]) == ("disputed", 80)
    with refused(402, "INSUFFICIENT_CREDITS"):
        shop.books.create(user)


@pytest.mark.parametrize(
    ("status", "account", "purchase"),
    [
        ("won", (80, 0, 0, 0), "paid"),
        ("warning_closed", (80, 0, 0, 0), "paid"),
        ("prevented", (80, 0, 0, 0), "paid"),
        ("lost", (0, 0, 0, 20), "dispute_lost"),
        ("appeal_under_review", (0, 0, 0, 20), "dispute_lost"),
        ("under_review", (0, 0, 80, 0), "disputed"),
    ],
)
def test_won_returns_and_lost_takes(shop: Shop, status: str, account: tuple[int, int, int, int], purchase: str) -> None:
    user = shop.person()
    order = shop.bought(user)
    shop.use(user, 20)
    made = dispute(shop, order)
    decide(shop, made, status)
    assert shop.account(user) == account
    assert shop.purchase(order)["status"] == purchase


def test_a_prevented_dispute_whose_money_is_gone_is_lost(shop: Shop) -> None:
    order = shop.bought(shop.person())
    made = dispute(shop, order)
    decide(shop, made, "prevented", balance_transactions=[{"amount": -1900}])
    assert shop.account(order.user) == (0, 0, 0, 0)


def test_a_lost_dispute_that_is_won_after_all_gives_back(shop: Shop) -> None:
    order = shop.bought(shop.person())
    made = dispute(shop, order)
    decide(shop, made, "lost", NOON + 60)
    decide(shop, made, "appeal_under_review", NOON + 90)
    decide(shop, made, "won", NOON + 120)
    assert shop.account(order.user) == (100, 0, 0, 0)
    assert decide(shop, made, "lost", NOON + 60) == "no_change"  # an old event, told late
    assert shop.moves(order.user)[-2:] == [("chargeback", 100), ("reversal", 100)]


def test_an_old_event_does_not_open_a_dispute_again(shop: Shop) -> None:
    order = shop.bought(shop.person())
    made = dispute(shop, order)
    decide(shop, made, "won")
    assert shop.deliver(event("charge.dispute.updated", made | {"status": "under_review"}, NOON + 999)) == "no_change"
    assert shop.account(order.user) == (100, 0, 0, 0)


def test_a_partly_disputed_purchase_loses_its_part(shop: Shop) -> None:
    order = shop.bought(shop.person())
    made = dispute(shop, order, 950)
    assert shop.account(order.user) == (0, 0, 100, 0)
    decide(shop, made, "lost")
    assert shop.account(order.user) == (50, 0, 0, 0)


def test_a_refund_during_a_dispute_takes_what_is_frozen(shop: Shop) -> None:
    order = shop.bought(shop.person())
    made = dispute(shop, order)
    refund(shop, order, 950)
    assert shop.account(order.user) == (0, 0, 50, 0)
    decide(shop, made, "won")
    assert shop.account(order.user) == (50, 0, 0, 0)


def test_a_refund_of_one_purchase_uses_what_is_frozen_of_another_before_it_owes(shop: Shop) -> None:
    user = shop.person()
    first, second = shop.bought(user), shop.bought(user)
    made = dispute(shop, first)
    shop.use(user, 100)
    refund(shop, second)
    assert shop.account(user) == (0, 0, 0, 0)
    decide(shop, made, "won")
    assert shop.account(user) == (0, 0, 0, 0)


def test_credits_that_come_back_are_frozen_too(shop: Shop) -> None:
    user = shop.person()
    order = shop.bought(user)
    job = shop.books.submitted(user, quantity=40)
    dispute(shop, order)
    assert shop.account(user) == (0, 40, 60, 0)
    shop.books.settle(job, cancelled())
    assert shop.account(user) == (0, 0, 100, 0)


def test_two_disputes_about_one_payment(shop: Shop) -> None:
    order = shop.bought(shop.person())
    first, second = dispute(shop, order, 950), order.dispute(cents=950)
    assert shop.deliver(event("charge.dispute.created", second)) == "no_change"  # all is frozen already
    decide(shop, first, "won")
    assert shop.account(order.user) == (0, 0, 100, 0)  # the other one is still open
    decide(shop, second, "lost")
    assert shop.account(order.user) == (50, 0, 0, 0)
