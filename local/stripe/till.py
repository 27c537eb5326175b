"""What happens to a payment: the session, the payment, refunds and disputes, and the events that each causes."""

import time
from collections.abc import Callable
from typing import Any

from local.stripe import objects
from local.stripe.failures import ApiError, invalid, no_such
from local.stripe.store import Store, Thing

# What an endpoint for selling credits subscribes to; other events are kept, and sent to nobody.
SENT_EVENTS = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    }
)
LATER_SECONDS = 4.0  # until a delayed payment, or a refund that fails, is decided


class Till:
    """Every action is one transaction: the objects, and the events about them."""

    def __init__(self, store: Store, delay: Callable[[], float]) -> None:
        """`delay` gives the seconds that an event waits before it is sent first."""
        self._store = store
        self._delay = delay

    def get(self, kind: str, thing_id: str) -> Thing:
        """Raises ApiError 404."""
        found = self._store.find(kind, thing_id)
        if found is None:
            raise no_such(kind, thing_id)
        return found

    def tell(self, event_type: str, about: Thing) -> None:
        event = self._store.save(objects.event(event_type, about))
        if event_type in SENT_EVENTS:
            self._store.owe(event["id"], time.time() + self._delay())

    # The pay page

    def pay(self, session_id: str) -> Thing:
        """The card is charged. Returns the session."""
        with self._store.transaction():
            session = self._open_session(session_id)
            payment = self._payment_of(session)
            self._charge(payment, session)
            session |= {"status": "complete", "payment_status": "paid", "payment_intent": payment["id"], "url": None}
            self._store.save(session)
            self.tell("payment_intent.succeeded", payment)
            self.tell("checkout.session.completed", session)
        return session

    def decline(self, session_id: str) -> Thing:
        """The bank says no; the session stays open for another try. Returns the session."""
        with self._store.transaction():
            session = self._open_session(session_id)
            payment = self._payment_of(session)
            payment["last_payment_error"] = {
                "type": "card_error",
                "code": "card_declined",
                "decline_code": "generic_decline",
                "message": "Your card was declined.",
            }
            self._store.save(payment)
            self.tell("payment_intent.payment_failed", payment)
        return session

    def pay_later(self, session_id: str, *, succeeds: bool) -> Thing:
        """A delayed payment method: the session completes now, the money is decided later. Returns the session."""
        with self._store.transaction():
            session = self._open_session(session_id)
            payment = self._payment_of(session)
            payment |= {"status": "processing", "_later": succeeds, "_due_at": time.time() + LATER_SECONDS}
            self._store.save(payment)
            session |= {"status": "complete", "payment_intent": payment["id"], "url": None}
            self._store.save(session)
            self.tell("payment_intent.processing", payment)
            self.tell("checkout.session.completed", session)
        return session

    def decide_payment(self, payment_id: str, *, succeeds: bool) -> None:
        """A delayed payment arrives, or does not."""
        with self._store.transaction():
            payment = self.get("payment_intent", payment_id)
            if payment["status"] != "processing":
                raise ApiError(400, f"This payment is {payment['status']}, it is not waiting.")
            session = self._store.all("checkout.session", payment_intent=payment_id)[0]
            if succeeds:
                self._charge(payment, session)
                session["payment_status"] = "paid"
                self._store.save(session)
                self.tell("payment_intent.succeeded", payment)
                self.tell("checkout.session.async_payment_succeeded", session)
            else:
                payment["status"] = "requires_payment_method"
                self._store.save(payment)
                self.tell("payment_intent.payment_failed", payment)
                self.tell("checkout.session.async_payment_failed", session)

    def expire(self, session_id: str) -> Thing:
        """Close an open session. Returns it."""
        with self._store.transaction():
            session = self.get("checkout.session", session_id)
            if session["status"] != "open":
                raise invalid(
                    'Only Checkout Sessions with a status in ["open"] can be expired. '
                    f"This Checkout Session has a status of {session['status']}.",
                    "session",
                )
            session |= {"status": "expired", "url": None}
            self._store.save(session)
            self.tell("checkout.session.expired", session)
        return session

    def _open_session(self, session_id: str) -> Thing:
        session = self.get("checkout.session", session_id)
        if session["status"] == "open" and session["expires_at"] <= time.time():
            session = self.expire(session_id)
        if session["status"] != "open":
            raise ApiError(400, f"This Checkout Session is {session['status']}.")
        return session

    def _payment_of(self, session: Thing) -> Thing:
        """The payment of a session, made at the first try."""
        if "_payment" not in session:
            data: dict[str, Any] = session["_payment_data"]
            payment = objects.payment_intent(
                session["amount_total"], session["currency"], data["metadata"], data["description"]
            )
            session["_payment"] = self._store.save(payment)["id"]
            self._store.save(session)
        return self.get("payment_intent", session["_payment"])

    def _charge(self, payment: Thing, session: Thing) -> None:
        charge = objects.charge(payment, "")
        charge["receipt_url"] = f"{session['_base_url']}/receipts/{charge['id']}"
        self._store.save(charge)
        payment |= {
            "status": "succeeded",
            "amount_received": payment["amount"],
            "latest_charge": charge["id"],
            "last_payment_error": None,
        }
        self._store.save(payment)
        self.tell("charge.succeeded", charge)

    # Money that goes back

    def refund(
        self,
        payment_id: str,
        amount: int | None = None,
        *,
        fails: bool = False,
        reason: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Thing:
        """Give money back, all that is left unless told otherwise; with `fails` the bank returns it after a while."""
        with self._store.transaction():
            charge = self._charge_of(payment_id)
            left = charge["amount"] - charge["amount_refunded"]
            if left == 0:
                raise ApiError(
                    400,
                    f"Charge {charge['id']} has already been refunded.",
                    code="charge_already_refunded",
                    is_outcome=True,
                )
            if amount is not None and amount > left:
                raise invalid(
                    f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", "amount"
                )
            if self._store.all("dispute", charge=charge["id"], status="lost"):
                raise ApiError(
                    400,
                    f"Charge {charge['id']} has been charged back; cannot issue a refund.",
                    code="charge_disputed",
                    is_outcome=True,
                )
            made = objects.refund(charge, amount or left, "pending" if fails else "succeeded", reason, metadata or {})
            if fails:
                made["_due_at"] = time.time() + LATER_SECONDS
            self._store.save(made)
            self._add_refunded(charge, made["amount"])
            self.tell("refund.created", made)
            self.tell("charge.refunded", charge)
        return made

    def fail_refund(self, refund_id: str) -> None:
        """The bank sends a refund back."""
        with self._store.transaction():
            made = self.get("refund", refund_id)
            if made["status"] in ("failed", "canceled"):
                raise ApiError(400, f"This refund is {made['status']} already.")
            made |= {"status": "failed", "failure_reason": "lost_or_stolen_card"}
            self._store.save(made)
            self._add_refunded(self.get("charge", made["charge"]), -made["amount"])
            self.tell("refund.failed", made)

    def open_dispute(self, payment_id: str, amount: int | None = None, reason: str = "fraudulent") -> Thing:
        """The payer disputes the charge; the bank takes the money until it is decided."""
        with self._store.transaction():
            charge = self._charge_of(payment_id)
            if charge["disputed"]:
                raise ApiError(400, f"Charge {charge['id']} is disputed already.", code="charge_disputed")
            made = objects.dispute(charge, amount or charge["amount"], reason)
            self.tell("charge.dispute.created", self._store.save(made))
            made["balance_transactions"].append(objects.balance_transaction(-made["amount"], made["currency"]))
            self.tell("charge.dispute.funds_withdrawn", self._store.save(made))
            self._store.save(charge | {"disputed": True})
        return made

    def close_dispute(self, dispute_id: str, *, won: bool) -> None:
        """The bank decides."""
        with self._store.transaction():
            made = self.get("dispute", dispute_id)
            if made["status"] in ("won", "lost"):
                raise ApiError(400, f"This dispute is {made['status']} already.")
            made["status"] = "won" if won else "lost"
            if won:
                made["balance_transactions"].append(objects.balance_transaction(made["amount"], made["currency"]))
                self.tell("charge.dispute.funds_reinstated", made)
            self.tell("charge.dispute.closed", self._store.save(made))

    def _charge_of(self, payment_id: str) -> Thing:
        payment = self.get("payment_intent", payment_id)
        if payment["latest_charge"] is None:
            raise ApiError(
                400, f"This PaymentIntent ({payment_id}) does not have a successful charge to refund.", is_outcome=True
            )
        return self.get("charge", payment["latest_charge"])

    def _add_refunded(self, charge: Thing, amount: int) -> None:
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self._store.save(charge)

    # Time passes

    def tick(self) -> None:
        """Do what is due: expire sessions, decide delayed payments, send refunds back."""
        moment = time.time()
        for session in self._store.all("checkout.session", status="open"):
            if session["expires_at"] <= moment:
                self.expire(session["id"])
        for payment in self._store.all("payment_intent", status="processing"):
            if payment["_due_at"] <= moment:
                self.decide_payment(payment["id"], succeeds=payment["_later"])
        for made in self._store.all("refund", status="pending"):
            if made["_due_at"] <= moment:
                self.fail_refund(made["id"])
