"""The money sections of the Admin page."""

from decimal import Decimal
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import chores, flagged_payments, margins, prices, purchases, revenue
from core.flagged_payments import FlaggedPayment
from core.margins import Earned, MarginReport, TypeMargin
from core.models import Person
from core.prices import PriceSync
from core.purchases import Debt, Purchase
from core.revenue import BuyerRevenue, PaymentMetrics, WebhookHealth
from tests.unit.ui import doubles
from tests.unit.ui.studio import Studio, words_on
from ui import admin_margins, admin_prices


def draw_money() -> None:
    from ui import admin_money, guard

    admin_money.draw(guard.require(admin=True))


def margin(label: str, share: str, *, low: bool = False, enabled: bool = True) -> TypeMargin:
    earned = Earned(10, Decimal(1))
    known = Decimal(share)
    return TypeMargin(
        label, label, enabled, 1, "image", 4, earned, earned, earned, earned, 2, known, known, known, None, low
    )


REPORT = MarginReport(
    90,
    Decimal("1.1000"),
    Decimal("0.300"),
    Decimal("0.139"),
    Decimal("0.16333"),
    (margin("Good", "0.96"), margin("Veo *3.1*", "0.12", low=True), margin("Old", "0.05", low=True, enabled=False)),
)
METRICS = PaymentMetrics(
    30,
    12,
    3,
    4,
    (BuyerRevenue(doubles.ME, "mara@studio.example", "Mara Costa", 2, 600, 9800, 7900),),
    (WebhookHealth("stripe", 200, 197),),
)


class Money:
    """What the core knows, and what was done to it."""

    def __init__(self) -> None:
        self.flagged: list[FlaggedPayment] = []
        self.debts: list[Debt] = []
        self.done: list[tuple[Any, ...]] = []

    def every(self, _person: Person, **_wanted: Any) -> tuple[tuple[Purchase, ...], None]:
        return (doubles.purchase(email="mara@studio.example"),), None


