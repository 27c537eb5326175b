"""fal.ai's own books against ours: the balance, what each request really cost, and what nobody here asked for.

Everything here needs FAL_ADMIN_KEY and raises FalError when fal.ai gives no usable answer: nothing is lost then, what
was claimed is due again, and the chore that asked is repeated later.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from core.budget import optional_money
from core.database import get_database, money
from core.errors import FalUnavailable
from core.fal.platform import MAX_IDS, BillingEvent
from core.fal_account import get_account
from core.log import get_logger
from core.models import CostSource, JobStatus, Person
from core.periods import Period
from core.rows import moment

log = get_logger(__name__)

ROUNDS = 10  # of MAX_IDS confirmations in one go; more wait for the next minute
CHUNK = 500  # billing events handed to the database at once
SETTLED = timedelta(minutes=10)  # what fal.ai charged longer ago is in its books


@dataclass(frozen=True, slots=True)
class Drift:
    """One endpoint on one day of the team's timezone, USD. Positive drift: fal.ai billed more than we counted."""

    day: date
    endpoint: str
    ours: Decimal
    fal: Decimal
    drift: Decimal
    foreign: Decimal  # how much of fal.ai's side are requests that were not made here
    foreign_requests: int
    read_at: datetime
    until: datetime | None = None  # the day is not over: both sides are those before this moment


@dataclass(frozen=True, slots=True)
class ForeignCharge:
    """A request billed to the account that belongs to no job here."""

    request_id: str
    endpoint: str
    charged_at: datetime
    usd: Decimal
    units: Decimal | None


@dataclass(frozen=True, slots=True)
class UnbilledJob:
    """A job whose cost is counted and for which fal.ai has told no billing event (yet, while one `is_expected`)."""

    job_id: UUID
    ended_at: datetime
    endpoint: str
    request_id: str | None
    status: JobStatus
    usd: Decimal
    cost_source: CostSource
    is_expected: bool


def read_balance() -> dict[str, Any]:
    """Read the account's balance and keep it when it says something new. Returns {balance, recorded}."""
    balance = get_account().billing()
    _in_dollars(balance.currency)
    state = get_database().call("record_fal_balance", p_amount=balance.amount)
    if state["recorded"]:
        log.info("balance_read", balance=balance.amount, remaining=state["remaining"])
    return {"balance": str(balance.amount), "recorded": state["recorded"]}


def confirm_costs() -> dict[str, Any]:
    """Ask for the billing events of ended jobs and make their costs final. Returns {confirmed, waiting}."""
    database = get_database()
    confirmed = waiting = 0
    for _ in range(ROUNDS):
        claimed = database.call("claim_confirmations", p_limit=MAX_IDS)
        if not claimed:
            break
        costs = by_request(get_account().billing_events([row["request_id"] for row in claimed]))
        answers = [{"job": row["job"], **costs.get(row["request_id"], {"usd": None})} for row in claimed]
        found = database.call("record_billing", p_answers=answers)
        confirmed, waiting = confirmed + found["confirmed"], waiting + found["waiting"]
        if len(claimed) < MAX_IDS:
            break
    return {"confirmed": confirmed, "waiting": waiting}


def read_usage() -> dict[str, Any]:
    """Read what fal.ai says the recent days cost, and keep the requests that are not ours. Returns {days, foreign}.

    The present day is read up to a while ago, since fal.ai's events come late.
    """
    database = get_database()
    due = database.call("usage_days_due")
    foreign = 0
    for row in due:
        start = datetime.fromisoformat(row["start"])
        end = min(datetime.fromisoformat(row["end"]), datetime.now(UTC) - SETTLED)
        if end <= start:
            continue  # it is a little past midnight
        lines = get_account().usage(start, end)
        for line in lines:
            _in_dollars(line.currency)
        for events in _chunks(charges(get_account().billed_between(start, end))):
            foreign += database.call("record_foreign_charges", p_events=events)
        usage = [
            {"endpoint_id": line.endpoint_id, "usd": line.cost_total, "quantity": line.quantity, "unit": line.unit}
            for line in lines
        ]
        # Last, for it marks the day as read.
        database.call("record_usage", p_day=row["day"], p_usage=usage, p_until=end.isoformat())
    if foreign:
        log.warning("foreign_charges", requests=foreign)
    return {"days": len(due), "foreign": foreign}


