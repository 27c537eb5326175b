"""Margins, revenue and packs: what is reckoned from the figures of the database."""

from decimal import Decimal
from uuid import UUID

import pytest

from core.margins import Earned
from core.packs import Pack
from core.revenue import BuyerRevenue, PaymentMetrics, WebhookHealth


@pytest.mark.parametrize(
    ("credits", "usd", "margin"),
    [
        (10, "1.10", "0.5"),  # 10 credits sell for €2, that is $2.20
        (10, "2.20", "0"),
        (10, "4.40", "-1"),
        (10, "0", "1"),
        (0, "1", None),
    ],
)
def test_a_margin_is_the_share_of_the_price_that_stays(credits: int, usd: str, margin: str | None) -> None:
    found = Earned(credits, Decimal(usd)).margin(Decimal("0.20"), Decimal("1.1"))
    assert found == (Decimal(margin) if margin is not None else None)


@pytest.mark.parametrize(
    ("credits", "cents", "per_credit"), [(100, 1900, "0.19"), (500, 7900, "0.158"), (1000, 13900, "0.139")]
)
def test_the_price_of_a_credit_is_exact(credits: int, cents: int, per_credit: str) -> None:
    assert Pack("x", credits, cents, "eur", is_best_value=False).euros_per_credit == Decimal(per_credit)


def metrics(*people: BuyerRevenue, seen: int = 0, checkouts: int = 0) -> PaymentMetrics:
    webhooks = (WebhookHealth("fal", 200, 199), WebhookHealth("stripe", 100, 98))
    return PaymentMetrics(30, seen, seen, checkouts, people, webhooks)


def buyer(purchases: int, gross: int, revenue: int) -> BuyerRevenue:
    return BuyerRevenue(UUID(int=1), "a@example.test", "A", purchases, 100, gross, revenue)


def test_the_funnel() -> None:
    found = metrics(buyer(2, 9800, 6900), buyer(1, 1900, 0), seen=12, checkouts=4)
    assert (found.purchases, found.conversion, found.checkout_conversion) == (3, Decimal("0.25"), Decimal("0.75"))
    assert (found.average_basket, found.revenue_per_person) == (Decimal(39), Decimal("34.5"))


def test_without_anybody_there_is_nothing_to_divide() -> None:
    found = metrics()
    assert (found.conversion, found.checkout_conversion, found.average_basket, found.revenue_per_person) == (None,) * 4


def test_webhooks_are_held_to_their_target() -> None:
    found = metrics()
    assert (found.webhook("fal").is_on_target, found.webhook("stripe").is_on_target) == (True, False)
    assert found.webhook("stripe").rate == Decimal("0.98")
    unused = found.webhook("nobody")
    assert (unused.rate, unused.is_on_target) == (None, True)
