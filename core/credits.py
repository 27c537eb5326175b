"""A person's credits: history and use. The balance itself comes with the session."""

from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from core.database import EXACT, fetch, fetch_counted, get_database
from core.models import CreditEntry, Person

Filter = Literal["all", "added", "used"]
KINDS: dict[Filter, tuple[str, ...]] = {
    "added": ("welcome", "grant", "purchase", "reversal", "adjustment", "unfreeze"),
    "used": ("hold", "capture", "release", "refund", "adjustment", "chargeback", "settlement", "freeze"),
}


def history(
    person: Person, *, kind: Filter = "all", page: int = 1, page_size: int = 20
) -> tuple[tuple[CreditEntry, ...], int]:
    """One page of a person's own entries, newest first, and how many there are in all."""
    query: Any = (
        get_database()
        .rows_of(person.access_token)
        .from_("credit_entries")
        .select("*,generation_jobs(prompt,generation_type)", count=EXACT)
        .eq("user_id", str(person.user_id))
    )
    if kind != "all":
        query = query.in_("kind", KINDS[kind])
    first = (max(page, 1) - 1) * page_size
    query = query.order("id", desc=True).range(first, first + page_size - 1)
    rows, total = fetch_counted(query, "credit_entries")
    return tuple(_entry(row) for row in rows), total


def used_this_month(person: Person) -> int:
    """Credits charged since the first of this month (UTC)."""
    start = datetime.now(UTC).date().replace(day=1)
    query = (
        get_database()
        .rows_of(person.access_token)
        .from_("spend_daily")
        .select("credits")
        .eq("user_id", str(person.user_id))
        .gte("day", start.isoformat())
    )
    return sum(row["credits"] for row in fetch(query, "spend_daily"))


def _entry(row: dict[str, Any]) -> CreditEntry:
    return CreditEntry(
        id=row["id"],
        created_at=datetime.fromisoformat(row["created_at"]).astimezone(UTC),
        kind=row["kind"],
        amount=row["amount"],
        available_change=row["available_change"],
        available_after=row["available_after"],
        held_after=row["held_after"],
        job_id=UUID(row["job_id"]) if row["job_id"] else None,
        prompt=(row.get("generation_jobs") or {}).get("prompt"),
        reason=row["reason"],
    )
