"""What surrounds every page: the bar at the right with credits, budget and account, and the banners below it."""

from pathlib import Path

import streamlit as st

from core import packs
from core.budget import BILLING_PAGE
from core.errors import DatabaseUnavailable
from core.models import Budget, Person
from core.settings import get_settings
from ui import alert_banners, checkout_notice, low_credits, pulse, session, signin, words

PAGES = Path(__file__).resolve().parent.parent / "pages"
REFRESH_SECONDS = 10


def budget_words(budget: Budget) -> str:
    """$20.80 left, or what was spent while no balance is known."""
    if budget.remaining is None:
        return f"{words.usd(budget.spent)} spent"
    return f"{words.usd(budget.remaining)} left"


def whose(person: Person) -> str:
    """Whose money the header counts."""
    if person.budget.remaining is None:
        return "Spent this month by the team" if person.is_admin else "What you spent this month"
    return "Your own allowance" if person.budget.scope == "person" else "The team's balance at fal.ai"


@st.fragment
def bar() -> None:
    """Credits, budget and account; refreshed by itself. Somebody whose session ended elsewhere is taken out."""
    pulse.every(REFRESH_SECONDS, "bar")
    try:
        person = session.current()
    except DatabaseUnavailable:
        with st.container(horizontal=True, width="content", gap=8, wrap=False, key="bar", vertical_alignment="center"):
            st.badge("Not connected", color="red", help="The database does not answer. Trying again every few seconds.")
        return
    if person is None or not person.may_generate:
        st.rerun()
    with st.container(horizontal=True, width="content", gap=8, wrap=False, key="bar", vertical_alignment="center"):
        _simulated()
        _credits(person)
        tone = person.budget.tone
        with st.container(key="spent" if tone == "unset" else f"tone-{tone}", width="content"):
            st.page_link(PAGES / "budget.py", label=words.escape(budget_words(person.budget)), help=whose(person))
        _account(person)


def _credits(person: Person) -> None:
    if person.is_unmetered:
        st.page_link(PAGES / "credits.py", label=":material/toll: No limit")
        return
    icon = ":red[:material/toll:]" if packs.is_low(person) else ":material/toll:"
    st.page_link(PAGES / "credits.py", label=f"{icon} {words.credits(person.available)}")
    with st.container(key="buy", width="content"):
        st.page_link(PAGES / "credits.py", label="Buy", help="Buy credits")


def _simulated() -> None:
    simulated = get_settings().simulated
    if simulated:
        names = words.escape(", ".join(simulated))
        st.badge("Simulated", color="gray", help=f"Not the real thing here: {names}. Nothing is billed.")


def _account(person: Person) -> None:
    label = words.escape(words.initials(person.full_name, person.email))
    with st.popover(label, type="tertiary", key="account"):
        st.markdown(f"**{words.escape(person.full_name or person.email)}**")
        st.markdown(f":small[:gray[{words.email(person.email)} · {'Admin' if person.is_admin else 'Member'}]]")
        signin.sign_out()


def banners(person: Person, page: str) -> None:
    """What everybody has to know before they start something, and what came of a checkout. `page` is its path."""
    if person.fal_lock_reason:
        st.error(
            f"**fal.ai has locked the account.** {words.escape(person.fal_lock_reason)} New jobs wait until that is "
            f"settled; nothing is charged. [Open fal.ai billing]({BILLING_PAGE})",
            icon=":material/error:",
        )
    alert_banners.draw(person)
    checkout_notice.draw(person)
    low_credits.remind(person, page)
