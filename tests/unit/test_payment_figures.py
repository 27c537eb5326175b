"""Margins, revenue and packs: what is reckoned from the figures of the database."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from core import margins
from core.margins import Earned
from core.packs import Pack
from core.revenue import BuyerRevenue, PaymentMetrics, WebhookHealth
from tests.unit.ui import doubles


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


# Margins, from the figures of the database and what the form offers. A run of Flux Dev is 5 credits: €0.50, $0.55.


def report(monkeypatch: pytest.MonkeyPatch, **jobs: Any) -> margins.MarginReport:
    """The report about one type whose jobs were these, when a credit sells for €0.10 and is to earn 30%."""
    row = {
        "generation_type": "image_flux_dev",
        "label": "Flux Dev",
        "enabled": True,
        "credits_per_unit": 5,
        "credit_unit": "image",
        "jobs": 0,
        "credits": 0,
        "estimated_usd": "0",
        "actual_usd": "0",
        "confirmed_jobs": 0,
        "confirmed_credits": 0,
        "confirmed_usd": "0",
    }
    state = {
        "days": 90,
        "usd_per_eur": "1.1000",
        "margin_warning": "0.300",
        "lowest_cents_per_credit": "10.000000",
        "sold": {"credits": 300, "cents": 4500},
        "types": [row | jobs],
    }

    class Answers:
        def call(self, function: str, **_parameters: Any) -> Any:
            assert function == "margin_figures"
            return state

    monkeypatch.setattr(margins, "get_database", Answers)
    monkeypatch.setattr(margins, "offers", doubles.offers)
    return margins.margins(doubles.person(role="admin"))


def test_a_run_is_reckoned_at_the_lowest_price_of_a_credit(monkeypatch: pytest.MonkeyPatch) -> None:
    found = report(monkeypatch)
    (dev,) = found.types
    assert dev.quoted is not None
    assert (found.sale(dev.quoted), dev.quoted.usd) == (Decimal("0.50"), Decimal("0.025"))
    assert dev.quoted_margin == 1 - Decimal("0.025") / Decimal("0.55")
    assert (dev.actual_margin, dev.estimated_margin, dev.confirmed_margin) == (None, None, None)
    assert (found.eur_per_credit_sold, found.low) == (Decimal("0.15"), ())


@pytest.mark.parametrize(
    ("jobs", "is_low"),
    [
        ({"credits": 10, "estimated_usd": "0.10", "actual_usd": "0.77"}, False),  # 30% of $1.10 stays
        ({"credits": 10, "estimated_usd": "0.10", "actual_usd": "0.78"}, True),
        ({"credits": 0, "actual_usd": "0.10"}, False),  # failed jobs that were billed bring nothing to compare with
    ],
)
def test_what_earns_too_little_is_marked(monkeypatch: pytest.MonkeyPatch, jobs: dict[str, Any], is_low: bool) -> None:
    assert bool(report(monkeypatch, jobs=2, **jobs).low) is is_low


def test_a_run_that_costs_too_much_today_is_marked_whatever_it_earned_before(monkeypatch: pytest.MonkeyPatch) -> None:
    dear = {"image_flux_dev": doubles.offer("image_flux_dev", credits=5, unit="image", price="0.5")}
    monkeypatch.setattr(doubles, "offers", lambda: dear)
    (dev,) = report(monkeypatch, jobs=2, credits=10, estimated_usd="0.05", actual_usd="0.05").low
    assert dev.actual_margin is not None
    assert dev.actual_margin > Decimal("0.9")
