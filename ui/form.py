"""The form of a generation type, drawn from the fields of the catalogue; settings are remembered per type."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.catalog import GENERATION_TYPES, Field, Offer
from core.models import Job, Output
from ui import sources, words
from ui.sources import Family, Source

GENERATE = "gen"  # the scope of the Generate page; what is set there stays for the session
PROMPT = "gen-prompt"
MEDIA = "gen-media"
_WANTED = "gen-wanted"


def model_key(media: str) -> str:
    return f"gen-model-{media}"


def setting_key(type_key: str, field: str, scope: str = GENERATE) -> str:
    return f"{scope}-{type_key}-{field}"


def chosen_key(field: str, scope: str = GENERATE) -> str:
    """Where the sources that were chosen for a field are kept, a list of `Source`."""
    return f"{scope}-chosen-{field}"


def prompt_field(offer: Offer) -> Field | None:
    """The one text that the type is about."""
    return next((field for field in offer.type.fields if field.kind == "text" and not field.advanced), None)


def file_fields(offer: Offer) -> list[Field]:
    return [field for field in offer.type.fields if field.is_file]


def settings(offer: Offer, *, advanced: bool) -> list[Field]:
    """The fields that are drawn as settings: neither the prompt nor a file."""
    prompt = prompt_field(offer)
    rest = (field for field in offer.type.fields if field is not prompt and not field.is_file)
    return [field for field in rest if field.advanced == advanced]


def images_per_job(offer: Offer, inputs: dict[str, Any]) -> int:
    """How many pictures one job makes; 1 for everything that is not a picture."""
    counted = offer.type.usage.images
    return counted({**offer.defaults(), **inputs}) if counted is not None else 1


def put_back(job: Job) -> None:
    """Have the next run of the Generate page start with the inputs of this job."""
    st.session_state[_WANTED] = (job.generation_type, dict(job.input_params))


def uses(offers: Mapping[str, Offer], media_type: str) -> dict[str, Field]:
    """The types that can take something of this media type, each with the field that it goes into."""
    found: dict[str, Field] = {}
    for key, offer in offers.items():
        fields = (field for field in file_fields(offer) if sources.fits(sources.family_of(field), media_type))
        field = next(fields, None)
        if offer.enabled and field is not None:
            found[key] = field
    return found


def put_input(type_key: str, field: Field, job: Job, output: Output) -> None:
    """Have the next run of the Generate page start with this result as input of a type."""
    source = sources.of_output(sources.family_of(field), job, output)
    st.session_state[_WANTED] = (type_key, {field.name: source})


def apply_wanted(offers: Mapping[str, Offer]) -> None:
    """Before any widget is drawn: select the type that was asked for and fill its fields."""
    wanted = st.session_state.pop(_WANTED, None)
    if wanted is None:
        return
    type_key, inputs = wanted
    if type_key not in offers:
        st.toast("This model is switched off at the moment.")
        return
    media = GENERATION_TYPES[type_key].media
    st.session_state[MEDIA] = media
    st.session_state[model_key(media)] = type_key
    as_input = any(isinstance(value, Source) for value in inputs.values())
    for field in GENERATION_TYPES[type_key].fields:
        if not as_input or field.name in inputs:  # "use as input" leaves the rest of the form as it is
            _fill(offers[type_key], field, inputs.get(field.name))


def _fill(offer: Offer, field: Field, value: Any) -> None:
    if field.is_file:
        st.session_state[chosen_key(field.name)] = as_sources(field, value)
        return
    key = PROMPT if field == prompt_field(offer) else setting_key(offer.type.key, field.name)
    if value is None:
        st.session_state.pop(key, None)
    else:
        st.session_state[key] = value


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


def draw(
    offer: Offer, fields: list[Field], *, scope: str = GENERATE, values: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """One widget per field in the current container; values by field name, without the empty ones.

    `values` is what the form starts with where it differs from the offer's defaults.
    """
    start = {**offer.defaults(), **(values or {})}
    drawn = {field.name: _widget(offer, field, scope, start.get(field.name)) for field in fields}
    return {name: value for name, value in drawn.items() if value is not None and value != ""}


def _widget(offer: Offer, field: Field, scope: str, default: Any) -> Any:
    key = setting_key(offer.type.key, field.name, scope)
    shared: dict[str, Any] = {
        "key": key,
        "help": words.escape(field.help) or None,
        "persist_state": "session" if scope == GENERATE else None,
    }
    if not field.per_job:
        return _batches(offer, field, shared)
    if field.kind == "choice":
        labels = dict(field.options)
        if st.session_state.get(key) not in labels:
            st.session_state[key] = default if default in labels else next(iter(labels))
        return st.selectbox(field.label, list(labels), format_func=labels.__getitem__, **shared)
    if field.kind == "toggle":
        st.session_state.setdefault(key, bool(default))
        return st.toggle(field.label, **shared)
    if field.kind == "text":
        st.session_state.setdefault(key, default or "")
        hint = field.placeholder or None
        return st.text_input(field.label, max_chars=_whole(field.maximum), placeholder=hint, **shared).strip()
    return _number(field, default, shared)


def _number(field: Field, default: Any, shared: dict[str, Any]) -> int | float | None:
    kind = int if field.kind == "integer" else float
    low, high = (None if limit is None else kind(limit) for limit in (field.minimum, field.maximum))
    if kind is float:
        shared |= {"format": "%.4g"}  # 0.95, 3.5, 10: no zeros that say nothing
    if default is None:
        shared |= {"value": None, "placeholder": "Any"}
    else:
        st.session_state.setdefault(shared["key"], kind(default))
    step = 1 if kind is int else _step(low, high)
    value: int | float | None = st.number_input(field.label, min_value=low, max_value=high, step=step, **shared)
    return value


def _step(low: float | None, high: float | None) -> float:
    """How far one click goes, so that a handful of clicks crosses the range."""
    span = 100 if low is None or high is None else high - low
    return 0.01 if span <= 0.1 else 0.05 if span <= 1 else 0.5


def _batches(offer: Offer, field: Field, shared: dict[str, Any]) -> int:
    """Drawn as a number of pictures: 2, 4 or 6 are one, two or three jobs of two."""
    each = images_per_job(offer, {})
    st.session_state.setdefault(shared["key"], each * int(field.default or 1))
    chosen: int = st.number_input(
        "Images",
        min_value=each * int(field.minimum or 1),
        max_value=each * int(field.maximum or 1),
        step=each,
        **{**shared, "help": None},
    )
    return max(1, round(chosen / each))


def _whole(limit: int | float | None) -> int | None:
    return None if limit is None else int(limit)
