"""Any life of many jobs: after each step the books are what a few lines of Python say, and the audit is empty."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.database.books import Books, cancelled, code_of, completed, creation, event, failed

PRICE = Decimal("0.003")
CREDITS = 8  # of the one person who works here, small enough to run out
ENDED = ("completed", "failed", "cancelled")
OUTCOMES = st.sampled_from(ENDED)
WHICH = st.integers(0, 50)


@dataclass
class Life:
    """What a job is by now, by the rules of the design."""

    id: UUID
    credits: int
    status: str = "pending"
    begun: bool = False  # may be at fal.ai
    known: bool = False  # its request is known
    late: bool = False
    spent: Decimal = Decimal(0)
    confirmed: bool = False
    metered: bool = False

    @property
    def is_open(self) -> bool:
        return self.status not in ENDED

    @property
    def estimate(self) -> Decimal:
        return self.credits * PRICE

    def end(self, outcome: str, billable: bool) -> bool:
        """A verdict arrives. Returns whether it changes anything."""
        if self.is_open:
            self.status = outcome
            self.spent = self.estimate if billable else Decimal(0)
            return True
        if outcome == "completed" != self.status and not self.late:
            self.late = True
            if not (self.confirmed or self.metered):
                self.spent = max(self.spent, self.estimate)
            return True
        return False


class LivesOfJobs(RuleBasedStateMachine):
    def __init__(self, books: Books) -> None:
        super().__init__()
        self.books = books
        self.lives: list[Life] = []

    @initialize()
    def begin(self) -> None:
        self.user = self.books.person(CREDITS)

    def available(self) -> int:
        charged = sum(life.credits for life in self.lives if life.status == "completed")
        return CREDITS - charged - self.held()

    def held(self) -> int:
        return sum(life.credits for life in self.lives if life.is_open)

    def pick(self, which: int) -> Life:
        return self.lives[which % len(self.lives)]

    @rule(quantity=st.integers(1, 3), twice=st.booleans())
    def create(self, quantity: int, twice: bool) -> None:
        arguments = creation(self.user, quantity=quantity, units=Decimal(quantity))
        fits = quantity <= self.available()
        results = [self.books.race(("create_job", arguments))[0] for _ in range(1 + twice)]
        assert {code_of(result) for result in results} == {None if fits else "INSUFFICIENT_CREDITS"}
        if fits:
            self.lives.append(Life(arguments["p_job"], quantity))

    @precondition(lambda self: self.lives)
    @rule(which=WHICH, answer=st.sampled_from(["accepted", "unclear", "unsent", "refused"]))
    def submit(self, which: int, answer: str) -> None:
        life = self.pick(which)
        right = self.books.begin(life.id)
        assert (right is not None) == (life.status == "pending" and not life.begun)
        if right is None:
            return
        life.begun = True
        if answer == "accepted":
            self.books.accept(life.id)
            life.known, life.status = True, "submitted"
        elif answer == "unclear":
            self.books.call("record_unclear", p_job=life.id, p_message="?", p_check_seconds=15)
        elif answer == "unsent":
            self.books.call("record_unsent", p_job=life.id, p_message="Later.", p_check_seconds=3)
            life.begun = False
        else:
            self.books.settle(life.id, failed("invalid_input"), "submit")
            life.end("failed", billable=False)

    @precondition(lambda self: self.lives)
    @rule(which=WHICH, state=st.sampled_from(["queued", "running", "unknown"]))
    def progress(self, which: int, state: str) -> None:
        life = self.pick(which)
        self.books.call("record_progress", p_updates=[{"job": str(life.id), "state": state, "check_seconds": 5}])
        if life.is_open and life.known and state == "running":
            life.status = "in_progress"

    @precondition(lambda self: any(life.begun for life in self.lives))
    @rule(which=WHICH, outcome=OUTCOMES, times=st.integers(1, 3))
    def webhook(self, which: int, outcome: str, times: int) -> None:
        life = self.pick(which)
        results = [self.books.deliver(event(life.id, verdict(outcome))) for _ in range(times)]
        if not life.begun and not life.known:
            assert set(results) == {"never_sent"}
            return
        life.known = True
        was_open = life.is_open
        changed = life.end(outcome, billable=outcome == "completed")
        if changed:
            assert results[0] == ("settled" if was_open else "delivered_late")
        assert set(results[changed:]) <= {"repeat", "already_settled"}

    @precondition(lambda self: self.lives)
    @rule(which=WHICH, outcome=OUTCOMES, billable=st.booleans())
    def poll(self, which: int, outcome: str, billable: bool) -> None:
        life = self.pick(which)
        if not life.known:
            return
        if not life.is_open and outcome != "completed":
            billable = False
        billable = billable or outcome == "completed"
        told = self.books.settle(life.id, verdict(outcome, billable=billable))
        assert told["applied"] == life.end(outcome, billable)

    @precondition(lambda self: self.lives)
    @rule(which=WHICH)
    def give_up(self, which: int) -> None:
        life = self.pick(which)
        if life.begun and not life.known and life.is_open:
            self.books.give_up(life.id)
            life.end("failed", billable=False)

    @precondition(lambda self: self.lives)
    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        life = self.pick(which)
        if life.begun and life.is_open and not life.known:
            return  # while it is being sent: see test_submit
        told = self.books.call("request_cancel", p_user=self.user, p_job=life.id)
        if life.is_open and not life.begun:
            life.end("cancelled", billable=False)
        assert told["status"] == life.status

    @precondition(lambda self: any(not life.is_open for life in self.lives))
    @rule(
        which=WHICH,
        usd=st.decimals("0", "3", places=6),
        source=st.sampled_from(["metered", "confirmed"]),
        late=st.booleans(),
    )
    def cost(self, which: int, usd: Decimal, source: str, late: bool) -> None:
        life = self.pick(which)
        if life.is_open:
            return
        if late:
            days = timedelta(days=3)
            self.books.owner.execute(
                "update generation_jobs set billed_at = billed_at - %s where id = %s", (days, life.id)
            )
        self.books.cost(life.id, str(usd), source)
        if not life.confirmed:
            life.spent = usd
            life.confirmed, life.metered = source == "confirmed", source == "metered"

    @invariant()
    def the_books_agree(self) -> None:
        if not hasattr(self, "user"):
            return
        assert self.books.audit() == []
        assert self.books.balance(self.user) == (self.available(), self.held())
        rows = {row["id"]: row for row in self.books.all("select * from generation_jobs where user_id = %s", self.user)}
        assert set(rows) == {life.id for life in self.lives}
        for life in self.lives:
            row = rows[life.id]
            assert (row["status"], row["spent_usd"], row["is_late"]) == (life.status, life.spent, life.late)
            assert self.books.moves(life.id) == ["hold"] + (
                [] if life.is_open else ["capture" if life.status == "completed" else "release"]
            )
            assert row["credits_charged"] == (life.credits if life.status == "completed" else 0)
        assert self.books.spent(self.user) == sum((life.spent for life in self.lives), Decimal(0))


def verdict(outcome: str, *, billable: bool = False) -> dict[str, Any]:
    made = {"completed": completed, "failed": failed, "cancelled": cancelled}[outcome]()
    return made | {"billable": billable or outcome == "completed"}


def test_any_life_of_many_jobs_leaves_the_books_in_balance(books: Books) -> None:
    class Lives(LivesOfJobs):
        def __init__(self) -> None:
            super().__init__(books)

    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
