"""Spend by day: period, comparison with the one before, the stacked chart with its numbers."""

from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import cast

import streamlit as st

from core import series, spend
from core.models import Person
from core.periods import Period, presets
from core.series import Series
from core.spend import By, SpendReport
from core.together import Read
from ui import charts, describe, numbers, words

_PERIOD, _DATES, _BY = "spend-period", "spend-dates", "spend-by"
_OWN_DATES = "Own dates"
_DEFAULT = "Last 30 days"
_LONGEST = 3650  # days
_BYS: dict[By, str] = {"type": "Kind", "person": "Person", "campaign": "Campaign"}


def reads(person: Person, period: Period) -> list[Read]:
    """What the section asks for: see `core.together`."""
    return [partial(spend.report, person, period, st.session_state.get(_BY) or "type")]


def chosen(today: date) -> Period:
    """The period that is chosen, before the choice is drawn as well."""
    named = presets(today)
    name = st.session_state.get(_PERIOD) or _DEFAULT
    return named[name] if name != _OWN_DATES else _own_dates(st.session_state.get(_DATES), named[_DEFAULT])


def _own_dates(picked: object, start: Period) -> Period:
    dates = picked if isinstance(picked, tuple) else (picked,)
    return Period(dates[0], dates[-1]) if dates and dates[0] else start  # the second date is on its way


def draw(person: Person, today: date) -> tuple[Period, SpendReport]:
    """The section; returns what was asked for and found, for the sections below it."""
    st.space("small")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Spend by day", anchor=False, width="content")
        with st.container(horizontal=True, width="content", vertical_alignment="center", key="spend-choice"):
            period = _pick_period(today)
            by = _pick_by(person)
    report = spend.report(person, period, by)
    st.markdown(f":small[{summary(report)}]")
    if not report.by_day:
        st.markdown(":gray[Nothing was spent in this period.]")
    else:
        _chart(report, period, by)
    whose = "Everybody's spend" if report.everybody else "Your own spend"
    st.markdown(f":small[:gray[{whose}. Days begin at midnight, {words.escape(report.timezone)}.]]")
    return period, report


def _pick_period(today: date) -> Period:
    named = presets(today)
    name = st.selectbox(
        "Period",
        [*named, _OWN_DATES],
        index=list(named).index(_DEFAULT),
        key=_PERIOD,
        label_visibility="collapsed",
        width=160,
    )
    if name != _OWN_DATES:
        return named[name]
    start = named[_DEFAULT]
    picked = st.date_input(
        "From and to",
        (start.first, start.last),
        min_value=today - timedelta(days=_LONGEST),
        max_value=today,
        key=_DATES,
        format="YYYY-MM-DD",
        label_visibility="collapsed",
        width=240,
    )
    return _own_dates(picked, start)


def _pick_by(person: Person) -> By:
    options = [by for by in _BYS if by != "person" or person.is_admin]
    chosen = st.segmented_control(
        "Stacked by",
        options,
        format_func=_BYS.__getitem__,
        default=None if _BY in st.session_state else "type",
        required=True,
        key=_BY,
        label_visibility="collapsed",
        persist_state="session",
    )
    return cast("By", chosen)


def summary(report: SpendReport) -> str:
    """Markdown: **$29.20** in 154 jobs, 3 Nov to 20 Nov · 12% more than in 16 Oct to 2 Nov ($26.10)."""
    now, before = report.totals, report.before
    spent = f"**{words.escape(words.usd(now.spent, 2))}** in {words.count(now.jobs, 'job')}"
    return f"{spent}, {span(now.period, report.today)} · {_against(now.spent, before.spent)} than in " + (
        f"{span(before.period, report.today)} ({words.escape(words.usd(before.spent, 2))})"
    )


def _against(now: Decimal, before: Decimal) -> str:
    if now == before:
        return "no more"
    more = "more" if now > before else "less"
    if before <= 0:
        return more
    return f"{words.percent(abs(now - before) / before)} {more}"


def span(period: Period, today: date) -> str:
    """3 Nov to 20 Nov; 20 Nov."""
    first, last = words.day(period.first, today), words.day(period.last, today)
    return first if period.first == period.last else f"{first} to {last}"


def _chart(report: SpendReport, period: Period, by: By) -> None:
    found = series.stacked(report.by_day, period, kinds=by == "type", most=charts.MOST_COLORS)
    named, colors = in_order(found, by)
    charts.draw(
        charts.by_day(period.days, named, colors),
        alt=f"Spend by day and {by}, {span(period, report.today)}: "
        + ", ".join(f"{known.label} {words.usd(known.total, 2)}" for known in named),
        key="chart-spend",
    )
    total = [sum((known.amounts[number] for known in named), Decimal(0)) for number in range(period.length)]
    rows = [(day, *(known.amounts[number] for known in named), total[number]) for number, day in enumerate(period.days)]
    columns = ("Day", *(f"{known.label}, USD" for known in named), "Total, USD")
    numbers.below("Spend by day", columns, rows, file=f"spend-by-{by}")


def in_order(found: tuple[Series, ...], by: By) -> tuple[tuple[Series, ...], tuple[str, ...]]:
    """Names and colours: a kind keeps its colour whatever was spent; "Other" is always the fifth."""
    if by == "type":
        kinds = list(describe.MEDIA)
        known = sorted(found, key=lambda one: kinds.index(one.label) if one.label in kinds else len(kinds))
        places = [kinds.index(one.label) if one.label in kinds else charts.MOST_COLORS - 1 for one in known]
        named = tuple(Series(describe.MEDIA.get(one.label, one.label), one.amounts) for one in known)
        return named, tuple(map(charts.color, places))
    last = charts.MOST_COLORS - 1
    return found, tuple(charts.color(last if one.label == "Other" else number) for number, one in enumerate(found))
