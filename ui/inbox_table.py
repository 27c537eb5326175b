"""The webhook inbox as a table."""

import pandas as pd
import streamlit as st

from core.operations import InboxEvent
from ui import session, words

STATUSES = ("processed", "ignored", "failed", "dead")
_COLORS = {"Processed": "green", "Ignored": "gray", "Failed": "orange", "Dead": "red"}
_EVENTS = {
    "OK": "Job done",
    "ERROR": "Job failed",
    "checkout.session.completed": "Checkout done",
    "checkout.session.async_payment_succeeded": "Payment arrived",
    "checkout.session.async_payment_failed": "Payment failed",
    "checkout.session.expired": "Checkout expired",
    "refund.created": "Refund made",
    "refund.updated": "Refund changed",
    "refund.failed": "Refund failed",
    "charge.dispute.created": "Dispute opened",
    "charge.dispute.updated": "Dispute changed",
    "charge.dispute.closed": "Dispute closed",
    "charge.dispute.funds_withdrawn": "Dispute took money",
    "charge.dispute.funds_reinstated": "Dispute gave back",
}
_RESULTS = {
    "granted": "Credits granted",
    "already_granted": "Credits granted before",
    "applied": "Credits follow",
    "flagged": "Needs a decision, see Money",
    "processing": "Payment on its way",
    "expired": "Not paid in time",
    "not_ours": "Not of this studio",
    "unknown_payment": "Payment not known here",
    "unknown_job": "No job with this request",
}


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
            "From": [words.PROVIDERS.get(event.provider, event.provider) for event in events],
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
    return event.error or words.headline(event.prompt or "") or result(event.result) or _RESULTS["unknown_job"]


def result(name: str | None) -> str:
    """What applying a call did, in words; empty when nothing is known."""
    return _RESULTS.get(name or "", (name or "").replace("_", " ").capitalize())
