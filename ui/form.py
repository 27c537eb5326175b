"""The form of a generation type, drawn from the fields of the catalogue; settings are remembered per type."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.catalog import Field, Offer
from ui import words

GENERATE = "gen"  # the scope of the Generate page; what is set there stays for the session
PROMPT = "gen-prompt"
MEDIA = "gen-media"


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
    return _number(offer, field, default, shared)


def _number(offer: Offer, field: Field, start: Any, shared: dict[str, Any]) -> int | float | None:
    kind = int if field.kind == "integer" else float
    low, high = (None if limit is None else kind(limit) for limit in (field.minimum, field.maximum))
    if kind is float:
        shared |= {"format": "%.4g"}  # 0.95, 3.5, 10: no zeros that say nothing
    if offer.defaults().get(field.name) is None:
        shared |= {"value": None, "placeholder": "Any"}  # and can be emptied again
    if start is not None:
        st.session_state.setdefault(shared["key"], kind(start))
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
