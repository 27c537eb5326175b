"""Finished jobs as a table; a click on a row opens the detail."""

import pandas as pd
import streamlit as st

from core.models import Job
from ui import cards, describe, picking, session, words

_KEY = "jobs-table"
_STATUS_COLORS = {"Done": "green", "Failed": "red", "Cancelled": "gray", "Delivered late": "yellow"}


def draw(jobs: tuple[Job, ...]) -> None:
    """One row per job, in the order given. Selecting any cell opens its job."""
    picking.table(
        _frame(jobs),
        jobs,
        _open,
        key=_KEY,
        alt="Finished jobs, newest first",
        config={
            "Job": st.column_config.TextColumn(width=240),
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
            "Status": [[describe.status(job)] for job in jobs],  # the second column: a phone shows two
            "Kind": [describe.kind(job) for job in jobs],
            "Type": [describe.model(job) for job in jobs],
            "Credits": [job.credits_charged for job in jobs],
            "Cost, USD": [float(describe.cost_usd(job)) for job in jobs],
            "Finished": [words.ago(job.completed_at or job.created_at, now, tz) for job in jobs],
        }
    )


def _open(job: Job) -> None:
    cards.open_detail(str(job.id))
