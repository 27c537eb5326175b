"""Payments that an admin has to look at: not what was ordered, or for a checkout session that we did not make."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from core.admin.calls import as_admin
from core.models import Person
from core.rows import moment


@dataclass(frozen=True, slots=True)
class FlaggedPayment:
    """One that waits for a decision: an order of ours, or, with an `event_id`, an event about none of ours.

    `problem` is sentences, one a line.
    """

    order_id: UUID | None
    event_id: int | None
    flagged_at: datetime
    problem: str
    email: str | None  # of the buyer, when the order is ours
    credits: int | None
    granted_credits: int  # all of them when what was ordered was paid as well, else 0
    amount_cents: int | None  # of the order, EUR
    payment_intent_id: str | None

    @property
    def key(self) -> str:
        """Names it on screen."""
        return f"event-{self.event_id}" if self.event_id is not None else f"order-{self.order_id}"

    @property
    def euros(self) -> Decimal | None:
        return Decimal(self.amount_cents) / 100 if self.amount_cents is not None else None


def waiting(person: Person) -> tuple[FlaggedPayment, ...]:
    """What waits for a decision, newest first, 100 at most. Raises NotAllowed for anybody but an admin."""
    return tuple(_flagged(row) for row in as_admin(person, "flagged_payments"))


def resolve(person: Person, payment: FlaggedPayment, reason: str) -> None:
    """An admin has dealt with it, by hand or at Stripe, and says how.

    Raises NotAllowed, InvalidInput without a reason, NotFound when nothing waits any more.
    """
    of_event = payment.event_id is not None
    as_admin(
        person,
        "resolve_flag",
        p_reason=reason,
        p_order=None if of_event else payment.order_id,
        p_event=payment.event_id,
    )


def _flagged(row: dict[str, Any]) -> FlaggedPayment:
    return FlaggedPayment(
        order_id=UUID(row["purchase_id"]) if row["purchase_id"] else None,
        event_id=row["event_id"],
        flagged_at=moment(row["flagged_at"]),
        problem=row["problem"],
        email=row["email"],
        credits=row["credits"],
        granted_credits=row["granted_credits"],
        amount_cents=row["amount_cents"],
        payment_intent_id=row["payment_intent_id"],
    )
