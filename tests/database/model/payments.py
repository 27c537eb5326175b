"""Credits and the money that they were bought with: what is owed after a refund, what is frozen during a dispute."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

PACKS = {"credits_100": (100, 1900), "credits_500": (500, 7900)}
STEPS = ("open", "processing", "expired", "failed")
REFUND_STEPS = ("pending", "requires_action", "succeeded", "canceled", "failed")
STANDINGS = ("open", "returned", "lost")


@dataclass
class Account:
    available: int = 0
    held: int = 0
    frozen: int = 0
    owed: int = 0

    def hold(self, credits: int) -> bool:
        if credits > self.available:
            return False
        self.available -= credits
        self.held += credits
        return True

    def capture(self, credits: int) -> None:
        self.held -= credits

    def release(self, credits: int) -> None:
        self.held -= credits
        self.available += credits

    def freeze(self, credits: int) -> None:
        self.available -= credits
        self.frozen += credits


@dataclass
class Back:
    """Money that goes back: a refund or a dispute."""

    cents: int
    standing: str
    at: int = 0
    is_applied: bool = False

    @property
    def counts(self) -> bool:
        return self.standing in ("pending", "requires_action", "succeeded", "lost")


@dataclass
class Purchase:
    person: str
    pack: str
    order: int  # among the purchases of all, by their time
    progress: str = "open"
    is_attached: bool = False  # we know its session
    has_intent: bool = False  # we know its payment
    is_paid: bool = False
    is_flagged: bool = False
    granted: int = 0
    taken: int = 0
    frozen: int = 0
    is_disputed: bool = False
    refunds: dict[str, Back] = field(default_factory=dict)
    disputes: dict[str, Back] = field(default_factory=dict)

    @property
    def credits(self) -> int:
        return PACKS[self.pack][0]

    @property
    def cents(self) -> int:
        return PACKS[self.pack][1]

    @property
    def refunded(self) -> int:
        return sum(refund.cents for refund in self.refunds.values() if refund.counts)

    @property
    def lost(self) -> int:
        return sum(dispute.cents for dispute in self.disputes.values() if dispute.counts)

    @property
    def status(self) -> str:
        if not self.is_paid:
            return "flagged" if self.is_flagged else self.progress
        if self.is_disputed:
            return "disputed"
        if self.lost:
            return "dispute_lost"
        if self.refunded:
            return "refunded" if self.refunded >= self.cents else "partially_refunded"
        return "paid"

    def share(self) -> int:
        """The credits that belong to the money that went back, as far as it is applied."""
        back = [*self.refunds.values(), *self.disputes.values()]
        cents = min(self.cents, sum(each.cents for each in back if each.is_applied))
        return int((Decimal(self.credits) * cents / self.cents).quantize(Decimal(1), ROUND_HALF_UP))


@dataclass
class Payments:
    purchases: dict[str, Purchase] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)

    def of(self, person: str) -> list[Purchase]:
        return sorted((p for p in self.purchases.values() if p.person == person), key=lambda p: p.order)

    def meet_claims(self, person: str, account: Account, limit: int | None = None) -> None:
        """Available credits go where they are due: to what is owed, then into the freeze of what is disputed."""
        room = min(account.available, account.available if limit is None else limit)
        settled = min(account.owed, room)
        account.owed -= settled
        account.available -= settled
        room -= settled
        for purchase in self.of(person):
            if purchase.is_disputed:
                part = min(purchase.granted - purchase.taken - purchase.frozen, room)
                purchase.frozen += part
                account.freeze(part)
                room -= part

    # What Stripe says

    def pay(self, key: str, account: Account, progress: str, *, is_right: bool = True) -> str:
        """A checkout session: paid, processing, expired, failed; not right: paid, but not what was ordered."""
        purchase = self.purchases[key]
        if progress == "expired" and not purchase.is_attached:
            return "not_ours"  # the note of the session was lost, and nobody paid in it: there is nothing to wait for
        was_paid = purchase.is_paid
        purchase.is_attached = True
        purchase.has_intent |= progress != "expired"
        step = "open" if progress == "paid" else progress
        purchase.progress = max(purchase.progress, step, key=STEPS.index)
        if progress == "paid":
            purchase.is_paid |= is_right
            purchase.is_flagged |= not is_right
        self._apply(purchase, account)
        if progress != "paid":
            return "payment_failed" if purchase.progress == "failed" else purchase.progress
        return ("already_granted" if was_paid else "granted") if is_right else "flagged"

    def give_back(self, key: str, account: Account, name: str, back: Back) -> str:
        """A refund, or a dispute (named dp_…), as Stripe shows it now."""
        purchase = self.purchases[key]
        about, steps = (purchase.disputes, STANDINGS) if name.startswith("dp") else (purchase.refunds, REFUND_STEPS)
        known = about.setdefault(name, back)
        if known is not back and _rank(back, steps) > _rank(known, steps):
            known.standing, known.at = back.standing, back.at
        if not purchase.has_intent:
            return "unknown_payment"
        return "applied" if self._apply(purchase, account) else "no_change"

    def _apply(self, purchase: Purchase, account: Account) -> bool:
        """Bring the credits to what all facts say. Returns whether that changes anything."""
        if not purchase.has_intent and not purchase.is_paid:
            return False
        changed = False
        if purchase.is_paid and not purchase.granted:
            purchase.granted = purchase.credits
            account.available += purchase.credits
            changed = True
        if purchase.granted:
            for _, back in sorted([*purchase.refunds.items(), *purchase.disputes.items()]):
                if back.is_applied != back.counts:
                    back.is_applied = back.counts
                    self._take(purchase, account, purchase.share() - purchase.taken)
                    changed = True
        is_disputed = any(dispute.standing == "open" for dispute in purchase.disputes.values())
        if purchase.is_disputed and not is_disputed:
            self._thaw(purchase, account, purchase.frozen)
        changed |= is_disputed != purchase.is_disputed
        purchase.is_disputed = is_disputed
        if changed:
            self.meet_claims(purchase.person, account)
        return changed

    def _thaw(self, purchase: Purchase, account: Account, credits: int) -> None:
        purchase.frozen -= credits
        account.freeze(-credits)

    def _take(self, purchase: Purchase, account: Account, credits: int) -> None:
        """Take credits back: what is available, then what is frozen, then owed. Negative: they come back."""
        if credits <= 0:
            purchase.taken += credits
            account.available -= credits
            return
        self._thaw(purchase, account, max(0, purchase.frozen - (purchase.granted - purchase.taken - credits)))
        others = [other for other in reversed(self.of(purchase.person)) if other is not purchase]
        for other in [purchase, *others]:
            self._thaw(other, account, min(other.frozen, max(0, credits - account.available)))
        at_hand = min(account.available, credits)
        purchase.taken += credits
        account.available -= at_hand
        account.owed += credits - at_hand


def _rank(back: Back, steps: tuple[str, ...]) -> tuple[bool, int, int]:
    """Which of two reports counts. A decision beats an open dispute whenever it comes; later beats earlier."""
    return back.standing != "open", back.at, steps.index(back.standing)
