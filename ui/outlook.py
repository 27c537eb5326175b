"""When the money runs out, in words. Pure functions."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

from core.forecast import Forecast, ForecastDay, NoForecast, forecast
from core.models import Budget
from ui import words

Outlook = Forecast | NoForecast
_SHOWN_WITHOUT_END = 30  # days, when the money does not run out within a year
_SHOWN_AT_MOST = 120


def of(budget: Budget, spent: Mapping[date, Decimal], today: date) -> Outlook:
    """`spent` is USD by day."""
    return forecast(budget.remaining or Decimal(0), spent, today)


def figure(outlook: Outlook, today: date) -> str:
    """6 Dec; or why there is no day to name."""
    if isinstance(outlook, NoForecast):
        return "Too early"
    return words.day(outlook.runs_out, today) if outlook.runs_out else "Not this year"


def sentence(outlook: Outlook, today: date) -> str:
    """How sure that is: the range and what it comes from, or what is missing. Not markdown."""
    if isinstance(outlook, NoForecast):
        return f"No forecast: {outlook.reason[0].lower()}{outlook.reason[1:]}"
    pace = f"At {words.usd(outlook.per_day)} a day, as in the last {outlook.days_seen} days,"
    if outlook.runs_out is None:
        return f"{pace} the balance lasts for more than a year."
    first = words.day(outlook.earliest or today, today)
    if outlook.latest is None:
        return f"{pace} it runs out on {first} at the earliest; a quiet time could make it last for more than a year."
    last = words.day(outlook.latest, today)
    if first == last:
        return f"{pace} it runs out on {first}."
    return f"{pace} it runs out between {first} and {last}, four times out of five."


def shown(outlook: Outlook) -> tuple[ForecastDay, ...]:
    """As many of the coming days as a chart shows: until the money is gone."""
    if isinstance(outlook, NoForecast):
        return ()
    end = outlook.runs_out or outlook.path[0].day + timedelta(days=_SHOWN_WITHOUT_END)
    return tuple(day for day in outlook.path if day.day <= end)[:_SHOWN_AT_MOST]
