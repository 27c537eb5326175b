"""The line that says what a run will cost, and the button beside it, with the reason when it is off."""

import streamlit as st

from core.models import Person, Quote
from ui import press, words


def draw(person: Person, quote: Quote, jobs: int, label: str) -> None:
    """`quote` is for one of `jobs` equal jobs; `label` is what the button says."""
    reason = off_reason(person)
    with st.container(horizontal=True, width="content", vertical_alignment="center", key="cta"):
        st.markdown(text(person, quote, jobs), width="content")
        st.button(
            label,
            type="primary",
            disabled=bool(reason),
            help=words.escape(reason) or None,
            on_click=press.clicked,
            shortcut="Ctrl+Enter",
            key="generate-button",
        )


def text(person: Person, quote: Quote, jobs: int) -> str:
    """Markdown: **1 credit** · about $0.006 · 82 credits left after."""
    usd = f"about {words.escape(words.usd(quote.estimated_usd * jobs))}"
    if person.is_unmetered:
        return f"**No credits** · {usd} · counted in the budget"
    credits = quote.credits * jobs
    left = person.available - credits
    after = f"{words.credits(left)} left after" if left >= 0 else f":red[{words.credits(-left)} short]"
    return f"**{words.credits(credits)}** · {usd} · {after}"


def button(noun: str, made: int) -> str:
    """Generate 2 images, Generate video."""
    return f"Generate {words.count(made, noun)}" if made > 1 else f"Generate {noun}"


def off_reason(person: Person) -> str:
    """Why nothing can be started now; empty when it can. What else may stand against it is said by the database.

    Too few credits do not switch the button off: it then leads to the packs, and nothing is sent.
    """
    if person.fal_lock_reason:
        return "fal.ai has locked the account. New jobs wait until that is settled."
    return ""
