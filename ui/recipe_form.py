"""The form of one step of a clip: the model, its prompt and settings, and a file of one's own where there is one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core import catalog
from core.campaigns import MODELS, Recipe, Step
from core.campaigns.steps import SOURCE_INPUT
from core.catalog import GENERATION_TYPES, Field, Offer
from core.models import Person, Quote
from ui import form, reference, sources, words
from ui.sources import Source

PROMPT_HEIGHT = 120
_PORTRAIT = {"aspect_ratio": "9:16", "shape": "tall"}  # clips are for phones
_USUAL: dict[Step, str] = {"first_frame": "image_hd"}  # the only first frame that needs no picture to begin with
_AUTOMATIC = {
    "video": "Starts with the first frame",
    "voice": "Takes the voice of the video",
    "transcript": "Writes down the voice, else the video",
}
_OWN_FILE = {"video": "Use another picture", "voice": "Use another recording", "transcript": "Use another recording"}


@dataclass(frozen=True, slots=True)
class Draft:
    """What the form says now. Files may still have to be sent."""

    offer: Offer
    inputs: dict[str, Any]
    files: dict[str, list[Source]]

    def recipe(self, person: Person) -> Recipe:
        """As it is stored. Sends what fal.ai does not have yet; raises InvalidInput, NotFound, FalError."""
        lists = {field.name for field in form.file_fields(self.offer) if field.kind == "images"}
        given = dict(self.inputs)
        for name, chosen in self.files.items():
            found = [sources.address(person, source) for source in chosen]
            if found:
                given[name] = found if name in lists else found[0]
        return Recipe(self.offer.type.key, given)

    def quote(self) -> Quote:
        """What one run costs. Raises InvalidInput for a setting out of range."""
        source = sources.megapixels(self.offer.type, self.files)
        return catalog.quote(self.offer, {**self.offer.defaults(), **self.inputs}, source)


def models(step: Step, offers: Mapping[str, Offer]) -> dict[str, Offer]:
    """The models on offer for a step, the usual one first."""
    found = {key: offers[key] for key in MODELS[step] if key in offers and offers[key].enabled}
    usual = _USUAL.get(step, "")
    return {key: found[key] for key in sorted(found, key=lambda key: key != usual)}


def first_recipe(step: Step, offers: Mapping[str, Offer]) -> Recipe | None:
    """What a step of a new clip is made with; None when no model for it is switched on."""
    offer = next(iter(models(step, offers).values()), None)
    return Recipe(offer.type.key, _portrait(offer)) if offer else None


def prompt_name(recipe: Recipe) -> str | None:
    """The name of the text that a recipe is about."""
    field = next(
        (f for f in catalog.get_type(recipe.generation_type).fields if f.kind == "text" and not f.advanced), None
    )
    return field.name if field else None


def lacks_prompt(recipe: Recipe) -> bool:
    """Whether this cannot be made before somebody writes its prompt. Of a type that is gone nobody knows."""
    known = GENERATION_TYPES.get(recipe.generation_type)
    field = known.field_named(prompt_name(recipe) or "") if known is not None else None
    return field is not None and field.required and not str(recipe.inputs.get(field.name) or "").strip()


def prompt_label(type_key: str) -> str:
    """What the form calls the text that a type is about; empty where there is none."""
    known = GENERATION_TYPES.get(type_key)
    fields = known.fields if known is not None else ()
    return next((field.label for field in fields if field.kind == "text" and not field.advanced), "")


def _portrait(offer: Offer) -> dict[str, Any]:
    """The settings that make a phone's format, where the model would start with another."""
    fields = (field for field in offer.type.fields if field.name in _PORTRAIT)
    return {
        field.name: _PORTRAIT[field.name]
        for field in fields
        if _PORTRAIT[field.name] in dict(field.options) and offer.defaults().get(field.name) != _PORTRAIT[field.name]
    }


