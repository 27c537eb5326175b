"""When the money runs out: a date with a range, from how the recent days went. Pure functions, Decimal throughout.

The model: every coming day costs like a recent one, independently. With n recent days of mean m and standard deviation
s the spend of the next T days is m·T, give or take z·s·√(T + T²/n): the first term is the chance in those days, the
second that m itself is only an estimate (the usual prediction interval of a sum). z is that of four cases in five.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

LOOK_BACK = 28  # days: four whole weeks, so that weekends count as they should
AT_LEAST = 7  # days of history
AT_LEAST_SPENDING = 3  # days among them on which anything was spent
HORIZON = 365  # days
Z = Decimal("1.2816")  # 80 % of cases lie within
CENT = Decimal("0.01")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class ForecastDay:
    """What is left at the end of a day, USD, never below 0: expected, and with `low` and `high` around it."""

    day: date
    expected: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Forecast:
    """`earliest` ≤ `runs_out` ≤ `latest`; None means not within a year. `path` begins today."""

    per_day: Decimal
    days_seen: int
    runs_out: date | None
    earliest: date | None
    latest: date | None
    path: tuple[ForecastDay, ...]


@dataclass(frozen=True, slots=True)
class NoForecast:
    """Why there is none, as a sentence."""

    reason: str


def forecast(left: Decimal, spent: Mapping[date, Decimal], today: date) -> Forecast | NoForecast:
    """When `left` USD is used up.

    `spent` is USD by day; days without an entry count as 0. Today is not looked at, for it is not over. Give more than
    LOOK_BACK days where there are, so that a quiet time is not taken for a beginning.
    """
    if left <= 0:
        return NoForecast("The balance is used up.")
    past = {day: amount for day, amount in spent.items() if day < today and amount != 0}
    if not past:
        return NoForecast("Nothing has been spent on the days before today, so there is nothing to forecast from.")
    count = min(LOOK_BACK, (today - min(past)).days)
    recent = [max(ZERO, past.get(today - timedelta(days=number), ZERO)) for number in range(1, count + 1)]
    spending = sum(amount > 0 for amount in recent)
    if count < AT_LEAST:
        return NoForecast(f"There {_days(count)} of history so far; a forecast needs {AT_LEAST}.")
    if spending == 0:
        return NoForecast(f"Nothing was spent in the last {count} days.")
    if spending < AT_LEAST_SPENDING:
        return NoForecast(
            f"There {_days(spending)} with spend among the last {count}; a forecast needs {AT_LEAST_SPENDING}."
        )
    mean = sum(recent, ZERO) / count
    variance = sum(((amount - mean) ** 2 for amount in recent), ZERO) / (count - 1)
    return _project(left, today, mean, variance, count)


def _project(left: Decimal, today: date, mean: Decimal, variance: Decimal, count: int) -> Forecast:
    path = [ForecastDay(today, left, left, left)]
    runs_out = earliest = latest = None
    least = ZERO
    for ahead in range(1, HORIZON + 1):
        day = today + timedelta(days=ahead)
        expected = mean * ahead
        spread = Z * (variance * (ahead + Decimal(ahead * ahead) / count)).sqrt()
        most, least = expected + spread, max(least, expected - spread)
        earliest = earliest or (day if most >= left else None)
        runs_out = runs_out or (day if expected >= left else None)
        latest = latest or (day if least >= left else None)
        path.append(ForecastDay(day, _left(left, expected), _left(left, most), _left(left, least)))
        if latest:
            break
    return Forecast(mean, count, runs_out, earliest, latest, tuple(path))


def _left(left: Decimal, gone: Decimal) -> Decimal:
    return max(ZERO, left - gone).quantize(CENT)


def _days(count: int) -> str:
    return "is 1 day" if count == 1 else f"are {count} days"
