"""Generating for many clips at once: the total first, then a run that goes on by itself, in words and with a bar."""

from uuid import UUID, uuid4

import streamlit as st

from core import campaigns, catalog, offers
from core.campaigns import LABELS, STEPS, Campaign, Clip, Estimate, Recipe, Run, Step
from core.errors import InvalidInput
from core.models import Person
from ui import campaign_address, campaign_words, guard, packs, words

_RUN_ID = "campaign-run-id"
_MOST = 1_000_000


@st.dialog("Generate clips", width="medium", on_dismiss=campaign_address.close_dialog)
def confirm(campaign: Campaign, clips: tuple[Clip, ...]) -> None:
    """Which steps for which clips, what that costs in all, and a button that says it."""
    person = guard.require()
    step, last = _choose_steps(clips)
    only_missing = st.toggle("Only what is missing or out of date", value=True, key="run-missing")
    wanted = campaigns.clips_to_make(clips, step, only_missing=only_missing)
    if not wanted:
        st.markdown(f":gray[No clip needs {'a' if step != 'ambient' else 'an'} {campaign_words.NOUNS[step]} now.]")
        return
    with guard.told():
        found = campaigns.estimate(person, campaign.id, step, last, clip_ids=wanted)
        _draw_total(person, found)
        for sentence in campaign_words.begun(clips, wanted, step, last):
            st.markdown(f":small[:gray[{words.escape(sentence)}]]")
        confirmed = found.credits
        if step != last:
            confirmed = _amount(found)
        possible = any(line.quote for line in found.lines)
        if st.button(
            campaign_words.makes(step, last, len(wanted)),
            type="primary",
            disabled=bool(person.fal_lock_reason) or not possible,
            key="run-start",
        ):
            _start(person, campaign, step, last, wanted, confirmed)


def _choose_steps(clips: tuple[Clip, ...]) -> tuple[Step, Step]:
    wanted = [step for step in STEPS if any(clip.step(step).recipe for clip in clips)] or list(STEPS[:1])
    usual = next((step for step in wanted if campaigns.clips_to_make(clips, step, only_missing=True)), wanted[0])
    step = st.segmented_control(
        "Step", wanted, default=usual, format_func=LABELS.__getitem__, required=True, key="run-step"
    )
    step = step or usual
    later = wanted[wanted.index(step) + 1 :]
    if not later or not st.toggle("Then go on with the next steps by itself", key="run-chain"):
        return step, step
    last = st.selectbox("Up to", later, index=len(later) - 1, format_func=LABELS.__getitem__, key=f"run-last-{step}")
    return step, last


def _draw_total(person: Person, found: Estimate) -> None:
    usd = f"about {words.escape(words.usd(found.usd))}"
    if person.is_unmetered:
        st.markdown(f"**No credits** · {usd} · counted in the budget")
    else:
        left = found.available - found.credits
        after = f"{words.credits(left)} left after" if left >= 0 else f":red[{words.credits(-left)} short]"
        st.markdown(f"**{words.credits(found.credits)}** · {usd} · {after}")
        if left < 0:
            st.markdown(
                ":small[:gray[It stops when your credits are used up and says which clips wait. "
                "Nothing that is made is lost.]]"
            )
    for sentence in campaign_words.problems(found.problems):
        st.markdown(f":small[:orange[{words.escape(sentence)}]]")


def _amount(found: Estimate) -> int:
    """What the person agrees to for the steps that nobody presses a button for."""
    amount = st.number_input(
        "May use up to, in credits",
        min_value=0,
        max_value=_MOST,
        value=found.credits,
        step=1,
        key=f"run-amount-{found.credits}",
        help="It stops there and says which clips wait. What fails does not count.",
    )
    return int(amount)


def _start(
    person: Person, campaign: Campaign, step: Step, last: Step, wanted: tuple[UUID, ...], confirmed: int
) -> None:
    run_id: UUID = st.session_state.setdefault(_RUN_ID, uuid4())  # a second click starts no second run
    campaigns.start_run(person, campaign.id, step, last, clip_ids=wanted, confirmed_credits=confirmed, run_id=run_id)
    del st.session_state[_RUN_ID]
    campaign_address.close_dialog()
    st.toast("On its way. You may close this page.")
    st.rerun()


def draw(person: Person, campaign: Campaign, run: Run, clips: tuple[Clip, ...]) -> None:
    """A run that goes on or waits: how far it is, what it has used, which clips wait and why."""
    with st.container(border=True, key="run", gap=8):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(f"{campaign_words.stands(run, campaign)} · {campaign_words.steps_of(run)}", width="content")
            if campaign.may_change:
                _actions(person, run)
        made, total = campaign_words.progress(run, clips)
        st.progress(made / total if total else 0.0)
        st.markdown(f":small[:gray[{campaign_words.done(run, clips)}]]")
        missing = _missing_credits(person, run, clips)
        names = {clip.id: clip.name for clip in clips}
        for item in run.waiting:
            name = names.get(item.clip_id, f"Clip {item.position}")
            said = campaign_words.waits(item, name, has_enough=missing.get(item.clip_id) == 0)
            st.markdown(f":small[:orange[{words.escape(said)}]]")
        if any(missing.values()) and run.started_by == person.user_id:
            packs.choices(person, 0, person.available, back=packs.here())


def _missing_credits(person: Person, run: Run, clips: tuple[Clip, ...]) -> dict[UUID, int]:
    """By clip that waits for credits: how many are short now. They may have come since that was noted."""
    known = {clip.id: clip for clip in clips}
    waiting = [item for item in run.waiting if item.reason_code == "INSUFFICIENT_CREDITS" and item.clip_id in known]
    prices = {item.clip_id: _price(known[item.clip_id].step(item.step).recipe) for item in waiting}
    enough = person.is_unmetered
    return {
        clip_id: 0 if enough else 1 if price is None else max(0, price - person.available)
        for clip_id, price in prices.items()
    }


def _price(recipe: Recipe | None) -> int | None:
    """The credits of one run; None for what is not on offer or not accepted any more."""
    offer = offers.offers().get(recipe.generation_type) if recipe is not None else None
    if offer is None or recipe is None:
        return None
    try:
        return catalog.quote(offer, {**offer.defaults(), **recipe.inputs}).credits
    except InvalidInput:
        return None


def _actions(person: Person, run: Run) -> None:
    with st.container(horizontal=True, width="content", vertical_alignment="center"):
        if run.waiting:
            with st.popover("Go on", key="run-go-on"):
                _resume(person, run)
        if st.button(
            "Stop", type="tertiary", key="run-stop", help="Starts nothing new. What is being made is finished."
        ):
            with guard.told():
                campaigns.stop_run(person, run.id)
                st.rerun()


def _resume(person: Person, run: Run) -> None:
    amount = st.number_input(
        "May use up to, in credits",
        min_value=run.confirmed_credits,
        max_value=max(_MOST, run.confirmed_credits),
        value=run.confirmed_credits,
        step=1,
        key=f"run-more-{run.id}",
    )
    if st.button("Go on with these clips", type="primary", key="run-resume"):
        with guard.told():
            campaigns.resume_run(person, run.id, confirmed_credits=int(amount))
            st.rerun()
