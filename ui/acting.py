"""Doing something in the callback of a button, so that the run that follows shows the new state."""

from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from core.errors import AtelierError
from core.models import Person
from ui import sentences, session

_ENDED = "Your session has ended. Sign in again."


class _Outcome(NamedTuple):
    said: str
    is_refusal: bool


def attempt(place: str, act: Callable[[Person], str]) -> None:
    """Act as the signed-in person. What `act` returns, or what was refused, waits at `place` for `outcome`.

    Nothing is drawn here: what a callback draws lands on top of the page, over what is there.
    """
    try:
        person = session.current()
        found = _Outcome(_ENDED, True) if person is None else _Outcome(act(person), False)
    except AtelierError as error:
        found = _Outcome(error.sentence, True)
    st.session_state[_key(place)] = found


def outcome(place: str) -> bool:
    """Say what came of it, once: a toast, or the refusal in place. Returns whether something was done."""
    found: _Outcome | None = st.session_state.pop(_key(place), None)
    if found is None:
        return False
    if found.is_refusal:
        st.error(sentences.marked(found.said), icon=":material/error:")
    else:
        st.toast(found.said)
    return not found.is_refusal


def _key(place: str) -> str:
    return f"outcome-{place}"
