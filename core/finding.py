"""Finding the request of a job whose submit ended unclearly, in fal.ai's own list of our requests.

The list knows nothing of our job ids, so a request is taken for a job only when there is no doubt: same endpoint, same
inputs, sent at that time, known to no other job, and no other job is looking for one like it. It names requests that
have ended, and fal.ai keeps inputs only while payloads are stored. Protocol: fal.ai's documentation, "Platform APIs",
List requests by endpoint.
"""

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from core import catalog
from core.database import fetch, get_database
from core.errors import FalError, InvalidInput, NotFound
from core.fal.client import TIMEOUT
from core.fal.platform import OwnRequest
from core.fal_account import get_account
from core.log import get_logger

log = get_logger(__name__)

CLOCKS_DIFFER = timedelta(seconds=30)
SUBMIT_TAKES = timedelta(seconds=float(TIMEOUT.read or 0) + float(TIMEOUT.connect or 0) + float(TIMEOUT.pool or 0))
FRESH = timedelta(seconds=5)
OUTAGE = timedelta(minutes=5)  # what is lost is mostly lost together: one list for all of it


class _List(NamedTuple):
    read_at: datetime
    earliest: datetime
    requests: tuple[OwnRequest, ...]
    error: FalError | None = None


_lists: dict[str, _List] = {}  # by endpoint
_reading = threading.Lock()


def find_request(job: dict[str, Any]) -> str | None:
    """The id of the job's request at fal.ai; None while none is listed, or when it cannot be told from another.

    `job` is the row of an unclear one. Once fal.ai cannot be working on it any more, only a list counts that was read
    after that. Raises FalError when fal.ai does not tell, DatabaseError.
    """
    attempted = datetime.fromisoformat(job["submit_attempted_at"])
    finished = datetime.fromisoformat(job["give_up_at"])
    earliest, latest = attempted - CLOCKS_DIFFER, attempted + SUBMIT_TAKES + CLOCKS_DIFFER
    wanted = _body(job)
    if wanted is None:
        return None
    listed = [
        request.request_id
        for request in _requests(job["fal_endpoint"], earliest, finished)
        if earliest <= request.sent_at <= latest and _is_for(request, wanted)
    ]
    if not listed:
        return None
    # Asked for after the list: whoever had sent one of these requests has its id by now, or is still without one.
    free = sorted(set(listed) - _known(listed))
    rivals = [row["id"] for row in _without_request(job, earliest, latest) if _same(_body(row), wanted)]
    if len(free) == 1 and not rivals:
        return free[0]
    if free:
        log.warning("request_not_certain", job_id=job["id"], requests=len(free), rivals=len(rivals))
    return None


def forget() -> None:
    """Read the list anew at the next question."""
    with _reading:
        _lists.clear()


def _requests(endpoint: str, earliest: datetime, finished: datetime) -> tuple[OwnRequest, ...]:
    """What has ended since then, a few seconds old at most: after an outage many jobs ask at once, and one answer (or
    none) is for them all. Raises FalError."""
    with _reading:
        kept, now = _lists.get(endpoint), datetime.now(UTC)
        # The clock may have been set back, hence abs().
        if (
            kept is None
            or kept.earliest > earliest
            or abs(now - kept.read_at) > FRESH
            or kept.read_at < finished <= now
        ):
            kept = _lists[endpoint] = _read(endpoint, earliest - OUTAGE)
    if kept.error is not None:
        raise kept.error
    return kept.requests


def _read(endpoint: str, earliest: datetime) -> _List:
    began = datetime.now(UTC)
    try:
        return _List(began, earliest, tuple(get_account().requests(endpoint, earliest, began + CLOCKS_DIFFER)))
    except FalError as error:
        return _List(datetime.now(UTC), earliest, (), error)


def _known(request_ids: list[str]) -> set[str]:
    """Those that belong to a job already."""
    query = get_database().service_rows().from_("generation_jobs").select("fal_request_id")
    return {row["fal_request_id"] for row in fetch(query.in_("fal_request_id", request_ids), "generation_jobs")}


def _without_request(job: dict[str, Any], earliest: datetime, latest: datetime) -> list[dict[str, Any]]:
    """The other jobs that were sent to the same endpoint around that time and know no request of theirs."""
    margin = SUBMIT_TAKES + CLOCKS_DIFFER
    query = get_database().service_rows().from_("generation_jobs").select("id,generation_type,input_params")
    query = query.is_("fal_request_id", "null").eq("fal_endpoint", job["fal_endpoint"]).neq("id", job["id"])
    query = query.gte("submit_attempted_at", (earliest - margin).isoformat())
    return fetch(query.lte("submit_attempted_at", (latest + margin).isoformat()), "generation_jobs")


def _body(job: dict[str, Any]) -> dict[str, Any] | None:
    """What was sent for a job; None when the catalogue does not have its type like this any more."""
    try:
        return catalog.request_body(job["generation_type"], job["input_params"])
    except (InvalidInput, NotFound):
        return None


def _is_for(request: OwnRequest, wanted: dict[str, Any]) -> bool:
    """Whether everything that we sent is in the request; fal.ai may list defaults beside it."""
    given = request.inputs
    return given is not None and all(name in given and _same(given[name], value) for name, value in wanted.items())


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: 0.95 is 0.95 however it was read."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if _is_number(one) and _is_number(other):
        return Decimal(str(one)) == Decimal(str(other))
    return type(one) is type(other) and bool(one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
