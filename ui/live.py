"""The part of a page that refreshes itself while a job is under way, and only then."""

from uuid import UUID

import streamlit as st

from core.errors import DatabaseUnavailable
from core.models import Job, Person
from ui import cards, pulse, session

SECONDS = 3
_FIRST = "_open_jobs_first"


def running(person: Person, *, spaced: bool = False) -> bool:
    """The running jobs of a person, live; `spaced` sets them off from what is above. Returns whether there are any.

    The whole page runs again when the set changes, so that finished jobs appear where they belong.
    """
    found = person.running
    if found:
        st.session_state[_FIRST] = found
        st.fragment(_tick)(frozenset(job.id for job in found), spaced)
    return bool(found)


def _tick(known: frozenset[UUID], spaced: bool) -> None:
    pulse.every(SECONDS, "jobs", idle_seconds=SECONDS)
    shown: tuple[Job, ...] | None = st.session_state.pop(_FIRST, None)
    if shown is None:
        try:
            person = session.current(fresh=True, watching=True)
            shown = person.running if person is not None else None
        except DatabaseUnavailable:
            st.markdown(":small[:gray[The database does not answer. Trying again every few seconds.]]")
            return
    if shown is None or frozenset(job.id for job in shown) != known:
        st.rerun()
    if spaced:
        st.space("small")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader("Running now", anchor=False, width="content")
        st.markdown(":small[:gray[You can leave this page. What is done waits for you in Jobs.]]", width="content")
    grid = st.grid(3, min_column_width=280, border=True)
    for job in shown:
        with grid.cell():
            cards.running(job)
