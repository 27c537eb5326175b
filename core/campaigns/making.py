"""Making one step of a clip: its recipe and what it is made from become the inputs of a job."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from core import catalog, inputs
from core.campaigns.reading import get_clip
from core.campaigns.records import Clip, Recipe, Version
from core.campaigns.rows import source_of
from core.campaigns.steps import LABELS, SOURCE_INPUT, SOURCES, Step, own_input
from core.catalog import Offer
from core.database import get_database
from core.errors import InvalidInput, NotFound, TypeDisabled
from core.ids import new_id
from core.log import get_logger
from core.models import Job, Person, Quote
from core.offers import offers
from core.rows import job_of
from core.sending import send

log = get_logger(__name__)
# Stands for a picture or recording that a step before will bring, while only the price is asked for.
TO_COME = "https://atelier.invalid/to-come"
SHORTEST_AMBIENCE, LONGEST_AMBIENCE = Decimal("0.5"), Decimal(22)  # seconds, what the model takes


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job that can be created: checked inputs, price and origin."""

    offer: Offer
    inputs: dict[str, Any]
    quote: Quote
    made_from: UUID | None
    made_from_output: int | None

    def parameters(self) -> dict[str, Any]:
        """The arguments of `create_clip_job` that are the same for everybody."""
        return {
            "p_made_from": self.made_from,
            "p_made_from_output": self.made_from_output,
            "p_generation_type": self.offer.type.key,
            "p_input_params": self.inputs,
            "p_prompt": str(self.inputs.get("prompt") or self.inputs.get("text") or ""),
            "p_quantity": self.quote.quantity,
            "p_units": self.quote.billable_units,
            "p_unit_price_usd": self.quote.unit_price_usd,
            "p_longest_seconds": self.offer.type.longest_seconds,
        }


@dataclass(frozen=True, slots=True)
class Source:
    """The version that a step is made from, and the row of its output."""

    version_id: UUID
    output_position: int
    output: dict[str, Any]


def generate(
    person: Person, clip_id: UUID, step: Step, *, job_id: UUID | None = None, expected_credits: int | None = None
) -> Job:
    """Make a step of a clip (again): the result becomes its next version by itself. Returns like `core.jobs.submit`.

    The same `job_id` again gives the same job. Raises what `core.jobs.submit` does, InvalidInput also when the step
    that this one is made from is missing, and NotAllowed to whom may only look.
    """
    clip = get_clip(person, clip_id)
    state = clip.step(step)
    if state.recipe is None:
        raise InvalidInput(f"{LABELS[step]}: choose how it is made first.", field="generation_type")
    prepared = prepare(person.user_id, step, state.recipe, _source(person, clip, step))
    job_id = job_id or new_id()
    row = get_database().call(
        "create_clip_job",
        p_job=job_id,
        p_user=person.user_id,
        p_clip=clip_id,
        p_step=step,
        p_expected_credits=expected_credits,
        **prepared.parameters(),
    )
    log.info("clip_job_created", job_id=str(job_id), clip_id=str(clip_id), step=step, credits=row["credits_held"])
    if row["status"] == "pending" and row["submit_attempted_at"] is None:
        row = send(row)
    return job_of(row)


def prepare(user_id: UUID, step: Step, recipe: Recipe, source: Source | None) -> Prepared:
    """Everything a job of a step needs. Sends to fal.ai's storage what is not there yet, in the name of this person.

    Raises InvalidInput for what is missing or out of range, TypeDisabled, FalError, DatabaseUnavailable.
    """
    offer = offer_for(recipe.generation_type)
    given = {**offer.defaults(), **recipe.inputs}
    uses_source = not own_input(step, recipe.inputs)
    if uses_source and source is not None:
        given[SOURCE_INPUT[step]] = _from_source(user_id, step, source)
    elif uses_source and step != "ambient":
        raise InvalidInput(missing_source(step), field=SOURCE_INPUT[step])
    checked = catalog.validate(recipe.generation_type, given)
    inputs.require_reachable(offer.type, checked)
    used = source if uses_source else None
    return Prepared(
        offer=offer,
        inputs=checked,
        quote=catalog.quote(offer, checked, inputs.source_megapixels(offer.type, checked)),
        made_from=used.version_id if used else None,
        made_from_output=used.output_position if used else None,
    )


def price(step: Step, recipe: Recipe, *, source_comes: bool) -> Quote:
    """What a step will cost, before what it is made from needs to be there. Raises like `prepare`."""
    offer = offer_for(recipe.generation_type)
    given = {**offer.defaults(), **recipe.inputs}
    if step != "ambient" and not own_input(step, recipe.inputs):
        if not source_comes:
            raise InvalidInput(missing_source(step), field=SOURCE_INPUT[step])
        given[SOURCE_INPUT[step]] = TO_COME
    checked = catalog.validate(recipe.generation_type, given)
    return catalog.quote(offer, checked, inputs.source_megapixels(offer.type, checked))


def offer_for(generation_type: str) -> Offer:
    """Raises NotFound for a model that there is not, TypeDisabled for one that is switched off."""
    offer = offers().get(generation_type)
    if offer is None:
        raise NotFound("There is no such type.")
    if not offer.enabled:
        raise TypeDisabled("This type is switched off at the moment. Nothing was charged. Choose another one.")
    return offer


def missing_source(step: Step) -> str:
    """The sentence for a step that has nothing to be made from."""
    needed = " or ".join(LABELS[source].lower() for source in SOURCES[step])
    return f"{LABELS[step]}: there is no {needed} of this clip yet. Make it first, or choose a file of your own."


def current_versions(clip: Clip) -> Mapping[Step, Version]:
    """The current version of every step that has one."""
    return {state.step: state.current for state in clip.steps if state.current is not None}


def _source(person: Person, clip: Clip, step: Step) -> Source | None:
    version = source_of(step, current_versions(clip))
    if version is None or version.output is None:
        return None
    return Source(version.id, version.output_position, inputs.output_row(person, version.output.id))


def _from_source(user_id: UUID, step: Step, source: Source) -> Any:
    """The input that a step takes from the one before: an address, or for the ambience the length of the video."""
    if step == "ambient":
        return _ambience_seconds(source.output)
    if source.output["media_type"].startswith("video/"):
        return inputs.send_sound(user_id, source.output).url
    return inputs.send_output(user_id, source.output).url


def _ambience_seconds(output: dict[str, Any]) -> float:
    """As long as the video, within what the model takes."""
    told = output["duration_seconds"]
    seconds = Decimal(str(told)) if told is not None else inputs.length(output)
    return float(min(max(seconds, SHORTEST_AMBIENCE), LONGEST_AMBIENCE).quantize(Decimal("0.1")))
