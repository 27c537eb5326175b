"""How the parts are doing: workers, fal.ai and Stripe, storage, database, webhook rates, why jobs failed.

All functions raise NotAllowed for anybody but an admin.
"""

from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any
from uuid import UUID

from core.admin.calls import as_admin
from core.database import get_database
from core.models import Person
from core.rows import moment, when


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker loop; alive when it was heard of within a minute."""

    name: str
    started_at: datetime
    beat_at: datetime
    is_alive: bool


@dataclass(frozen=True, slots=True)
class Provider:
    """An outside service as our calls found it. `locked_reason` is its own word for why it takes no work."""

    name: str  # fal, stripe
    locked_reason: str | None
    locked_at: datetime | None
    unwell_since: datetime | None
    last_ok_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None


@dataclass(frozen=True, slots=True)
class Storage:
    """Our copies of the outputs. `waiting` are still to be copied or removed, `given_up` could not be copied."""

    files: int
    bytes: int
    waiting: int
    given_up: int
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Posting:
    """Alerts of the last week: `waiting` are to be posted to ALERT_WEBHOOK_URL, `failed` were given up."""

    waiting: int
    failed: int
    last_sent_at: datetime | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """`seconds` is how long the question about health took, the way there and back included."""

    bytes: int
    version: str
    seconds: float
    last_error: str | None
    last_error_at: datetime | None


@dataclass(frozen=True, slots=True)
class Health:
    """Every part as it is now; `sessions` are the browsers that are signed in."""

    workers: tuple[Worker, ...]
    providers: tuple[Provider, ...]
    storage: Storage
    database: DatabaseState
    posting: Posting
    sessions: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Webhook calls of the hour that begins at `hour`. received = verified + refused; failed are among the verified."""

    hour: datetime
    provider: str
    received: int
    verified: int
    refused: int
    failed: int


@dataclass(frozen=True, slots=True)
class Failures:
    """Jobs that failed for one reason, with the last of them."""

    error_type: str
    count: int
    last_at: datetime
    last_job: UUID
    last_message: str


def health(person: Person) -> Health:
    """The state of every part, now."""
    began = perf_counter()
    found = as_admin(person, "system_health")
    seconds = perf_counter() - began
    storage, database, posting = found["storage"], found["database"], found["alerts"]
    return Health(
        workers=tuple(
            Worker(row["worker"], moment(row["started_at"]), moment(row["beat_at"]), row["is_alive"])
            for row in found["workers"]
        ),
        providers=tuple(_provider(row) for row in found["providers"]),
        storage=Storage(
            storage["files"], storage["bytes"], storage["waiting"], storage["given_up"], storage["last_error"]
        ),
        database=DatabaseState(
            bytes=database["bytes"],
            version=database["version"],
            seconds=seconds,
            last_error=database["last_error"],
            last_error_at=when(database["last_error_at"]),
        ),
        posting=Posting(posting["waiting"], posting["failed"], when(posting["last_sent_at"]), posting["last_error"]),
        sessions=found["sessions"],
    )


def rates(person: Person, hours: int = 24) -> tuple[Rate, ...]:
    """Webhook calls per hour and provider, oldest first, hours without any included; 90 days at most."""
    return tuple(
        Rate(
            hour=moment(row["hour"]),
            provider=row["provider"],
            received=row["received"],
            verified=row["verified"],
            refused=row["refused"],
            failed=row["failed"],
        )
        for row in as_admin(person, "webhook_rates", p_hours=hours)
    )


def failures(person: Person, hours: int = 24) -> tuple[Failures, ...]:
    """Why jobs failed in the last hours, the most frequent reason first."""
    return tuple(
        Failures(row["error_type"], row["count"], moment(row["last_at"]), UUID(row["last_job"]), row["last_message"])
        for row in as_admin(person, "failure_reasons", p_hours=hours)
    )


def keep_house(_worker: str) -> dict[str, Any]:
    """The hourly chore that clears what nobody needs any more. Returns how many {workers, sessions, audits} went."""
    gone: dict[str, Any] = get_database().call("keep_house")
    return gone


def _provider(row: dict[str, Any]) -> Provider:
    return Provider(
        name=row["provider"],
        locked_reason=row["locked_reason"],
        locked_at=when(row["locked_at"]),
        unwell_since=when(row["unwell_since"]),
        last_ok_at=when(row["last_ok_at"]),
        last_error=row["last_error"],
        last_error_at=when(row["last_error_at"]),
    )
