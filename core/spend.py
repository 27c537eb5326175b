"""What was spent in a period, read from the rollup: for charts, tables and files. USD, Decimal throughout.

A person sees their own spend, an admin everybody's; SQL decides by the acting person.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from core.budget import optional_money
from core.database import get_database, money
from core.models import Person
from core.periods import Period
from core.rows import moment

By = Literal["type", "person", "campaign"]


@dataclass(frozen=True, slots=True)
class Totals:
    """A span of days. `estimated` is what the jobs were expected to cost, `spent` the best that is known."""

    period: Period
    jobs: int
    failures: int
    credits: int
    estimated: Decimal
    spent: Decimal


@dataclass(frozen=True, slots=True)
class Slice:
    """What one type (person, campaign) spent, on one `day` or, without one, in the period."""

    day: date | None
    key: str
    label: str
    media_kind: str | None  # of a type
    jobs: int
    failures: int
    credits: int
    estimated: Decimal
    spent: Decimal

    @property
    def deviation(self) -> Decimal | None:
        """How far actual is from estimate, as a share of it: 0.1 is ten per cent dearer. None without an estimate."""
        return (self.spent - self.estimated) / self.estimated if self.estimated else None


@dataclass(frozen=True, slots=True)
class PersonSpend:
    """One person in the period, and this calendar month under their cap."""

    user_id: UUID
    name: str
    jobs: int
    failures: int
    credits: int
    estimated: Decimal
    spent: Decimal
    this_month: Decimal
    cap: Decimal | None

    @property
    def cap_used(self) -> Decimal | None:
        """Share of the cap, 0 and up; None without one."""
        return self.this_month / self.cap if self.cap else None


@dataclass(frozen=True, slots=True)
class FailureReason:
    error_type: str
    count: int
    spent: Decimal


@dataclass(frozen=True, slots=True)
class CostlyFailure:
    """A job that did not complete and cost money all the same."""

    job_id: UUID
    ended_at: datetime
    person: str
    generation_type: str
    status: str
    error_type: str
    error_message: str
    prompt: str
    spent: Decimal
    cost_source: str


@dataclass(frozen=True, slots=True)
class CostlyFailures:
    """All of them in sum and by reason; `jobs` are the dearest."""

    count: int
    spent: Decimal
    by_reason: tuple[FailureReason, ...]
    jobs: tuple[CostlyFailure, ...]


@dataclass(frozen=True, slots=True)
class SpendReport:
    """`by_day` has a row per day and type (person, campaign) with any spend, in the order of days."""

    timezone: str
    today: date
    everybody: bool  # False: only the person's own
    totals: Totals
    before: Totals
    by_day: tuple[Slice, ...]
    by_type: tuple[Slice, ...]
    by_person: tuple[PersonSpend, ...]
    costly_failures: CostlyFailures


def report(person: Person, period: Period, by: By = "type") -> SpendReport:
    """Everything the spend page shows about a period, in one call. Raises InvalidInput, NotAllowed."""
    before = period.before
    found = get_database().call(
        "spend_report",
        p_actor=person.user_id,
        p_from=period.first,
        p_to=period.last,
        p_before_from=before.first,
        p_before_to=before.last,
        p_by=by,
    )
    return SpendReport(
        timezone=found["timezone"],
        today=date.fromisoformat(found["today"]),
        everybody=found["everybody"],
        totals=_totals(found["totals"]),
        before=_totals(found["before"]),
        by_day=tuple(_slice(row) for row in found["by_day"]),
        by_type=tuple(_slice({**row, "key": row["generation_type"]}) for row in found["by_type"]),
        by_person=tuple(_person(row) for row in found["by_person"]),
        costly_failures=_failures(found["costly_failures"]),
    )


def by_campaign(person: Person, period: Period) -> tuple[Slice, ...]:
    """What each campaign cost in a period, the dearest first; the key of what belongs to none is empty."""
    rows = get_database().call("spend_by_campaign", p_actor=person.user_id, p_from=period.first, p_to=period.last)
    return tuple(
        _slice({**row, "key": row["campaign_id"] or "", "label": row["name"] or "No campaign", "media_kind": None})
        for row in rows
    )


def _totals(row: dict[str, Any]) -> Totals:
    period = Period(date.fromisoformat(row["from"]), date.fromisoformat(row["to"]))
    return Totals(period, row["jobs"], row["failures"], row["credits"], money(row["estimated"]), money(row["spent"]))


def _slice(row: dict[str, Any]) -> Slice:
    return Slice(
        day=date.fromisoformat(row["day"]) if row.get("day") else None,
        key=row["key"],
        label=row["label"],
        media_kind=row["media_kind"],
        jobs=row["jobs"],
        failures=row["failures"],
        credits=row["credits"],
        estimated=money(row["estimated"]),
        spent=money(row["spent"]),
    )


def _person(row: dict[str, Any]) -> PersonSpend:
    return PersonSpend(
        user_id=UUID(row["user_id"]),
        name=row["name"],
        jobs=row["jobs"],
        failures=row["failures"],
        credits=row["credits"],
        estimated=money(row["estimated"]),
        spent=money(row["spent"]),
        this_month=money(row["this_month"]),
        cap=optional_money(row["cap"]),
    )


def _failures(found: dict[str, Any]) -> CostlyFailures:
    return CostlyFailures(
        count=found["count"],
        spent=money(found["spent"]),
        by_reason=tuple(
            FailureReason(row["error_type"], row["count"], money(row["spent"])) for row in found["by_reason"]
        ),
        jobs=tuple(
            CostlyFailure(
                job_id=UUID(row["job_id"]),
                ended_at=moment(row["ended_at"]),
                person=row["person"],
                generation_type=row["generation_type"],
                status=row["status"],
                error_type=row["error_type"],
                error_message=row["error_message"],
                prompt=row["prompt"],
                spent=money(row["spent"]),
                cost_source=row["cost_source"],
            )
            for row in found["jobs"]
        ),
    )
