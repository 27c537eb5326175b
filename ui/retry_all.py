"""Trying all failed jobs of a filter again: how many and what they cost first, then one press."""

import streamlit as st

from core import retrying
from core.models import JobFilter, Person
from core.retrying import RetryOutcome, RetryPlan
from ui import guard, words

_PLAN = "retry-all-plan"  # while the dialog is open, whatever else happens on the page
_TOLD = "retry-all-told"
_NAMED = 5  # jobs that are told apart; the rest is counted


def offer(person: Person, matching: JobFilter) -> None:
    """One line above the failed jobs when some of them can be tried again, and what came of the last press."""
    _tell()
    if (plan := st.session_state.get(_PLAN)) and "job" not in st.query_params:  # one dialog at a time
        st.dialog("Try failed jobs again", on_dismiss=_close)(_confirm)(plan)
    plan = retrying.plan_retries(person, matching)
    if not plan.retries:
        return
    many = len(plan.retries)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        noun = "failed job has" if many == 1 else "failed jobs have"
        st.markdown(f":gray[{words.number(many)} {noun} not been tried again.]", width="content")
        label = "Try it again" if many == 1 else f"Try {many} again"
        st.button(label, on_click=_open, args=(plan,), key="retry-all")


def _open(plan: RetryPlan) -> None:
    st.session_state[_PLAN] = plan


def _close() -> None:
    st.session_state.pop(_PLAN, None)


def _confirm(plan: RetryPlan) -> None:
    person = guard.require()
    many = words.count(len(plan.retries), "job")
    st.markdown(f"{many}, made anew with the same inputs. What fails costs no credits.")
    st.markdown(_cost_line(person, plan))
    if not person.is_unmetered and plan.credits > person.available:
        sentence = "The newest come first. It stops when your credits are used up and says what is left."
        st.markdown(f":small[:gray[{sentence}]]")
    if plan.refused:
        sentence = "of them were refused for what they ask for, and may well be again."
        if plan.refused == 1:
            sentence = "of them was refused for what it asks for, and may well be again."
        st.markdown(f":small[:gray[{words.number(plan.refused)} {sentence}]]")
    if plan.beyond:
        verb = "stays" if plan.beyond == 1 else "stay"
        least = "At least " if plan.is_uncounted else ""
        st.markdown(f":small[:gray[{least}{words.count(plan.beyond, 'older one')} {verb} for the next time.]]")
    _listed([(entry.job.prompt, entry.sentence) for entry in plan.impossible])
    if st.button(f"Try {many} again", type="primary", disabled=bool(person.fal_lock_reason), key="retry-all-go"):
        with guard.told():
            st.session_state[_TOLD] = retrying.carry_out(person, plan)
            _close()
            st.rerun()


def _cost_line(person: Person, plan: RetryPlan) -> str:
    usd = f"about {words.escape(words.usd(plan.usd))}"
    if person.is_unmetered:
        return f"**No credits** · {usd} · counted in the budget"
    left = person.available - plan.credits
    after = f"{words.credits(left)} left after" if left >= 0 else f":red[{words.credits(-left)} short]"
    return f"**{words.credits(plan.credits)}** · {usd} · {after}"


def _tell() -> None:
    """What came of it, once."""
    outcome: RetryOutcome | None = st.session_state.pop(_TOLD, None)
    if outcome is None:
        return
    if outcome.made:
        verb = "is" if len(outcome.made) == 1 else "are"
        st.toast(f"{words.count(len(outcome.made), 'job')} {verb} on the way.")
    elif outcome.skipped and not outcome.waiting:
        st.toast("They had been tried again already.")
    if outcome.waiting:
        noun = "job was" if len(outcome.waiting) == 1 else "jobs were"
        with st.container(border=True, key="not-retried"):
            st.markdown(
                f"**{len(outcome.waiting)} {noun} not tried again.** {words.escape(outcome.waiting[0].sentence)}"
            )
            _listed([(entry.job.prompt, "") for entry in outcome.waiting])


def _listed(lines: list[tuple[str, str]]) -> None:
    """The first few by name, each with what is in its way."""
    for prompt, sentence in lines[:_NAMED]:
        name = words.headline(prompt) or "Without a prompt"
        st.markdown(f":small[:gray[{words.escape(f'{name}: {sentence}' if sentence else name)}]]")
    if len(lines) > _NAMED:
        st.markdown(f":small[:gray[and {words.number(len(lines) - _NAMED)} more]]")
