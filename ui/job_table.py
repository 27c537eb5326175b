"""Finished jobs as a table; a click on a row opens the detail."""

import pandas as pd
import streamlit as st

from core.models import Job
from ui import cards, describe, session, words

_KEY = "jobs-table"
_STATUS_COLORS = {"Done": "green", "Failed": "red", "Cancelled": "gray", "Delivered late": "yellow"}


def draw(jobs: tuple[Job, ...]) -> None:
    """One row per job, in the order given. Selecting any cell opens its job."""
    st.dataframe(
        _frame(jobs),
        hide_index=True,
        height="content",
        row_height=40,
        key=_KEY,
        on_select=lambda: _open(jobs),
        selection_mode="single-cell",
        alt="Finished jobs, newest first",
        column_config={
            "Job": st.column_config.TextColumn(width="large"),
            "Status": st.column_config.MultiselectColumn(
                options=list(_STATUS_COLORS), color=list(_STATUS_COLORS.values())
            ),
            "Credits": st.column_config.NumberColumn(format="localized"),
            "Cost, USD": st.column_config.NumberColumn(format="$%.3f"),
            "Finished": st.column_config.TextColumn(),
        },
    )


def _frame(jobs: tuple[Job, ...]) -> pd.DataFrame:
    now, tz = session.now(), session.tz()
    return pd.DataFrame(
        {
            "Job": [describe.title(job) for job in jobs],
            "Type": [describe.kind(job) for job in jobs],
            "Model": [describe.model(job) for job in jobs],
            "Status": [[describe.status(job)] for job in jobs],
            "Credits": [job.credits_charged for job in jobs],
            "Cost, USD": [float(describe.cost_usd(job)) for job in jobs],
            "Finished": [words.ago(job.completed_at or job.created_at, now, tz) for job in jobs],
        }
    )


def _open(jobs: tuple[Job, ...]) -> None:
    cells = st.session_state[_KEY]["selection"]["cells"]
    if cells:
        cards.open_detail(str(jobs[cells[0][0]].id))
