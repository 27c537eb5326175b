"""A person's credits: how they stand, and the ledger in two forms, as lines to read and as entries to keep."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from core.database import fetch, get_database
from core.models import CreditEntry, Person
from core.rows import moment, when

Group = Literal["all", "jobs", "purchases", "admins"]
# Every kind of entry is in exactly one group.
GROUPS: Final[dict[Group, tuple[str, ...]]] = {
    "jobs": ("hold", "capture", "release"),
    "purchases": ("purchase", "refund", "chargeback", "reversal", "settlement", "freeze", "unfreeze"),
    "admins": ("welcome", "grant", "adjustment", "waiver"),
}
_FILE_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Standing:
    """A person's account at this moment.

    `held` is set aside for running jobs, `owed` went back after it was used, `frozen` is kept back during a dispute.
    """

    available: int
    held: int
    owed: int
    frozen: int
    used_this_month: int  # charged since the first, in the team's timezone


@dataclass(frozen=True, slots=True)
class CreditLine:
    """One story of the ledger: a job from setting aside to its end, or a single entry.

    `balance` counts what is set aside; `change` is how this line moved it, 0 for a job that runs or was returned.
    """

    id: int
    at: datetime
    kind: str  # of the last entry; hold is a job that runs
    amount: int
    change: int
    balance: int
    available_after: int
    held_after: int
    frozen_after: int
    owed_after: int
    owed_change: int
    reason: str | None
    job_id: UUID | None
    set_aside_at: datetime | None
    prompt: str | None
    generation_type: str | None
    job_status: str | None
    purchase_id: UUID | None
    has_receipt: bool


def standing(person: Person) -> Standing:
    """How a person's account stands now. Raises DatabaseError."""
    state = get_database().call("credit_standing", p_actor=person.user_id)
    return Standing(**state) if state else Standing(0, 0, 0, 0, 0)


def lines(
    person: Person,
    *,
    group: Group = "all",
    since: datetime | None = None,
    before: int | None = None,
    page_size: int = 20,
) -> tuple[tuple[CreditLine, ...], int | None]:
    """One page of a person's own lines, newest first, and the `before` of the next page; None when this is the last."""
    rows = get_database().call(
        "credit_history",
        p_actor=person.user_id,
        p_kinds=None if group == "all" else GROUPS[group],
        p_since=since.isoformat() if since is not None else None,
        p_before=before,
        p_limit=page_size + 1,
    )
    found = tuple(_line(row) for row in rows[:page_size])
    return found, found[-1].id if len(rows) > page_size else None


def entries(person: Person, *, group: Group = "all", since: datetime | None = None) -> Iterator[CreditEntry]:
    """Every entry of a person's own ledger, newest first, as the books have it."""
    columns = "*,generation_jobs(prompt)"
    last: int | None = None
    while True:
        query: Any = get_database().rows_of(person.access_token).from_("credit_entries").select(columns)
        query = query.eq("user_id", str(person.user_id))
        if last is not None:
            query = query.lt("id", last)
        query = _filtered(query, group, since).order("id", desc=True).limit(_FILE_PAGE)
        rows = fetch(query, "credit_entries")
        yield from map(_entry, rows)
        if len(rows) < _FILE_PAGE:
            return
        last = rows[-1]["id"]


def _filtered(query: Any, group: Group, since: datetime | None) -> Any:
    if group != "all":
        query = query.in_("kind", GROUPS[group])
    return query.gte("created_at", since.isoformat()) if since is not None else query


def _line(row: dict[str, Any]) -> CreditLine:
    return CreditLine(
        id=row["id"],
        at=moment(row["created_at"]),
        kind=row["kind"],
        amount=row["amount"],
        change=row["change"],
        balance=row["balance"],
        available_after=row["available_after"],
        held_after=row["held_after"],
        frozen_after=row["frozen_after"],
        owed_after=row["owed_after"],
        owed_change=row["owed_change"],
        reason=row["reason"],
        job_id=_uuid(row["job_id"]),
        set_aside_at=when(row["set_aside_at"]),
        prompt=row["prompt"],
        generation_type=row["generation_type"],
        job_status=row["job_status"],
        purchase_id=_uuid(row["purchase_id"]),
        has_receipt=bool(row["has_receipt"]),
    )


def _entry(row: dict[str, Any]) -> CreditEntry:
    return CreditEntry(
        id=row["id"],
        created_at=moment(row["created_at"]),
        kind=row["kind"],
        amount=row["amount"],
        available_change=row["available_change"],
        available_after=row["available_after"],
        held_after=row["held_after"],
        job_id=_uuid(row["job_id"]),
        purchase_id=_uuid(row["purchase_id"]),
        prompt=(row.get("generation_jobs") or {}).get("prompt"),
        reason=row["reason"],
    )


def _uuid(value: str | None) -> UUID | None:
    return UUID(value) if value else None
