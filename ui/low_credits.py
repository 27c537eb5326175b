"""The two dialogs about credits: few are left, and too few for what was asked. Both have the packs in them."""

import threading
from time import monotonic
from uuid import UUID

import streamlit as st

from core import packs
from core.models import Person
from ui import packs as pack_cards
from ui import words

VISIT_SECONDS = 8 * 3600.0
_REMINDER = "low-credits"  # "open" from when it is due until it is dismissed
_PAGE = "low-credits-page"  # where the last run was
_SHORT = "gen-short"  # (what, credits) while a press waits for credits

_lock = threading.Lock()
_reminded_at: dict[UUID, float] = {}  # by person, in this process


def remind(person: Person, page: str) -> None:
    """Once a visit, on coming to a page while few credits are left: nobody is interrupted at work.

    A reload or another tab is the same visit. Not where the packs are anyway, nor over another dialog: what the address
    asks for comes first.
    """
    arrives = st.session_state.get(_PAGE) != page
    st.session_state[_PAGE] = page
    busy = bool(st.query_params) or _SHORT in st.session_state or page == pack_cards.CREDITS.strip("/")
    if arrives and not busy and packs.is_low(person) and _is_first_of_visit(person):
        st.session_state[_REMINDER] = "open"
    if st.session_state.get(_REMINDER) == "open" and not busy and packs.packs():
        st.dialog("Few credits left", on_dismiss=reminded)(_reminder)(person)


def _is_first_of_visit(person: Person) -> bool:
    now = monotonic()
    with _lock:
        for user_id in [known for known, at in _reminded_at.items() if now - at > VISIT_SECONDS]:
            del _reminded_at[user_id]
        return _reminded_at.setdefault(person.user_id, now) == now


def reminded() -> None:
    """No reminder any more in this visit."""
    st.session_state.pop(_REMINDER, None)


def bought(person: Person) -> None:
    """Who comes back from the pay page has just seen the packs."""
    with _lock:
        _reminded_at[person.user_id] = monotonic()
    reminded()


def _reminder(person: Person) -> None:
    left = f"**{words.credits(person.available)}**" if person.available else "**no credits**"
    st.markdown(f"You have {left} left. A pack is ready in seconds.")
    pack_cards.choices(person, 0, person.available, back=pack_cards.here())
    if st.button("Not now", type="tertiary", on_click=reminded):
        st.rerun()


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
        _dismissed()
        return False
    st.dialog("Not enough credits", on_dismiss=_dismissed)(_too_few)(person, what, credits)
    return True


def _dismissed() -> None:
    st.session_state.pop(_SHORT, None)


def sentence(what: str, credits: int, available: int) -> str:
    """Markdown: This video costs **25 credits** and you have **1**."""
    verb = "cost" if what.startswith("These") else "costs"
    return f"{words.escape(what)} {verb} **{words.credits(credits)}** and you have **{words.number(available)}**."


def _too_few(person: Person, what: str, credits: int) -> None:
    st.markdown(sentence(what, credits, person.available))
    pack_cards.choices(person, credits, person.available, back=pack_cards.GENERATE)
    st.markdown(":small[:gray[Your prompt and settings stay as they are.]]")
