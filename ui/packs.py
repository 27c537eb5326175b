"""The packs of credits on screen: what they cost, what they buy, and the button that leads to the pay page."""

from html import escape
from typing import Literal
from uuid import uuid4

import streamlit as st

from core import packs
from core.models import Person
from core.packs import Pack
from ui import words

START = "/checkout/start"
CREDITS, GENERATE = "/credits", "/"
BACK = (CREDITS, GENERATE)  # where a person may be brought after the pay page
_VISIT = "packs-visit"
_SEEN = "packs-seen"


def cards(person: Person) -> None:
    """Every pack as a card; the one of best value has the primary button."""
    on_sale = packs.packs()
    if not on_sale:
        st.markdown(":gray[No pack is on sale at the moment. Ask an admin.]")
        return
    note_seen(person)
    grid = st.grid(3, min_column_width=240, border=True)
    for pack in on_sale:
        with grid.cell(), st.container(key=f"pack-{pack.key}", gap=8):
            _card(pack)
    st.markdown(
        ":small[:gray[You pay with Stripe and the credits arrive in seconds. A job that fails costs you nothing.]]"
    )


def _card(pack: Pack) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", wrap=False):
        st.markdown(words.credits(pack.credits), width="content")
        if pack.is_best_value:
            st.badge("Best value", color="blue")
    st.metric("Price", words.euros(pack.euros), label_visibility="collapsed")
    with st.container(gap=4):
        st.markdown(f":small[:gray[{words.euros_each(pack.euros_per_credit)} a credit]]")
        st.markdown(f":small[:gray[{buys(pack)}]]")
    button(pack, back=CREDITS, primary=pack.is_best_value)


def buys(pack: Pack) -> str:
    """About 500 image batches or 31 videos of 8 s: at today's prices, without what is switched off."""
    worth = packs.worth(pack)
    kinds = []
    if worth.batches is not None:
        kinds.append(words.count(worth.batches, "image batch", "image batches"))
    if worth.videos:
        kinds.append(f"{words.count(worth.videos, 'video')} of {packs.VIDEO_SECONDS} s")
    return f"About {' or '.join(kinds)}" if kinds else f"{words.credits(pack.credits)} for any model"


def button(pack: Pack, *, back: str, primary: bool, width: Literal["stretch", "content"] = "stretch") -> None:
    """A real form that posts to our own route, so that the pay page opens in the same tab.

    The order id is made here and stays for this visit: a double click or a way back by the browser is the same order.
    """
    order = st.session_state.setdefault(f"order-{pack.key}-{back}", uuid4())
    fields = {"pack": pack.key, "cents": pack.amount_cents, "order": order, "back": back}
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(str(value), quote=True)}">'
        for name, value in fields.items()
    )
    look = "buy primary" if primary else "buy"
    st.html(
        f'<form class="{look}" method="post" action="{START}">{hidden}'
        f"<button>Buy {escape(words.credits(pack.credits))}</button></form>",
        width=width,
    )


def note_seen(person: Person) -> None:
    """Count once a visit that the packs were seen."""
    if _SEEN not in st.session_state:
        visit = st.session_state.setdefault(_VISIT, uuid4())
        packs.note_seen(person, str(visit))
        st.session_state[_SEEN] = True
