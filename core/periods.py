"""Spans of days and the spans to compare them with. Days are those of the team's timezone; both ends belong to it."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """From `first` to `last`, both included. Raises ValueError when they are the wrong way round."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError("A period's first day is not after its last.")

    @property
    def length(self) -> int:
        """In days."""
        return (self.last - self.first).days + 1

    @property
    def days(self) -> tuple[date, ...]:
        return tuple(self.first + timedelta(days=number) for number in range(self.length))

    @property
    def before(self) -> "Period":
        """The period to compare with: for the days of one month since its first, the same days of the month before (a
        whole month with a whole one); for any other, as many days, directly before."""
        if self.first.day == 1 and (self.first.year, self.first.month) == (self.last.year, self.last.month):
            end = self.first - ONE_DAY
            whole = self.last.day == monthrange(self.last.year, self.last.month)[1]
            return Period(end.replace(day=1), end if whole else end.replace(day=min(self.last.day, end.day)))
        return Period(self.first - timedelta(days=self.length), self.first - ONE_DAY)


def presets(today: date) -> dict[str, Period]:
    """The periods that a person can pick by name, `today` in the team's timezone."""
    month = today.replace(day=1)
    last_month = month - ONE_DAY
    return {
        "This month": Period(month, today),
        "Last month": Period(last_month.replace(day=1), last_month),
        **{f"Last {count} days": Period(today - timedelta(days=count - 1), today) for count in (7, 30, 90)},
        "This year": Period(today.replace(month=1, day=1), today),
    }
