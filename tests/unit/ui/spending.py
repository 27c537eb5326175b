"""A team's spend from memory, for tests of the Budget page."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from core import billing, budget, burn_down, chores, fal_account, spend
from core.billing import Drift, ForeignCharge, UnbilledJob
from core.budget import BalanceEntry, BudgetOverview, Month, Scope
from core.burn_down import BalanceMark, BurnDay, BurnDown
from core.chores import ChoreState
from core.models import Budget, Person
from core.periods import Period
from core.spend import CostlyFailure, CostlyFailures, FailureReason, PersonSpend, Slice, SpendReport, Totals
from tests.unit.ui import doubles

TODAY = doubles.NOON.date()
CAMPAIGN = "Autumn"


def overview(**changes: Any) -> BudgetOverview:
    return replace(
        BudgetOverview(
            header=doubles.BUDGET,
            team=doubles.BUDGET,
            team_source="manual",
            team_read_at=doubles.BUDGET.taken_at,
            own=None,
            month=Month(Decimal("12.94"), Decimal(0), Decimal(25), Decimal("12.06")),
            timezone="Europe/Paris",
            today=TODAY,
            block_at_zero=False,
        ),
        **changes,
    )


def slice_of(key: str, usd: str, day: date | None = None, kind: str | None = "image") -> Slice:
    return Slice(day, key, key, kind, 2, 1, 10, Decimal(usd) * 2, Decimal(usd))


class Spending:
    """What the core knows about money, and what was done to it."""

    def __init__(self) -> None:
        self.overview = overview()
        self.spent_days = 17
        self.failures = CostlyFailures(0, Decimal(0), (), ())
        self.done: list[tuple[Any, ...]] = []
        self.people: tuple[PersonSpend, ...] = ()
        self.refuses: Exception | None = None
        self.drift: tuple[Drift, ...] = ()
        self.foreign: tuple[ForeignCharge, ...] = ()
        self.unbilled: tuple[UnbilledJob, ...] = ()
        self.chores: tuple[ChoreState, ...] = ()
        self.account: str | None = "user_2aBcDeFgHiJkLm"

    def burn_down(self, _person: Person, period: Period, scope: Scope) -> BurnDown:
        self.done.append(("burn_down", scope))
        days = []
        for day in period.days:
            back = (TODAY - day).days
            spent = Decimal("1.70") if 0 < back <= self.spent_days else Decimal(0)
            days.append(BurnDay(day, spent, Decimal("20.80") + back if back <= 17 else None))
        at = doubles.BUDGET.taken_at or doubles.NOON
        return BurnDown(TODAY, tuple(days), (BalanceMark(at, Decimal(50), "manual"),))

    def report(self, person: Person, period: Period, by: str) -> SpendReport:
        self.done.append(("report", period, by))
        rows = [slice_of("video", "1.5", TODAY, "video"), slice_of("image", "0.2", TODAY - timedelta(days=1))]
        mine = PersonSpend(
            uuid4(), "Mara Costa", 64, 1, 412, Decimal("12.61"), Decimal("12.94"), Decimal("12.94"), Decimal(25)
        )
        return SpendReport(
            timezone="Europe/Paris",
            today=TODAY,
            everybody=person.is_admin,
            totals=Totals(period, 4, 1, 20, Decimal("3.40"), Decimal("1.70")),
            before=Totals(period.before, 2, 0, 9, Decimal(1), Decimal("1.36")),
            by_day=tuple(rows),
            by_type=(slice_of("Veo 3.1 Fast", "1.5", kind="video"),),
            by_person=self.people or (mine,),
            costly_failures=self.failures,
        )

    def save(self, what: str, person: Person, amount: Decimal | None = None) -> Budget:
        if self.refuses is not None:
            raise self.refuses
        self.done.append((what, person.user_id, amount))
        return doubles.BUDGET

    def forget(self, _person: Person, account: str) -> bool:
        self.done.append(("forget", account))
        self.account = None
        return True

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        entry = BalanceEntry(doubles.NOON, Decimal(50), "manual", "Mara *Costa*")
        monkeypatch.setattr(budget, "overview", lambda _person: self.overview)
        monkeypatch.setattr(budget, "entries", lambda _person, _scope, _limit: (entry,))
        for name in ("set_balance", "clear_balance", "set_own_balance", "clear_own_balance"):
            monkeypatch.setattr(budget, name, lambda person, *amount, what=name: self.save(what, person, *amount))
        monkeypatch.setattr(burn_down, "burn_down", self.burn_down)
        monkeypatch.setattr(spend, "report", self.report)
        monkeypatch.setattr(spend, "by_campaign", lambda _person, _period: (slice_of(CAMPAIGN, "1.1", kind=None),))
        monkeypatch.setattr(billing, "drift", lambda _person, _period: self.drift)
        monkeypatch.setattr(billing, "foreign_charges", lambda _person, _period: self.foreign)
        monkeypatch.setattr(billing, "unbilled_jobs", lambda _person, _period: self.unbilled)
        monkeypatch.setattr(chores, "hurry", lambda _person, name: self.done.append(("hurry", name)) is None)
        monkeypatch.setattr(fal_account, "pinned", lambda _person: self.account)
        monkeypatch.setattr(fal_account, "forget", self.forget)
        monkeypatch.setattr(chores, "states", lambda _person: self.chores)

    def fail_dearly(self) -> None:
        """One job failed and was billed."""
        job = CostlyFailure(
            uuid4(), doubles.NOON, "Mara Costa", "video_veo31_fast", "failed", "content_policy", "Refused.", "A pan",
            Decimal("0.9"), "confirmed",
        )  # fmt: skip
        reason = FailureReason("content_policy", 1, Decimal("0.9"))
        self.failures = CostlyFailures(1, Decimal("0.9"), (reason,), (job,))
