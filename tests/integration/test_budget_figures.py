"""The balance, limits, the report and the rebuild, from the functions of the pages down to the database."""

from decimal import Decimal

import pytest

from core import billing, budget, limits, rebuild, spend
from core.burn_down import burn_down
from core.csv_file import csv_file
from core.errors import InvalidInput, LimitReached, NotAllowed
from core.forecast import NoForecast, forecast
from core.models import Person
from core.series import stacked
from tests.database.books import creation
from tests.integration.billing_stack import Studio
from tests.integration.billing_stack import billing_stack as billing_stack  # fixtures of this file alone
from tests.integration.billing_stack import studio_fixture as studio_fixture
from tests.integration.chores import (
    admin_fixture,  # noqa: F401
    spend_dollars,
    today,
)


def test_a_balance_is_set_corrected_and_cleared(studio: Studio, admin: Person) -> None:
    assert budget.set_balance(admin, Decimal("50.00")).remaining == 50
    for amount in ("fifty", "", "NaN", "Infinity", "-1", "1.001"):
        with pytest.raises(InvalidInput) as caught:
            budget.set_balance(admin, amount)
        assert caught.value.field == "amount"
    assert budget.clear_balance(admin).remaining is None
    newest = budget.entries(admin, limit=2)
    assert [(entry.amount, entry.actor_name) for entry in newest] == [(None, "The Admin"), (Decimal(50), "The Admin")]
    user = studio.as_person(studio.books.person())
    with pytest.raises(NotAllowed):
        budget.set_balance(user, "1")
    budget.set_own_balance(user, "7.50")
    assert budget.overview(user).own == budget.summary(user)
    assert budget.clear_own_balance(user).amount is None


def test_money_is_exact_from_the_field_to_the_header(studio: Studio) -> None:
    """As floats 0.1 + 0.2 is not 0.3, and something would be left."""
    user = studio.as_person(studio.books.person())
    budget.set_own_balance(user, "0.30")
    spend_dollars(studio, user.user_id, "0.1")
    spend_dollars(studio, user.user_id, "0.2")
    found = budget.summary(user)
    assert (found.amount, found.spent, found.remaining) == (Decimal("0.30"), Decimal("0.30"), Decimal(0))
    spend_dollars(studio, user.user_id, "0.000001")
    assert budget.summary(user).remaining == Decimal("-0.000001")
    report = spend.report(user, today(studio))
    amounts = [report.totals.spent, report.by_day[0].spent, report.by_type[0].estimated, report.by_person[0].this_month]
    line = burn_down(user, today(studio), "person")
    assert {type(amount) for amount in (*amounts, line.days[-1].spent, line.days[-1].left)} == {Decimal}
    assert csv_file(["Spent"], [[amount] for amount in amounts]).decode("utf-8-sig").split() == [
        "Spent",
        *["0.300001"] * 4,
    ]


def test_limits_are_set_and_felt(studio: Studio, admin: Person) -> None:
    user = studio.books.person()
    month = limits.set_monthly_cap(admin, user, "0.01")
    assert (month.cap, month.left) == (Decimal("0.01"), Decimal("0.01"))
    with pytest.raises(LimitReached, match=r"monthly cap of \$0\.010"):
        billing.get_database().call("create_job", **creation(user, units=Decimal(50)))
    assert limits.set_monthly_cap(admin, user, None).cap is None
    limits.set_block_at_zero(admin, True)
    assert budget.overview(admin).block_at_zero is True
    limits.set_block_at_zero(admin, False)
    limits.set_timezone(admin, "Europe/Paris")
    assert budget.overview(admin).timezone == "Europe/Paris"
    limits.set_timezone(admin, "UTC")
    with pytest.raises(InvalidInput):
        limits.set_timezone(admin, "Mars/Olympus")


def test_a_report_a_burn_down_and_a_forecast(studio: Studio, admin: Person) -> None:
    user = studio.as_person(studio.books.person())
    spend_dollars(studio, user.user_id, "1.5")
    found = spend.report(user, today(studio))
    assert (found.everybody, found.totals.spent, found.totals.jobs) == (False, Decimal("1.5"), 1)
    assert [series.total for series in stacked(found.by_day, today(studio))] == [Decimal("1.5")]
    assert [person.name for person in found.by_person] == ["Somebody"]
    assert spend.report(admin, today(studio), by="person").everybody is True
    (other,) = spend.by_campaign(user, today(studio))
    assert (other.label, other.spent) == ("No campaign", Decimal("1.5"))
    (of_day,) = spend.report(user, today(studio), by="campaign").by_day
    assert (of_day.label, of_day.spent) == ("No campaign", Decimal("1.5"))
    budget.set_own_balance(user, "10")
    spend_dollars(studio, user.user_id, "0.5")
    line = burn_down(user, today(studio), "person")
    assert (line.days[-1].left, line.balances[-1].amount) == (Decimal("9.5"), Decimal(10))
    result = forecast(Decimal("9.5"), {day.day: day.spent for day in line.days}, line.today)
    assert isinstance(result, NoForecast)
    with pytest.raises(NotAllowed):
        burn_down(user, today(studio), "team")


def test_the_rebuild_command(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    user = studio.books.person()
    spend_dollars(studio, user, "1.5")
    assert rebuild.main() == 0
    assert capsys.readouterr().out == "No difference.\n"
    studio.books.owner.execute("update spend_daily set spent_usd = 0 where user_id = %s", (user,))
    assert rebuild.main() == 1
    assert "1 rows were wrong and are corrected." in capsys.readouterr().out
    assert rebuild.main() == 0
