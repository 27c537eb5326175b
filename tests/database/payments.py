"""Orders, and what Stripe says about them, in the shape that its events have.

Every test takes the fixture `shop`: books of their own, which must be in balance at the end, payments included.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID, uuid4

import pytest

from tests.database.books import Books, Row, completed, opened

PACKS = {"credits_100": (100, 1900), "credits_500": (500, 7900), "credits_1000": (1000, 13900)}
NOON = 1_795_262_400  # Unix seconds; Stripe's clock in these tests

_numbers = count(1)


def new_id(prefix: str) -> str:
    """An id as Stripe gives them, unique in this run."""
    return f"{prefix}_{uuid4().hex[:16]}{next(_numbers)}"


@dataclass(frozen=True)
class Order:
    """An order with the ids that Stripe gives to its session and its payment."""

    user: UUID
    pack: str = "credits_100"
    id: UUID = field(default_factory=uuid4)
    session_id: str = field(default_factory=lambda: new_id("cs_test"))
    intent_id: str = field(default_factory=lambda: new_id("pi"))

    @property
    def credits(self) -> int:
        return PACKS[self.pack][0]

    @property
    def cents(self) -> int:
        return PACKS[self.pack][1]

    def session(self, status: str = "complete", payment_status: str = "paid", **more: object) -> Row:
        """The checkout session; a paid one unless told otherwise."""
        return {
            "id": self.session_id,
            "object": "checkout.session",
            "mode": "payment",
            "status": status,
            "payment_status": payment_status,
            "client_reference_id": str(self.id),
            "metadata": {"order": str(self.id), "pack": self.pack},
            "amount_total": self.cents,
            "currency": "eur",
            "payment_intent": self.intent_id if status == "complete" else None,
            "expires_at": NOON + 3600,
        } | more

    def refund(self, cents: int | None = None, status: str = "succeeded", **more: object) -> Row:
        """A refund of this payment, of all of it unless told otherwise."""
        return {
            "id": new_id("re"),
            "object": "refund",
            "amount": self.cents if cents is None else cents,
            "currency": "eur",
            "payment_intent": self.intent_id,
            "status": status,
            "created": NOON,
        } | more

    def dispute(self, status: str = "needs_response", cents: int | None = None, **more: object) -> Row:
        """A dispute about this payment, over all of it unless told otherwise."""
        return {
            "id": new_id("dp"),
            "object": "dispute",
            "amount": self.cents if cents is None else cents,
            "currency": "eur",
            "payment_intent": self.intent_id,
            "reason": "fraudulent",
            "status": status,
            "balance_transactions": [],
            "created": NOON,
        } | more


def event(event_type: str, subject: Row, created: int = NOON) -> Row:
    """An event of Stripe about an object, as it was at that moment."""
    return {
        "id": new_id("evt"),
        "object": "event",
        "type": event_type,
        "created": created,
        "data": {"object": dict(subject)},
    }


def paid(order: Order, **more: object) -> Row:
    return event("checkout.session.completed", order.session(**more))


@dataclass(repr=False)
class Shop:
    """Books with a till."""

    books: Books

    def person(self, credits: int = 0) -> UUID:
        """An approved person with this many credits of their own."""
        return self.books.person(credits)

    def order(self, user: UUID, pack: str = "credits_100", *, attach: bool = True) -> Order:
        """An order that waits for its payment; without `attach` the note of its session was lost."""
        order = Order(user, pack)
        self.books.call("start_purchase", p_order=order.id, p_user=user, p_pack=pack, p_amount_cents=order.cents)
        if attach:
            self.attach(order)
        return order

    def attach(self, order: Order) -> Row:
        row: Row = self.books.call(
            "attach_session", p_order=order.id, p_session=order.session_id, p_expires_at="2099-01-01T00:00:00Z"
        )
        return row

    def bought(self, user: UUID, pack: str = "credits_100") -> Order:
        """An order that is paid."""
        order = self.order(user, pack)
        assert self.deliver(paid(order)) == "granted"
        return order

    def deliver(self, *events: Row, max_attempts: int = 10) -> str | Row:
        """Events in one call: {event id: result}, or the bare result of a single one."""
        calls = [{"payload": each, "headers": {}} for each in events]
        results: Row = self.books.call("receive_stripe_events", p_events=calls, p_max_attempts=max_attempts)
        return str(results[events[0]["id"]]) if len(events) == 1 else results

    def fulfil(
        self, order: Order, session: Row | None = None, *, source: str = "page", user: UUID | None = None
    ) -> Row:
        row: Row = self.books.call(
            "fulfil_checkout", p_session=session or order.session(), p_source=source, p_user=user
        )
        return row

    def use(self, user: UUID, credits: int) -> None:
        """Spend credits on a job that completes."""
        if credits:
            job = self.books.submitted(user, quantity=credits)
            self.books.settle(job, completed())

    def account(self, user: UUID) -> tuple[int, int, int, int]:
        """Available, held, frozen, owed."""
        row = self.books.one("select * from public.credit_accounts where user_id = %s", user)
        return row["available"], row["held"], row["frozen"], row["owed"]

    def purchase(self, order: Order) -> Row:
        return self.books.one("select * from public.credit_purchases where id = %s", order.id)

    def moves(self, user: UUID) -> list[tuple[str, int]]:
        """Kind and amount of the entries of a person, in order."""
        rows = self.books.all("select kind, amount from credit_entries where user_id = %s order by id", user)
        return [(row["kind"], row["amount"]) for row in rows]

    def audit(self) -> list[Row]:
        return self.books.all("select * from private.audit_payments()") + self.books.audit()


@pytest.fixture(name="shop")
def shop_fixture(database_url: str) -> Iterator[Shop]:
    """A shop in a database of its own; whatever the test did, the books are in balance when it ends."""
    with opened(database_url) as books:
        shop = Shop(books)
        yield shop
        assert shop.audit() == []
