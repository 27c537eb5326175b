"""Spend as the series of a stacked chart. Pure; every cent of the period is in one of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.periods import Period
from core.spend import Slice

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a stacked chart: an amount per day of the period, zeros included."""

    label: str
    amounts: tuple[Decimal, ...]

    @property
    def total(self) -> Decimal:
        return sum(self.amounts, ZERO)


def stacked(slices: Iterable[Slice], period: Period, *, kinds: bool = False, most: int = 5) -> tuple[Series, ...]:
    """The series of a stacked chart over the days of a period, dearest first; what is beyond `most` is one "Other".

    `kinds` stacks by media kind ("image", "video", …) instead of by type; the sum of all series is always that of the
    slices that lie in the period.
    """
    days = {day: number for number, day in enumerate(period.days)}
    amounts: dict[str, list[Decimal]] = {}
    labels: dict[str, str] = {}
    for row in slices:
        if row.day not in days:
            continue
        key = row.media_kind if kinds and row.media_kind else row.key
        labels[key] = key if kinds and row.media_kind else row.label
        amounts.setdefault(key, [ZERO] * len(days))[days[row.day]] += row.spent
    ranked = sorted(amounts, key=lambda key: (-sum(amounts[key], ZERO), labels[key]))
    shown, rest = (ranked, []) if len(ranked) <= most else (ranked[: most - 1], ranked[most - 1 :])
    series = [Series(labels[key], tuple(amounts[key])) for key in shown]
    if rest:
        series.append(Series("Other", _sum_by_day([amounts[key] for key in rest])))
    return tuple(series)


def _sum_by_day(rows: Sequence[Sequence[Decimal]]) -> tuple[Decimal, ...]:
    return tuple(sum(day, ZERO) for day in zip(*rows, strict=True))
