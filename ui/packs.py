"""The packs of credits on screen: what they cost, what they buy, and the button that leads to the pay page."""

import re
from html import escape
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

import streamlit as st

from core import packs
from core.errors import InsufficientCredits
from core.models import Person
from core.packs import Pack
from ui import sentences, words

START = "/checkout/start"
CREDITS, GENERATE = "/credits", "/"
# Where a person may be brought after the pay page, and what may be open there.
BACK = (CREDITS, GENERATE, "/jobs", "/campaigns")
_OPEN = ("job", "campaign", "clip", "step", "open")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
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
    return f"About {' or '.join(kinds)}" if kinds else f"{words.credits(pack.credits)} for any type"


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


def choices(person: Person, needed: int, available: int, *, back: str) -> None:
    """The packs right where credits are missing, smallest first, each with what is left after what is needed (0: for
    nothing in particular). The smallest that covers it has the primary button. Nothing here needs another run."""
    on_sale = packs.packs()
    if not on_sale:
        st.markdown(":gray[No pack is on sale at the moment. Ask an admin for credits.]")
        return
    note_seen(person)
    first = packs.smallest_for(needed - available)
    with st.container(gap="small", key="choices"):
        for pack in on_sale:
            with st.container(
                border=True, horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
            ):
                with st.container(gap=4, width="content"):
                    st.markdown(f"{words.credits(pack.credits)} · **{words.euros(pack.euros)}**")
                    each = words.euros_each(pack.euros_per_credit)
                    st.markdown(f":small[:gray[{each} each · {_after(pack, needed, available)}]]")
                button(pack, back=back, primary=pack == first, width="content")


def _after(pack: Pack, needed: int, available: int) -> str:
    left = available + pack.credits - needed
    if left < 0:
        return f"still {words.number(-left)} short"
    return f"leaves you {words.number(left)}" if needed else f"then you have {words.number(left)}"


def refused(person: Person, error: InsufficientCredits) -> None:
    """What was refused for credits, and the packs beside it, wherever that was."""
    st.error(sentences.marked(error.sentence), icon=":material/error:")
    if not person.is_unmetered:
        available = int(error.detail.get("available", person.available))
        choices(person, int(error.detail.get("needed", available + 1)), available, back=here())


def here() -> str:
    """This page and what is open on it, as a way back."""
    path = urlsplit(st.context.url or "").path or GENERATE
    return way_back(f"{path}?{urlencode(st.query_params.to_dict())}")


def way_back(address: str | None) -> str:
    """`address` when a person may be brought there, without what is not known to be harmless; else the Credits page."""
    try:
        parts = urlsplit(address or "")
    except ValueError:
        return CREDITS
    if parts.scheme or parts.netloc or parts.path not in BACK:
        return CREDITS
    query = [(name, value) for name, value in parse_qsl(parts.query) if name in _OPEN and _NAME.fullmatch(value)]
    return f"{parts.path}?{urlencode(query)}" if query else parts.path


def note_seen(person: Person) -> None:
    """Count once a visit that the packs were seen."""
    if _SEEN not in st.session_state:
        visit = st.session_state.setdefault(_VISIT, uuid4())
        packs.note_seen(person, str(visit))
        st.session_state[_SEEN] = True
