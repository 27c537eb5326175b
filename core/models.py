"""The things Atelier talks about, as plain frozen records: what the database returns and the pages show."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from core.keyset import Place

if TYPE_CHECKING:
    from core.alerts import Alert

Role = Literal["user", "admin"]
JobStatus = Literal["pending", "submitted", "in_progress", "completed", "failed", "cancelled"]
CostSource = Literal["estimated", "metered", "confirmed"]
BudgetTone = Literal["ok", "low", "out", "unset"]

OPEN_STATUSES: tuple[JobStatus, ...] = ("pending", "submitted", "in_progress")


@dataclass(frozen=True, slots=True)
class Budget:
    """What the header says. USD. `remaining` is None until somebody has entered a balance."""

    spent: Decimal  # since the latest balance, or this month when there is none
    amount: Decimal | None = None
    taken_at: datetime | None = None
    remaining: Decimal | None = None
    scope: Literal["team", "person"] | None = None  # whose balance it is

    @property
    def share(self) -> Decimal | None:
        """What is left, 0 to 1; None without a balance."""
        if self.amount is None or self.remaining is None:
            return None
        if self.amount <= 0:
            return Decimal(0)
        return min(Decimal(1), max(Decimal(0), self.remaining / self.amount))

    @property
    def tone(self) -> BudgetTone:
        """Green above 50 %, yellow from 25 to 50 %, red below 25 %."""
        share = self.share
        if share is None:
            return "unset"
        if share > Decimal("0.5"):
            return "ok"
        return "low" if share >= Decimal("0.25") else "out"


@dataclass(frozen=True, slots=True)
class LastSettings:
    """How somebody set a generation type when they used it last; without the prompt."""

    generation_type: str
    inputs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a session proves, with what every page needs to know about them. Credits are whole numbers."""

    user_id: UUID
    email: str
    full_name: str
    role: Role
    is_approved: bool
    is_unmetered: bool
    is_active: bool
    available: int
    held: int
    open_jobs: int
    budget: Budget
    people_waiting: int  # for admins; 0 for everybody else
    fal_lock_reason: str | None  # set while fal.ai has the account locked
    access_token: str = field(repr=False)  # a Supabase JWT: reads as this person, row level security decides
    running: tuple["Job", ...] = field(default=(), repr=False)  # their jobs that have not ended, newest first
    alerts: tuple["Alert", ...] = field(default=(), repr=False)  # of the present balance and month, newest first
    last_settings: tuple["LastSettings", ...] = field(default=(), repr=False)  # newest first; only as a visit begins

    @property
    def is_admin(self) -> bool:
        return self.role == "admin" and self.is_approved and self.is_active

    @property
    def may_generate(self) -> bool:
        return self.is_approved and self.is_active


@dataclass(frozen=True, slots=True)
class Output:
    """One produced file (or text). `url` is what a browser can load now: a signed URL of our copy, else fal's."""

    id: UUID
    position: int
    media_type: str  # "image/png", "video/mp4", …
    url: str | None
    source_url: str | None
    storage_path: str | None
    size_bytes: int | None
    width: int | None
    height: int | None
    duration_seconds: Decimal | None
    mirrored_at: datetime | None


@dataclass(frozen=True, slots=True)
class Job:
    """One job as the database has it. Credits are whole numbers, money is USD."""

    id: UUID
    user_id: UUID
    generation_type: str
    status: JobStatus
    input_params: dict[str, Any]
    quantity: int
    credits_held: int
    credits_charged: int
    estimated_usd: Decimal
    actual_usd: Decimal | None
    cost_source: CostSource
    progress: Decimal | None  # 0 to 1, when fal tells
    queue_position: int | None  # 0 is next
    progress_message: str | None
    error_type: str | None
    error_message: str | None
    fal_request_id: str | None
    retried_from: UUID | None
    retried_as: UUID | None  # the latest job that tries this one again
    is_automatic_retry: bool  # nobody asked for it: fal.ai's machines had failed and nothing was billed
    campaign_id: UUID | None
    clip_id: UUID | None
    clip_step: str | None
    is_late: bool  # a success that came after we had given up: delivered, not charged
    cancel_requested_at: datetime | None
    created_at: datetime
    submit_attempted_at: datetime | None
    submitted_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    expected_seconds: int  # what a run of this type usually takes
    result_data: dict[str, Any] | None
    outputs: tuple[Output, ...] = ()
    is_favourite: bool = False

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES

    @property
    def is_unclear(self) -> bool:
        """Sent, but fal never said clearly that it has it: we keep looking and never send it again."""
        return self.status == "pending" and self.submit_attempted_at is not None and self.fal_request_id is None

    @property
    def prompt(self) -> str:
        return str(self.input_params.get("prompt") or self.input_params.get("text") or "")


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One line of a job's story (from `generation_logs` and the ledger)."""

    happened_at: datetime
    event: str  # created, submitted, in_progress, completed, failed, cancelled, cost_confirmed, …
    by: str | None  # who brought it: person, worker, webhook, poll, submit, admin
    message: str | None
    credits: int | None
    usd: Decimal | None


@dataclass(frozen=True, slots=True)
class CreditEntry:
    """One line of the ledger. `amount` > 0; the kind says which way it moved."""

    id: int
    created_at: datetime
    kind: str  # one of core.credits.GROUPS
    amount: int
    available_change: int  # how the balance moved: negative for a hold, 0 for a capture
    available_after: int
    held_after: int
    job_id: UUID | None
    purchase_id: UUID | None
    prompt: str | None  # of the job
    reason: str | None


@dataclass(frozen=True, slots=True)
class Quote:
    """What a run will cost, known before the button is pressed."""

    generation_type: str
    quantity: int  # in credit units: batches, images, seconds, requests
    credits: int
    billable_units: Decimal  # in fal's price unit: megapixels, images, seconds, …
    unit_price_usd: Decimal
    estimated_usd: Decimal


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which ended jobs are meant. What is left out does not narrow; `text` is looked for in prompts.

    `status` is completed, failed, cancelled or late (delivered after it had been closed; those are not failed here).
    Moments: from the first one on, before the second one.
    """

    media_kinds: tuple[str, ...] = ()
    status: str | None = None
    generation_type: str | None = None
    campaign_id: UUID | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    text: str = ""
    favourites: bool = False

    @property
    def is_empty(self) -> bool:
        return self == JobFilter()


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of finished jobs, newest first. `older` is where the next page begins, None when this is the last."""

    jobs: tuple[Job, ...]
    older: Place | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A person who waits for approval."""

    user_id: UUID
    email: str
    full_name: str
    created_at: datetime
