"""Jobs as a person meets them: submit, cancel, retry, list. Reads go as the person, writes as the service."""

from typing import Any
from uuid import UUID

from core import catalog, finding, media
from core.database import fetch, get_database
from core.errors import DatabaseError, FalError, InvalidInput, NotFound, Refused
from core.ids import new_id
from core.inputs import require_reachable, source_megapixels
from core.keyset import Place
from core.log import get_logger
from core.models import OPEN_STATUSES, Job, JobEvent, JobFilter, JobPage, Person
from core.offers import offers
from core.reconcile import ask_to_cancel, look_at
from core.rows import JOB_COLUMNS, event_of, job_of
from core.sending import START_SECONDS, post, send

log = get_logger(__name__)
EVERYTHING = JobFilter()


def submit(
    person: Person,
    generation_type: str,
    inputs: dict[str, Any],
    *,
    job_id: UUID | None = None,
    expected_credits: int | None = None,
    retried_from: UUID | None = None,
) -> Job:
    """Set the credits aside and send the job. Returns in about the time that fal.ai takes to accept it.

    The same `job_id` again gives the same job. Raises a subclass of Refused before anything is held: InvalidInput,
    InsufficientCredits, LimitReached, NotAllowed, TypeDisabled, PriceChanged, AccountLocked. A clear refusal by
    fal.ai is returned as the failed job, an unclear end as the pending one, even if the database goes away after that.
    """
    offer = offers().get(generation_type)
    if offer is None:
        raise InvalidInput("There is no such type.", field="generation_type")
    cleaned = catalog.validate(generation_type, inputs)
    require_reachable(offer.type, cleaned)
    quote = catalog.quote(offer, cleaned, source_megapixels(offer.type, cleaned))
    job_id = job_id or new_id()
    row = get_database().call(
        "create_job",
        p_job=job_id,
        p_user=person.user_id,
        p_generation_type=generation_type,
        p_input_params=cleaned,
        p_prompt=str(cleaned.get("prompt") or cleaned.get("text") or ""),
        p_quantity=quote.quantity,
        p_expected_credits=expected_credits,
        p_units=quote.billable_units,
        p_unit_price_usd=quote.unit_price_usd,
        p_longest_seconds=offer.type.longest_seconds,
        p_retried_from=retried_from,
        p_start_seconds=START_SECONDS,
    )
    log.info("job_created", job_id=str(job_id), generation_type=generation_type, credits=row["credits_held"])
    if row["status"] == "pending" and (row.get("may_send") or row["submit_attempted_at"] is None):
        try:
            row = post(row) if row.get("may_send") else send(row)
        except DatabaseError as error:
            # It is there, its credits are held, and it may run already: an error here would invite a second, paid run.
            log.error("submit_interrupted", job_id=str(job_id), error=str(error), detail=error.detail)
    return job_of(row)


def cancel(person: Person, job_id: UUID) -> Job:
    """Stop a job: at once when it was never sent, else fal.ai is asked and its word decides. Raises NotFound."""
    row = get_database().call("request_cancel", p_user=person.user_id, p_job=job_id)
    if row["status"] in OPEN_STATUSES:
        try:
            row = ask_to_cancel(row)
        except FalError as error:  # the wish is recorded: the worker asks again
            log.warning("cancel_postponed", job_id=str(job_id), error=str(error))
    return job_of(row)


def retry(person: Person, job_id: UUID, *, new_id: UUID | None = None) -> Job:
    """A new job with the same inputs and its own hold, pointing to the old one. Raises NotFound or what submit does."""
    old = get(person, job_id)
    if old.user_id != person.user_id:
        raise NotFound("There is no such job of yours.")
    if old.is_open:
        raise Refused("This job is still running. Wait for its end, or check again.")
    return submit(person, old.generation_type, old.input_params, job_id=new_id, retried_from=old.id)


def mark_favourite(person: Person, job_id: UUID, on: bool) -> None:
    """Mark a job of one's own as a favourite, or take the mark away. Raises NotFound."""
    get_database().call("mark_favourite", p_actor=person.user_id, p_job=job_id, p_on=on)


