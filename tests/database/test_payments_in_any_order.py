"""Stripe tells things in any order and more than once, pages and workers look in between, jobs end meanwhile: the books
at the end are the same.

The oracle knows nothing of entries: it adds up what was bought, what went back and what was used. Where it would have
to repeat the rules (states, flags, what an order says), two people live through the same in two orders, and are alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.database.books import Row, cancelled, completed, opened
from tests.database.payments import NOON, PACKS, Order, Shop, event, new_id

REFUND_LIVES = (
    ("succeeded",),
    ("pending", "succeeded"),
    ("pending", "failed"),
    ("pending", "canceled"),
    ("succeeded", "failed"),
)
DISPUTE_LIVES = (
    ("needs_response",),
    ("warning_needs_response", "warning_closed"),
    ("needs_response", "under_review", "won"),
    ("needs_response", "under_review", "lost"),
    ("needs_response", "lost", "appeal_under_review", "won"),
)
GONE = {"lost", "appeal_under_review"}
DECIDED = {*GONE, "won", "warning_closed"}
CHECKOUTS = ("paid", "paid", "paid", "paid_later", "declined_later", "expired", "wrong_amount", "wrong_pack")


@dataclass(frozen=True)
class Return:
    """Money that goes back: how much, and the states that it passes through."""

    cents: int
    life: tuple[str, ...]


@dataclass(frozen=True)
class Story:
    """What happens to one purchase."""

    pack: str
    checkout: str
    refunds: tuple[Return, ...] = ()
    disputes: tuple[Return, ...] = ()
    is_odd: bool = False

    @property
    def is_granted(self) -> bool:
        return self.checkout in ("paid", "paid_later")

    @property
    def taken(self) -> int:
        """Credits that belong to the money that went back, in proportion."""
        credits, cents = PACKS[self.pack]
        gone = sum(refund.cents for refund in self.refunds if refund.life[-1] not in ("failed", "canceled"))
        gone += sum(dispute.cents for dispute in self.disputes if dispute.life[-1] in GONE)
        share = Decimal(credits) * min(gone, cents) / cents
        return int(share.quantize(Decimal(1), rounding=ROUND_HALF_UP)) if self.is_granted else 0

    @property
    def is_disputed(self) -> bool:
        return any(dispute.life[-1] not in DECIDED for dispute in self.disputes)

    def checkout_events(self, order: Order) -> list[Row]:
        done, expired = "checkout.session.completed", "checkout.session.expired"
        waiting = event(done, order.session(payment_status="unpaid"))
        return {
            "paid": [event(done, order.session())],
            "paid_later": [waiting, event("checkout.session.async_payment_succeeded", order.session())],
            "declined_later": [
                waiting,
                event("checkout.session.async_payment_failed", order.session(payment_status="unpaid")),
            ],
            "expired": [event(expired, order.session(status="expired", payment_status="unpaid"))],
            "wrong_amount": [event(done, order.session(amount_total=order.cents - 1))],
            "wrong_pack": [event(done, order.session(metadata={"pack": "credits_7"}))],
        }[self.checkout]

    def looks(self, order: Order) -> list[Row]:
        """The session as Stripe's API shows it at one moment or another: what a page or a worker may see."""
        opened = order.session("open", "unpaid")

        def waiting(payment: str) -> Row:
            return order.session(payment_status="unpaid", payment_intent={"id": order.intent_id, "status": payment})

        return {
            "paid": [opened, order.session()],
            "paid_later": [opened, waiting("processing"), order.session()],
            "declined_later": [opened, waiting("processing"), waiting("requires_payment_method")],
            "expired": [opened, order.session(status="expired", payment_status="unpaid")],
            "wrong_amount": [opened, order.session(amount_total=order.cents - 1)],
            "wrong_pack": [opened, order.session(metadata={"pack": "credits_7"})],
        }[self.checkout]

    def foreign_events(self, order: Order) -> list[Row]:
        """What is about this order and is not to move its credits: money back in dollars, a second session."""
        if not self.is_odd:
            return []
        other = Order(order.user, order.pack, id=order.id)
        dollars = order.refund(100, currency="usd", id=new_id("re"))
        second = event("checkout.session.expired", other.session("expired", "unpaid"))
        return [event("refund.created", dollars), second]

    def later_events(self, order: Order) -> list[Row]:
        told = []
        for refund in self.refunds:
            about = order.refund(refund.cents, id=new_id("re"))
            names = ("refund.created", "refund.failed" if refund.life[-1] == "failed" else "refund.updated")
            told += [event(name, about | {"status": status}) for name, status in zip(names, refund.life, strict=False)]
        for dispute in self.disputes:
            about = order.dispute(cents=dispute.cents, id=new_id("dp"))
            for step, status in enumerate(dispute.life):
                name = "created" if step == 0 else "closed" if status in DECIDED else "updated"
                told.append(event(f"charge.dispute.{name}", about | {"status": status}, NOON + step))
        return told


