"""What is open on the campaign page is in its address, so that it can be shared and survives a reload."""

from typing import Literal
from uuid import UUID

import streamlit as st

from core.campaigns import STEPS, Step
from core.models import Job

Dialog = Literal["campaign", "details", "deleted", "clip", "generate"]

_CAMPAIGN, _CLIP, _STEP, _OPEN = "campaign", "clip", "step", "open"


def campaign() -> UUID | None:
    return _id(_CAMPAIGN)


def clip() -> UUID | None:
    return _id(_CLIP)


def step() -> Step | None:
    """The step that is open; None for the clip itself."""
    wanted = st.query_params.get(_STEP)
    return next((known for known in STEPS if known == wanted), None)


def dialog() -> str | None:
    """Which dialog is open that is about no single clip."""
    return st.query_params.get(_OPEN)


def open_dialog(name: Dialog) -> None:
    st.query_params[_OPEN] = name


def open_campaign(campaign_id: UUID) -> None:
    st.query_params.from_dict({_CAMPAIGN: str(campaign_id)})


def open_clip(clip_id: UUID) -> None:
    st.query_params[_CLIP] = str(clip_id)
    st.query_params.pop(_STEP, None)


def of_step(job: Job) -> dict[str, str]:
    """The address of the clip's step that a job was made for, as far as it was made for one."""
    found = {_CAMPAIGN: job.campaign_id, _CLIP: job.clip_id, _STEP: job.clip_step}
    return {name: str(value) for name, value in found.items() if value}


def open_step(clip_id: UUID, wanted: Step) -> None:
    st.query_params[_CLIP] = str(clip_id)
    st.query_params[_STEP] = wanted


def close_dialog() -> None:
    """Back to the page alone."""
    for name in (_CLIP, _STEP, _OPEN):
        st.query_params.pop(name, None)


def close() -> None:
    """Back to the list."""
    st.query_params.clear()


def _id(name: str) -> UUID | None:
    wanted = st.query_params.get(name)
    try:
        return UUID(wanted) if wanted else None
    except ValueError:
        return None