def delete_media(person: Person, job_id: UUID) -> None:
    """Delete the files of an ended job for good; its history stays. Raises NotFound, Refused while it runs."""
    get_database().call("delete_media", p_user=person.user_id, p_job=job_id)


def check_again(person: Person, job_id: UUID) -> Job:
    """Look at fal.ai now instead of later. Never sends anything a second time. Raises NotFound."""
    rows = fetch(rows_of(person).select("*").eq("id", str(job_id)), "generation_jobs")
    if not rows:
        raise NotFound("There is no such job.")
    finding.forget()
    update = look_at(rows[0]) if rows[0]["status"] in OPEN_STATUSES else None
    if update:
        get_database().call("record_progress", p_updates=[update])
    return get(person, job_id)


def get(person: Person, job_id: UUID) -> Job:
    """One job with its outputs. Raises NotFound, also for a job of somebody else."""
    rows = fetch(rows_of(person).select(JOB_COLUMNS).eq("id", str(job_id)), "generation_jobs")
    if not rows:
        raise NotFound("There is no such job.")
    return _with_outputs(rows)[0]


def list_finished(
    person: Person,
    *,
    after: Place | None = None,
    page_size: int = 12,
    matching: JobFilter = EVERYTHING,
) -> JobPage:
    """One page of the person's ended jobs, newest first, with their outputs; it begins after a place in the list."""
    rows = get_database().call(
        "finished_jobs",
        p_actor=person.user_id,
        p_filter=narrowing(matching),
        p_before_at=after.created_at.isoformat() if after else None,
        p_before_id=after.id if after else None,
        p_limit=page_size + 1,
    )["jobs"]
    found = _with_outputs(rows[:page_size])
    return JobPage(found, Place(found[-1].created_at, found[-1].id) if len(rows) > page_size else None)


def narrowing(matching: JobFilter) -> dict[str, Any]:
    """A filter as `finished_jobs` takes it: only what narrows."""
    asked = {
        "status": matching.status,
        "media_kinds": list(matching.media_kinds),
        "generation_type": matching.generation_type,
        "campaign": str(matching.campaign_id) if matching.campaign_id else None,
        "from": matching.created_from.isoformat() if matching.created_from else None,
        "before": matching.created_before.isoformat() if matching.created_before else None,
        "favourites": matching.favourites,
        "text": matching.text.strip(),
    }
    return {name: value for name, value in asked.items() if value}


def campaign_names(person: Person) -> dict[UUID, str]:
    """The campaigns that the person may see, newest first, to choose one from."""
    rows = get_database().call("campaign_choices", p_actor=person.user_id)
    return {UUID(row["id"]): row["name"] for row in rows}


def recent(person: Person, limit: int = 8) -> tuple[Job, ...]:
    """The person's newest jobs that have something to show."""
    query = (
        rows_of(person)
        .select(JOB_COLUMNS)
        .eq("user_id", str(person.user_id))
        .eq("status", "completed")
        .order("created_at", desc=True)
        .limit(limit)
    )
    rows = fetch(query, "generation_jobs")
    return _with_outputs(rows)


def story(person: Person, job_id: UUID) -> tuple[JobEvent, ...]:
    """What happened to a job, oldest first."""
    query = (
        get_database()
        .rows_of(person.access_token)
        .from_("generation_logs")
        .select("*")
        .eq("job_id", str(job_id))
        .order("id")
    )
    rows = fetch(query, "generation_logs")
    return tuple(event_of(row) for row in rows)


def rows_of(person: Person) -> Any:
    """The jobs that the person may see, to be queried."""
    return get_database().rows_of(person.access_token).from_("generation_jobs")


def _with_outputs(rows: list[dict[str, Any]]) -> tuple[Job, ...]:
    outputs = media.viewable([output for row in rows for output in row["job_outputs"]])
    return tuple(
        job_of(row, tuple(sorted((outputs[o["id"]] for o in row["job_outputs"]), key=lambda o: o.position)))
        for row in rows
    )
