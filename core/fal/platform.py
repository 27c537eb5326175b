"""fal.ai's platform API: prices, the account's balance, what each request really cost. Money is Decimal throughout.

Protocol: fal.ai's documentation, "Platform APIs". Pages: `limit`, `cursor` → `next_cursor`, `has_more`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import httpx

from core.errors import FalUnauthorized
from core.fal.client import authorization, new_http, read_json, refusal, send, unavailable
from core.settings import Settings

MAX_IDS: Final = 50  # per call, of endpoints or of requests
MAX_PAGES: Final = 100
EVENTS_PER_PAGE: Final = 1000  # fal.ai allows 10,000
EVENTS_BACK: Final = timedelta(days=89)  # fal.ai tells the events of 90 days; a little less, for clocks differ
NANO: Final = Decimal("1e-9")
_METRICS: Final = ("request_count", "success_count", "user_error_count", "error_count", "p50_duration", "p90_duration")


@dataclass(frozen=True, slots=True)
class Price:
    """USD per unit; one number even where the real price has tiers (veo3.1: with audio)."""

    endpoint_id: str
    unit_price: Decimal
    unit: str
    currency: str


@dataclass(frozen=True, slots=True)
class Balance:
    """What the account has left; negative when it is overdrawn."""

    username: str
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class BillingEvent:
    """What one request cost, USD. `cost_total` is after discounts."""

    request_id: str
    endpoint_id: str
    charged_at: datetime
    output_units: Decimal | None
    unit_price: Decimal | None
    cost_total: Decimal


@dataclass(frozen=True, slots=True)
class UsageLine:
    """What one endpoint cost in one bucket of time."""

    bucket: str
    endpoint_id: str
    unit: str
    quantity: Decimal
    cost_total: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """A request of ours that has ended. `inputs` is what was sent, None where fal.ai keeps no payloads."""

    request_id: str
    sent_at: datetime
    inputs: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class AnalyticsLine:
    """How one endpoint did in one bucket of time; durations in seconds, None where fal.ai says nothing."""

    bucket: str
    endpoint_id: str
    metrics: dict[str, Decimal]


class FalPlatform:
    """The platform API. `pricing`, `analytics` and `requests` take any key; the rest needs FAL_ADMIN_KEY."""

    def __init__(self, settings: Settings, http: httpx.Client | None = None) -> None:
        self._key, self._admin_key = settings.fal_key, settings.fal_admin_key
        self._base = settings.fal_api_url
        self._http = http or new_http()

    def pricing(self, endpoint_ids: Sequence[str]) -> tuple[Price, ...]:
        """Present prices. One endpoint that fal.ai does not know may refuse the whole call (FalNotFound)."""
        return tuple(
            Price(
                _text(row, "endpoint_id"), _money(row, "unit_price"), _text(row, "unit"), _text(row, "currency", "USD")
            )
            for chunk in _chunks(endpoint_ids)
            for row in self._rows("models/pricing", "prices", {"endpoint_id": chunk}, self._any())
        )

    def billing(self) -> Balance:
        """The account's balance (admin key)."""
        body = self._get("account/billing", {"expand": "credits"}, self._admin())
        credits = body.get("credits")
        if not isinstance(credits, dict):
            raise unavailable("no balance")
        return Balance(
            _text(body, "username", ""), _money(credits, "current_balance"), _text(credits, "currency", "USD")
        )

    def billing_events(self, request_ids: Sequence[str]) -> tuple[BillingEvent, ...]:
        """What these requests cost (admin key). They appear some time after the end; up to 90 days back."""
        # Said even though requests are named: left out, fal.ai looks at the last 24 hours.
        since = {"start": (datetime.now(UTC) - EVENTS_BACK).isoformat()}
        return tuple(event for chunk in _chunks(request_ids) for event in self._events({"request_id": chunk, **since}))

    def billed_between(self, start: datetime, end: datetime) -> Iterator[BillingEvent]:
        """Every billed request of the account from `start` until before `end`, whoever made it (admin key)."""
        return self._events(_span(start, end))

    def usage(self, start: datetime, end: datetime) -> tuple[UsageLine, ...]:
        """What was used from `start` until before `end` (admin key), to the second: bounds that fal.ai is left to
        align move to its own hours or days (UTC)."""
        exactly = {**_span(start, end), "timeframe": "day", "bound_to_timeframe": "false"}
        return tuple(
            UsageLine(
                bucket=_text(bucket, "bucket", ""),
                endpoint_id=_text(row, "endpoint_id"),
                unit=_text(row, "unit", ""),
                quantity=_money(row, "quantity"),
                cost_total=_cost(row, "cost"),
                currency=_text(row, "currency", "USD"),
            )
            for bucket in self._rows("models/usage", "time_series", exactly, self._admin())
            for row in _list(bucket, "results")
        )

    def analytics(self, endpoint_ids: Sequence[str], start: datetime, end: datetime) -> tuple[AnalyticsLine, ...]:
        """Counts and durations of our own requests from `start` until before `end`."""
        return tuple(
            AnalyticsLine(
                bucket=_text(bucket, "bucket", ""),
                endpoint_id=_text(row, "endpoint_id"),
                metrics={name: value for name in _METRICS if (value := _optional(row, name)) is not None},
            )
            for chunk in _chunks(endpoint_ids)
            for bucket in self._rows(
                "models/analytics",
                "time_series",
                {"endpoint_id": chunk, "expand": list(_METRICS), **_span(start, end)},
                self._any(),
            )
            for row in _list(bucket, "results")
        )

    def _events(self, query: dict[str, Any]) -> Iterator[BillingEvent]:
        query = {**query, "limit": EVENTS_PER_PAGE}
        for row in self._rows("models/billing-events", "billing_events", query, self._admin()):
            yield BillingEvent(
                request_id=_text(row, "request_id"),
                endpoint_id=_text(row, "endpoint_id"),
                charged_at=_moment(row, "timestamp"),
                output_units=_optional(row, "output_units"),
                unit_price=_optional(row, "unit_price"),
                cost_total=_cost(row, "cost_estimate_nano_usd", NANO),
            )

    def requests(self, endpoint_id: str, start: datetime, end: datetime) -> Iterator[OwnRequest]:
        """Our own requests to one endpoint that ended from `start` until before `end`, the latest first."""
        query = {"endpoint_id": endpoint_id, "expand": "payloads", "limit": "100", **_span(start, end)}
        for row in self._rows("models/requests/by-endpoint", "items", query, self._any()):
            inputs = row.get("json_input")
            yield OwnRequest(
                _text(row, "request_id"), _moment(row, "sent_at"), inputs if isinstance(inputs, dict) else None
            )

    def _any(self) -> dict[str, str]:
        return authorization(self._key or self._admin_key)

    def _admin(self) -> dict[str, str]:
        return authorization(self._admin_key, "FAL_ADMIN_KEY")

    def _rows(self, path: str, name: str, params: dict[str, Any], headers: dict[str, str]) -> Iterator[dict[str, Any]]:
        """All rows of a list, page after page."""
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            body = self._get(path, {**params, **({"cursor": cursor} if cursor else {})}, headers)
            yield from _list(body, name)
            following = body.get("next_cursor")
            if not body.get("has_more") or not isinstance(following, str) or not following or following == cursor:
                return
            cursor = following
        raise unavailable(f"more than {MAX_PAGES} pages of {name}")

    def _get(self, path: str, params: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        request = self._http.build_request("GET", f"{self._base}/{path}", params=params, headers=headers)
        response = send(self._http, request, "read")
        if not response.is_success:
            error = refusal(response, "read")
            if isinstance(error, FalUnauthorized) and response.status_code == 403:
                raise FalUnauthorized(
                    "This key may not read the account at fal.ai: an admin key is needed (FAL_ADMIN_KEY).",
                    status=403,
                    error_type="authorization_error",
                    detail=error.detail,
                )
            raise error
        body = read_json(response, exact=True)
        if not isinstance(body, dict):
            raise unavailable("no JSON object")
        return body


def _chunks(ids: Sequence[str]) -> Iterator[list[str]]:
    unique = list(dict.fromkeys(ids))
    for start in range(0, len(unique), MAX_IDS):
        yield unique[start : start + MAX_IDS]


def _span(start: datetime, end: datetime) -> dict[str, str]:
    if start.tzinfo is None or end.tzinfo is None:
        raise ValueError("A span of time needs time zones.")
    return {"start": start.isoformat(), "end": end.isoformat()}


def _list(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = body.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise unavailable(f"no list of {name}")
    return rows


def _text(row: dict[str, Any], name: str, default: str | None = None) -> str:
    value = row.get(name, default)
    if not isinstance(value, str):
        if default is not None and value is None:
            return default
        raise unavailable(f"no {name}")
    return value


def _optional(row: dict[str, Any], name: str) -> Decimal | None:
    """A number as Decimal, None when absent. A boolean or a text is not a number."""
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise unavailable(f"no number in {name}")
    number = Decimal(value)
    if abs(number) >= 10**15:
        raise unavailable(f"no number in {name}")
    return number


def _money(row: dict[str, Any], name: str) -> Decimal:
    value = _optional(row, name)
    if value is None:
        raise unavailable(f"no {name}")
    return value


def _cost(row: dict[str, Any], otherwise: str, unit: Decimal = Decimal(1)) -> Decimal:
    """`cost_total`; where it is not told, the older field, which counts in `unit` dollars."""
    total = _optional(row, "cost_total")
    return _money(row, otherwise) * unit if total is None else total


def _moment(row: dict[str, Any], name: str) -> datetime:
    """A time, with its zone; one without is UTC, as fal.ai's documentation says of all its times."""
    try:
        moment = datetime.fromisoformat(_text(row, name))
    except ValueError as error:
        raise unavailable(f"no time in {name}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
