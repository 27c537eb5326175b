"""What the form of the Generate page is filled with: the last settings, an earlier job, a preset, a result as input."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

from core.catalog import Field, Offer
from core.models import Job, Output
from core.presets import Preset
from ui import describe, form, session, sources, words
from ui.sources import Family, Source

FILLED = "gen-filled"  # how often the form was filled in this visit: what the browser goes by (ui/keys.py)
_WANTED = "gen-wanted"
_NOTES = "gen-notes"
_FOR_ONE_JOB = ("seed",)  # the same again would be the same picture again


@dataclass(frozen=True, slots=True)
class _Wanted:
    """`stays` says what of the form is left as it is where `inputs` have nothing for it."""

    type_key: str
    inputs: dict[str, Any]
    stays: Literal["nothing", "words and files", "everything"] = "nothing"


def last(offer: Offer) -> dict[str, Any]:
    """How the person set this type last, as far as it still accepts that: what its form begins with."""
    known = session.last_settings().get(offer.type.key, {})
    fields = (field for advanced in (False, True) for field in form.settings(offer, advanced=advanced))
    names = {field.name for field in fields} - set(_FOR_ONE_JOB)
    return offer.type.acceptable({name: value for name, value in known.items() if name in names})[0]


def first_used(offers: Mapping[str, Offer], media: str | None = None) -> Offer | None:
    """The type that the person used last, of one kind or of all; None when there is none on offer."""
    used = (offers[key] for key in session.last_settings() if key in offers)
    return next((offer for offer in used if media in (None, offer.type.media)), None)


def _want(wanted: _Wanted) -> None:
    st.session_state[_WANTED] = wanted
    st.session_state[FILLED] = st.session_state.get(FILLED, 0) + 1


def put_back(type_key: str, inputs: Mapping[str, Any]) -> None:
    """Have the next run of the Generate page start with all inputs of an earlier job."""
    _want(_Wanted(type_key, dict(inputs)))


def put_preset(preset: Preset) -> None:
    """Have the next run start with these settings. The prompt stays unless the preset has one."""
    _want(_Wanted(preset.generation_type, preset.inputs, "words and files"))


def put_input(type_key: str, field: Field, job: Job, output: Output) -> None:
    """Have the next run start with this result as input of a type."""
    source = sources.of_output(sources.family_of(field), job, output)
    _want(_Wanted(type_key, {field.name: source}, "everything"))


def put_prompt(offer: Offer, text: str) -> None:
    """Have the next run start with this prompt and everything else as it is."""
    prompt = form.prompt_field(offer)
    if prompt is not None:
        _want(_Wanted(offer.type.key, {prompt.name: text}, "everything"))


def uses(offers: Mapping[str, Offer], media_type: str) -> dict[str, Field]:
    """The types that can take something of this media type, each with the field that it goes into."""
    found: dict[str, Field] = {}
    for key, offer in offers.items():
        fields = (field for field in form.file_fields(offer) if sources.fits(sources.family_of(field), media_type))
        field = next(fields, None)
        if offer.enabled and field is not None:
            found[key] = field
    return found


def apply_wanted(offers: Mapping[str, Offer]) -> None:
    """Before any widget is drawn: select the type that was asked for and fill its fields."""
    wanted: _Wanted | None = st.session_state.pop(_WANTED, None)
    if wanted is None:
        return
    forget_notes()
    offer = offers.get(wanted.type_key)
    if offer is None:
        _without_the_model(wanted)
        return
    st.session_state[form.MEDIA] = offer.type.media
    st.session_state[form.model_key(offer.type.media)] = wanted.type_key
    given = {name: value for name, value in wanted.inputs.items() if isinstance(value, Source)}
    kept, notes = offer.type.acceptable({name: v for name, v in wanted.inputs.items() if name not in given})
    if notes:
        st.session_state[_NOTES] = ["Some of it was left out, the rest is filled in.", *notes]
    if wanted.stays != "everything":
        session.last_settings().pop(wanted.type_key, None)  # what is left empty is not what was set last
    for field in offer.type.fields:
        is_setting = not field.is_file and field != form.prompt_field(offer)
        value = given.get(field.name, kept.get(field.name))
        if value is not None or wanted.stays == "nothing" or (is_setting and wanted.stays == "words and files"):
            _fill(offer, field, value)


def notes() -> list[str]:
    """What of the inputs that were asked for could not be filled in, until others are or the button is pressed."""
    found: list[str] = st.session_state.get(_NOTES, [])
    return found


def forget_notes() -> None:
    st.session_state.pop(_NOTES, None)


def _without_the_model(wanted: _Wanted) -> None:
    """The words can still be used with another model."""
    name = describe.model_name(wanted.type_key)
    text = str(wanted.inputs.get("prompt") or wanted.inputs.get("text") or "")
    rest = "The prompt is filled in. Choose another type." if text else "Choose another type."
    st.session_state[_NOTES] = [f"{name} is not on offer at the moment.", rest]
    if text:
        st.session_state[form.PROMPT] = text


def _fill(offer: Offer, field: Field, value: Any) -> None:
    if field.is_file:
        st.session_state[form.chosen_key(field.name)] = as_sources(field, value)
        return
    is_prompt = field == form.prompt_field(offer)
    key = form.PROMPT if is_prompt else form.setting_key(offer.type.key, field.name)
    if value is None:
        st.session_state.pop(key, None)
    elif not field.per_job:
        st.session_state[key] = value * form.images_per_job(offer, {})
    else:
        st.session_state[key] = float(value) if field.kind == "number" else value


def as_sources(field: Field, value: Any) -> list[Source]:
    """The stored value of a file field (an address, several, or a source already) as sources."""
    if isinstance(value, Source):
        return [value]
    addresses = value if isinstance(value, list) else [value] if value else []
    family: Family = sources.family_of(field)
    preview = family == "image"
    return [
        Source(family=family, title="As in the earlier job", url=address, preview=address if preview else "")
        for address in addresses
    ]


def sentences(found: list[str]) -> str:
    """Markdown: the first one bold."""
    return " ".join([f"**{words.escape(found[0])}**", *map(words.escape, found[1:])])
