"""Balances: the team's at fal.ai, one's own allowance, what was spent since and what is left. USD, as Decimal."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from core.database import get_database, money
from core.errors import InvalidInput
from core.models import Budget, Person
from core.rows import moment

Scope = Literal["team", "person"]
Source = Literal["manual", "fal"]
BILLING_PAGE = "https://fal.ai/dashboard/billing"


@dataclass(frozen=True, slots=True)
class BalanceEntry:
    """One balance as it was entered, or as fal.ai told it; an `amount` of None is a clearing."""

    created_at: datetime
    amount: Decimal | None
    source: Source
    actor_name: str | None  # None when fal.ai told it


@dataclass(frozen=True, slots=True)
class Month:
    """A person's calendar month in the team's timezone. `left` is under the cap, open jobs counted."""

    spent: Decimal
    open_estimates: Decimal
    cap: Decimal | None
    left: Decimal | None


@dataclass(frozen=True, slots=True)
class BudgetOverview:
    """The top of the budget page. `team` and `own` are None while no balance is set."""

    header: Budget
    team: Budget | None
    team_source: Source | None
    team_read_at: datetime | None  # of the latest reading; `team.taken_at` is when its period began
    own: Budget | None
    month: Month
    timezone: str  # days begin at midnight here
    today: date
    block_at_zero: bool


def budget_of(state: dict[str, Any]) -> Budget:
    """A Budget from what `private.budget_state` returned (amounts are text)."""
    if state.get("amount") is None:
        return Budget(spent=money(state["spent"]))
    return Budget(
        spent=money(state["spent"]),
        amount=money(state["amount"]),
        taken_at=moment(state["taken_at"]),
        remaining=money(state["remaining"]),
        scope=state.get("scope"),
    )


def summary(person: Person) -> Budget:
    """What the header says, read now: one's own allowance when set, else the team's balance, else the month's spend."""
    return overview(person).header


def overview(person: Person) -> BudgetOverview:
    """Everything about balances and limits that a person may know, in one call."""
    state = get_database().call("budget_overview", p_actor=person.user_id)
    team, own = state["team"], state["own"]
    return BudgetOverview(
        header=budget_of(state["header"]),
        team=budget_of(team) if team else None,
        team_source=team["source"] if team else None,
        team_read_at=moment(team["read_at"]) if team else None,
        own=budget_of(own) if own else None,
        month=month_of(state["month"]),
        timezone=state["timezone"],
        today=date.fromisoformat(state["today"]),
        block_at_zero=state["block_at_zero"],
    )


def set_balance(person: Person, amount: Decimal | str) -> Budget:
    """Enter the team's balance as an admin read it at fal.ai, USD with two decimals, at least 0.

    Returns the team's state. Raises InvalidInput for anything else, NotAllowed for anybody else.
    """
    return budget_of(get_database().call("set_team_balance", p_actor=person.user_id, p_amount=parse_amount(amount)))


def clear_balance(person: Person) -> Budget:
    """Take the team's balance away again: the header then says what was spent this month. Raises NotAllowed.

    With FAL_ADMIN_KEY set the next reading enters fal.ai's own figure again.
    """
    return budget_of(get_database().call("set_team_balance", p_actor=person.user_id, p_amount=None))


def set_own_balance(person: Person, amount: Decimal | str) -> Budget:
    """Set one's own allowance, USD with two decimals, at least 0: no limit. Raises InvalidInput, NotAllowed."""
    return budget_of(get_database().call("set_own_balance", p_actor=person.user_id, p_amount=parse_amount(amount)))


def clear_own_balance(person: Person) -> Budget:
    """Take one's own allowance away: the header says the team's balance again. Raises NotAllowed."""
    return budget_of(get_database().call("set_own_balance", p_actor=person.user_id, p_amount=None))


def entries(person: Person, scope: Scope = "team", limit: int = 20) -> tuple[BalanceEntry, ...]:
    """The previous balances, newest first: entries by hand, and what began a period at fal.ai. Raises NotAllowed."""
    rows = get_database().call("balance_entries", p_actor=person.user_id, p_scope=scope, p_limit=limit)
    return tuple(
        BalanceEntry(
            created_at=moment(row["created_at"]),
            amount=optional_money(row["amount"]),
            source=row["source"],
            actor_name=row["actor_name"],
        )
        for row in rows
    )


def month_of(state: dict[str, Any]) -> Month:
    """A Month from what `private.month_state` returned (amounts are text)."""
    return Month(
        spent=money(state["spent"]),
        open_estimates=money(state["open"]),
        cap=optional_money(state["cap"]),
        left=optional_money(state["left"]),
    )


def optional_money(value: Any) -> Decimal | None:
    """USD of a row, exact; None where the database has none."""
    return None if value is None else money(value)


def parse_amount(amount: Decimal | str) -> Decimal:
    """Dollars as a person wrote them. Raises InvalidInput; range and decimals are checked where they are stored."""
    try:
        value = Decimal(amount)
    except InvalidOperation as error:
        raise InvalidInput("Enter an amount in dollars, such as 50.00.", field="amount") from error
    if not value.is_finite():
        raise InvalidInput("Enter an amount in dollars, such as 50.00.", field="amount")
    return value
