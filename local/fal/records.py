"""What the simulator remembers about one queued request, and what a finished one looks like."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

QueueStatus = Literal["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]


@dataclass(slots=True, eq=False)
class QueuedRequest:
    """One accepted request. Times are unix seconds; `units` and `cost_usd` are decimal text, as they are exact."""

    request_id: str
    gateway_request_id: str  # differs from request_id when fal had to retry
    endpoint_id: str
    inputs: dict[str, Any]
    base_url: str  # as the caller reached us; output URLs start with it
    ordinal: int  # the n-th accepted submission since the last reset
    submission_key: str  # the same for two submissions that mean the same job
    created_at: float
    ready_at: float  # stays in the queue at least until then
    webhook_url: str | None = None
    low_priority: bool = False
    start_timeout: float | None = None  # seconds until start
    store_io: bool = True
    foreign: bool = False  # made elsewhere with the same key
    quirks: dict[str, str] = field(default_factory=dict)
    extra_fields: list[str] = field(default_factory=list)  # inputs that the endpoint does not know

    status: QueueStatus = "IN_QUEUE"
    cancel_requested: bool = False
    started_at: float | None = None
    ended_at: float | None = None
    planned_seconds: float = 0.0

    status_code: int | None = None  # what the result call replays
    body: Any = None
    error: str | None = None  # infrastructure failures only: shown by the status call
    error_type: str | None = None
    units: str | None = None  # X-Fal-Billable-Units
    cost_usd: str | None = None

    status_polls: int = 0
    result_polls: int = 0
    cancel_calls: int = 0
    webhooks_sent: int = 0
    webhooks_acknowledged: int = 0
    webhook_settled: bool = True  # False while a delivery is still owed
    deliveries: list[dict[str, Any]] = field(default_factory=list)

    @property
    def billed(self) -> bool:
        return self.cost_usd is not None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a request ended: the model's own status code and body, or an infrastructure error with its type."""

    status_code: int
    body: Any
    error: str | None = None
    error_type: str | None = None
    units: Decimal | None = None
    cost_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """One billing event."""

    number: int
    request_id: str
    endpoint_id: str
    charged_at: float
    units: Decimal
    unit_price: Decimal
    cost_usd: Decimal


def plain(amount: Decimal) -> str:
    """A decimal as text, without an exponent or trailing zeros."""
    return f"{amount.normalize():f}"


class ModelError(Exception):
    """The model refuses or fails: `status_code` and a `detail` list like pydantic's.

    Types and messages: fal's "Errors" page for model endpoints.
    """

    def __init__(self, status_code: int, detail: list[dict[str, Any]]) -> None:
        super().__init__(detail[0]["msg"])
        self.status_code = status_code
        self.detail = detail

    @classmethod
    def one(
        cls, status_code: int, location: list[str | int], error_type: str, message: str, given: Any = None
    ) -> "ModelError":
        entry = {
            "loc": location,
            "msg": message,
            "type": error_type,
            "url": f"https://docs.fal.ai/errors#{error_type}",
            "input": given,
        }
        return cls(status_code, [entry])
