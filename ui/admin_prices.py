"""Prices of fal.ai for admins: when they were read, a button to read them now, and what has changed."""

import pandas as pd
import streamlit as st

from core import chores, prices
from core.models import Person
from core.prices import PriceChange, PriceSync
from ui import acting, session, words

_PLACE = "prices"
_FOUND = "prices-found"
_SHOWN = 20
_SOURCES = {"synced": "fal.ai", "manual": "By hand", "documented": "Documented"}


def draw(person: Person) -> None:
    """When they were read, a button to read them now, and what has changed."""
    draw_reading(person)
    _history(person)


def draw_reading(person: Person) -> None:
    """When they were read, and a button to read them now; for where the changes are shown already."""
    st.space("small")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader("Prices of fal.ai", anchor=False, width="content")
        st.button("Read prices now", key="read-prices", on_click=acting.attempt, args=(_PLACE, _sync))
    acting.outcome(_PLACE)
    _problems()
    _state(person)


def _sync(person: Person) -> str:
    found = prices.sync(person)
    st.session_state[_FOUND] = found
    return summary(found)


def summary(found: PriceSync) -> str:
    """2 prices changed: Flux Schnell, Flux Dev. 11 stayed."""
    stayed = f"{words.number(found.same)} stayed."
    if not found.changed:
        return f"No price has changed, {stayed}"
    return f"{words.count(len(found.changed), 'price')} changed: {words.escape(', '.join(found.changed))}. {stayed}"


def _problems() -> None:
    found: PriceSync | None = st.session_state.pop(_FOUND, None)
    if found is not None and found.problems:
        listed = "\n".join(f"- {words.escape(problem)}" for problem in found.problems)
        st.warning(f"**Some prices stay as they are.**\n\n{listed}", icon=":material/error:")


def _state(person: Person) -> None:
    state = next((known for known in chores.states(person) if known.name == "prices"), None)
    if state is None:
        st.markdown(":small[:gray[No worker has read them yet. Jobs already made keep their price.]]")
        return
    now, tz = session.now(), session.tz()
    if state.last_error:
        st.warning(f"**The prices could not be read.** {words.escape(state.last_error)}", icon=":material/error:")
    read = words.escape(words.exact(state.last_ok_at, now, tz)) if state.last_ok_at else "never"
    st.markdown(f":small[:gray[Read every day, last {read}. Jobs already made keep their price.]]")


def read_history(person: Person) -> tuple[PriceChange, ...]:
    """What has changed lately."""
    return prices.history(person, _SHOWN)


def _history(person: Person) -> None:
    changes = read_history(person)
    if not changes:
        st.markdown(":gray[No price has changed so far.]")
        return
    now, tz = session.now(), session.tz()
    frame = pd.DataFrame(
        {
            "When": [words.exact(change.created_at, now, tz) for change in changes],
            "Type": [words.escape(change.label) for change in changes],
            "Per": [words.escape(change.unit) for change in changes],
            "Before": [words.escape(words.usd_exact(change.before)) for change in changes],
            "After": [words.escape(words.usd_exact(change.after)) for change in changes],
            "From": [_SOURCES.get(change.source, change.source) for change in changes],
        }
    )
    st.table(frame, border="horizontal", hide_index=True, alt="Changes of prices, newest first")