@pytest.fixture
def money(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Money:
    studio.person = doubles.person(role="admin")
    money = Money()
    monkeypatch.setattr(revenue, "payment_metrics", lambda _person, days: METRICS if days == 30 else None)
    monkeypatch.setattr(purchases, "every", money.every)
    monkeypatch.setattr(purchases, "payment_link", lambda intent: f"https://stripe.test/{intent}" if intent else None)
    monkeypatch.setattr(purchases, "who_owe", lambda _person: tuple(money.debts))
    monkeypatch.setattr(purchases, "waive_owed", lambda *call: money.done.append(call))
    monkeypatch.setattr(flagged_payments, "waiting", lambda _person: tuple(money.flagged))
    monkeypatch.setattr(flagged_payments, "resolve", lambda *call: money.done.append(call))
    monkeypatch.setattr(margins, "margins", lambda _person: REPORT)
    monkeypatch.setattr(margins, "save_settings", lambda _person, **changes: money.done.append(("terms", changes)))
    monkeypatch.setattr(prices, "history", lambda _person, _limit: ())
    monkeypatch.setattr(prices, "sync", lambda _person: PriceSync(("Flux Dev",), 12, ("Veo: no *price*",)))
    monkeypatch.setattr(chores, "states", lambda _person: ())
    return money


def opened() -> AppTest:
    app = AppTest.from_function(draw_money, default_timeout=30).run()
    assert not app.exception
    return app


def test_the_funnel_the_baskets_and_the_webhooks(studio: Studio, money: Money) -> None:
    studio.alerts = [doubles.alert(delivery="failed", last_error="HTTP 500.")]
    app = opened()
    shown = {metric.label: (metric.value, metric.delta) for metric in app.metric}
    assert shown["Packs seen"] == ("12", "by 3 people")
    assert shown["Checkouts"] == ("4", "50% bought")
    assert shown["Purchases"] == ("2", "17% of views")
    assert shown["Average basket"] == ("€49", "€98 in all")
    assert shown["Per buyer"] == ("€79", "€79 kept")
    assert shown["Stripe webhooks"] == (r"98\.5%", "197 of 200 · below 99%")
    assert shown["fal.ai webhooks"][0] == "None yet"
    assert list(app.table[0].value["Posted"]) == [r"Not posted · HTTP 500\."]
    assert money.done == []


def test_margins_name_what_earns_too_little(money: Money) -> None:
    app = opened()
    assert r"**Below 30%: Veo \*3\.1\*.**" in app.warning[0].value
    assert "Old" not in app.warning[0].value
    shown = next(table.value for table in app.dataframe if "Sells for" in table.value)
    assert list(shown["Real"]) == [96.0, 12.0, 5.0], "percent, to be shown with one decimal each"
    assert money.done == []
    said = admin_margins.terms(REPORT)
    assert "€0.139, the lowest price on sale, really sold for €0.1633. €1 is \\$1.10." in said


def test_the_terms_are_saved_as_they_were_typed(money: Money) -> None:
    app = opened()
    app.button(key="change-terms").click().run()
    app.number_input(key="margin-rate").set_value(1.0825)
    app.number_input(key="margin-warning").set_value(25.0)
    next(button for button in app.button if button.label == "Save the terms").click().run()
    changes = {"low_balance_credits": 5, "usd_per_eur": Decimal("1.0825"), "margin_warning": Decimal("0.25")}
    assert money.done == [("terms", changes)]


def test_a_flagged_payment_waits_for_the_note_of_an_admin(money: Money) -> None:
    order = FlaggedPayment(
        doubles.ME, None, doubles.NOON, "Wrong *amount*.", "lea@studio.example", 500, 500, 7900, "pi_1"
    )
    foreign = FlaggedPayment(None, 7, doubles.NOON, "We made no checkout session cs_1.", None, None, 0, None, None)
    money.flagged = [order, foreign]
    app = opened()
    text = words_on(app)
    assert r"**Wrong \*amount\*\.** lea@studio\.example ordered 500 credits for €79" in text
    assert r"**We made no checkout session cs\_1\.** Told by Stripe on 20 Nov" in text
    assert text.count("500 credits were granted.") == text.count("Nothing was granted.") == 1
    app.text_input(key=f"flag-event-{foreign.event_id}-reason").set_value("Another shop")
    app.button(key=f"flag-event-{foreign.event_id}-settle").click().run()
    [(who, settled, reason)] = money.done
    assert (who.user_id, settled, reason) == (doubles.ME, foreign, "Another shop")


def test_owed_credits_are_forgiven_with_a_reason_once(money: Money) -> None:
    money.debts = [Debt(doubles.ME, "lea@studio.example", "Lea", 70)]
    app = opened()
    place = f"debt-{doubles.ME}"
    assert "owes **70 credits**" in words_on(app)
    app.number_input(key=f"{place}-amount").set_value(30)
    app.text_input(key=f"{place}-reason").set_value("Our mistake")
    app.button(key=f"{place}-forgive").click().run()
    [(who, user, amount, reason, _key)] = money.done
    assert (who.user_id, user, amount, reason) == (doubles.ME, doubles.ME, 30, "Our mistake")
    assert app.toast[0].value == "30 credits forgiven."


def test_purchases_lead_to_stripe(money: Money) -> None:
    assert money.done == []
    table = next(frame.value for frame in opened().dataframe if "At Stripe" in frame.value.columns)
    assert list(table["At Stripe"]) == ["https://stripe.test/pi_1"]
    assert list(table["Person"]) == ["mara@studio.example"]


def test_prices_are_read_on_a_button(money: Money) -> None:
    assert money.done == []
    app = opened()
    app.button(key="read-prices").click().run()
    assert app.toast[0].value == "1 price changed: Flux Dev. 12 stayed."
    assert r"Veo\: no \*price\*" in app.warning[-1].value or r"no \*price\*" in words_on(app)
    assert admin_prices.summary(PriceSync((), 13, ())) == "No price has changed, 13 stayed."