def draw(person: Person, step: Step, recipe: Recipe | None, offers: Mapping[str, Offer], scope: str) -> Draft | None:
    """The form in the current container, starting with `recipe`. None when no model for the step is switched on."""
    choice = models(step, offers)
    if not choice:
        st.info("No type for this step is switched on at the moment. Ask an admin.")
        return None
    offer = _pick_model(choice, recipe, scope)
    same = recipe is not None and recipe.generation_type == offer.type.key
    known = recipe.inputs if recipe is not None and same else _portrait(offer)
    own = SOURCE_INPUT.get(step, "")
    inputs: dict[str, Any] = {}
    prompt = form.prompt_field(offer)
    if prompt is not None:
        inputs[prompt.name] = _draw_prompt(prompt, known, recipe, scope)
    with st.grid(2, min_column_width=130, vertical_alignment="bottom"):
        drawn = form.draw(offer, _settings(offer, own, advanced=False), scope=scope, values=known)
    if step == "ambient":
        drawn |= _draw_length(offer, own, known, scope)
    files: dict[str, list[Source]] = {}
    with st.container(horizontal=True, vertical_alignment="center"):
        for field in form.file_fields(offer):
            reference.start_with(field, known.get(field.name), scope)
            files[field.name] = _draw_file(person, step, field, own, scope)
        advanced = _settings(offer, own, advanced=True)
        if advanced:
            with st.popover("More settings", type="tertiary", key=f"{scope}-more"):
                drawn |= form.draw(offer, advanced, scope=scope, values=known)
    # A default is not written down: when an admin changes it, this step follows.
    inputs |= {name: value for name, value in drawn.items() if name in known or value != offer.defaults().get(name)}
    return Draft(offer, {name: value for name, value in inputs.items() if value not in (None, "")}, files)


def _pick_model(choice: Mapping[str, Offer], recipe: Recipe | None, scope: str) -> Offer:
    key = f"{scope}-model"
    if st.session_state.get(key) not in choice:
        st.session_state[key] = (
            recipe.generation_type if recipe and recipe.generation_type in choice else next(iter(choice))
        )
    picked = st.selectbox("Type", list(choice), format_func=lambda name: choice[name].type.label, key=key)
    return choice[picked]


def _draw_prompt(prompt: Field, known: Mapping[str, Any], recipe: Recipe | None, scope: str) -> str:
    """The text stays when the model is changed."""
    key = f"{scope}-prompt"
    before = recipe.inputs.get(prompt_name(recipe) or "") if recipe else None
    st.session_state.setdefault(key, known.get(prompt.name) or before or "")
    limit = None if prompt.maximum is None else int(prompt.maximum)
    hint = prompt.placeholder or None
    return (st.text_area(prompt.label, height=PROMPT_HEIGHT, max_chars=limit, placeholder=hint, key=key) or "").strip()


def _draw_length(offer: Offer, name: str, known: Mapping[str, Any], scope: str) -> dict[str, Any]:
    """The ambience lasts as long as the video unless the clip says otherwise."""
    follows = st.toggle("As long as the video", value=known.get(name) is None, key=f"{scope}-follows")
    length = offer.type.field_named(name)
    if follows or length is None:
        return {}
    return form.draw(offer, [length], scope=scope, values=known)


def _draw_file(person: Person, step: Step, field: Field, own: str, scope: str) -> list[Source]:
    """What a step takes from the one before needs no file; one of one's own takes its place."""
    if field.name != own:
        return reference.draw(person, field, inline=False, scope=scope)
    if not st.session_state.get(form.chosen_key(field.name, scope)):
        st.markdown(f":small[:gray[{words.escape(_AUTOMATIC[step])}]]", width="content")
    return reference.draw(person, field, inline=False, scope=scope, empty=_OWN_FILE[step])


def _settings(offer: Offer, own: str, *, advanced: bool) -> list[Field]:
    """A step makes one job at a time, and the length of the ambience is drawn apart."""
    drawn = form.settings(offer, advanced=advanced)
    return [field for field in drawn if field.per_job and field.name != own]
