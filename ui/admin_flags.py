"""What waits for an admin's decision about money: odd payments, and credits that people owe."""

from functools import partial
from uuid import uuid4

import streamlit as st

from core import flagged_payments, purchases
from core.errors import InvalidInput
from core.flagged_payments import FlaggedPayment
from core.models import Person
from core.purchases import Debt
from ui import acting, session, words

_FLAGS, _DEBTS = "flagged", "owed"


def draw(person: Person) -> None:
    """Both lists; nothing where nothing waits."""
    _draw_flagged(flagged_payments.waiting(person))
    _draw_debts(purchases.who_owe(person))


def _draw_flagged(found: tuple[FlaggedPayment, ...]) -> None:
    acting.outcome(_FLAGS)
    if not found:
        return
    st.space("small")
    st.subheader("Payments that need a decision", anchor=False)
    for one in found:
        _flagged(one)


def _flagged(one: FlaggedPayment) -> None:
    """A payment that is not what was ordered: why, and the note of whoever has dealt with it."""
    place = f"flag-{one.key}"
    link = purchases.payment_link(one.payment_intent_id)
    with st.container(border=True, key=place):
        st.markdown(f"**{words.escape(one.problem)}** {_whose(one)} {_granted(one)}")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                "What you did", key=f"{place}-reason", placeholder="Refunded at Stripe, credits granted by hand"
            )
            if link:
                st.link_button("Open at Stripe", link, type="tertiary")
            st.button(
                "Mark as settled",
                key=f"{place}-settle",
                on_click=acting.attempt,
                args=(_FLAGS, partial(_resolve, one, place)),
            )


def _granted(one: FlaggedPayment) -> str:
    """Also when something is odd about it, what was ordered and paid is granted."""
    return f"{words.credits(one.granted_credits)} were granted." if one.granted_credits else "Nothing was granted."


def _whose(one: FlaggedPayment) -> str:
    """Markdown: lea@studio.example ordered 500 credits for €79, on 20 Nov, 14:31."""
    at = words.exact(one.flagged_at, session.now(), session.tz())
    if one.credits is None or one.euros is None:
        return f"Told by Stripe on {words.escape(at)}."
    who = words.email(one.email) if one.email else "Somebody who is gone"
    return f"{who} ordered {words.credits(one.credits)} for {words.euros(one.euros)}, on {words.escape(at)}."


def _resolve(one: FlaggedPayment, place: str, person: Person) -> str:
    flagged_payments.resolve(person, one, st.session_state.get(f"{place}-reason") or "")
    return "Settled. The note is kept in the trail."


def _draw_debts(found: tuple[Debt, ...]) -> None:
    acting.outcome(_DEBTS)
    if not found:
        return
    st.space("small")
    st.subheader("Owed credits", anchor=False)
    st.markdown(":small[:gray[Used before their payment went back. The next pack of the person settles them.]]")
    for debt in found:
        place = f"debt-{debt.user_id}"
        with st.container(border=True, horizontal=True, vertical_alignment="bottom", key=place):
            st.markdown(f"{words.email(debt.email or 'Somebody who is gone')} owes **{words.credits(debt.owed)}**.")
            st.number_input(
                "Credits to forgive",
                min_value=1,
                max_value=debt.owed,
                value=debt.owed,
                key=f"{place}-amount",
                width=150,
            )
            st.text_input("Reason, kept in the trail", key=f"{place}-reason", max_chars=500)
            st.button(
                "Forgive",
                key=f"{place}-forgive",
                on_click=acting.attempt,
                args=(_DEBTS, partial(_forgive, debt, place)),
            )


def _forgive(debt: Debt, place: str, person: Person) -> str:
    amount = st.session_state.get(f"{place}-amount")
    if not amount:
        raise InvalidInput("Enter how many credits first.", field="amount")
    key = st.session_state.setdefault(f"{place}-key", str(uuid4()))  # asking twice forgives once
    reason = str(st.session_state.get(f"{place}-reason") or "").strip()
    purchases.waive_owed(person, debt.user_id, int(amount), reason, key)
    for name in ("key", "amount", "reason"):
        st.session_state.pop(f"{place}-{name}", None)
    return f"{words.credits(amount)} forgiven."
