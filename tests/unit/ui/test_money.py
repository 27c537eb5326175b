"""The Credits page: figures, packs, history, purchases, the reminder; and what is said after a checkout."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args
from uuid import uuid4

import pytest
from streamlit.testing.v1 import AppTest

from core import credits, payments
from core.credits import Standing
from core.models import Budget, Person
from core.purchases import PurchaseStatus
from tests.unit.ui import doubles
from tests.unit.ui.studio import Open, Studio, words_on
from ui import alert_banners, checkout_notice, low_credits, purchase_list, words
from ui import packs as pack_cards

FORM = re.compile(r'<form class="(buy[^"]*)" method="post" action="/checkout/start">(.*?)</form>', re.S)


def forms(text: str) -> dict[str, tuple[str, dict[str, str]]]:
    """The buy buttons by their label: look and hidden fields."""
    found = {}
    for look, body in FORM.findall(text):
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', body))
        found[body.partition("<button>")[2].partition("</button>")[0]] = (look, fields)
    return found


def test_the_history_is_one_line_a_story_and_filtered(
    studio: Studio, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def lines(_person: Person, **wanted: Any) -> tuple[Any, int]:
        asked.append(wanted)
        return (doubles.line(prompt="<b>*Three*</b>"), doubles.bought()), 7  # where the next page begins

    monkeypatch.setattr(credits, "lines", lines)
    monkeypatch.setattr(credits, "standing", lambda _person: Standing(83, 33, 0, 0, 412))
    studio.person = doubles.person(held=33, open_jobs=3)
    app = open_page("credits")
    assert [(metric.label, metric.value) for metric in app.metric][:3] == [
        ("Credits available", "83"),
        ("Set aside for 3 jobs", "33"),
        ("Used this month", "412"),
    ]
    text = words_on(app)
    assert "&lt;b&gt;*Three*&lt;/b&gt;" in text
    assert "<b>*Three*" not in text
    assert "The balance counts 33 credits set aside for what is running." in text
    assert (asked[-1]["group"], asked[-1]["since"], asked[-1]["before"]) == ("all", None, None)
    app.button(key="credits-page-older").click().run()
    assert asked[-1]["before"] == 7
    app.button_group(key="credits-group").set_value("jobs").run()
    assert (asked[-1]["group"], asked[-1]["before"]) == ("jobs", None)
    app.selectbox(key="credits-since").select("Last 7 days").run()
    assert timedelta(days=6) < datetime.now(UTC) - asked[-1]["since"] < timedelta(days=8)


def test_each_pack_says_its_price_per_credit_and_posts_what_was_seen(studio: Studio, open_page: Open) -> None:
    app = open_page("credits")
    text = words_on(app)
    assert [each in text for each in ("€0.19 a credit", "€0.158 a credit", "€0.139 a credit")] == [True] * 3
    assert "About 500 image batches or 31 videos of 8 s" in text
    found = forms(text)
    assert {label: look for label, (look, _) in found.items()} == {
        "Buy 100 credits": "buy",
        "Buy 500 credits": "buy primary",
        "Buy 1,000 credits": "buy",
    }
    fields = found["Buy 500 credits"][1]
    assert (fields["pack"], fields["cents"], fields["back"]) == ("credits_500", "7900", "/credits")
    app.run()
    assert forms(words_on(app))["Buy 500 credits"][1]["order"] == fields["order"]
    assert len([call for call in studio.calls if call[0] == "packs_seen"]) == 1


def test_somebody_unmetered_buys_nothing(studio: Studio, open_page: Open) -> None:
    studio.person = doubles.person(is_unmetered=True, available=0)
    app = open_page("credits")
    assert not forms(words_on(app))
    assert next(link.proto.label for link in app.get("page_link")) == ":material/toll: No limit"


def test_what_is_owed_and_kept_back_is_said(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credits, "standing", lambda _person: Standing(83, 0, 12, 40, 0))
    shown = {metric.label: metric.value for metric in open_page("credits").metric}
    assert (shown["Owed"], shown["Kept back"]) == ("12", "40")


def test_purchases_have_a_state_in_words_and_a_receipt(studio: Studio, open_page: Open) -> None:
    half = doubles.purchase(status="partially_refunded", refunded_cents=3950, taken_credits=250)
    coming = doubles.purchase(status="processing", paid_at=None, granted_credits=0)
    studio.purchases = [half, coming]
    frame = open_page("credits").table[0].value
    assert list(frame["State"]) == ["Paid, partly refunded · €39.50 back · 250 credits taken", "On its way"]
    assert list(frame["Receipt"]) == [f"[Receipt](/checkout/receipt?order={half.id})", ""]
    assert set(purchase_list.STATES) == set(get_args(PurchaseStatus))


SAID = "You have **3 credits** left. A pack is ready in seconds."


def test_few_credits_are_said_once_a_visit(studio: Studio, open_page: Open) -> None:
    studio.person = doubles.person(available=3)
    app = open_page()
    assert SAID in words_on(app)
    assert "€0.19 each · then you have 103" in words_on(app)
    assert {label: look for label, (look, _) in forms(words_on(app)).items()} == {
        "Buy 100 credits": "buy primary",
        "Buy 500 credits": "buy",
        "Buy 1,000 credits": "buy",
    }
    assert next(link.proto.label for link in app.get("page_link")) == ":red[:material/toll:] 3 credits"
    next(button for button in app.button if button.label == "Not now").click().run()
    assert SAID not in words_on(app)
    app.switch_page("../pages/jobs.py").run()
    assert SAID not in words_on(app)
    assert SAID not in words_on(open_page())  # a reload


def test_nobody_is_interrupted_when_the_credits_run_low_at_work(studio: Studio, open_page: Open) -> None:
    app = open_page()
    studio.person = doubles.person(available=3)
    app.run()
    assert SAID not in words_on(app)
    app.switch_page("../pages/jobs.py").run()  # but on the way to the next page
    assert SAID in words_on(app)


def test_the_reminder_waits_where_the_packs_or_something_else_are_open(studio: Studio, open_page: Open) -> None:
    studio.person = doubles.person(available=3)
    app = open_page(job=str(uuid4()))
    assert SAID not in words_on(app)
    app.switch_page("../pages/credits.py").run()
    assert SAID not in words_on(app)
    app.switch_page("../pages/jobs.py").run()
    assert SAID in words_on(app)


@pytest.mark.parametrize("changes", [{"available": 5}, {"available": 0, "is_unmetered": True}])
def test_nobody_is_reminded_without_need(studio: Studio, open_page: Open, changes: dict[str, Any]) -> None:
    studio.person = doubles.person(**changes)
    assert "credits** left" not in words_on(open_page())


def draw_choices(needed: int) -> None:
    from tests.unit.ui import doubles
    from ui import packs

    packs.choices(doubles.person(), needed, 1, back="/jobs?job=1")


@pytest.mark.parametrize(
    ("needed", "said", "primary"),
    [
        (25, ["leaves you 76", "leaves you 476", "leaves you 976"], "Buy 100 credits"),
        (700, ["still 599 short", "still 199 short", "leaves you 301"], "Buy 1,000 credits"),
        (2000, ["still 1,899 short", "still 1,499 short", "still 999 short"], "Buy 1,000 credits"),
        (0, ["then you have 101", "then you have 501", "then you have 1,001"], "Buy 100 credits"),
    ],
)
def test_every_pack_says_what_it_leaves(studio: Studio, needed: int, said: list[str], primary: str) -> None:
    assert studio.person is not None
    app = AppTest.from_function(draw_choices, args=(needed,)).run()
    text = words_on(app)
    assert [words in text for words in said] == [True] * 3
    found = forms(text)
    assert [label for label, (look, _) in found.items() if look == "buy primary"] == [primary]
    assert {fields["back"] for _, fields in found.values()} == {"/jobs?job=1"}


def draw_refused() -> None:
    from core.errors import InsufficientCredits
    from ui import guard

    with guard.told():
        raise InsufficientCredits("This needs 25 credits and you have 1.", detail={"needed": 25, "available": 1})


def test_what_is_refused_for_credits_has_the_packs_beside_it_everywhere(studio: Studio) -> None:
    assert studio.person is not None
    app = AppTest.from_function(draw_refused).run()
    assert app.error[0].value == r"**This needs 25 credits and you have 1\.**"
    assert "leaves you 76" in words_on(app)
    studio.person = doubles.person(is_unmetered=True)
    assert not forms(words_on(AppTest.from_function(draw_refused).run()))


def test_what_costs_too_much_is_said_in_a_sentence() -> None:
    said = low_credits.sentence("This video", 25, 1)
    assert said == "This video costs **25 credits** and you have **1**."
    assert low_credits.sentence("These 2 images", 2, 0).startswith("These 2 images cost **2 credits**")


@pytest.mark.parametrize(
    ("address", "back"),
    [
        ("/", "/"),
        ("/jobs?job=0b1e-2&x=1", "/jobs?job=0b1e-2"),
        ("/campaigns?campaign=1&clip=2&step=video", "/campaigns?campaign=1&clip=2&step=video"),
        ("/jobs?job=<b>&checkout=granted", "/jobs"),
        *((wrong, "/credits") for wrong in (None, "", "/admin", "//evil.example/jobs", "https://evil.example/", "//[")),
    ],
)
def test_the_way_back_is_a_page_of_ours(address: str | None, back: str) -> None:
    assert pack_cards.way_back(address) == back


def test_every_end_of_a_checkout_has_its_sentence() -> None:
    known = {*checkout_notice.SUCCESS, *checkout_notice.INFO, *checkout_notice.ERRORS}
    assert set(get_args(payments.Result)) - known == {"not_ours"}  # which raises NotFound
    raised = {"NOT_FOUND", "PAYMENTS_UNAVAILABLE", "PAYMENTS_REFUSED", "PAYMENT_NOT_FOUND", "DATABASE_UNAVAILABLE"}
    refused = {
        "PACK_DISABLED",
        "PRICE_CHANGED",
        "TOO_MANY_CHECKOUTS",
        "ALREADY_PAID",
        "ORDER_CLOSED",
        "ORDER_PROCESSING",
    }
    assert raised | refused <= known


def test_the_end_of_a_checkout_is_said_and_leaves_the_address(studio: Studio, open_page: Open) -> None:
    bought = doubles.purchase()
    studio.purchases = [bought]
    app = open_page(checkout="granted", order=str(bought.id))
    assert app.success[0].value.startswith("**500 credits added.** You have 83 now.")
    assert "checkout" not in app.query_params
    assert open_page(checkout="cancelled").info[0].value.startswith("**You came back without paying.**")


def test_nothing_of_the_address_is_shown_and_no_order_of_somebody_else(studio: Studio, open_page: Open) -> None:
    assert studio.purchases == []
    app = open_page(checkout="granted", order=str(uuid4()))
    assert "no such order" in app.error[0].value
    odd = open_page(checkout="<b>owned</b>", order="{left}")
    assert odd.error[0].value.startswith("**That did not work.**")
    assert "owned" not in words_on(odd)


def test_loud_alerts_are_the_lowest_of_the_team_and_the_highest_of_ones_own_cap() -> None:
    me = doubles.person(role="admin")
    own = {"kind": "monthly_cap", "user_id": doubles.ME, "person": "Mara Costa"}
    half, quarter, tenth = (doubles.alert(id=n, threshold=n) for n in (50, 25, 10))
    eighty, full = (doubles.alert(id=n, threshold=n, **own) for n in (80, 100))
    other = doubles.alert(id=81, threshold=100, kind="monthly_cap", user_id=uuid4(), person="Lea *Martin*")
    assert alert_banners.loud((half, quarter, tenth, eighty, full, other), me) == (tenth, full)
    assert alert_banners.sentence(eighty, me).startswith("**You have reached 80% of your cap")
    assert r"Lea \*Martin\* has reached" in alert_banners.sentence(other, me)
    assert "The admins have been told" in alert_banners.sentence(half, doubles.person())


def test_an_alert_is_loud_only_while_it_is_so_and_says_how_it_stands_now() -> None:
    own = {"kind": "monthly_cap", "user_id": doubles.ME, "person": "Mara Costa", "limit": Decimal(10)}
    eighty = doubles.alert(
        id=80, threshold=80, value=Decimal(8), value_now=Decimal("9.5"), limit_now=Decimal(11), **own
    )
    full = doubles.alert(id=99, threshold=100, is_current=False, **own)
    assert alert_banners.loud((eighty, full), doubles.person()) == (eighty,)
    assert r"\$9\.50 of \$11\.00 is spent" in alert_banners.sentence(eighty.at_present, doubles.person())


@pytest.mark.parametrize(
    ("scope", "remaining", "said"),
    [
        ("team", "12.50", None),
        ("team", "12.49", r"**The team's budget is low.** \$12\.49 is left, 25% of the last balance."),
        ("person", "0.05", r"**Your allowance is low.** \$0\.050 is left, 0% of it."),
        ("person", "0", "**Your allowance is used up.**"),
        ("team", "-3", r"**The team's budget is used up.** \$3\.00 was spent beyond it."),
    ],
)
def test_a_low_budget_is_said_with_whose_it_is(scope: Any, remaining: str, said: str | None) -> None:
    low = Budget(Decimal(0), Decimal(50), doubles.NOON, Decimal(remaining), scope)
    assert alert_banners.low_budget(low) == said


def test_alerts_are_on_every_page(studio: Studio, open_page: Open) -> None:
    studio.alerts = [doubles.alert(threshold=0, value=Decimal("-0.10"))]
    said = r"**The team's budget of \$50\.00 is used up; \$0\.10 was spent beyond it\.** "
    assert open_page("jobs").error[0].value == f"{said}The admins have been told."
    studio.person = doubles.person(role="admin")
    assert open_page("jobs").error[0].value == f"{said}[Open fal.ai billing](https://fal.ai/dashboard/billing)"


def test_prices_in_words() -> None:
    assert [words.euros(Decimal(text)) for text in ("79", "39.5", "-1000")] == ["€79", "€39.50", "−€1,000"]
    assert [words.euros_each(Decimal(text)) for text in ("0.19", "0.158", "0.2", "0.16333")] == [
        "€0.19",
        "€0.158",
        "€0.20",
        "€0.1633",
    ]