@dataclass
class Oracle:
    """What a person must have in the end."""

    gifts: int
    used: int
    held: int = 0
    stories: list[Story] = field(default_factory=list)

    @property
    def account(self) -> tuple[int, int, int, int]:
        """Available, held, frozen, owed."""
        granted = [story for story in self.stories if story.is_granted]
        bought = sum(PACKS[story.pack][0] - story.taken for story in granted)
        left = self.gifts + bought - self.used - self.held
        contested = sum(PACKS[story.pack][0] - story.taken for story in granted if story.is_disputed)
        frozen = min(contested, max(left, 0))
        return max(left, 0) - frozen, self.held, frozen, max(-left, 0)


@st.composite
def stories(draw: st.DrawFn, *, checkouts: tuple[str, ...] = CHECKOUTS) -> Story:
    pack = draw(st.sampled_from(sorted(PACKS)))
    cents = PACKS[pack][1]

    def returns(lives: tuple[tuple[str, ...], ...], most: int) -> tuple[Return, ...]:
        amount = st.one_of(st.just(cents), st.integers(1, cents))
        return tuple(draw(st.lists(st.builds(Return, amount, st.sampled_from(lives)), max_size=most)))

    checkout = draw(st.sampled_from(checkouts))
    return Story(pack, checkout, returns(REFUND_LIVES, 3), returns(DISPUTE_LIVES, 2), draw(st.booleans()))


@pytest.fixture(scope="module")
def shared_shop(shared_database_url: str) -> Iterator[Shop]:
    """One shop for all examples: each has a person of its own."""
    with opened(shared_database_url) as books:
        yield Shop(books)


@dataclass(frozen=True)
class Step:
    """One thing that happens: an event of Stripe, a look at Stripe, or the end of a job."""

    event: Row | None = None
    look: Row | None = None
    job: tuple[UUID, Row] | None = None

    def happen(self, shop: Shop, source: str) -> None:
        if self.look is not None:
            shop.books.call("fulfil_checkout", p_session=self.look, p_source=source)
        if self.job is not None:
            shop.books.settle(*self.job)


def steps_of(told: list[Story], orders: list[Order], data: st.DataObject) -> list[Step]:
    """Everything that happens to these orders: every event, and some looks."""
    steps = []
    for story, order in zip(told, orders, strict=True):
        events = story.checkout_events(order) + story.later_events(order) + story.foreign_events(order)
        steps += [Step(event=each) for each in events]
        seen = data.draw(st.lists(st.sampled_from(story.looks(order)), max_size=2), label="looks")
        steps += [Step(look=each) for each in seen]
    return steps


def live(shop: Shop, steps: list[Step], data: st.DataObject) -> None:
    """Every step at least once, some again, in any order, events alone or in batches."""
    repeats = data.draw(st.lists(st.sampled_from(steps), max_size=4), label="repeats") if steps else []
    order = data.draw(st.permutations([*steps, *repeats]), label="order")
    most = data.draw(st.integers(1, 4), label="batch")
    batch: dict[str, Row] = {}
    for step in [*order, Step()]:
        if batch and (step.event is None or len(batch) >= most):
            results: Any = shop.deliver(*batch.values())
            assert "failed" not in (results.values() if isinstance(results, dict) else [results])
            batch = {}
        if step.event is not None:
            batch[step.event["id"]] = step.event
        else:
            step.happen(shop, data.draw(st.sampled_from(("page", "worker")), label="source"))


