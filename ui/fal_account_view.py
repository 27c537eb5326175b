"""Whose calls are taken: the pinned account of fal.ai, and letting another one take its place. For admins."""

from functools import partial

import streamlit as st

from core import fal_account
from core.models import Person
from ui import acting, words

_PLACE = "fal-account"


def draw(person: Person) -> None:
    account = fal_account.pinned(person)
    acting.outcome(_PLACE)
    if account is None:
        st.markdown(":small[:gray[The next call of fal.ai about a job of ours says which account is ours.]]")
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        name = words.escape(words.short_id(account))
        st.markdown(f":small[:gray[Calls of fal.ai are taken from the account {name} alone.]]", width="content")
        if st.button("Use another account", type="tertiary", key="forget-account"):
            _ask(account)


@st.dialog("Another account of fal.ai")
def _ask(account: str) -> None:
    st.markdown(
        f"Calls are taken from the account **{words.escape(account)}** alone, those of any other are refused. Let go "
        "of it after FAL_KEY was set to a key of another account: the first call about a job made with that key then "
        "says which account is ours. Until it comes, jobs end by looking at fal.ai."
    )
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button(
            "Let go of this account",
            type="primary",
            on_click=acting.attempt,
            args=(_PLACE, partial(_forget, account)),
            key="forget-account-now",
        )


def _forget(account: str, person: Person) -> str:
    if fal_account.forget(person, account):
        return "Let go. The next call about a job of ours says which account is ours."
    return "Another account is in its place already."
