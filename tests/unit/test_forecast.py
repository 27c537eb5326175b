"""When the money runs out: against what simple cases must give, and what must hold for any."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.forecast import AT_LEAST, HORIZON, LOOK_BACK, Forecast, NoForecast, forecast

TODAY = date(2026, 11, 20)


def history(*amounts: str | int, today: date = TODAY) -> dict[date, Decimal]:
    """USD of the days before today, yesterday last."""
    return {today - timedelta(days=len(amounts) - n): Decimal(amount) for n, amount in enumerate(amounts)}


def found(left: str | Decimal, spent: dict[date, Decimal], today: date = TODAY) -> Forecast:
    result = forecast(Decimal(left), spent, today)
    assert isinstance(result, Forecast), result
    return result


def reason(left: str, spent: dict[date, Decimal]) -> str:
    result = forecast(Decimal(left), spent, TODAY)
    assert isinstance(result, NoForecast), result
    return result.reason


def test_steady_spend_runs_out_on_the_day_without_a_range() -> None:
    result = found("10", history(*[2] * 10))
    assert result.per_day == 2
    assert result.earliest == result.runs_out == result.latest == TODAY + timedelta(days=5)
    assert [str(day.expected) for day in result.path] == ["10", "8.00", "6.00", "4.00", "2.00", "0.00"]


def test_uneven_spend_has_a_range_around_the_day() -> None:
    result = found("30", history(1, 5, 0, 2, 6, 0, 4, 1, 5, 0, 2, 6, 0, 4))
    assert result.runs_out == TODAY + timedelta(days=12)  # 36 dollars in 14 days
    assert (result.earliest or date.max) < result.runs_out < (result.latest or date.max)
    assert None not in (result.earliest, result.latest)


def test_only_the_latest_days_count_and_today_does_not() -> None:
    spent = history(*[50] * 10, *[1] * LOOK_BACK) | {TODAY: Decimal(99)}
    result = found("100", spent)
    assert (result.per_day, result.days_seen) == (1, LOOK_BACK)


def test_days_without_spend_count_as_such() -> None:
    spent = history(7, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 7)
    assert found("100", {day: usd for day, usd in spent.items() if usd}) == found("100", spent)
    assert found("100", spent).per_day == Decimal("1.5")


@pytest.mark.parametrize(
    ("left", "spent", "says"),
    [
        ("0", history(*[1] * 10), "The balance is used up."),
        ("-3", history(*[1] * 10), "The balance is used up."),
        ("10", {}, "Nothing has been spent on the days before today, so there is nothing to forecast from."),
        (
            "10",
            {TODAY: Decimal(5)},
            "Nothing has been spent on the days before today, so there is nothing to forecast from.",
        ),
        ("10", history(5), f"There is 1 day of history so far; a forecast needs {AT_LEAST}."),
        ("10", history(1, 1, 1, 1, 1, 1), f"There are 6 days of history so far; a forecast needs {AT_LEAST}."),
        ("10", history(5, 0, 0, 0, 0, 0, 0, 5), "There are 2 days with spend among the last 8; a forecast needs 3."),
        ("10", history(5, *[0] * LOOK_BACK), "Nothing was spent in the last 28 days."),
    ],
)
def test_too_little_history_is_said(left: str, spent: dict[date, Decimal], says: str) -> None:
    assert reason(left, spent) == says


def test_a_budget_for_years_has_no_date() -> None:
    result = found("100000", history(*[1] * 10))
    assert (result.runs_out, result.earliest, result.latest) == (None, None, None)
    assert len(result.path) == HORIZON + 1


def test_wild_spend_may_have_a_day_and_no_latest_one() -> None:
    result = found("100", history(0, 0, 0, 90, 0, 0, 0, 1, 0, 1))
    assert result.runs_out is not None
    assert result.latest is None or result.latest > result.runs_out


AMOUNTS = st.decimals("0", "50", places=6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    left=st.decimals("0.01", "5000", places=2),
    amounts=st.lists(AMOUNTS, min_size=0, max_size=60),
    today=st.dates(date(2024, 1, 1), date(2028, 12, 31)),
)
def test_any_history_gives_a_sound_forecast_or_a_reason(left: Decimal, amounts: list[Decimal], today: date) -> None:
    result = forecast(left, history(*amounts, today=today), today)
    if isinstance(result, NoForecast):
        assert result.reason.endswith(".")
        return
    dates = [day or date.max for day in (result.earliest, result.runs_out, result.latest)]
    assert today < dates[0] <= dates[1] <= dates[2]
    assert result.path[0].day == today
    assert [day.day for day in result.path] == [today + timedelta(days=n) for n in range(len(result.path))]
    for day, after in zip(result.path, result.path[1:], strict=False):
        assert 0 <= day.low <= day.expected <= day.high <= left
        assert (after.low, after.expected, after.high) <= (day.low, day.expected, day.high)
    if result.runs_out:
        shown = {day.day: day.expected for day in result.path}
        assert shown[result.runs_out] == 0


@settings(max_examples=40, deadline=None, derandomize=True)
@given(amounts=st.lists(AMOUNTS, min_size=10, max_size=40), left=st.decimals("1", "500", places=2))
def test_more_money_lasts_at_least_as_long(amounts: list[Decimal], left: Decimal) -> None:
    less, more = forecast(left, history(*amounts), TODAY), forecast(left * 2, history(*amounts), TODAY)
    if isinstance(less, Forecast) and isinstance(more, Forecast):
        for sooner, later in (
            (less.runs_out, more.runs_out),
            (less.earliest, more.earliest),
            (less.latest, more.latest),
        ):
            assert (sooner or date.max) <= (later or date.max)
