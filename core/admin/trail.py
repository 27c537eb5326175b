"""The trail: who did what to whom, before and after, and why. Append-only; found by anything in it, and exported.

All functions raise NotAllowed for anybody but an admin.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from core.admin.calls import as_admin
from core.csv_file import csv_file
from core.models import Person
from core.rows import moment

MOST_EXPORTED: Final = 50_000  # lines
_EXPORT_PAGE: Final = 499
_COLUMNS: Final = ("time", "who", "action", "to whom", "id", "before", "after", "why")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFilter:
    """What is looked for; what is left empty is not asked for. `end` itself is not included."""

    by: UUID | None = None
    action: str | None = None
    target: str | None = None
    text: str = ""
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class TrailLine:
    """One action. `actor` is None for the configuration; the action "refused" is a try of somebody who may not.

    `target` is an id (of a person, a job, an event) or a name; `target_name` says what it is called, where known.
    """

    id: int
    created_at: datetime
    actor: UUID | None
    actor_name: str | None
    action: str
    target: str | None
    target_name: str | None
    before: Any
    after: Any
    reason: str | None


@dataclass(frozen=True, slots=True)
class TrailPage:
    """One page, newest first; `before` begins the next one, None on the last."""

    lines: tuple[TrailLine, ...]
    before: int | None


@dataclass(frozen=True, slots=True)
class TrailChoices:
    """What occurs in the trail: its actions, and who acted as (id, name)."""

    actions: tuple[str, ...]
    actors: tuple[tuple[UUID, str | None], ...]


def search(
    person: Person, wanted: TrailFilter | None = None, *, before: int | None = None, limit: int = 50
) -> TrailPage:
    """The lines that fit, newest first; `before` is what the page before gave. `limit` is at most 499."""
    wanted = wanted or TrailFilter()
    limit = max(1, min(limit, 499))
    rows = as_admin(
        person,
        "search_trail",
        p_by=wanted.by,
        p_action=wanted.action,
        p_target=wanted.target,
        p_text=wanted.text,
        p_from=wanted.start.isoformat() if wanted.start else None,
        p_to=wanted.end.isoformat() if wanted.end else None,
        p_before=before,
        p_limit=limit + 1,
    )
    lines = tuple(_line(row) for row in rows[:limit])
    return TrailPage(lines, lines[-1].id if len(rows) > limit else None)


def choices(person: Person) -> TrailChoices:
    """What the trail can be filtered by."""
    found = as_admin(person, "trail_choices")
    actors = tuple((UUID(row["user_id"]), row["name"]) for row in found["actors"])
    return TrailChoices(tuple(found["actions"]), actors)


def export(person: Person, wanted: TrailFilter | None = None) -> bytes:
    """The lines that fit as a CSV file, newest first, 50,000 at most."""
    return csv_file(
        _COLUMNS,
        (
            (
                line.created_at,
                line.actor_name or ("configuration" if line.actor is None else str(line.actor)),
                line.action,
                line.target_name,
                line.target,
                _json(line.before),
                _json(line.after),
                line.reason,
            )
            for line in _all(person, wanted)
        ),
    )


def _all(person: Person, wanted: TrailFilter | None) -> Iterator[TrailLine]:
    before, told = None, 0
    while told < MOST_EXPORTED:
        page = search(person, wanted, before=before, limit=min(_EXPORT_PAGE, MOST_EXPORTED - told))
        yield from page.lines
        told += len(page.lines)
        before = page.before
        if before is None:
            return


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _line(row: dict[str, Any]) -> TrailLine:
    return TrailLine(
        id=row["id"],
        created_at=moment(row["created_at"]),
        actor=UUID(row["actor"]) if row["actor"] else None,
        actor_name=row["actor_name"],
        action=row["action"],
        target=row["target"],
        target_name=row["target_name"],
        before=row["before"],
        after=row["after"],
        reason=row["reason"],
    )
