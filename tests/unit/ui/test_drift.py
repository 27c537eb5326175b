"""Budget, against the books of fal.ai: differences in words, asking anew, and which account is ours."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from core.billing import Drift, ForeignCharge, UnbilledJob
from core.chores import ChoreState
from core.settings import load
from tests.unit.ui import doubles
from tests.unit.ui.spending import TODAY, Spending
from tests.unit.ui.studio import Open, Studio, words_on
from ui import drift_view


@pytest.fixture
def money(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Spending:
    studio.person = doubles.person(role="admin")
    found = Spending()
    found.install(monkeypatch)
    return found


def label(app: AppTest, name: str) -> Button:
    return next(button for button in app.button if button.label == name)


FLUX = Drift(TODAY, "fal-ai/flux", Decimal(1), Decimal(1), Decimal(0), Decimal(0), 0, doubles.NOON)
UNBILLED = UnbilledJob(
    uuid4(), doubles.NOON, "fal-ai/flux", "request-1", "failed", Decimal("0.025"), "estimated", is_expected=False
)


def test_drift_in_words() -> None:
    more = replace(FLUX, fal=Decimal("1.42"), drift=Decimal("0.42"), foreign=Decimal("0.40"), foreign_requests=2)
    assert drift_view.summary((FLUX,)) == "fal.ai billed exactly what was counted."
    assert drift_view.summary((FLUX, more)) == (
        r"fal.ai billed **\$0\.42 more** than was counted: \$0\.40 went to 2 requests that nobody made here."
    )
    assert drift_view.summary((replace(FLUX, drift=Decimal("-0.025")),), (UNBILLED,)) == (
        r"fal.ai billed **\$0\.025 less** than was counted: \$0\.025 of 1 job has not been billed."
    )


def test_the_books_of_fal_are_compared_and_asked_anew(
    money: Spending, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "With FAL_ADMIN_KEY set" in words_on(open_page("budget"))
    monkeypatch.setattr(drift_view, "get_settings", lambda: load({"FAL_ADMIN_KEY": "id:secret"}))
    money.drift = (replace(FLUX, until=doubles.NOON),)
    money.foreign = (ForeignCharge("elsewhere-1", "fal-ai/flux", doubles.NOON, Decimal("0.4"), Decimal(16)),)
    money.unbilled = (UNBILLED,)
    app = open_page("budget")
    assert "compared up to 20 Nov" in words_on(app)
    heads = [list(table.value.columns) for table in app.dataframe]
    assert ["When", "Endpoint", "Request", "Billed, USD", "Units"] in heads
    assert ["Ended", "Endpoint", "Request", "Counted, USD", "Cost is", "Bill"] in heads
    label(app, "Compare now").click().run()
    assert [done for done in money.done if done[0] == "hurry"] == [("hurry", "billing"), ("hurry", "usage")]


@pytest.mark.parametrize("ends", ["last_ok_at", "last_error_at"])
def test_what_was_asked_anew_appears_by_itself(
    money: Spending, open_page: Open, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    monkeypatch.setattr(drift_view, "get_settings", lambda: load({"FAL_ADMIN_KEY": "id:secret"}))
    before = ChoreState("usage", "Drift against fal.ai", 900, doubles.NOON, None, None, None, 0, {})
    money.chores = (before,)
    app = open_page("budget")
    label(app, "Compare now").click().run()
    assert "fal.ai is being asked" in words_on(app)
    later = doubles.NOON + timedelta(seconds=3)
    money.chores = (replace(before, name="billing", **{ends: later}),)
    assert "fal.ai is being asked" in words_on(app.run()), "the other one has not ended"
    money.chores += (replace(before, **{ends: later}),)
    money.drift = (FLUX,)
    app.run()
    assert "is being asked" not in words_on(app)
    assert "billed exactly what was counted" in words_on(app)


@pytest.mark.usefixtures("money")
def test_nobody_looks_for_ever_for_what_no_worker_asks(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_view, "get_settings", lambda: load({"FAL_ADMIN_KEY": "id:secret"}))
    monkeypatch.setattr(drift_view, "_WAIT", timedelta(seconds=-1))
    app = open_page("budget")
    label(app, "Compare now").click().run()
    assert "No worker has asked fal.ai within a minute" in words_on(app)
    assert not [button for button in app.button if button.key == "pulse-drift-button"]


def test_the_pinned_account_is_let_go_of_by_an_admin(money: Spending, open_page: Open) -> None:
    app = open_page("budget")
    assert "from the account user…JkLm alone" in words_on(app)
    label(app, "Use another account").click().run()
    label(app, "Let go of this account").click().run()
    assert ("forget", "user_2aBcDeFgHiJkLm") in money.done
    assert "says which account is ours" in words_on(app)
