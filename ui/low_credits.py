"""The two dialogs about credits: few are left, and too few for what was asked."""

import threading
from functools import partial
from pathlib import Path
from time import monotonic
from uuid import UUID

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core import packs
from core.models import Person
from core.packs import Pack
from ui import drafts, words
from ui import packs as pack_cards

_CREDITS_PAGE = Path(__file__).resolve().parent.parent / "pages" / "credits.py"

VISIT_SECONDS = 8 * 3600.0
_REMINDER = "low-credits"  # "open" from the first page until it is dismissed, then "seen"
_SHORT = "gen-short"  # (what, credits) while a press waits for credits

_lock = threading.Lock()
_reminded_at: dict[UUID, float] = {}  # by person, in this process


def remind(person: Person) -> None:
    """Once a visit, on arrival, while few credits are left: nobody is interrupted at work.

    A reload or another tab is the same visit. Not where the packs are anyway, nor over another dialog: what the address
    asks for comes first.
    """
    if _REMINDER not in st.session_state:
        st.session_state[_REMINDER] = "open" if _is_due(person) else "seen"
    if st.session_state[_REMINDER] == "seen" or st.query_params or _SHORT in st.session_state:
        return
    smallest = packs.smallest_for(0)
    if smallest is not None:
        st.dialog("Few credits left", on_dismiss=reminded)(_reminder)(person, smallest)


def _is_due(person: Person) -> bool:
    on_credits = (st.context.url or "").split("?")[0].endswith(pack_cards.CREDITS)
    if st.query_params or on_credits or not packs.is_low(person):
        return False
    now = monotonic()
    with _lock:
        for user_id in [known for known, at in _reminded_at.items() if now - at > VISIT_SECONDS]:
            del _reminded_at[user_id]
        return _reminded_at.setdefault(person.user_id, now) == now


def reminded() -> None:
    """No reminder any more in this visit."""
    st.session_state[_REMINDER] = "seen"


def _reminder(person: Person, pack: Pack) -> None:
    left = f"**{words.credits(person.available)}** left" if person.available else "**no credits** left"
    after = words.number(person.available + pack.credits)
    st.markdown(f"You have {left}. With the {words.number(pack.credits)}-credit pack you have {after}.")
    _offer(person, pack)
    with _buttons():
        if st.button("Not now", type="tertiary", on_click=reminded):
            st.rerun()
        if st.button("See all packs", type="tertiary", on_click=reminded):
            st.switch_page(_CREDITS_PAGE)
        pack_cards.button(pack, back=pack_cards.CREDITS, primary=True, width="content")


def refuse(what: str, credits: int) -> None:
    """A press needs more credits than there are: the dialog opens with this run and stays until it is dismissed."""
    st.session_state[_SHORT] = (what, credits)


def too_few(person: Person) -> bool:
    """The dialog for a press that was refused for credits, when there was one. Returns whether it is open."""
    waiting: tuple[str, int] | None = st.session_state.get(_SHORT)
    if waiting is None:
        return False
    what, credits = waiting
    if credits <= person.available:  # they have come in the meantime
        _dismissed(person)
        return False
    st.dialog("Not enough credits", on_dismiss=partial(_dismissed, person))(_too_few)(person, what, credits)
    return True


def _dismissed(person: Person) -> None:
    st.session_state.pop(_SHORT, None)
    drafts.drop(person)


def _see_all() -> None:
    """The draft stays: whoever buys on the Credits page finds the form as it was."""
    st.session_state.pop(_SHORT, None)


def sentence(what: str, credits: int, available: int, pack: Pack | None) -> str:
    """Markdown: This video costs **25 credits** and you have **1**. The 100-credit pack covers it and leaves you 76."""
    verb = "cost" if what.startswith("These") else "costs"
    asked = f"{words.escape(what)} {verb} **{words.credits(credits)}** and you have **{words.number(available)}**."
    if pack is None:
        return f"{asked} No pack is on sale at the moment. Ask an admin for credits."
    after = available + pack.credits - credits
    size = words.number(pack.credits)
    if after >= 0:
        return f"{asked} The {size}-credit pack covers it and leaves you {words.number(after)}."
    return f"{asked} Even with the {size}-credit pack you are {words.credits(-after)} short."


def _too_few(person: Person, what: str, credits: int) -> None:
    pack = packs.smallest_for(credits - person.available)
    st.markdown(sentence(what, credits, person.available, pack))
    if pack is not None:
        _offer(person, pack)
        with _buttons():
            if st.button("See all packs", type="tertiary", on_click=_see_all):
                st.switch_page(_CREDITS_PAGE)
            pack_cards.button(pack, back=pack_cards.GENERATE, primary=True, width="content")
    st.markdown(":small[:gray[Your prompt and settings stay as they are.]]")


def _offer(person: Person, pack: Pack) -> None:
    pack_cards.note_seen(person)
    with (
        st.container(border=True),
        st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", wrap=False),
    ):
        with st.container(gap=4, width="content"):
            st.markdown(f"**{words.credits(pack.credits)}**")
            each = words.euros_each(pack.euros_per_credit)
            st.markdown(f":small[:gray[{each} each · ready in seconds]]")
        st.markdown(f"**{words.euros(pack.euros)}**", width="content")


def _buttons() -> DeltaGenerator:
    return st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", key="offer")
