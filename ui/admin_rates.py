"""Webhook calls over time and why jobs failed, for admins."""

from datetime import datetime
from functools import partial

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from core.admin import system
from core.admin.system import Failures, Rate
from core.models import Person
from core.together import Read
from ui import charts, session, words

_SPAN = "rates-hours"
_DAY_HOURS = 24
_SPANS = {_DAY_HOURS: "24 hours", 168: "7 days", 720: "30 days"}
_DAY = 86_400_000  # milliseconds, Plotly's unit for dates
_LAYOUT = {
    "margin": {"l": 0, "r": 0, "t": 36, "b": 0},
    "barmode": "stack",
    "bargap": 0.2,
    "hovermode": "x unified",
    "showlegend": True,
    "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
    "yaxis": {"title": "Calls per hour", "rangemode": "tozero", "fixedrange": True, "nticks": 5},
    "xaxis": {
        "fixedrange": True,
        "title": None,
        "showgrid": False,
        "type": "date",
        "hoverformat": "%-d %b, %H:%M",
        "tickformatstops": [
            {"dtickrange": [None, _DAY - 1], "value": "%H:%M\n%-d %b"},
            {"dtickrange": [_DAY, None], "value": "%-d %b"},
        ],
    },
}
_SERIES = (("Verified", 0), ("Failed", 1), ("Refused", 3))


def reads(person: Person) -> tuple[Read, ...]:
    """What the section asks for: see `core.together`."""
    return partial(system.rates, person, hours=_hours()), partial(system.failures, person, hours=_hours())


def _hours() -> int:
    return int(st.session_state.get(_SPAN) or _DAY_HOURS)


def draw(person: Person) -> None:
    st.space("small")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Webhook calls", anchor=False, width="content")
        st.segmented_control(
            "Span",
            list(_SPANS),
            format_func=_SPANS.__getitem__,
            default=None if _SPAN in st.session_state else _DAY_HOURS,
            required=True,
            key=_SPAN,
            label_visibility="collapsed",
        )
    found = system.rates(person, hours=_hours())
    st.markdown(f":small[:gray[{words.escape(sentence(found))}]]")
    if any(rate.received for rate in found):
        charts.draw(figure(found), alt="Webhook calls per hour: verified, failed and refused", key="rates")
    _failures(system.failures(person, hours=_hours()))


def sentence(rates: tuple[Rate, ...]) -> str:
    """214 received, 213 verified, 1 refused, 0 failed."""
    received, verified, refused, failed = (
        sum(getattr(rate, name) for rate in rates) for name in ("received", "verified", "refused", "failed")
    )
    if not received:
        return "No call has come in."
    told = f"{words.number(received)} received, {words.number(verified)} verified, {words.number(refused)} refused"
    return f"{told}, {words.number(failed)} failed"


def figure(rates: tuple[Rate, ...]) -> go.Figure:
    """Calls per hour of both providers, stacked: those that did their work, that failed, that were refused."""
    hours: dict[datetime, tuple[int, int, int]] = {}
    for rate in rates:
        good, failed, refused = hours.get(rate.hour, (0, 0, 0))
        hours[rate.hour] = (good + rate.verified - rate.failed, failed + rate.failed, refused + rate.refused)
    # Plotly draws times as they are written: the browser's own, without a zone.
    tz = session.tz()
    at = [hour.astimezone(tz).replace(tzinfo=None) for hour in hours]
    drawn = go.Figure(layout=_LAYOUT)
    for place, (name, tint) in enumerate(_SERIES):
        drawn.add_bar(
            x=at,
            y=[counts[place] for counts in hours.values()],
            name=name,
            marker={"color": charts.color(tint), "line": {"width": 0}},
        )
    return drawn


def _failures(found: tuple[Failures, ...]) -> None:
    if not found:
        return
    now, tz = session.now(), session.tz()
    st.space("small")
    st.subheader("Why jobs failed", anchor=False)
    frame = pd.DataFrame(
        {
            "Reason": [words.escape(one.error_type.replace("_", " ").capitalize()) for one in found],
            "Jobs": [one.count for one in found],
            "Last": [words.ago(one.last_at, now, tz) for one in found],
            "What was said": [words.escape(one.last_message) for one in found],
        }
    )
    st.table(frame, border="horizontal", hide_index=True, alt="Why jobs failed, the most frequent reason first")
