"""Open jobs of everybody, stuck ones first, and what an admin can do about one: look now, cancel, give up.

All functions raise NotAllowed for anybody but an admin.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from core.admin.calls import as_admin, only_admins
from core.database import fetch, get_database, money
from core.errors import FalError, NotFound
from core.log import get_logger
from core.models import OPEN_STATUSES, Job, Person
from core.reconcile import ask_to_cancel, look_at
from core.rows import job_of, moment, when
from core.sending import get_queue

log = get_logger(__name__)

STUCK: Final = {
    "unclear": "fal.ai never said clearly whether it has this job. It is looked for, and never sent twice.",
    "past_give_up": "Longer than fal.ai could take.",
    "slow": "More than five times as long as usual.",
    "not_sent": "Waiting to be sent for more than five minutes.",
    "lease_loops": "Workers take it again and again and do not get through with it. Their log says why.",
    "not_looked_at": "Due for more than ten minutes, and no worker has looked.",
    "cancel_unanswered": "Cancelling was asked for more than ten minutes ago, and fal.ai has not confirmed it.",
}


@dataclass(frozen=True, slots=True)
class OpenJob:
    """One job that has not ended. `state` is its status, or "unclear"; `stuck` are keys of STUCK, empty for most."""

    id: UUID
    user_id: UUID
    person: str | None
    generation_type: str
    label: str
    state: str
    stuck: tuple[str, ...]
    prompt: str
    created_at: datetime
    age_seconds: int
    expected_seconds: int
    submitted_at: datetime | None
    fal_request_id: str | None
    check_count: int
    checked_at: datetime | None
    next_check_at: datetime
    give_up_at: datetime | None
    cancel_requested_at: datetime | None
    lease_owner: str | None
    lease_until: datetime | None
    message: str | None
    credits_held: int
    estimated_usd: Decimal


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many open jobs are in a state, how many of them are stuck, and since when the oldest waits."""

    count: int
    stuck: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class OpenJobs:
    """`states` counts all open jobs, whatever `jobs` was limited to."""

    states: dict[str, StateCount]
    jobs: tuple[OpenJob, ...]


def open_jobs(
    person: Person,
    *,
    state: str | None = None,
    only_stuck: bool = False,
    user_id: UUID | None = None,
    limit: int = 100,
) -> OpenJobs:
    """Open jobs, stuck ones first, then the oldest; 500 at most."""
    found = as_admin(person, "open_jobs", p_state=state, p_only_stuck=only_stuck, p_user=user_id, p_limit=limit)
    states = {
        name: StateCount(row["count"], row["stuck"], moment(row["oldest"])) for name, row in found["states"].items()
    }
    return OpenJobs(states, tuple(_open_job(row) for row in found["jobs"]))


def check_now(person: Person, job_id: UUID) -> Job:
    """Have the next free worker look at a job, within a second or two. Raises NotFound, Refused when it has ended."""
    return job_of(as_admin(person, "check_job_now", p_job=job_id))


def cancel(person: Person, job_id: UUID, reason: str = "") -> Job:
    """Stop anybody's job: at once when it was never sent, else fal.ai is asked and its word decides.

    Raises NotFound, Refused when it has ended.
    """
    row = as_admin(person, "cancel_job", p_job=job_id, p_reason=reason)
    if row["status"] in OPEN_STATUSES:
        try:
            row = ask_to_cancel(row)
        except FalError as error:  # the wish is recorded: the worker asks again
            log.warning("cancel_postponed", job_id=str(job_id), error=str(error))
    return job_of(row)


def mark_failed(person: Person, job_id: UUID, reason: str) -> Job:
    """Give up on a job: its credits are returned, and its person reads the reason.

    fal.ai is looked at once more before, so that what it has made is not thrown away: then the job is returned with
    that end instead. After giving up fal.ai is asked to stop. Raises InvalidInput without a reason, NotFound, Refused
    when it has ended.
    """
    only_admins(person, "mark_job_failed")
    row = _row(person, job_id)
    if row["status"] in OPEN_STATUSES and row["fal_request_id"]:
        update = look_at(row)
        if update is None:
            return job_of(_row(person, job_id))
    row = as_admin(person, "mark_job_failed", p_job=job_id, p_reason=reason)
    if row["cancel_url"]:
        _stop_at_fal(row)
    return job_of(_row(person, job_id))


def _stop_at_fal(row: dict[str, Any]) -> None:
    """Ask fal.ai to drop a job that we have given up on: what it never ran costs nothing, what it has made is kept."""
    try:
        answer = get_queue().cancel(row["cancel_url"])
    except FalError as error:
        log.warning("cancel_not_asked", job_id=row["id"], request_id=row["fal_request_id"], error=str(error))
        return
    log.info("cancel_asked", job_id=row["id"], request_id=row["fal_request_id"], answer=answer)
    if answer == "dropped":
        get_database().call("record_cost", p_job=row["id"], p_usd=0, p_units=0, p_source="metered")
    elif answer == "already_completed":
        look_at(row)


def _row(person: Person, job_id: UUID) -> dict[str, Any]:
    query = get_database().rows_of(person.access_token).from_("generation_jobs").select("*").eq("id", str(job_id))
    rows = fetch(query, "generation_jobs")
    if not rows:
        raise NotFound("There is no such job.")
    return rows[0]


def _open_job(row: dict[str, Any]) -> OpenJob:
    return OpenJob(
        id=UUID(row["id"]),
        user_id=UUID(row["user_id"]),
        person=row["person"],
        generation_type=row["generation_type"],
        label=row["label"],
        state=row["state"],
        stuck=tuple(row["stuck"]),
        prompt=row["prompt"],
        created_at=moment(row["created_at"]),
        age_seconds=row["age_seconds"],
        expected_seconds=row["expected_seconds"],
        submitted_at=when(row["submitted_at"]),
        fal_request_id=row["fal_request_id"],
        check_count=row["check_count"],
        checked_at=when(row["checked_at"]),
        next_check_at=moment(row["next_check_at"]),
        give_up_at=when(row["give_up_at"]),
        cancel_requested_at=when(row["cancel_requested_at"]),
        lease_owner=row["lease_owner"],
        lease_until=when(row["lease_until"]),
        message=row["message"],
        credits_held=row["credits_held"],
        estimated_usd=money(row["estimated_usd"]),
    )