def granted_once(shop: Shop, user: UUID, told: list[Story]) -> None:
    grants = [amount for kind, amount in shop.moves(user) if kind == "purchase"]
    assert sorted(grants) == sorted(PACKS[story.pack][0] for story in told if story.is_granted)


PATIENT = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@PATIENT
@given(told=st.lists(stories(), min_size=1, max_size=3), gifts=st.integers(0, 50), data=st.data())
def test_everything_at_once_in_any_order(shared_shop: Shop, told: list[Story], gifts: int, data: st.DataObject) -> None:
    user = shared_shop.person(gifts)
    orders = [shared_shop.order(user, story.pack, attach=data.draw(st.booleans())) for story in told]
    live(shared_shop, steps_of(told, orders, data), data)
    assert shared_shop.account(user) == Oracle(gifts, 0, stories=told).account
    granted_once(shared_shop, user, told)
    assert shared_shop.audit() == []


@PATIENT
@given(
    before=st.lists(stories(checkouts=("paid",)), min_size=1, max_size=2),
    after=st.lists(stories(), max_size=2),
    gifts=st.integers(0, 50),
    data=st.data(),
)
def test_after_credits_were_used_in_any_order(
    shared_shop: Shop, before: list[Story], after: list[Story], gifts: int, data: st.DataObject
) -> None:
    """Some credits are bought, used and set aside; then money goes back while jobs end and more is bought."""
    user = shared_shop.person(gifts)
    first = [shared_shop.bought(user, story.pack) for story in before]
    there = gifts + sum(order.credits for order in first)
    used = data.draw(st.integers(0, there), label="used")
    shared_shop.use(user, used)
    left, held, ending = there - used, 0, []
    for outcome in data.draw(st.lists(st.sampled_from(("runs", "done", "cancelled")), max_size=3), label="jobs"):
        credits = data.draw(st.integers(0, left), label="credits")
        if not credits:
            continue
        left -= credits
        job = shared_shop.books.submitted(user, quantity=credits)
        if outcome != "runs":
            ending.append(Step(job=(job, completed() if outcome == "done" else cancelled())))
        if outcome == "done":
            used += credits
        elif outcome == "runs":
            held += credits
    second = [shared_shop.order(user, story.pack) for story in after]
    events = [told for story, order in zip(before, first, strict=True) for told in story.later_events(order)]
    live(shared_shop, [*(Step(event=e) for e in events), *ending, *steps_of(after, second, data)], data)
    assert shared_shop.account(user) == Oracle(gifts, used, held, [*before, *after]).account
    granted_once(shared_shop, user, [*before, *after])
    assert shared_shop.audit() == []


FACTS = (
    "pack, status, checkout_progress, flagged_reason, refunded_cents, lost_cents, is_disputed, granted_credits,"
    " taken_credits, frozen_credits, paid_at is not null as paid, payment_intent_id is not null as known"
)


@PATIENT
@given(told=st.lists(stories(), min_size=1, max_size=3), data=st.data())
def test_two_people_who_live_through_the_same_have_the_same_books(
    shared_shop: Shop, told: list[Story], data: st.DataObject
) -> None:
    books = []
    for _ in range(2):
        user = shared_shop.person(10)
        orders = [shared_shop.order(user, story.pack) for story in told]
        live(shared_shop, steps_of(told, orders, data), data)
        rows = [shared_shop.books.one(f"select {FACTS} from credit_purchases where id = %s", o.id) for o in orders]
        returned = shared_shop.books.all(
            "select amount_cents, currency, status, is_applied from payment_refunds where user_id = %s"
            " union all select amount_cents, currency, standing, is_applied from payment_disputes where user_id = %s"
            " order by 1, 2, 3, 4",
            user,
            user,
        )
        books.append((rows, returned, shared_shop.account(user)))
    assert books[0] == books[1]
