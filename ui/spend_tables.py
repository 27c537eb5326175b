"""Where the money went: by person with caps, by campaign, estimate against actual, failures that cost money."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import streamlit as st

from core import spend
from core.budget import BudgetOverview
from core.models import Person
from core.periods import Period
from core.spend import CostlyFailures, PersonSpend, Slice, SpendReport
from core.together import Read
from ui import limits_dialog, numbers, words

_WHERE = "where-by"
_MONEY = ("Estimated, USD", "Actual, USD")
_LONG = 10  # rows; more of them scroll
_TALL = 15  # the same where all of them are wanted at a glance: every type fits


def reads(person: Person, period: Period) -> list[Read]:
    """What the section asks for: see `core.together`."""
    return [partial(spend.by_campaign, person, period)]


def draw(person: Person, overview: BudgetOverview, period: Period, report: SpendReport) -> None:
    _where(person, overview, period, report)
    _estimates(report)
    _failures(report.costly_failures, report.everybody)


def _where(person: Person, overview: BudgetOverview, period: Period, report: SpendReport) -> None:
    campaigns = spend.by_campaign(person, period)
    has_campaigns = any(known.key for known in campaigns)
    if not report.everybody and not has_campaigns:
        return  # one row about oneself says what the figures say
    st.space("small")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Where it went", anchor=False, width="content")
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            if person.is_admin and st.button("Set limits", type="tertiary", key="set-limits"):
                limits_dialog.draw(overview)
            by = "Campaign"
            if report.everybody:
                by = "Person"
                if has_campaigns:
                    by = st.segmented_control(
                        "By",
                        ["Person", "Campaign"],
                        default="Person",
                        required=True,
                        key=_WHERE,
                        label_visibility="collapsed",
                    )
    if by == "Person":
        _people(report.by_person)
    else:
        _slices("Campaign", campaigns, file="spend-per-campaign")


def _people(people: Sequence[PersonSpend]) -> None:
    columns = ("Person", "Jobs", "Failed", "Credits", *_MONEY, "Monthly cap", "Cap used")
    rows = [
        (one.name, one.jobs, one.failures, one.credits, one.estimated, one.spent, one.cap, _share(one.cap_used))
        for one in people
    ]
    _table(columns, rows, file="spend-per-person", alt="Spend by person")


def _slices(what: str, found: Sequence[Slice], *, file: str) -> None:
    columns = (what, "Jobs", "Failed", "Credits", *_MONEY, "Difference")
    rows = [
        (one.label, one.jobs, one.failures, one.credits, one.estimated, one.spent, _share(one.deviation))
        for one in found
    ]
    _table(columns, rows, file=file, alt=f"Spend by {what.lower()}")


def _share(share: Decimal | None) -> Decimal | None:
    return None if share is None else round(share, 2) + 0  # no minus before a zero


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, file: str, alt: str) -> None:
    if not rows:
        st.markdown(":gray[Nothing in this period.]")
        return
    places = [columns.index(name) for name in _MONEY]
    config = {
        **dict.fromkeys(_MONEY, numbers.dollars(row[place] for row in rows for place in places)),
        "Monthly cap": st.column_config.NumberColumn(format="$%.2f"),
        **dict.fromkeys(("Jobs", "Credits"), st.column_config.NumberColumn(format="localized")),
        "Cap used": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1),
        "Difference": st.column_config.NumberColumn(format="percent"),
    }
    numbers.table(columns, rows, file=file, alt=alt, config=config, most=_TALL)


def _estimates(report: SpendReport) -> None:
    if not report.by_type:
        return
    st.space("small")
    st.subheader("Estimate against actual", anchor=False)
    st.markdown(f":small[{off(report)}]")
    _slices("Type", report.by_type, file="spend-per-type")


def off(report: SpendReport) -> str:
    """Markdown: Jobs cost **2% more** than estimated: $29.20 instead of $28.61."""
    totals = report.totals
    if totals.estimated <= 0:
        return "Nothing was estimated in this period."
    change = (totals.spent - totals.estimated) / totals.estimated
    if abs(change) < Decimal("0.005"):
        return "Jobs cost what was estimated."
    how = f"{words.percent(abs(change))} {'more' if change > 0 else 'less'}"
    actual, expected = (words.escape(words.usd(amount, 2)) for amount in (totals.spent, totals.estimated))
    return f"Jobs cost **{how}** than estimated: {actual} instead of {expected}."


def _failures(found: CostlyFailures, everybody: bool) -> None:
    st.space("small")
    st.subheader("Failures that cost money", anchor=False)
    if not found.count:
        st.markdown(":gray[No failed job cost anything in this period.]")
        return
    reasons = " · ".join(
        f"{words.escape(_reason(one.error_type))} {words.number(one.count)} × "
        f"{words.escape(words.usd(one.spent / one.count))}"
        for one in found.by_reason
    )
    spent = words.escape(words.usd(found.spent))
    st.markdown(f":small[**{spent}** for {words.count(found.count, 'job')} without a result: {reasons}]")
    columns = ("When", *(["Person"] if everybody else []), "Job", "What happened", "Cost, USD", "Cost is")
    rows = [
        (
            one.ended_at,
            *([one.person] if everybody else []),
            words.headline(one.prompt) or one.generation_type,
            one.error_message or _reason(one.error_type),
            one.spent,
            one.cost_source,
        )
        for one in found.jobs
    ]
    numbers.table(
        columns,
        rows,
        file="costly-failures",
        alt="Jobs that failed and cost money, the dearest first",
        config={
            "Cost, USD": st.column_config.NumberColumn(format="$%.3f"),
            "What happened": st.column_config.TextColumn(width="large"),
        },
        most=_LONG,
    )


def _reason(error_type: str) -> str:
    return error_type.replace("_", " ").capitalize() or "Without a reason"
