"""What admins see of the payments, and that the audit notices every way in which they could be wrong."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.database.books import completed, failed, opened, refused, rules
from tests.database.payments import Shop, event, paid, shop_fixture  # noqa: F401


def test_the_funnel_and_the_revenue(shop: Shop) -> None:
    first, second = shop.person(), shop.person()
    for user in (first, second):
        shop.books.call("note_product_event", p_user=user, p_event="packs_seen", p_key="visit")
    bought = shop.bought(first, "credits_500")
    shop.bought(first)
    shop.order(second)
    shop.deliver(event("refund.created", bought.refund(2900)))
    found = shop.books.call("payment_metrics", p_actor=shop.books.admin)
    assert (found["seen"], found["seen_by"], found["checkouts"]) == (2, 2, 3)
    (person,) = found["people"]
    assert person["user_id"] == str(first)
    assert (person["purchases"], person["credits"], person["gross_cents"], person["revenue_cents"]) == (
        2,
        600,
        9800,
        6900,
    )
    with refused(403, "NOT_ALLOWED"):
        shop.books.call("payment_metrics", p_actor=first)


def test_old_purchases_are_not_in_the_period(shop: Shop) -> None:
    order = shop.order(shop.person())
    shop.deliver(paid(order))
    shop.books.owner.execute("alter table credit_purchases disable trigger keep_order")
    shop.books.owner.execute("update credit_purchases set paid_at = now() - interval '31 days'")
    shop.books.owner.execute("update product_events set created_at = now() - interval '31 days'")
    shop.books.owner.execute("update webhook_events set received_at = now() - interval '31 days'")
    found = shop.books.call("payment_metrics", p_actor=shop.books.admin)
    assert (found["people"], found["checkouts"], found["webhooks"]) == ([], 0, [])
    assert len(shop.books.call("payment_metrics", p_actor=shop.books.admin, p_days=60)["people"]) == 1


def test_webhooks_that_were_not_applied_count_against_the_rate(shop: Shop) -> None:
    order = shop.bought(shop.person())
    shop.deliver(event("customer.created", order.session()))
    shop.deliver(event("refund.created", order.refund(-1)))
    found = shop.books.call("payment_metrics", p_actor=shop.books.admin)["webhooks"]
    assert found == [{"provider": "stripe", "received": 3, "succeeded": 2}]


def test_margins_count_what_was_paid_with_credits(shop: Shop) -> None:
    user = shop.bought(shop.person(50), "credits_500").user
    done = shop.books.submitted(user, quantity=4)
    shop.books.settle(done, completed("8"))
    shop.books.cost(done, "0.0300", "confirmed")
    shop.books.settle(shop.books.submitted(user), failed(billable=True))
    shop.books.settle(shop.books.submitted(user), failed(billable=False))
    unmetered = shop.books.person(unmetered=True)
    shop.books.settle(shop.books.submitted(unmetered, quantity=9), completed())
    found = shop.books.call("margin_figures", p_actor=shop.books.admin)
    schnell = next(row for row in found["types"] if row["generation_type"] == "image_flux_schnell")
    assert (schnell["jobs"], schnell["credits"]) == (3, 4)
    assert (Decimal(schnell["estimated_usd"]), Decimal(schnell["actual_usd"])) == (Decimal("0.006"), Decimal("0.033"))
    assert (schnell["confirmed_jobs"], schnell["confirmed_credits"]) == (1, 4)
    assert Decimal(schnell["confirmed_usd"]) == Decimal("0.03")
    assert Decimal(found["lowest_cents_per_credit"]) == Decimal("13.9")
    assert found["sold"] == {"credits": 500, "cents": 7900}
    with refused(403, "NOT_ALLOWED"):
        shop.books.call("margin_figures", p_actor=user)


def test_settings_are_checked_and_on_the_trail(shop: Shop) -> None:
    admin = shop.books.admin
    for wrong in (
        {"p_usd_per_eur": 0},
        {"p_usd_per_eur": 101},
        {"p_margin_warning": Decimal("1.1")},
        {"p_low_balance_credits": -1},
    ):
        with shop.books.unchanged(), refused(422, "INVALID_INPUT"):
            shop.books.call("set_payment_settings", p_actor=admin, **wrong)
    saved = shop.books.call("set_payment_settings", p_actor=admin, p_usd_per_eur=Decimal("1.0812"))
    assert saved == {"low_balance_credits": 5, "usd_per_eur": "1.0812", "margin_warning": "0.300"}
    shop.books.call("set_payment_settings", p_actor=admin, p_usd_per_eur=Decimal("1.0812"))
    assert shop.books.value("select count(*) from admin_actions where action = 'set_payment_settings'") == 1
    with refused(403, "NOT_ALLOWED"):
        shop.books.call("set_payment_settings", p_actor=shop.person(), p_low_balance_credits=0)


# The audit


@pytest.fixture
def broken(database_url: str) -> Iterator[Shop]:
    """A shop that the test breaks on purpose: one purchase, partly refunded, and one in dispute."""
    with opened(database_url) as books:
        shop = Shop(books)
        user = shop.person()
        first, second = shop.bought(user), shop.bought(user)
        shop.deliver(event("refund.created", first.refund(950)), event("charge.dispute.created", second.dispute()))
        assert shop.audit() == []
        books.owner.execute("set session_replication_role = replica")  # triggers and foreign keys are off
        yield shop


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        ("update credit_accounts set owed = 3", "owed_and_frozen_are_sums_of_entries"),
        ("update credit_entries set owed_after = 1 where kind = 'refund'", "owed_and_frozen_follow_each_other"),
        ("update credit_purchases set taken_credits = 49 where taken_credits = 50", "purchase_agrees_with_ledger"),
        ("delete from credit_entries where kind = 'purchase'", "purchase_agrees_with_ledger"),
        (
            "update credit_entries set user_id = (select user_id from profiles where role = 'admin'), version = 1000"
            " where kind = 'refund'",
            "purchase_belongs_to_the_person",
        ),
        ("update payment_refunds set amount_cents = 1900", "purchase_agrees_with_facts"),
        ("update credit_purchases set refunded_cents = 0", "purchase_agrees_with_facts"),
        (
            "update credit_purchases set granted_credits = 0, taken_credits = 0, frozen_credits = 0",
            "purchase_agrees_with_facts",
        ),
        ("update payment_refunds set is_applied = false", "refund_is_applied"),
        ("update payment_refunds set purchase_id = null, is_applied = false", "refund_is_applied"),
        ("update payment_disputes set standing = 'lost'", "dispute_is_applied"),
        ("update payment_disputes set purchase_id = null", "dispute_is_applied"),
        ("update credit_purchases set frozen_credits = 99 where is_disputed", "frozen_is_sum_of_purchases"),
    ],
)
def test_the_audit_notices(broken: Shop, damage: str, rule: str) -> None:
    broken.books.owner.execute(damage.encode())
    assert rule in rules(broken.books.all("select * from private.audit_payments()"))
