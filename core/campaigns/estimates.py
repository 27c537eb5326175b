"""What steps for many clips will cost, in one total, before anything is started."""

from collections.abc import Sequence
from uuid import UUID

from core.campaigns.making import price
from core.campaigns.reading import list_clips
from core.campaigns.records import Clip, Estimate, EstimateLine
from core.campaigns.steps import SOURCES, Step, between
from core.errors import Refused
from core.models import Person


def estimate(
    person: Person,
    campaign_id: UUID,
    first_step: Step,
    last_step: Step | None = None,
    *,
    clip_ids: Sequence[UUID] | None = None,
) -> Estimate:
    """Prices of a step (or of all from one to another) for all clips of a campaign, or for some. Clips that do not want
    a step have no line for it; a line without a price says what is missing."""
    steps = between(first_step, last_step or first_step)
    clips = [clip for clip in list_clips(person, campaign_id) if clip_ids is None or clip.id in clip_ids]
    return Estimate(tuple(line for clip in clips for line in lines_of(clip, steps)), person.available)


def lines_of(clip: Clip, steps: Sequence[Step]) -> list[EstimateLine]:
    """One line for each of these steps that the clip wants."""
    lines: list[EstimateLine] = []
    coming = {state.step for state in clip.steps if state.current is not None}
    for step in steps:
        recipe = clip.step(step).recipe
        if recipe is None:
            continue
        quote, problem = None, None
        try:
            quote = price(step, recipe, source_comes=any(source in coming for source in SOURCES[step]))
            coming.add(step)
        except Refused as refused:
            problem = refused.sentence
        lines.append(EstimateLine(clip.id, clip.name, step, recipe.generation_type, quote, problem))
    return lines


def clips_to_make(clips: Sequence[Clip], step: Step, *, only_missing: bool = False) -> tuple[UUID, ...]:
    """The clips that want a step; with `only_missing` those that have no current version of it, or an outdated one, and
    are not being made already."""
    return tuple(
        clip.id
        for clip in clips
        if (state := clip.step(step)).recipe is not None
        and (not only_missing or ((state.current is None or state.is_outdated) and not state.open_jobs))
    )
