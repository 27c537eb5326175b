"""Turning rows of the API into the records of `core.models`."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from core.database import money
from core.models import Job, JobEvent, Output

JOB_COLUMNS = "*,job_outputs(*)"


def moment(value: str) -> datetime:
    """A timestamptz of the API as an aware UTC moment."""
    return datetime.fromisoformat(value).astimezone(UTC)


def when(value: str | None) -> datetime | None:
    """The same, for one that may be missing."""
    return moment(value) if value else None


def output_of(row: dict[str, Any], url: str | None) -> Output:
    """One produced file; `url` is what a browser can load now."""
    return Output(
        id=UUID(row["id"]),
        position=row["position"],
        media_type=row["media_type"],
        url=url,
        source_url=row["source_url"],
        storage_path=row["storage_path"],
        size_bytes=row["size_bytes"],
        width=row["width"],
        height=row["height"],
        duration_seconds=Decimal(str(row["duration_seconds"])) if row["duration_seconds"] is not None else None,
        mirrored_at=when(row["mirrored_at"]),
    )


def job_of(row: dict[str, Any], outputs: tuple[Output, ...] = ()) -> Job:
    """A job from a row of `generation_jobs` or from what a job function returned."""
    return Job(
        id=UUID(row["id"]),
        user_id=UUID(row["user_id"]),
        generation_type=row["generation_type"],
        status=row["status"],
        input_params=row["input_params"],
        quantity=row["quantity"],
        credits_held=row["credits_held"],
        credits_charged=row["credits_charged"],
        estimated_usd=money(row["estimated_usd"]),
        actual_usd=money(row["actual_usd"]) if row["actual_usd"] is not None else None,
        cost_source=row["cost_source"],
        progress=Decimal(str(row["progress"])) if row["progress"] is not None else None,
        queue_position=row["queue_position"],
        progress_message=row["progress_message"],
        error_type=row["error_type"],
        error_message=row["error_message"],
        fal_request_id=row["fal_request_id"],
        retried_from=UUID(row["retried_from"]) if row["retried_from"] else None,
        retried_as=UUID(row["retried_as"]) if row["retried_as"] else None,
        is_automatic_retry=row["is_automatic_retry"],
        campaign_id=UUID(row["campaign_id"]) if row["campaign_id"] else None,
        clip_id=UUID(row["clip_id"]) if row["clip_id"] else None,
        clip_step=row["clip_step"],
        is_late=row["is_late"],
        cancel_requested_at=when(row["cancel_requested_at"]),
        created_at=moment(row["created_at"]),
        submit_attempted_at=when(row["submit_attempted_at"]),
        submitted_at=when(row["submitted_at"]),
        started_at=when(row["started_at"]),
        completed_at=when(row["completed_at"]),
        expected_seconds=row["expected_seconds"],
        result_data=row["result_data"],
        outputs=outputs,
        is_favourite=row["favourite_at"] is not None,
    )


def event_of(row: dict[str, Any]) -> JobEvent:
    """One line of a job's story from a row of `generation_logs`."""
    return JobEvent(
        happened_at=moment(row["created_at"]),
        event=row["event"],
        message=row["message"],
        by=row["source"],
        credits=row["credits"] or None,
        usd=money(row["spent_usd"]) if row["billed_at"] else None,
    )
