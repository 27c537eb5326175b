"""What of the jobs that were under way while Generate was open has failed: said where it was asked for.

A finished picture appears below by itself; a failed job would just be gone from the page.
"""

from typing import NamedTuple
from uuid import UUID

import streamlit as st

from core import jobs
from core.errors import NotFound
from core.models import Job, Person
from ui import cards, describe, words

_RUNNING = "gen-running"  # what was under way at the last look, ids
_FAILED = "gen-failed"
_MOST = 3  # told at once; all of them are in Jobs


class Failure(NamedTuple):
    """A job that has failed, in plain words."""

    job_id: UUID
    title: str
    sentence: str


def note(person: Person, recent: tuple[Job, ...]) -> None:
    """Look at what has ended since the last run; `recent` are the newest that came out well, which need no question."""
    running = frozenset(job.id for job in person.running)
    ended = st.session_state.get(_RUNNING, frozenset()) - running - {job.id for job in recent}
    st.session_state[_RUNNING] = running
    for job_id in ended:
        _note(person, job_id)


def forget() -> None:
    """Whoever presses the button again has read it."""
    st.session_state.pop(_FAILED, None)


def draw(person: Person) -> None:
    """One box for each that failed, the newest first, with the way to its story. What is tried again is under way."""
    again = {job.retried_from for job in person.running}
    noted: list[Failure] = st.session_state.get(_FAILED, [])
    found = [failure for failure in noted if failure.job_id not in again]
    for failure in found[:_MOST]:
        cards.problem(failure.sentence)
        st.button(
            f"Open “{words.escape(failure.title)}”",
            type="tertiary",
            icon=":material/arrow_forward:",
            icon_position="right",
            key=f"failed-{failure.job_id}",
            on_click=cards.open_detail,
            args=(str(failure.job_id),),
        )
    if len(found) > _MOST:
        st.markdown(f":small[:gray[{words.count(len(found) - _MOST, 'more job')} failed. They are in Jobs.]]")


def _note(person: Person, job_id: UUID) -> None:
    """A cancelled one was told to who cancelled it."""
    try:
        job = jobs.get(person, job_id)
    except NotFound:
        return
    if job.status == "failed" and job.retried_as is None and job.error_message:
        failure = Failure(job.id, describe.title(job), job.error_message)
        st.session_state[_FAILED] = [failure, *st.session_state.get(_FAILED, [])]
