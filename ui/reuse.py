"""A result goes on: its inputs back into the form, or itself into any model that takes such a file."""

import streamlit as st

from core import offers
from core.catalog import GENERATION_TYPES
from core.models import Job, Output
from ui import filling, outputs, shell, words


def again(job: Job) -> None:
    """The button that puts the inputs of a job back into the form of the Generate page."""
    if job.generation_type in GENERATION_TYPES and st.button("Use again", key=f"again-{job.id}"):
        filling.put_back(job.generation_type, job.input_params)
        st.switch_page(shell.PAGES / "generate.py")


def as_input(job: Job) -> None:
    """The menu of the models that take a result of this job; which one is asked when it made several."""
    on_offer = offers.offers()
    if not any(filling.uses(on_offer, output.media_type) for output in outputs.shown(job)):
        return
    with st.container(horizontal=True, width="content", vertical_alignment="center", gap="small"):
        output = outputs.pick(job, key=f"which-{job.id}")
        fields = filling.uses(on_offer, output.media_type) if output is not None else {}
        if output is None or not fields:
            return
        picked = st.menu_button(
            "Use as input for",
            list(fields),
            format_func=lambda name: words.escape(on_offer[name].label),
            type="tertiary",
            key=f"use-{job.id}",
        )
        if picked is not None:
            _put(picked, job, output)


def _put(type_key: str, job: Job, output: Output) -> None:
    filling.put_input(type_key, filling.uses(offers.offers(), output.media_type)[type_key], job, output)
    st.switch_page(shell.PAGES / "generate.py")
