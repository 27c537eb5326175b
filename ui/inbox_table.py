"""The webhook inbox as a table."""

import pandas as pd
import streamlit as st

from core.operations import InboxEvent
from ui import session, words

STATUSES = ("processed", "ignored", "failed", "dead")
PROVIDERS = {"fal": "fal.ai", "stripe": "Stripe"}
_COLORS = {"Processed": "green", "Ignored": "gray", "Failed": "orange", "Dead": "red"}
_EVENTS = {"OK": "Job done", "ERROR": "Job failed"}


def label(status: str) -> str:
    return status.capitalize() or "All"


def event_words(event_type: str) -> str:
    return _EVENTS.get(event_type, event_type)


def draw(events: tuple[InboxEvent, ...]) -> tuple[InboxEvent, ...]:
    """One row per verified call, newest first. Returns those that are selected."""
    now, tz = session.now(), session.tz()
    frame = pd.DataFrame(
        {
            "Received": [words.exact(event.received_at, now, tz) for event in events],
            "From": [PROVIDERS.get(event.provider, event.provider) for event in events],
            "Event": [event_words(event.event_type) for event in events],
            "Status": [[label(event.status)] for event in events],
            "Tries": [event.attempts for event in events],
            "Repeats": [event.repeats for event in events],
            "About": [about(event) for event in events],
        }
    )
    # The rows are in the key: a selection is of places, and must not move on to other events.
    state = st.dataframe(
        frame,
        hide_index=True,
        height="content",
        row_height=40,
        key=f"inbox-{events[0].id}-{events[-1].id}-{len(events)}",
        on_select="rerun",
        selection_mode="multi-row",
        placeholder="",
        alt="Webhook calls, newest first",
        column_config={
            "Status": st.column_config.MultiselectColumn(options=list(_COLORS), color=list(_COLORS.values())),
            "About": st.column_config.TextColumn(width="large"),
        },
    )
    return tuple(events[row] for row in state["selection"]["rows"] if row < len(events))


def about(event: InboxEvent) -> str:
    """What went wrong, else which job, else what came of it."""
    if event.error:
        return event.error
    return words.headline(event.prompt or "") or (event.result or "").replace("_", " ") or "No job with this request"
