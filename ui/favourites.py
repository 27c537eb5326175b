"""The star of a job: marks it as a favourite, on its card and in its detail."""

from uuid import UUID

import streamlit as st

from core import jobs
from core.errors import AtelierError
from core.models import Job
from ui import guard, session, words

_OFF, _ON = "☆ Add to favourites", "★ In favourites"


def on_card(job: Job, key: str) -> None:
    """The star alone, its words for screen readers only. `key` tells galleries of one page apart."""
    st.button(
        _label(job),
        type="tertiary",
        key=f"star-{key}-{job.id}",
        on_click=_mark,
        args=(job.id, not job.is_favourite),
    )


def in_detail(job: Job) -> None:
    if st.button(_label(job), type="tertiary", key=f"favourite-{job.id}"):
        with guard.told():
            jobs.mark_favourite(guard.require(), job.id, not job.is_favourite)
            st.rerun()


def _label(job: Job) -> str:
    return _ON if job.is_favourite else _OFF


def _mark(job_id: UUID, on: bool) -> None:
    try:
        person = session.current()
        if person is not None:
            jobs.mark_favourite(person, job_id, on)
    except AtelierError as error:
        st.toast(words.escape(error.sentence))
