"""Campaigns, clips, versions and runs as plain frozen records. Credits are whole numbers, money is USD."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from core.campaigns.steps import Step
from core.models import Job, Output, Quote

Visibility = Literal["private", "team"]
RunState = Literal["running", "waiting", "finished", "stopped"]
RunClipState = Literal["due", "running", "waiting", "failed", "done", "stopped"]


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign with its figures. Deleted clips are not counted."""

    id: UUID
    owner_id: UUID
    owner_name: str
    name: str
    brief: str
    visibility: Visibility
    archived_at: datetime | None
    created_at: datetime
    may_change: bool  # its owner and admins
    clips: int
    wanted_steps: int
    made_steps: int  # of the wanted ones, those that have a current version
    open_jobs: int
    credits: int  # charged so far
    spent_usd: Decimal
    run_id: UUID | None  # the latest run
    cover: tuple[Output, ...] = ()  # of the first clips that have something to show, in lists


@dataclass(frozen=True, slots=True)
class CampaignPage:
    """Some campaigns, newest first. `next_cursor` is what to pass for the following ones, None at the end."""

    campaigns: tuple[Campaign, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a step is made with: the model and its inputs, as far as they do not come from the step before."""

    generation_type: str
    inputs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Version:
    """One result of a step. `job` holds prompt, inputs, seed and cost."""

    id: UUID
    clip_id: UUID
    step: Step
    number: int
    job_id: UUID
    is_current: bool
    output_position: int
    made_from: UUID | None
    made_from_output: int | None
    created_at: datetime
    job: Job | None = None  # with outputs; None in lists that do not need it

    @property
    def output(self) -> Output | None:
        """The file that stands for the version; None for a transcript, and once it was deleted."""
        outputs = self.job.outputs if self.job else ()
        return next((output for output in outputs if output.position == self.output_position), None)

    @property
    def seed(self) -> int | None:
        """The seed that was used, when the model tells or was told."""
        data = self.job.result_data if self.job else None
        asked = self.job.input_params.get("seed") if self.job else None
        seed = (data or {}).get("seed", asked)
        return seed if isinstance(seed, int) else None


@dataclass(frozen=True, slots=True)
class StepState:
    """How a step of a clip stands. `is_outdated`: what its current version was made from has changed since."""

    step: Step
    recipe: Recipe | None  # None: not wanted
    current: Version | None
    versions: int
    is_outdated: bool
    open_jobs: tuple[Job, ...]  # newest first; for those who may see jobs that have not ended


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip with all five steps, in the order of the chain. `revision` goes back with an edit."""

    id: UUID
    campaign_id: UUID
    position: int | None  # 1 is the first; None when deleted
    title: str
    script: str
    revision: int
    deleted_at: datetime | None
    steps: tuple[StepState, ...] = ()

    def step(self, step: Step) -> StepState:
        return next(state for state in self.steps if state.step == step)

    @property
    def name(self) -> str:
        """The title, else the place."""
        return self.title or f"Clip {self.position}"


@dataclass(frozen=True, slots=True)
class RunClip:
    """Where a clip of a run is. `reason` is the sentence for the person while it waits or after it failed."""

    clip_id: UUID
    position: int
    step: Step
    state: RunClipState
    reason_code: str | None
    reason: str | None
    job_id: UUID | None


@dataclass(frozen=True, slots=True)
class Run:
    """Generating for many clips at once. Credits at catalogue prices; what failed does not count as used."""

    id: UUID
    campaign_id: UUID
    started_by: UUID
    first_step: Step
    last_step: Step
    confirmed_credits: int
    used_credits: int
    state: RunState
    created_at: datetime
    ended_at: datetime | None
    clips: tuple[RunClip, ...]

    @property
    def is_active(self) -> bool:
        return self.state in ("running", "waiting")

    @property
    def waiting(self) -> tuple[RunClip, ...]:
        """The clips that need a person, with their reasons."""
        return tuple(clip for clip in self.clips if clip.state in ("waiting", "failed"))

    @property
    def done(self) -> int:
        return sum(clip.state == "done" for clip in self.clips)


@dataclass(frozen=True, slots=True)
class EstimateLine:
    """One step of one clip: what it will cost, or why it cannot be made."""

    clip_id: UUID
    clip_name: str
    step: Step
    generation_type: str
    quote: Quote | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What making these steps for these clips will cost, before anything is started."""

    lines: tuple[EstimateLine, ...]
    available: int  # credits the person has

    @property
    def credits(self) -> int:
        return sum(line.quote.credits for line in self.lines if line.quote)

    @property
    def usd(self) -> Decimal:
        return sum((line.quote.estimated_usd for line in self.lines if line.quote), Decimal(0))

    @property
    def problems(self) -> tuple[EstimateLine, ...]:
        return tuple(line for line in self.lines if line.problem)
