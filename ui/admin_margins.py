"""What each generation type earns, for admins, and the settings that this is reckoned with."""

from decimal import Decimal
from typing import Any

import pandas as pd
import streamlit as st

from core import margins, packs
from core.margins import MarginReport, TypeMargin
from core.models import Person
from ui import acting, numbers, words

_PLACE = "margins"
_RATE, _WARNING, _LOW = "margin-rate", "margin-warning", "margin-low-balance"
# A run as the form offers it, then the jobs that were made.
_HEADS = (
    "Type",
    "Credits",
    "Sells for",
    "Costs",
    "Margin",
    "Jobs",
    "Real cost",
    "Estimated",
    "Real",
    "Confirmed",
    "Note",
)
_SHARES = {
    "Margin": "Of one run as the form offers it, at today's prices",
    "Estimated": "Margin of the jobs, at what was estimated before each",
    "Real": "Margin of the jobs, at the cost as best known",
    "Confirmed": "Margin of the jobs whose cost fal.ai has confirmed",
}


def draw(person: Person) -> None:
    st.space("small")
    report = margins.margins(person)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Margins", anchor=False, width="content")
        if st.button("Change the terms", type="tertiary", key="change-terms"):
            _terms(report)
    st.markdown(f":small[:gray[{terms(report)}]]")
    if report.low:
        names = words.escape(", ".join(known.label for known in report.low))
        st.warning(
            f"**Below {words.percent(report.warning)}: {names}.** Raise their credits in the catalogue, or switch "
            "them off.",
            icon=":material/error:",
        )
    _table(report)


def terms(report: MarginReport) -> str:
    """Markdown: what a credit is taken to bring."""
    sold = report.eur_per_credit_sold
    really = f", really sold for {words.euros_each(sold)}" if sold is not None else ""
    rate = max(report.usd_per_eur.normalize(), report.usd_per_eur.quantize(Decimal("0.01")), key=lambda n: len(str(n)))
    return (
        f"Last {report.days} days. A credit counts as {words.euros_each(report.eur_per_credit)}, the lowest price on "
        f"sale{really}. €1 is \\${rate:f}. Warning below {words.percent(report.warning)}."
    )


def _table(report: MarginReport) -> None:
    rows = [_row(report, known) for known in report.types]
    plain = [
        [_percent(value) if head in _SHARES else _plain(value) for head, value in zip(_HEADS, row, strict=True)]
        for row in rows
    ]
    euros, dollars = (st.column_config.NumberColumn(format=f"{sign}%.3f") for sign in "€$")
    st.dataframe(
        pd.DataFrame(plain, columns=list(_HEADS)),
        hide_index=True,
        height="content",
        row_height=40,
        key="table-margins",
        placeholder="",
        alt="Margin of each generation type",
        column_config={
            "Sells for": euros,
            "Costs": dollars,
            "Real cost": st.column_config.NumberColumn(format="$%.2f", help="Of these jobs, as best known"),
            "Jobs": st.column_config.NumberColumn(
                format="localized", help=f"Ended in the last {report.days} days, paid with credits"
            ),
            **{name: st.column_config.NumberColumn(format="%.1f%%", help=why) for name, why in _SHARES.items()},
        },
    )
    numbers.download(
        (*_HEADS, "Sold for, EUR", "Estimated, USD", "Confirmed, USD", "Confirmed jobs"),
        [(*row, *_sums(report, known)) for row, known in zip(rows, report.types, strict=True)],
        file="margins",
    )


def _row(report: MarginReport, known: TypeMargin) -> tuple[Any, ...]:
    return (
        known.label,
        f"{known.credits_per_unit} per {known.credit_unit}",
        report.sale(known.quoted) if known.quoted else None,
        known.quoted.usd if known.quoted else None,
        known.quoted_margin,
        known.jobs,
        known.actual.usd if known.jobs else None,
        known.estimated_margin,
        known.actual_margin,
        known.confirmed_margin,
        ("Too low" if known.is_low else "") if known.enabled else "Switched off",
    )


def _sums(report: MarginReport, known: TypeMargin) -> tuple[Any, ...]:
    return report.sale(known.actual), known.estimated.usd, known.confirmed.usd, known.confirmed_jobs


def _plain(value: Any) -> Any:
    return round(float(value), 3) if isinstance(value, Decimal) else value


def _percent(share: Decimal | None) -> float | None:
    """96.1: the format "percent" would show 96% beside it for 0.96."""
    return None if share is None else float(round(share * 100, 1))


@st.dialog("Terms")
def _terms(report: MarginReport) -> None:
    low = packs.terms().low_balance_credits
    st.number_input("Dollars for one euro", value=float(report.usd_per_eur), step=0.01, format="%.4f", key=_RATE)
    st.number_input(
        "Warn below this margin, %", value=float(report.warning * 100), step=1.0, format="%.1f", key=_WARNING
    )
    st.number_input("Remind people below, credits", value=low, step=1, key=_LOW, help="0 reminds nobody.")
    if acting.outcome(_PLACE):
        st.rerun()
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button("Save the terms", type="primary", on_click=acting.attempt, args=(_PLACE, _save))


def _save(person: Person) -> str:
    rate, warning, low = (st.session_state.get(key) for key in (_RATE, _WARNING, _LOW))
    margins.save_settings(
        person,
        low_balance_credits=low,
        usd_per_eur=None if rate is None else Decimal(str(round(rate, 4))),
        margin_warning=None if warning is None else Decimal(str(round(warning, 1))) / 100,
    )
    return "The terms are saved."
