"""Periods, series of stacked charts, and the figures derived from a report."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.periods import Period, presets
from core.series import stacked
from core.spend import PersonSpend, Slice

DAYS = st.dates(date(2023, 1, 1), date(2028, 12, 31))


def period(first: str, last: str) -> Period:
    return Period(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("first", "last", "before_first", "before_last"),
    [
        ("2026-11-01", "2026-11-20", "2026-10-01", "2026-10-20"),  # this month so far
        ("2026-03-01", "2026-03-30", "2026-02-01", "2026-02-28"),  # the month before is shorter
        ("2026-03-01", "2026-03-31", "2026-02-01", "2026-02-28"),  # whole months
        ("2026-02-01", "2026-02-28", "2026-01-01", "2026-01-31"),
        ("2024-03-01", "2024-03-29", "2024-02-01", "2024-02-29"),  # a leap year
        ("2026-01-01", "2026-01-01", "2025-12-01", "2025-12-01"),
        ("2026-11-14", "2026-11-20", "2026-11-07", "2026-11-13"),  # seven days
        ("2026-01-01", "2026-11-20", "2025-02-11", "2025-12-31"),  # more than a month
    ],
)
def test_the_period_to_compare_with(first: str, last: str, before_first: str, before_last: str) -> None:
    assert period(first, last).before == period(before_first, before_last)


@given(first=DAYS, length=st.integers(1, 400))
def test_the_period_before_ends_the_day_before_or_earlier(first: date, length: int) -> None:
    asked = Period(first, first + timedelta(days=length - 1))
    assert asked.length == length == len(asked.days)
    assert asked.before.last < asked.first
    assert asked.before.length == length or asked.first.day == 1


@given(today=DAYS)
def test_every_preset_is_a_period_that_ends_by_today(today: date) -> None:
    found = presets(today)
    assert all(chosen.last <= today for chosen in found.values())
    assert (found["Last 7 days"].length, found["This month"].first.day) == (7, 1)
    assert found["Last month"].last == found["This month"].first - timedelta(days=1)


def test_a_period_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ValueError, match="first day"):
        period("2026-11-20", "2026-11-19")


WEEK = period("2026-11-14", "2026-11-20")
KINDS = ("image", "video", "voice", "3d")


def one(day: date | None, key: str, spent: str | Decimal, kind: str | None = "image") -> Slice:
    return Slice(day, key, key.upper(), kind, 1, 0, 1, Decimal(1), Decimal(spent))


@given(
    rows=st.lists(
        st.tuples(st.integers(-2, 8), st.integers(0, 9), st.decimals("0", "100", places=6)).map(
            lambda row: one(WEEK.first + timedelta(days=row[0]), f"type {row[1]}", row[2], KINDS[row[1] % 4])
        ),
        max_size=40,
    ),
    kinds=st.booleans(),
    most=st.integers(2, 6),
)
def test_series_keep_every_cent_of_the_period(rows: list[Slice], kinds: bool, most: int) -> None:
    series = stacked(rows, WEEK, kinds=kinds, most=most)
    assert len(series) <= most
    assert all(len(each.amounts) == 7 for each in series)
    inside = [row for row in rows if row.day in WEEK.days]
    assert sum((each.total for each in series), Decimal(0)) == sum((row.spent for row in inside), Decimal(0))
    for number, day in enumerate(WEEK.days):
        of_day = sum((row.spent for row in inside if row.day == day), Decimal(0))
        assert sum((each.amounts[number] for each in series), Decimal(0)) == of_day


def test_series_are_dearest_first_and_the_rest_is_other() -> None:
    rows = [one(WEEK.first, name, usd) for name, usd in (("a", "1"), ("b", "5"), ("c", "2"), ("d", "0.5"))]
    assert [each.label for each in stacked(rows, WEEK, most=4)] == ["B", "C", "A", "D"]
    assert [(each.label, each.total) for each in stacked(rows, WEEK, most=3)] == [
        ("B", Decimal(5)),
        ("C", Decimal(2)),
        ("Other", Decimal("1.5")),
    ]
    assert [each.label for each in stacked(rows, WEEK, kinds=True)] == ["image"]
    assert stacked([], WEEK) == ()


def test_deviation_is_the_share_that_actual_is_off() -> None:
    assert Slice(None, "a", "A", None, 1, 0, 1, Decimal("2"), Decimal("2.5")).deviation == Decimal("0.25")
    assert Slice(None, "a", "A", None, 1, 0, 1, Decimal("0"), Decimal("2.5")).deviation is None


def test_the_share_of_a_cap() -> None:
    def used(cap: Decimal | None) -> Decimal | None:
        return PersonSpend(uuid4(), "A", 1, 0, 1, Decimal(1), Decimal(1), Decimal("2.5"), cap).cap_used

    assert (used(Decimal(10)), used(None)) == (Decimal("0.25"), None)
