"""A campaign from memory: records with sensible values, and a stand-in for what `core.campaigns` does with them."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from core.campaigns import (
    STEPS,
    Campaign,
    CampaignPage,
    Clip,
    Estimate,
    EstimateLine,
    Recipe,
    Run,
    RunClip,
    Step,
    StepState,
    Version,
)
from core.errors import NotFound
from core.models import Job, Person, Quote
from tests.unit.ui import doubles

FRAME = Recipe("image_hd", {"prompt": "A vase in a kiln", "aspect_ratio": "9:16"})


def campaign(**changes: Any) -> Campaign:
    return replace(
        Campaign(
            id=uuid4(),
            owner_id=doubles.ME,
            owner_name="Mara Costa",
            name="Autumn, made by *hand*",
            brief="Warm and tactile.",
            visibility="private",
            archived_at=None,
            created_at=doubles.NOON,
            may_change=True,
            clips=1,
            wanted_steps=2,
            made_steps=1,
            open_jobs=0,
            credits=10,
            spent_usd=Decimal("0.15"),
            run_id=None,
        ),
        **changes,
    )


def version(clip_id: UUID, step: Step, number: int = 1, **changes: Any) -> Version:
    made = changes.pop("job", None) or doubles.job(generation_type="image_hd", input_params=dict(FRAME.inputs))
    found = Version(uuid4(), clip_id, step, number, made.id, True, 0, None, None, doubles.NOON, made)
    return replace(found, **changes)


def clip(states: dict[Step, StepState] | None = None, **changes: Any) -> Clip:
    """A clip that wants a first frame and a video and has made neither, unless told otherwise."""
    known: dict[Step, StepState] = {step: StepState(step, None, None, 0, False, ()) for step in STEPS}
    known["first_frame"] = replace(known["first_frame"], recipe=FRAME)
    known["video"] = replace(known["video"], recipe=Recipe("video_veo31_fast", {"prompt": "Slow dolly"}))
    known |= states or {}
    found = Clip(uuid4(), uuid4(), 1, "The kiln", "Nine hours in the fire.", 3, None, tuple(known.values()))
    return replace(found, **changes)


def made(clip_id: UUID, step: Step = "first_frame", **changes: Any) -> StepState:
    return replace(StepState(step, FRAME, version(clip_id, step), 1, False, ()), **changes)


def run(campaign_id: UUID, *items: RunClip, **changes: Any) -> Run:
    found = Run(
        uuid4(), campaign_id, doubles.ME, "first_frame", "video", 60, 24, "running", doubles.NOON, None, tuple(items)
    )
    return replace(found, **changes)


class Campaigns:
    """What `core.campaigns` knows, and what was asked of it."""

    def __init__(self) -> None:
        self.all: list[Campaign] = []
        self.clips: list[Clip] = []
        self.versions: list[Version] = []
        self.run: Run | None = None
        self.calls: list[tuple[Any, ...]] = []
        self.refuses: Exception | None = None

    def _note(self, *call: Any) -> None:
        self.calls.append(call)
        if self.refuses is not None:
            raise self.refuses

    def list_campaigns(self, _person: Person, **wanted: Any) -> CampaignPage:
        self.calls.append(("list", wanted["archived"], wanted["mine"], wanted["text"]))
        found = [one for one in self.all if (one.archived_at is not None) == wanted["archived"]]
        return CampaignPage(tuple(found), None)

    def get_campaign(self, _person: Person, campaign_id: UUID) -> Campaign:
        for one in self.all:
            if one.id == campaign_id:
                return one
        raise NotFound("There is no such campaign.")

    def open_campaign(self, person: Person, campaign_id: UUID) -> tuple[Campaign, tuple[Clip, ...], Run | None]:
        found = self.get_campaign(person, campaign_id)
        active = found.run_id is not None and self.run is not None and self.run.is_active
        return found, tuple(self.clips), self.run if active else None

    def create_campaign(self, _person: Person, name: str, brief: str, **rest: Any) -> Campaign:
        self._note("create", name, brief, rest["visibility"])
        self.all.append(campaign(id=rest["campaign_id"], name=name, brief=brief))
        return self.all[-1]

    def edit_campaign(self, _person: Person, campaign_id: UUID, **changes: Any) -> Campaign:
        self._note("edit_campaign", changes)
        return self.get_campaign(_person, campaign_id)

    def list_clips(self, _person: Person, _campaign_id: UUID, *, deleted: bool = False) -> tuple[Clip, ...]:
        return () if deleted else tuple(self.clips)

    def add_clip(self, _person: Person, _campaign_id: UUID, **given: Any) -> None:
        self._note("add_clip", given["title"], given["script"], given["recipes"])

    def edit_clip(self, _person: Person, clip_id: UUID, **changes: Any) -> Clip:
        self._note("edit_clip", changes)
        return next(one for one in self.clips if one.id == clip_id)

    def duplicate_clip(self, _person: Person, clip_id: UUID) -> None:
        self._note("duplicate", clip_id)

    def move_clip(self, _person: Person, clip_id: UUID, position: int) -> None:
        self._note("move", clip_id, position)

    def delete_clip(self, _person: Person, clip_id: UUID) -> None:
        self._note("delete", clip_id)

    def list_versions(self, _person: Person, clip_id: UUID, step: Step, *, limit: int) -> tuple[Version, ...]:
        found = [one for one in self.versions if (one.clip_id, one.step) == (clip_id, step)]
        return tuple(sorted(found, key=lambda one: -one.number))[:limit]

    def make_current(self, _person: Person, version_id: UUID, *, output_position: int | None = None) -> None:
        self._note("make_current", version_id, output_position)

    def generate(self, _person: Person, clip_id: UUID, step: Step, *, job_id: UUID, expected_credits: int) -> Job:
        self._note("generate", clip_id, step, expected_credits)
        return doubles.running(id=job_id)

    def estimate(
        self, _person: Person, _campaign_id: UUID, first: Step, last: Step, *, clip_ids: tuple[UUID, ...]
    ) -> Estimate:
        steps = STEPS[STEPS.index(first) : STEPS.index(last) + 1]
        quote = Quote("image_hd", 1, 10, Decimal(1), Decimal("0.15"), Decimal("0.15"))
        lines = [
            EstimateLine(one.id, one.name, step, "image_hd", quote, None)
            for one in self.clips
            for step in steps
            if one.id in clip_ids and one.step(step).recipe
        ]
        return Estimate(tuple(lines), 83)

    def start_run(self, _person: Person, _campaign_id: UUID, first: Step, last: Step, **given: Any) -> None:
        self._note("start_run", first, last, given["clip_ids"], given["confirmed_credits"])

    def get_run(self, _person: Person, _run_id: UUID) -> Run | None:
        return self.run

    def stop_run(self, _person: Person, run_id: UUID) -> None:
        self._note("stop_run", run_id)

    def resume_run(self, _person: Person, run_id: UUID, *, confirmed_credits: int) -> None:
        self._note("resume_run", run_id, confirmed_credits)
