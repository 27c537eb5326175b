"""The dialog with the prompts of before: search them, and use one again, alone or with all its settings."""

import streamlit as st

from core import prompts
from core.catalog import Offer
from core.models import Person
from core.prompts import UsedPrompt
from ui import describe, filling, guard, moments, session, words

_OPEN = "gen-history"
_TEXT, _FAVOURITES, _SHOWN = "gen-history-text", "gen-history-favourites", "gen-history-shown"
_PAGE = 10
_MOST = 100  # prompts
_TEXT_IN_ROW = 240  # characters
_WIDTH = 720


def button() -> None:
    st.button("History", type="tertiary", on_click=_open, key="gen-history-button", help="Prompts you used before")


def draw(person: Person, offer: Offer) -> bool:
    """The dialog, while it is open; `offer` is what the form is set to. Returns whether it is."""
    if not st.session_state.get(_OPEN):
        return False
    st.dialog("Prompt history", width=_WIDTH, on_dismiss=_close)(_body)(person, offer)
    return True


def _open() -> None:
    st.session_state[_OPEN] = True
    st.session_state[_SHOWN] = _PAGE


def _close() -> None:
    st.session_state.pop(_OPEN, None)


def _more() -> None:
    st.session_state[_SHOWN] = min(_MOST, st.session_state[_SHOWN] + 2 * _PAGE)


def _body(person: Person, offer: Offer) -> None:
    kind = describe.MEDIA[offer.type.media]
    with st.container(horizontal=True, vertical_alignment="center"):
        text = st.text_input(
            "Search your prompts",
            placeholder="Search your prompts",
            key=_TEXT,
            label_visibility="collapsed",
            icon=":material/search:",
        )
        favourites = st.toggle("Favourites", key=_FAVOURITES)
    limit = int(st.session_state.get(_SHOWN, _PAGE))
    with guard.told():
        found = prompts.history(
            person, offer.type.media, text=text or "", favourites=favourites, limit=min(_MOST, limit + 1)
        )
        if not found:
            st.markdown(f":gray[{_nothing(kind, narrowed=bool(text) or favourites)}]")
        for used in found[:limit]:
            _row(offer, used)
        if len(found) > limit:
            st.button("Show more", type="tertiary", on_click=_more)


def _nothing(kind: str, *, narrowed: bool) -> str:
    if narrowed:
        return "No prompt of yours matches."
    return f"What you write for {words.escape(_in_text(kind))} is kept here, ready to be used again."


def _in_text(kind: str) -> str:
    return kind if kind == "3D" else f"{kind.lower()}s" if kind != "Voice" else "voices"


def _row(offer: Offer, used: UsedPrompt) -> None:
    with st.container(key=f"used-{used.job_id}", gap=4):
        st.text(words.headline(used.text, _TEXT_IN_ROW))
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            now, tz = session.now(), session.tz()
            star = "★ " if used.is_favourite else ""
            facts = f"{star}{describe.model_name(used.generation_type)} · {words.ago(used.used_at, now, tz)}"
            moments.line(facts, used.used_at, width="content")
            with st.container(horizontal=True, width="content", vertical_alignment="center"):
                if st.button("Use all settings", type="tertiary", key=f"settings-{used.job_id}"):
                    filling.put_back(used.generation_type, used.inputs)
                    _done()
                if st.button("Use prompt", key=f"prompt-{used.job_id}"):
                    filling.put_prompt(offer, used.text)
                    _done()


def _done() -> None:
    _close()
    st.rerun()
