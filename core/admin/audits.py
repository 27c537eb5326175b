"""The audit of the books: run hourly by a worker or on a button, kept, and shown from what was kept."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from core.admin.calls import as_admin
from core.database import Database
from core.log import get_logger
from core.models import Person
from core.rows import moment
from core.settings import get_settings

log = get_logger(__name__)

PATIENCE = httpx.Timeout(300.0, connect=5.0)  # it reads every book


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that does not hold, for which person, job or day, and what the books say instead."""

    rule: str
    subject: str
    problem: str


@dataclass(frozen=True, slots=True)
class Audit:
    """One run. `violations` are the first 200 of `count`; `by` is None when a worker did it."""

    started_at: datetime
    ended_at: datetime
    by: str | None
    count: int
    violations: tuple[Violation, ...]

    @property
    def in_balance(self) -> bool:
        return self.count == 0


def last(person: Person) -> Audit | None:
    """What the latest run found; None before the first. Raises NotAllowed."""
    row = as_admin(person, "last_audit")
    return _audit(row) if row else None


def run(person: Person) -> Audit:
    """Audit the books now. Raises NotAllowed."""
    with httpx.Client(timeout=PATIENCE) as http:
        return _told(as_admin(person, "run_audit", database=Database(get_settings(), http)))


def run_as_worker(_worker: str) -> dict[str, Any]:
    """The hourly chore. Returns {violations}."""
    with httpx.Client(timeout=PATIENCE) as http:
        return {"violations": _told(Database(get_settings(), http).call("run_audit")).count}


def _told(row: dict[str, Any]) -> Audit:
    audit = _audit(row)
    for violation in audit.violations[:20]:
        log.error("books_not_in_balance", rule=violation.rule, subject=violation.subject, problem=violation.problem)
    log.info("audited", violations=audit.count, seconds=(audit.ended_at - audit.started_at).total_seconds())
    return audit


def _audit(row: dict[str, Any]) -> Audit:
    return Audit(
        started_at=moment(row["started_at"]),
        ended_at=moment(row["ended_at"]),
        by=row["actor_name"],
        count=row["violation_count"],
        violations=tuple(Violation(each["rule"], each["subject"], each["problem"]) for each in row["violations"]),
    )
