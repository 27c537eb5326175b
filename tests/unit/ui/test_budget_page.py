"""The Budget page: figures, forecast, dialogs, spend with its numbers, limits; and its words and charts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from core.chores import ChoreState
from core.errors import InvalidInput
from core.forecast import Forecast, NoForecast, forecast
from core.models import Budget
from core.periods import Period
from core.series import Series
from tests.unit.ui import doubles, spending
from tests.unit.ui.spending import TODAY, Spending
from tests.unit.ui.studio import Open, Studio, words_on
from ui import charts, meter, numbers, outlook, shell, spend_tables, spend_view


@pytest.fixture
def money(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Spending:
    studio.person = doubles.person(role="admin")
    found = Spending()
    found.install(monkeypatch)
    return found


def label(app: AppTest, name: str) -> Button:
    return next(button for button in app.button if button.label == name)


def test_an_admin_sees_figures_forecast_and_range(money: Spending, open_page: Open) -> None:
    app = open_page("budget")
    shown = [(metric.label, metric.value) for metric in app.metric]
    assert shown[:3] == [("Left to spend", "$20.80"), ("Balance read 3 Nov", "$50.00"), ("Spent since", "$29.20")]
    assert shown[3] == ("Runs out about", "3 Dec")
    assert r"At \$1\.70 a day, as in the last 17 days, it runs out on 3 Dec\." in words_on(app)
    assert ("burn_down", "team") in money.done
    assert "Europe/Paris" in words_on(app)


def test_too_little_history_is_said(money: Spending, open_page: Open) -> None:
    money.spent_days = 3
    app = open_page("budget")
    assert app.metric[3].value == "Too early"
    assert "3 days of history" in words_on(app)


def test_a_marketer_sees_their_month_and_nobody_elses_money(studio: Studio, money: Spending, open_page: Open) -> None:
    studio.person = doubles.person()
    app = open_page("budget")
    assert (app.metric[3].label, app.metric[3].value, app.metric[3].delta) == ("You this month", "$12.94", "of $25.00")
    assert not [done for done in money.done if done[0] == "burn_down"]
    assert {"Set the balance", "Set limits"}.isdisjoint(button.label for button in app.button)
    assert "Against the books" not in words_on(app)
    assert "Your own spend" in words_on(app)


def test_ones_own_allowance_comes_first_and_the_teams_is_a_click_away(money: Spending, open_page: Open) -> None:
    mine = Budget(spent=Decimal(2), amount=Decimal(10), taken_at=doubles.NOON, remaining=Decimal(8))
    money.overview = spending.overview(own=mine, header=mine)
    app = open_page("budget")
    assert app.metric[0].value == "$8.00"
    assert "**80% left.** Your own allowance" in words_on(app)
    assert "Your allowance and forecast" in words_on(app)
    app.button_group(key="budget-scope").set_value("team").run()
    assert app.metric[0].value == "$20.80"


def test_without_a_balance_the_month_is_shown(money: Spending, open_page: Open) -> None:
    spent = Budget(spent=Decimal("3.5"))
    money.overview = spending.overview(header=spent, team=None)
    app = open_page("budget")
    assert next((metric.label, metric.value) for metric in app.metric) == ("Spent this month", "$3.50")
    assert "No balance has been entered" in words_on(app)


@pytest.mark.parametrize("team", [doubles.BUDGET, None], ids=["with a balance", "without one"])
def test_why_the_balance_cannot_be_read_is_said_to_admins(
    studio: Studio, money: Spending, open_page: Open, team: Budget | None
) -> None:
    money.overview = spending.overview(header=team or Budget(spent=Decimal(0)), team=team)
    told = "FAL_ADMIN_KEY is an ordinary key."
    money.chores = (ChoreState("balance", "Balance at fal.ai", 60, doubles.NOON, None, told, doubles.NOON, 3, {}),)
    assert open_page("budget").warning[0].value == (
        r"**The balance cannot be read at fal.ai.** FAL\_ADMIN\_KEY is an ordinary key\."
    )
    studio.person = doubles.person()
    assert not open_page("budget").warning


def test_the_header_says_whose_money_it_counts() -> None:
    unset = Budget(spent=Decimal(1))
    own = replace(doubles.BUDGET, scope="person")
    said = {
        shell.whose(doubles.person(role=role, budget=budget))
        for role, budget in (("admin", unset), ("user", unset), ("user", own), ("user", doubles.BUDGET))
    }
    assert said == {
        "Spent this month by the team",
        "What you spent this month",
        "Your own allowance",
        "The team's balance at fal.ai",
    }


def test_small_amounts_have_three_decimals_and_a_table_one_format() -> None:
    for amounts, shown in (([Decimal("0.006"), None], "$%.3f"), ([Decimal("0.006"), Decimal("0.1")], "$%.2f")):
        assert numbers.dollars(amounts)["type_config"]["format"] == shown


def test_a_balance_is_saved_cleared_and_refused_in_its_dialog(money: Spending, open_page: Open) -> None:
    app = open_page("budget")
    label(app, "Set the balance").click().run()
    assert "Mara \\*Costa\\*" in str(app.table[0].value)
    app.number_input(key="balance-amount").set_value(80.5)
    label(app, "Save balance").click().run()
    assert ("set_balance", doubles.ME, Decimal("80.5")) in money.done
    app = open_page("budget")
    label(app, "Set the balance").click().run()
    label(app, "Clear balance").click().run()
    assert ("clear_balance", doubles.ME, None) in money.done
    app = open_page("budget")
    label(app, "Set your allowance").click().run()
    app.number_input(key="allowance-amount").set_value(0.3)
    label(app, "Save allowance").click().run()
    assert ("set_own_balance", doubles.ME, Decimal("0.3")) in money.done


def test_a_bad_amount_is_said_where_it_was_typed(money: Spending, open_page: Open) -> None:
    app = open_page("budget")
    label(app, "Set the balance").click().run()
    label(app, "Save balance").click().run()
    label(app, "Set the balance").click().run()
    assert "Enter an amount first" in app.error[0].value
    money.refuses = InvalidInput("Enter an amount between 0 and 999,999 dollars.", field="amount")
    app.number_input(key="balance-amount").set_value(-5.0)
    label(app, "Save balance").click().run()
    label(app, "Set the balance").click().run()
    assert "between 0 and 999,999" in app.error[0].value
    assert not [done for done in money.done if done[0] == "set_balance"]


def test_spend_is_stacked_as_asked_for_the_period_asked_for(money: Spending, open_page: Open) -> None:
    app = open_page("budget")
    assert money.done[-1] == ("report", Period(TODAY - timedelta(days=29), TODAY), "type")
    assert "25% more than in 22 Sep to 21 Oct" in words_on(app)
    app.button_group(key="spend-by").set_value("person").run()
    app.selectbox(key="spend-period").select("Last month").run()
    assert money.done[-1] == ("report", Period(date(2026, 10, 1), date(2026, 10, 31)), "person")


def test_spend_is_shown_for_ones_own_dates(money: Spending, open_page: Open) -> None:
    app = open_page("budget")
    app.selectbox(key="spend-period").select("Own dates").run()
    assert money.done[-1] == ("report", Period(TODAY - timedelta(days=29), TODAY), "type")
    first, last = date(2026, 3, 28), date(2026, 3, 30)
    app.date_input(key="spend-dates").set_value((first, last)).run()
    assert money.done[-1] == ("report", Period(first, last), "type")
    app.date_input(key="spend-dates").set_value((first,)).run()  # the second date is on its way
    assert money.done[-1] == ("report", Period(first, first), "type")


def test_every_chart_has_its_numbers_as_a_table_and_a_file(money: Spending, open_page: Open) -> None:
    money.fail_dearly()
    app = open_page("budget")
    assert len(app.get("plotly_chart")) == 2
    heads = [list(table.value.columns) for table in app.dataframe]
    assert ["Day", "Image, USD", "Video, USD", "Total, USD"] in heads
    assert heads[0][:2] == ["Day", "What"]
    assert ["Person", "Jobs", "Failed", "Credits", "Estimated, USD", "Actual, USD", "Monthly cap", "Cap used"] in heads
    assert len(app.get("download_button")) == len(app.dataframe)
    assert r"**\$0\.90** for 1 job without a result: Content policy 1 × \$0\.90" in words_on(app)
    app.button_group(key="where-by").set_value("Campaign").run()
    assert any(next(iter(table.value.columns)) == "Campaign" for table in app.dataframe)


def test_the_meter_says_whose_money_it_is() -> None:
    assert "alert goes to admins" in meter.sentence(doubles.BUDGET)
    assert "alert" not in meter.sentence(doubles.BUDGET, "person")


def test_the_outlook_in_words() -> None:
    steady = {TODAY - timedelta(days=n): Decimal(1) for n in range(1, 15)}
    uneven = {day: amount * (number % 3) for number, (day, amount) in enumerate(steady.items())}
    certain, likely = (forecast(Decimal(10), spent, TODAY) for spent in (steady, uneven))
    assert outlook.figure(certain, TODAY) == "30 Nov"
    assert outlook.sentence(certain, TODAY).endswith("it runs out on 30 Nov.")
    assert outlook.sentence(likely, TODAY).endswith("four times out of five.")
    assert isinstance(likely, Forecast)
    assert outlook.shown(likely)[-1].day == likely.runs_out
    far = replace(likely, runs_out=None, earliest=date(2027, 3, 1), latest=None)
    assert "more than a year" in outlook.sentence(far, TODAY)
    assert (outlook.figure(far, TODAY), len(outlook.shown(far))) == ("Not this year", min(31, len(likely.path)))
    none = NoForecast("Nothing was spent in the last 28 days.")
    assert outlook.sentence(none, TODAY) == "No forecast: nothing was spent in the last 28 days."
    assert outlook.shown(none) == ()


def test_kinds_keep_their_colours_and_the_rest_is_the_fifth() -> None:
    one = (Decimal(1),)
    named, colors = spend_view.in_order((Series("video", one), Series("3d", one), Series("image", one)), "type")
    assert [known.label for known in named] == ["Image", "Video", "3D"]
    assert colors == ("#000001", "#000002", "#000004")
    _, colors = spend_view.in_order((Series("Mara", one), Series("Other", one)), "person")
    assert colors == ("#000001", "#000005")


def test_charts_use_placeholders_and_show_every_amount() -> None:
    days = (TODAY - timedelta(days=1), TODAY)
    figure = charts.by_day(days, (Series("Image", (Decimal("0.5"), Decimal(2))),), ("#000001",))
    assert (figure.data[0].marker.color, list(figure.data[0].y)) == ("#000001", [0.5, 2.0])
    assert (figure.layout.yaxis.tickprefix, figure.layout.yaxis.tickformat) == ("$", ",.2f")
    now = doubles.NOON.replace(tzinfo=None)
    steady = forecast(Decimal(10), {TODAY - timedelta(days=n): Decimal(1) for n in range(1, 15)}, TODAY)
    figure = charts.balance(
        [(now - timedelta(days=1), Decimal(11)), (now, Decimal(10))],
        [(now - timedelta(days=1), None)],
        outlook.shown(steady),
        now,
        (Decimal("12.5"), "Alert below $12.50"),
    )
    assert [trace.name for trace in figure.data] == ["Left to spend", None, "Likely range", "Forecast"]
    assert list(figure.data[-1].y)[-1] == 0
    assert figure.layout.annotations[0].text == "Alert below $12.50"
    assert figure.layout.yaxis.tickformat == ",.0f"


def test_a_line_of_one_day_stands_on_the_whole_day() -> None:
    now = doubles.NOON.replace(tzinfo=None)
    figure = charts.balance([(now, Decimal(2))], [], (), now, (Decimal("0.5"), "Alert"))
    assert [at.isoformat() for at in figure.layout.xaxis.range] == ["2026-11-20T00:00:00", "2026-11-21T00:00:00"]


def test_estimate_against_actual_in_words(money: Spending) -> None:
    report = money.report(doubles.person(), Period(TODAY, TODAY), "type")
    assert spend_tables.off(report) == r"Jobs cost **50% less** than estimated: \$1\.70 instead of \$3\.40."


def test_a_large_team_scrolls_instead_of_making_the_page_long(
    money: Spending, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[int, int | None]] = []
    table = numbers.table

    def look(columns: Sequence[str], rows: Sequence[Any], **how: Any) -> None:
        if columns[0] == "Person":
            drawn.append((len(rows), how["most"]))
        table(columns, rows, **how)

    monkeypatch.setattr(numbers, "table", look)
    (mine,) = money.report(doubles.person(role="admin"), Period(TODAY, TODAY), "type").by_person
    money.people = tuple(replace(mine, user_id=uuid4()) for _ in range(40))
    assert not open_page("budget").exception
    ((rows, most),) = drawn
    assert rows == 40
    assert most is not None
    assert most < rows
