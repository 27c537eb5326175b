"""What an admin sets about spending: monthly caps, the block at zero, the timezone of the days.

Each function checks the acting person again in SQL and leaves a line in the trail. NotAllowed for everybody else.
"""

from decimal import Decimal
from uuid import UUID

from core.budget import Month, month_of, parse_amount
from core.database import get_database
from core.models import Person


def set_monthly_cap(person: Person, user_id: UUID, cap: Decimal | str | None, reason: str = "") -> Month:
    """Limit what somebody may spend in a calendar month, USD from 0.01 with two decimals; None lifts the limit.

    Returns their month. Raises InvalidInput, NotFound.
    """
    amount = None if cap is None else parse_amount(cap)
    row = get_database().call("set_monthly_cap", p_actor=person.user_id, p_user=user_id, p_cap=amount, p_reason=reason)
    return month_of(row)


def set_block_at_zero(person: Person, on: bool) -> None:
    """Refuse new jobs once the team's balance, less the estimates of open jobs, is used up; or let them through."""
    get_database().call("set_block_at_zero", p_actor=person.user_id, p_on=on)


def set_timezone(person: Person, timezone: str) -> None:
    """Let days begin at midnight in this timezone ("Europe/Paris"); past days are recounted. Raises InvalidInput."""
    get_database().call("set_team_timezone", p_actor=person.user_id, p_timezone=timezone)
