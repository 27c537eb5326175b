"""Sending a job to fal.ai: once, stamped before and recorded after, whoever does it (a page or the worker).

The order is the promise: the row and the hold exist before anything is sent, the right to send is given once in a job's
life (by `create_job` to the page that makes it, else by `begin_submit`), and an end that is not clear is never taken
for a failure and never followed by a second try.
"""

import random
import time
from typing import Any
from uuid import UUID

from core import catalog
from core.database import fetch, get_database
from core.errors import (
    DatabaseError,
    FalBusy,
    FalLocked,
    FalRefused,
    FalUnauthorized,
    FalUnclear,
    FalUnsent,
)
from core.fal.queue import FalQueue, Submitted
from core.fal.reasons import plain_words
from core.log import get_logger
from core.once import Once
from core.polling import first_check_seconds
from core.sealing import token_for
from core.settings import get_settings

log = get_logger(__name__)
START_SECONDS = 1800  # sent with the submit: fal.ai gives up on a request that has not started by then
UNCLEAR = "fal.ai did not answer clearly. We keep looking for this job and never send it twice."
WAITING = "fal.ai cannot be reached. The job is sent as soon as it answers."
BUSY = "fal.ai is busy. The job is sent as soon as there is room."
RECORD_PAUSES = (0.2, 0.5, 1.0, 2.0)  # seconds between the tries to write down that fal.ai has a job


@Once
def get_queue() -> FalQueue:
    """The process's own client of fal.ai's queue; safe to share between threads."""
    return FalQueue(get_settings())


def webhook_url(job_id: UUID | str) -> str | None:
    """Where fal.ai shall call about a job; None without a public address, then polling brings the verdict."""
    public = get_settings().public_url.rstrip("/")
    return f"{public}/webhooks/fal?job={job_id}&token={token_for(job_id)}" if public else None


def send(job: dict[str, Any]) -> dict[str, Any]:
    """Take the right to send a pending job and send it; someone else's is left alone. Returns its row afterwards."""
    mine = get_database().call("begin_submit", p_job=job["id"], p_start_seconds=START_SECONDS)
    return fresh(job["id"]) if mine is None else post(mine)


def post(job: dict[str, Any]) -> dict[str, Any]:
    """Send a job that the caller has the right to send, and return its row as it is afterwards.

    A clear refusal ends the job and returns its credits; "later" and "never left this machine" leave it to be sent
    again; anything else is unclear and stays open.
    """
    database = get_database()
    kind = catalog.GENERATION_TYPES[job["generation_type"]]
    try:
        submitted = get_queue().submit(
            job["fal_endpoint"],
            catalog.request_body(kind.key, job["input_params"]),
            webhook_url=webhook_url(job["id"]),
            start_timeout_s=START_SECONDS,
        )
    except (FalUnsent, FalBusy) as error:
        log.warning("submit_postponed", job_id=job["id"], error=str(error), code=error.code)
        delay = random.uniform(0.8, 1.2) * min(60, 3 * 2 ** min(job["unsent_count"], 5))
        if isinstance(error, FalUnsent):
            database.call("report_provider", p_provider="fal", p_ok=False, p_error=str(error))
        message = BUSY if isinstance(error, FalBusy) else WAITING
        return _row(database.call("record_unsent", p_job=job["id"], p_message=message, p_check_seconds=round(delay)))
    except FalRefused as error:
        return _refused(job["id"], error)
    except FalUnclear as error:
        log.warning("submit_unclear", job_id=job["id"], error=str(error))
        database.call("report_provider", p_provider="fal", p_ok=False, p_error=str(error))
        return _row(database.call("record_unclear", p_job=job["id"], p_message=UNCLEAR, p_check_seconds=15))
    return record(job["id"], submitted, job["expected_seconds"])


def record(job_id: str, submitted: Submitted, expected_seconds: int) -> dict[str, Any]:
    """Write down that fal.ai has the job. Several tries, over seconds: the function is idempotent, and without its
    request id only the webhook finds the job. Raises DatabaseError."""
    log.info("submitted", job_id=job_id, request_id=submitted.request_id)
    for pause in (*RECORD_PAUSES, None):
        try:
            return _row(
                get_database().call(
                    "record_submitted",
                    p_job=job_id,
                    p_request_id=submitted.request_id,
                    p_status_url=submitted.status_url,
                    p_response_url=submitted.response_url,
                    p_cancel_url=submitted.cancel_url,
                    p_queue_position=submitted.queue_position,
                    p_check_seconds=first_check_seconds(expected_seconds),
                )
            )
        except DatabaseError as error:
            log.error("submitted_not_recorded", job_id=job_id, request_id=submitted.request_id, error=str(error))
            if pause is None:
                raise
            time.sleep(pause)
    raise AssertionError("unreachable")


def fresh(job_id: str) -> dict[str, Any]:
    """The row of a job as it is now, read as the service."""
    query = get_database().service_rows().from_("generation_jobs").select("*").eq("id", job_id)
    return fetch(query, "generation_jobs")[0]


def _refused(job_id: str, error: FalRefused) -> dict[str, Any]:
    database = get_database()
    log.warning("submit_refused", job_id=job_id, status=error.status, error=str(error))
    if isinstance(error, FalLocked):
        database.call("report_provider", p_provider="fal", p_ok=False, p_locked_reason=error.sentence)
        error_type = "account_locked"
    elif isinstance(error, FalUnauthorized):
        database.call("report_provider", p_provider="fal", p_ok=False, p_error=error.sentence)
        error_type = "bad_key"
    else:
        error_type = error.error_type or "invalid_input"
    verdict = {
        "outcome": "failed",
        "error_type": error_type,
        "error_message": plain_words(error_type, error.sentence),
        "billable": False,
    }
    return _row(database.call("settle_job", p_job=job_id, p_verdict=verdict, p_source="submit")["job"])


def _row(data: Any) -> dict[str, Any]:
    row: dict[str, Any] = data
    return row
