"""Everybody's purchases for admins, with the way to Stripe, and the flagged ones that wait for a decision."""

import math

import pandas as pd
import streamlit as st

from core import purchases
from core.models import Person
from core.purchases import Purchase
from ui import acting, purchase_list, session, words

_PLACE = "flagged"
_PAGE_SIZE = 10
_PAGER_WIDTH = 340
_PAGE, _SHOW = "purchases-page", "purchases-show"
_SHOWS = {"all": "Everything", "paid": "Paid", "attention": "Needs attention"}


def draw(person: Person) -> None:
    st.space("small")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Purchases", anchor=False, width="content")
        show = st.pills(
            "Show",
            list(_SHOWS),
            format_func=_SHOWS.__getitem__,
            default="all",
            required=True,
            key=_SHOW,
            label_visibility="collapsed",
            on_change=_to_first_page,
        )
    flagged, _ = purchases.every(person, attention=True, page_size=_PAGE_SIZE)
    acting.outcome(_PLACE)
    for one in flagged:
        _flag(one)
    if show == "attention":
        if not flagged:
            st.markdown(":gray[Nothing waits for a decision.]")
        return
    found, total = purchases.every(
        person,
        status="paid" if show == "paid" else None,
        page=int(st.session_state.get(_PAGE, 1)),
        page_size=_PAGE_SIZE,
    )
    if not found:
        st.markdown(":gray[No purchase yet.]")
        return
    _table(found)
    pages = math.ceil(total / _PAGE_SIZE)
    if pages > 1:
        with st.container(horizontal=True, horizontal_alignment="right"):
            st.pagination(pages, key=_PAGE, width=_PAGER_WIDTH)


def _to_first_page() -> None:
    st.session_state[_PAGE] = 1


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
            "At Stripe": [purchases.stripe_link(one) for one in found],
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
            "Credits": st.column_config.NumberColumn(format="localized"),
            "Price, EUR": st.column_config.NumberColumn(format="€%.2f"),
            "State": st.column_config.TextColumn(width="medium"),
            "At Stripe": st.column_config.LinkColumn(display_text="Open"),
        },
    )


def _flag(one: Purchase) -> None:
    """A payment that is not what was ordered: why, and the note of whoever has dealt with it."""
    place = f"flag-{one.id}"
    link = purchases.stripe_link(one)
    with st.container(border=True, key=place):
        who = f"{words.email(one.email or 'somebody')}, {words.credits(one.credits)} for {words.euros(one.euros)}"
        at_stripe = f" [Open at Stripe]({link})" if link else ""
        st.markdown(f"**{words.escape(one.flagged_reason or '')}** {who}. Nothing was granted for it.{at_stripe}")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                "What you did", key=f"{place}-reason", placeholder="Refunded at Stripe, credits granted by hand"
            )
            st.button("Mark as settled", key=f"{place}-settle", on_click=_resolve, args=(one, place))


def _resolve(one: Purchase, place: str) -> None:
    def act(person: Person) -> str:
        purchases.resolve_flag(person, one.id, st.session_state.get(f"{place}-reason") or "")
        return "Settled. The note is kept."

    acting.attempt(_PLACE, act)
