"""What admins see of the running of it: the overview, the webhook inbox, what the last audit of the books found."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.admin import audits
from core.admin.calls import as_admin
from core.budget import budget_of
from core.database import money
from core.models import Budget, Person
from core.rows import moment, when

SEARCH_DAYS = 30


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of the studio now. Days in the team's timezone, money in USD."""

    running: int
    in_line: int
    done_today: int
    failed_today: int
    spent_today: Decimal
    spent_usual: Decimal  # mean of the days of the last two weeks on which anything was spent
    budget: Budget  # the team's
    worker_beat_at: datetime | None
    fal_unwell_since: datetime | None
    fal_last_error: str | None
    inbox: dict[str, int]  # events by status
    stuck: int = 0
    failed_last_hour: int = 0
    spent_month: Decimal = Decimal(0)
    people_waiting: int = 0
    payments_flagged: int = 0  # that wait for a decision
    audited_at: datetime | None = None
    violations: int | None = None  # of the last audit; None before the first
    fal_lock_reason: str | None = None


@dataclass(frozen=True, slots=True)
class InboxEvent:
    """One verified call in the inbox."""

    id: int
    received_at: datetime
    provider: str
    event_type: str
    status: str
    result: str | None
    attempts: int
    repeats: int
    error: str | None
    job_id: str | None
    prompt: str | None


@dataclass(frozen=True, slots=True)
class InboxDetail:
    """An event with what was sent: the headers that the signature vouches for, and the payload as JSON."""

    event: InboxEvent
    event_key: str
    headers: dict[str, Any]
    payload: Any
    processed_at: datetime | None
    job_status: str | None


def overview(person: Person) -> Overview:
    """The figures on top of the admin page. Raises NotAllowed."""
    state = as_admin(person, "admin_overview")
    audit = state["audit"]
    return Overview(
        running=state["running"],
        in_line=state["in_line"],
        done_today=state["done_today"],
        failed_today=state["failed_today"],
        spent_today=money(state["spent_today"]),
        spent_usual=money(state["spent_usual"]),
        budget=budget_of(state["budget"]),
        worker_beat_at=when(state["worker_beat_at"]),
        fal_unwell_since=when(state["fal"]["unwell_since"]),
        fal_last_error=state["fal"]["last_error"],
        inbox=state["inbox"],
        stuck=state["stuck"],
        failed_last_hour=state["failed_last_hour"],
        spent_month=money(state["spent_month"]),
        people_waiting=state["people_waiting"],
        payments_flagged=state["payments_flagged"],
        audited_at=when(audit["ended_at"]) if audit else None,
        violations=audit["violation_count"] if audit else None,
        fal_lock_reason=state["fal"]["locked_reason"],
    )


def inbox(
    person: Person,
    *,
    status: str | None = None,
    provider: str | None = None,
    text: str = "",
    before: int | None = None,
    limit: int = 50,
) -> tuple[InboxEvent, ...]:
    """The newest calls, optionally of one status or provider, or with a text in key, result, error, job or prompt; a
    text is looked for in the calls of the last SEARCH_DAYS.

    `before` is the id of the last event of the page before. Raises NotAllowed.
    """
    rows = as_admin(
        person,
        "inbox_events",
        p_status=status,
        p_provider=provider,
        p_search=text,
        p_before=before,
        p_limit=limit,
        p_search_days=SEARCH_DAYS,
    )
    return tuple(_event(row) for row in rows)


def event(person: Person, event_id: int) -> InboxDetail:
    """One call with its payload. Raises NotAllowed, NotFound."""
    row = as_admin(person, "inbox_event", p_event=event_id)
    return InboxDetail(
        event=_event(row),
        event_key=row["event_key"],
        headers=row["headers"],
        payload=row["payload"],
        processed_at=when(row["processed_at"]),
        job_status=row["job_status"],
    )


def audit(person: Person) -> tuple[str, ...]:
    """What the last audit found, each violation as a sentence; empty when the books were in balance.

    Audits now when that was never done. Raises NotAllowed.
    """
    found = audits.last(person) or audits.run(person)
    return tuple(f"{each.rule}: {each.subject}: {each.problem}" for each in found.violations)


def _event(row: dict[str, Any]) -> InboxEvent:
    return InboxEvent(
        id=row["id"],
        received_at=moment(row["received_at"]),
        provider=row["provider"],
        event_type=row["event_type"],
        status=row["status"],
        result=row["result"],
        attempts=row["attempts"],
        repeats=row["repeats"],
        error=row["error"],
        job_id=row["job_id"],
        prompt=row["prompt"],
    )
