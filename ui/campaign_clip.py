"""A clip in a dialog: title, script, which steps it has, and their prompts. Everything else is in the steps."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import streamlit as st

from core import campaigns, offers
from core.campaigns import LABELS, STEPS, Campaign, Clip, Recipe, Step
from ui import campaign_address, guard, recipe_form, words

_NEW_ID = "clip-new-id"
_HINTS: dict[Step, str] = {
    "first_frame": "What the first picture shows",
    "video": "What moves, and what is said",
    "ambient": "What one hears around",
}


def open_dialog(clip: Clip) -> None:
    st.dialog(words.escape(clip.name), width=1040, on_dismiss=campaign_address.close_dialog)(_edit)(clip)


@st.dialog("New clip", width=1040, on_dismiss=campaign_address.close_dialog)
def add(campaign: Campaign, clips: Sequence[Clip]) -> None:
    """A clip at the end. It starts with the models and settings of the one before it."""
    new_id: UUID = st.session_state.setdefault(_NEW_ID, uuid4())  # a second click makes no second clip
    title, script, recipes = _form(_usual(clips), "", "", f"clip-new-{new_id}")
    with (
        st.container(horizontal=True, horizontal_alignment="right"),
        guard.told(),
    ):
        if st.button("Add clip", type="primary", key="clip-add"):
            campaigns.add_clip(
                guard.require(), campaign.id, title=title, script=script, recipes=recipes, clip_id=new_id
            )
            del st.session_state[_NEW_ID]
            campaign_address.close_dialog()
            st.rerun()


def _edit(clip: Clip) -> None:
    before = {state.step: state.recipe for state in clip.steps if state.recipe is not None}
    scope = f"clip-{clip.id}-{clip.revision}"
    title, script, recipes = _form(before, clip.title, clip.script, scope)
    changed: dict[Step, Recipe | None] = {step: found for step, found in recipes.items() if found != before.get(step)}
    changed |= {step: None for step in before if step not in recipes}
    with (
        st.container(horizontal=True, horizontal_alignment="right"),
        guard.told(),
    ):
        if st.button("Save clip", type="primary", key=f"{scope}-save"):
            campaigns.edit_clip(
                guard.require(), clip.id, title=title, script=script, recipes=changed, revision=clip.revision
            )
            campaign_address.close_dialog()
            st.rerun()


def _usual(clips: Sequence[Clip]) -> dict[Step, Recipe]:
    """The steps of the last clip without its prompts and files, else every step with its usual model."""
    on_offer = offers.offers()
    if not clips:
        found = {step: recipe_form.first_recipe(step, on_offer) for step in STEPS}
        return {step: recipe for step, recipe in found.items() if recipe is not None}
    return {
        state.step: Recipe(state.recipe.generation_type, _settings_of(state.recipe))
        for state in clips[-1].steps
        if state.recipe is not None
    }


def _settings_of(recipe: Recipe) -> dict[str, Any]:
    text = recipe_form.prompt_name(recipe)
    return {name: value for name, value in recipe.inputs.items() if name != text and name != "seed"}


def _form(start: dict[Step, Recipe], title: str, script: str, scope: str) -> tuple[str, str, dict[Step, Recipe]]:
    left, right = st.columns(2, gap="medium")
    with left:
        title = st.text_input("Title", title, max_chars=120, key=f"{scope}-title") or ""
        script = st.text_area(
            "Script", script, height=240, max_chars=10_000, key=f"{scope}-script", placeholder="What is said, in order"
        )
        chosen = st.pills(
            "Steps",
            list(STEPS),
            selection_mode="multi",
            default=list(start),
            format_func=LABELS.__getitem__,
            key=f"{scope}-steps",
        )
    with right:
        recipes = {step: recipe for step in STEPS if step in chosen and (recipe := _recipe(step, start, scope))}
        st.markdown(":small[:gray[Type, settings and files are chosen in each step.]]")
    return title.strip(), (script or "").strip(), recipes


def _recipe(step: Step, start: dict[Step, Recipe], scope: str) -> Recipe | None:
    """The recipe of a step with the prompt as it is written here."""
    recipe = start.get(step) or recipe_form.first_recipe(step, offers.offers())
    name = recipe_form.prompt_name(recipe) if recipe else None
    if recipe is None or name is None:
        return recipe
    written = st.text_area(
        f"{LABELS[step]} prompt",
        str(recipe.inputs.get(name) or ""),
        height=96,
        key=f"{scope}-{step}-prompt",
        placeholder=_HINTS.get(step),
    )
    rest = {key: value for key, value in recipe.inputs.items() if key != name}
    prompt = (written or "").strip()
    return Recipe(recipe.generation_type, {**rest, name: prompt} if prompt else rest)
