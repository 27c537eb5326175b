"""What a person bought, with the state of each payment in words and the way to its receipt."""

import pandas as pd
import streamlit as st

from core import purchases
from core.models import Person
from core.purchases import Purchase
from ui import ledger, session, words

STATES: dict[purchases.PurchaseStatus, str] = {
    "open": "Not paid",
    "processing": "On its way",
    "expired": "Expired",
    "failed": "Did not go through",
    "flagged": "An admin looks at it",
    "paid": "Paid",
    "partially_refunded": "Paid, partly refunded",
    "refunded": "Refunded",
    "disputed": "Disputed",
    "dispute_lost": "Taken back by the bank",
}


def draw(person: Person) -> None:
    """The section; nothing without a purchase."""
    found = purchases.own(person)
    if not found:
        return
    now, tz = session.now(), session.tz()
    st.space("small")
    st.subheader("Purchases", anchor=False)
    frame = pd.DataFrame(
        {
            "When": [words.exact(one.paid_at or one.created_at, now, tz) for one in found],
            "Pack": [words.credits(one.credits) for one in found],
            "State": [state(one) for one in found],
            "Paid": [words.euros(one.euros) for one in found],
            "Receipt": [f"[Receipt]({ledger.RECEIPT}?order={one.id})" if one.is_paid else "" for one in found],
        }
    )
    with st.container(key="purchases"):
        st.table(frame, border="horizontal", hide_index=True, alt="Purchases, newest first")


def state(one: Purchase) -> str:
    """Paid, partly refunded · €39.50 back · 250 credits taken."""
    parts = [STATES[one.status]]
    back = one.refunded_cents + one.lost_cents
    if back:
        parts.append(f"{words.euros(one.euros * back / one.amount_cents)} back")
    if one.taken_credits:
        parts.append(f"{words.credits(one.taken_credits)} taken")
    if one.frozen_credits:
        parts.append(f"{words.credits(one.frozen_credits)} kept back")
    return " · ".join(parts)
