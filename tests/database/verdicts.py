"""What fal.ai says about a job, in the shapes that the product hands to the database."""

from typing import Any
from uuid import UUID

Row = dict[str, Any]

ACCOUNT = "our-account-at-fal"
QUEUE_URL = "https://queue.fal.run"


def completed(units: str | None = None, outputs: int = 1, **more: Any) -> Row:
    """A success with pictures; `units` are the billable units when they are known."""
    files = [
        {
            "url": f"https://v3.fal.media/files/{number}.png",
            "media_type": "image/png",
            "file_name": f"{number}.png",
            "size_bytes": 2048,
            "width": 1024,
            "height": 768,
            "duration_seconds": None,
        }
        for number in range(outputs)
    ]
    verdict = {"outcome": "completed", "billable": True, "billable_units": units, "result_data": {"seed": 7}}
    return verdict | {"outputs": files} | more


def failed(error_type: str = "content_policy_violation", *, billable: bool = False, **more: Any) -> Row:
    return {
        "outcome": "failed",
        "error_type": error_type,
        "error_message": "fal.ai refused the prompt.",
        "billable": billable,
        "billable_units": None,
    } | more


def cancelled(**more: Any) -> Row:
    return {
        "outcome": "cancelled",
        "error_type": "client_cancelled",
        "error_message": "Cancelled before it started.",
        "billable": False,
        "billable_units": None,
    } | more


def request_of(job: UUID) -> str:
    """The request id that fal.ai gives to a job in these tests."""
    return f"request-{job}"


def event(job: UUID, verdict: Row | None = None, **more: Any) -> Row:
    """A verified call about a job, as the companion hands it over."""
    verdict = completed() if verdict is None else verdict
    request = more.get("request_id", request_of(job))
    kind = "OK" if verdict["outcome"] == "completed" else "ERROR"
    return {
        "event_key": f"fal:{request}:{kind}",
        "event_type": kind,
        "request_id": request,
        "job": str(job),
        "account_id": ACCOUNT,
        "verdict": verdict,
        "headers": {"request_id": request},
        "payload": {"request_id": request, "status": kind},
        "queue_url": QUEUE_URL,
    } | more