def drift(person: Person, period: Period) -> tuple[Drift, ...]:
    """Our sum against fal.ai's per day and endpoint, newest first, for days that were read. Raises NotAllowed."""
    rows = get_database().call("fal_drift", p_actor=person.user_id, p_from=period.first, p_to=period.last)
    return tuple(
        Drift(
            day=date.fromisoformat(row["day"]),
            endpoint=row["endpoint"],
            ours=money(row["ours"]),
            fal=money(row["fal"]),
            drift=money(row["drift"]),
            foreign=money(row["foreign"]),
            foreign_requests=row["foreign_requests"],
            read_at=moment(row["read_at"]),
            until=moment(row["until"]) if row["until"] else None,
        )
        for row in rows
    )


def foreign_charges(person: Person, period: Period, limit: int = 200) -> tuple[ForeignCharge, ...]:
    """Requests that were billed to the account and not made here, newest first. Raises NotAllowed."""
    rows = get_database().call(
        "foreign_charges", p_actor=person.user_id, p_from=period.first, p_to=period.last, p_limit=limit
    )
    return tuple(
        ForeignCharge(
            request_id=row["request_id"],
            endpoint=row["endpoint"],
            charged_at=moment(row["charged_at"]),
            usd=money(row["usd"]),
            units=optional_money(row["units"]),
        )
        for row in rows
    )


def unbilled_jobs(person: Person, period: Period, limit: int = 200) -> tuple[UnbilledJob, ...]:
    """Jobs that are counted here and not in fal.ai's billing events, newest first. Raises NotAllowed."""
    rows = get_database().call(
        "unbilled_jobs", p_actor=person.user_id, p_from=period.first, p_to=period.last, p_limit=limit
    )
    return tuple(
        UnbilledJob(
            job_id=UUID(row["job_id"]),
            ended_at=moment(row["ended_at"]),
            endpoint=row["endpoint"],
            request_id=row["request_id"],
            status=row["status"],
            usd=money(row["usd"]),
            cost_source=row["cost_source"],
            is_expected=row["is_expected"],
        )
        for row in rows
    )


def by_request(events: Iterable[BillingEvent]) -> dict[str, dict[str, Any]]:
    """What each request cost, as `record_billing` takes it: the sum of its events, charged when the first was; units
    are None when one event does not tell them."""
    return {request_id: _cost(parts) for request_id, parts in _parts(events).items()}


def charges(events: Iterable[BillingEvent]) -> Iterator[dict[str, Any]]:
    """The same as rows that `record_foreign_charges` takes."""
    for request_id, parts in _parts(events).items():
        yield {"request_id": request_id, "endpoint_id": parts[0].endpoint_id, **_cost(parts)}


def _parts(events: Iterable[BillingEvent]) -> dict[str, list[BillingEvent]]:
    """The events of each request. fal.ai's pages are numbered, so a new event lets an old one come twice: once here."""
    found: dict[str, list[BillingEvent]] = defaultdict(list)
    for event in dict.fromkeys(events):
        found[event.request_id].append(event)
    return found


def _cost(parts: Sequence[BillingEvent]) -> dict[str, Any]:
    units = [part.output_units for part in parts if part.output_units is not None]
    return {
        "usd": sum((part.cost_total for part in parts), Decimal(0)),
        "units": sum(units, Decimal(0)) if len(units) == len(parts) else None,
        "charged_at": min(part.charged_at for part in parts).isoformat(),
    }


def _chunks(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _in_dollars(currency: str) -> None:
    if currency != "USD":
        raise FalUnavailable(f"fal.ai tells amounts in {currency}; Atelier keeps its books in USD.")
