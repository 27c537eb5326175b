"""Generate: one card to make something, what is under way, what was made last."""

from typing import Any

import streamlit as st

from core import catalog, jobs
from core.catalog import Field, Offer
from core.errors import InvalidInput
from core.models import Job, Person, Quote
from core.offers import offers
from ui import (
    cards,
    cost_line,
    describe,
    detail,
    drafts,
    filling,
    first_steps,
    form,
    guard,
    live,
    low_credits,
    outcomes,
    preset_dialog,
    press,
    prompt_history,
    reference,
    shell,
    sources,
    words,
)
from ui.sources import Source

RECENT = 8
PROMPT_HEIGHT = 152
UPLOADED = "https://upload.invalid/file"

person = guard.require()


def pick_media(enabled: dict[str, Offer]) -> str:
    """The kinds that have a model, as one control; the first one to begin with."""
    offered = {offer.type.media for offer in enabled.values()}
    kinds = [kind for kind in describe.MEDIA if kind in offered]
    if st.session_state.get(form.MEDIA) not in kinds:
        used = filling.first_used(enabled)
        st.session_state[form.MEDIA] = used.type.media if used is not None else kinds[0]
    chosen = st.segmented_control(
        "Kind",
        kinds,
        format_func=describe.MEDIA.__getitem__,
        required=True,
        key=form.MEDIA,
        label_visibility="collapsed",
        persist_state="session",
    )
    return str(chosen)


def pick_model(enabled: dict[str, Offer], media: str) -> Offer:
    keys = [key for key, offer in enabled.items() if offer.type.media == media]
    key = form.model_key(media)
    if st.session_state.get(key) not in keys:
        used = filling.first_used(enabled, media)
        st.session_state[key] = used.type.key if used is not None else keys[0]
    chosen = st.selectbox(
        "Type", keys, format_func=lambda name: enabled[name].type.label, key=key, persist_state="session"
    )
    return enabled[chosen]


def draw_prompt(prompt: Field) -> str:
    written = st.text_area(
        prompt.label,
        height=PROMPT_HEIGHT,
        max_chars=None if prompt.maximum is None else int(prompt.maximum),
        key=form.PROMPT,
        help=words.escape(prompt.help) or None,
        placeholder=prompt.placeholder or None,
        persist_state="session",
    )
    return (written or "").strip()


def draw_card(person: Person, enabled: dict[str, Offer]) -> tuple[Offer, dict[str, Any]]:
    """The form; returns the model that is chosen and what the form says, without files."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        media = pick_media(enabled)
        with st.container(horizontal=True, width="content", vertical_alignment="center", gap="medium"):
            prompt_history.button()
            preset_dialog.button()
    left, right = st.columns([3, 2], gap="medium")
    files: dict[str, list[Source]] = {}
    with right:
        offer = pick_model(enabled, media)
        with st.grid(2, min_column_width=110, vertical_alignment="bottom"):
            settings = form.draw(offer, form.settings(offer, advanced=False), values=filling.last(offer))
    prompt = form.prompt_field(offer)
    with left:
        if prompt is not None:
            texts = {prompt.name: draw_prompt(prompt)}
        else:
            texts = {}
            files = {
                field.name: reference.draw(person, field, inline=True)
                for field in form.file_fields(offer)
                if field.required
            }
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            for field in form.file_fields(offer):
                if field.name not in files:
                    files[field.name] = reference.draw(person, field, inline=False)
            advanced = form.settings(offer, advanced=True)
            if advanced:
                with st.popover("More settings", type="tertiary", key="more"):
                    settings |= form.draw(offer, advanced, values=filling.last(offer))
        quote = catalog.quote(offer, settings, sources.megapixels(offer.type, files))
        jobs_made = settings.get("batches", 1)
        made = form.images_per_job(offer, settings) * jobs_made
        cost_line.draw(person, quote, jobs_made, cost_line.button(offer.type.noun, made))
    if press.pending():
        order(person, offer, settings | texts, quote, {name: found for name, found in files.items() if found})
    return offer, settings | texts


def order(person: Person, offer: Offer, inputs: dict[str, Any], quote: Quote, files: dict[str, list[Source]]) -> None:
    """The button was pressed: check the form, then make the jobs. Files that still have to be uploaded stand in."""
    lists = frozenset(field.name for field in form.file_fields(offer) if field.kind == "images")
    stand_in = {name: [UPLOADED] * len(found) if name in lists else UPLOADED for name, found in files.items()}
    try:
        split = catalog.split_jobs(offer.type.key, inputs | stand_in)
    except InvalidInput as error:
        press.drop(f"{error.sentence} Nothing was sent and nothing was charged. Complete the form, then press again.")
        return
    made = form.images_per_job(offer, inputs) * len(split)
    what = f"These {words.count(made, offer.type.noun)}" if made > 1 else f"This {offer.type.noun}"
    press.run(person, press.Order(offer.type.key, split, quote.credits, files, lists, what))


def draw_recent(found: tuple[Job, ...]) -> None:
    if not found:
        return
    st.space("small")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Recent", anchor=False, width="content")
        if st.button("All jobs", type="tertiary", icon=":material/arrow_forward:", icon_position="right"):
            st.switch_page(shell.PAGES / "jobs.py")
    cards.gallery(found, "recent")


def draw_dialog(person: Person, on_form: tuple[Offer, dict[str, Any]] | None) -> None:
    """One at a time: Streamlit has no two."""
    if low_credits.too_few(person):
        return
    if on_form is not None and (prompt_history.draw(person, on_form[0]) or preset_dialog.draw(person, *on_form)):
        return
    detail.open_from_address(person)


st.title("Generate", anchor=False)
on_form: tuple[Offer, dict[str, Any]] | None = None
enabled = {key: offer for key, offer in offers().items() if offer.enabled}
recent = jobs.recent(person, RECENT)
outcomes.note(person, recent)
if enabled:
    drafts.restore(person)
    filling.apply_wanted(enabled)
    if left_out := filling.notes():
        st.info(filling.sentences(left_out), icon=":material/info:")
    first_steps.draw(person, enabled, has_made=bool(recent))
    with st.container(border=True, key="generate"):
        on_form = draw_card(person, enabled)
else:
    st.info("No type is switched on at the moment. Ask an admin.")
if problem := press.problem():
    cards.problem(problem)
outcomes.draw(person)
live.running(person, spaced=True)
draw_recent(recent)
draw_dialog(person, on_form)
