"""The dialogs that set or clear a balance: the team's at fal.ai, and one's own allowance."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial

import pandas as pd
import streamlit as st

from core import budget
from core.budget import BILLING_PAGE, BalanceEntry, Scope
from core.errors import InvalidInput
from core.models import Person
from ui import acting, session, words

AMOUNT = {"team": "balance-amount", "person": "allowance-amount"}
_LEADS = {
    "team": "Enter the balance as fal.ai shows it. It counts from now on: what was spent before is in it already.",
    "person": "How much you want to spend from now on. It is a guide for you alone and stops nothing.",
}
_NOUNS = {"team": "balance", "person": "allowance"}
_SHOWN = 8


def draw(scope: Scope, is_set: bool) -> None:
    """Open the dialog of the team's balance or of one's own allowance."""
    title = "The team's balance" if scope == "team" else "Your own allowance"
    st.dialog(title)(_body)(scope, is_set)


def _body(scope: Scope, is_set: bool) -> None:
    noun = _NOUNS[scope]
    st.markdown(_LEADS[scope])
    if scope == "team":
        st.link_button("Open fal.ai billing", BILLING_PAGE, type="tertiary", icon=":material/open_in_new:")
    st.number_input(
        f"{noun.capitalize()} in USD", value=None, step=0.01, format="%.2f", placeholder="50.00", key=AMOUNT[scope]
    )
    if acting.outcome(scope):
        st.rerun()
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        if is_set:
            st.button(f"Clear {noun}", type="tertiary", on_click=_act, args=(scope, _clear))
        st.button(f"Save {noun}", type="primary", on_click=_act, args=(scope, _save))
    person = session.current()
    if person is not None:
        _draw_entries(budget.entries(person, scope, _SHOWN))


def _act(scope: Scope, do: Callable[[Scope, Person], str]) -> None:
    acting.attempt(scope, partial(do, scope))


def _save(scope: Scope, person: Person) -> str:
    typed = st.session_state.get(AMOUNT[scope])
    if typed is None:
        raise InvalidInput("Enter an amount first, such as 50.00.", field="amount")
    # Six decimals are what the books keep; beyond them is the noise of the browser's floats.
    amount = Decimal(str(round(typed, 6)))
    save = budget.set_balance if scope == "team" else budget.set_own_balance
    save(person, amount)
    return f"The {_NOUNS[scope]} is saved: {words.escape(words.usd(amount, 2))}."


def _clear(scope: Scope, person: Person) -> str:
    clear = budget.clear_balance if scope == "team" else budget.clear_own_balance
    clear(person)
    return f"The {_NOUNS[scope]} is cleared."


def _draw_entries(entries: tuple[BalanceEntry, ...]) -> None:
    if not entries:
        return
    now, tz = session.now(), session.tz()
    st.markdown(":small[:gray[Entered before]]")
    frame = pd.DataFrame(
        {
            "When": [words.exact(entry.created_at, now, tz) for entry in entries],
            "Amount": ["Cleared" if entry.amount is None else words.usd(entry.amount, 2) for entry in entries],
            "By": [words.escape(entry.actor_name or "Read at fal.ai") for entry in entries],
        }
    )
    frame["Amount"] = frame["Amount"].map(words.escape)
    st.table(frame, border="horizontal", hide_index=True, alt="Earlier entries, newest first")
