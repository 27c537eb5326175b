"""Choosing several finished jobs in the gallery: to take away as one ZIP, or to set two side by side."""

from uuid import UUID

import streamlit as st

from core import jobs
from core.models import Job, Person
from core.zips import MOST_JOBS
from ui import archives, describe, guard, outputs, transcript, words

_MODE = "jobs-selecting"
_CHOSEN = "jobs-selected"
_PAIR = "jobs-compared"  # the ids of the two while the dialog is open
_WIDTH = 1040


def switch() -> bool:
    """The switch beside the heading; returns whether cards are chosen rather than opened."""
    return st.toggle("Select", key=_MODE, on_change=clear)


def clear() -> None:
    st.session_state[_CHOSEN] = []
    _close()


def chosen() -> list[UUID]:
    """The chosen jobs, in the order in which they were chosen."""
    found: list[UUID] = st.session_state.setdefault(_CHOSEN, [])
    return found


def pick(job_id: UUID) -> None:
    """Choose a job, or let it go again."""
    found = chosen()
    if job_id in found:
        found.remove(job_id)
    elif len(found) < MOST_JOBS:
        found.append(job_id)
    else:
        st.toast(f"{MOST_JOBS} jobs at once at most.")


def bar(person: Person) -> None:
    """What can be done with the chosen ones."""
    found = chosen()
    with st.container(horizontal=True, vertical_alignment="center", key="selection"):
        if not found:
            st.markdown(":small[:gray[Choose what you want to take away, or two to compare.]]", width="content")
            return
        st.markdown(f":small[{words.count(len(found), 'job')} chosen]", width="content")
        archives.button("Download ZIP", archives.of_jobs(found))
        st.button(
            "Compare",
            disabled=len(found) != 2,
            help="Choose two." if len(found) != 2 else None,
            on_click=_open,
            key="compare-button",
        )
        st.button("Choose none", type="tertiary", on_click=clear)
    if pair := st.session_state.get(_PAIR):
        with guard.told():
            left, right = (jobs.get(person, job_id) for job_id in pair)
            st.dialog("Compare", width=_WIDTH, on_dismiss=_close)(_compare)(left, right)


def _open() -> None:
    st.session_state[_PAIR] = tuple(chosen())


def _close() -> None:
    st.session_state.pop(_PAIR, None)


def _compare(left: Job, right: Job) -> None:
    for column, job in zip(st.columns(2, gap="small"), (left, right), strict=True):
        with column, st.container(key=f"compare-media-{job.id}"):
            _draw(job)
            st.table(_facts(job), border="horizontal", alt="Facts about this job")


def _draw(job: Job) -> None:
    """What a job made, one picture of several at a time; why there is nothing."""
    if transcript.text_of(job):
        outputs.draw_all(job)
    elif (picked := outputs.pick(job, key=f"compared-{job.id}")) is not None:
        outputs.draw(job, picked)
    else:
        st.markdown(f":gray[{words.escape(job.error_message or 'There is nothing to see here yet.')}]")


def _facts(job: Job) -> dict[str, str]:
    """Label → words, escaped for the table's markdown; the same lines for both."""
    facts = {
        "Prompt": job.prompt or "None",
        "Type": describe.model(job),
        "Settings": describe.settings(job) or "None",
        "Seed": describe.seed(job) or "None",
        "Charged": describe.charged(job),
        "Cost": describe.cost(job),
    }
    return {f":gray[{name}]": words.escape(value) for name, value in facts.items()}
