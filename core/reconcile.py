"""Looking at fal.ai about one job: what is it doing, is there a verdict, what did it cost.

With webhooks on this is the safety net, without them it is how jobs finish; either way the verdict goes through the
same function of the database. A look that gets no usable answer fails nobody's job: it is repeated later.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from core.database import get_database, money
from core.errors import FalBusy, FalError, FalNotFound, FalUnavailable
from core.fal.queue import Status
from core.fal.verdict import verdict_of_poll
from core.finding import find_request
from core.log import get_logger
from core.polling import next_check_seconds
from core.sending import UNCLEAR, fresh, get_queue, send
from core.settings import get_settings
from core.settling import settle, verdict_row

log = get_logger(__name__)

UNCONFIRMED = (
    "fal.ai never confirmed this job, longer than it could have taken. Your credits are back. "
    "If the result still arrives, it is yours at no charge."
)
LOST = "fal.ai no longer knows this job. Your credits are back. Try it again."
WAITS_FOR_LIST = timedelta(hours=1)
_ENDED = Status("completed", None, None, None, "", "", "COMPLETED")


def look_at(job: dict[str, Any]) -> dict[str, Any] | None:
    """Do what an open job needs now. Returns an update for `record_progress`, or None when it was sent or ended."""
    if job["fal_request_id"] is None:
        if job["submit_attempted_at"] is None:
            send(job)
            return None
        return _look_for(job)
    if job["status_url"] is None:  # found by its webhook, which brings the verdict with it
        return _later(job)
    try:
        if job["cancel_requested_at"]:
            job = ask_to_cancel(job)
            if job["completed_at"]:
                return None
        return _poll(job)
    except FalNotFound:
        if _past(job["give_up_at"]):
            verdict = {"outcome": "failed", "error_type": "request_lost", "error_message": LOST, "billable": False}
            settle(job["id"], verdict, "poll")
            return None
        return _later(job, trouble=job["check_count"] + 1)
    except FalError as error:
        log.warning("look_failed", job_id=job["id"], request_id=job["fal_request_id"], error=str(error))
        if isinstance(error, FalUnavailable | FalBusy):
            get_database().call("report_provider", p_provider="fal", p_ok=False, p_error=str(error))
        return _later(job, trouble=min(job["check_count"] + 1, 5))


def ask_to_cancel(job: dict[str, Any]) -> dict[str, Any]:
    """Ask fal.ai to stop a job; returns its row. Only a request that fal.ai dropped ends here, the rest is for a look.

    Raises FalError when fal.ai did not answer: the wish stays recorded.
    """
    if job["cancel_url"] is None:
        return job
    answer = get_queue().cancel(job["cancel_url"])
    log.info("cancel_asked", job_id=job["id"], request_id=job["fal_request_id"], answer=answer)
    if answer == "dropped":
        verdict = {
            "outcome": "cancelled",
            "error_type": "cancelled",
            "error_message": "Cancelled before it started. Nothing was charged.",
            "billable": False,
        }
        row: dict[str, Any] = settle(job["id"], verdict, "person")["job"]
        return row
    return job


def _poll(job: dict[str, Any]) -> dict[str, Any] | None:
    status = get_queue().status(job["status_url"])
    if status.state != "completed":
        if status.raw_status not in {"IN_QUEUE", "IN_PROGRESS"}:
            log.warning("unknown_status", job_id=job["id"], request_id=job["fal_request_id"], status=status.raw_status)
        return {
            "job": job["id"],
            "state": status.state,
            "queue_position": status.queue_position,
            "progress": str(status.progress) if status.progress is not None else None,
            "message": status.message,
            "check_seconds": next_check_seconds(job["expected_seconds"], job["check_count"]),
        }
    result = None
    # An error with a type is fal.ai's machines; without one the model's own answer says more.
    if not status.error_type:
        result = get_queue().result(job["response_url"])
        if result.still_running and not status.error:
            return _later(job)
        if result.expired and not status.error:
            raise FalNotFound("fal.ai no longer has the result.", status=404)
    settle(job["id"], verdict_row(verdict_of_poll(status, result)), "poll")
    return None


def _look_for(job: dict[str, Any]) -> dict[str, Any] | None:
    """A submit that ended unclearly: look for its request, and close it once nothing can come any more."""
    told = True
    try:
        request_id = find_request(job)
    except FalError as error:
        log.warning("list_not_read", job_id=job["id"], error=str(error))
        told, request_id = not isinstance(error, FalUnavailable | FalBusy), None
    if request_id is not None:
        log.info("request_found", job_id=job["id"], request_id=request_id)
        queue_url = get_settings().fal_queue_url.rstrip("/")
        get_database().call("record_found", p_job=job["id"], p_request_id=request_id, p_queue_url=queue_url)
        return None
    # While fal.ai does not answer it may still tell later, but not for ever.
    patience = timedelta(0) if told else WAITS_FOR_LIST
    if _past(job["give_up_at"], patience) and fresh(job["id"])["fal_request_id"] is None:
        verdict = {
            "outcome": "failed",
            "error_type": "submit_unconfirmed",
            "error_message": UNCONFIRMED,
            "billable": False,
        }
        settle(job["id"], verdict, "worker")
        return None
    update = _later(job, trouble=job["check_count"] + 1)
    if job["progress_message"] is None:
        update["message"] = UNCLEAR
    return update


def read_cost(job: dict[str, Any]) -> None:
    """Read the result of an ended job once more and count what it really cost. Raises FalError when fal.ai is away."""
    database = get_database()
    if job["response_url"] is None or job["cost_source"] != "estimated":
        database.call("postpone_cost", p_job=job["id"], p_check_seconds=None)
        return
    result = get_queue().result(job["response_url"])
    if result.ok and job["status"] != "completed" and not job["is_late"]:
        # Made after all: delivered late, with its cost. A result with nothing in it is only a cost.
        late = settle(job["id"], verdict_row(verdict_of_poll(_ENDED, result)), "poll")
        if late["applied"]:
            return
    if result.billable_units is None:
        # Not told (or expired): the estimate stands, unless the billing events of an admin key say more.
        tries = job["cost_tries"]
        database.call("postpone_cost", p_job=job["id"], p_check_seconds=60 * 4**tries if tries < 3 else None)
        return
    usd = result.billable_units * money(job["unit_price_usd"])
    database.call("record_cost", p_job=job["id"], p_usd=usd, p_units=result.billable_units, p_source="metered")


def _later(job: dict[str, Any], trouble: int = 0) -> dict[str, Any]:
    return {
        "job": job["id"],
        "state": "unknown",
        "check_seconds": next_check_seconds(job["expected_seconds"], job["check_count"], trouble=trouble),
    }


def _past(moment: str | None, more: timedelta = timedelta(0)) -> bool:
    return moment is not None and datetime.fromisoformat(moment) + more < datetime.now(UTC)
