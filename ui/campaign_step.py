"""One step of a clip in a dialog: its versions on the left, how it is made on the right."""

from uuid import UUID

import streamlit as st

from core import campaigns, offers
from core.campaigns import LABELS, Campaign, Clip, Recipe, Step
from core.errors import InvalidInput
from core.ids import new_id
from core.models import Person
from ui import (
    campaign_address,
    campaign_versions,
    campaign_words,
    cost_line,
    describe,
    guard,
    recipe_form,
    session,
    words,
)
from ui.recipe_form import Draft

WIDTH = 1040


def open_dialog(campaign: Campaign, clip: Clip, step: Step) -> None:
    title = f"{clip.name} · {LABELS[step].lower()}"
    st.dialog(words.escape(title), width=WIDTH, on_dismiss=campaign_address.close_dialog)(_body)(campaign, clip, step)


def _body(campaign: Campaign, clip: Clip, step: Step) -> None:
    person = guard.require()
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _running(clip, step)
        campaign_versions.draw(person, campaign, clip, step)
    with right:
        if campaign.may_change and campaign.archived_at is None:
            _draw_form(person, clip, step)
        else:
            _draw_recipe(clip.step(step).recipe)


def _running(clip: Clip, step: Step) -> None:
    """What is being made for this step; the page shows it live."""
    for job in clip.step(step).open_jobs:
        st.progress(describe.progress(job, session.now()))
        st.markdown(f":small[{words.escape(describe.state(job, session.now()))}]")
    late = campaign_words.outdated(clip, clip.step(step))
    if late:
        st.warning(words.escape(late))


def _draw_recipe(recipe: Recipe | None) -> None:
    """For those who may only look."""
    if recipe is None:
        st.markdown(":gray[This step is left out.]")
        return
    offer = offers.offers().get(recipe.generation_type)
    st.subheader("Made with", anchor=False)
    st.markdown(words.escape(offer.label if offer else recipe.generation_type))
    name = recipe_form.prompt_name(recipe) if offer else None
    if name and recipe.inputs.get(name):
        st.text(str(recipe.inputs[name]))


def _draw_form(person: Person, clip: Clip, step: Step) -> None:
    # The revision is in the name: what somebody else has saved meanwhile is shown and not overwritten.
    scope = f"clip-{clip.id}-{step}-{clip.revision}"
    old = clip.step(step).recipe
    draft = recipe_form.draw(person, step, old, offers.offers(), scope)
    if draft is None:
        return
    with st.container(key="step-actions", gap="small"):
        reason = _draw_cost(person, draft)
        with st.container(horizontal=True, vertical_alignment="center"):
            again = "again" if clip.step(step).current else ""
            if st.button(
                f"Generate {campaign_words.NOUNS[step]} {again}".strip(),
                type="primary",
                disabled=bool(reason),
                help=words.escape(reason) or None,
                key=f"{scope}-generate",
            ):
                _generate(person, clip, step, draft)
            if st.button("Save", key=f"{scope}-save"):
                _save(person, clip, step, draft)
            if old is not None and st.button("Leave out", type="tertiary", key=f"{scope}-leave"):
                _leave_out(person, clip, step)


def _draw_cost(person: Person, draft: Draft) -> str:
    """The cost line; returns why nothing can be started, empty when it can."""
    try:
        quote = draft.quote()
    except InvalidInput as error:
        st.markdown(f":red[{words.escape(error.sentence)}]")
        return error.sentence
    st.markdown(cost_line.text(person, quote, 1))
    return cost_line.off_reason(person)


def _written(person: Person, clip: Clip, step: Step, draft: Draft) -> Clip:
    """The clip with what is in the form; nothing is written when that is what it has."""
    recipe = draft.recipe(person)
    if recipe == clip.step(step).recipe:
        return clip
    return campaigns.edit_clip(person, clip.id, recipes={step: recipe}, revision=clip.revision)


def _save(person: Person, clip: Clip, step: Step, draft: Draft) -> None:
    with guard.told():
        _written(person, clip, step, draft)
        st.toast("Saved.")
        st.rerun()


def _leave_out(person: Person, clip: Clip, step: Step) -> None:
    with guard.told():
        campaigns.edit_clip(person, clip.id, recipes={step: None}, revision=clip.revision)
        campaign_address.close_dialog()
        st.toast(f"{LABELS[step]} is left out. Its versions are kept.")
        st.rerun()


def _generate(person: Person, clip: Clip, step: Step, draft: Draft) -> None:
    """One job. Its id is kept until it is made: a second click finds the same."""
    key = f"clip-job-{clip.id}-{step}"
    job_id: UUID = st.session_state.setdefault(key, new_id())
    with guard.told():
        _written(person, clip, step, draft)
        job = campaigns.generate(person, clip.id, step, job_id=job_id, expected_credits=draft.quote().credits)
        del st.session_state[key]
        if job.status != "failed":
            st.toast("On its way.")
            st.rerun()
        st.error(words.escape(job.error_message or "It could not be made."), icon=":material/error:")
