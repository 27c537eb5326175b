"""The two charts about money, as figures and on screen.

Colours are the placeholders #000001 … #000005: the browser swaps the theme's `chartCategoricalColors` in and follows
light and dark. Amounts become floats here and nowhere before: a chart has no cents to lose.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import plotly.graph_objects as go
import streamlit as st

from core.forecast import ForecastDay
from core.series import Series

HEIGHT = 300
MOST_COLORS = 5
_BAND = "rgba(107,122,224,.16)"
_FEW_DAYS = 10
_MANY_DOLLARS = 4.0  # from here the ticks of an axis are whole dollars; below, "$0.50" stands beside "$1.00"
_DAY = 86_400_000  # milliseconds, Plotly's unit for dates

Point = tuple[datetime, Decimal | None]  # a moment in the team's timezone, without one; None is a gap


def color(position: int) -> str:
    """The theme's chart colour at a position, from 0."""
    return f"#{position % MOST_COLORS + 1:06d}"


def end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time())


def balance(
    points: Sequence[Point],
    entered: Sequence[Point],
    ahead: Sequence[ForecastDay],
    now: datetime,
    mark: tuple[Decimal, str],
    entry: str = "Balance read",
) -> go.Figure:
    """What was left, the balances that were entered, and the coming days with their range; `mark` is a line and its
    name, `entry` what an entry is called."""
    figure = _empty()
    figure.add_scatter(
        x=[at for at, _ in points],
        y=[_float(amount) for _, amount in points],
        name="Left to spend",
        mode="lines",
        line={"color": color(0), "width": 2},
        hovertemplate="$%{y:.2f}",
    )
    coming = [now if number == 0 else end_of(day.day) for number, day in enumerate(ahead)]
    if coming:
        edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        figure.add_scatter(x=coming, y=[float(day.high) for day in ahead], showlegend=False, **edge)
        figure.add_scatter(
            x=coming,
            y=[float(day.low) for day in ahead],
            name="Likely range",
            fill="tonexty",
            fillcolor=_BAND,
            **edge,
        )
        figure.add_scatter(
            x=coming,
            y=[float(day.expected) for day in ahead],
            name="Forecast",
            mode="lines",
            line={"color": color(0), "width": 2, "dash": "dot"},
            hovertemplate="about $%{y:.2f}",
        )
    marks = [(at, amount) for at, amount in entered if amount is not None]
    if marks:
        figure.add_scatter(
            x=[at for at, _ in marks],
            y=[float(amount) for _, amount in marks],
            name=entry,
            mode="markers",
            marker={"color": color(0), "size": 8},
            hovertemplate="$%{y:.2f}",
        )
    figure.add_hline(
        y=float(mark[0]),
        line={"color": "#8A857B", "width": 1, "dash": "dash"},
        annotation={
            "text": mark[1],
            "x": 0,
            "xanchor": "left",
            "yanchor": "bottom",
            "font": {"size": 12},
        },
    )
    _ticks(figure, max((float(amount) for _, amount in [*points, *entered] if amount is not None), default=0.0))
    shown = [at for at, _ in points] + coming
    if not shown:
        return _dated(figure, 1)
    days = (shown[-1] - shown[0]).days + 1
    if days == 1:  # a line of hours: without its midnights there would be no tick
        figure.update_xaxes(range=[datetime.combine(shown[0], time()), end_of(shown[-1].date())])
    return _dated(figure, days)


def by_day(days: Sequence[date], series: Sequence[Series], colors: Sequence[str]) -> go.Figure:
    """Amounts per day, stacked in the order given."""
    figure = _empty()
    for known, tint in zip(series, colors, strict=True):
        figure.add_bar(
            x=list(days),
            y=[float(amount) for amount in known.amounts],
            name=known.label,
            marker={"color": tint, "line": {"width": 0}},
            hovertemplate="$%{y:.3f}",
        )
    figure.update_layout(barmode="stack", bargap=0.35)
    sums = [float(sum(parts)) for parts in zip(*(known.amounts for known in series), strict=True)]
    _ticks(figure, max(sums, default=0.0))
    return _dated(figure, len(days))


def draw(figure: go.Figure, *, alt: str, key: str) -> None:
    st.plotly_chart(figure, height=HEIGHT, config={"displayModeBar": False}, alt=alt, key=key)


def _empty() -> go.Figure:
    return go.Figure(
        layout={
            "margin": {"l": 0, "r": 0, "t": 36, "b": 0},
            "legend": {
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "y": 1.02,
                "yanchor": "bottom",
                "traceorder": "normal",
                "itemclick": False,
                "itemdoubleclick": False,
            },
            "showlegend": True,
            "hovermode": "x unified",
            "yaxis": {"tickprefix": "$", "rangemode": "tozero", "fixedrange": True, "title": None, "nticks": 5},
            "xaxis": {"fixedrange": True, "title": None, "showgrid": False, "hoverformat": "%-d %b %Y"},
        }
    )


def _ticks(figure: go.Figure, largest: float) -> None:
    """All ticks of an axis in one form."""
    figure.update_yaxes(tickformat=",.0f" if largest >= _MANY_DOLLARS else ",.2f")


def _dated(figure: go.Figure, days: int) -> go.Figure:
    """Ticks on whole days, however few there are; of many as many as the width has room for."""
    ticks = {"dtick": _DAY * max(1, days // 5)} if days <= _FEW_DAYS else {}
    figure.update_xaxes(tickformat="%-d %b", type="date", tickangle=0, **ticks)
    return figure


def _float(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
