"""People, their credits and their jobs, by the rules of the design: each deed changes this world and names its outcome.

An outcome is the code of the refusal, the word that the function answers with, or `done`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from tests.database.model.payments import Account, Payments

PRICE = Decimal("0.003")  # USD a unit; one credit and one unit a batch
MOST_OPEN = 4  # jobs of one person
MOST_TRIES = 3  # of a call whose effect fails
ENDED = ("completed", "failed", "cancelled")
DONE = "done"


@dataclass
class Person:
    account: Account = field(default_factory=Account)
    cap: Decimal | None = None
    is_active: bool = True
    is_unmetered: bool = False


@dataclass
class Job:
    person: str
    quantity: int
    credits: int
    status: str = "pending"
    is_begun: bool = False  # fal.ai may have it
    is_known: bool = False  # so does its request id
    is_unwanted: bool = False  # somebody asked for its end
    is_automatic: bool = False
    is_late: bool = False
    retried_as: str | None = None
    spent: Decimal = Decimal(0)
    cost: str = "estimated"
    actual: Decimal | None = None
    counts: bool = True  # in what the team has spent since its balance was entered

    @property
    def is_open(self) -> bool:
        return self.status not in ENDED

    @property
    def estimate(self) -> Decimal:
        return self.quantity * PRICE


@dataclass
class Verdict:
    outcome: str
    billable: bool = False
    units: int | None = None
    retryable: bool = False


@dataclass
class World:
    people: dict[str, Person] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    payments: Payments = field(default_factory=Payments)
    calls: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)  # of fal.ai: status and tries
    keys: dict[str, tuple[str, int]] = field(default_factory=dict)  # of grants and waivers: to whom, how many
    balance: Decimal | None = None
    blocks_at_zero: bool = False
    is_locked: bool = False

    def jobs_of(self, person: str | None = None) -> Iterator[Job]:
        return (job for job in self.jobs.values() if person is None or job.person == person)

    def account_of(self, job: Job) -> Account:
        return self.people[job.person].account

    # The life of a job

    def create(self, key: str, name: str, quantity: int, retried: str | None = None, automatic: bool = False) -> str:
        if key in self.jobs:
            return DONE if self.jobs[key].person == name else "NOT_FOUND"
        person = self.people[name]
        if not person.is_active:
            return "NOT_ACTIVE"
        if self.is_locked:
            return "ACCOUNT_LOCKED"
        if retried is not None and (retried not in self.jobs or self.jobs[retried].person != name):
            return "NOT_FOUND"
        job = Job(name, quantity, 0 if person.is_unmetered else quantity, is_automatic=automatic)
        refusal = self._limit(person, job)
        if refusal:
            return refusal
        if not person.account.hold(job.credits):
            return "INSUFFICIENT_CREDITS"
        self.jobs[key] = job
        if retried is not None:
            self.jobs[retried].retried_as = key
        return DONE

    def retry_many(self, name: str, wanted: dict[str, str]) -> str:
        """Failed jobs by the names of their second tries. The first refusal stops it."""
        made, skipped, waiting = 0, 0, list[str]()
        for key, again in wanted.items():
            job = self.jobs.get(key)
            if job and job.person == name and job.retried_as == again:
                made += 1
            elif not job or job.person != name or job.status != "failed" or job.is_late or job.retried_as:
                skipped += 1
            elif waiting:
                waiting.append(waiting[0])
            else:
                refusal = self.create(again, name, job.quantity, key)
                made += refusal == DONE
                waiting += [] if refusal == DONE else [refusal]
        return f"made {made}, skipped {skipped}, waiting {waiting}"

    def _limit(self, person: Person, job: Job) -> str | None:
        own = list(self.jobs_of(job.person))
        if sum(other.is_open for other in own) >= MOST_OPEN:
            return "TOO_MANY_OPEN_JOBS"
        if person.cap is not None and job.estimate > person.cap - taken(own):
            return "MONTHLY_CAP"
        if self.blocks_at_zero and self.balance is not None:
            counted = [other for other in self.jobs_of() if other.is_open or other.counts]
            if job.estimate > self.balance - taken(counted):
                return "TEAM_BUDGET"
        return None

    def begin(self, key: str) -> str:
        job = self.jobs[key]
        if job.status != "pending" or job.is_begun or job.is_unwanted:
            return "no right"
        job.is_begun = True
        return "right"

    def accept(self, key: str) -> str:
        job = self.jobs[key]
        if not job.is_known:
            self._know(job)
            self.is_locked = False
        return DONE

    def find(self, key: str) -> str:
        """The worker finds it in fal.ai's own list."""
        job = self.jobs[key]
        if job.status == "pending" and job.is_begun and not job.is_known:
            self._know(job)
        return DONE

    def _know(self, job: Job) -> None:
        job.is_known = True
        if job.status == "pending":
            job.status = "submitted"

    def unsent(self, key: str) -> str:
        job = self.jobs[key]
        if job.status == "pending" and job.is_begun and not job.is_known:
            job.is_begun = False
            if job.is_unwanted:
                self.settle(key, Verdict("cancelled"))
        return DONE

    def progress(self, key: str, state: str) -> str:
        job = self.jobs[key]
        if job.is_open and job.is_known and state == "running":
            job.status = "in_progress"
        return DONE

    def cancel(self, key: str, name: str) -> str:
        job = self.jobs[key]
        if job.person != name:
            return "NOT_FOUND"
        if job.status == "pending" and not job.is_begun:
            self.settle(key, Verdict("cancelled"))
        elif job.is_open:
            job.is_unwanted = True
        return DONE

    def give_up(self, key: str) -> str:
        """An admin does."""
        job = self.jobs[key]
        if not job.is_open:
            return "ALREADY_ENDED"
        self.settle(key, Verdict("failed", billable=job.is_known))
        return DONE

    # The end of a job, by whichever road

    def settle(self, key: str, verdict: Verdict) -> str:
        job = self.jobs[key]
        usd = verdict.units * PRICE if verdict.units is not None else job.estimate
        usd = usd if verdict.billable else Decimal(0)
        metered = verdict.billable and verdict.units is not None
        if not job.is_open:
            return self._settle_late(job, verdict, usd, metered)
        job.status, job.spent = verdict.outcome, usd
        job.cost, job.actual = (
            ("metered" if metered else "estimated"),
            (usd if metered or not verdict.billable else None),
        )
        job.counts = True
        if job.status == "completed":
            self.account_of(job).capture(job.credits)
        else:
            self.account_of(job).release(job.credits)
            self.payments.meet_claims(job.person, self.account_of(job), job.credits)
        may_retry = not (verdict.billable or job.is_automatic or job.is_unwanted)
        if job.status == "failed" and verdict.retryable and may_retry:
            self.create(retry_of(key), job.person, job.quantity, key, automatic=True)
        return "settled"

    def _settle_late(self, job: Job, verdict: Verdict, usd: Decimal, metered: bool) -> str:
        delivered = verdict.outcome == "completed" != job.status and not job.is_late
        better = verdict.billable and job.cost == "estimated" and (metered or job.spent == 0)
        change = usd - job.spent if better else Decimal(0)
        if not delivered and (change == 0 or job.status == "completed"):
            return "already_settled"
        job.is_late |= delivered
        job.spent += change
        if better:
            job.actual = usd if metered else None
            job.cost = "metered" if metered else job.cost
        return "delivered_late" if delivered else "billed_late"

    def record_cost(self, key: str, usd: Decimal, source: str) -> str:
        job = self.jobs[key]
        if job.is_open:
            return "NOT_ENDED"
        if job.cost != "confirmed" and (job.cost, job.actual) != (source, usd):
            job.spent = job.actual = usd
            job.cost = source
        return DONE

    # Calls of fal.ai

    def call(self, key: str, kind: str, verdict: Verdict | None, *, is_sound: bool = True) -> str:
        """`verdict` None: the result did not fit into the call. Not sound: nothing can follow from what it says."""
        job = self.jobs[key]
        status, tries = self.calls.get((key, kind), ("new", 0))
        if not job.is_known and not job.is_begun:
            return "never_sent"
        if status in ("processed", "dead"):
            return "repeat" if status == "processed" else "dead"
        if not is_sound:
            status = "dead" if tries + 1 >= MOST_TRIES else "failed"
            self.calls[key, kind] = status, tries + 1
            return status
        self._know(job)
        self.calls[key, kind] = "processed", tries + 1
        return self.settle(key, verdict) if verdict else "to_fetch"

    def replay(self, key: str, kind: str, verdict: Verdict) -> str:
        """An admin applies a stored call again."""
        job = self.jobs[key]
        status, tries = self.calls[key, kind]
        if status == "processed":
            return "ALREADY_PROCESSED"
        if not job.is_known and not job.is_begun:
            self.calls[key, kind] = status, tries + 1
            return status
        self._know(job)
        self.settle(key, verdict)
        self.calls[key, kind] = "processed", tries + 1
        return "processed"

    # What admins do with credits and limits

    def grant(self, name: str, amount: int, key: str) -> str:
        account = self.people[name].account
        if key in self.keys:
            return DONE if self.keys[key] == (name, amount) else "KEY_REUSED"
        if account.available + amount < 0:
            return "INSUFFICIENT_CREDITS"
        account.available += amount
        self.keys[key] = name, amount
        return DONE

    def waive(self, name: str, amount: int, key: str) -> str:
        account = self.people[name].account
        if key not in self.keys:
            if amount > account.owed:
                return "INVALID_INPUT"
            account.owed -= amount
            self.keys[key] = name, amount
        return DONE

    def enter_balance(self, amount: Decimal | None) -> str:
        self.balance = amount
        for job in self.jobs_of():
            job.counts = False
        return DONE


def taken(jobs: list[Job]) -> Decimal:
    """USD that jobs have cost or are expected to."""
    return sum((job.estimate if job.is_open else job.spent for job in jobs), Decimal(0))


def retry_of(key: str) -> str:
    """The name of the job that a failed one was repeated as, by itself."""
    return f"{key} again"
