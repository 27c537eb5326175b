"""Changing campaigns and clips. Only the owner and admins may; the database checks the acting person each time.

Every function raises NotFound for what the person may not see, NotAllowed for what they may only look at, Refused with
the code ARCHIVED in an archived campaign, and InvalidInput naming the field.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from core.campaigns.reading import get_campaign, get_clip
from core.campaigns.records import Campaign, Clip, Recipe, Visibility
from core.campaigns.steps import LABELS, MODELS, Step
from core.catalog import get_type
from core.database import get_database
from core.errors import InvalidInput
from core.models import Person


def create_campaign(
    person: Person, name: str, brief: str = "", *, visibility: Visibility = "private", campaign_id: UUID | None = None
) -> Campaign:
    """A new campaign of this person. The same `campaign_id` again gives the same campaign."""
    row = get_database().call(
        "create_campaign",
        p_campaign=campaign_id or uuid4(),
        p_actor=person.user_id,
        p_name=name,
        p_brief=brief,
        p_visibility=visibility,
    )
    return get_campaign(person, UUID(row["id"]))


def edit_campaign(
    person: Person,
    campaign_id: UUID,
    *,
    name: str | None = None,
    brief: str | None = None,
    visibility: Visibility | None = None,
    archived: bool | None = None,
) -> Campaign:
    """Rename, rewrite the brief, share or make private, archive or bring back; what is None stays."""
    get_database().call(
        "edit_campaign",
        p_actor=person.user_id,
        p_campaign=campaign_id,
        p_name=name,
        p_brief=brief,
        p_visibility=visibility,
        p_archived=archived,
    )
    return get_campaign(person, campaign_id)


def add_clip(
    person: Person,
    campaign_id: UUID,
    *,
    title: str = "",
    script: str = "",
    recipes: Mapping[Step, Recipe] | None = None,
    position: int | None = None,
    clip_id: UUID | None = None,
) -> Clip:
    """A new clip, at the end unless a place is given (1 is the first). Its steps are those that have a recipe."""
    row = get_database().call(
        "add_clip",
        p_clip=clip_id or uuid4(),
        p_actor=person.user_id,
        p_campaign=campaign_id,
        p_title=title,
        p_script=script,
        p_steps={step: _recipe_row(step, recipe) for step, recipe in (recipes or {}).items()},
        p_position=position,
    )
    return get_clip(person, UUID(row["id"]))


def edit_clip(
    person: Person,
    clip_id: UUID,
    *,
    title: str | None = None,
    script: str | None = None,
    recipes: Mapping[Step, Recipe | None] | None = None,
    revision: int | None = None,
) -> Clip:
    """Change title, script or single steps; what is not given stays. A step whose recipe is None is not wanted any
    more; its versions stay. With the `revision` that the person saw: Refused, code CHANGED_MEANWHILE, when somebody was
    quicker."""
    get_database().call(
        "edit_clip",
        p_actor=person.user_id,
        p_clip=clip_id,
        p_title=title,
        p_script=script,
        p_steps={step: _recipe_row(step, recipe) if recipe else None for step, recipe in recipes.items()}
        if recipes
        else None,
        p_revision=revision,
    )
    return get_clip(person, clip_id)


def duplicate_clip(person: Person, clip_id: UUID, *, new_id: UUID | None = None) -> Clip:
    """A clip with the same script and steps right behind this one, without its versions."""
    row = get_database().call("duplicate_clip", p_clip=new_id or uuid4(), p_actor=person.user_id, p_from=clip_id)
    return get_clip(person, UUID(row["id"]))


def move_clip(person: Person, clip_id: UUID, position: int) -> None:
    """Put a clip at a place, 1 is the first; the others close up."""
    get_database().call("move_clip", p_actor=person.user_id, p_clip=clip_id, p_position=position)


def delete_clip(person: Person, clip_id: UUID) -> None:
    """Take a clip out; its versions are kept, and what is being made for it still arrives."""
    get_database().call("delete_clip", p_actor=person.user_id, p_clip=clip_id)


def restore_clip(person: Person, clip_id: UUID) -> Clip:
    """Bring a deleted clip back, at the end, with all its versions."""
    get_database().call("restore_clip", p_actor=person.user_id, p_clip=clip_id)
    return get_clip(person, clip_id)


def make_current(person: Person, version_id: UUID, *, output_position: int | None = None) -> None:
    """Go back (or forward) to a version; `output_position` chooses among several pictures of it."""
    get_database().call("make_version_current", p_actor=person.user_id, p_version=version_id, p_output=output_position)


def _recipe_row(step: Step, recipe: Recipe) -> dict[str, Any]:
    """A recipe as it is stored: the model fits the step, what is filled in is valid, something may be missing."""
    if recipe.generation_type not in MODELS[step]:
        raise InvalidInput(f"This type cannot make the step {LABELS[step]!r}.", field="generation_type")
    known = get_type(recipe.generation_type)
    given = {name: value for name, value in recipe.inputs.items() if value not in (None, "")}
    checked = known.clean(given, complete=False)
    # Only what the person filled in: a default that changes later, or comes from the step before, is not frozen here.
    return {
        "generation_type": recipe.generation_type,
        "inputs": {name: checked[name] for name in given if name in checked},
    }
