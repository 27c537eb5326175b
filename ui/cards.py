"""Cards: a finished job in the gallery, a running one, the box where nothing is yet."""

from collections.abc import Callable
from html import escape

import streamlit as st

from core import jobs
from core.models import Job
from ui import describe, favourites, guard, moments, selection, sentences, session, tiles, words

_TEXT_IN_CARD = 220


def open_detail(job_id: str) -> None:
    """Show a job's detail: the address is the state, so that it can be shared and survives a reload."""
    st.query_params["job"] = job_id


def gallery(jobs_shown: tuple[Job, ...], key: str, *, selecting: bool = False) -> None:
    """Finished jobs as squares with two lines below; a click opens the detail, or chooses while `selecting`."""
    with st.container(key=f"gallery-{key}"):
        grid = st.grid(4, min_column_width=150, gap=(28, 20))
        for job in jobs_shown:
            with grid.cell(), st.container(key=f"card-{job.id}", gap=4):
                _card(job, key, selecting)


def _card(job: Job, key: str, selecting: bool) -> None:
    picked = selecting and job.id in selection.chosen()
    st.html(f'<div class="picked">{_tile(job)}</div>' if picked else _tile(job))
    st.button(
        words.escape(describe.title(job)),
        key=f"open-{key}-{job.id}",
        type="tertiary",
        wrap=True,
        on_click=selection.pick if selecting else open_detail,
        args=(job.id,) if selecting else (str(job.id),),
    )
    now, tz = session.now(), session.tz()
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", wrap=False, gap=4
    ):
        moments.line(describe.caption(job, now, tz), job.completed_at or job.created_at)
        favourites.on_card(job, key)


def _tile(job: Job) -> str:
    """A square of HTML: the picture, the first frame, or a stand-in. Every value in it is escaped."""
    output = next((made for made in job.outputs if describe.is_web(made.url)), None)
    if job.status != "completed" and output is None:
        reason = job.error_message or describe.status(job)
        return f'<div class="tile words">{escape(reason.split(". ")[0].rstrip("."))}</div>'
    text = str((job.result_data or {}).get("text") or "")
    if output is None:
        shown = text[:_TEXT_IN_CARD] or "On its way from fal.ai"
        return f'<div class="tile words">{escape(shown)}</div>'
    return tiles.of_output(output, describe.picture_alt(job, output))


def running(job: Job) -> None:
    """A job that is under way: title, kind and credits, Cancel, bar, one line of state. Lives in a fragment."""
    now = session.now()
    with st.container(gap=8, key=f"running-{job.id}"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", wrap=False):
            with st.container(gap=None, width="stretch"):
                if st.button(words.escape(describe.title(job)), key=f"watch-{job.id}", type="tertiary", wrap=True):
                    open_detail(str(job.id))
                    st.rerun()
                st.markdown(f":small[:gray[{_kind_and_credits(job)}]]")
            asked = job.cancel_requested_at is not None
            if st.button("Cancel", key=f"cancel-{job.id}", type="tertiary", disabled=asked):
                cancel(job)
        st.progress(describe.progress(job, now))
        state = f":small[{words.escape(describe.state(job, now))}]"
        if not describe.is_looked_for(job, now):
            st.markdown(state)
            return
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(state, width="content")
            if st.button("Check again", key=f"check-{job.id}", type="tertiary", disabled=asked):
                check_again(job)


def _kind_and_credits(job: Job) -> str:
    facts = [describe.kind(job), words.credits(job.credits_held) if job.credits_held else None, describe.again(job)]
    return " · ".join(fact for fact in facts if fact)


def cancel(job: Job) -> None:
    """Ask for the end of a running job and say what came of it."""
    person = guard.require()
    with guard.told():
        ended = jobs.cancel(person, job.id)
        if ended.status == "cancelled":
            st.toast(f"Cancelled. {describe.charged(ended)}.")
        elif ended.is_open:
            st.toast("fal.ai has been asked. The job ends when it confirms.")
        st.rerun()


def check_again(job: Job) -> None:
    """Look for a job that fal.ai did not confirm, now, and say what came of it. Never sends it a second time."""
    person = guard.require()
    with guard.told():
        found = jobs.check_again(person, job.id)
        st.toast("Nothing yet. We keep looking." if found.is_unclear else "Found at fal.ai.")
        st.rerun()


def empty(heading: str, sentence: str, button: str, on_click: Callable[[], None] | None = None, *, key: str) -> bool:
    """The box where nothing is yet: what will be here, and one button. Returns whether that was pressed."""
    with st.container(border=True, horizontal_alignment="center", key=f"nothing-{key}"):
        st.subheader(heading, anchor=False, text_alignment="center")
        st.markdown(f":gray[{words.escape(sentence)}]", text_alignment="center")
        return st.button(button, type="primary", on_click=on_click, key=f"begin-{key}")


def problem(sentence: str) -> None:
    """Something went wrong: its first part bold."""
    st.error(sentences.marked(sentence), icon=":material/error:")
