"""What came of a checkout, above the page that the person comes back to."""

from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple
from uuid import UUID

import streamlit as st

from core import purchases
from core.errors import NotFound
from core.models import Person
from core.purchases import Purchase
from ui import ledger, low_credits, words
from ui.checkout_routes import CODE, ORDER

# By what the books say of the order (core.payments.Result) or by the code of a refusal. {credits} and {paid} are of the
# order, {left} is the balance now, {receipt} the way to Stripe's receipt.
PAID = "**{credits} added.** You have {left} now. [Receipt]({receipt})"
SUCCESS = {"granted": PAID, "already_granted": PAID}
INFO = {
    "cancelled": "**You came back without paying.** Nothing was charged and nothing has changed.",
    "open": "**This order is not paid yet.** Nothing was charged. Buy again when you want to.",
    "processing": "**Your payment of {paid} is on its way.** The {credits} arrive by themselves once it is there.",
    "ORDER_PROCESSING": "**Your payment is on its way already.** Its credits arrive by themselves once it is there.",
    "ALREADY_PAID": "**This order is paid already.** Its credits are in your balance.",
    "no_receipt": "**There is no receipt for this order.** It was not paid, or it is not yours.",
}
ERRORS = {
    "expired": "**This checkout has expired.** Nothing was charged. Start again.",
    "payment_failed": "**The payment did not go through.** Nothing was charged. Try again, or pay in another way.",
    "flagged": "**Your payment of {paid} does not match the order.** An admin has been told and sorts it out with you.",
    "NOT_FOUND": "**There is no such order, or it is not yours.** Nothing was charged here.",
    "PACK_DISABLED": "**This pack is not on sale at the moment.** Nothing was charged. Choose another one.",
    "PRICE_CHANGED": "**The price has changed.** Nothing was charged. The new price is on this page.",
    "TOO_MANY_CHECKOUTS": "**You have begun many payments without finishing one.** Try again in an hour.",
    "ORDER_CLOSED": "**This order is closed.** Nothing was charged. Start again.",
    "PAYMENTS_UNAVAILABLE": "**Stripe does not answer at the moment.** If you have paid, your credits arrive by "
    "themselves. If you have not, try again in a minute.",
    "PAYMENTS_REFUSED": "**This pack cannot be bought at the moment.** Nothing was charged. Tell an admin.",
    "PAYMENT_NOT_FOUND": "**Stripe does not know this order.** Nothing was charged. Start again, or tell an admin.",
    "DATABASE_UNAVAILABLE": "**The database could not be reached.** If you have paid, your credits arrive by "
    "themselves. If you have not, try again in a minute.",
}
_NOTICE = "checkout-notice"
_SECONDS = 60.0
PLAIN = "**That did not work.** If you have paid, your credits arrive by themselves. If you have not, try again."


class _Notice(NamedTuple):
    code: str
    order: str
    at: float


def draw(person: Person) -> None:
    """The sentence for the code that came with the address, for a minute; text from there is never shown."""
    code = st.query_params.pop(CODE, None)
    if code:
        st.session_state[_NOTICE] = _Notice(code, st.query_params.pop(ORDER, ""), monotonic())
        low_credits.bought(person)
    notice: _Notice | None = st.session_state.get(_NOTICE)
    if notice is None or monotonic() - notice.at > _SECONDS:
        return
    show, icon, sentence = _known(notice.code)
    order = _order(person, notice.order)
    if order is not None:
        sentence = sentence.format(
            credits=words.credits(order.credits),
            paid=words.euros(order.euros),
            receipt=f"{ledger.RECEIPT}?order={order.id}",
            left="no limit" if person.is_unmetered else words.number(person.available),
        )
    elif "{" in sentence:
        show, icon, sentence = st.error, ":material/error:", ERRORS["NOT_FOUND"]
    show(sentence, icon=icon)


def _known(code: str) -> tuple[Callable[..., Any], str, str]:
    if code in SUCCESS:
        return st.success, ":material/check:", SUCCESS[code]
    if code in INFO:
        return st.info, ":material/toll:", INFO[code]
    return st.error, ":material/error:", ERRORS.get(code, PLAIN)


def _order(person: Person, order: str) -> Purchase | None:
    try:
        return purchases.get(person, UUID(order))
    except (ValueError, NotFound):
        return None
