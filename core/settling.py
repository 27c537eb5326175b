"""Bringing fal.ai's verdict to the books: the same shape and the same SQL function, whoever brings it."""

from typing import Any

from core.database import get_database
from core.fal.reasons import INFRASTRUCTURE, plain_words
from core.fal.verdict import Verdict
from core.log import get_logger

log = get_logger(__name__)


def verdict_row(verdict: Verdict) -> dict[str, Any]:
    """A verdict as `private.settle` takes it; the error message is in the words that the person will read."""
    row: dict[str, Any] = {
        "outcome": verdict.outcome,
        "billable": verdict.billable,
        "billable_units": str(verdict.billable_units) if verdict.billable_units is not None else None,
    }
    if verdict.outcome == "completed":
        row["result_data"] = verdict.result_data
        row["outputs"] = [
            {
                "url": output.url,
                "media_type": output.media_type,
                "file_name": output.file_name,
                "size_bytes": output.size,
                "width": output.width,
                "height": output.height,
                "duration_seconds": str(output.duration) if output.duration is not None else None,
            }
            for output in verdict.outputs
        ]
    else:
        # A broken machine at fal.ai is worth one more try by itself; a refused prompt is not.
        row["retryable"] = verdict.error_type in INFRASTRUCTURE and INFRASTRUCTURE[verdict.error_type] >= 500
        row["error_type"] = verdict.error_type
        row["error_message"] = plain_words(verdict.error_type, verdict.error_message)
    return row


def settle(job_id: str, verdict: dict[str, Any], source: str) -> dict[str, Any]:
    """End a job with a verdict row, once: returns {applied, result, status, job}. `source` says who brought it."""
    outcome: dict[str, Any] = get_database().call("settle_job", p_job=job_id, p_verdict=verdict, p_source=source)
    log.info("settled", job_id=job_id, source=source, result=outcome["result"], status=outcome.get("status"))
    return outcome
