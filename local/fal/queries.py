"""How the platform API reads its queries and cuts its answers into pages."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request

MAX_IDS = 50
_LONGEST = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "month": timedelta(days=31),
}


class Invalid(Exception):
    """A query that fal refuses: `status` and `error_type` as in its error object."""

    def __init__(self, message: str, status: int = 400, error_type: str = "validation_error") -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type


def many(request: Request, name: str) -> list[str]:
    """A repeated or comma-separated parameter."""
    values = [part for value in request.query_params.getlist(name) for part in value.split(",") if part]
    if len(values) > MAX_IDS:
        raise Invalid(f"{name} may be given {MAX_IDS} times at most")
    return values


def window(request: Request, default: timedelta) -> tuple[float, float]:
    """Start (inclusive) and end (exclusive) in unix seconds."""
    now = datetime.now(UTC)
    try:
        given = [request.query_params.get(name) for name in ("start", "end")]
        end = datetime.fromisoformat(given[1]) if given[1] else now + timedelta(seconds=1)
        start = datetime.fromisoformat(given[0]) if given[0] else now - default
    except ValueError as wrong:
        raise Invalid("start and end must be ISO 8601 dates") from wrong
    start, end = (moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in (start, end))
    return start.timestamp(), end.timestamp()


def bounded(request: Request, default: timedelta) -> tuple[float, float, str]:
    """Start and end of a usage query, in unix seconds, and its timeframe.

    As fal does unless told `bound_to_timeframe=false`: both are moved to the bounds (UTC) of the timeframe, which
    follows from the length of the window when it is not given.
    """
    start, end = window(request, default)
    length = timedelta(seconds=end - start)
    found = "minute" if length < timedelta(hours=2) else "hour" if length < timedelta(days=2) else "day"
    timeframe = request.query_params.get("timeframe", found)
    if request.query_params.get("bound_to_timeframe", "true") == "true":
        start, end = _floor(start, timeframe).timestamp(), _ceiling(end, timeframe).timestamp()
    return start, end, timeframe


def bucket_of(at: float, timeframe: str) -> str:
    """The start of the minute, hour, day or month (UTC) that unix seconds fall into. Raises Invalid."""
    return _floor(at, timeframe).isoformat().replace("+00:00", "Z")


def _floor(at: float, timeframe: str) -> datetime:
    moment = datetime.fromtimestamp(at, UTC).replace(second=0, microsecond=0)
    if timeframe not in _LONGEST:
        raise Invalid(f"timeframe must be one of {', '.join(_LONGEST)}")
    if timeframe != "minute":
        moment = moment.replace(minute=0)
    if timeframe in ("day", "month"):
        moment = moment.replace(hour=0)
    return moment.replace(day=1) if timeframe == "month" else moment


def _ceiling(at: float, timeframe: str) -> datetime:
    floor = _floor(at, timeframe)
    return floor if floor.timestamp() == at else _floor((floor + _LONGEST[timeframe]).timestamp(), timeframe)


def page(rows: Sequence[Any], name: str, request: Request, *, default: int, largest: int = 1000) -> dict[str, Any]:
    """One page of the rows under `name`, with fal's `next_cursor` and `has_more`. Raises Invalid."""
    try:
        limit = int(request.query_params.get("limit", default))
        cursor = request.query_params.get("cursor")
        start = int(base64.urlsafe_b64decode(cursor)) if cursor else 0
    except ValueError as wrong:
        raise Invalid("limit or cursor is not valid") from wrong
    if not 1 <= limit <= largest or start < 0:
        raise Invalid(f"limit must be from 1 to {largest}")
    end = start + limit
    more = end < len(rows)
    following = base64.urlsafe_b64encode(str(end).encode()).decode() if more else None
    return {name: list(rows[start:end]), "next_cursor": following, "has_more": more}
