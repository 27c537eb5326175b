"""Purchases as the database has them: a person's own, and all of them for admins."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

from core.admin.calls import as_admin
from core.database import fetch, get_database
from core.errors import NotFound
from core.keyset import Place, newest_first
from core.models import Person
from core.rows import moment, when
from core.settings import get_settings

PurchaseStatus = Literal[
    "open",  # the pay page is open
    "processing",  # a delayed payment method: the money is on its way
    "expired",
    "failed",
    "flagged",  # paid, but not what was ordered: an admin decides
    "paid",
    "partially_refunded",
    "refunded",
    "disputed",
    "dispute_lost",
]
Show = Literal["all", "paid", "returned", "unfinished"]
SHOWS: Final[dict[Show, tuple[PurchaseStatus, ...]]] = {
    "paid": ("paid",),
    "returned": ("partially_refunded", "refunded", "disputed", "dispute_lost"),
    "unfinished": ("open", "processing", "expired", "failed", "flagged"),
}
DASHBOARD: Final = "https://dashboard.stripe.com"
_COLUMNS: Final = "*,profiles!credit_purchases_user_id_fkey(email,full_name)"


@dataclass(frozen=True, slots=True)
class Purchase:
    """One order of a pack. Amounts are cents of EUR, credits whole numbers."""

    id: UUID
    user_id: UUID
    pack: str
    credits: int
    amount_cents: int
    currency: str
    status: PurchaseStatus
    stripe_session_id: str | None
    payment_intent_id: str | None
    paid_at: datetime | None
    paid_through: str | None  # webhook, page, worker, admin
    refunded_cents: int
    lost_cents: int
    granted_credits: int
    taken_credits: int  # in proportion to what went back
    frozen_credits: int  # while disputed
    flagged_reason: str | None  # why it was odd, one sentence a line; settled or not
    created_at: datetime
    email: str | None = None  # of the buyer, for admins

    @property
    def euros(self) -> Decimal:
        return Decimal(self.amount_cents) / 100

    @property
    def is_paid(self) -> bool:
        return self.paid_at is not None


@dataclass(frozen=True, slots=True)
class Debt:
    """Somebody whose money went back after its credits were used; the next purchase settles it."""

    user_id: UUID
    email: str
    full_name: str
    owed: int


def purchase_of(row: dict[str, Any]) -> Purchase:
    """A purchase from a row of `credit_purchases` or from what a function returned."""
    return Purchase(
        id=UUID(row["id"]),
        user_id=UUID(row["user_id"]),
        pack=row["pack"],
        credits=row["credits"],
        amount_cents=row["amount_cents"],
        currency=row["currency"],
        status=row["status"],
        stripe_session_id=row["stripe_session_id"],
        payment_intent_id=row["payment_intent_id"],
        paid_at=when(row["paid_at"]),
        paid_through=row["paid_through"],
        refunded_cents=row["refunded_cents"],
        lost_cents=row["lost_cents"],
        granted_credits=row["granted_credits"],
        taken_credits=row["taken_credits"],
        frozen_credits=row["frozen_credits"],
        flagged_reason=row["flagged_reason"],
        created_at=moment(row["created_at"]),
        email=(row.get("profiles") or {}).get("email"),
    )


def own(person: Person, *, limit: int = 20) -> tuple[Purchase, ...]:
    """A person's own purchases that came to something, newest first: checkouts left open or expired are not shown."""
    rows = get_database().call("own_purchases", p_actor=person.user_id, p_limit=limit)
    return tuple(map(purchase_of, rows))


def get(person: Person, purchase_id: UUID) -> Purchase:
    """One purchase, a person's own; any of them for an admin. Raises NotFound."""
    return _one(person, "id", str(purchase_id))


def by_session(person: Person, session_id: str) -> Purchase:
    """The person's own purchase with this checkout session. Raises NotFound, also when it is somebody else's."""
    found = _one(person, "stripe_session_id", session_id)
    if found.user_id != person.user_id:
        raise NotFound("There is no such order.")
    return found


def every(
    person: Person, *, show: Show = "all", after: Place | None = None, page_size: int = 25
) -> tuple[tuple[Purchase, ...], Place | None]:
    """One page of everybody's purchases for admins, newest first, and where the next one begins; None on the last.

    Row level security shows others their own.
    """
    query: Any = _rows(person).select(_COLUMNS)
    if show != "all":
        query = query.in_("status", SHOWS[show])
    rows = fetch(newest_first(query, after, page_size), "credit_purchases")
    found = tuple(purchase_of(row) for row in rows[:page_size])
    return found, Place(found[-1].created_at, found[-1].id) if len(rows) > page_size else None


def who_owe(person: Person) -> tuple[Debt, ...]:
    """Who owes credits since a refund or a lost dispute, most first. Raises NotAllowed for anybody but an admin."""
    rows = as_admin(person, "who_owe")
    return tuple(Debt(UUID(row["user_id"]), row["email"], row["full_name"], row["owed"]) for row in rows)


def waive_owed(person: Person, user_id: UUID, amount: int, reason: str, key: str) -> None:
    """An admin forgives credits that a person owes; `key` makes asking twice harmless.

    Raises NotAllowed, InvalidInput without a reason or for more than is owed.
    """
    as_admin(person, "waive_owed", p_user=user_id, p_amount=amount, p_reason=reason, p_key=key)


def payment_link(payment_intent_id: str | None) -> str | None:
    """Where an admin sees this payment at Stripe (or in the simulated one); None before there is a payment."""
    if payment_intent_id is None:
        return None
    settings = get_settings()
    if "Stripe" in settings.simulated:
        return f"{settings.stripe_api_url}/_sim/#{payment_intent_id}"
    mode = "" if settings.stripe_secret_key.startswith(("sk_live_", "rk_live_")) else "test/"
    return f"{DASHBOARD}/{mode}payments/{payment_intent_id}"


def _rows(person: Person) -> Any:
    return get_database().rows_of(person.access_token).from_("credit_purchases")


def _one(person: Person, column: str, value: str) -> Purchase:
    rows = fetch(_rows(person).select("*").eq(column, value).limit(1), "credit_purchases")
    if not rows:
        raise NotFound("There is no such order.")
    return purchase_of(rows[0])
