"""How a balance went down day by day, read from the snapshots and the rollup. USD, Decimal throughout."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from core.budget import Scope, Source, optional_money
from core.database import get_database, money
from core.models import Person
from core.periods import Period
from core.rows import moment


@dataclass(frozen=True, slots=True)
class BurnDay:
    """One day: what was spent in it, what was left when it ended (None before the first balance)."""

    day: date
    spent: Decimal
    left: Decimal | None


@dataclass(frozen=True, slots=True)
class BalanceMark:
    """A balance entered or topped up; an `amount` of None is a clearing."""

    at: datetime
    amount: Decimal | None
    source: Source


@dataclass(frozen=True, slots=True)
class BurnDown:
    today: date
    days: tuple[BurnDay, ...]
    balances: tuple[BalanceMark, ...]


def burn_down(person: Person, period: Period, scope: Scope = "team") -> BurnDown:
    """What was left day by day: of the team's balance (admins only, else NotAllowed) or of one's own allowance."""
    found = get_database().call(
        "burn_down", p_actor=person.user_id, p_scope=scope, p_from=period.first, p_to=period.last
    )
    return BurnDown(
        today=date.fromisoformat(found["today"]),
        days=tuple(
            BurnDay(date.fromisoformat(row["day"]), money(row["spent"]), optional_money(row["left"]))
            for row in found["days"]
        ),
        balances=tuple(
            BalanceMark(moment(row["at"]), optional_money(row["amount"]), row["source"]) for row in found["balances"]
        ),
    )
