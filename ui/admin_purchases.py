"""Everybody's purchases for admins, with the way to Stripe, and the same as a file."""

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from core import purchases
from core.models import Person
from core.purchases import Purchase, Show
from ui import numbers, pager, purchase_list, session, words

_PAGE_SIZE = 10
_FILE_PAGE = 500
_PAGE, _SHOW = "purchases-page", "purchases-show"
_LABELS: dict[Show, str] = {
    "all": "Everything",
    "paid": "Paid",
    "returned": "Refunded or disputed",
    "unfinished": "Not finished",
}
_FILE_HEADS = (
    *("Ordered", "Paid", "Person", "Credits", "Price, EUR", "State", "Refunded, EUR", "Lost, EUR"),
    *("Credits taken back", "Credits kept back", "Came by", "Problem", "Order", "Session", "Payment"),
)


def draw(person: Person) -> None:
    st.space("small")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Purchases", anchor=False, width="content")
        chosen = st.pills(
            "Show",
            list(_LABELS),
            format_func=_LABELS.__getitem__,
            default="all",
            required=True,
            key=_SHOW,
            label_visibility="collapsed",
            on_change=_to_first_page,
        )
    show: Show = chosen or "all"
    found, older = purchases.every(person, show=show, after=pager.start(_PAGE), page_size=_PAGE_SIZE)
    if not found:
        st.markdown(":gray[No purchase yet.]" if show == "all" else ":gray[None of this kind.]")
        return
    _table(found)
    download = partial(numbers.download, _FILE_HEADS, lambda: _file(person, show), file=f"purchases-{show}")
    pager.draw(_PAGE, len(found), older, "purchase", download)


def _to_first_page() -> None:
    pager.to_top(_PAGE)


def _table(found: tuple[Purchase, ...]) -> None:
    now, tz = session.now(), session.tz()
    frame = pd.DataFrame(
        {
            "When": [words.exact(one.paid_at or one.created_at, now, tz) for one in found],
            "Person": [one.email or "Gone" for one in found],
            "Credits": [one.credits for one in found],
            "Price, EUR": [float(one.euros) for one in found],
            "State": [purchase_list.state(one) for one in found],
            "Came by": [one.paid_through or "" for one in found],
            "At Stripe": [purchases.payment_link(one.payment_intent_id) for one in found],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        height="content",
        row_height=40,
        key="table-purchases",
        placeholder="",
        alt="Everybody's purchases, newest first",
        column_config={
            "Credits": st.column_config.NumberColumn(format="localized", width="small"),
            "Price, EUR": st.column_config.NumberColumn(format="€%.2f", width="small"),
            "State": st.column_config.TextColumn(width="large"),
            "Came by": st.column_config.TextColumn(width="small", help="Who brought the news of the payment first"),
            "At Stripe": st.column_config.LinkColumn(display_text="Open", width="small"),
        },
    )


def _file(person: Person, show: Show) -> list[tuple[Any, ...]]:
    """Every purchase, read when the button is pressed. What is ordered meanwhile waits for the next file."""
    found, older = purchases.every(person, show=show, page_size=_FILE_PAGE)
    rows = [_file_row(one) for one in found]
    while older is not None:
        found, older = purchases.every(person, show=show, after=older, page_size=_FILE_PAGE)
        rows += [_file_row(one) for one in found]
    return rows


def _file_row(one: Purchase) -> tuple[Any, ...]:
    return (
        *(one.created_at, one.paid_at, one.email, one.credits, one.euros, purchase_list.STATES[one.status]),
        *(words.of_cents(one.refunded_cents), words.of_cents(one.lost_cents), one.taken_credits, one.frozen_credits),
        *(one.paid_through, one.flagged_reason, str(one.id), one.stripe_session_id, one.payment_intent_id),
    )
