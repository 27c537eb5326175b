"""Trying again all failed jobs that a filter finds: first what it will cost, then one new job for each.

The id of each new job follows from the old one's, so pressing twice, in two windows or after a lost answer, makes one.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from core import catalog
from core.database import get_database
from core.errors import InvalidInput, NotFound
from core.jobs import narrowing
from core.log import get_logger
from core.models import Job, JobFilter, Person, Quote
from core.offers import offers
from core.rows import job_of

log = get_logger(__name__)

MOST_AT_ONCE = 200
MOST_COUNTED = 10_000
_OFF = "Its type is switched off at the moment."


@dataclass(frozen=True, slots=True)
class Retry:
    """One failed job, and what its second try would be."""

    job: Job
    new_id: UUID
    inputs: dict[str, Any]
    quote: Quote
    longest_seconds: int


@dataclass(frozen=True, slots=True)
class NotRetried:
    """A failed job that stays as it is, and why."""

    job: Job
    sentence: str


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """What trying again would start, newest first. `beyond` counts what is left out because there is too much of it; no
    further than MOST_COUNTED in all."""

    retries: tuple[Retry, ...]
    impossible: tuple[NotRetried, ...]
    beyond: int

    @property
    def is_uncounted(self) -> bool:
        """Whether there may be more than `beyond` says."""
        return len(self.retries) + len(self.impossible) + self.beyond >= MOST_COUNTED

    @property
    def credits(self) -> int:
        """At the prices of the catalogue."""
        return sum(retry.quote.credits for retry in self.retries)

    @property
    def refused(self) -> int:
        """Those that fal.ai has refused for their content: the same again is likely to be refused again."""
        return sum(retry.job.error_type == "content_policy_violation" for retry in self.retries)

    @property
    def usd(self) -> Decimal:
        return sum((retry.quote.estimated_usd for retry in self.retries), Decimal(0))


@dataclass(frozen=True, slots=True)
class RetryOutcome:
    """`skipped` counts what had been tried again meanwhile, or was not failed any more."""

    made: tuple[UUID, ...]
    skipped: int
    waiting: tuple[NotRetried, ...]


def plan_retries(person: Person, matching: JobFilter) -> RetryPlan:
    """The person's own failed jobs within a filter that nothing has tried again yet. Its status does not matter."""
    found = get_database().call(
        "finished_jobs",
        p_actor=person.user_id,
        p_filter={**narrowing(matching), "status": "failed", "untried": True},
        p_limit=MOST_AT_ONCE,
        p_count_to=MOST_COUNTED,
    )
    rows = found["jobs"]
    retries, impossible = [], []
    for row in rows:
        try:
            retries.append(_retry(row))
        except (InvalidInput, NotFound) as error:
            impossible.append(NotRetried(job_of(row), error.sentence))
    return RetryPlan(tuple(retries), tuple(impossible), found["counted"] - len(rows))


def carry_out(person: Person, plan: RetryPlan) -> RetryOutcome:
    """Make the jobs; the worker sends them. Stops at the first refusal that is about the person: credits, a limit, a
    lock. Asking again makes nothing twice."""
    planned = {str(retry.job.id): retry.job for retry in plan.retries}
    done = get_database().call("retry_jobs", p_user=person.user_id, p_items=[_item(retry) for retry in plan.retries])
    waiting = tuple(NotRetried(planned[row["job"]], row["sentence"]) for row in done["waiting"])
    log.info("jobs_retried", made=len(done["made"]), skipped=len(done["skipped"]), waiting=len(waiting))
    return RetryOutcome(tuple(map(UUID, done["made"])), len(done["skipped"]), waiting)


def _retry(row: dict[str, Any]) -> Retry:
    """Raises InvalidInput, NotFound when the catalogue does not have it like this any more."""
    job = job_of(row)
    offer = offers().get(job.generation_type)
    if offer is None or not offer.enabled:
        raise NotFound(_OFF)
    inputs = catalog.validate(job.generation_type, job.input_params)
    quote = catalog.quote(offer, inputs)
    if offer.type.usage.sized_by:  # how large the result is follows from a picture: the same one as before
        units = Decimal(str(row["estimated_units"]))
        quote = replace(quote, billable_units=units, estimated_usd=units * quote.unit_price_usd)
    return Retry(job, uuid5(job.id, "retry"), inputs, quote, offer.type.longest_seconds)


def _item(retry: Retry) -> dict[str, Any]:
    return {
        "job": retry.job.id,
        "new_job": retry.new_id,
        "input_params": retry.inputs,
        "quantity": retry.quote.quantity,
        "credits": retry.quote.credits,
        "units": retry.quote.billable_units,
        "unit_price_usd": retry.quote.unit_price_usd,
        "longest_seconds": retry.longest_seconds,
    }
