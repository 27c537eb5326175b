"""One verdict on a job, whether a webhook brought it or a poll: what became of it and what was made.

A webhook says `OK` or `ERROR`; a poll says COMPLETED, and whether that is good news stands in `error` or in the status
of the result. Both end here, so that both move the same money.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from core.errors import WebhookRefused
from core.fal.bodies import complaint, plain
from core.fal.outputs import OutputFile, read_outputs, small_data
from core.fal.queue import Result, Status
from core.fal.reasons import INFRASTRUCTURE

Outcome = Literal["completed", "failed", "cancelled"]
_STATUS_IN_ERROR: Final = re.compile(r"status code:?\s*(\d{3})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a job ended.

    `error_message` is fal.ai's reason in one line; `reasons.plain_words` makes sentences of it. `billable`: may fal.ai
    bill it? Server errors (500 and more) never; a 422 and a cancelled run perhaps, so they count until a billing event
    says otherwise. `billable_units` is in fal.ai's price unit, None when unknown, as it always is from a webhook.
    """

    outcome: Outcome
    outputs: tuple[OutputFile, ...] = ()
    result_data: dict[str, Any] | None = None
    error_type: str = ""
    error_message: str = ""
    billable: bool = True
    billable_units: Decimal | None = None


def verdict_of_webhook(body: Mapping[str, Any]) -> Verdict | None:
    """The verdict in a webhook's body `{request_id, status, payload, error, payload_error}`.

    None when it says that the job is done and that its result did not fit in: that has to be fetched from the queue.
    Raises WebhookRefused for a status other than OK and ERROR: it says nothing about the end, so a poll decides.
    """
    status, payload = body.get("status"), body.get("payload")
    if status == "OK":
        return None if body.get("payload_error") and not payload else _made(payload)
    if status != "ERROR":
        raise WebhookRefused("unknown_status")
    said = complaint(payload, plain(body.get("error_type"), 80))
    error = plain(body.get("error"))
    found = _STATUS_IN_ERROR.search(error)
    return _failed(said.error_type, said.reason or error, int(found[1]) if found else None)


def verdict_of_poll(status: Status, result: Result | None) -> Verdict:
    """The verdict in a completed status and the result that was read after it; a status with an error needs none.

    Raises ValueError while there is no verdict yet.
    """
    if status.state != "completed":
        raise ValueError("A job that is not completed has no verdict.")
    units = result.billable_units if result else None
    if status.error or status.error_type:
        found = _STATUS_IN_ERROR.search(status.error)
        code = (
            int(found[1]) if found else (result.status_code if result and not (result.ok or result.expired) else None)
        )
        # "Invalid status code: 422" alone says less than the model's own complaint.
        if result and result.error_message and found:
            return _failed(status.error_type or result.error_type, result.error_message, code, units)
        return _failed(status.error_type, status.error, code, units)
    if result is None or result.still_running:
        raise ValueError("A completed job without an error needs its result for a verdict.")
    if result.ok:
        return _made(result.payload, units)
    return _failed(result.error_type, result.error_message, result.status_code, units)


def _made(payload: Any, units: Decimal | None = None) -> Verdict:
    outputs = read_outputs(payload)
    data = small_data(payload)
    # A transcript has no file; an empty one (silence) is still a transcript.
    if not outputs and not (isinstance(payload, Mapping) and isinstance(payload.get("text"), str)):
        said = complaint(payload)
        return _failed(said.error_type or "no_media_generated", said.reason, None, units)
    return Verdict("completed", outputs, data, billable_units=units)


def _failed(error_type: str, message: str, status: int | None = None, units: Decimal | None = None) -> Verdict:
    code = INFRASTRUCTURE.get(error_type) if status is None else status
    if error_type == "client_cancelled" or (code == 499 and not error_type):
        return Verdict(
            "cancelled", (), None, error_type or "client_cancelled", message, billable=units != 0, billable_units=units
        )
    never_ran = (code is not None and code >= 500) or error_type == "bad_request"
    billable = not never_ran if units is None else units > 0
    kind = error_type or (f"http_{code}" if code else "unknown")
    return Verdict("failed", (), None, kind, message, billable=billable, billable_units=units)
