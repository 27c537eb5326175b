"""What the sale of credits brings, for admins: the funnel, baskets, revenue per person, and how webhooks do."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from core.database import get_database
from core.models import Person

WEBHOOK_TARGET: Final = Decimal("0.99")


@dataclass(frozen=True, slots=True)
class BuyerRevenue:
    """What one person bought in the period. Cents of EUR; `revenue_cents` is what stayed after refunds and disputes."""

    user_id: UUID
    email: str
    full_name: str
    purchases: int
    credits: int
    gross_cents: int
    revenue_cents: int


@dataclass(frozen=True, slots=True)
class WebhookHealth:
    """Verified calls of one provider in the last 30 days, and how many of them were applied in the end."""

    provider: str
    received: int
    succeeded: int

    @property
    def rate(self) -> Decimal | None:
        """0 to 1; None when nothing came."""
        return Decimal(self.succeeded) / self.received if self.received else None

    @property
    def is_on_target(self) -> bool:
        return self.rate is None or self.rate >= WEBHOOK_TARGET


@dataclass(frozen=True, slots=True)
class PaymentMetrics:
    """The last `days` days; the webhooks are held to their target over 30 in any case. A view counts once a visit."""

    days: int
    seen: int
    seen_by: int  # people
    checkouts: int
    people: tuple[BuyerRevenue, ...]  # who paid, largest revenue first
    webhooks: tuple[WebhookHealth, ...]

    @property
    def purchases(self) -> int:
        return sum(person.purchases for person in self.people)

    @property
    def conversion(self) -> Decimal | None:
        """Purchases per view of the packs; None when nobody saw them."""
        return Decimal(self.purchases) / self.seen if self.seen else None

    @property
    def checkout_conversion(self) -> Decimal | None:
        """Purchases per checkout begun."""
        return Decimal(self.purchases) / self.checkouts if self.checkouts else None

    @property
    def gross_cents(self) -> int:
        return sum(person.gross_cents for person in self.people)

    @property
    def revenue_cents(self) -> int:
        return sum(person.revenue_cents for person in self.people)

    @property
    def average_basket(self) -> Decimal | None:
        """EUR a purchase, before refunds."""
        return Decimal(self.gross_cents) / 100 / self.purchases if self.purchases else None

    @property
    def revenue_per_person(self) -> Decimal | None:
        """EUR a person who paid, after refunds."""
        return Decimal(self.revenue_cents) / 100 / len(self.people) if self.people else None

    def webhook(self, provider: str) -> WebhookHealth:
        return next((known for known in self.webhooks if known.provider == provider), WebhookHealth(provider, 0, 0))


def payment_metrics(person: Person, *, days: int = 30) -> PaymentMetrics:
    """The figures of the last days. Raises NotAllowed for anybody but an admin."""
    state = get_database().call("payment_metrics", p_actor=person.user_id, p_days=days)
    return PaymentMetrics(
        days=state["days"],
        seen=state["seen"],
        seen_by=state["seen_by"],
        checkouts=state["checkouts"],
        people=tuple(BuyerRevenue(**{**row, "user_id": UUID(row["user_id"])}) for row in state["people"]),
        webhooks=tuple(WebhookHealth(**row) for row in state["webhooks"]),
    )
